//! A crash tells nothing: neither of the records that are in memory, nor of the token.
//!
//! A core dump is a copy of all that. So none is made, whoever asks for it, and no other process of the same user may look
//! into this one's memory (on Linux, which calls that "not dumpable").
//! And the message of a panic can quote a value: where a text is cut in the middle of a character, the standard library shows
//! the text. So a panic is told by its place, and by its message only if that stands in the program word for word.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    panic::{self, PanicHookInfo},
};

use rustix::process::{Resource, Rlimit, setrlimit};

use super::output::Output;

/// Sees to both, for this process. A system that refuses is no reason not to run: then it is as it would have been.
pub(super) fn tells_nothing() {
    leaves_no_copy();
    panic::set_hook(Box::new(|panic| told(panic).iter().for_each(|line| tell(line))));
}

fn leaves_no_copy() {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).ok();
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).ok();
}

/// Tells it where everything else is told: in the log, as soon as there is one.
fn tell(line: &str) {
    if tracing::dispatcher::has_been_set() {
        tracing::error!("{line}");
    } else {
        Output::new().say(line);
    }
}

/// The lines that are shown of a panic.
fn told(panic: &PanicHookInfo<'_>) -> Vec<String> {
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let thread = std::thread::current().name().unwrap_or("without a name").to_owned();
    let said = panic.payload().downcast_ref::<&'static str>().copied();
    let said = said.unwrap_or("what it says is not shown, since it may quote data");
    let mut lines = vec![format!("panic: thread `{thread}` at {place}: {said}")];
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        lines.extend(backtrace.to_string().lines().map(str::to_owned));
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());

    #[cfg(target_os = "linux")]
    #[test]
    fn nobody_may_copy_the_memory() {
        use rustix::process::{DumpableBehavior, dumpable_behavior, getrlimit};
        leaves_no_copy();
        assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
        assert_eq!(getrlimit(Resource::Core), Rlimit { current: Some(0), maximum: Some(0) });
    }

    #[test]
    fn a_panic_is_told_without_the_data_it_quotes() {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(|panic| TOLD.lock().unwrap_or_else(PoisonError::into_inner).extend(told(panic))));
        let value = "J\u{fc}rgen M\u{fc}ller".to_owned();
        let quoting = panic::catch_unwind(|| value.split_at(2).0.len());
        let literal = panic::catch_unwind(|| panic!("no more places"));
        panic::set_hook(usual);
        assert!(quoting.is_err() && literal.is_err());
        let told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(told.iter().any(|told| told.contains("it may quote data")), "{told:?}");
        assert!(told.iter().any(|told| told.contains("no more places")), "{told:?}");
        assert!(!told.iter().any(|told| told.contains("rgen M")), "{told:?}");
    }
}
