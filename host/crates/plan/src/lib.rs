//! The plan: a pipeline file resolved against discovered schemas and the plugins' outlines.
//!
//! A plan is pure data. It says, column by column, what is requested, what each transform sees, keeps, drops and computes,
//! and what reaches which table, with the marks carried along. Making one does no I/O: whoever has the facts (a live
//! source, or a file that describes one) hands them in, in this order:
//!
//! 1. [`select::streams`] chooses among the streams a source offers;
//! 2. [`StreamDraft::begin`] takes the schema of each, adds the file's marks, and leaves out what the file leaves out and what
//!    HubSpot calls sensitive;
//! 3. for each transform that applies, [`StreamDraft::visible`] is what the plugin is shown, and [`StreamDraft::apply`] takes
//!    its outline;
//! 4. [`Plan::resolve`] works out backwards which columns are needed at all ([`lineage`]), and lets the [`guard`] judge.
//!
//! Nothing here trusts a plugin beyond its outline, and the sandbox holds each plugin to that: a group is handed what the
//! outline says it reads.

pub mod guard;
pub mod keys;
pub mod lineage;
mod program;
pub mod rules;
pub mod select;
pub mod spec;
#[cfg(test)]
mod tests;
pub mod words;

use std::collections::{BTreeMap, BTreeSet};

use sluice_model::{
    outline::{Outline, Output},
    problem::{Place, Problem},
    program::Program,
    schema::{Attributes, Field, Mark, Marks, Schema},
    stream::StreamInfo,
};

pub use self::lineage::{Column, Origin, Stage};
use crate::spec::{Sensitive, Spec, TransformSpec};

/// A pipeline, resolved. Nothing in it is left to decide.
#[derive(Debug)]
pub struct Plan {
    /// The pipeline's name.
    pub pipeline: String,
    /// The streams, in the order in which the source offers them.
    pub streams: Vec<StreamPlan>,
    /// The names of the transforms, in the order of the file.
    pub transforms: Vec<String>,
    /// The marks that may reach the tables.
    pub accepts: Marks,
}

/// One stream: from its columns in the source to those of its table.
#[derive(Debug)]
pub struct StreamPlan {
    /// The stream.
    pub stream: StreamInfo,
    /// What is known of it, by the contract's names.
    pub attributes: Attributes,
    /// Columns that are not requested because HubSpot marks them sensitive, and the file does not ask for them.
    pub withheld: Vec<Field>,
    /// Columns that are not requested because the file leaves them out.
    pub left_out: Vec<Field>,
    /// The columns before the first step, after each step; the last are those of the table.
    pub stages: Vec<Stage>,
    /// The transforms that apply, in order.
    pub steps: Vec<Step>,
    /// The table's name.
    pub table: String,
}

/// One transform, applied to one stream.
#[derive(Debug)]
pub struct Step {
    /// Index of the transform in the pipeline file.
    pub transform: usize,
    /// What its plugin does to this stream.
    pub outline: Outline,
    /// For each field that the plugin is shown, the column of the stage before the step.
    pub visible: Vec<usize>,
    /// Marks of everything the plugin's attachments may carry into what it computes.
    pub attachment_marks: Marks,
    /// Columns that the step computes and the file trusts it with, each with the mark that is cleared.
    pub cleared: BTreeSet<(String, Mark)>,
    /// The codes under which rejected rows are reported.
    pub rejection_codes: Vec<String>,
}

impl StreamPlan {
    /// The columns to request from the source, in order.
    pub fn requested(&self) -> impl Iterator<Item = &Field> {
        self.stages.first().into_iter().flat_map(Stage::needed).map(|column| &column.field)
    }

    /// All columns of the source, with the marks they have there.
    pub fn in_source(&self) -> impl Iterator<Item = &Field> {
        let first = self.stages.first().into_iter().flat_map(|stage| stage.columns.iter());
        first.map(|column| &column.field).chain(&self.withheld).chain(&self.left_out)
    }

    /// The columns of the table, in order.
    pub fn table_columns(&self) -> impl Iterator<Item = &Field> {
        self.stages.last().into_iter().flat_map(|stage| stage.columns.iter()).map(|column| &column.field)
    }

    /// What is done with a batch in one step.
    pub fn program(&self, step: usize) -> Program {
        program::of(&self.steps[step], &self.stages[step], &self.stages[step + 1])
    }

    /// The schema that the plugin of a step is shown.
    pub fn input_of(&self, step: usize) -> Schema {
        let table = match step.checked_sub(1) {
            None => self.stream.name.clone(),
            Some(previous) => self.steps[previous].outline.table.clone(),
        };
        visible_schema(table, &self.attributes, &self.stages[step])
    }
}

/// A stream on its way to a plan: begun with its schema, grown by an outline at a time.
#[derive(Debug)]
pub struct StreamDraft {
    stream: StreamInfo,
    attributes: Attributes,
    withheld: Vec<Field>,
    left_out: Vec<Field>,
    name: String,
    stages: Vec<Stage>,
    steps: Vec<Step>,
}

impl StreamDraft {
    /// Begins with what the source knows of a stream.
    pub fn begin(spec: &Spec, stream: StreamInfo, schema: Schema) -> Self {
        let mut withheld = Vec::new();
        let mut left_out = Vec::new();
        let mut columns = Vec::new();
        let mut fields = Vec::new();
        for field in schema.fields {
            if spec.pipeline.source.sensitive == Sensitive::Exclude && is_sensitive(&field) && !field.is_key() {
                withheld.push(field);
            } else {
                fields.push(field);
            }
        }
        rules::add_marks(spec, &stream, &mut fields);
        for field in fields {
            if field.is_key() || rules::reads(spec, &stream, &field) {
                columns.push(Column::source(field));
            } else {
                left_out.push(field);
            }
        }
        let stage = Stage::new(columns);
        Self {
            attributes: schema.attributes,
            withheld,
            left_out,
            name: schema.name,
            stages: vec![stage],
            steps: Vec::new(),
            stream,
        }
    }

    /// The stream this is about.
    pub fn stream(&self) -> &StreamInfo {
        &self.stream
    }

    /// The columns that a glob could mean: all the source has, those that are not requested included.
    fn known_columns(&self) -> impl Iterator<Item = &Field> {
        let requested = self.stages.first().into_iter().flat_map(|stage| stage.columns.iter());
        requested.map(|column| &column.field).chain(&self.withheld).chain(&self.left_out)
    }

    /// Whether a transform of the file is for this stream.
    pub fn takes(&self, transform: &TransformSpec) -> bool {
        rules::takes(transform, &self.stream)
    }

    /// What the next plugin is shown: every column but the host's own.
    pub fn visible(&self) -> Schema {
        visible_schema(self.name.clone(), &self.attributes, self.last())
    }

    /// Takes the outline that a transform's plugin gave for [`visible`](Self::visible).
    /// The outline has been checked against that schema.
    ///
    /// # Errors
    /// An outline with words in it that a plugin with marked attachments may not choose ([`words`]).
    pub fn apply(
        &mut self,
        transform: usize,
        spec: &TransformSpec,
        outline: Outline,
        attachment_marks: Marks,
    ) -> Result<(), words::Unsaid> {
        let words = words::Words::of(&self.visible(), spec, &attachment_marks);
        words.check(&outline)?;
        let before = self.last();
        let visible = before.visible();
        let mut cleared = BTreeSet::new();
        let mut columns = Vec::with_capacity(outline.outputs.len());
        for output in &outline.outputs {
            match output {
                Output::Keep { input, name } => {
                    let from = visible[*input];
                    columns.push(before.keep(from, name.clone()));
                    if let Some(companion) = before.companion(from) {
                        columns.push(before.keep_companion(companion, name));
                    }
                }
                Output::Compute { group, field } => {
                    let reads: Vec<usize> = outline.groups[*group].iter().map(|&input| visible[input]).collect();
                    let mut marks = before.marks_of(&reads);
                    marks.extend(field.marks.iter().cloned());
                    marks.extend(attachment_marks.iter().cloned());
                    for mark in rules::cleared(spec, &self.stream, &field.name) {
                        if marks.remove(mark) {
                            cleared.insert((field.name.clone(), mark.clone()));
                        }
                    }
                    let attributes = words.attributes(&field.attributes);
                    columns.push(Column::computed(Field { marks, attributes, ..field.clone() }, *group, reads));
                }
            }
        }
        self.name.clone_from(&outline.table);
        let rejection_codes = words.codes(&outline.rejection_codes);
        self.steps.push(Step { transform, outline, visible, attachment_marks, cleared, rejection_codes });
        self.stages.push(Stage::new(columns));
        Ok(())
    }

    fn last(&self) -> &Stage {
        &self.stages[self.stages.len() - 1]
    }

    /// The table's name: the plugins', if one of them renamed it, the stream's own otherwise.
    fn table(&self) -> String {
        if self.name == self.stream.name { self.stream.table() } else { self.name.clone() }
    }

    fn finish(mut self) -> StreamPlan {
        lineage::find_needed(&mut self.stages, &self.steps);
        StreamPlan {
            table: self.table(),
            stream: self.stream,
            attributes: self.attributes,
            withheld: self.withheld,
            left_out: self.left_out,
            stages: self.stages,
            steps: self.steps,
        }
    }
}

impl Plan {
    /// Resolves all streams, and judges the whole. `unreadable`: streams that the file takes in and that cannot be read.
    pub fn resolve(spec: &Spec, drafts: Vec<StreamDraft>, unreadable: &[StreamInfo]) -> Result<Self, Vec<Problem>> {
        let mut problems = rules::idle(spec, &drafts, unreadable);
        let plan = Self {
            pipeline: spec.pipeline.pipeline.get_ref().as_str().to_owned(),
            streams: drafts.into_iter().map(StreamDraft::finish).collect(),
            transforms: transforms(spec).map(|transform| transform.name.get_ref().as_str().to_owned()).collect(),
            accepts: spec.pipeline.sink.get_ref().accepts.iter().map(|mark| mark.0.clone()).collect(),
        };
        problems.extend(plan.two_of_one_name(spec));
        problems.extend(keys::check(spec, &plan));
        problems.extend(guard::judge(spec, &plan, unreadable));
        if problems.is_empty() { Ok(plan) } else { Err(problems) }
    }

    /// Streams whose tables would have one name, and columns of one table that would.
    fn two_of_one_name(&self, spec: &Spec) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut tables: BTreeMap<String, &StreamPlan> = BTreeMap::new();
        for stream in &self.streams {
            if let Some(other) = tables.insert(stream.table.to_ascii_lowercase(), stream) {
                problems.push(
                    Problem::new(format!(
                        "streams `{}` and `{}` would both be written to table `{}`",
                        other.stream.name, stream.stream.name, stream.table
                    ))
                    .at(stream.steps.last().and_then(|step| transform_place(spec, step.transform)))
                    .hint("let a transform give one of them another name, or leave one of them out"),
                );
            }
            let mut names = BTreeSet::new();
            for field in stream.table_columns() {
                if !names.insert(field.name.to_ascii_lowercase()) {
                    problems.push(Problem::new(format!(
                        "table `{}` would have two columns named `{}` (case does not count)",
                        stream.table, field.name
                    )));
                }
            }
        }
        problems
    }
}

/// The transforms of a pipeline file, in order.
pub fn transforms(spec: &Spec) -> impl Iterator<Item = &TransformSpec> {
    spec.pipeline.transform.iter().map(toml::Spanned::get_ref)
}

/// Where a transform stands in the file.
fn transform_place(spec: &Spec, transform: usize) -> Option<Place> {
    spec.pipeline.transform.get(transform).and_then(|transform| spec.place(&transform.get_ref().name))
}

fn visible_schema(name: String, attributes: &Attributes, stage: &Stage) -> Schema {
    let fields = stage.visible().into_iter().map(|index| stage.columns[index].field.clone()).collect();
    Schema { name, fields, attributes: attributes.clone() }
}

/// Whether HubSpot calls a column sensitive.
fn is_sensitive(field: &Field) -> bool {
    field.marks.iter().map(Mark::as_str).any(|mark| mark == Mark::SENSITIVE || mark == Mark::HIGHLY_SENSITIVE)
}
