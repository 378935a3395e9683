//! The words of an outline as a way out.
//!
//! An outline is full of a plugin's own words: names of columns and tables, codes of rejections, attributes. They stand in
//! commits, in the metadata of files and in reports, and a plugin chooses them after it has been handed its attachments: one
//! with a secret among them could spell the secret in the name of a column. So a plugin whose attachments carry marks may
//! use only words that were there before:
//!
//! - names that its input has, or that stand in its settings in the pipeline file;
//! - marks that its input or its attachments carry, or that stand in its settings;
//! - attributes that a column of its input has, with their values;
//! - rejection codes that stand in its settings; any other is reported by its number.
//!
//! What remains to such a plugin is which of these it uses, in which order and of which type: all of it in the plan, before
//! a run.

use std::collections::BTreeSet;

use sluice_model::{
    outline::{Outline, Output},
    schema::{Attributes, Mark, Marks, Schema, attribute},
};

use super::transform::Transform;

/// A name that a plugin with marked attachments has made up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "it gives {what} a name that is neither one of its input's nor in its settings, and its attachments carry marks: a name could tell what is in them"
)]
pub struct Unsaid {
    what: &'static str,
}

impl Unsaid {
    /// What mends it.
    pub const HINT: &str =
        "let the plugin take the names of what it computes from its settings, or keep those of its input";
}

/// The words that a plugin may use.
#[derive(Debug)]
pub(super) enum Words<'t> {
    /// Whatever it likes.
    Any,
    /// Those that it cannot have from its attachments.
    Known {
        /// Those of its input.
        names: BTreeSet<String>,
        /// It has others in its settings.
        transform: &'t Transform,
        marks: Marks,
        attributes: BTreeSet<(String, String)>,
    },
}

impl<'t> Words<'t> {
    /// `input`: what the plugin is shown.
    pub(super) fn of(input: impl FnOnce() -> Schema, transform: &'t Transform, attachment_marks: &Marks) -> Self {
        if attachment_marks.is_empty() {
            return Self::Any;
        }
        let input = input();
        let mut names: BTreeSet<String> = input.fields.iter().map(|field| field.name.clone()).collect();
        names.insert(input.name);
        let marks = input.fields.iter().flat_map(|field| field.marks.iter()).chain(attachment_marks).cloned().collect();
        let attributes = input.fields.iter().flat_map(|field| &field.attributes);
        let attributes = attributes.map(|(name, value)| (name.clone(), value.clone())).collect();
        Self::Known { names, transform, marks, attributes }
    }

    /// Whether a word was there before.
    fn knows(names: &BTreeSet<String>, transform: &Transform, word: &str) -> bool {
        names.contains(word) || transform.says(word)
    }

    /// Refuses names that the plugin may not use. The name itself is not repeated.
    pub(super) fn check(&self, outline: &Outline) -> Result<(), Unsaid> {
        let Self::Known { names, transform, marks, .. } = self else { return Ok(()) };
        if !Self::knows(names, transform, &outline.table) {
            return Err(Unsaid { what: "the table" });
        }
        if !outline.outputs.iter().all(|output| Self::knows(names, transform, output.name())) {
            return Err(Unsaid { what: "a column" });
        }
        let computed = outline.outputs.iter().filter_map(|output| match output {
            Output::Compute { field, .. } => Some(field),
            Output::Keep { .. } => None,
        });
        let is_known = |mark: &Mark| marks.contains(mark) || Self::knows(names, transform, mark.as_str());
        let said = computed.flat_map(|field| &field.marks).all(is_known);
        if said { Ok(()) } else { Err(Unsaid { what: "a mark" }) }
    }

    /// Those of a computed column's attributes that the plugin may set.
    pub(super) fn attributes(&self, said: &Attributes) -> Attributes {
        let Self::Known { attributes, .. } = self else { return said.clone() };
        let known = |(name, value): &(&String, &String)| {
            attributes.contains(&((*name).clone(), (*value).clone())) || (*name == attribute::KEY && *value == "true")
        };
        said.iter().filter(known).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The codes by which rejections are reported.
    pub(super) fn codes(&self, said: &[String]) -> Vec<String> {
        let shown = |(index, code): (usize, &String)| match self {
            Self::Known { names, transform, .. } if !Self::knows(names, transform, code) => {
                format!("code-{}", index + 1)
            }
            Self::Known { .. } | Self::Any => code.clone(),
        };
        said.iter().enumerate().map(shown).collect()
    }
}
