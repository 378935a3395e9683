//! The mapping: from settings and CSV attachments to tables that say what becomes of an id.
//!
//! A mapping is checked whole when the plugin is opened: an id mapped twice, or two ids that would become one and so make
//! two records one, are refused with their places. A message about an attachment names lines, never ids: the file may be
//! secret.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;

use csv::{ReaderBuilder, Trim};
use sluice_guest::{Attachments, Failure, Schema, attribute};

use crate::settings::Settings;

/// What `references` says of columns that hold the ids of what is no CRM object: of owners, of people who may log in, of their
/// teams, of lists.
const NO_OBJECTS: [&str; 4] = ["owner", "user", "team", "list"];

/// How the type ids of an account's own objects begin; those of HubSpot's begin otherwise.
const CUSTOM_TYPE_PREFIX: &str = "2-";

/// The `kind` of a schema of CRM records.
const OBJECTS: &str = "objects";

const TYPES_HEADER: [&str; 2] = ["old_type_id", "new_type_id"];
const RECORDS_HEADER: [&str; 3] = ["object_type_id", "old_id", "new_id"];

/// What becomes of ids and of the names of tables.
#[derive(Debug)]
pub(crate) struct Mapping {
    types: Rc<Ids>,
    /// By what `references` says: an old object type id, or `owner`.
    records: BTreeMap<String, Rc<Ids>>,
    /// By the old object type id.
    tables: BTreeMap<String, String>,
}

/// What becomes of the ids of one kind.
#[derive(Debug)]
pub(crate) struct Ids {
    pub(crate) kind: Kind,
    new_by_old: HashMap<String, String>,
}

/// What ids are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Types,
    Records,
}

impl Mapping {
    pub(crate) fn new(settings: Settings, attachments: &Attachments) -> Result<Self, Failure> {
        check_attachments_are_used(&settings, attachments)?;
        let mut types = Collector::default();
        for (old, new) in settings.types {
            let place = Place::Setting(format!("types.{old}"));
            add_type(&mut types, old, new, place)?;
        }
        if let Some(name) = &settings.types_attachment {
            read_csv(attachments, name, TYPES_HEADER, |[old, new], place| add_type(&mut types, old, new, place))?;
        }

        let mut records: BTreeMap<String, Collector> = BTreeMap::new();
        let mut add = |object_type: String, old, new, place: Place| {
            if !NO_OBJECTS.contains(&object_type.as_str()) && !is_type_id(&object_type) {
                return Err(Failure::settings(format_args!(
                    "{place}: records are mapped by an object type id such as `0-1`, or by `{}`",
                    NO_OBJECTS.join("`, `")
                )));
            }
            records.entry(object_type).or_default().add(old, new, place)
        };
        for (object_type, ids) in settings.records {
            for (old, new) in ids {
                let place = Place::Setting(format!("records.{object_type}.{old}"));
                add(object_type.clone(), old, new, place)?;
            }
        }
        if let Some(name) = &settings.records_attachment {
            read_csv(attachments, name, RECORDS_HEADER, |[object_type, old, new], place| {
                add(object_type, old, new, place)
            })?;
        }

        check_tables(&settings.tables)?;
        let mapping = Self {
            types: Rc::new(types.finish(Kind::Types)),
            records: records.into_iter().map(|(key, ids)| (key, Rc::new(ids.finish(Kind::Records)))).collect(),
            tables: settings.tables,
        };
        if mapping.types.new_by_old.is_empty() && mapping.records.is_empty() && mapping.tables.is_empty() {
            return Err(Failure::settings(
                "there is nothing to remap: give `types`, `records` or `tables`, or an attachment",
            ));
        }
        Ok(mapping)
    }

    /// What becomes of object type ids, where any does change.
    pub(crate) fn types(&self) -> Option<&Rc<Ids>> {
        (!self.types.new_by_old.is_empty()).then_some(&self.types)
    }

    /// What becomes of the ids of records of this type, where any does change.
    pub(crate) fn records(&self, references: &str) -> Option<&Rc<Ids>> {
        self.records.get(references)
    }

    /// The new object type id for an old one, where it changes.
    pub(crate) fn new_type(&self, old: &str) -> Option<&str> {
        self.types.replacement(old)
    }

    /// The name for the table of a stream of CRM records, where it is to have another.
    pub(crate) fn table_for(&self, input: &Schema) -> Option<&str> {
        if input.attributes.get(attribute::KIND) != Some(OBJECTS) {
            return None;
        }
        self.tables.get(input.attributes.get(attribute::OBJECT_TYPE_ID)?).map(String::as_str)
    }
}

impl Ids {
    /// The new id for an old one, where the mapping has it.
    pub(crate) fn replacement(&self, old: &str) -> Option<&str> {
        self.new_by_old.get(old).map(String::as_str)
    }

    /// Whether the mapping should have this id, and has not.
    pub(crate) fn lacks(&self, id: &str) -> bool {
        let is_meant = match self.kind {
            Kind::Types => id.starts_with(CUSTOM_TYPE_PREFIX),
            // An empty part of a list is no id.
            Kind::Records => !id.is_empty(),
        };
        is_meant && !self.new_by_old.contains_key(id)
    }

    /// All old and new ids, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.new_by_old.iter().map(|(old, new)| (old.as_str(), new.as_str()))
    }
}

/// Where an entry of the mapping was written.
#[derive(Clone)]
enum Place {
    Setting(String),
    Line { attachment: Rc<str>, line: u64 },
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting(path) => write!(formatter, "`{path}`"),
            Self::Line { attachment, line } => write!(formatter, "line {line} of `{attachment}`"),
        }
    }
}

/// Gathers the ids of one kind, with their places.
#[derive(Default)]
struct Collector {
    new_by_old: HashMap<String, (String, Place)>,
    places_by_new: HashMap<String, Place>,
}

impl Collector {
    fn add(&mut self, old: String, new: String, place: Place) -> Result<(), Failure> {
        if old.is_empty() || new.is_empty() {
            return Err(Failure::settings(format_args!("{place}: an id is empty")));
        }
        if let Some((_, other)) = self.new_by_old.get(&old) {
            return Err(Failure::settings(format_args!("{place} maps an id that {other} maps already")));
        }
        if let Some(other) = self.places_by_new.insert(new.clone(), place.clone()) {
            return Err(Failure::settings(format_args!(
                "{other} and {place} map two ids to one: two records would become one"
            )));
        }
        self.new_by_old.insert(old, (new, place));
        Ok(())
    }

    fn finish(self, kind: Kind) -> Ids {
        Ids { kind, new_by_old: self.new_by_old.into_iter().map(|(old, (new, _))| (old, new)).collect() }
    }
}

fn add_type(types: &mut Collector, old: String, new: String, place: Place) -> Result<(), Failure> {
    if !is_type_id(&old) || !is_type_id(&new) {
        return Err(Failure::settings(format_args!(
            "{place} does not map an object type id such as `2-12345` to another"
        )));
    }
    types.add(old, new, place)
}

/// Whether this has the form of an object type id: two numbers with a dash between.
fn is_type_id(text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('-').is_some_and(|(meta, own)| is_number(meta) && is_number(own))
}

fn check_tables(tables: &BTreeMap<String, String>) -> Result<(), Failure> {
    if let Some(object_type) = tables.keys().find(|object_type| !is_type_id(object_type)) {
        return Err(Failure::settings(format_args!(
            "`tables.{object_type}` is not named by an object type id such as `2-12345`"
        )));
    }
    let mut by_name = HashMap::new();
    for (object_type, table) in tables {
        if let Some(other) = by_name.insert(table.to_ascii_lowercase(), object_type) {
            return Err(Failure::settings(format_args!(
                "`tables.{other}` and `tables.{object_type}` give two tables the name `{table}`"
            )));
        }
    }
    Ok(())
}

fn check_attachments_are_used(settings: &Settings, attachments: &Attachments) -> Result<(), Failure> {
    let used = [settings.types_attachment.as_deref(), settings.records_attachment.as_deref()];
    match attachments.names().find(|name| !used.contains(&Some(name))) {
        Some(name) => Err(Failure::settings(format_args!(
            "attachment `{name}` has no use: name it with `types_attachment` or `records_attachment`"
        ))),
        None => Ok(()),
    }
}

/// Reads an attachment line by line. Its header must be the one given.
fn read_csv<const COLUMNS: usize>(
    attachments: &Attachments,
    name: &str,
    header: [&str; COLUMNS],
    mut add: impl FnMut([String; COLUMNS], Place) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let attachment: Rc<str> = name.into();
    let bytes = attachments.bytes(name)?;
    let refuse = |error: &csv::Error| {
        let line = line_of(error.position(), bytes);
        let problem = match error.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("has {len} values instead of {expected_len}")
            }
            csv::ErrorKind::Utf8 { .. } => "is not UTF-8".to_owned(),
            _ => "cannot be read".to_owned(),
        };
        Failure::settings(format_args!("line {line} of `{name}` {problem}"))
    };
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(bytes);
    if !reader.headers().map_err(|error| refuse(&error))?.iter().eq(header) {
        return Err(Failure::settings(format_args!("line 1 of `{name}` is not `{}`", header.join(","))));
    }
    for record in reader.into_records() {
        let record = record.map_err(|error| refuse(&error))?;
        let line = line_of(record.position(), bytes);
        add(
            std::array::from_fn(|index| record.get(index).unwrap_or_default().to_owned()),
            Place::Line { attachment: Rc::clone(&attachment), line },
        )?;
    }
    Ok(())
}

/// The line a record stands in. The reader's own position is that of the blank lines before it.
fn line_of(position: Option<&csv::Position>, bytes: &[u8]) -> u64 {
    let Some(position) = position else { return 1 };
    let rest = bytes.get(position.byte() as usize..).unwrap_or_default();
    let blank = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|byte| **byte == b'\n').count();
    position.line() + blank as u64
}
