//! What a run leaves in the bucket: the change that it commits, what it takes back, what it sweeps.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use jiff::Timestamp;
use sluice_lake::{
    bucket::Bucket,
    sink::Begun,
    state::lease::Lease,
    table::{
        Author, Change, Commit, DataFile, Table,
        sweep::{self, Swept},
    },
};
use sluice_model::{error_chain, run_id::RunId};
use sluice_plan::Plan;

use super::{Error, NotWritten, Run, written::Written};

/// What the run changes: its tables, each with its audit record.
pub(super) fn change(
    author: &Author,
    plan: &Plan,
    written: &[Written],
    lost: &BTreeSet<usize>,
    not_written: &NotWritten,
) -> Change {
    let read = plan.streams.iter().zip(written).enumerate().filter(|(index, _)| !lost.contains(index));
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for (stream, written, table, of_table) in read.flat_map(|(_, (stream, written))| {
        stream.tables.iter().zip(&written.tables).map(move |(table, of_table)| (stream, written, table, of_table))
    }) {
        let made = Table {
            run: author.run.clone(),
            pipeline: plan.pipeline.clone(),
            stream: stream.stream.name.clone(),
            stream_ids: stream.stream.names().filter(|name| *name != stream.stream.name).map(str::to_owned).collect(),
            parts: written.read.present.clone(),
            written: Timestamp::now(),
            columns: table.fields().cloned().collect(),
            files: of_table.files.clone(),
            audit: plan.audit(stream, table),
        };
        match tables.entry(table.name.clone()) {
            Entry::Vacant(entry) => drop(entry.insert(made)),
            Entry::Occupied(mut entry) => entry.get_mut().files.extend(made.files),
        }
    }
    Change { tables, retired: not_written.retired.clone(), ..unchanged(author.clone()) }
}

/// A change of nothing.
fn unchanged(author: Author) -> Change {
    Change { author, committed: Timestamp::now(), tables: BTreeMap::new(), retired: BTreeSet::new() }
}

/// Who makes the commits of a run.
pub(super) fn author(run: &Run<'_>, id: &RunId) -> Author {
    let transforms = run.plugins.transforms();
    Author {
        run: id.clone(),
        pipeline: run.pipeline.name().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        plugins: transforms.iter().map(|it| (it.name.clone(), it.digest.to_string())).collect(),
    }
}

/// Removes the files of a table that is not to be committed.
pub(super) async fn remove(bucket: &Bucket, files: &[DataFile]) {
    for file in files {
        if let Err(error) = bucket.delete(&file.key).await {
            tracing::warn!(error = error_chain(&error), "a file that no commit lists could not be removed");
        }
    }
}

/// Takes back the files of a run that has committed nothing.
pub(super) async fn take_back(bucket: &Bucket, files: &Begun) {
    let taken = files.take_back(bucket).await;
    for failure in &taken.failures {
        tracing::warn!(error = error_chain(failure), "a file of this run was not taken back");
    }
    if taken.left > 0 {
        tracing::warn!(left = taken.left, "not all files of this run were taken back; the next run sweeps them");
    }
}

/// Removes what earlier runs have left, before this one writes. Gives the commit that is the newest then.
pub(super) async fn sweep_before(
    bucket: &Bucket,
    base: Option<Commit>,
    author: &Author,
    lease: &Lease,
) -> Result<Option<Commit>, Error> {
    let still_ours = async || lease.confirm().await.is_ok();
    let (base, swept) = sweep::sweep_before(bucket, base, unchanged(author.clone()), still_ours).await?;
    tell_of_sweep(&swept);
    Ok(base)
}

/// Removes what no commit lists any more.
pub(super) async fn sweep_after(bucket: &Bucket, commit: &Commit, lease: &Lease) {
    tell_of_sweep(&sweep::sweep_after(bucket, commit, async || lease.confirm().await.is_ok()).await);
}

fn tell_of_sweep(swept: &Swept) {
    if swept.files > 0 {
        tracing::info!(files = swept.files, bytes = swept.bytes, "swept what earlier runs left");
    }
    for failure in &swept.failures {
        tracing::warn!(error = error_chain(failure), "not everything could be swept; the next run tries again");
    }
}
