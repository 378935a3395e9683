//! The log of an instance: where its lines go, how many, and whether any of its [`Words`] may go anywhere at all.
//!
//! Whether to withhold is for the caller to know; it is set when an instance is made and never changes. What is withheld is
//! counted.
//!
//! *Lines are few.* A call may write so many, and all instances that share a sink so many together ([`MOST_LINES`]): a batch
//! is one of thousands, and what each of them may say nobody reads. Past that there is silence, and a count.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::words::{self, Words};

type WriteLine = dyn Fn(LogLevel, &str) + Send + Sync;

/// The lines that a sink passes on, of all instances that share it: far more than people read of one transform in one run.
pub const MOST_LINES: u64 = 1_000;

/// Where log lines go, and whether the words of an instance may go anywhere at all. A clone is the same sink: what reaches it
/// is counted together.
#[derive(Clone)]
pub struct LogSink {
    write: Arc<WriteLine>,
    withhold: bool,
    tally: Arc<Tally>,
}

/// What has reached a sink.
#[derive(Debug, Default)]
struct Tally {
    passed: AtomicU64,
    dropped: AtomicU64,
    withheld: AtomicU64,
}

impl Tally {
    /// Takes one of the lines that may pass; whether there was one.
    fn pass(&self) -> bool {
        let one_more = |passed: u64| (passed < MOST_LINES).then_some(passed + 1);
        self.passed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }
}

impl LogSink {
    /// A sink that calls `write` for every line, on the thread that runs the plugin.
    ///
    /// `withhold`: the plugin reads a marked column or attachment, so `write` is never called, and the messages of its
    /// failures and rejections are withheld too. What is withheld is counted.
    pub fn new(write: impl Fn(LogLevel, &str) + Send + Sync + 'static, withhold: bool) -> Self {
        Self { write: Arc::new(write), withhold, tally: Arc::default() }
    }

    /// The same sink, and nothing reaches it.
    #[must_use]
    pub(super) fn withholding(&self) -> Self {
        Self { withhold: true, ..self.clone() }
    }

    /// A sink that nothing reaches.
    pub fn withheld() -> Self {
        Self::new(|_, _| {}, true)
    }

    /// What became of all lines so far.
    pub fn counts(&self) -> LogCounts {
        let Tally { passed, dropped, withheld } = &*self.tally;
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        LogCounts { passed: of(passed), dropped: of(dropped), withheld: of(withheld) }
    }
}

impl fmt::Debug for LogSink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LogSink").field("withhold", &self.withhold).finish_non_exhaustive()
    }
}

/// How much a log line matters, as the plugin has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// For the plugin's author.
    Debug,
    /// For whoever reads the log of a run. Also what an unknown level counts as.
    Info,
    /// For whoever runs the pipeline.
    Warn,
}

/// What became of the log lines of all instances that share a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogCounts {
    /// Lines passed on.
    pub passed: u64,
    /// Lines dropped, since a call wrote too many, or all together.
    pub dropped: u64,
    /// Lines withheld.
    pub withheld: u64,
}

/// The log of one instance.
#[derive(Debug)]
pub(super) struct Log {
    sink: LogSink,
    lines_for_each_call: u64,
    lines_left: u64,
}

impl Log {
    pub(super) fn new(sink: LogSink, lines_for_each_call: u64) -> Self {
        Self { sink, lines_for_each_call, lines_left: 0 }
    }

    pub(super) fn start_call(&mut self) {
        self.lines_left = self.lines_for_each_call;
    }

    /// What may be shown of a text of the plugin.
    pub(super) fn words(&self, text: &str) -> Words {
        Words::of(text, self.sink.withhold)
    }

    /// Counts a line; whether it is to be read.
    pub(super) fn admit(&mut self) -> bool {
        let tally = &*self.sink.tally;
        if self.sink.withhold {
            tally.withheld.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        let is_admitted = self.lines_left > 0 && tally.pass();
        if is_admitted {
            self.lines_left -= 1;
        } else {
            tally.dropped.fetch_add(1, Ordering::Relaxed);
        }
        is_admitted
    }

    /// Passes a line on that was admitted.
    pub(super) fn pass(&self, level: LogLevel, message: &str) {
        (self.sink.write)(level, &words::line(message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_past_the_limit_of_a_call_are_counted() {
        let sink = LogSink::new(|_, _| {}, false);
        let mut log = Log::new(sink.clone(), 2);
        log.start_call();
        assert_eq!([(); 3].map(|()| log.admit()), [true, true, false]);
        log.start_call();
        assert!(log.admit());
        assert_eq!(sink.counts(), LogCounts { passed: 3, dropped: 1, withheld: 0 });
        assert_eq!(log.words("a\nb"), Words::Said("a\\nb".to_owned()));
    }

    #[test]
    fn all_that_share_a_sink_share_its_lines() {
        let sink = LogSink::new(|_, _| {}, false);
        let admitted = |withhold: bool| {
            let mut log = Log::new(if withhold { sink.withholding() } else { sink.clone() }, 600);
            log.start_call();
            [(); 700].map(|()| log.admit()).iter().filter(|admitted| **admitted).count()
        };
        assert_eq!([admitted(false), admitted(true), admitted(false), admitted(false)], [600, 0, 400, 0]);
        assert_eq!(sink.counts(), LogCounts { passed: MOST_LINES, dropped: 100 + 300 + 700, withheld: 700 });
    }

    #[test]
    fn a_sink_that_withholds_gets_nothing() {
        let sink = LogSink::withheld();
        let mut log = Log::new(sink.clone(), 2);
        log.start_call();
        assert!(!log.admit());
        assert_eq!(sink.counts(), LogCounts { passed: 0, dropped: 0, withheld: 1 });
        assert_eq!(log.words("4111 1111"), Words::Withheld);
    }
}
