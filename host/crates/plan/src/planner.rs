//! From what a pipeline file says to a plan.

use std::sync::Arc;

use sluice_model::{
    problem::Problem,
    schema::{Field, Mark, Marks, Schema},
    stream::StreamInfo,
};

use super::{Plan, StreamPlan, draft::StreamDraft, idle, lineage::Stage, rules::Rules, table, transform::Transform};
use crate::spec::{Layout, Sensitive, Spec};

/// What a pipeline file says, ready to be resolved.
#[derive(Debug)]
pub struct Planner {
    pipeline: String,
    file: String,
    accepts: Marks,
    layout: Layout,
    rules: Rules,
    transforms: Vec<Arc<Transform>>,
}

impl Planner {
    /// Takes what the file says. `transforms`: those of the file, in order, each with its plugin.
    pub fn new(spec: &Spec, transforms: Vec<Arc<Transform>>) -> Self {
        Self {
            pipeline: spec.pipeline.pipeline.get_ref().as_str().to_owned(),
            file: spec.file.clone(),
            accepts: spec.pipeline.sink.get_ref().accepts.iter().map(|mark| mark.0.clone()).collect(),
            layout: spec.pipeline.sink.get_ref().layout,
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
        let of_properties = self.rules.marks_of_properties();
        fields.iter_mut().filter(|field| field.is_of_marked()).for_each(|field| field.marks.add(&of_properties));
        let reads = |field: &Field| field.is_key() || self.rules.reads(&stream, field);
        let (fields, left_out): (Vec<Field>, Vec<Field>) = fields.into_iter().partition(reads);
        let (fields, of_marked) = fields.into_iter().partition(|field| self.is_wanted(&stream, field));
        StreamDraft {
            attributes: schema.attributes,
            withheld,
            left_out,
            of_marked,
            name: schema.name,
            stages: vec![Stage::of_source(fields)],
            steps: Vec::new(),
            stream,
        }
    }

    /// Whether a column is wanted: any is, but for those of what is said of marked properties. Such a column carries the marks of
    /// all of them, and who reads what is said of the others need not leave it out by name: it is read where the sink accepts all
    /// its marks, or a transform is trusted to clear some, and then judged by the guard, as any column.
    fn is_wanted(&self, stream: &StreamInfo, field: &Field) -> bool {
        let mut clears = self.transforms.iter().filter(|it| it.takes(stream)).flat_map(|it| &it.clears);
        !field.is_of_marked()
            || (!field.marks.is_empty() && field.marks.is_subset(&self.accepts))
            || clears.any(|clears| clears.is_of(stream) && clears.column.column == field.name)
    }

    /// Resolves all streams, and judges the whole. `unreadable`: streams that the file takes in and that cannot be read.
    ///
    /// # Errors
    /// Everything that must not pass, and every line of the file that says nothing.
    pub fn resolve(self, drafts: Vec<StreamDraft>, unreadable: &[StreamInfo]) -> Result<Plan, Vec<Problem>> {
        let mut problems = idle::globs(&self.rules, &self.transforms, &drafts, unreadable);
        problems.extend(idle::properties(&self.rules, &drafts));
        let finished = drafts.into_iter().map(|draft| draft.finish(self.layout, &self.rules));
        let (mut streams, unread): (Vec<StreamPlan>, Vec<Vec<Problem>>) = finished.unzip();
        problems.extend(unread.into_iter().flatten());
        table::unite_marks(&mut streams);
        let plan = Plan {
            pipeline: self.pipeline,
            file: self.file,
            streams,
            transforms: self.transforms,
            accepts: self.accepts,
            rules: self.rules,
        };
        problems.extend(plan.judge(unreadable));
        if problems.is_empty() { Ok(plan) } else { Err(problems) }
    }
}

/// Whether HubSpot calls a column sensitive.
fn is_sensitive(field: &Field) -> bool {
    field.marks.iter().map(Mark::as_str).any(|mark| mark == Mark::SENSITIVE || mark == Mark::HIGHLY_SENSITIVE)
}
