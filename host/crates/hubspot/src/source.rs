//! Sources: where streams come from.
//!
//! A source offers streams, knows the schema of each, and reads them from beginning to end, by one reader or by several
//! ([`Reading`]), as Arrow batches into bounded channels: when a channel is full its reader waits, so memory does not grow
//! with the portal.
//! It reads the columns it is asked for and no others; what a plan does not need is never requested.
//!
//! What a full read promises: every record that exists from the first page to the last is delivered at least once. A record
//! made, changed or deleted meanwhile may or may not be seen; the next run sees it.
//! A source knows nothing of transforms, tables or buckets.

pub mod hubspot;
mod price;
mod reading;
pub mod recorded;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_model::{
    schema::{Field, Schema},
    stream::StreamInfo,
};

pub use self::price::{Day, Price, Quota};
pub use self::reading::{Covers, DeliverySender, Readers, Reading, Slice};

/// Something that offers streams.
#[async_trait]
pub trait Source: Send + Sync {
    /// The streams it offers, in a stable order. One that is offered may still turn out not to be readable.
    async fn streams(&self) -> Result<Vec<StreamInfo>, SourceError>;

    /// The schema of a stream. Fields carry the marks that the source knows of.
    ///
    /// # Errors
    /// [`SourceError::NotReadable`] where this identity may not read the stream, or the account has no such thing.
    async fn schema(&self, stream: &StreamInfo) -> Result<Schema, SourceError>;

    /// How many rows a stream has now, as the service counts them: against this, what was read is held. `None` where they are
    /// not counted, or no answer came within about a minute, which is never a reason to fail. Each call asks anew.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the question.
    async fn count(&self, stream: &StreamInfo) -> Option<u64>;

    /// Whether the service counts streams of this kind at all, if perhaps not this one.
    fn is_counted(&self, stream: &StreamInfo) -> bool;

    /// How many rows a stream has, about: asked for once, and good enough to compare streams by.
    async fn size(&self, stream: &StreamInfo) -> Option<u64>;

    /// What reading a stream will cost; `None` where that cannot be known, which is never a reason to fail. `ids_are_kept`:
    /// whether the records of every object type that it [`needs`](Self::needs) are read before it, so that nobody has to list
    /// their ids.
    async fn price(&self, request: &ReadRequest, ids_are_kept: bool) -> Option<Price>;

    /// What may be asked of the service; `None` where nobody asks any. Never a reason to fail.
    async fn quota(&self) -> Option<Quota>;

    /// Which account of the service this is; `None` where it does not tell. Never a reason to fail.
    async fn account(&self) -> Option<String>;

    /// What this identity may do beyond reading these streams, the gravest first; `None` where the service does not tell. Never
    /// a reason to fail.
    async fn unneeded(&self, _: &[&StreamInfo]) -> Option<Vec<Unneeded>> {
        None
    }

    /// The object types whose records' ids a stream is asked with: the edges of the graph of streams. Where a run reads those
    /// records too, it reads them before, and lets the source keep the ids ([`ReadRequest::keeps_ids`]), so that none is
    /// listed twice.
    fn needs(&self, stream: &StreamInfo) -> Vec<String>;

    /// Tries whether a stream may be read, with the columns that are wanted: asks for its first record, and forgets it.
    async fn try_read(&self, request: &ReadRequest) -> Result<(), SourceError>;

    /// Begins to read a stream. Nothing is asked for yet.
    fn open(&self, request: ReadRequest) -> Arc<dyn Reading>;

    /// What reading has cost so far.
    fn usage(&self) -> Usage;
}

/// What to read.
#[derive(Debug, Clone)]
pub struct ReadRequest {
    /// The stream.
    pub stream: StreamInfo,
    /// The columns of its schema that are wanted, in the order in which the batches are to have them.
    pub columns: Vec<Field>,
    /// When the run began: the value of `ingestedAt`.
    pub ingested_at: Timestamp,
    /// How many readers it may have.
    pub readers: Readers,
    /// Whether the source keeps the ids of its records, since another stream is asked with them.
    pub keeps_ids: bool,
    /// Whether it is read in slices that are worth keeping, should the run not come to its end, and which of these earlier runs
    /// have kept. Only a stream that is asked for by the ids of records can be; another ignores it.
    pub resumes: Option<Vec<Covers>>,
    /// Where the source counts the rows as their pages come in.
    pub seen: RowsSeen,
}

/// How many rows of a stream have come in so far, page by page, long before their batch is full: for the eyes of people.
/// Clones are one counter; the default is one that nobody looks at.
#[derive(Debug, Clone, Default)]
pub struct RowsSeen(Arc<AtomicU64>);

impl RowsSeen {
    /// Counts the rows of a page.
    pub fn add(&self, rows: usize) {
        self.0.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Begins to count anew.
    pub fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Rows so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What there is to say of a stream that has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Read {
    /// For a stream that is made of the lists of several others (of the properties of all object types, say): what it has
    /// rows of, by object type ids.
    pub present: Vec<String>,
    /// What such a stream has no rows of, since the service says that it is not there or not to be seen.
    pub lacking: Vec<Lacking>,
    /// Properties that the service has given for some records, and that it does not know any more: their columns end in the
    /// middle.
    pub cut: Vec<String>,
    /// Properties that it has given for no record.
    pub unnamed: Vec<String>,
    /// Parts that were deleted while they were read, by their ids: lists, whose members may be missing.
    pub deleted: Vec<String>,
    /// The slices of earlier runs ([`ReadRequest::resumes`], by their places there) that stand for the records they cover: these
    /// were not read again. Any other is worth nothing.
    pub taken_over: Vec<usize>,
    /// What the service has of the stream and does not give.
    pub beyond: Beyond,
    /// Why one reader read it, where several were allowed and the service does not let a stream be divided.
    pub undivided: Option<&'static str>,
}

/// What the service has of a stream and does not give, as far as that shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beyond {
    /// Histories of one property of one record of which as many versions came as the service ever gives: there may be older
    /// ones.
    pub capped: u64,
    /// Versions whose time cannot be read: without one they have no place among the others.
    pub untimed: u64,
    /// Values of which no column was asked for, since no definition names their property.
    pub undefined: u64,
}

impl Beyond {
    /// Adds what is said of other rows of the stream.
    pub fn add(&mut self, more: Self) {
        self.capped += more.capped;
        self.untimed += more.untimed;
        self.undefined += more.undefined;
    }
}

/// A part that a stream has no rows of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// Its object type id; `None` for all custom types, where they are not told.
    pub part: Option<String>,
    /// Its name.
    pub name: String,
    /// Why.
    pub why: Unreadable,
}

impl Read {
    /// What it is made of that was there before and is not now, although nobody has removed it: the names of those parts.
    pub fn lost(&self, before: &[String]) -> Vec<String> {
        let is_lost = |lacking: &&Lacking| match &lacking.part {
            Some(part) => before.contains(part),
            None => before.iter().any(|before| before.starts_with(CUSTOM_TYPE)),
        };
        self.lacking.iter().filter(is_lost).map(|lacking| lacking.name.clone()).collect()
    }
}

/// What the object type id of a custom type begins with.
const CUSTOM_TYPE: &str = "2-";

/// Why something cannot be read, as the service says itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// The account has no such thing.
    Absent,
    /// This identity may not see it.
    Forbidden,
}

/// Something that an identity may do and need not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unneeded {
    /// How grave that is.
    pub reach: Reach,
    /// What the service calls the permission.
    pub scope: String,
}

/// What a permission reaches, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// It lets things be changed, which no run does.
    Writes,
    /// It lets sensitive values be read.
    Sensitive,
    /// Anything else.
    Other,
}

/// What reading has cost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Requests sent, retries included.
    pub requests: u64,
    /// Requests that were sent again.
    pub retries: u64,
    /// Answers that said the limit was passed.
    pub rate_limited: u64,
    /// Bytes of answers, after decompression.
    pub bytes: u64,
    /// Seconds by the clock in which at least one request waited for the limit.
    pub limit_wait_seconds: f64,
    /// Seconds by the clock in which at least one request waited before it was sent again.
    pub retry_wait_seconds: f64,
    /// Seconds in which the service has answered no request as it should, while that lasts.
    pub trouble_seconds: Option<f64>,
    /// The share (0 to 1) of the requests that the service would have allowed so far.
    pub budget_share: f64,
}

/// Why a source cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// What the pipeline file says of which records are read is not so.
    #[error("{what}")]
    NoSuch {
        /// What is not so.
        what: String,
        /// What would mend it.
        hint: Option<String>,
    },
    /// The account has no such stream, or this identity may not read it.
    #[error("stream `{stream}` cannot be read: {reason}")]
    NotReadable {
        /// The stream.
        stream: String,
        /// Which of the two.
        why: Unreadable,
        /// What the service says, in one line.
        reason: String,
        /// What would mend it.
        hint: Option<String>,
    },
    /// The service did not answer as it should.
    #[error("the {what} could not be read")]
    Http {
        /// What was being read.
        what: String,
        /// What happened.
        #[source]
        cause: crate::http::HttpError,
    },
    /// The service does not know the token, or does not take it any more.
    #[error("HubSpot rejected the access token ({status})")]
    TokenRejected {
        /// The status of the answer.
        status: u16,
        /// What happened.
        #[source]
        cause: crate::http::HttpError,
    },
    /// The service says that the account lacks what every account has.
    #[error("HubSpot says that the account has no {what}, which every account has")]
    Missing {
        /// What.
        what: String,
        /// What happened.
        #[source]
        cause: crate::http::HttpError,
    },
    /// Pages are followed by pages without an end.
    #[error("the {what} do not end: {why}")]
    Endless {
        /// What was being read.
        what: String,
        /// What shows it.
        why: &'static str,
    },
    /// Records were listed, and their values not given, however often they were asked for.
    #[error("the {what} are not complete: of {listed} records that are listed together, {missing} were not given")]
    Incomplete {
        /// What was being read.
        what: String,
        /// Records whose values were asked for.
        listed: usize,
        /// Those of them that neither came nor were said to be gone.
        missing: usize,
    },
    /// Several readers have read a stream, and what came shows that it cannot be divided. One reader can read it.
    #[error("stream `{stream}` cannot be divided among readers: {why}")]
    OutOfOrder {
        /// The stream.
        stream: String,
        /// What shows it.
        why: &'static str,
    },
    /// A batch could not be built; a mistake in sluice.
    #[error("a batch of stream `{stream}` could not be built")]
    Batch {
        /// The stream.
        stream: String,
        /// What Arrow says.
        #[source]
        cause: arrow_schema::ArrowError,
    },
}
