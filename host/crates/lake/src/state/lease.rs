//! The lease: at most one run at a time works on a pipeline's tables in a bucket.
//!
//! A run takes its pipeline's lease before its first call to HubSpot, renews it while it works and releases it at its end. A
//! second run of the pipeline ends at once and names the holder, or waits for as long as it was told to
//! ([`Lease::take_within`]). A run that dies leaves a lease that ends by itself. Runs of other pipelines have leases of their
//! own.
//!
//! **How it is kept.** The design speaks of one object. Taking over an ended lease would then mean to replace it only if
//! nobody else has, and a folder has no such operation; so the lease is a series of numbered entries,
//! `_sluice/leases/<pipeline>/<20 digits>.json`, of which the newest counts:
//!
//! 1. Look at the newest entry. Unless it is released or has ended, its run holds the lease.
//! 2. Create the entry of the next number, if it is absent. Of several takers, one succeeds.
//! 3. Look again. If there is a newer entry, somebody was quicker by more than one: begin anew.
//!
//! An entry is overwritten by its own run only, to renew and to release it, and to claim tables. A holder that finds a newer
//! entry has lost the lease, and nothing else loses it: its own clock and a bucket that is silent do not. The end in an entry
//! is for others to read, and past it the holder goes on to renew. Older entries mean nothing and are removed by the next
//! taker.
//!
//! **Pipelines that share a folder** must have different tables. Against what has been committed a run can see that by
//! itself; of what others are about to commit for the first time, only they know. So a run writes into its entry which tables
//! it is going to write, and then looks at the entries of all other pipelines ([`Lease::claim`]): of two that claim one
//! table, whoever claims second sees the first. If both see each other, both are refused, and rightly: they cannot both be
//! as their owners want them. This spares hours of reading, and no more: what is overlooked, since a lease had ended or a
//! claim was lost, is refused by the commit log.
//!
//! **What it guarantees.** Of runs of a pipeline that take the lease, each has an entry of its own, and the newest is the
//! holder's. A run whose look at the bucket finds its own entry the newest was the only holder from the taking to that look.
//! The lease of a run that is suspended, cut off from the bucket, or whose clock differs by more than
//! [`CLOCK_TOLERANCE`], may be taken over while it works; it learns so at its next look, which is [`RENEWAL`] after the
//! bucket answers it again at the latest, and stops. Until then both work.
//!
//! The tables do not depend on the lease: a commit is created only if its number is free, whoever tries, and is based on the
//! one before it. *Removing* files depends on both: before a run removes what other runs of its pipeline left, it must have
//! looked ([`Lease::confirm`]) after it found them, since a run takes the lease before it writes its first file; and those
//! that have lost it must not be able to commit any more (`table::sweep` sees to that). And before a run writes its own files,
//! it must look after it has read the commit it builds on: then it can commit only if no run of its pipeline has since.
//!
//! This module knows nothing of tables but their names.

mod decide;
mod entries;
mod error;
mod wire;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use sluice_model::{clock::Clock, run_id::RunId};
use tokio::{
    sync::{Mutex, oneshot, watch},
    task::JoinHandle,
    time,
};

pub use self::{
    decide::{Decision, Holder, LeaseEntry, decide},
    entries::is_of,
    error::{LeaseError, Loss},
};
use self::{
    decide::{is_too_long, meets},
    entries::{Entries, Others},
};
use crate::bucket::{Bucket, Put};

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
/// How often taking the lease, or a look at all leases, begins anew because somebody was quicker. Each time, another run has
/// finished or failed in between, so that even two are rare.
const ATTEMPTS: u32 = 10;
/// How often an attempt to create an entry may go without an answer before its failure is told. The bucket has repeated
/// the request for minutes by then; once more is for the case that it was created all the same.
const UNANSWERED: u32 = 1;

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

/// A lease that is held. It renews itself until it is released, dropped or taken over; a dropped one ends by itself.
#[derive(Debug)]
pub struct Lease {
    entries: Entries,
    /// As it was last written. Who writes it holds this, so that renewals and claims do not undo each other.
    entry: Arc<Mutex<LeaseEntry>>,
    number: u64,
    clock: Clock,
    loss: watch::Receiver<Option<Loss>>,
    stop: oneshot::Sender<()>,
    renewals: JoinHandle<()>,
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

    /// Takes the lease of the holder's pipeline on a bucket, or says who holds it. Never waits for a holder.
    ///
    /// Needs a tokio runtime, on which the lease renews itself.
    pub async fn take(bucket: &Bucket, holder: Holder, clock: Clock) -> Result<Self, LeaseError> {
        let entries = Entries::of(bucket, &holder.pipeline);
        let mut unanswered = 0;
        for _ in 0..ATTEMPTS {
            let Some(seen) = entries.observe().await? else { continue };
            let now = clock.now();
            let entry = match decide(seen.newest.as_ref(), now) {
                // Our own: the answer to an earlier attempt was lost.
                Decision::Held(entry) if entry.holder.run == holder.run => entry,
                Decision::Held(entry) if is_too_long(&entry, now) => {
                    let key = entries.key(entry.number);
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
            // Where objects cannot be removed, one refusal says so for all: they harm nobody.
            for old in seen.numbers.into_iter().filter(|old| *old < entry.number) {
                if !entries.forget(old).await {
                    break;
                }
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
        let entry = Arc::new(Mutex::new(entry));
        let renewals = tokio::spawn(renew(entries.clone(), Arc::clone(&entry), clock.clone(), tell, stopped));
        Self { entries, entry, number, clock, loss, stop, renewals }
    }

    /// Ends when the lease is lost, and says how; never, as long as it is held. Cancel safe.
    pub async fn lost(&self) -> LeaseError {
        let mut told = self.loss.clone();
        let loss = match told.wait_for(Option::is_some).await {
            Ok(loss) => loss.clone(),
            Err(_) => None,
        };
        self.lost_by(loss.unwrap_or(Loss::Unattended))
    }

    fn lost_by(&self, loss: Loss) -> LeaseError {
        LeaseError::Lost { bucket: self.entries.describe(), loss }
    }

    /// Looks whether the newest entry is still ours, whether or not its end has come. Whatever was read from the bucket, or
    /// found in it, before this call was so while this run held the lease.
    pub async fn confirm(&self) -> Result<(), LeaseError> {
        let told = self.loss.borrow().clone();
        let loss = match told {
            Some(loss) => Some(loss),
            None => self.loss_if(self.entries.newest().await?),
        };
        match loss {
            Some(loss) => Err(self.lost_by(loss)),
            None => Ok(()),
        }
    }

    /// What it means that the newest entry is of this number.
    fn loss_if(&self, newest: Option<u64>) -> Option<Loss> {
        let number = newest.unwrap_or_default();
        (number != self.number).then_some(Loss::TakenOver { number })
    }

    /// Tells the runs of other pipelines which tables this run is going to write, and looks whether one of them has told so
    /// of one of these. To be called before anything is read for them. Case does not count in the names.
    ///
    /// # Errors
    /// [`LeaseError::Claimed`] if the newest entry of another pipeline, neither released nor past its end, claims one of the
    /// tables; [`LeaseError::Lost`] if the lease turns out to be another run's; one of the bucket. In each case the tables
    /// stay claimed until the lease is released.
    pub async fn claim(&self, tables: BTreeSet<String>) -> Result<(), LeaseError> {
        {
            let mut entry = self.entry.lock().await;
            *entry = LeaseEntry { tables: tables.clone(), ..entry.renewed(self.clock.now()) };
            self.entries.overwrite(&entry).await?;
        }
        for _ in 0..ATTEMPTS {
            let claimed = |entry: LeaseEntry| {
                let table = meets(&entry, &tables, self.clock.now())?.to_owned();
                Some(LeaseError::Claimed { table, pipeline: self.entries.pipeline.clone(), entry })
            };
            let (own, others) = self.entries.find_in_others(claimed).await?;
            if let Some(loss) = self.loss_if(own) {
                return Err(self.lost_by(loss));
            }
            match others {
                Others::With(claimed) => return Err(claimed),
                Others::Without => return Ok(()),
                Others::Changed => {}
            }
        }
        Err(LeaseError::Contested { bucket: self.entries.describe() })
    }

    /// Gives the lease back, so that the next run need not wait for its end. An error does no harm but that wait.
    pub async fn release(self) -> Result<(), LeaseError> {
        // Stopped between two renewals, not within one, so that no late renewal undoes the release.
        let Self { entries, entry, loss, stop, renewals, .. } = self;
        drop(stop);
        if renewals.await.is_err() || loss.borrow().is_some() {
            return Ok(());
        }
        // It claims nothing any more: what it claimed may be what made it too large to be written.
        let released = LeaseEntry { released: true, tables: BTreeSet::new(), ..entry.lock().await.clone() };
        entries.overwrite(&released).await?;
        Ok(())
    }
}

/// Renews an entry until it is told to stop or there is a newer one. A renewal past the entry's end is one like any other: as
/// long as nobody has taken the lease, nobody is harmed by it.
async fn renew(
    entries: Entries,
    entry: Arc<Mutex<LeaseEntry>>,
    clock: Clock,
    tell: watch::Sender<Option<Loss>>,
    mut stopped: oneshot::Receiver<()>,
) {
    let number = entry.lock().await.number;
    let mut pause = RENEWAL;
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            () = time::sleep(pause) => {}
        }
        let attempt = async {
            let mut entry = entry.lock().await;
            *entry = entry.renewed(clock.now());
            entries.overwrite(&entry).await?;
            entries.newest().await
        };
        match time::timeout(RENEWAL_TIMEOUT, attempt).await {
            Ok(Ok(newest)) if newest == Some(number) => pause = RENEWAL,
            Ok(Ok(newest)) => {
                let loss = Loss::TakenOver { number: newest.unwrap_or_default() };
                tracing::error!(number, %loss, "lost the lease");
                tell.send_replace(Some(loss));
                return;
            }
            Ok(Err(error)) => {
                tracing::warn!(number, %error, "the lease was not renewed; trying again");
                pause = RENEWAL_PAUSE;
            }
            Err(_) => {
                tracing::warn!(number, "the lease was not renewed in time; trying again");
                pause = RENEWAL_PAUSE;
            }
        }
    }
}

#[cfg(test)]
mod tests;
