//! What a run changes, and how the next commit follows from the last.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sluice_model::schema::Field;

use super::commit::{Author, Commit, DataFile, FedBy, Table};

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

impl Change {
    /// A change of nothing, so far.
    pub fn by(author: Author, committed: Timestamp) -> Self {
        Self { author, committed, tables: BTreeMap::new(), retired: BTreeSet::new() }
    }

    /// A table that this run has written, with its columns: of no stream and without files, until it is fed. One that is
    /// there already is the same table, which another stream feeds.
    pub fn write(&mut self, name: &str, columns: Vec<Field>) -> &mut Table {
        let table = self.tables.entry(name.to_owned()).or_insert_with(|| Table {
            run: self.author.run.clone(),
            pipeline: self.author.pipeline.clone(),
            streams: Vec::new(),
            written: self.committed,
            columns: Vec::new(),
            files: Vec::new(),
        });
        table.columns = columns;
        table
    }
}

impl Table {
    /// Adds what a stream, or a part of one, has brought to the table. A stream may come several times: the table has all its
    /// parts and files.
    pub fn feed(&mut self, by: FedBy, files: Vec<DataFile>) {
        match self.streams.iter_mut().find(|known| known.stream == by.stream) {
            Some(known) => {
                let more = |known: &mut Vec<String>, more: Vec<String>| {
                    let new: Vec<String> = more.into_iter().filter(|it| !known.contains(it)).collect();
                    known.extend(new);
                };
                more(&mut known.ids, by.ids);
                more(&mut known.parts, by.parts);
                known.ledger = by.ledger.or(known.ledger);
            }
            None => self.streams.push(by),
        }
        self.files.extend(files);
        self.files.sort_by(|one, other| one.key.cmp(&other.key));
    }
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
    use sluice_model::{
        audit::Audit,
        ledger::Ledger,
        run_id::RunId,
        schema::{ColumnType, Marks, attribute},
    };

    use super::*;
    use crate::table::{
        audit::AuditRecord,
        key::DataKey,
        range::{KeyPart, KeyRange},
    };

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
            streams: vec![FedBy {
                stream: name.to_owned(),
                ids: vec!["0-1".to_owned()],
                parts: Vec::new(),
                ledger: Some(Ledger { before: Some(10), read: 10, written: 10, ..Ledger::default() }),
                audit: AuditRecord::of(&Audit { accepts: Marks::from(["phi".parse().unwrap()]), ..Audit::default() }),
            }],
            written: "2026-11-23T20:15:00Z".parse().unwrap(),
            columns: vec![Field::new("objectId", ColumnType::Integer).required(), email],
            files: vec![DataFile {
                key: DataKey { table: name.to_owned(), pipeline: "crm".to_owned(), run: run.clone(), part: 0 }.format(),
                rows: 10,
                bytes: 1000,
                keys: KeyRange::new(vec![KeyPart::Integer(7)], vec![KeyPart::Integer(19)]),
            }],
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
    fn a_table_has_all_that_its_streams_and_their_slices_have_brought() {
        let file = |part| DataFile { key: format!("t/part-{part:05}"), rows: 1, bytes: 10, keys: None };
        let fed = |stream: &str, parts: &[&str]| FedBy {
            stream: stream.to_owned(),
            ids: vec![format!("id of {stream}")],
            parts: parts.iter().map(|part| (*part).to_owned()).collect(),
            ledger: None,
            audit: AuditRecord::of(&Audit { withheld: vec![format!("withheld from {stream}")], ..Audit::default() }),
        };
        let mut made = Change::by(change(&run(1), &[]).author, "2026-11-23T20:20:00Z".parse().unwrap());
        assert_eq!(made, change(&run(1), &[]));
        let columns = || vec![Field::new("objectId", ColumnType::Integer)];
        made.write("t", columns()).feed(fed("contacts", &["0-1"]), vec![file(2)]);
        let table = made.write("t", columns());
        table.feed(fed("deals", &[]), vec![file(0), file(3)]);
        table.feed(fed("contacts", &["0-1", "0-2"]), vec![file(1)]);
        let table = &made.tables["t"];
        assert_eq!(table.columns, columns());
        assert_eq!(table.streams, [fed("contacts", &["0-1", "0-2"]), fed("deals", &[])]);
        assert_eq!(table.files, [0, 1, 2, 3].map(file));
        assert_eq!((&table.run, table.pipeline.as_str(), table.written), (&run(1), "crm", made.committed));
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
