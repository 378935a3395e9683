//! The words of an outline as a way out.
//!
//! An outline is full of a plugin's own words: names of columns and tables, codes of rejections, attributes. They stand in
//! commits, in the metadata of files and in reports, and a plugin chooses them after it has been handed its attachments: one
//! with a secret among them could spell the secret in the name of a column. An order is a word as well: fifty-eight columns
//! can stand in as many orders as 260 bits can tell apart; and so is which of them are computed together, which is some 190
//! bits. So a plugin whose attachments carry marks may use only words that were there before, has no order of its own, and
//! no groups that anybody is told of:
//!
//! - columns that it keeps have their own names, or one that its settings in the pipeline file give to that very column;
//!   columns that it computes, names that its input has or that stand in its settings; the table likewise;
//! - what it computes it computes from columns that stand in its settings, since what a column depends on stands in the plan
//!   and in the audit record; from one that does not, only the column of that name, and in a group of its own;
//! - the rows are said to be chosen by all that it reads, if it chooses any;
//! - marks that its input or its attachments carry, or that stand in its settings;
//! - attributes that the column of the same name has, or one that it computes it from, with their values; that it is a key;
//!   and what its ids point to, as those of a column of the input do;
//! - rejection codes that stand in its settings; the others are reported by their number among these;
//! - its columns stand in the order of its input, whatever order it gives: those that it keeps, and those that it computes
//!   under the name of one of the input, each in that one's place; behind them what else it computes, by name.
//!
//! This does not make it silent. What remains to such a plugin is a choice among what it was given: of each column of the input
//! whether it is kept, dropped or computed; of one that is computed its type (one of six), whether it may be null, and whether
//! it is computed from itself. That are 26 choices, nearly five bits a column, and 270 for fifty-eight. To it comes, for each
//! computed column, a bit for each mark and attribute that it could have and for each column in the settings that it may be
//! from; and which texts of its settings are names of new columns. All of it is in the plan, before a run, and most of it is
//! at once odd to whoever reads one (columns of another type, columns that are gone): that is the promise, and not that
//! nothing can be told. Against a plugin that is not trusted at all, a secret is best not attached.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sluice_model::{
    outline::{Outline, Output},
    schema::{Attributes, Field, Marks, Schema, attribute},
};

use super::transform::Transform;

/// What a plugin with marked attachments says by its outline, and may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsaid {
    /// A word that it has made up.
    #[error(
        "it gives {what} a name that is neither one of its input's nor in its settings, and its attachments carry marks: a name could tell what is in them"
    )]
    Name {
        /// What has the name.
        what: &'static str,
    },
    /// Another name for a column that it keeps.
    #[error(
        "it keeps a column under another name that its settings do not give to that column, and its attachments carry marks: which column gets which name could tell what is in them"
    )]
    Rename,
    /// A column that it reads to compute another.
    #[error(
        "it reads a column that stands nowhere in its settings to compute another, or several together, and its attachments carry marks: which columns it reads for which could tell what is in them"
    )]
    Reads,
}

impl Unsaid {
    /// What mends it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Name { .. } => {
                "let the plugin take the names of what it computes from its settings, or keep those of its input"
            }
            Self::Rename => {
                "let the settings say both names together, as in `{ old = \"new\" }` or `{ column = \"old\", as = \"new\" }`"
            }
            Self::Reads => {
                "name the columns that it reads in its settings, each by its whole name, or let a group read no other column than the only one that it computes"
            }
        }
    }
}

/// The words that a plugin may use.
#[derive(Debug)]
pub(super) enum Words<'t> {
    /// Whatever it likes.
    Any,
    /// Those that it cannot have from its attachments.
    Known {
        input: Schema,
        /// Where in the input the column of each name stands.
        places: BTreeMap<String, usize>,
        /// It has others in its settings.
        transform: &'t Transform,
        marks: Marks,
        /// What the ids in its columns point to.
        references: BTreeSet<String>,
    },
}

impl<'t> Words<'t> {
    /// `input`: what the plugin is shown.
    pub(super) fn of(input: impl FnOnce() -> Schema, transform: &'t Transform, attachment_marks: &Marks) -> Self {
        if attachment_marks.is_empty() {
            return Self::Any;
        }
        let input = input();
        let places = input.fields.iter().enumerate().map(|(place, field)| (field.name.clone(), place)).collect();
        let marks = input.fields.iter().flat_map(|field| field.marks.iter()).chain(attachment_marks).cloned().collect();
        let references = input.fields.iter().filter_map(|field| field.attributes.get(attribute::REFERENCES).cloned());
        let references = references.collect();
        Self::Known { input, places, transform, marks, references }
    }

    /// Refuses what the plugin may not say. The word itself is not repeated.
    pub(super) fn check(&self, outline: &Outline) -> Result<(), Unsaid> {
        let Self::Known { input, places, transform, marks, .. } = self else { return Ok(()) };
        if outline.table != input.name && !transform.says(&outline.table) {
            return Err(Unsaid::Name { what: "the table" });
        }
        for output in &outline.outputs {
            match output {
                Output::Keep { input: kept, name } => {
                    let own = &input.fields[*kept].name;
                    let is_given = || !places.contains_key(name) && transform.renames(own, name);
                    if own != name && !is_given() {
                        return Err(Unsaid::Rename);
                    }
                }
                Output::Compute { field, .. } => {
                    if !places.contains_key(&field.name) && !transform.says(&field.name) {
                        return Err(Unsaid::Name { what: "a column" });
                    }
                    if !field.marks.iter().all(|mark| marks.contains(mark) || transform.says(mark.as_str())) {
                        return Err(Unsaid::Name { what: "a mark" });
                    }
                }
            }
        }
        if self.says_all_reads(outline) { Ok(()) } else { Err(Unsaid::Reads) }
    }

    /// Whether each group reads only what it may: columns that stand in the settings; the one column that it computes, in
    /// that one's place; and to choose rows by, if it does nothing else, columns that any group computes in their places.
    /// A group of several columns would tell by them which others it belongs to.
    fn says_all_reads(&self, outline: &Outline) -> bool {
        let Self::Known { input, transform, .. } = self else { return true };
        let mut computed: Vec<Vec<&str>> = vec![Vec::new(); outline.groups.len()];
        for output in &outline.outputs {
            if let Output::Compute { group, field } = output {
                computed[*group].push(&field.name);
            }
        }
        let by_any: HashSet<&str> = computed.iter().flatten().copied().collect();
        let is_said = |column: &Field| {
            let property = column.attributes.get(attribute::PROPERTY);
            transform.says(&column.name) || property.is_some_and(|property| transform.says(property))
        };
        outline.groups.iter().zip(&computed).all(|(reads, computes)| {
            reads.iter().map(|&read| &input.fields[read]).all(|column| match computes[..] {
                [] => by_any.contains(&*column.name) || is_said(column),
                [only] if only == column.name => true,
                _ => is_said(column),
            })
        })
    }

    /// The columns of the output, by their index in the outline, in the order in which they are to stand.
    pub(super) fn order(&self, outline: &Outline) -> Vec<usize> {
        let mut order: Vec<usize> = (0..outline.outputs.len()).collect();
        if let Self::Known { places, .. } = self {
            let place = |output: &Output| match output {
                Output::Keep { input, .. } => (*input, false),
                Output::Compute { field, .. } => (places.get(&field.name).copied().unwrap_or(usize::MAX), true),
            };
            order.sort_by_key(|&index| (place(&outline.outputs[index]), outline.outputs[index].name()));
        }
        order
    }

    /// Those of a computed column's attributes that the plugin may set: what the column of its name has, and those that it is
    /// computed from; that it is a key, and what its ids point to. `reads`: of the input, what it is computed from.
    pub(super) fn attributes(&self, of: &Field, reads: &[usize]) -> Attributes {
        let Self::Known { input, places, references, .. } = self else { return of.attributes.clone() };
        let own = places.get(&of.name).into_iter().chain(reads);
        let from: Vec<&Attributes> = own.map(|&place| &input.fields[place].attributes).collect();
        let known = |(name, value): &(&String, &String)| match name.as_str() {
            attribute::KEY => *value == "true",
            attribute::REFERENCES => references.contains(*value),
            _ => from.iter().any(|attributes| attributes.get(*name) == Some(*value)),
        };
        of.attributes.iter().filter(known).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The codes by which rejections are reported.
    pub(super) fn codes(&self, said: &[String]) -> Vec<String> {
        let Self::Known { transform, .. } = self else { return said.to_vec() };
        let mut unsaid = 0;
        let shown = |code: &String| {
            if transform.says(code) {
                return code.clone();
            }
            unsaid += 1;
            format!("code-{unsaid}")
        };
        said.iter().map(shown).collect()
    }
}
