//! What a commit says, and how the next one follows from the last.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sluice_model::{audit::Audit, run_id::RunId, schema::Field};

/// One entry of the commit log: all tables as of one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// Its number; the first is 1.
    pub number: u64,
    /// When it was made.
    pub committed: Timestamp,
    /// Which run made it, and with what.
    pub author: Author,
    /// Every table that a reader sees, by name.
    pub tables: BTreeMap<String, Table>,
}

/// Which run made a commit, and with what.
#[derive(Debug, Clone, PartialEq)]
pub struct Author {
    /// The run.
    pub run: RunId,
    /// Its pipeline.
    pub pipeline: String,
    /// The version of sluice.
    pub version: String,
    /// The digests of the plugins, by the names of their transforms.
    pub plugins: BTreeMap<String, String>,
}

/// A table as a commit lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The run that wrote it. Older than the commit's own where the table was carried over.
    pub run: RunId,
    /// The pipeline whose table it is.
    pub pipeline: String,
    /// The stream whose rows it holds.
    pub stream: String,
    /// The other names of that stream, by which a pipeline file may speak of it.
    pub stream_ids: Vec<String>,
    /// What its stream is made of, where it is made of the lists of several object types: the ids of those it has rows of.
    pub parts: Vec<String>,
    /// When it was written.
    pub written: Timestamp,
    /// Its columns, in order.
    pub columns: Vec<Field>,
    /// Its files, in order. None for a table without rows.
    pub files: Vec<DataFile>,
    /// What let which columns pass: the audit record, as the run that wrote the table made it.
    pub audit: Audit,
}

impl Table {
    /// The rows in all its files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// The bytes of all its files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// One file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Its key in the bucket, without the bucket's prefix.
    pub key: String,
    /// Its rows.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
}

/// What one run changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Who makes it.
    pub author: Author,
    /// When it is made.
    pub committed: Timestamp,
    /// The tables it has written, whole. They replace those of the same name.
    pub tables: BTreeMap<String, Table>,
    /// Tables that are not listed any more. All others stay as they are.
    pub retired: BTreeSet<String>,
}

/// The commit that a change makes of the one it is based on; of nothing, for the first.
pub fn next(base: Option<&Commit>, change: Change) -> Commit {
    let mut tables = base.map(|base| base.tables.clone()).unwrap_or_default();
    tables.retain(|name, _| !change.retired.contains(name));
    tables.extend(change.tables);
    Commit {
        number: base.map_or(1, |base| base.number + 1),
        committed: change.committed,
        author: change.author,
        tables,
    }
}

/// Why a change that was made on one commit may not be made on a newer one as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// The newer one is by the pipeline of the change.
    OwnPipeline,
    /// This table, which the change writes or retires, is not what it was.
    Table(String),
}

/// What a commit that is newer than `base` has against a change that was made on `base`. To be asked of all newer ones. Case
/// does not count in the names of tables: there are readers to whom it does not.
pub(super) fn obstacle(base: Option<&Commit>, change: &Change, newer: &Commit) -> Option<Obstacle> {
    if newer.author.pipeline == change.author.pipeline {
        return Some(Obstacle::OwnPipeline);
    }
    let is_as_it_was = |name: &String| {
        let of_name = |(other, _): &(&String, &Table)| other.eq_ignore_ascii_case(name);
        let before = base.into_iter().flat_map(|base| &base.tables).filter(of_name);
        before.eq(newer.tables.iter().filter(of_name))
    };
    let mut names = change.tables.keys().chain(&change.retired);
    names.find(|name| !is_as_it_was(name)).map(|name| Obstacle::Table(name.clone()))
}

#[cfg(test)]
pub(super) mod tests {
    use sluice_model::schema::{ColumnType, Marks, attribute};

    use super::*;
    use crate::table::key::DataKey;

    pub(in crate::table) fn run(number: u32) -> RunId {
        format!("20261123T201500Z-{number:08x}").parse().unwrap()
    }

    /// A table of one file that a run of pipeline `crm` wrote.
    pub(in crate::table) fn table(name: &str, run: &RunId) -> Table {
        let mut email = Field::new("property_email", ColumnType::Text).with(attribute::LABEL, "E-mail");
        email.marks.insert("phi".parse().unwrap());
        Table {
            run: run.clone(),
            pipeline: "crm".to_owned(),
            stream: name.to_owned(),
            stream_ids: vec!["0-1".to_owned()],
            parts: Vec::new(),
            written: "2026-11-23T20:15:00Z".parse().unwrap(),
            columns: vec![Field::new("objectId", ColumnType::Integer).required(), email],
            files: vec![DataFile {
                key: DataKey { table: name.to_owned(), pipeline: "crm".to_owned(), run: run.clone(), part: 0 }.format(),
                rows: 10,
                bytes: 1000,
            }],
            audit: Audit { accepts: Marks::from(["phi".parse().unwrap()]), ..Audit::default() },
        }
    }

    /// The same change by another pipeline.
    pub(in crate::table) fn by(pipeline: &str, mut change: Change) -> Change {
        for (name, table) in &mut change.tables {
            table.pipeline = pipeline.to_owned();
            for (part, file) in (0..).zip(&mut table.files) {
                let (table, pipeline) = (name.clone(), pipeline.to_owned());
                file.key = DataKey { table, pipeline, run: change.author.run.clone(), part }.format();
            }
        }
        change.author.pipeline = pipeline.to_owned();
        change
    }

    /// A change by a run of pipeline `crm` that wrote these tables.
    pub(in crate::table) fn change(run: &RunId, tables: &[&str]) -> Change {
        Change {
            author: Author {
                run: run.clone(),
                pipeline: "crm".to_owned(),
                version: "0.1.0".to_owned(),
                plugins: BTreeMap::from([("strip".to_owned(), "sha256:ab".to_owned())]),
            },
            committed: "2026-11-23T20:20:00Z".parse().unwrap(),
            tables: tables.iter().map(|name| ((*name).to_owned(), table(name, run))).collect(),
            retired: BTreeSet::new(),
        }
    }

    #[test]
    fn the_first_commit_is_number_one_and_holds_what_was_written() {
        let first = next(None, change(&run(1), &["contacts", "deals"]));
        assert_eq!(first.number, 1);
        assert_eq!(first.tables.keys().collect::<Vec<_>>(), ["contacts", "deals"]);
    }

    #[test]
    fn tables_that_a_run_did_not_write_are_carried_over_as_they_were() {
        let first = next(None, change(&run(1), &["contacts", "deals"]));
        let second = next(Some(&first), change(&run(2), &["deals", "owners"]));
        assert_eq!(second.number, 2);
        assert_eq!(second.author.run, run(2));
        let writers: Vec<_> = second.tables.iter().map(|(name, table)| (name.as_str(), table.run.clone())).collect();
        assert_eq!(writers, [("contacts", run(1)), ("deals", run(2)), ("owners", run(2))]);
        assert_eq!(second.tables["contacts"], first.tables["contacts"]);
    }

    #[test]
    fn a_retired_table_is_not_listed_any_more() {
        let first = next(None, change(&run(1), &["contacts", "deals"]));
        let retires = Change { retired: BTreeSet::from(["deals".to_owned()]), ..change(&run(2), &["contacts"]) };
        assert_eq!(next(Some(&first), retires).tables.keys().collect::<Vec<_>>(), ["contacts"]);
        assert!(first.tables.contains_key("deals"));
    }

    fn retiring(mut change: Change, tables: &[&str]) -> Change {
        change.retired = tables.iter().map(|name| (*name).to_owned()).collect();
        change
    }

    #[test]
    fn a_change_may_follow_whatever_has_nothing_to_do_with_its_tables() {
        let base = next(None, change(&run(1), &["contacts", "deals"]));
        let newer = next(Some(&base), by("sales", change(&run(2), &["owners", "contacts_2"])));
        let late = retiring(change(&run(3), &["contacts"]), &["deals"]);
        assert_eq!(obstacle(Some(&base), &late, &newer), None);
        // Of an empty log, too.
        let first = next(None, by("sales", change(&run(2), &["owners"])));
        assert_eq!(obstacle(None, &change(&run(3), &["contacts"]), &first), None);
        assert_eq!(obstacle(None, &change(&run(3), &[]), &first), None);
    }

    #[test]
    fn a_change_may_not_follow_another_of_its_pipeline_even_one_of_nothing() {
        let base = next(None, change(&run(1), &["contacts"]));
        for tables in [&["owners"][..], &[]] {
            let newer = next(Some(&base), change(&run(2), tables));
            let late = change(&run(3), &["contacts"]);
            assert_eq!(obstacle(Some(&base), &late, &newer), Some(Obstacle::OwnPipeline), "{tables:?}");
        }
    }

    #[test]
    fn a_change_may_not_follow_one_of_a_table_that_it_writes_or_retires() {
        let base = next(None, change(&run(1), &["contacts", "deals"]));
        let written = next(Some(&base), by("sales", change(&run(2), &["deals"])));
        let retired = next(Some(&base), retiring(by("sales", change(&run(2), &[])), &["deals"]));
        let added = next(Some(&base), by("sales", change(&run(2), &["Owners", "DEALS"])));
        let late = change(&run(3), &["contacts", "deals", "owners"]);
        let late_without_deals = retiring(change(&run(3), &["contacts"]), &["deals"]);
        let meets = |table: &str| Some(Obstacle::Table(table.to_owned()));
        for newer in [written, retired, added] {
            assert_eq!(obstacle(Some(&base), &late, &newer), meets("deals"), "{newer:?}");
            assert_eq!(obstacle(Some(&base), &late_without_deals, &newer), meets("deals"), "{newer:?}");
        }
        let added = next(None, by("sales", change(&run(2), &["OWNERS"])));
        assert_eq!(obstacle(None, &change(&run(3), &["owners"]), &added), meets("owners"));
    }
}
