//! What is done with a batch in one step, in positions rather than names.
//!
//! A plan makes programs, and the sandbox carries them out. Only what is needed is done: a group whose columns nobody needs
//! is not called, a column nobody needs is not carried.

use std::collections::BTreeMap;

use crate::{
    outline::{Outline, Output},
    schema::{Field, Marks, Schema},
};

/// What is done with a batch in one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The schema that the plugin is shown.
    pub input: Schema,
    /// The outline that it must give of that schema, each time it is asked.
    pub outline: Outline,
    /// How many instances of the plugin there are: all strands share them.
    pub instances: usize,
    /// What is done with the batches of each strand of the stream; most streams have one.
    pub strands: Vec<ProgramStrand>,
    /// The codes under which rejected rows are counted, in the order of the outline's.
    pub rejection_codes: Vec<String>,
    /// Whether a rejected row is an error.
    pub fail_on_reject: bool,
}

/// What is done in one step with the batches of one strand: those that hold the same columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramStrand {
    /// The calls, in order. Those of one instance are made by the same one.
    pub calls: Vec<GroupCall>,
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

/// Hands out instances: groups that read other marks never share one, since an instance remembers.
#[derive(Debug, Default)]
pub struct InstancesByMarks {
    count: usize,
    shared: BTreeMap<Marks, usize>,
}

impl InstancesByMarks {
    /// An instance that serves no other group.
    pub fn apart(&mut self) -> usize {
        self.count += 1;
        self.count - 1
    }

    /// The instance of all groups that read these marks.
    pub fn shared(&mut self, marks: Marks) -> usize {
        if let Some(&instance) = self.shared.get(&marks) {
            return instance;
        }
        let instance = self.apart();
        self.shared.insert(marks, instance);
        instance
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }
}

impl Program {
    /// Everything that an outline says of data of this schema: every group is called, every column carried. Computed columns
    /// get the marks of all that their group reads.
    pub fn of_all(input: Schema, outline: Outline) -> Self {
        let mut instances = InstancesByMarks::default();
        let marks: Vec<Marks> = outline
            .groups
            .iter()
            .map(|reads| reads.iter().flat_map(|&read| input.fields[read].marks.iter().cloned()).collect())
            .collect();
        let calls = outline.groups.iter().enumerate().map(|(group, reads)| GroupCall {
            group,
            instance: instances.shared(marks[group].clone()),
            reads: reads.clone(),
            selects: outline.selects == Some(group),
        });
        let calls = calls.collect();
        let (outputs, fields) = outline
            .outputs
            .iter()
            .zip(outline.positions())
            .map(|(output, position)| match output {
                Output::Keep { input: kept, name } => {
                    (ProgramOutput::Kept(*kept), Field { name: name.clone(), ..input.fields[*kept].clone() })
                }
                Output::Compute { group, field } => {
                    let marks = &field.marks | &marks[*group];
                    (ProgramOutput::Computed { call: *group, position }, Field { marks, ..field.clone() })
                }
            })
            .unzip();
        Self {
            instances: instances.count(),
            strands: vec![ProgramStrand { calls, outputs, fields }],
            rejection_codes: outline.rejection_codes.clone(),
            fail_on_reject: false,
            input,
            outline,
        }
    }
}
