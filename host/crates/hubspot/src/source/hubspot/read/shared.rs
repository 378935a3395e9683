//! What the readers of one list share: its slices, under a lock, and a signal when there may be one more.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::source::{Slice, hubspot::slices::Slices};

/// The slices of a list. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct SharedSlices(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Locked for the time that a page takes to be judged, never while anything is awaited.
    slices: Mutex<Slices>,
    /// Whether there is a slice to be had.
    more: watch::Sender<bool>,
}

impl SharedSlices {
    pub(super) fn new(slices: Slices) -> Self {
        let more = watch::Sender::new(slices.worth() > 0);
        Self(Arc::new(Shared { slices: Mutex::new(slices), more }))
    }

    /// Looks at the slices, or changes them.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut Slices) -> T) -> T {
        // Whoever panicked with it has ended the reading.
        let mut slices = self.0.slices.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = change(&mut slices);
        let more = slices.worth() > 0;
        self.0.more.send_if_modified(|known| std::mem::replace(known, more) != more);
        outcome
    }

    /// One for another reader, if there is one.
    pub(super) fn slice(&self) -> Option<Slice> {
        let begins = self.with(Slices::hand_out)?;
        let slices = self.clone();
        Some(Slice::new(begins, move || slices.with(|slices| slices.give_back(begins))))
    }

    /// Ends as soon as there is one.
    pub(super) async fn more(&self) {
        // It never closes: the sender is here.
        drop(self.0.more.subscribe().wait_for(|more| *more).await);
    }
}
