//! The program of a step: the plan's last word, in positions rather than names.
//!
//! An instance remembers, and could pass on through one group what another was shown. Lineage says that it does not; what
//! must not depend on trust is kept apart, each in an instance of its own: groups that read other marks, a group that
//! computes a key, a group that clears a mark.
//! Groups of the same marks do share an instance, so "this column depends on that one" is within the same marks what the
//! plugin declares, not what the sandbox enforces.

use std::collections::BTreeMap;

use sluice_model::{
    program::{GroupCall, Program, ProgramOutput},
    schema::{Field, Marks},
};

use super::{Origin, Stage, Step};

/// Works out the program of a step between two stages.
pub(super) fn of(step: &Step, before: &Stage, after: &Stage) -> Program {
    let positions = positions(before);
    let mut calls: Vec<GroupCall> = Vec::new();
    let mut instances = 0;
    let mut shared: BTreeMap<Marks, usize> = BTreeMap::new();
    let mut fresh = || {
        instances += 1;
        instances - 1
    };
    for (group, reads) in step.outline.groups.iter().enumerate() {
        let selects = step.outline.selects == Some(group);
        let computes =
            after.needed().any(|column| matches!(&column.origin, Origin::Computed { group: by, .. } if *by == group));
        if selects || computes {
            let reads: Vec<usize> = reads.iter().map(|&input| step.visible[input]).collect();
            calls.push(GroupCall {
                group,
                instance: if is_kept_apart(step, group) {
                    fresh()
                } else {
                    *shared.entry(before.marks_of(&reads)).or_insert_with(&mut fresh)
                },
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
    Program { calls, instances, outputs, fields: after.needed().map(|column| column.field.clone()).collect() }
}

/// Whether a group gets an instance that serves no other.
fn is_kept_apart(step: &Step, group: usize) -> bool {
    let clears = |field: &Field| step.cleared.iter().any(|(column, _)| *column == field.name);
    step.outline.computed_by(group).any(|field| field.is_key() || clears(field))
}

/// For each needed column of a stage, its position in a batch.
fn positions(stage: &Stage) -> BTreeMap<usize, usize> {
    let needed = stage.columns.iter().enumerate().filter(|(_, column)| column.needed);
    needed.enumerate().map(|(position, (index, _))| (index, position)).collect()
}
