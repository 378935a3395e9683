//! What the host keeps beside each instance, and nothing a guest can reach but through `log`.

use sluice_model::limits::Limits;

use super::{
    limits::Limiter,
    log::{Log, LogSink},
    memory::Share,
};

/// The host's side of one instance.
#[derive(Debug)]
pub(super) struct State {
    pub(super) limiter: Limiter,
    pub(super) log: Log,
}

impl State {
    pub(super) fn new(limits: &Limits, share: Share, sink: LogSink) -> Self {
        Self { limiter: Limiter::new(limits, share), log: Log::new(sink, limits.log_lines) }
    }
}
