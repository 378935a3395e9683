//! A transform of the pipeline file, with all that is known of it before any stream is looked at.
//!
//! Whoever loads plugins makes these, once; from there on, planning, guarding, running and reporting take what they need of a
//! transform from here, and nothing goes back to the file.

use std::{collections::BTreeSet, path::PathBuf};

use sluice_model::{
    digest::Digest,
    limits::Limits,
    problem::Place,
    schema::{Mark, Marks},
    stream::StreamInfo,
};

use crate::{
    rules::{Placed, any_governs},
    spec::{ClearedColumn, LimitsSpec, OnReject, Spec, TransformSpec},
};

/// A transform, as far as the file and its plugin say.
#[derive(Debug)]
pub struct Transform {
    /// Its name.
    pub name: String,
    /// Where the name stands in the file.
    pub place: Option<Place>,
    /// The name of its plugin.
    pub plugin: String,
    /// The digest of its plugin's file.
    pub digest: Digest,
    /// Its settings, as the plugin gets them: a JSON object.
    pub settings: String,
    /// Its attachments.
    pub attachments: Vec<Attached>,
    /// What each instance of its plugin may use up.
    pub limits: Limits,
    /// What happens to rows that it rejects.
    pub on_reject: OnReject,
    /// What it is trusted to clear.
    pub clears: Vec<Clears>,
    /// The marks by which it may choose rows, and where each stands in the file.
    pub clears_rows: Vec<(Mark, Option<Place>)>,
    /// The streams it is for.
    pub(super) streams: Vec<Placed>,
    /// All texts in its settings.
    texts: BTreeSet<String>,
    /// Texts that stand together in its settings: a key and its value, or two values of one table.
    pairs: BTreeSet<(String, String)>,
}

/// An attachment. Its content is the plugin's alone.
#[derive(Debug, Clone)]
pub struct Attached {
    /// Its name.
    pub name: String,
    /// Where it is from.
    pub from: AttachedFrom,
    /// Its marks.
    pub marks: Marks,
    /// The digest of its content; of a marked one there is none, since whoever can guess a short secret could check the guess.
    pub digest: Option<Digest>,
}

/// Where an attachment is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachedFrom {
    /// A file, without links in its path; from the folder of the pipeline file on, if it is in there.
    File(PathBuf),
    /// A secret in an environment variable.
    Variable(String),
    /// A secret in a file: where that is or, where secrets are not read, as it stands in the pipeline file.
    SecretFile(PathBuf),
}

/// A column that a transform is trusted to remove a mark from.
#[derive(Debug, Clone)]
pub struct Clears {
    /// The column.
    pub column: ClearedColumn,
    /// The mark.
    pub mark: Mark,
    /// Where the column is named in the file.
    pub place: Option<Place>,
}

/// What is known of a transform's plugin once it is loaded.
#[derive(Debug)]
pub struct LoadedPlugin {
    /// Its name.
    pub name: String,
    /// The digest of its file.
    pub digest: Digest,
    /// The settings that it is given, as JSON.
    pub settings: String,
    /// The attachments that it is given.
    pub attachments: Vec<Attached>,
}

impl Transform {
    /// Joins what the file says with what is known of the plugin.
    pub fn new(spec: &Spec, transform: &TransformSpec, plugin: LoadedPlugin) -> Self {
        let clears = transform.clears.iter().flat_map(|(mark, columns)| {
            columns.iter().map(|column| Clears {
                column: column.get_ref().clone(),
                mark: mark.0.clone(),
                place: spec.place(column),
            })
        });
        let (mut texts, mut pairs) = (BTreeSet::new(), BTreeSet::new());
        add_pairs(&transform.settings, &mut pairs);
        transform.settings.values().for_each(|value| add_texts(value, &mut texts, &mut pairs));
        Self {
            name: transform.name.get_ref().as_str().to_owned(),
            place: spec.place(&transform.name),
            plugin: plugin.name,
            digest: plugin.digest,
            settings: plugin.settings,
            attachments: plugin.attachments,
            limits: limits(&transform.limits),
            on_reject: transform.on_reject,
            clears: clears.collect(),
            clears_rows: transform
                .clears_rows
                .iter()
                .map(|mark| (mark.get_ref().0.clone(), spec.place(mark)))
                .collect(),
            streams: Placed::all(spec, &transform.streams),
            texts,
            pairs,
        }
    }

    /// Whether it is for a stream. What is for records is for what they were before.
    pub fn takes(&self, stream: &StreamInfo) -> bool {
        any_governs(&self.streams, stream)
    }

    /// The marks of everything that is computed with its attachments.
    pub fn attachment_marks(&self) -> Marks {
        self.attachments.iter().flat_map(|attachment| attachment.marks.iter().cloned()).collect()
    }

    /// Whether a text stands anywhere in its settings.
    pub(super) fn says(&self, text: &str) -> bool {
        self.texts.contains(text)
    }

    /// Whether its settings give a column another name: `old = "new"`, or both in one table, `{ column = "old", as = "new" }`.
    pub(super) fn renames(&self, old: &str, new: &str) -> bool {
        self.pairs.contains(&(old.to_owned(), new.to_owned()))
    }
}

impl Clears {
    /// Whether its column can be one of this stream.
    pub(super) fn is_of(&self, stream: &StreamInfo) -> bool {
        let mut names = stream.names().chain(stream.names_of_records());
        self.column.stream.as_deref().is_none_or(|named| names.any(|name| name == named))
    }
}

fn limits(spec: &LimitsSpec) -> Limits {
    let defaults = Limits::default();
    Limits {
        memory: spec.memory.map_or(defaults.memory, |size| size.0),
        fuel_base: spec.fuel_base.unwrap_or(defaults.fuel_base),
        fuel_per_row: spec.fuel_per_row.unwrap_or(defaults.fuel_per_row),
        fuel_per_byte: spec.fuel_per_byte.unwrap_or(defaults.fuel_per_byte),
        timeout: spec.timeout.map(|span| span.0),
        result_bytes: spec.result.map_or(defaults.result_bytes, |size| size.0),
        ..defaults
    }
}

/// All texts in a value, keys of tables included, and those of its tables that stand together.
fn add_texts(value: &toml::Value, texts: &mut BTreeSet<String>, pairs: &mut BTreeSet<(String, String)>) {
    match value {
        toml::Value::String(text) => {
            texts.insert(text.clone());
        }
        toml::Value::Array(values) => values.iter().for_each(|value| add_texts(value, texts, pairs)),
        toml::Value::Table(table) => {
            add_pairs(table, pairs);
            for (key, value) in table {
                texts.insert(key.clone());
                add_texts(value, texts, pairs);
            }
        }
        toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) | toml::Value::Datetime(_) => {}
    }
}

/// Texts of a table that stand together: each key with its value, and its two values, if it has no more. More are a list, in
/// which everything would stand together with everything.
fn add_pairs(table: &toml::Table, pairs: &mut BTreeSet<(String, String)>) {
    let said = || table.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
    pairs.extend(said());
    let values: Vec<String> = said().map(|(_, value)| value).collect();
    if let [one, other] = &values[..] {
        pairs.extend([(one.clone(), other.clone()), (other.clone(), one.clone())]);
    }
}
