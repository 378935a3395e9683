//! The plan: a pipeline file resolved against discovered schemas and the plugins' outlines.
//!
//! A plan is pure data. It says, column by column, what is requested, what each transform sees, keeps, drops and computes,
//! and what reaches which table, with the marks carried along; and of each transform all that a run needs to know. Making one
//! does no I/O: whoever has the facts (a live source, or a file that describes one) hands them in, in this order:
//!
//! 1. [`spec`] reads the pipeline file, and a [`Planner`] takes it, with what is known of the plugins;
//! 2. [`Rules::select`] chooses among the streams a source offers;
//! 3. [`Planner::begin`] takes the schema of each, adds the file's marks, and leaves out what the file leaves out and what
//!    HubSpot calls sensitive;
//! 4. for each transform that applies, [`StreamDraft::visible`] is what the plugin is shown, and [`StreamDraft::apply`] takes
//!    its outline, and with it works out where each column comes from (`lineage`);
//! 5. [`Planner::resolve`] finds which columns are needed at all, and lets the guard judge.
//!
//! Nothing here trusts a plugin beyond its outline, and the sandbox holds each plugin to that: a group is handed what the
//! outline says it reads. And nothing after the plan goes back to the pipeline file.

mod audit;
mod digest;
mod draft;
mod guard;
mod history;
mod idle;
mod keys;
mod lineage;
mod planner;
mod program;
mod rules;
mod select;
pub mod spec;
mod strand;
mod table;
#[cfg(test)]
mod tests;
mod transform;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use sluice_model::{
    outline::Outline,
    problem::Problem,
    program::Program,
    schema::{Attributes, Field, Marks, Schema},
    stream::StreamInfo,
};

pub use self::{
    draft::StreamDraft,
    lineage::{Ancestry, Column, Origin, Stage},
    planner::Planner,
    rules::{ColumnRule, MarkRule, Placed, Rules},
    strand::Strand,
    table::{NAME, PROPERTIES, Shape, TableColumn, TablePlan, VALUE, name_of_value},
    transform::{Attached, AttachedFrom, Clears, LoadedPlugin, Transform},
    words::Unsaid,
};

/// A pipeline, resolved. Nothing in it is left to decide.
#[derive(Debug)]
pub struct Plan {
    /// The pipeline's name.
    pub pipeline: String,
    /// The name of its file, for messages.
    pub file: String,
    /// The streams, in the order in which the source offers them.
    pub streams: Vec<StreamPlan>,
    /// The transforms, in the order of the file.
    pub transforms: Vec<Arc<Transform>>,
    /// The marks that may reach the tables.
    pub accepts: Marks,
    /// What the file says of streams and columns, those that are not read included.
    pub rules: Rules,
}

/// One stream: from its columns in the source to those of its tables.
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
    /// Columns of what is said of marked properties that are not requested: no property is marked, or the sink does not accept
    /// their marks.
    pub(crate) of_marked: Vec<Field>,
    /// The columns before the first step, after each step; of the last, the tables are made.
    pub stages: Vec<Stage>,
    /// The transforms that apply, in order.
    pub steps: Vec<Step>,
    /// The strands of its batches: one, of all but a history.
    pub strands: Vec<Strand>,
    /// The tables that it feeds; at least one.
    pub tables: Vec<TablePlan>,
}

/// One transform, applied to one stream.
#[derive(Debug)]
pub struct Step {
    /// The transform.
    pub transform: Arc<Transform>,
    /// What its plugin does to this stream.
    pub outline: Outline,
    /// For each group of the outline, the columns of the stage before that it reads.
    pub reads: Vec<Vec<usize>>,
    /// Columns that the step computes and the file trusts it with, each with the marks that are cleared.
    pub cleared: BTreeMap<String, Marks>,
    /// The codes under which rejected rows are reported.
    pub rejection_codes: Vec<String>,
}

impl StreamPlan {
    /// The columns to request from the source, in order.
    pub fn requested(&self) -> impl Iterator<Item = &Field> {
        self.stages.first().into_iter().flat_map(Stage::needed).map(|column| &column.field)
    }

    /// Columns that are not requested because the sink does not accept their marks.
    pub fn not_accepted(&self) -> impl Iterator<Item = &Field> {
        self.of_marked.iter().filter(|field| !field.marks.is_empty())
    }

    /// All columns of the source, with the marks they have there.
    pub fn in_source(&self) -> impl Iterator<Item = &Field> {
        let first = self.stages.first().into_iter().flat_map(|stage| stage.columns.iter());
        first.map(|column| &column.field).chain(&self.withheld).chain(&self.left_out).chain(&self.of_marked)
    }

    /// The columns after the last step, in order.
    pub fn last_columns(&self) -> impl Iterator<Item = &Field> {
        self.stages.last().into_iter().flat_map(|stage| stage.columns.iter()).map(|column| &column.field)
    }

    /// The columns of the source that a column of a table can depend on, by name.
    pub fn origins_of(&self, column: &TableColumn) -> BTreeSet<&str> {
        column.from.iter().flat_map(|&from| self.origins(self.last_stage(), from)).collect()
    }

    /// The index of the last stage.
    pub fn last_stage(&self) -> usize {
        self.stages.len() - 1
    }

    /// What is done with a batch in one step.
    pub fn program(&self, step: usize) -> Program {
        program::of(self, step, self.input_of(step))
    }

    /// The schema that the plugin of a step is shown.
    fn input_of(&self, step: usize) -> Schema {
        let table = match step.checked_sub(1) {
            None => self.stream.shown_name(),
            Some(previous) => self.steps[previous].outline.table.clone(),
        };
        self.stages[step].as_shown(table, &self.attributes)
    }
}

impl Plan {
    /// All tables, each as often as streams feed it, with the stream.
    pub fn tables(&self) -> impl Iterator<Item = (&StreamPlan, &TablePlan)> {
        self.streams.iter().flat_map(|stream| stream.tables.iter().map(move |table| (stream, table)))
    }

    /// Judges the whole. `unreadable`: streams that the file takes in and that cannot be read.
    fn judge(&self, unreadable: &[StreamInfo]) -> Vec<Problem> {
        let mut problems = self.two_of_one_name();
        problems.extend(keys::check(self));
        problems.extend(guard::judge(self, unreadable));
        problems
    }

    /// Tables that would have one name and are not one table, and columns of one table that would have one name.
    fn two_of_one_name(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut tables: BTreeMap<String, (&StreamPlan, &TablePlan)> = BTreeMap::new();
        for (stream, table) in self.tables() {
            let before = *tables.entry(table.name.to_ascii_lowercase()).or_insert((stream, table));
            problems.extend(not_one_table(before, (stream, table)));
            let mut names = HashSet::with_capacity(table.columns.len());
            for field in table.fields() {
                if !names.insert(field.name.to_ascii_lowercase()) {
                    problems.push(Problem::new(format!(
                        "table `{}` would have two columns named `{}` (case does not count)",
                        table.name, field.name
                    )));
                }
            }
        }
        problems
    }
}

/// Why two tables of one name cannot be one table, if they are not the same anyway.
fn not_one_table(before: (&StreamPlan, &TablePlan), after: (&StreamPlan, &TablePlan)) -> Option<Problem> {
    let ((one, own), (other, table)) = (before, after);
    if std::ptr::eq(own, table) {
        return None;
    }
    let problem = if std::ptr::eq(one, other) {
        Problem::new(format!(
            "stream `{}` would be written to two tables named `{}` (case does not count)",
            one.stream.name, table.name
        ))
        .hint("let a transform give it another name")
    } else if own.shape.is_shared() && own.shape == table.shape {
        let odd = own.differs_from(table)?;
        Problem::new(format!(
            "table `{}` would have other columns from stream `{}` than from `{}`: `{odd}`",
            table.name, other.stream.name, one.stream.name
        ))
        .hint("let transforms keep the columns that every record has, of all streams or of none, and their types")
    } else {
        Problem::new(format!(
            "streams `{}` and `{}` would both be written to table `{}`",
            one.stream.name, other.stream.name, table.name
        ))
        .hint("let a transform give one of them another name, or leave one of them out")
    };
    Some(problem.at(other.steps.last().and_then(|step| step.transform.place)))
}
