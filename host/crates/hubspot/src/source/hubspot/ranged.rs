//! The reading of a stream whose units are known before the first is read ([`super::ranges`]): the ids of the records that
//! are asked for their links, the lists whose members are asked for.
//!
//! Where it is read in slices that are worth keeping, each slice is told by what it covers ([`kept`]), and what earlier runs
//! have kept is not read again.
//!
//! What a unit is, and how some of them are read, a kind says by [`Units`]; all else that a [`Reading`] must do is here.

mod kept;

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use tokio::sync::watch;

use self::kept::Kept;
use super::{ids::Ids, ranges::Ranges};
use crate::source::{Beyond, Covers, DeliverySender, Read, Readers, Reading, Slice, SourceError};

/// Requests that are worth a reader of their own, and a file.
const SMALLEST_REQUESTS: u64 = 10;

/// Records that one request lists: streams are compared by what is left of them in records.
const RECORDS_A_PAGE: u64 = 100;

/// A stream that is read unit by unit.
#[async_trait]
pub(super) trait Units: Send + Sync + 'static {
    /// Finds out which units there are. It is asked before any is read.
    async fn count(&self) -> Result<Counted, SourceError>;

    /// Reads units, taking some after some until there are none left; says what there is of them that is not given. Ends
    /// early, without an error, when nobody wants the rows any more.
    async fn read(&self, take: &Take, deliveries: &DeliverySender) -> Result<Beyond, SourceError>;

    /// The ids that its units are, in their order, once they are counted; nothing of units that are no ids. Only a stream of
    /// ids is read in slices that are worth keeping.
    fn ids(&self) -> Option<Arc<Ids>> {
        None
    }

    /// What there is to say of the stream, once it has been read.
    async fn remarks(&self) -> Result<Read, SourceError> {
        Ok(Read::default())
    }
}

/// How many units there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) units: u64,
    /// How many of them a request reads, about.
    pub(super) a_request: u64,
}

/// A stream that is being read unit by unit.
pub(super) struct Ranged<U> {
    units: U,
    shared: Arc<Shared>,
    /// The slices that earlier runs have kept; `None`: none are kept of this one.
    resumes: Option<Vec<Covers>>,
    /// Those of them that hold, once the ids are known.
    taken_over: OnceLock<Vec<usize>>,
    /// What is not given of the units of each lane that has been read.
    beyond: Mutex<BTreeMap<usize, Beyond>>,
}

#[derive(Debug)]
struct Shared {
    /// Locked for a moment, never while anything is awaited.
    ranges: Mutex<Ranges>,
    /// How many units a request reads; 0 as long as nobody knows.
    a_request: AtomicU64,
    /// Whether there is a lane to be had.
    more: watch::Sender<bool>,
}

impl Shared {
    fn with<T>(&self, change: impl FnOnce(&mut Ranges) -> T) -> T {
        // Whoever panicked with it has ended the reading.
        let mut ranges = self.ranges.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = change(&mut ranges);
        let more = ranges.worth() > 0;
        self.more.send_if_modified(|known| std::mem::replace(known, more) != more);
        outcome
    }
}

/// Where a reader takes its units from.
#[derive(Debug)]
pub(super) struct Take {
    shared: Arc<Shared>,
    lane: usize,
}

impl Take {
    /// The next units, as many as `most`, by their numbers; none when there are none left for this reader.
    pub(super) fn some(&self, most: u64) -> Range<u64> {
        self.shared.with(|ranges| ranges.take(self.lane, most))
    }
}

impl<U: Units> Ranged<U> {
    /// Prepares to read. Nothing is asked for yet.
    pub(super) fn new(units: U, readers: Readers) -> Self {
        Self::resuming(units, readers, None)
    }

    /// The same, in slices that are worth keeping, if `resumes` says which there are already.
    pub(super) fn resuming(units: U, readers: Readers, resumes: Option<Vec<Covers>>) -> Self {
        let ranges = Mutex::new(Ranges::new(readers == Readers::Several));
        Self {
            units,
            shared: Arc::new(Shared { ranges, a_request: AtomicU64::new(0), more: watch::Sender::new(true) }),
            resumes,
            taken_over: OnceLock::new(),
            beyond: Mutex::default(),
        }
    }

    /// Finds out which units there are, and which of them are left to be read.
    async fn count(&self) -> Result<(), SourceError> {
        let Counted { units, a_request } = self.units.count().await?;
        self.shared.a_request.store(a_request, Ordering::Relaxed);
        match (&self.resumes, self.units.ids()) {
            (Some(before), Some(ids)) => {
                let Kept { places, ranges: done } = kept::that_hold(before, &ids);
                let each = kept::records_of_a_slice(units, a_request, SMALLEST_REQUESTS);
                self.taken_over.set(places).ok();
                self.shared.with(|ranges| ranges.cut(units, &done, each));
            }
            _ => self.shared.with(|ranges| ranges.count(units, SMALLEST_REQUESTS * a_request)),
        }
        Ok(())
    }
}

#[async_trait]
impl<U: Units> Reading for Ranged<U> {
    fn slice(&self) -> Option<Slice> {
        let lane = self.shared.with(Ranges::hand_out)?;
        let shared = Arc::clone(&self.shared);
        Some(Slice::new(lane as u64, move || shared.with(|ranges| ranges.give_back(lane))))
    }

    fn worth(&self) -> u64 {
        match self.shared.with(|ranges| ranges.worth()) {
            u64::MAX => u64::MAX,
            0 => 0,
            units => units.saturating_mul(RECORDS_A_PAGE) / self.shared.a_request.load(Ordering::Relaxed).max(1),
        }
    }

    async fn changed(&self) {
        // It never closes: the sender is here.
        drop(self.shared.more.subscribe().wait_for(|more| *more).await);
    }

    async fn read(&self, slice: Slice, deliveries: DeliverySender) -> Result<(), SourceError> {
        let lane = usize::try_from(slice.begins()).unwrap_or_default();
        if lane == 0 {
            self.count().await?;
        }
        slice.keep();
        let beyond = self.units.read(&Take { shared: Arc::clone(&self.shared), lane }, &deliveries).await?;
        self.beyond.lock().unwrap_or_else(PoisonError::into_inner).insert(lane, beyond);
        // Where nobody wants more, what was taken last may not have been delivered.
        if !deliveries.is_closed() {
            self.shared.with(|ranges| ranges.finish(lane));
        }
        Ok(())
    }

    fn covers(&self, slice: u64) -> Option<Covers> {
        let lane = usize::try_from(slice).ok()?;
        let places = self.shared.with(|ranges| ranges.finished(lane))?;
        let beyond = *self.beyond.lock().unwrap_or_else(PoisonError::into_inner).get(&lane)?;
        Some(Covers { beyond, ..kept::covered(places, &*self.units.ids()?)? })
    }

    async fn finish(&self) -> Result<Read, SourceError> {
        let taken_over = self.taken_over.get().cloned().unwrap_or_default();
        let before = self.resumes.as_deref().unwrap_or_default();
        let mut beyond = Beyond::default();
        for more in taken_over.iter().map(|place| &before[*place].beyond) {
            beyond.add(*more);
        }
        for more in self.beyond.lock().unwrap_or_else(PoisonError::into_inner).values() {
            beyond.add(*more);
        }
        Ok(Read { taken_over, beyond, ..self.units.remarks().await? })
    }
}
