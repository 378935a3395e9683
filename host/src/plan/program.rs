//! What is done with a batch in one step: the plan's last word, in positions rather than names.
//!
//! Only what is needed is done: a group whose columns nobody needs is not called, a column nobody needs is not carried.
//! Groups that read columns of different marks are never served by the same instance of a plugin, so that an instance that
//! has seen marked values cannot pass them on through a column that lineage holds to be clean.

use std::collections::BTreeMap;

use super::{Origin, Stage, Step};
use crate::schema::{Field, Marks};

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

/// Works out the program of a step between two stages.
pub(super) fn of(step: &Step, before: &Stage, after: &Stage) -> Program {
    let positions = positions(before);
    let mut calls: Vec<GroupCall> = Vec::new();
    let mut instances: BTreeMap<Marks, usize> = BTreeMap::new();
    for (group, reads) in step.outline.groups.iter().enumerate() {
        let selects = step.outline.selects == Some(group);
        let computes =
            after.needed().any(|column| matches!(&column.origin, Origin::Computed { group: by, .. } if *by == group));
        if selects || computes {
            let reads: Vec<usize> = reads.iter().map(|&input| step.visible[input]).collect();
            let next = instances.len();
            calls.push(GroupCall {
                group,
                instance: *instances.entry(before.marks_of(&reads)).or_insert(next),
                reads: reads.iter().map(|column| positions[column]).collect(),
                selects,
            });
        }
    }
    let mut computed_so_far = vec![0; step.outline.groups.len()];
    let mut outputs = Vec::new();
    for column in &after.columns {
        let output = match &column.origin {
            Origin::Source => unreachable!("only the first stage holds columns of the source"),
            Origin::Kept { from } => positions.get(from).map(|&position| ProgramOutput::Kept(position)),
            Origin::Computed { group, .. } => {
                let position = computed_so_far[*group];
                computed_so_far[*group] += 1;
                let call = calls.iter().position(|call| call.group == *group);
                call.map(|call| ProgramOutput::Computed { call, position })
            }
        };
        if column.needed {
            outputs.extend(output);
        }
    }
    Program {
        calls,
        instances: instances.len(),
        outputs,
        fields: after.needed().map(|column| column.field.clone()).collect(),
    }
}

/// For each needed column of a stage, its position in a batch.
fn positions(stage: &Stage) -> BTreeMap<usize, usize> {
    let needed = stage.columns.iter().enumerate().filter(|(_, column)| column.needed);
    needed.enumerate().map(|(position, (index, _))| (index, position)).collect()
}
