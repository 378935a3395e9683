//! Outlines: what a plugin says it does to one schema.
//!
//! An outline is the plugin's answer after the host has checked it: every index points somewhere, every name is legal and
//! unique, nothing is computed twice. The plan draws its lineage from outlines, and the sandbox enforces them: a group is
//! handed the columns it reads and no others, so an output can depend on nothing else.

use std::collections::BTreeSet;

use crate::{
    printable::printable,
    schema::{Field, Schema, attribute},
};

/// What a plugin does to one schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The name of the table after this transform.
    pub table: String,
    /// What each group reads: indices into the input's fields.
    pub groups: Vec<Vec<usize>>,
    /// The columns of the output, in order.
    pub outputs: Vec<Output>,
    /// The group that may filter or reject rows.
    pub selects: Option<usize>,
    /// The codes that rejections point to.
    pub rejection_codes: Vec<String>,
}

/// One column of the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// An input column, unchanged but perhaps renamed. It never enters the plugin.
    Keep {
        /// Index of the input field.
        input: usize,
        /// Its name in the output.
        name: String,
    },
    /// A column that a group computes.
    Compute {
        /// Index of the group.
        group: usize,
        /// The column as the plugin describes it; its marks are those the plugin adds itself.
        field: Field,
    },
}

impl Output {
    /// The column's name in the output.
    pub fn name(&self) -> &str {
        match self {
            Self::Keep { name, .. } => name,
            Self::Compute { field, .. } => &field.name,
        }
    }
}

/// The most characters a column's or a table's name may have.
pub const LONGEST_NAME: usize = 255;

/// Characters of a plugin's text that are shown within a sentence.
const LONGEST_QUOTE: usize = 80;

/// A rule of the contract that an outline breaks.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutlineError {
    /// A name that no column or table may have.
    #[error(
        "it names {what} `{name}`: a name is 1 to 255 of the characters `A-Z`, `a-z`, `0-9` and `_`, and does not start with `_`"
    )]
    Name {
        /// `the table` or `a column`.
        what: &'static str,
        /// The name, made printable.
        name: String,
    },
    /// Two output columns of one name.
    #[error("it gives two columns the name `{name}` (case does not count)")]
    TwoOfOneName {
        /// The name both have.
        name: String,
    },
    /// An index that points past the input's fields.
    #[error("{place} points to column {index} of an input that has {fields}")]
    NoSuchField {
        /// Where the index stands.
        place: String,
        /// The index.
        index: usize,
        /// How many fields the input has.
        fields: usize,
    },
    /// A group reads one column twice.
    #[error("group {group} reads column {index} twice")]
    ReadTwice {
        /// The group.
        group: usize,
        /// The column.
        index: usize,
    },
    /// An index that points past the groups.
    #[error("{place} points to group {group} of an outline that has {groups}")]
    NoSuchGroup {
        /// Where the index stands.
        place: String,
        /// The index.
        group: usize,
        /// How many groups there are.
        groups: usize,
    },
    /// A group that neither computes nor selects.
    #[error("group {group} computes nothing and selects nothing")]
    IdleGroup {
        /// The group.
        group: usize,
    },
    /// Rejection codes without a group that could reject.
    #[error("it declares rejection codes, but no group that selects rows")]
    CodesWithoutSelects,
    /// A rejection code of other characters.
    #[error("`{code}` is no rejection code: a code is 1 to 64 of the characters `a-z`, `0-9` and `-`")]
    Code {
        /// The code, made printable.
        code: String,
    },
    /// An attribute by which the host knows columns of its own.
    #[error("output `{name}` sets the attribute `{}`, which only the host sets", attribute::UNPARSED_OF)]
    HostAttribute {
        /// The column.
        name: String,
    },
    /// An output without columns.
    #[error("it leaves no column")]
    NoColumns,
}

impl Outline {
    /// Checks every rule of the contract that can be checked without data.
    pub fn check(&self, input: &Schema) -> Result<(), OutlineError> {
        check_name("the table", &self.table)?;
        if self.outputs.is_empty() {
            return Err(OutlineError::NoColumns);
        }
        self.check_groups(input)?;
        self.check_outputs(input)?;
        self.check_selection()
    }

    fn check_groups(&self, input: &Schema) -> Result<(), OutlineError> {
        // The group that a column was last seen in, so that outlines of very many groups are checked in one pass.
        let mut seen_in = vec![None; input.fields.len()];
        for (group, reads) in self.groups.iter().enumerate() {
            for &index in reads {
                let Some(seen) = seen_in.get_mut(index) else {
                    return Err(no_such_field(format!("group {group}"), index, input));
                };
                if seen.replace(group) == Some(group) {
                    return Err(OutlineError::ReadTwice { group, index });
                }
            }
        }
        let mut idle: BTreeSet<usize> = (0..self.groups.len()).collect();
        for output in &self.outputs {
            if let Output::Compute { group, .. } = output {
                idle.remove(group);
            }
        }
        if let Some(selects) = self.selects {
            idle.remove(&selects);
        }
        match idle.first() {
            Some(&group) => Err(OutlineError::IdleGroup { group }),
            None => Ok(()),
        }
    }

    fn check_outputs(&self, input: &Schema) -> Result<(), OutlineError> {
        let mut names = BTreeSet::new();
        for output in &self.outputs {
            let name = output.name();
            check_name("a column", name)?;
            if !names.insert(name.to_ascii_lowercase()) {
                return Err(OutlineError::TwoOfOneName { name: name.to_owned() });
            }
            match output {
                Output::Keep { input: index, .. } if *index >= input.fields.len() => {
                    return Err(no_such_field(format!("output `{name}`"), *index, input));
                }
                Output::Compute { group, .. } if *group >= self.groups.len() => {
                    return Err(self.no_such_group(format!("output `{name}`"), *group));
                }
                Output::Compute { field, .. } if field.attributes.contains_key(attribute::UNPARSED_OF) => {
                    return Err(OutlineError::HostAttribute { name: name.to_owned() });
                }
                Output::Keep { .. } | Output::Compute { .. } => {}
            }
        }
        Ok(())
    }

    fn check_selection(&self) -> Result<(), OutlineError> {
        if let Some(group) = self.selects
            && group >= self.groups.len()
        {
            return Err(self.no_such_group("the selection".to_owned(), group));
        }
        if self.selects.is_none() && !self.rejection_codes.is_empty() {
            return Err(OutlineError::CodesWithoutSelects);
        }
        for code in &self.rejection_codes {
            let legal = code.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
            if !legal || !(1..=64).contains(&code.len()) {
                return Err(OutlineError::Code { code: printable(code, LONGEST_QUOTE) });
            }
        }
        Ok(())
    }

    /// The fields that a group computes, in the order in which its outcome must hold them.
    pub fn computed_by(&self, group: usize) -> impl Iterator<Item = &Field> {
        self.outputs.iter().filter_map(move |output| match output {
            Output::Compute { group: by, field } if *by == group => Some(field),
            Output::Compute { .. } | Output::Keep { .. } => None,
        })
    }

    /// For each column of the output, how many before it the same group computes: its position in the group's outcome. Of one
    /// that is kept it says nothing.
    pub fn positions(&self) -> Vec<usize> {
        let mut computed = vec![0; self.groups.len()];
        let position = |output: &Output| match output {
            Output::Keep { .. } => 0,
            Output::Compute { group, .. } => {
                computed[*group] += 1;
                computed[*group] - 1
            }
        };
        self.outputs.iter().map(position).collect()
    }

    fn no_such_group(&self, place: String, group: usize) -> OutlineError {
        OutlineError::NoSuchGroup { place, group, groups: self.groups.len() }
    }
}

fn no_such_field(place: String, index: usize, input: &Schema) -> OutlineError {
    OutlineError::NoSuchField { place, index, fields: input.fields.len() }
}

fn check_name(what: &'static str, name: &str) -> Result<(), OutlineError> {
    let legal = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if legal && !name.starts_with('_') && (1..=LONGEST_NAME).contains(&name.len()) {
        Ok(())
    } else {
        Err(OutlineError::Name { what, name: printable(name, LONGEST_QUOTE) })
    }
}
