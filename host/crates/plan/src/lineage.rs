//! Lineage: which column comes from which, stage by stage.
//!
//! The columns of a stream before the first transform are a stage, those after each transform another; the last stage is the
//! table. Every column knows the columns of the stage before that it depends on: one if it is kept, all that its group reads
//! if it is computed. From that follow, by walking backwards, which columns are needed at all (the rest are never requested),
//! and by which path a mark got to where it is.

use std::collections::BTreeSet;

use sluice_model::schema::{Field, Mark, Marks, attribute, unparsed_name};

use super::{Step, StreamPlan};

/// The columns at one point of a stream's way.
#[derive(Debug, Clone)]
pub struct Stage {
    /// The columns, in order.
    pub columns: Vec<Column>,
}

/// A column at one point of a stream's way.
#[derive(Debug, Clone)]
pub struct Column {
    /// Name, type, and the marks as lineage says.
    pub field: Field,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether anything that reaches the table, or chooses its rows, depends on it.
    pub needed: bool,
}

/// Where a column comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The source.
    Source,
    /// A column of the stage before, perhaps under another name.
    Kept {
        /// Its index there.
        from: usize,
    },
    /// A group of the transform's plugin.
    Computed {
        /// The group.
        group: usize,
        /// Indices, in the stage before, of all it can depend on.
        reads: Vec<usize>,
    },
}

impl Origin {
    /// The columns of the stage before that a column depends on.
    pub fn depends_on(&self) -> &[usize] {
        match self {
            Self::Source => &[],
            Self::Kept { from } => std::slice::from_ref(from),
            Self::Computed { reads, .. } => reads,
        }
    }
}

impl Column {
    pub(super) fn source(field: Field) -> Self {
        Self { field, origin: Origin::Source, needed: false }
    }

    pub(super) fn computed(field: Field, group: usize, reads: Vec<usize>) -> Self {
        Self { field, origin: Origin::Computed { group, reads }, needed: false }
    }

    fn is_companion(&self) -> bool {
        self.field.attributes.contains_key(attribute::UNPARSED_OF)
    }
}

impl Stage {
    pub(super) fn new(columns: Vec<Column>) -> Self {
        Self { columns }
    }

    /// The columns that are needed, in order: those a batch holds.
    pub fn needed(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.needed)
    }

    /// Indices of the columns that plugins are shown.
    pub(super) fn visible(&self) -> Vec<usize> {
        (0..self.columns.len()).filter(|&index| !self.columns[index].is_companion()).collect()
    }

    /// The column that holds the unparsable values of another, as text.
    pub(super) fn companion(&self, of: usize) -> Option<usize> {
        let name = &self.columns[of].field.name;
        self.columns.iter().position(|column| column.field.attributes.get(attribute::UNPARSED_OF) == Some(name))
    }

    /// A column of this stage as it stands in the next, if it is kept.
    pub(super) fn keep(&self, from: usize, name: String) -> Column {
        let field = Field { name, ..self.columns[from].field.clone() };
        Column { field, origin: Origin::Kept { from }, needed: false }
    }

    /// A companion as it stands in the next stage, if the column it belongs to is kept under `name`.
    pub(super) fn keep_companion(&self, from: usize, name: &str) -> Column {
        let mut column = self.keep(from, unparsed_name(name));
        column.field.attributes.insert(attribute::UNPARSED_OF.to_owned(), name.to_owned());
        column
    }

    /// All marks of some columns.
    pub(super) fn marks_of(&self, columns: &[usize]) -> Marks {
        columns.iter().flat_map(|&index| self.columns[index].field.marks.iter().cloned()).collect()
    }
}

/// Marks as needed what the last stage depends on, and what rows are chosen by.
pub(super) fn find_needed(stages: &mut [Stage], steps: &[Step]) {
    let Some(last) = stages.last_mut() else { return };
    for column in &mut last.columns {
        column.needed = true;
    }
    for (index, step) in steps.iter().enumerate().rev() {
        let mut needed: BTreeSet<usize> =
            stages[index + 1].needed().flat_map(|column| column.origin.depends_on().iter().copied()).collect();
        if let Some(group) = step.outline.selects {
            needed.extend(step.outline.groups[group].iter().map(|&input| step.visible[input]));
        }
        for column in needed {
            stages[index].columns[column].needed = true;
        }
    }
}

impl StreamPlan {
    /// The columns of the source that a column can depend on, by name.
    pub fn origins(&self, stage: usize, column: usize) -> BTreeSet<&str> {
        let here = &self.stages[stage].columns[column];
        match stage.checked_sub(1) {
            None => BTreeSet::from([here.field.name.as_str()]),
            Some(previous) => here.origin.depends_on().iter().flat_map(|&from| self.origins(previous, from)).collect(),
        }
    }

    /// The columns of a step's input that nothing of its output depends on by name: those it lets go.
    pub fn dropped_in(&self, step: usize) -> impl Iterator<Item = &Field> {
        let after = &self.stages[step + 1];
        let kept: BTreeSet<usize> = after
            .columns
            .iter()
            .filter_map(|column| match column.origin {
                Origin::Kept { from } => Some(from),
                Origin::Source | Origin::Computed { .. } => None,
            })
            .collect();
        let before = self.stages[step].columns.iter().enumerate();
        before
            .filter(move |(index, column)| {
                let replaced = after.columns.iter().any(|output| output.field.name == column.field.name);
                !kept.contains(index) && !replaced && !column.is_companion()
            })
            .map(|(_, column)| &column.field)
    }

    /// The columns that a step computes.
    pub fn computed_in(&self, step: usize) -> impl Iterator<Item = &Field> {
        let columns = self.stages[step + 1].columns.iter();
        columns.filter(|column| matches!(column.origin, Origin::Computed { .. })).map(|column| &column.field)
    }

    /// The columns that the plugin of a step is handed.
    pub fn seen_in(&self, step: usize) -> impl Iterator<Item = &Field> {
        let groups = self.steps[step].outline.groups.iter().flatten();
        let seen: BTreeSet<usize> = groups.map(|&input| self.steps[step].visible[input]).collect();
        seen.into_iter().map(move |column| &self.stages[step].columns[column].field)
    }

    /// The columns by which the plugin of a step chooses rows.
    pub fn selects_by(&self, step: usize) -> impl Iterator<Item = &Field> {
        let made = &self.steps[step];
        let reads = made.outline.selects.into_iter().flat_map(move |group| &made.outline.groups[group]);
        reads.map(move |&input| &self.stages[step].columns[made.visible[input]].field)
    }

    /// The marks of all that the choice of a step's rows can depend on.
    pub fn selection_marks(&self, step: usize) -> Marks {
        if self.steps[step].outline.selects.is_none() {
            return Marks::new();
        }
        let columns = self.selects_by(step).flat_map(|field| field.marks.iter().cloned());
        columns.chain(self.steps[step].attachment_marks.iter().cloned()).collect()
    }

    /// Whether the plugin of a step is handed anything that carries a mark.
    pub fn reads_marked(&self, step: usize) -> bool {
        !self.steps[step].attachment_marks.is_empty() || self.seen_in(step).any(|field| !field.marks.is_empty())
    }

    /// The path by which a mark got to a column: the column's name and what became of it, from the source on.
    /// `transforms` names the transforms of the pipeline.
    pub fn path_of_mark(&self, stage: usize, column: usize, mark: &Mark, transforms: &[String]) -> Vec<String> {
        let mut path = Vec::new();
        let (mut stage, mut column) = (stage, column);
        loop {
            let here = &self.stages[stage].columns[column];
            let name = &here.field.name;
            let Some(previous) = stage.checked_sub(1) else {
                path.push(format!("{}.{name}", self.stream.name));
                break;
            };
            let step = &self.steps[previous];
            let transform = &transforms[step.transform];
            let carries = |&from: &usize| self.stages[previous].columns[from].field.marks.contains(mark);
            let from = here.origin.depends_on().iter().copied().find(carries);
            path.push(match (&here.origin, from) {
                (Origin::Kept { from }, _) if self.stages[previous].columns[*from].field.name == *name => {
                    format!("kept by `{transform}`")
                }
                (Origin::Kept { .. }, _) => format!("renamed to `{name}` by `{transform}`"),
                (_, Some(from)) => format!(
                    "`{name}` computed by `{transform}` from `{}`",
                    self.stages[previous].columns[from].field.name
                ),
                (_, None) => {
                    format!("`{name}` computed by `{transform}`, which has an attachment with the mark or adds it")
                }
            });
            match from {
                Some(from) => (stage, column) = (previous, from),
                None => break,
            }
        }
        path.reverse();
        path
    }
}
