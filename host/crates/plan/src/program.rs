//! The program of a step: the plan's last word, in positions rather than names.
//!
//! An instance remembers, and could pass on through one group what another was shown. Lineage says that it does not; what
//! must not depend on trust is kept apart, each in an instance of its own: groups that read other marks, a group that
//! computes a key, a group that clears a mark.
//! Groups of the same marks do share an instance, so "this column depends on that one" is within the same marks what the
//! plugin declares, not what the sandbox enforces.

use std::collections::BTreeMap;

use sluice_model::{
    outline::Output,
    program::{GroupCall, InstancesByMarks, Program, ProgramOutput, ProgramStrand},
    schema::Schema,
};

use super::{Origin, Stage, Step, Strand, StreamPlan};
use crate::spec::OnReject;

/// Works out the program of a step. `index`: the step's; `input`: what its plugin is shown.
pub(super) fn of(stream: &StreamPlan, index: usize, input: Schema) -> Program {
    let (step, before) = (&stream.steps[index], &stream.stages[index]);
    let needed: Vec<Vec<usize>> = stream.strands.iter().map(|strand| needed_groups(stream, strand, index)).collect();
    let apart = kept_apart(step);
    let mut instances = InstancesByMarks::default();
    let mut instance_of: BTreeMap<usize, usize> = needed.iter().flatten().map(|group| (*group, 0)).collect();
    for (group, instance) in &mut instance_of {
        let shared = || before.marks_of(&step.reads[*group]);
        *instance = if apart[*group] { instances.apart() } else { instances.shared(shared()) };
    }
    let strands = stream.strands.iter().zip(&needed);
    Program {
        input,
        outline: step.outline.clone(),
        instances: instances.count(),
        strands: strands.map(|(strand, groups)| of_strand(stream, strand, index, groups, &instance_of)).collect(),
        rejection_codes: step.rejection_codes.clone(),
        fail_on_reject: step.transform.on_reject == OnReject::Fail,
    }
}

/// What is done with the batches of a strand. `groups`: those that are called; `instance_of`: the instance that serves each.
fn of_strand(
    stream: &StreamPlan,
    strand: &Strand,
    index: usize,
    groups: &[usize],
    instance_of: &BTreeMap<usize, usize>,
) -> ProgramStrand {
    let (step, after) = (&stream.steps[index], &stream.stages[index + 1]);
    let positions = positions(strand, index, &stream.stages[index]);
    let position = |column: &usize| positions[*column].unwrap_or_else(|| unreachable!("what is read is needed"));
    let call = |group: &usize| GroupCall {
        group: *group,
        instance: instance_of[group],
        reads: step.reads[*group].iter().map(position).collect(),
        selects: step.outline.selects == Some(*group),
    };
    let mut outputs = Vec::new();
    for (place, column) in after.columns.iter().enumerate() {
        let output = match column.origin {
            Origin::Source => unreachable!("only the first stage holds columns of the source"),
            Origin::Kept { from } => positions[from].map(ProgramOutput::Kept),
            Origin::Computed { group, position } => {
                let call = groups.iter().position(|called| *called == group);
                call.map(|call| ProgramOutput::Computed { call, position })
            }
        };
        if strand.holds(index + 1, place) {
            outputs.extend(output);
        }
    }
    ProgramStrand {
        calls: groups.iter().map(call).collect(),
        outputs,
        fields: strand.columns(index + 1).map(|column| after.columns[column].field.clone()).collect(),
    }
}

/// The groups that are called for a strand in a step: those that choose rows, or compute a column that its batches hold after
/// it.
fn needed_groups(stream: &StreamPlan, strand: &Strand, index: usize) -> Vec<usize> {
    let (step, after) = (&stream.steps[index], &stream.stages[index + 1]);
    let mut needed: Vec<bool> = (0..step.reads.len()).map(|group| step.outline.selects == Some(group)).collect();
    for column in strand.columns(index + 1) {
        if let Origin::Computed { group, .. } = after.columns[column].origin {
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

/// For each column of a stage, its position in a batch of a strand, if that holds it.
fn positions(strand: &Strand, index: usize, stage: &Stage) -> Vec<Option<usize>> {
    let mut positions = vec![None; stage.columns.len()];
    for (position, column) in strand.columns(index).enumerate() {
        positions[column] = Some(position);
    }
    positions
}
