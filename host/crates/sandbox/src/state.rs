//! What the host keeps beside each instance, and nothing a guest can reach but through `log`.

use sluice_model::limits::Limits;

use super::{
    limits::{Deadline, Limiter},
    log::{Log, LogSink},
    memory::Share,
    stop::Stop,
};

/// The host's side of one instance.
#[derive(Debug)]
pub(super) struct State {
    pub(super) limiter: Limiter,
    pub(super) log: Log,
    pub(super) deadline: Deadline,
}

impl State {
    pub(super) fn new(limits: &Limits, share: Share, sink: LogSink, stop: &Stop) -> Self {
        Self {
            limiter: Limiter::new(limits, share),
            log: Log::new(sink, limits.log_lines),
            deadline: Deadline::new(stop.clone()),
        }
    }
}
