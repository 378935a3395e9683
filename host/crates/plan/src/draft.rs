//! A stream on its way to a plan: what the source has, then transform by transform what the plugins do.

use std::{collections::BTreeMap, sync::Arc};

use sluice_model::{
    outline::{Outline, Output},
    problem::Problem,
    schema::{Attributes, Field, Mark, Marks, Schema},
    stream::StreamInfo,
};

use super::{
    Step, StreamPlan, history,
    lineage::{Column, Stage},
    rules::Rules,
    strand::mark_needed,
    table,
    transform::Transform,
    words::{Unsaid, Words},
};
use crate::spec::Layout;

/// A stream on its way to a plan: begun with its schema, grown by an outline at a time.
#[derive(Debug)]
pub struct StreamDraft {
    pub(super) stream: StreamInfo,
    pub(super) attributes: Attributes,
    pub(super) withheld: Vec<Field>,
    pub(super) left_out: Vec<Field>,
    pub(super) of_marked: Vec<Field>,
    pub(super) name: String,
    pub(super) stages: Vec<Stage>,
    pub(super) steps: Vec<Step>,
}

impl StreamDraft {
    /// The stream this is about.
    pub fn stream(&self) -> &StreamInfo {
        &self.stream
    }

    /// The columns that a glob could mean: all the source has, those that are not requested included.
    pub(super) fn known_columns(&self) -> impl Iterator<Item = &Field> {
        let requested = self.stages.first().into_iter().flat_map(|stage| stage.columns.iter());
        requested.map(|column| &column.field).chain(&self.withheld).chain(&self.left_out).chain(&self.of_marked)
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
        let positions = outline.positions();
        let mut columns = Vec::with_capacity(outline.outputs.len());
        for index in words.order(&outline) {
            match &outline.outputs[index] {
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
                        attributes: words.attributes(field, &outline.groups[*group]),
                    };
                    columns.push(Column::computed(field, *group, positions[index], ancestry.clone()));
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
        if self.name == self.stream.shown_name() { self.stream.table() } else { self.name.clone() }
    }

    /// Finishes it, with the tables that it feeds in this layout. What is wrong with it is told beside it.
    pub(super) fn finish(mut self, layout: Layout, rules: &Rules) -> (StreamPlan, Vec<Problem>) {
        let (strands, problems) = history::strands(&self.stream, &self.stages, &self.steps, rules);
        mark_needed(&mut self.stages, &strands);
        let plan = StreamPlan {
            tables: table::of(&self.stream, self.table(), self.last(), layout),
            strands,
            stream: self.stream,
            attributes: self.attributes,
            withheld: self.withheld,
            left_out: self.left_out,
            of_marked: self.of_marked,
            stages: self.stages,
            steps: self.steps,
        };
        (plan, problems)
    }
}
