//! A plan in the making: what the file says, then stream by stream what the source has and what the plugins do.

use std::{collections::BTreeMap, sync::Arc};

use sluice_model::{
    outline::{Outline, Output},
    problem::Problem,
    schema::{Attributes, Field, Mark, Marks, Schema},
    stream::StreamInfo,
};

use super::{
    Plan, Step, StreamPlan,
    lineage::{self, Column, Stage},
    rules::Rules,
    transform::Transform,
    words::{Unsaid, Words},
};
use crate::spec::{Sensitive, Spec};

/// What a pipeline file says, ready to be resolved.
#[derive(Debug)]
pub struct Planner {
    pipeline: String,
    file: String,
    accepts: Marks,
    rules: Rules,
    transforms: Vec<Arc<Transform>>,
}

/// A stream on its way to a plan: begun with its schema, grown by an outline at a time.
#[derive(Debug)]
pub struct StreamDraft {
    pub(super) stream: StreamInfo,
    attributes: Attributes,
    pub(super) withheld: Vec<Field>,
    left_out: Vec<Field>,
    name: String,
    pub(super) stages: Vec<Stage>,
    steps: Vec<Step>,
}

impl Planner {
    /// Takes what the file says. `transforms`: those of the file, in order, each with its plugin.
    pub fn new(spec: &Spec, transforms: Vec<Arc<Transform>>) -> Self {
        Self {
            pipeline: spec.pipeline.pipeline.get_ref().as_str().to_owned(),
            file: spec.file.clone(),
            accepts: spec.pipeline.sink.get_ref().accepts.iter().map(|mark| mark.0.clone()).collect(),
            rules: Rules::of(spec),
            transforms,
        }
    }

    /// The name of the file, for messages.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What the file says of streams and columns.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The transforms of the file, in order.
    pub fn transforms(&self) -> &[Arc<Transform>] {
        &self.transforms
    }

    /// Begins with what the source knows of a stream.
    pub fn begin(&self, stream: StreamInfo, schema: Schema) -> StreamDraft {
        let withholds =
            |field: &Field| self.rules.sensitive == Sensitive::Exclude && is_sensitive(field) && !field.is_key();
        let (withheld, mut fields): (Vec<Field>, Vec<Field>) = schema.fields.into_iter().partition(withholds);
        self.rules.add_marks(&stream, &mut fields);
        let reads = |field: &Field| field.is_key() || self.rules.reads(&stream, field);
        let (fields, left_out) = fields.into_iter().partition(reads);
        StreamDraft {
            attributes: schema.attributes,
            withheld,
            left_out,
            name: schema.name,
            stages: vec![Stage::of_source(fields)],
            steps: Vec::new(),
            stream,
        }
    }

    /// Resolves all streams, and judges the whole. `unreadable`: streams that the file takes in and that cannot be read.
    ///
    /// # Errors
    /// Everything that must not pass, and every line of the file that says nothing.
    pub fn resolve(self, drafts: Vec<StreamDraft>, unreadable: &[StreamInfo]) -> Result<Plan, Vec<Problem>> {
        let mut problems = self.rules.idle(&self.transforms, &drafts, unreadable);
        let plan = Plan {
            pipeline: self.pipeline,
            file: self.file,
            streams: drafts.into_iter().map(StreamDraft::finish).collect(),
            transforms: self.transforms,
            accepts: self.accepts,
            rules: self.rules,
        };
        problems.extend(plan.judge(unreadable));
        if problems.is_empty() { Ok(plan) } else { Err(problems) }
    }
}

impl StreamDraft {
    /// The stream this is about.
    pub fn stream(&self) -> &StreamInfo {
        &self.stream
    }

    /// The columns that a glob could mean: all the source has, those that are not requested included.
    pub(super) fn known_columns(&self) -> impl Iterator<Item = &Field> {
        let requested = self.stages.first().into_iter().flat_map(|stage| stage.columns.iter());
        requested.map(|column| &column.field).chain(&self.withheld).chain(&self.left_out)
    }

    /// What the next plugin is shown: every column but the host's own.
    pub fn visible(&self) -> Schema {
        self.last().as_shown(self.name.clone(), &self.attributes)
    }

    /// Takes the outline that a transform's plugin gave for [`visible`](Self::visible).
    /// The outline has been checked against that schema.
    ///
    /// # Errors
    /// An outline with words in it that a plugin with marked attachments may not choose.
    pub fn apply(&mut self, transform: &Arc<Transform>, outline: Outline) -> Result<(), Unsaid> {
        let attachment_marks = transform.attachment_marks();
        let words = Words::of(|| self.visible(), transform, &attachment_marks);
        words.check(&outline)?;
        let before = self.last();
        let step = self.steps.len();
        let in_source = self.stages[0].columns.len();
        let reads: Vec<Vec<usize>> =
            outline.groups.iter().map(|reads| reads.iter().map(|&input| before.visible[input]).collect()).collect();
        let of_group: Vec<_> =
            reads.iter().map(|reads| (before.marks_of(reads), before.ancestry_of(reads, step, in_source))).collect();
        let mut trusted: BTreeMap<&str, Vec<&Mark>> = BTreeMap::new();
        for clears in transform.clears.iter().filter(|clears| clears.is_of(&self.stream)) {
            trusted.entry(&clears.column.column).or_default().push(&clears.mark);
        }
        let mut cleared: BTreeMap<String, Marks> = BTreeMap::new();
        let mut columns = Vec::with_capacity(outline.outputs.len());
        for output in &outline.outputs {
            match output {
                Output::Keep { input, name } => {
                    let from = before.visible[*input];
                    columns.push(before.keep(from, name.clone()));
                    if let Some(companion) = before.companion(from) {
                        columns.push(before.keep_companion(companion, name));
                    }
                }
                Output::Compute { group, field } => {
                    let (read_marks, ancestry) = &of_group[*group];
                    let mut marks = read_marks.clone();
                    marks.add(&field.marks);
                    marks.add(&attachment_marks);
                    for &mark in trusted.get(field.name.as_str()).into_iter().flatten() {
                        if marks.remove(mark) {
                            cleared.entry(field.name.clone()).or_default().insert(mark.clone());
                        }
                    }
                    let field = Field {
                        name: field.name.clone(),
                        column_type: field.column_type,
                        nullable: field.nullable,
                        marks,
                        attributes: words.attributes(&field.attributes),
                    };
                    columns.push(Column::computed(field, *group, ancestry.clone()));
                }
            }
        }
        let rejection_codes = words.codes(&outline.rejection_codes);
        self.name.clone_from(&outline.table);
        self.steps.push(Step { transform: Arc::clone(transform), outline, reads, cleared, rejection_codes });
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

    pub(super) fn finish(mut self) -> StreamPlan {
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

/// Whether HubSpot calls a column sensitive.
fn is_sensitive(field: &Field) -> bool {
    field.marks.iter().map(Mark::as_str).any(|mark| mark == Mark::SENSITIVE || mark == Mark::HIGHLY_SENSITIVE)
}
