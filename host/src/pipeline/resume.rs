//! What a run keeps for the next one, and takes over from the last.
//!
//! Streams that are asked for record by record may take hours. Of those that take longer than the file says, each slice that
//! is finished is noted in the bucket ([`sluice_lake::table::kept`]): should the run not come to its end, the next one takes
//! over what it has finished, if it would read and write the same. That is so where the plan of the stream has the same
//! digest; of which records a slice is, and whether these are still the same, the source says ([`Covers`]).
//! What a transform does with a secret cannot be compared, so a stream that goes through one is not kept; nor one whose keys
//! are computed or marked, since notes name ids.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_hubspot::source::{Covers, Read, Source};
use sluice_lake::{
    bucket::Bucket,
    sink::Sink,
    table::{
        Commit,
        kept::{self, KeptSlice, KeptTable},
    },
};
use sluice_model::{digest::Digest, error_chain, run_id::RunId};
use sluice_plan::{Plan, StreamPlan};

use super::{
    Error, Prices,
    written::{StepCount, Written, WrittenTable},
};

/// What a run keeps, and takes over, by the index of the stream in its plan.
#[derive(Default)]
pub(super) struct Resume {
    /// Where it is noted; `None`: nothing is kept.
    notes: Option<Notes>,
    streams: BTreeMap<usize, Resumed>,
    /// Slices that this run has noted.
    kept: AtomicU64,
}

/// Where a run notes what it has finished.
pub(super) struct Notes {
    pub(super) bucket: Bucket,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) pipeline: String,
    pub(super) run: RunId,
}

/// A stream that is kept in slices.
#[derive(Debug)]
struct Resumed {
    /// The digest of its plan, and the account.
    plan: String,
    /// What earlier runs have kept of it.
    slices: Vec<Earlier>,
}

/// A slice that an earlier run has kept.
#[derive(Debug)]
struct Earlier {
    covers: Covers,
    written: Written,
}

/// What became of the rows of a kept slice, as its note has it.
#[derive(Debug, Serialize, Deserialize)]
struct Counts {
    read: u64,
    written: u64,
    steps: Vec<StepCount>,
}

/// The digest by which a stream's plan is known again; why it is not kept, if it cannot be.
fn digest(plan: &Plan, stream: &StreamPlan) -> Result<Digest, &'static str> {
    // A note names the first and the last record of a slice. And whether two records get one key shows only where all are read.
    if !stream.shows_its_ids() {
        return Err("its keys carry marks or are computed, and a note would tell the ids that they are made of");
    }
    plan.digest(stream).ok_or("what a transform does with a secret cannot be compared")
}

impl Resume {
    /// Finds out which streams of the plan are worth keeping, by what they cost, and what is kept of them.
    /// `keep_after`: how many minutes a stream may take that is not. `base`: the newest commit.
    pub(super) async fn of(
        notes: Notes,
        source: &dyn Source,
        plan: &Plan,
        prices: &Prices,
        keep_after: f64,
        base: Option<&Commit>,
    ) -> Result<Self, Error> {
        let mut resume = Self::default();
        for (index, (stream, priced)) in plan.streams.iter().zip(&prices.streams).enumerate() {
            let minutes = priced.price.map(|price| prices.cost(price.requests).minutes);
            // What nobody knows may take long.
            if !priced.by_record || minutes.is_some_and(|minutes| minutes <= keep_after) {
                continue;
            }
            match digest(plan, stream) {
                Ok(digest) => {
                    let resumed = Resumed { plan: digest.to_string(), slices: Vec::new() };
                    resume.streams.insert(index, resumed);
                }
                Err(why) => tracing::warn!(
                    stream = stream.stream.name,
                    why,
                    "should this run not come to its end, the next begins this stream anew"
                ),
            }
        }
        if resume.streams.is_empty() {
            return Ok(resume);
        }
        let Some(account) = source.account().await else {
            tracing::warn!(
                "HubSpot does not say which account this is: should this run not come to its end, the next begins anew"
            );
            return Ok(Self::default());
        };
        for resumed in resume.streams.values_mut() {
            resumed.plan = format!("{} of account {account}", resumed.plan);
        }
        let since = kept::of_use_since(&notes.pipeline, base, Timestamp::now());
        let found = kept::kept(&notes.bucket, &notes.pipeline, since).await?;
        let taken = found.iter().filter(|slice| resume.found(plan, slice)).count();
        if taken < found.len() {
            let slices = found.len() - taken;
            tracing::warn!(
                slices,
                "what an earlier run has finished is of another plan, version or account: it is read again"
            );
        }
        resume.notes = Some(notes);
        Ok(resume)
    }

    /// Takes a slice that was found, if it is one of a stream that would be read and written in the same way.
    fn found(&mut self, plan: &Plan, slice: &KeptSlice) -> bool {
        let is_its = |(index, resumed): &(&usize, &mut Resumed)| {
            let stream = &plan.streams[**index];
            let tables = stream.tables.iter().map(|table| &table.name);
            stream.stream.name == slice.stream
                && resumed.plan == slice.plan
                && tables.eq(slice.tables.iter().map(|table| &table.name))
        };
        let Some((_, resumed)) = self.streams.iter_mut().find(is_its) else { return false };
        let understood = || {
            let covers = serde_json::from_value(slice.covers.clone()).ok()?;
            let Counts { read, written, steps } = serde_json::from_value(slice.counts.clone()).ok()?;
            let table = |table: &KeptTable| WrittenTable { rows: table.rows, files: table.files.clone() };
            let tables = slice.tables.iter().map(table).collect();
            let written = Written { rows_in: read, rows_out: written, tables, steps, ..Written::default() };
            Some(Earlier { covers, written })
        };
        let earlier = understood();
        let is_understood = earlier.is_some();
        resumed.slices.extend(earlier);
        is_understood
    }

    /// What a stream is asked for with: what earlier runs have kept of it, if it is kept in slices at all.
    pub(super) fn covers(&self, index: usize) -> Option<Vec<Covers>> {
        let resumed = self.streams.get(&index)?;
        Some(resumed.slices.iter().map(|earlier| earlier.covers.clone()).collect())
    }

    /// Keeps a slice of a stream that was finished. That it cannot be noted ends no run.
    pub(super) async fn keep(&self, index: usize, stream: &StreamPlan, covers: &Covers, written: &Written) {
        let (Some(notes), Some(Resumed { plan, .. })) = (&self.notes, self.streams.get(&index)) else { return };
        let counts = Counts { read: written.rows_in, written: written.rows_out, steps: written.steps.clone() };
        let (Ok(covers), Ok(counts)) = (serde_json::to_value(covers), serde_json::to_value(counts)) else { return };
        let tables = stream.tables.iter().zip(&written.tables);
        let slice = KeptSlice {
            run: notes.run.clone(),
            pipeline: notes.pipeline.clone(),
            kept: Timestamp::now(),
            plan: plan.clone(),
            stream: stream.stream.name.clone(),
            covers,
            counts,
            tables: tables
                .map(|(table, written)| KeptTable {
                    name: table.name.clone(),
                    rows: written.rows,
                    files: written.files.clone(),
                })
                .collect(),
        };
        let files: Vec<_> = slice.files().cloned().collect();
        notes.sink.keep(&files);
        match kept::keep(&notes.bucket, &slice).await {
            Ok(()) => drop(self.kept.fetch_add(1, Ordering::Relaxed)),
            Err(error) => {
                tracing::warn!(error = error_chain(&error), "a finished slice could not be noted for a later run");
            }
        }
    }

    /// What earlier runs have written of a stream that was read now, for the records that its source took over.
    pub(super) fn taken_over(&self, index: usize, read: &Read) -> Vec<Written> {
        let slices = self.streams.get(&index).map(|resumed| resumed.slices.as_slice()).unwrap_or_default();
        read.taken_over.iter().filter_map(|place| slices.get(*place)).map(|earlier| earlier.written.clone()).collect()
    }

    /// Tells what a run that does not come to its end has kept.
    pub(super) fn tell(&self) {
        let slices = self.kept.load(Ordering::Relaxed);
        if slices > 0 {
            tracing::warn!(
                slices,
                "what was finished of long streams is kept for a day: the next run goes on from there"
            );
        }
    }
}
