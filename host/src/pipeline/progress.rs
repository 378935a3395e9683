//! What is told of a run while it goes on: counters that the stages add to and the display reads.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU8, AtomicU64, Ordering},
};

use sluice_hubspot::source::RowsSeen;

/// The progress of all streams; of none, before the plan is made.
#[derive(Debug, Default)]
pub struct Progress {
    streams: OnceLock<Vec<Arc<StreamProgress>>>,
}

/// The progress of one stream. Counters are only added to; read apart, they may be a batch apart.
#[derive(Debug, Default)]
pub struct StreamProgress {
    /// The stream's name.
    pub name: String,
    state: AtomicU8,
    total: OnceLock<u64>,
    seen: RowsSeen,
    rows_out: AtomicU64,
}

/// How far a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamState {
    /// It has not begun.
    Waiting,
    /// It is being read.
    Reading,
    /// Its files are complete.
    Done,
}

impl Progress {
    /// All streams, in the order of the plan.
    pub fn streams(&self) -> &[Arc<StreamProgress>] {
        self.streams.get().map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn begin(&self, names: impl Iterator<Item = String>) {
        self.streams.get_or_init(|| {
            let stream = |name| StreamProgress { name, ..StreamProgress::default() };
            names.map(|name| Arc::new(stream(name))).collect()
        });
    }

    pub(super) fn stream(&self, index: usize) -> Arc<StreamProgress> {
        Arc::clone(&self.streams()[index])
    }
}

impl StreamProgress {
    /// How far it is.
    pub fn state(&self) -> StreamState {
        match self.state.load(Ordering::Relaxed) {
            0 => StreamState::Waiting,
            1 => StreamState::Reading,
            _ => StreamState::Done,
        }
    }

    /// How many records it held when it began, where that is known.
    pub fn total(&self) -> Option<u64> {
        self.total.get().copied()
    }

    /// Rows that have come in, counted with each page.
    pub fn rows_in(&self) -> u64 {
        self.seen.get()
    }

    /// Rows written.
    pub fn rows_out(&self) -> u64 {
        self.rows_out.load(Ordering::Relaxed)
    }

    /// The stream is read from its beginning, perhaps once more.
    pub(crate) fn begin(&self) {
        self.seen.reset();
        self.rows_out.store(0, Ordering::Relaxed);
        self.state.store(1, Ordering::Relaxed);
    }

    pub(crate) fn expect(&self, total: u64) {
        self.total.get_or_init(|| total);
    }

    /// What its source counts rows with.
    pub(crate) fn seen(&self) -> &RowsSeen {
        &self.seen
    }

    pub(crate) fn wrote(&self, rows: u64) {
        self.rows_out.fetch_add(rows, Ordering::Relaxed);
    }

    pub(crate) fn done(&self) {
        self.state.store(2, Ordering::Relaxed);
    }
}
