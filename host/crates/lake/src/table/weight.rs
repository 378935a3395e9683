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
    tables: Vec<Weight>,
}

/// What a table or a column weighs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Weight {
    name: String,
    bytes: u64,
    columns: Vec<Weight>,
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
        let of_table = |(name, table): (&String, &Table)| Weight {
            name: name.clone(),
            bytes: counted(|counted| wire::write_table(table, counted)),
            columns: Vec::new(),
        };
        let mut tables = heaviest(commit.tables.iter().map(of_table));
        // What is next to nothing of it is not worth a word, unless there is nothing but that.
        let worth_a_word = tables.partition_point(|table| table.bytes > bytes / 20);
        tables.truncate(worth_a_word.max(1));
        for weight in &mut tables {
            let columns = &commit.tables[&weight.name].columns;
            weight.columns = heaviest(columns.iter().map(|column| Weight {
                name: column.name.clone(),
                bytes: counted(|counted| wire::write_column(column, counted)),
                columns: Vec::new(),
            }));
        }
        Self { bytes, tables }
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
        for (index, Weight { name, bytes, columns }) in self.tables.iter().enumerate() {
            let before = if index == 0 { "; of it" } else { "," };
            write!(formatter, "{before} table `{}` has {}", printable(name, LONGEST_SHOWN), megabytes(*bytes))?;
            let columns = columns
                .iter()
                .map(|column| format!("`{}` {}", printable(&column.name, LONGEST_SHOWN), megabytes(column.bytes)));
            write!(formatter, " (of its columns, {})", columns.collect::<Vec<_>>().join(", "))?;
        }
        Ok(())
    }
}

impl std::error::Error for TooLarge {}

fn megabytes(bytes: u64) -> String {
    if bytes < 100_000 {
        format!("{bytes} bytes")
    } else {
        format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
    }
}
