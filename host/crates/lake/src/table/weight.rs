//! What a commit weighs: no more is written than can be read again, by far.
//!
//! Whoever chooses names for columns, a plugin or the people of a HubSpot account, chooses how large commits become. One that
//! is too large to be read would lock everybody out of the tables for good, so it is refused before it is put. Nothing larger
//! than the limit is ever held to find that out.

use std::{fmt, io};

use bytes::Bytes;
use sluice_model::printable::printable;

use super::{
    commit::{Commit, Table},
    wire,
};

/// The bytes of a commit, at most: an eighth of what is read. Hundreds of tables with thousands of columns have some tens of
/// megabytes.
pub(super) const LARGEST: usize = 64 << 20;
/// How many tables are named that weigh most, and how many columns of each.
const NAMED: usize = 3;
/// How much of a name is shown, in characters.
const LONGEST_SHOWN: usize = 64;

/// A commit that is too large, with what weighs most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLarge {
    bytes: u64,
    /// Whose commit it is.
    pipeline: String,
    tables: Vec<TableWeight>,
}

/// What a table weighs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TableWeight {
    of: Weight,
    /// The pipeline that has written it.
    pipeline: String,
    columns: Vec<Weight>,
}

/// What a table or a column weighs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Weight {
    name: String,
    bytes: u64,
}

/// The entry of a commit, unless it is too large.
pub(super) fn entry(commit: &Commit) -> Result<Bytes, TooLarge> {
    let mut content = Bounded(Vec::new());
    match wire::write(commit, &mut content) {
        Ok(()) => Ok(Bytes::from(content.0)),
        Err(_) => Err(TooLarge::by(commit)),
    }
}

/// Content that takes no more than it may.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.0.len() + more.len() > LARGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Counts bytes, and keeps none.
#[derive(Default)]
struct Counted(u64);

impl io::Write for Counted {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        self.0 += more.len() as u64;
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The bytes that something writes.
fn counted(write: impl FnOnce(&mut Counted) -> serde_json::Result<()>) -> u64 {
    let mut counted = Counted::default();
    write(&mut counted).unwrap_or_else(|_| unreachable!("counting takes all"));
    counted.0
}

impl TooLarge {
    fn by(commit: &Commit) -> Self {
        let bytes = counted(|counted| wire::write(commit, counted));
        let mut tables = heaviest(commit.tables.iter().map(|(name, table)| Weight {
            name: name.clone(),
            bytes: counted(|counted| wire::write_table(table, counted)),
        }));
        // What is next to nothing of it is not worth a word, unless there is nothing but that.
        let worth_a_word = tables.partition_point(|table| table.bytes > bytes / 20);
        tables.truncate(worth_a_word.max(1));
        let with_columns = |of: Weight| {
            let Table { pipeline, columns, .. } = &commit.tables[&of.name];
            let columns = heaviest(columns.iter().map(|column| Weight {
                name: column.name.clone(),
                bytes: counted(|counted| wire::write_column(column, counted)),
            }));
            TableWeight { of, pipeline: pipeline.clone(), columns }
        };
        let tables = tables.into_iter().map(with_columns).collect();
        Self { bytes, pipeline: commit.author.pipeline.clone(), tables }
    }

    /// What would mend it. A commit lists the tables of all pipelines of a folder, so it may be another's that weighs.
    pub(super) fn hint(&self) -> String {
        let Some(heaviest) = self.tables.first() else {
            return "choose fewer streams, or give each pipeline a folder of its own".to_owned();
        };
        let (table, other) = (shown(&heaviest.of.name), shown(&heaviest.pipeline));
        if heaviest.pipeline == self.pipeline {
            return format!(
                "read fewer of these columns (`[[source.columns]]` with `exclude`), or let the plugin give them shorter names and \
                 labels; or retire table {table} (`exclude` under `[source]` with its stream); tables of other pipelines weigh \
                 nothing in a folder of one's own"
            );
        }
        format!(
            "table {table} is of pipeline {other}, and every commit of the folder lists it: let that pipeline retire it (`exclude` \
             under `[source]` with its stream, and a run) or read fewer of its columns; or give this pipeline a folder of its own"
        )
    }
}

/// The heaviest first, and no more than are named.
fn heaviest(weights: impl Iterator<Item = Weight>) -> Vec<Weight> {
    let mut heaviest: Vec<Weight> = Vec::new();
    for weight in weights {
        let place = heaviest.partition_point(|heavier| heavier.bytes >= weight.bytes);
        heaviest.insert(place, weight);
        heaviest.truncate(NAMED);
    }
    heaviest
}

impl fmt::Display for TooLarge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "it would have {}, and at most {} are written",
            megabytes(self.bytes),
            megabytes(LARGEST as u64)
        )?;
        for (index, TableWeight { of, pipeline, columns }) in self.tables.iter().enumerate() {
            let before = if index == 0 { "; of it" } else { "," };
            let (table, weight) = (shown(&of.name), megabytes(of.bytes));
            write!(formatter, "{before} table {table} of pipeline {} has {weight}", shown(pipeline))?;
            let columns = columns.iter().map(|column| format!("{} {}", shown(&column.name), megabytes(column.bytes)));
            write!(formatter, " (of its columns, {})", columns.collect::<Vec<_>>().join(", "))?;
        }
        Ok(())
    }
}

impl std::error::Error for TooLarge {}

fn shown(name: &str) -> String {
    format!("`{}`", printable(name, LONGEST_SHOWN))
}

fn megabytes(bytes: u64) -> String {
    if bytes < 100_000 {
        format!("{bytes} bytes")
    } else {
        format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
    }
}
