//! The program of a step: the plan's last word, in positions rather than names.
//!
//! An instance remembers, and could pass on through one group what another was shown. Lineage says that it does not; what
//! must not depend on trust is kept apart, each in an instance of its own: groups that read other marks, a group that
//! computes a key, a group that clears a mark.
//! Groups of the same marks do share an instance, so "this column depends on that one" is within the same marks what the
//! plugin declares, not what the sandbox enforces.

use sluice_model::{
    outline::Output,
    program::{GroupCall, InstancesByMarks, Program, ProgramOutput},
    schema::Schema,
};

use super::{Origin, Stage, Step};
use crate::spec::OnReject;

/// Works out the program of a step between two stages. `input`: what its plugin is shown.
pub(super) fn of(input: Schema, step: &Step, before: &Stage, after: &Stage) -> Program {
    let positions = positions(before);
    let position = |column: &usize| positions[*column].unwrap_or_else(|| unreachable!("what is read is needed"));
    let apart = kept_apart(step);
    let mut instances = InstancesByMarks::default();
    let mut calls: Vec<GroupCall> = Vec::new();
    let mut call_of_group = vec![None; step.reads.len()];
    for group in needed_groups(step, after) {
        let reads = &step.reads[group];
        call_of_group[group] = Some(calls.len());
        calls.push(GroupCall {
            group,
            instance: if apart[group] { instances.apart() } else { instances.shared(before.marks_of(reads)) },
            reads: reads.iter().map(position).collect(),
            selects: step.outline.selects == Some(group),
        });
    }
    let mut computed_so_far = vec![0; step.reads.len()];
    let mut outputs = Vec::new();
    for column in &after.columns {
        let output = match column.origin {
            Origin::Source => unreachable!("only the first stage holds columns of the source"),
            Origin::Kept { from } => positions[from].map(ProgramOutput::Kept),
            Origin::Computed { group } => {
                let position = computed_so_far[group];
                computed_so_far[group] += 1;
                call_of_group[group].map(|call| ProgramOutput::Computed { call, position })
            }
        };
        if column.needed {
            outputs.extend(output);
        }
    }
    Program {
        input,
        outline: step.outline.clone(),
        calls,
        instances: instances.count(),
        outputs,
        fields: after.needed().map(|column| column.field.clone()).collect(),
        rejection_codes: step.rejection_codes.clone(),
        fail_on_reject: step.transform.on_reject == OnReject::Fail,
    }
}

/// The groups that are called: those that choose rows, or compute a column that is needed.
fn needed_groups(step: &Step, after: &Stage) -> Vec<usize> {
    let mut needed: Vec<bool> = (0..step.reads.len()).map(|group| step.outline.selects == Some(group)).collect();
    for column in after.needed() {
        if let Origin::Computed { group } = column.origin {
            needed[group] = true;
        }
    }
    (0..needed.len()).filter(|group| needed[*group]).collect()
}

/// For each group, whether it gets an instance that serves no other.
fn kept_apart(step: &Step) -> Vec<bool> {
    let mut apart = vec![false; step.reads.len()];
    for output in &step.outline.outputs {
        if let Output::Compute { group, field } = output {
            apart[*group] |= field.is_key() || step.cleared.contains_key(&field.name);
        }
    }
    apart
}

/// For each column of a stage, its position in a batch, if it is needed.
fn positions(stage: &Stage) -> Vec<Option<usize>> {
    let mut next = 0;
    let position = |needed: bool| {
        needed.then(|| {
            next += 1;
            next - 1
        })
    };
    stage.columns.iter().map(|column| column.needed).map(position).collect()
}
