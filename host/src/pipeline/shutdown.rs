//! How a run is told to stop.
//!
//! A first interrupt asks it to drain: no further page is asked for, unfinished files are taken back, the lease is released,
//! nothing is committed. A second is not waited for by anybody: the process ends at once, and what it leaves is unlisted.

use std::sync::Arc;

use tokio::sync::watch;

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
}
