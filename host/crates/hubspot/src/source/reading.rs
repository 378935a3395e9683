//! A stream that is being read, by one reader or by several.
//!
//! Who reads asks for slices, as many as there are readers for, and reads each to its end. Where a stream may be divided is
//! the source's business, and may become known, or change, while it is read.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sluice_model::delivery::Delivery;
use tokio::sync::mpsc;

use super::{Beyond, Read, SourceError};

/// Where a source puts its rows. Bounded; closed when nobody wants more.
pub type DeliverySender = mpsc::Sender<Delivery>;

/// How many readers a stream may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// One, whatever the source could do.
    One,
    /// As many as ask, where the source can divide it.
    Several,
}

/// A stream that is being read, by one reader or several, each with a slice of it.
///
/// When all slices that were handed out have been read to their ends, without an error, and nothing is [worth](Self::worth) a
/// reader any more, each record of the stream has been delivered: to one of them, and once.
#[async_trait]
pub trait Reading: Send + Sync {
    /// A slice for one more reader: the whole stream for the first; then a part of what is left of another's slice, if that
    /// is known and worth a reader. Never waits.
    fn slice(&self) -> Option<Slice>;

    /// About how many records a further slice would take over: to choose among streams. 0: there is none now;
    /// [`u64::MAX`]: nobody has begun.
    fn worth(&self) -> u64;

    /// Ends as soon as [`slice`](Self::slice) gives one: at once, if it does now; never, if it never will. Cancel safe.
    async fn changed(&self);

    /// Reads a slice to its end. That may come soon and without a row, where another reader has come to its beginning
    /// before: there may be another one then. Ends early, without an error, when the channel is closed.
    ///
    /// # Errors
    /// [`SourceError::OutOfOrder`] where it turns out, from this slice or another, that the stream cannot be divided: what
    /// has been delivered, from all slices, is worth nothing, and the stream has to be opened anew for one reader.
    async fn read(&self, slice: Slice, deliveries: DeliverySender) -> Result<(), SourceError>;

    /// What a slice covers that has been read to its end, where such a slice is worth keeping
    /// ([`ReadRequest::resumes`](super::ReadRequest::resumes)); `slice`: its [`number`](Slice::number).
    fn covers(&self, _slice: u64) -> Option<Covers> {
        None
    }

    /// What there is to say, now that all slices have been read to their ends; nothing, where one was not, since nobody
    /// wanted more.
    async fn finish(&self) -> Result<Read, SourceError>;
}

/// Which records a slice covers: those whose ids lie between two, in the order in which a stream asks for them. Whether another
/// run would ask for the same ones shows by their number and their digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Covers {
    /// The id of the first.
    pub first: String,
    /// The id of the last.
    pub last: String,
    /// How many there are.
    pub records: u64,
    /// The digest of their ids.
    pub digest: String,
    /// What the service has of them and does not give: nothing that tells slices apart.
    pub beyond: Beyond,
}

/// A part of a stream, for one reader. Dropped unread, it may be handed out again.
pub struct Slice {
    begins: u64,
    give_back: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl Slice {
    /// A slice by what its source knows it by.
    pub(super) fn new(begins: u64, give_back: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self { begins, give_back: Some(Box::new(give_back)) }
    }

    /// What its source knows it by.
    pub(super) fn begins(&self) -> u64 {
        self.begins
    }

    /// What tells it from the other slices of its stream.
    pub fn number(&self) -> u64 {
        self.begins
    }

    /// It is being read: nobody else gets it any more.
    pub(super) fn keep(mut self) {
        self.give_back = None;
    }
}

impl Drop for Slice {
    fn drop(&mut self) {
        if let Some(give_back) = self.give_back.take() {
            give_back();
        }
    }
}

impl fmt::Debug for Slice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Slice").field("begins", &self.begins).finish_non_exhaustive()
    }
}
