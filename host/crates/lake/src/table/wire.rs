//! Commits as they are stored: JSON that people and other programs may read, too.
//!
//! Within a format number, later versions only add members, and readers ignore those they do not know. What would be read
//! wrongly gets the next number, and is refused by versions that do not know it.

use std::{collections::BTreeMap, io};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_model::{
    ledger::Ledger,
    printable::printable,
    schema::{Field, stored::StoredField},
};

use super::{
    audit::AuditRecord,
    commit::{Author, Commit, DataFile, FedBy, Table},
    key::{DataKey, is_table_name},
    range::{KeyPart, KeyRange},
};

/// The format that this version writes, and the newest it reads.
pub(super) const FORMAT: u32 = 1;

/// Why a stored commit cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("its format is {0}, and this version reads {FORMAT}")]
    Newer(u32),
    #[error(transparent)]
    Malformed(#[from] serde_json::Error),
}

#[derive(Deserialize)]
struct Versioned {
    format: u32,
}

#[derive(Serialize, Deserialize)]
struct StoredCommit {
    format: u32,
    number: u64,
    committed: String,
    run: String,
    pipeline: String,
    sluice: String,
    plugins: BTreeMap<String, String>,
    tables: BTreeMap<String, StoredTable>,
}

#[derive(Serialize, Deserialize)]
struct StoredTable {
    run: String,
    pipeline: String,
    streams: Vec<StoredFeed>,
    written: String,
    rows: u64,
    bytes: u64,
    files: Vec<StoredFile>,
    columns: Vec<StoredField>,
}

#[derive(Serialize, Deserialize)]
struct StoredFeed {
    name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ids: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parts: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ledger: Option<StoredLedger>,
    audit: AuditRecord,
}

/// `complete` is for readers of the commit: it follows from the others.
#[derive(Serialize, Deserialize)]
struct StoredLedger {
    before: Option<u64>,
    after: Option<u64>,
    read: u64,
    dropped: u64,
    rejected: u64,
    written: u64,
    #[serde(skip_deserializing)]
    complete: Option<bool>,
}

/// A file of a commit, or of what else is stored here.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredFile {
    path: String,
    rows: u64,
    bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keys: Option<StoredRange>,
}

#[derive(Serialize, Deserialize)]
struct StoredRange {
    least: Vec<StoredKeyPart>,
    greatest: Vec<StoredKeyPart>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StoredKeyPart {
    Integer(i64),
    Text(String),
}

/// Writes the entry of a commit. An error is one of what it is written into.
pub(super) fn write(commit: &Commit, into: impl io::Write) -> serde_json::Result<()> {
    let stored = StoredCommit {
        format: FORMAT,
        number: commit.number,
        committed: commit.committed.to_string(),
        run: commit.author.run.to_string(),
        pipeline: commit.author.pipeline.clone(),
        sluice: commit.author.version.clone(),
        plugins: commit.author.plugins.clone(),
        tables: commit.tables.iter().map(|(name, table)| (name.clone(), store_table(table))).collect(),
    };
    serde_json::to_writer_pretty(into, &stored)
}

/// Writes a table as an entry has it, and nothing else.
pub(super) fn write_table(table: &Table, into: impl io::Write) -> serde_json::Result<()> {
    serde_json::to_writer_pretty(into, &store_table(table))
}

/// Writes a column as an entry has it, and nothing else.
pub(super) fn write_column(column: &Field, into: impl io::Write) -> serde_json::Result<()> {
    serde_json::to_writer_pretty(into, &StoredField::from(column))
}

/// Reads the entry of this number.
pub(super) fn read(number: u64, content: &[u8]) -> Result<Commit, Unreadable> {
    let Versioned { format } = serde_json::from_slice(content)?;
    if format > FORMAT {
        return Err(Unreadable::Newer(format));
    }
    let stored: StoredCommit = serde_json::from_slice(content)?;
    if stored.number != number {
        return Err(custom(format!("it is commit {number} by its key, and {} by what it says", stored.number)).into());
    }
    if number == u64::MAX {
        return Err(custom("no commit could follow it").into());
    }
    if !is_printable(&stored) {
        return Err(custom("a name in it holds signs that no name has").into());
    }
    let tables = stored.tables.into_iter().map(|(name, table)| {
        let table = load_table(&name, table)?;
        Ok((name, table))
    });
    Ok(Commit {
        number: stored.number,
        committed: parse(&stored.committed)?,
        tables: tables.collect::<Result<_, serde_json::Error>>()?,
        author: Author {
            run: parse(&stored.run)?,
            pipeline: stored.pipeline,
            version: stored.sluice,
            plugins: stored.plugins,
        },
    })
}

/// Whether its names can be shown. Whoever can write to the bucket must not steer the terminals of its readers.
fn is_printable(stored: &StoredCommit) -> bool {
    let of_tables = stored.tables.values().flat_map(|table| {
        let columns = table.columns.iter().map(|column| &column.name);
        let streams = table.streams.iter();
        let streams = streams.flat_map(|feed| std::iter::once(&feed.name).chain(&feed.ids).chain(&feed.parts));
        std::iter::once(&table.pipeline).chain(streams).chain(columns)
    });
    let mut names = [&stored.pipeline, &stored.sluice].into_iter().chain(of_tables);
    names.all(|name| printable(name, usize::MAX) == *name)
}

fn store_table(table: &Table) -> StoredTable {
    let files = table.files.iter().map(StoredFile::from);
    let streams = table.streams.iter().map(|fed| StoredFeed {
        name: fed.stream.clone(),
        ids: fed.ids.clone(),
        parts: fed.parts.clone(),
        ledger: fed.ledger.map(StoredLedger::from),
        audit: fed.audit.clone(),
    });
    StoredTable {
        run: table.run.to_string(),
        pipeline: table.pipeline.clone(),
        streams: streams.collect(),
        written: table.written.to_string(),
        rows: table.rows(),
        bytes: table.bytes(),
        files: files.collect(),
        columns: table.columns.iter().map(StoredField::from).collect(),
    }
}

/// Reads a table. Its name and the keys of its files are of no other form than ours: whoever can write to the bucket must
/// not make readers open other files, or run other SQL, than a table's. The files may be of other runs of its pipeline, from
/// which they were taken over.
fn load_table(name: &str, stored: StoredTable) -> Result<Table, serde_json::Error> {
    if !is_table_name(name) {
        return Err(custom("it lists a table whose name no table has"));
    }
    let is_its_own = |key: DataKey| key.table == name && key.pipeline == stored.pipeline;
    if !stored.files.iter().all(|file| DataKey::parse(&file.path).is_some_and(is_its_own)) {
        return Err(custom(format!("table `{name}` lists a file that is none of its own")));
    }
    let files = stored.files.into_iter().map(DataFile::try_from);
    let streams = stored.streams.into_iter().map(|StoredFeed { name, ids, parts, ledger, audit }| FedBy {
        stream: name,
        ids,
        parts,
        ledger: ledger.map(Ledger::from),
        audit,
    });
    Ok(Table {
        run: parse(&stored.run)?,
        written: parse::<Timestamp>(&stored.written)?,
        pipeline: stored.pipeline,
        streams: streams.collect(),
        columns: stored.columns.into_iter().map(Field::try_from).collect::<Result<_, _>>().map_err(custom)?,
        files: files.collect::<Result<_, serde_json::Error>>()?,
    })
}

impl From<Ledger> for StoredLedger {
    fn from(ledger: Ledger) -> Self {
        let Ledger { before, after, read, dropped, rejected, written } = ledger;
        Self { before, after, read, dropped, rejected, written, complete: ledger.is_complete() }
    }
}

impl From<StoredLedger> for Ledger {
    fn from(stored: StoredLedger) -> Self {
        let StoredLedger { before, after, read, dropped, rejected, written, complete: _ } = stored;
        Self { before, after, read, dropped, rejected, written }
    }
}

impl From<&DataFile> for StoredFile {
    fn from(file: &DataFile) -> Self {
        let keys = file.keys.as_ref().map(StoredRange::from);
        Self { path: file.key.clone(), rows: file.rows, bytes: file.bytes, keys }
    }
}

impl TryFrom<StoredFile> for DataFile {
    type Error = serde_json::Error;

    fn try_from(stored: StoredFile) -> Result<Self, serde_json::Error> {
        let keys = stored.keys.map(KeyRange::try_from).transpose()?;
        Ok(Self { key: stored.path, rows: stored.rows, bytes: stored.bytes, keys })
    }
}

impl From<&KeyRange> for StoredRange {
    fn from(range: &KeyRange) -> Self {
        let key = |parts: &[KeyPart]| {
            let stored = parts.iter().cloned().map(|part| match part {
                KeyPart::Integer(value) => StoredKeyPart::Integer(value),
                KeyPart::Text(value) => StoredKeyPart::Text(value),
            });
            stored.collect()
        };
        Self { least: key(range.least()), greatest: key(range.greatest()) }
    }
}

impl TryFrom<StoredRange> for KeyRange {
    type Error = serde_json::Error;

    fn try_from(stored: StoredRange) -> Result<Self, serde_json::Error> {
        let key = |parts: Vec<StoredKeyPart>| {
            let parts = parts.into_iter().map(|part| match part {
                StoredKeyPart::Integer(value) => KeyPart::Integer(value),
                StoredKeyPart::Text(value) => KeyPart::Text(value),
            });
            parts.collect()
        };
        Self::new(key(stored.least), key(stored.greatest)).ok_or_else(|| custom("the keys of a file are no range"))
    }
}

pub(super) fn parse<T>(text: &str) -> Result<T, serde_json::Error>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(custom)
}

pub(super) fn custom(message: impl std::fmt::Display) -> serde_json::Error {
    serde::de::Error::custom(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::change::{
        next,
        tests::{change, run, table},
    };

    fn written(commit: &Commit) -> String {
        let mut content = Vec::new();
        write(commit, &mut content).unwrap();
        String::from_utf8(content).unwrap()
    }

    #[test]
    fn a_commit_reads_back() {
        let commit = next(None, change(&run(1), &["contacts", "deals"]));
        assert_eq!(read(commit.number, written(&commit).as_bytes()).unwrap(), commit);
    }

    #[test]
    fn a_table_may_list_files_that_were_taken_over_from_another_run() {
        let mut change = change(&run(2), &["contacts"]);
        let older = table("contacts", &run(1));
        change.tables.get_mut("contacts").unwrap().feed(older.streams[0].clone(), older.files.clone());
        let commit = next(None, change);
        let listed = &commit.tables["contacts"];
        assert_eq!(listed.run, run(2));
        let taken_over_and_own = [older.files, table("contacts", &run(2)).files].concat();
        assert_eq!(listed.files, taken_over_and_own);
        assert_eq!(read(commit.number, written(&commit).as_bytes()).unwrap(), commit);
    }

    #[test]
    fn the_stored_form_stays() {
        insta::assert_snapshot!(written(&next(None, change(&run(1), &["contacts"]))), @r#"
        {
          "format": 1,
          "number": 1,
          "committed": "2026-11-23T20:20:00Z",
          "run": "20261123T201500Z-00000001",
          "pipeline": "crm",
          "sluice": "0.1.0",
          "plugins": {
            "strip": "sha256:ab"
          },
          "tables": {
            "contacts": {
              "run": "20261123T201500Z-00000001",
              "pipeline": "crm",
              "streams": [
                {
                  "name": "contacts",
                  "ids": [
                    "0-1"
                  ],
                  "ledger": {
                    "before": 10,
                    "after": null,
                    "read": 10,
                    "dropped": 0,
                    "rejected": 0,
                    "written": 10,
                    "complete": true
                  },
                  "audit": {"source":{"sensitive":"exclude","columns":[],"mark":[]},"withheld":[],"transforms":[],"accepts":["phi"],"origins":[],"columns":[]}
                }
              ],
              "written": "2026-11-23T20:15:00Z",
              "rows": 10,
              "bytes": 1000,
              "files": [
                {
                  "path": "contacts/pipeline=crm/run=20261123T201500Z-00000001/part-00000.parquet",
                  "rows": 10,
                  "bytes": 1000,
                  "keys": {
                    "least": [
                      7
                    ],
                    "greatest": [
                      19
                    ]
                  }
                }
              ],
              "columns": [
                {
                  "name": "objectId",
                  "type": "integer",
                  "nullable": false
                },
                {
                  "name": "property_email",
                  "type": "text",
                  "nullable": true,
                  "marks": [
                    "phi"
                  ],
                  "attributes": {
                    "label": "E-mail"
                  }
                }
              ]
            }
          }
        }
        "#);
    }

    #[test]
    fn a_commit_without_a_ledger_is_read() {
        let commit = next(None, change(&run(1), &["contacts"]));
        let (stored, mut older) = (written(&commit), commit);
        let (before, ledger) = stored.split_once("\"ledger\": {").unwrap();
        let stored = format!("{before}{}", ledger.split_once("},").unwrap().1);
        older.tables.get_mut("contacts").unwrap().streams[0].ledger = None;
        assert_eq!(read(1, stored.as_bytes()).unwrap(), older);
    }

    #[test]
    fn a_newer_format_is_refused_and_further_members_are_not() {
        let newer = read(1, br#"{"format": 2, "tables": "elsewhere"}"#).unwrap_err();
        assert_eq!(newer.to_string(), "its format is 2, and this version reads 1");
        let mut stored: serde_json::Value =
            serde_json::from_str(&written(&next(None, change(&run(1), &["contacts"])))).unwrap();
        stored["since"] = "a later version".into();
        stored["tables"]["contacts"]["sorted_by"] = "objectId".into();
        assert!(read(1, stored.to_string().as_bytes()).is_ok());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let good = written(&next(None, change(&run(1), &["contacts"])));
        for (from, to) in [
            ("\"integer\"", "\"money\""),
            ("2026-11-23T20:20:00Z", "today"),
            ("-00000001\"", "\""),
            ("\"contacts\": {", "\"contacts; DROP TABLE x\": {"),
            ("\"path\": \"contacts/", "\"path\": \"deals/"),
            ("\"path\": \"contacts/", "\"path\": \"../contacts/"),
            ("pipeline=crm", "pipeline=sales"),
            ("\"number\": 1,", "\"number\": 7,"),
            ("\"property_email\"", "\"property\\u001b[2J\""),
            ("\"pipeline\": \"crm\"", "\"pipeline\": \"crm\\u202e\""),
            ("part-00000.parquet", "part-00000.parquet'); --"),
            ("\"name\": \"contacts\"", "\"name\": \"contacts\\u001b[2J\""),
            (" 19\n", " 6\n"),
            (" 19\n", " \"19\"\n"),
            (" 19\n", " 7, 19\n"),
            (" 19\n", " 7.5\n"),
        ] {
            assert!(good.contains(from), "{from}");
            assert!(read(1, good.replace(from, to).as_bytes()).is_err(), "{to}");
        }
        assert!(
            read(u64::MAX, good.replace("\"number\": 1,", &format!("\"number\": {},", u64::MAX)).as_bytes()).is_err()
        );
        assert!(read(1, b"{").is_err());
    }
}
