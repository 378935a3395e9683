//! What the host keeps beside each instance, and nothing a guest can reach but through `log`.

use super::{
    limits::{Limiter, Limits},
    log::{Log, LogSink},
};

/// The host's side of one instance.
#[derive(Debug)]
pub(super) struct State {
    pub(super) limiter: Limiter,
    pub(super) log: Log,
}

impl State {
    pub(super) fn new(limits: &Limits, sink: LogSink) -> Self {
        Self { limiter: Limiter::new(limits), log: Log::new(sink, limits.log_lines) }
    }
}
