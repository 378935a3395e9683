//! What a run leaves in the bucket: the change that it commits, what it takes back, what it sweeps, what has had
//! its time.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sluice_lake::{
    bucket::Bucket,
    sink::{ParquetFiles, RunFiles, Sink, TableSpec},
    state::lease::Lease,
    table::{
        AuditRecord, Author, Change, Commit, DataFile, FedBy,
        expire::{self, Expired, Gone},
        sweep::{self, Swept},
    },
};
use sluice_model::{error_chain, run_id::RunId};
use sluice_plan::{Plan, TablePlan};

use super::{Error, NotWritten, Run, Shutdown, at_once::ended, context::Context, written::Written};

/// What the run changes: its tables, each with its audit record.
pub(super) fn change(
    author: &Author,
    plan: &Plan,
    written: &[Written],
    lost: &BTreeSet<usize>,
    not_written: &NotWritten,
) -> Change {
    let mut change = unchanged(author.clone());
    change.retired.clone_from(&not_written.retired);
    for (index, (stream, written)) in plan.streams.iter().zip(written).enumerate() {
        if lost.contains(&index) {
            continue;
        }
        let name = &stream.stream.name;
        let (parts, ledger) = (&written.read.present, written.ledger);
        for (table, written) in stream.tables.iter().zip(&written.tables) {
            let fed = FedBy {
                stream: name.clone(),
                ids: stream.stream.names().filter(|id| id != name).map(str::to_owned).collect(),
                parts: parts.clone(),
                ledger: Some(ledger),
                audit: AuditRecord::of(&plan.audit(stream, table)),
            };
            change.write(&table.name, table.fields().cloned().collect()).feed(fed, written.files.clone());
        }
    }
    change
}

/// Gives each table that got no file one without rows, so that its columns are known.
pub(super) async fn complete(context: &Context, written: &mut [Written]) -> Result<(), Error> {
    let plan = &context.planned.plan;
    let mut whole: BTreeSet<&str> = BTreeSet::new();
    for (stream, written) in plan.streams.iter().zip(&*written) {
        let with_files = stream.tables.iter().zip(&written.tables).filter(|(_, written)| !written.files.is_empty());
        whole.extend(with_files.map(|(table, _)| table.name.as_str()));
    }
    for (stream, written) in plan.streams.iter().zip(written) {
        for (table, written) in stream.tables.iter().zip(&mut written.tables) {
            if whole.insert(&table.name) {
                let writer = context.sink.table(&spec(table))?;
                let finish = tokio::task::spawn_blocking(move || Ok(writer.finish()?));
                let finished = context.shutdown.drained(finish).await.ok_or(Error::Interrupted)?;
                written.files = ended(finished)?;
            }
        }
    }
    Ok(())
}

/// A table of the plan, as it is written.
pub(super) fn spec(table: &TablePlan) -> TableSpec {
    TableSpec { name: table.name.clone(), columns: table.fields().cloned().collect() }
}

/// A change of nothing.
fn unchanged(author: Author) -> Change {
    Change::by(author, Timestamp::now())
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

/// What writes the tables of a run.
pub(super) fn sink(run: &Run<'_>, id: &RunId) -> ParquetFiles {
    let mut metadata = vec![
        ("sluice.run".to_owned(), id.to_string()),
        ("sluice.pipeline".to_owned(), run.pipeline.name().to_owned()),
        ("sluice.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ];
    let transforms = run.plugins.transforms();
    metadata.extend(transforms.iter().map(|it| (format!("sluice.plugin.{}", it.name), it.digest.to_string())));
    ParquetFiles::new(RunFiles {
        bucket: run.bucket.clone(),
        pipeline: run.pipeline.name().to_owned(),
        run: id.clone(),
        settings: run.pipeline.parquet(),
        metadata,
    })
}

/// Removes the files of a table that is not to be committed. What a run that has to stop does not come to is swept by a later
/// one.
pub(super) async fn discard(shutdown: &Shutdown, sink: &dyn Sink, files: &[DataFile]) {
    let discarded = shutdown.drained(sink.discard(files)).await.unwrap_or_default();
    for failure in &discarded.failures {
        tracing::warn!(error = error_chain(failure), "a file that no commit lists could not be removed");
    }
}

/// Takes back the files of a run that has committed nothing.
pub(super) async fn take_back(sink: &dyn Sink) {
    let taken = sink.take_back().await;
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

/// Removes commits that are older than the file says, with the files that only they list. Gives what is gone; `None` if the
/// file keeps all for ever.
pub(super) async fn expire(run: &Run<'_>) -> Option<Gone> {
    let Expired { gone, failures, .. } = expire::expire(run.bucket, run.pipeline.keep()?, Timestamp::now()).await;
    for failure in &failures {
        tracing::warn!(
            error = error_chain(failure),
            "not all that is too old could be removed; the next run tries again"
        );
    }
    Some(gone)
}

fn tell_of_sweep(swept: &Swept) {
    if swept.files > 0 {
        tracing::info!(files = swept.files, bytes = swept.bytes, "swept what earlier runs left");
    }
    for failure in &swept.failures {
        tracing::warn!(error = error_chain(failure), "not everything could be swept; the next run tries again");
    }
}
