//! What stands in the tables of a bucket, as its newest commit lists them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::{Field, Row},
};
use sluice_lake::{
    bucket::Bucket,
    table::{CommitLog, Commits},
};

/// The column with the time of reading, which differs from run to run.
const READ_AT: &str = "ingestedAt";

/// The newest commit and its tables, byte for byte.
#[derive(PartialEq)]
pub(crate) struct Tables {
    /// The number of the newest commit; 0 where there is none.
    pub(crate) commit: u64,
    /// The commit itself, and the files that it lists, by their keys.
    objects: BTreeMap<String, Bytes>,
    /// The keys of the files of each table.
    files: BTreeMap<String, Vec<String>>,
}

impl Tables {
    /// Reads all of them; fails where a file that is listed is not there.
    pub(crate) async fn of(bucket: &Bucket) -> Self {
        let Some(commit) = CommitLog::of(bucket).latest().await.unwrap() else {
            return Self { commit: 0, objects: BTreeMap::new(), files: BTreeMap::new() };
        };
        let mut objects = BTreeMap::new();
        let mut files = BTreeMap::new();
        for (name, table) in &commit.tables {
            let keys: Vec<String> = table.files.iter().map(|file| file.key.clone()).collect();
            for key in &keys {
                let content = bucket.get(key).await.unwrap();
                objects.insert(key.clone(), content.unwrap_or_else(|| panic!("`{key}` is listed, and not there")));
            }
            files.insert(name.clone(), keys);
        }
        let own = bucket.list("_sluice/commits").await.unwrap().pop().unwrap().key;
        objects.insert(own.clone(), bucket.get(&own).await.unwrap().unwrap());
        Self { commit: commit.number, objects, files }
    }

    /// The rows of all tables as text, but for the time of reading.
    pub(crate) fn rows(&self) -> BTreeSet<String> {
        let all = self.files.keys().flat_map(|table| self.rows_of(table).map(move |row| (table, row)));
        all.map(|(table, row)| {
            let values = row.get_column_iter().filter(|(name, _)| *name != READ_AT);
            let values: Vec<String> = values.map(|(name, value)| format!("{name}={value}")).collect();
            format!("{table}: {}", values.join(" "))
        })
        .collect()
    }

    /// What stands in these columns of each row of a table, all of text, in the order of the rows' ids.
    pub(crate) fn texts(&self, table: &str, columns: &[&str]) -> Vec<Vec<Option<String>>> {
        let mut rows: Vec<Vec<Option<String>>> =
            self.rows_of(table).map(|row| columns.iter().map(|column| text(&row, column)).collect()).collect();
        rows.sort();
        rows
    }

    /// The size of the largest file.
    pub(crate) fn largest(&self) -> usize {
        self.objects.values().map(Bytes::len).max().unwrap_or_default()
    }

    fn rows_of(&self, table: &str) -> impl Iterator<Item = Row> {
        self.files[table].iter().flat_map(|key| {
            let file = SerializedFileReader::new(self.objects[key].clone()).unwrap();
            let rows: Vec<Row> = file.get_row_iter(None).unwrap().map(Result::unwrap).collect();
            rows
        })
    }
}

fn text(row: &Row, column: &str) -> Option<String> {
    let (_, value) = row.get_column_iter().find(|(name, _)| *name == column).unwrap();
    match value {
        Field::Null => None,
        Field::Str(text) => Some(text.clone()),
        other => panic!("`{column}` is {other:?}, and no text"),
    }
}
