//! The note of a kept slice as it is stored.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_model::{printable::printable, run_id::RunId};

use super::{KeptSlice, KeptTable};
use crate::table::{
    commit::DataFile,
    key::{DataKey, is_table_name},
    wire::{StoredFile, custom, parse},
};

/// The form that this version writes, and the only one it reads. A note lives for a day: a version that cannot read it reads
/// the slice again.
const FORMAT: u32 = 1;

#[derive(Deserialize)]
struct Versioned {
    format: u32,
}

#[derive(Serialize, Deserialize)]
struct StoredSlice {
    format: u32,
    run: String,
    pipeline: String,
    kept: String,
    plan: String,
    stream: String,
    covers: serde_json::Value,
    counts: serde_json::Value,
    tables: Vec<StoredTable>,
}

#[derive(Serialize, Deserialize)]
struct StoredTable {
    name: String,
    rows: u64,
    files: Vec<StoredFile>,
}

pub(super) fn write(slice: &KeptSlice) -> String {
    let tables = slice.tables.iter().map(|table| StoredTable {
        name: table.name.clone(),
        rows: table.rows,
        files: table.files.iter().map(StoredFile::from).collect(),
    });
    let stored = StoredSlice {
        format: FORMAT,
        run: slice.run.to_string(),
        pipeline: slice.pipeline.clone(),
        kept: slice.kept.to_string(),
        plan: slice.plan.clone(),
        stream: slice.stream.clone(),
        covers: slice.covers.clone(),
        counts: slice.counts.clone(),
        tables: tables.collect(),
    };
    serde_json::to_string_pretty(&stored).unwrap_or_else(|_| unreachable!("texts, numbers and JSON are always JSON"))
}

/// Reads a note of this pipeline and run. What it names are files of theirs and of no other form than ours: whoever can write
/// to the bucket must not make a run list, or remove, other files.
pub(super) fn read(pipeline: &str, run: &RunId, content: &[u8]) -> Result<KeptSlice, serde_json::Error> {
    let Versioned { format } = serde_json::from_slice(content)?;
    if format != FORMAT {
        return Err(custom(format!("its format is {format}, not {FORMAT}")));
    }
    let stored: StoredSlice = serde_json::from_slice(content)?;
    if stored.pipeline != pipeline || parse::<RunId>(&stored.run)? != *run {
        return Err(custom("it is of another pipeline or run by its key than by what it says"));
    }
    let is_printable = |name: &String| printable(name, usize::MAX) == *name;
    if ![&stored.plan, &stored.stream].into_iter().all(is_printable) {
        return Err(custom("a name in it holds signs that no name has"));
    }
    let table = |StoredTable { name, rows, files }: StoredTable| {
        let is_its_own = |key: DataKey| key.table == name && key.pipeline == pipeline && key.run == *run;
        let files = files.into_iter().map(DataFile::try_from).collect::<Result<Vec<_>, _>>()?;
        let all_its_own = files.iter().all(|file| DataKey::parse(&file.key).is_some_and(is_its_own));
        if !is_table_name(&name) || !all_its_own {
            return Err(custom("it names a file that is none of its run's"));
        }
        Ok(KeptTable { name, rows, files })
    };
    Ok(KeptSlice {
        run: run.clone(),
        pipeline: stored.pipeline,
        kept: parse::<Timestamp>(&stored.kept)?,
        plan: stored.plan,
        stream: stored.stream,
        covers: stored.covers,
        counts: stored.counts,
        tables: stored.tables.into_iter().map(table).collect::<Result<_, serde_json::Error>>()?,
    })
}
