//! The lease: at most one run at a time works on a bucket.
//!
//! A run takes the lease before its first call to HubSpot, renews it while it works and releases it at its end. A second
//! run ends at once and names the holder, or waits for as long as it was told to ([`Lease::take_within`]). A run that dies
//! leaves a lease that ends by itself.
//!
//! **How it is kept.** The design speaks of one object, `_sluice/lease`. Taking over an ended lease would then mean to
//! replace it only if nobody else has, and a folder has no such operation; so the lease is a series of numbered entries,
//! `_sluice/leases/<20 digits>.json`, of which the newest counts:
//!
//! 1. Look at the newest entry. Unless it is released or has ended, its run holds the lease.
//! 2. Create the entry of the next number, if it is absent. Of several takers, one succeeds.
//! 3. Look again. If there is a newer entry, somebody was quicker by more than one: begin anew.
//!
//! An entry is overwritten by its own run only, to renew and to release it. A holder that finds a newer entry has lost the
//! lease, and nothing else loses it: its own clock and a bucket that is silent do not. The end in an entry is for others to
//! read, and past it the holder goes on to renew. Older entries mean nothing and are removed by the next taker.
//!
//! **What it guarantees.** Of runs that take the lease, each has an entry of its own, and the newest is the holder's. A run
//! whose look at the bucket finds its own entry the newest was the only holder from the taking to that look.
//! The lease of a run that is suspended, cut off from the bucket, or whose clock differs by more than
//! [`CLOCK_TOLERANCE`], may be taken over while it works; it learns so at its next look, which is [`RENEWAL`] after the
//! bucket answers it again at the latest, and stops. Until then both work.
//!
//! The tables do not depend on the lease: a commit is created only if its number is free, whoever tries, and is based on the
//! one before it. *Removing* files depends on both: before a run removes what other runs left, it must have looked
//! ([`Lease::confirm`]) after it found them, since a run takes the lease before it writes its first file; and those that
//! have lost it must not be able to commit any more (`table::sweep` sees to that). And before a run writes its own files,
//! it must look after it has read the commit it builds on: then it can commit only if no run has since.
//!
//! This module knows nothing of tables.

mod decide;
mod wire;

use std::time::Duration;

use bytes::Bytes;
use sluice_model::{clock::Clock, run_id::RunId};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time,
};

use self::decide::is_too_long;
pub use self::decide::{Decision, Holder, LeaseEntry, decide};
use crate::bucket::{Bucket, BucketError, OWN_FOLDER, Put, numbered};

/// How long a lease lasts unless it is renewed: how long the next run is refused after a crash. Short enough to sit out,
/// and long enough that nobody takes it from a holder whose bucket is slow for half a minute.
pub const LENGTH: Duration = Duration::from_mins(1);
/// How often a lease is renewed. Each renewal is two requests, so this is 480 an hour; and it leaves three quarters of the
/// length to try again in.
pub const RENEWAL: Duration = Duration::from_secs(15);
/// How long one renewal may take before it counts as failed, so that there is time for three that hang.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after a renewal that failed.
const RENEWAL_PAUSE: Duration = Duration::from_secs(5);
/// By how much clocks may differ: an entry is taken over only this long after its end. Synchronized clocks differ by
/// milliseconds, and a machine that is off by more than half a minute has other trouble.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(30);
/// How often a run that waits for the lease looks again: two requests each time, and nobody minds seconds after minutes.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How often taking the lease begins anew because somebody was quicker. Each time, another run has finished or failed in
/// between, so that even two are rare.
const ATTEMPTS: u32 = 10;
/// How often an attempt to create an entry may go without an answer before its failure is told. The bucket has repeated
/// the request for minutes by then; once more is for the case that it was created all the same.
const UNANSWERED: u32 = 1;

/// A lease that could not be taken or kept.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another run holds it.
    #[error(
        "run `{}` of pipeline `{}` holds the lease on `{bucket}`: process {} on host `{}`, since {}, until {} unless renewed",
        entry.holder.run, entry.holder.pipeline, entry.holder.pid, entry.holder.host, entry.taken, entry.ends
    )]
    Held {
        /// The bucket.
        bucket: String,
        /// The newest entry.
        entry: LeaseEntry,
    },
    /// This run held it and does no longer.
    #[error("the lease on `{bucket}` was lost: {loss}")]
    Lost {
        /// The bucket.
        bucket: String,
        /// How.
        loss: Loss,
    },
    /// The newest entry is none that this version can read.
    #[error("`{key}` in `{bucket}` is no lease that this version can read")]
    Unreadable {
        /// The bucket.
        bucket: String,
        /// The entry's key.
        key: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The store creates an object that is there: it ignores the condition on which everything depends.
    #[error("the store at `{bucket}` ignores `If-None-Match`: two runs could both commit")]
    NoConditions {
        /// The bucket.
        bucket: String,
    },
    /// A lease that ends later than any could.
    #[error(
        "the lease on `{bucket}` ends at {}, later than any lease that is taken now (run `{}` on `{}`)",
        entry.ends, entry.holder.run, entry.holder.host
    )]
    TooLong {
        /// The bucket.
        bucket: String,
        /// The entry's key.
        key: String,
        /// The entry.
        entry: LeaseEntry,
    },
    /// Other runs were always quicker.
    #[error("the lease on `{bucket}` changed hands {ATTEMPTS} times while this run tried to take it")]
    Contested {
        /// The bucket.
        bucket: String,
    },
    /// The bucket failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

impl LeaseError {
    /// What would mend it, where that is known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Held { .. } => format!(
                "wait for that run to end (`--wait 5m` does); if it crashed, its lease can be taken over {} seconds after \
                 its end",
                CLOCK_TOLERANCE.as_secs()
            ),
            Self::Lost { .. } => "run again: the tables are as the last commit left them".to_owned(),
            Self::Unreadable { .. } => "a newer sluice wrote it: use that version for this bucket".to_owned(),
            Self::TooLong { key, .. } => format!(
                "set the clock right, here or on that host; if neither is wrong and that run is over, remove `{key}`"
            ),
            Self::NoConditions { .. } => "use a store that honours `If-None-Match: *` on puts, as AWS does".to_owned(),
            Self::Contested { .. } => "look for a schedule that starts many runs on this bucket".to_owned(),
            Self::Bucket(error) => return error.hint(),
        })
    }
}

impl Holder {
    /// A run in this process.
    pub fn here(run: RunId, pipeline: &str) -> Self {
        Self {
            run,
            pipeline: pipeline.to_owned(),
            host: hostname::get().map_or_else(|_| "unknown".to_owned(), |name| name.to_string_lossy().into_owned()),
            pid: std::process::id(),
        }
    }
}

/// How a lease was lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// Another run took it, since it seemed to have ended.
    #[error("another run has taken it (entry {number})")]
    TakenOver {
        /// The number of the newest entry.
        number: u64,
    },
    /// Nothing renews it any more: the task that does has failed, which is a mistake in this program.
    #[error("its renewal has stopped")]
    Unattended,
}

/// A lease that is held. It renews itself until it is released, dropped or taken over; a dropped one ends by itself.
#[derive(Debug)]
pub struct Lease {
    entries: Entries,
    loss: watch::Receiver<Option<Loss>>,
    stop: oneshot::Sender<()>,
    renewals: JoinHandle<LeaseEntry>,
    number: u64,
}

impl Lease {
    /// Takes the lease, and waits up to this long while another run holds it: looks again every few seconds. `waiting` is
    /// told once, before the first pause, who holds it. `holder` is asked anew for each attempt, so that a run begins, by
    /// its id, when it takes the lease and not when it began to wait. Gives the lease and whose it is.
    ///
    /// Cancel safe but for the attempt itself: a lease whose taking is cancelled ends by itself.
    pub async fn take_within<E: From<LeaseError>>(
        span: Duration,
        bucket: &Bucket,
        mut holder: impl FnMut() -> Result<Holder, E>,
        clock: &Clock,
        waiting: impl FnOnce(&LeaseError),
    ) -> Result<(Self, Holder), E> {
        let began = time::Instant::now();
        let mut waiting = Some(waiting);
        loop {
            let holder = holder()?;
            let held = match Self::take(bucket, holder.clone(), clock.clone()).await {
                Ok(lease) => return Ok((lease, holder)),
                Err(held @ LeaseError::Held { .. }) => held,
                Err(error) => return Err(error.into()),
            };
            let left = span.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Err(held.into());
            }
            if let Some(waiting) = waiting.take() {
                waiting(&held);
            }
            time::sleep(LOOK_AGAIN.min(left)).await;
        }
    }

    /// Takes the lease on a bucket, or says who holds it. Never waits for a holder.
    ///
    /// Needs a tokio runtime, on which the lease renews itself.
    pub async fn take(bucket: &Bucket, holder: Holder, clock: Clock) -> Result<Self, LeaseError> {
        let entries = Entries { bucket: bucket.clone() };
        let mut unanswered = 0;
        for _ in 0..ATTEMPTS {
            let Some(seen) = entries.observe().await? else { continue };
            let now = clock.now();
            let entry = match decide(seen.newest.as_ref(), now) {
                // Our own: the answer to an earlier attempt was lost.
                Decision::Held(entry) if entry.holder.run == holder.run => entry,
                Decision::Held(entry) if is_too_long(&entry, now) => {
                    let key = Entries::key(entry.number);
                    return Err(LeaseError::TooLong { bucket: entries.describe(), key, entry });
                }
                Decision::Held(entry) => {
                    return Err(LeaseError::Held { bucket: entries.describe(), entry });
                }
                Decision::Take(number) => {
                    let entry = LeaseEntry::new(number, holder.clone(), now);
                    match entries.create(&entry).await {
                        Ok(Put::Created) => entry,
                        Ok(Put::Exists) => continue,
                        Err(error) if error.may_have_happened() && unanswered < UNANSWERED => {
                            unanswered += 1;
                            continue;
                        }
                        Err(error) => return Err(error.into()),
                    }
                }
            };
            match entries.settle(&entry).await {
                Ok(true) => {}
                Ok(false) => {
                    entries.forget(entry.number).await;
                    continue;
                }
                Err(error) => {
                    let released = LeaseEntry { released: true, ..entry };
                    if let Err(error) = entries.overwrite(&released).await {
                        tracing::debug!(number = released.number, %error, "a lease that is of no use was not released");
                    }
                    return Err(error);
                }
            }
            for old in seen.numbers.into_iter().filter(|old| *old < entry.number) {
                entries.forget(old).await;
            }
            tracing::info!(number = entry.number, run = %entry.holder.run, bucket = entries.describe(), "took the lease");
            return Ok(Self::keep(entries, entry, clock));
        }
        Err(LeaseError::Contested { bucket: entries.describe() })
    }

    fn keep(entries: Entries, entry: LeaseEntry, clock: Clock) -> Self {
        let (tell, loss) = watch::channel(None);
        let (stop, stopped) = oneshot::channel();
        let number = entry.number;
        let renewals = tokio::spawn(renew(entries.clone(), entry, clock, tell, stopped));
        Self { entries, loss, stop, renewals, number }
    }

    /// Ends when the lease is lost, and says how; never, as long as it is held. Cancel safe.
    pub async fn lost(&self) -> LeaseError {
        let mut told = self.loss.clone();
        let loss = match told.wait_for(Option::is_some).await {
            Ok(loss) => loss.clone(),
            Err(_) => None,
        };
        LeaseError::Lost { bucket: self.entries.describe(), loss: loss.unwrap_or(Loss::Unattended) }
    }

    /// Looks whether the newest entry is still ours, whether or not its end has come. Whatever was read from the bucket, or
    /// found in it, before this call was so while this run held the lease.
    pub async fn confirm(&self) -> Result<(), LeaseError> {
        if let Some(loss) = self.loss.borrow().clone() {
            return Err(LeaseError::Lost { bucket: self.entries.describe(), loss });
        }
        match self.entries.newest().await? {
            Some(newest) if newest == self.number => Ok(()),
            newest => {
                let loss = Loss::TakenOver { number: newest.unwrap_or_default() };
                Err(LeaseError::Lost { bucket: self.entries.describe(), loss })
            }
        }
    }

    /// Gives the lease back, so that the next run need not wait for its end. An error does no harm but that wait.
    pub async fn release(self) -> Result<(), LeaseError> {
        // Stopped between two renewals, not within one, so that no late renewal undoes the release.
        let Self { entries, loss, stop, renewals, .. } = self;
        drop(stop);
        let Ok(mut entry) = renewals.await else { return Ok(()) };
        if loss.borrow().is_some() {
            return Ok(());
        }
        entry.released = true;
        entries.overwrite(&entry).await?;
        Ok(())
    }
}

/// Renews an entry until it is told to stop or there is a newer one; gives back the entry as it last was. A renewal past the
/// entry's end is one like any other: as long as nobody has taken the lease, nobody is harmed by it.
async fn renew(
    entries: Entries,
    mut entry: LeaseEntry,
    clock: Clock,
    tell: watch::Sender<Option<Loss>>,
    mut stopped: oneshot::Receiver<()>,
) -> LeaseEntry {
    let mut pause = RENEWAL;
    loop {
        tokio::select! {
            _ = &mut stopped => return entry,
            () = time::sleep(pause) => {}
        }
        let renewed = entry.renewed(clock.now());
        let attempt = async {
            entries.overwrite(&renewed).await?;
            entries.newest().await
        };
        match time::timeout(RENEWAL_TIMEOUT, attempt).await {
            Ok(Ok(newest)) if newest == Some(entry.number) => {
                entry = renewed;
                pause = RENEWAL;
            }
            Ok(Ok(newest)) => {
                let loss = Loss::TakenOver { number: newest.unwrap_or_default() };
                tracing::error!(number = entry.number, %loss, "lost the lease");
                tell.send_replace(Some(loss));
                return entry;
            }
            Ok(Err(error)) => {
                tracing::warn!(number = entry.number, %error, "the lease was not renewed; trying again");
                pause = RENEWAL_PAUSE;
            }
            Err(_) => {
                tracing::warn!(number = entry.number, "the lease was not renewed in time; trying again");
                pause = RENEWAL_PAUSE;
            }
        }
    }
}

/// The entries in a bucket: the edge at which decisions become requests.
#[derive(Debug, Clone)]
struct Entries {
    bucket: Bucket,
}

struct Observed {
    numbers: Vec<u64>,
    newest: Option<LeaseEntry>,
}

impl Entries {
    fn folder() -> String {
        format!("{OWN_FOLDER}/leases")
    }

    fn key(number: u64) -> String {
        numbered::key(&Self::folder(), number)
    }

    fn describe(&self) -> String {
        self.bucket.describe().to_owned()
    }

    async fn newest(&self) -> Result<Option<u64>, BucketError> {
        Ok(numbered::all(&self.bucket, &Self::folder()).await?.last().copied())
    }

    /// All numbers, and the newest entry; `None` if that was removed in the meantime, as a newer one was there.
    async fn observe(&self) -> Result<Option<Observed>, LeaseError> {
        let numbers = numbered::all(&self.bucket, &Self::folder()).await?;
        let Some(number) = numbers.last().copied() else {
            return Ok(Some(Observed { numbers, newest: None }));
        };
        let key = Self::key(number);
        let Some(content) = self.bucket.get(&key).await? else { return Ok(None) };
        match wire::read(number, &content) {
            Ok(entry) => Ok(Some(Observed { numbers, newest: Some(entry) })),
            Err(source) => Err(LeaseError::Unreadable { bucket: self.describe(), key, source }),
        }
    }

    /// Whether an entry that was created is the lease: it is the newest, and the store would not have created it twice.
    async fn settle(&self, entry: &LeaseEntry) -> Result<bool, LeaseError> {
        if self.newest().await? != Some(entry.number) {
            return Ok(false);
        }
        match self.create(entry).await? {
            Put::Exists => Ok(true),
            Put::Created => Err(LeaseError::NoConditions { bucket: self.describe() }),
        }
    }

    async fn create(&self, entry: &LeaseEntry) -> Result<Put, BucketError> {
        self.bucket.put_if_absent(&Self::key(entry.number), Bytes::from(wire::write(entry))).await
    }

    async fn overwrite(&self, entry: &LeaseEntry) -> Result<(), BucketError> {
        self.bucket.put(&Self::key(entry.number), Bytes::from(wire::write(entry))).await
    }

    /// Removes an entry that means nothing any more. What stays is removed by the next taker.
    async fn forget(&self, number: u64) {
        if let Err(error) = self.bucket.delete(&Self::key(number)).await {
            tracing::debug!(number, %error, "an old lease entry was not removed");
        }
    }
}

#[cfg(test)]
mod tests;
