//! How a run is told to stop.
//!
//! A first interrupt asks it to drain: no further page is asked for, unfinished files are taken back, the lease is released,
//! nothing is committed. A second is not waited for by anybody: the process ends at once, and what it leaves is unlisted.
//! Calls into plugins end by themselves when the switch is off (`Engine::stopping_when`).
//!
//! Draining waits for nobody long: a bucket that does not answer has [`DRAINING`], and what it has not taken back by then is
//! swept by a later run.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time};

/// How long each thing that a run has begun may take to end once everything is told to stop. Where everybody answers, all of
/// it takes a moment; whoever starts such programs mostly waits for half a minute before it kills them.
const DRAINING: Duration = Duration::from_secs(5);

/// A switch that only goes one way. Clones are the same switch.
#[derive(Debug, Clone)]
pub struct Shutdown(Arc<watch::Sender<bool>>);

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    /// A switch that is off.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Tells everything to stop.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Whether everything was told to stop.
    pub fn is_stopping(&self) -> bool {
        *self.0.borrow()
    }

    /// Ends when everything is told to stop. Cancel safe.
    pub async fn stopping(&self) {
        // The sender lives in `self`, so this ends only with the switch.
        drop(self.0.subscribe().wait_for(|stopping| *stopping).await);
    }

    /// Lets something come to its end that ought to, whoever tells everything to stop; but not for long after that. `None`
    /// if it was given up.
    pub(super) async fn drained<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.drained_at_last() => None,
        }
    }

    async fn drained_at_last(&self) {
        self.stopping().await;
        time::sleep(DRAINING).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_ought_to_end_is_waited_for_as_long_as_nothing_stops() {
        let shutdown = Shutdown::new();
        assert_eq!(shutdown.drained(time::sleep(DRAINING * 100)).await, Some(()));
        shutdown.stop();
        assert_eq!(shutdown.drained(time::sleep(DRAINING / 2)).await, Some(()));
        let began = time::Instant::now();
        assert_eq!(shutdown.drained(std::future::pending::<()>()).await, None);
        assert!(began.elapsed() < DRAINING * 2, "{:?}", began.elapsed());
    }
}
