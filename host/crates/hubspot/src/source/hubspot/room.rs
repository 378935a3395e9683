//! How much of definitions one run holds.
//!
//! Lists of definitions are kept, so that nothing is asked twice, and an account has hundreds of them: each answer may be
//! small enough, and all together more than a machine has. A few bytes that are sent compressed can be millions.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::http::Undecodable;

/// Bytes that all definitions of a run may take, as text and as what they are read into: half as much again as fifty thousand
/// properties take, each with a list of twenty options.
const MOST: usize = 256 << 20;

/// What is left of it. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Room(Arc<AtomicUsize>);

impl Default for Room {
    fn default() -> Self {
        Self::of(MOST)
    }
}

impl Room {
    /// Room for so many bytes.
    pub(super) fn of(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    /// Takes so many bytes of it.
    ///
    /// # Errors
    /// There are not so many left.
    pub(super) fn take(&self, bytes: usize) -> Result<(), Undecodable> {
        let taken = self.0.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        taken.map(drop).map_err(|_| Undecodable::Excess {
            what: format!("with it, all definitions of the account would take more than {} MiB", MOST >> 20),
        })
    }
}
