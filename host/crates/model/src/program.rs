//! What is done with a batch in one step, in positions rather than names.
//!
//! A plan makes programs, and the sandbox carries them out. Only what is needed is done: a group whose columns nobody needs
//! is not called, a column nobody needs is not carried.

use crate::schema::Field;

/// What is done with a batch in one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The calls, in order. Those of one instance are made by the same one.
    pub calls: Vec<GroupCall>,
    /// How many instances of the plugin there are.
    pub instances: usize,
    /// The columns of the batch after the step.
    pub outputs: Vec<ProgramOutput>,
    /// The fields of those columns.
    pub fields: Vec<Field>,
}

/// One call of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupCall {
    /// The group.
    pub group: usize,
    /// The instance that serves it.
    pub instance: usize,
    /// What it is given: positions in the batch.
    pub reads: Vec<usize>,
    /// Whether it chooses rows.
    pub selects: bool,
}

/// Where a column of the batch after the step comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramOutput {
    /// The column at this position of the batch before.
    Kept(usize),
    /// A column that a call computed.
    Computed {
        /// Index of the call.
        call: usize,
        /// Position among the columns that the group computes.
        position: usize,
    },
}
