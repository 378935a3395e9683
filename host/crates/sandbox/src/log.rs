//! The log of an instance: where its lines go, how many, and whether any of its [`Words`] may go anywhere at all.
//!
//! Whether to withhold is for the caller to know; it is set when an instance is made and never changes. What is withheld is
//! counted.
//!
//! *Lines are few.* A call may write so many, and all instances that share a sink so many together ([`MOST_LINES`]): a batch
//! is one of thousands, and what each of them may say nobody reads. Past that there is silence, and a count. Each level has
//! its own, so that no chatter uses up the warnings.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::words::{self, Words};

type WriteLine = dyn Fn(LogLevel, &str) + Send + Sync;

/// The lines of a level that a sink passes on, of all instances that share it: far more than people read of one transform in
/// one run.
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
    /// By level.
    passed: [AtomicU64; 3],
    dropped: AtomicU64,
    withheld: AtomicU64,
}

impl Tally {
    /// Takes one of the lines of a level that may pass; whether there was one.
    fn pass(&self, level: LogLevel) -> bool {
        let one_more = |passed: u64| (passed < MOST_LINES).then_some(passed + 1);
        self.passed[level as usize].fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
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
        LogCounts { passed: passed.iter().map(of).sum(), dropped: of(dropped), withheld: of(withheld) }
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

    /// Whether anything is to be read of one more line: if not, it is counted, and that is all.
    pub(super) fn admit(&mut self) -> bool {
        if self.sink.withhold {
            self.sink.tally.withheld.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        let Some(left) = self.lines_left.checked_sub(1) else {
            self.sink.tally.drop_one();
            return false;
        };
        self.lines_left = left;
        true
    }

    /// Whether a line that was admitted is to be passed on, by its level: if not, it is counted.
    pub(super) fn admit_at(&self, level: LogLevel) -> bool {
        let is_admitted = self.sink.tally.pass(level);
        if !is_admitted {
            self.sink.tally.drop_one();
        }
        is_admitted
    }

    /// Passes on a line.
    pub(super) fn pass(&self, level: LogLevel, message: &str) {
        (self.sink.write)(level, &words::line(message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes so many lines in one call; how many passed.
    fn write(log: &mut Log, level: LogLevel, lines: usize) -> usize {
        log.start_call();
        (0..lines).filter(|_| log.admit() && log.admit_at(level)).count()
    }

    #[test]
    fn lines_past_the_limit_of_a_call_are_counted() {
        let sink = LogSink::new(|_, _| {}, false);
        let mut log = Log::new(sink.clone(), 2);
        assert_eq!((write(&mut log, LogLevel::Info, 3), write(&mut log, LogLevel::Info, 1)), (2, 1));
        assert_eq!(sink.counts(), LogCounts { passed: 3, dropped: 1, withheld: 0 });
        assert_eq!(log.words("a\nb"), Words::Said("a\\nb".to_owned()));
    }

    #[test]
    fn all_that_share_a_sink_share_its_lines_of_each_level() {
        let sink = LogSink::new(|_, _| {}, false);
        let passed = |level| write(&mut Log::new(sink.clone(), 600), level, 700);
        assert_eq!([passed(LogLevel::Info), passed(LogLevel::Info), passed(LogLevel::Info)], [600, 400, 0]);
        assert_eq!(passed(LogLevel::Warn), 600, "chatter uses up no warnings");
        assert_eq!(write(&mut Log::new(sink.withholding(), 600), LogLevel::Warn, 700), 0);
        assert_eq!(sink.counts(), LogCounts { passed: 1_600, dropped: 100 + 300 + 700 + 100, withheld: 700 });
    }

    #[test]
    fn a_sink_that_withholds_gets_nothing() {
        let sink = LogSink::withheld();
        let mut log = Log::new(sink.clone(), 2);
        assert_eq!(write(&mut log, LogLevel::Warn, 1), 0);
        assert_eq!(sink.counts(), LogCounts { passed: 0, dropped: 0, withheld: 1 });
        assert_eq!(log.words("4111 1111"), Words::Withheld);
    }
}
