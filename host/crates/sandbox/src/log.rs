//! The log of an instance: where its lines go, how many, and whether any of its [`Words`] may go anywhere at all.
//!
//! Whether to withhold is for the caller to know; it is set when an instance is made and never changes. What is withheld is
//! counted.

use std::{fmt, sync::Arc};

use super::words::{self, Words};

type WriteLine = dyn Fn(LogLevel, &str) + Send + Sync;

/// Where an instance's log lines go, and whether its words may go anywhere at all.
#[derive(Clone)]
pub struct LogSink {
    write: Arc<WriteLine>,
    withhold: bool,
}

impl LogSink {
    /// A sink that calls `write` for every line, on the thread that runs the plugin.
    ///
    /// `withhold`: the plugin reads a marked column or attachment, so `write` is never called, and the messages of its
    /// failures and rejections are withheld too. What is withheld is counted.
    pub fn new(write: impl Fn(LogLevel, &str) + Send + Sync + 'static, withhold: bool) -> Self {
        Self { write: Arc::new(write), withhold }
    }

    /// The same sink, and nothing reaches it.
    #[must_use]
    pub(super) fn withholding(&self) -> Self {
        Self { write: Arc::clone(&self.write), withhold: true }
    }

    /// A sink that nothing reaches.
    pub fn withheld() -> Self {
        Self::new(|_, _| {}, true)
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

/// What became of the log lines of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogCounts {
    /// Lines passed on.
    pub passed: u64,
    /// Lines dropped since a call wrote too many.
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
    counts: LogCounts,
}

impl Log {
    pub(super) fn new(sink: LogSink, lines_for_each_call: u64) -> Self {
        Self { sink, lines_for_each_call, lines_left: 0, counts: LogCounts::default() }
    }

    pub(super) fn start_call(&mut self) {
        self.lines_left = self.lines_for_each_call;
    }

    pub(super) fn counts(&self) -> LogCounts {
        self.counts
    }

    /// What may be shown of a text of the plugin.
    pub(super) fn words(&self, text: &str) -> Words {
        Words::of(text, self.sink.withhold)
    }

    /// Counts a line; whether it is to be read.
    pub(super) fn admit(&mut self) -> bool {
        if self.sink.withhold {
            self.counts.withheld += 1;
            return false;
        }
        let admitted = self.lines_left > 0;
        if admitted {
            self.lines_left -= 1;
            self.counts.passed += 1;
        } else {
            self.counts.dropped += 1;
        }
        admitted
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
        let mut log = Log::new(LogSink::new(|_, _| {}, false), 2);
        log.start_call();
        assert_eq!([(); 3].map(|()| log.admit()), [true, true, false]);
        log.start_call();
        assert!(log.admit());
        assert_eq!(log.counts(), LogCounts { passed: 3, dropped: 1, withheld: 0 });
        assert_eq!(log.words("a\nb"), Words::Said("a\\nb".to_owned()));
    }

    #[test]
    fn a_sink_that_withholds_gets_nothing() {
        let mut log = Log::new(LogSink::withheld(), 2);
        log.start_call();
        assert!(!log.admit());
        assert_eq!(log.counts(), LogCounts { passed: 0, dropped: 0, withheld: 1 });
        assert_eq!(log.words("4111 1111"), Words::Withheld);
    }
}
