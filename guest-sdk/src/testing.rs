//! Runs a plugin natively, as a host would: for `cargo test`, no WebAssembly involved.
//!
//! ```
//! use serde_json::json;
//! use sluice_guest::prelude::*;
//! use sluice_guest::{serde_json, testing};
//! # struct Shout;
//! # impl Plugin for Shout {
//! #     type Settings = NoSettings;
//! #     fn open(_: NoSettings, _: Attachments) -> Result<Self, Failure> { Ok(Self) }
//! #     fn outline(&self, input: &Schema) -> Result<Outline, Failure> {
//! #         let mut outline = Outline::keep_all(input);
//! #         outline.map_text("name", |name| Some(name.to_uppercase()))?;
//! #         Ok(outline)
//! #     }
//! # }
//!
//! let schema = Schema::new("contacts").with(Field::new("name", DataType::Text));
//! let report = testing::plugin::<Shout>(json!({})).run(&schema, &[json!({"name": "Ada"}), json!({})]).unwrap();
//! assert_eq!(report.rows, [json!({"name": "ADA"}), json!({"name": null})]);
//! assert_eq!(report.reads("name"), ["name"]);
//! ```
//!
//! A run opens the plugin, takes its outline, gives each group only the columns it reads, checks all that comes back
//! against the contract, and puts the output together. Then it does the same once more on a fresh instance, row by row,
//! and compares: an outline that changes, or a row whose outcome depends on other rows, is an error.
//!
//! What only a real host has is not here: the limits of time and memory, and the rules about marks and keys.

use std::fmt;

use serde_json::{Map, Value};

use crate::instance::Instance;
use crate::{Failure, Field, Plugin, Schema, contract, log};

mod check;
mod json;

/// A plugin with its settings, ready to run.
#[derive(Clone)]
pub struct Harness {
    open: fn(&str, Vec<contract::Attachment>) -> Result<Instance, Failure>,
    settings: String,
    attachments: Vec<contract::Attachment>,
}

/// What became of some rows.
#[derive(Clone, Debug)]
pub struct Report {
    /// The name of the table.
    pub table: String,
    /// Its columns. A computed column has the marks of all columns its group reads, as a host sees to it.
    pub fields: Vec<Field>,
    /// The rows that passed. A null is `null`, a date `"2026-09-01"`, a timestamp `"2026-09-01T12:30:00.000000Z"`.
    pub rows: Vec<Value>,
    /// Indices of the input rows that were filtered out.
    pub dropped: Vec<usize>,
    /// The input rows that were rejected.
    pub rejected: Vec<Rejected>,
    /// What the plugin wrote to the log, level and message.
    pub log: Vec<(&'static str, String)>,
    lineage: Vec<Vec<String>>,
    chosen_by: Vec<String>,
}

/// A row that was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Index of the row in the input.
    pub row: usize,
    /// One of the codes that the outline declares.
    pub code: String,
    /// The plugin's words.
    pub message: String,
}

/// Why a plugin could not be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The plugin refused, in its own words.
    Failure(Failure),
    /// The plugin broke the contract. A host would end the run.
    Contract(String),
    /// The test's own rows do not fit its schema.
    Rows(String),
}

/// A plugin with settings, as JSON.
#[expect(clippy::needless_pass_by_value, reason = "a test hands over what `json!` makes")]
pub fn plugin<P: Plugin>(settings: Value) -> Harness {
    Harness { open: Instance::open::<P>, settings: settings.to_string(), attachments: Vec::new() }
}

impl Harness {
    /// Adds an attachment.
    #[must_use]
    pub fn attach(mut self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.attachments.push(contract::Attachment { name: name.to_owned(), bytes: bytes.as_ref().to_vec() });
        self
    }

    /// What the plugin makes of these rows, each an object with a value for each column; what is missing is a null.
    ///
    /// # Errors
    /// What the plugin refuses, and what breaks the contract.
    pub fn run(&self, schema: &Schema, rows: &[Value]) -> Result<Report, Error> {
        log::take();
        let first = self.open(schema)?;
        let whole = if rows.is_empty() { Passed::default() } else { first.apply(rows)? };
        let log = log::take();

        let second = self.open(schema)?;
        if first.outline != second.outline {
            return Err(Error::Contract("the outline of a second instance differs from that of the first".to_owned()));
        }
        let mut one_by_one = Passed::default();
        for (index, row) in rows.iter().enumerate() {
            one_by_one.append(second.apply(std::slice::from_ref(row))?, index);
        }
        if let Some(row) = whole.first_difference(&one_by_one) {
            return Err(Error::Contract(format!(
                "the outcome for row {row} changes when it is the only row of its batch"
            )));
        }
        Ok(first.report(whole, log))
    }

    fn open(&self, schema: &Schema) -> Result<Opened, Error> {
        let mut instance = (self.open)(&self.settings, self.attachments.clone())?;
        let outline = instance.outline_of(schema.clone().into())?;
        check::outline(&outline, schema).map_err(Error::Contract)?;
        Ok(Opened { instance, outline, schema: schema.clone() })
    }
}

impl Report {
    /// The input columns that a column of the output can depend on.
    ///
    /// # Panics
    /// Where the output has no such column.
    #[track_caller]
    pub fn reads(&self, column: &str) -> &[String] {
        let at = self.fields.iter().position(|field| field.name == column);
        &self.lineage[at.unwrap_or_else(|| panic!("the output has no column `{column}`"))]
    }

    /// The input columns that the choice of rows can depend on.
    pub fn chosen_by(&self) -> &[String] {
        &self.chosen_by
    }

    /// The names of the output's columns.
    pub fn columns(&self) -> Vec<&str> {
        self.fields.iter().map(|field| field.name.as_str()).collect()
    }

    /// The column of the output with this name.
    pub fn field(&self, column: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == column)
    }
}

/// An instance with its outline.
struct Opened {
    instance: Instance,
    outline: contract::Outline,
    schema: Schema,
}

/// What became of each row: in input order, each with its index in the input.
#[derive(Default, PartialEq)]
struct Passed {
    rows: Vec<(usize, Value)>,
    dropped: Vec<usize>,
    rejected: Vec<Rejected>,
}

impl Opened {
    fn apply(&self, rows: &[Value]) -> Result<Passed, Error> {
        let columns = (self.schema.fields.iter())
            .map(|field| json::to_column(field, rows))
            .collect::<Result<Vec<_>, _>>()
            .map_err(Error::Rows)?;
        let mut keep = vec![true; rows.len()];
        let mut rejected = Vec::new();
        let mut computed = Vec::new();
        for (group, reads) in self.outline.groups.iter().enumerate() {
            let reads = reads.iter().map(|index| columns[*index as usize].clone()).collect();
            let outcome = self.instance.apply(group as u32, rows.len() as u32, reads)?;
            check::outcome(&outcome, &self.outline, group, rows.len()).map_err(Error::Contract)?;
            if !outcome.keep.is_empty() {
                keep.iter_mut().enumerate().for_each(|(row, keep)| *keep = crate::bitmap::bit(&outcome.keep, row));
            }
            rejected.extend(outcome.rejections);
            computed.push(outcome.computed.into_iter());
        }
        let mut output = Vec::new();
        for (field, column) in self.fields().iter().zip(&self.outline.outputs) {
            let column = match column {
                contract::Output::Keep(kept) => Some(columns[kept.input as usize].clone()),
                contract::Output::Compute(column) => computed[column.group as usize].next(),
            };
            let column = column.ok_or_else(|| Error::Contract(format!("column `{}` was not computed", field.name)))?;
            output.push((field.name.clone(), json::from_column(field, &column, rows.len()).map_err(Error::Contract)?));
        }
        Ok(self.choose(&keep, &rejected, &output))
    }

    /// The rows that pass, and what became of the others.
    fn choose(&self, keep: &[bool], rejections: &[contract::Rejection], output: &[(String, Vec<Value>)]) -> Passed {
        let mut passed = Passed::default();
        for (row, keep) in keep.iter().enumerate() {
            if let Some(rejection) = rejections.iter().find(|rejection| rejection.row as usize == row) {
                let code = self.outline.rejection_codes[rejection.code as usize].clone();
                passed.rejected.push(Rejected { row, code, message: rejection.message.clone() });
            } else if *keep {
                let object: Map<_, _> =
                    output.iter().map(|(name, values)| (name.clone(), values[row].clone())).collect();
                passed.rows.push((row, Value::Object(object)));
            } else {
                passed.dropped.push(row);
            }
        }
        passed
    }

    /// The output's fields, as a host would know them.
    fn fields(&self) -> Vec<Field> {
        let fields = self.outline.outputs.iter().map(|output| match output {
            contract::Output::Keep(kept) => {
                Field { name: kept.name.clone(), ..self.schema.fields[kept.input as usize].clone() }
            }
            contract::Output::Compute(computed) => {
                let mut field = Field::from(computed.field.clone());
                for index in &self.outline.groups[computed.group as usize] {
                    for mark in &self.schema.fields[*index as usize].marks {
                        if !field.has_mark(mark) {
                            field.marks.push(mark.clone());
                        }
                    }
                }
                field
            }
        });
        fields.collect()
    }

    fn report(&self, passed: Passed, log: Vec<(&'static str, String)>) -> Report {
        let names =
            |columns: &[u32]| columns.iter().map(|index| self.schema.fields[*index as usize].name.clone()).collect();
        let lineage = self.outline.outputs.iter().map(|output| match output {
            contract::Output::Keep(kept) => names(&[kept.input]),
            contract::Output::Compute(computed) => names(&self.outline.groups[computed.group as usize]),
        });
        Report {
            table: self.outline.name.clone(),
            fields: self.fields(),
            rows: passed.rows.into_iter().map(|(_, row)| row).collect(),
            dropped: passed.dropped,
            rejected: passed.rejected,
            log,
            lineage: lineage.collect(),
            chosen_by: self
                .outline
                .selects
                .map(|group| names(&self.outline.groups[group as usize]))
                .unwrap_or_default(),
        }
    }
}

impl Passed {
    /// Adds what became of the only row of a batch.
    fn append(&mut self, one: Self, row: usize) {
        self.rows.extend(one.rows.into_iter().map(|(_, values)| (row, values)));
        self.dropped.extend(one.dropped.into_iter().map(|_| row));
        self.rejected.extend(one.rejected.into_iter().map(|rejected| Rejected { row, ..rejected }));
    }

    /// The first row that fared otherwise in the other.
    fn first_difference(&self, other: &Self) -> Option<usize> {
        let fate = |passed: &Self, row| {
            let values = passed.rows.iter().find(|(at, _)| *at == row).map(|(_, values)| values.clone());
            let rejected = passed.rejected.iter().find(|rejected| rejected.row == row).cloned();
            (values, rejected, passed.dropped.contains(&row))
        };
        let rows = self.rows.len() + self.dropped.len() + self.rejected.len();
        (0..rows).find(|row| fate(self, *row) != fate(other, *row))
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failure(failure) => write!(formatter, "{}: {failure}", failure.code().as_str()),
            Self::Contract(problem) => write!(formatter, "the plugin breaks the contract: {problem}"),
            Self::Rows(problem) => write!(formatter, "the test's rows do not fit its schema: {problem}"),
        }
    }
}

impl std::error::Error for Error {}

impl fmt::Debug for Harness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Harness").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
