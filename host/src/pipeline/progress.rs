//! What is told of a run while it goes on: counters that the stages add to and the display reads.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU8, AtomicU64, Ordering},
};

/// The progress of all streams; of none, before the plan is made.
#[derive(Debug, Default)]
pub struct Progress {
    unwatched: bool,
    streams: OnceLock<Vec<Arc<StreamProgress>>>,
}

/// The progress of one stream. Counters are only added to; read apart, they may be a batch apart.
#[derive(Debug)]
pub struct StreamProgress {
    /// The stream's name.
    pub name: String,
    state: AtomicU8,
    total: AtomicU64,
    rows_in: AtomicU64,
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
    /// The progress of a run that nobody is told of. Nothing is asked of the source for its sake.
    pub fn unwatched() -> Self {
        Self { unwatched: true, ..Self::default() }
    }

    pub(super) fn is_watched(&self) -> bool {
        !self.unwatched
    }

    /// All streams, in the order of the plan.
    pub fn streams(&self) -> &[Arc<StreamProgress>] {
        self.streams.get().map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn begin(&self, names: impl Iterator<Item = String>) {
        self.streams.get_or_init(|| {
            let stream = |name| StreamProgress {
                name,
                state: AtomicU8::new(0),
                total: AtomicU64::new(0),
                rows_in: AtomicU64::new(0),
                rows_out: AtomicU64::new(0),
            };
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
        Some(self.total.load(Ordering::Relaxed)).filter(|total| *total > 0)
    }

    /// Rows read.
    pub fn rows_in(&self) -> u64 {
        self.rows_in.load(Ordering::Relaxed)
    }

    /// Rows written.
    pub fn rows_out(&self) -> u64 {
        self.rows_out.load(Ordering::Relaxed)
    }

    /// The stream is read from its beginning, perhaps once more.
    pub(super) fn begin(&self) {
        self.rows_in.store(0, Ordering::Relaxed);
        self.rows_out.store(0, Ordering::Relaxed);
        self.state.store(1, Ordering::Relaxed);
    }

    pub(super) fn expect(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
    }

    pub(super) fn add(&self, rows_in: u64, rows_out: u64) {
        self.rows_in.fetch_add(rows_in, Ordering::Relaxed);
        self.rows_out.fetch_add(rows_out, Ordering::Relaxed);
    }

    pub(super) fn done(&self) {
        self.state.store(2, Ordering::Relaxed);
    }
}
