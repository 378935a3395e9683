//! Lineage: which column comes from which, stage by stage.
//!
//! The columns of a stream before the first transform are a stage, those after each transform another; of the last, the
//! tables are made. Lineage is worked out forwards: each column knows the column of the stage before that it is, or the group that
//! computes it, and the columns of the source that it can depend on. All columns that one group computes share one set of
//! those, so that a plan of many columns and steps grows with their number and not with the ways between them.
//! Backwards it is only walked once, to find which columns are needed at all: the rest are never requested.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use sluice_model::{
    outline::Output,
    schema::{Attributes, Field, Mark, Marks, Schema, attribute, unparsed_name},
};

use super::{Step, StreamPlan};

/// The columns at one point of a stream's way.
#[derive(Debug, Clone)]
pub struct Stage {
    /// The columns, in order.
    pub columns: Vec<Column>,
    /// Indices of the columns that plugins are shown: all but the host's own.
    pub(super) visible: Vec<usize>,
    /// The column that holds the unparsable values of another, as text, by the index of the other.
    companions: HashMap<usize, usize>,
}

/// A column at one point of a stream's way.
#[derive(Debug, Clone)]
pub struct Column {
    /// Name, type, and the marks as lineage says.
    pub field: Field,
    /// Where it comes from.
    pub origin: Origin,
    /// What it can depend on, from the beginning.
    pub ancestry: Ancestry,
    /// Whether anything that reaches a table, or chooses its rows, depends on it: whether any batch holds it.
    pub needed: bool,
}

/// Where a column comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The source.
    Source,
    /// A column of the stage before, perhaps under another name.
    Kept {
        /// Its index there.
        from: usize,
    },
    /// A group of the transform's plugin: [`Step::reads`] says what of the stage before it can depend on.
    Computed {
        /// The group.
        group: usize,
        /// Its position among what the group computes.
        position: usize,
    },
}

/// What a column can depend on. Cheap to clone: the columns of one group share theirs.
#[derive(Debug, Clone)]
pub struct Ancestry {
    sources: Sources,
    /// The steps that computed it, or anything that it was computed from, in order.
    computed_in: Arc<[usize]>,
}

/// Columns of the source, by their index in the first stage.
#[derive(Debug, Clone)]
enum Sources {
    One(usize),
    /// A bit for each.
    Many(Arc<[u64]>),
}

impl Ancestry {
    fn of_source(index: usize) -> Self {
        Self { sources: Sources::One(index), computed_in: Arc::default() }
    }

    /// Of what is computed in a step from columns of these ancestries. `all`: the columns of the first stage.
    fn computed<'a>(step: usize, reads: impl Iterator<Item = &'a Self>, all: usize) -> Self {
        let mut bits = vec![0; all.div_ceil(u64::BITS as usize)];
        let mut computed_in = BTreeSet::from([step]);
        let mut last: Option<&Self> = None;
        for read in reads {
            // Columns that were computed together mostly stand together.
            if last.is_none_or(|last| !last.shares_sources(read)) {
                match &read.sources {
                    Sources::One(index) => bits[index / 64] |= 1 << (index % 64),
                    Sources::Many(more) => bits.iter_mut().zip(more.iter()).for_each(|(bits, more)| *bits |= more),
                }
            }
            if last.is_none_or(|last| !Arc::ptr_eq(&last.computed_in, &read.computed_in)) {
                computed_in.extend(read.computed_in.iter());
            }
            last = Some(read);
        }
        Self { sources: Sources::Many(bits.into()), computed_in: computed_in.into_iter().collect() }
    }

    /// Whether both are known to depend on the same columns of the source.
    pub fn shares_sources(&self, other: &Self) -> bool {
        match (&self.sources, &other.sources) {
            (Sources::Many(one), Sources::Many(other)) => Arc::ptr_eq(one, other),
            (Sources::One(one), Sources::One(other)) => one == other,
            _ => false,
        }
    }

    /// The columns of the source, by their index in the first stage.
    pub fn sources(&self) -> impl Iterator<Item = usize> {
        let (one, many) = match &self.sources {
            Sources::One(index) => (Some(*index), None),
            Sources::Many(bits) => (None, Some(bits)),
        };
        let set = |(word, bits): (usize, &u64)| {
            let bits = *bits;
            (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word * 64 + bit)
        };
        one.into_iter().chain(many.into_iter().flat_map(move |bits| bits.iter().enumerate().flat_map(set)))
    }

    /// The steps that computed the column, or anything that it was computed from, in order.
    pub fn computed_in(&self) -> &[usize] {
        &self.computed_in
    }
}

impl Column {
    /// A column that a group computes.
    pub(super) fn computed(field: Field, group: usize, position: usize, ancestry: Ancestry) -> Self {
        Self { field, origin: Origin::Computed { group, position }, ancestry, needed: false }
    }

    fn is_companion(&self) -> bool {
        self.field.attributes.contains_key(attribute::UNPARSED_OF)
    }
}

impl Stage {
    /// The first stage: columns of the source.
    pub(super) fn of_source(fields: Vec<Field>) -> Self {
        let column = |(index, field)| Column {
            field,
            origin: Origin::Source,
            ancestry: Ancestry::of_source(index),
            needed: false,
        };
        Self::new(fields.into_iter().enumerate().map(column).collect())
    }

    pub(super) fn new(columns: Vec<Column>) -> Self {
        let of = |index: &usize| columns[*index].field.attributes.get(attribute::UNPARSED_OF);
        let (visible, companions): (Vec<usize>, Vec<usize>) =
            (0..columns.len()).partition(|&index| !columns[index].is_companion());
        let companions = if companions.is_empty() {
            HashMap::new()
        } else {
            let by_name: HashMap<&str, usize> =
                columns.iter().enumerate().map(|(index, column)| (column.field.name.as_str(), index)).collect();
            let whose = |companion: usize| by_name.get(of(&companion)?.as_str()).map(|&owner| (owner, companion));
            companions.into_iter().filter_map(whose).collect()
        };
        Self { columns, visible, companions }
    }

    /// The schema that a plugin is shown of it.
    pub(super) fn as_shown(&self, name: String, attributes: &Attributes) -> Schema {
        let fields = self.visible.iter().map(|&index| self.columns[index].field.clone()).collect();
        Schema { name, fields, attributes: attributes.clone() }
    }

    /// The columns that are needed, in order.
    pub fn needed(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.needed)
    }

    /// The column that holds the unparsable values of another, as text.
    pub(super) fn companion(&self, of: usize) -> Option<usize> {
        self.companions.get(&of).copied()
    }

    /// A column of this stage as it stands in the next, if it is kept.
    pub(super) fn keep(&self, from: usize, name: String) -> Column {
        let Column { field, ancestry, .. } = &self.columns[from];
        let field = Field {
            name,
            column_type: field.column_type,
            nullable: field.nullable,
            marks: field.marks.clone(),
            attributes: field.attributes.clone(),
        };
        Column { field, origin: Origin::Kept { from }, ancestry: ancestry.clone(), needed: false }
    }

    /// A companion as it stands in the next stage, if the column it belongs to is kept under `name`.
    pub(super) fn keep_companion(&self, from: usize, name: &str) -> Column {
        let mut column = self.keep(from, unparsed_name(name));
        column.field.attributes.insert(attribute::UNPARSED_OF.to_owned(), name.to_owned());
        column
    }

    /// All marks of some columns.
    pub(super) fn marks_of(&self, columns: &[usize]) -> Marks {
        let mut marks = Marks::new();
        for &index in columns {
            marks.add(&self.columns[index].field.marks);
        }
        marks
    }

    /// What a group that reads these columns of this stage computes in a step can depend on. `all`: the columns of the source.
    pub(super) fn ancestry_of(&self, columns: &[usize], step: usize, all: usize) -> Ancestry {
        Ancestry::computed(step, columns.iter().map(|&index| &self.columns[index].ancestry), all)
    }
}

impl Step {
    /// The columns of the stage before that the choice of its rows depends on.
    fn chooses_by(&self) -> &[usize] {
        self.outline.selects.map_or(&[], |group| &self.reads[group])
    }

    /// Those that it is said to depend on. Which they are is the plugin's word, so that of one with marked attachments is said
    /// to choose by all that it reads.
    fn is_said_to_choose_by(&self) -> BTreeSet<usize> {
        if self.outline.selects.is_none() || self.transform.attachment_marks().is_empty() {
            return self.chooses_by().iter().copied().collect();
        }
        self.reads.iter().flatten().copied().collect()
    }
}

/// Which columns of each stage are needed for some of the last one: what these depend on, and what rows are chosen by.
/// `by_said`: all that rows are said to be chosen by, since what is needed is told.
pub(super) fn needed(stages: &[Stage], steps: &[Step], last: Vec<bool>, by_said: bool) -> Vec<Vec<bool>> {
    let mut all = vec![last];
    for (index, step) in steps.iter().enumerate().rev() {
        let after = all.last().into_iter().flatten().zip(&stages[index + 1].columns);
        let mut before = vec![false; stages[index].columns.len()];
        let mut groups = vec![false; step.reads.len()];
        let by = if by_said { step.is_said_to_choose_by() } else { step.chooses_by().iter().copied().collect() };
        for read in by {
            before[read] = true;
        }
        for (_, column) in after.filter(|(needed, _)| **needed) {
            match column.origin {
                Origin::Source => {}
                Origin::Kept { from } => before[from] = true,
                Origin::Computed { group, .. } => groups[group] = true,
            }
        }
        for (reads, _) in step.reads.iter().zip(groups).filter(|(_, needed)| *needed) {
            for &read in reads {
                before[read] = true;
            }
        }
        all.push(before);
    }
    all.reverse();
    all
}

impl StreamPlan {
    /// The columns of the source that a column can depend on, by name.
    pub fn origins(&self, stage: usize, column: usize) -> BTreeSet<&str> {
        self.sources(stage, column).map(|field| field.name.as_str()).collect()
    }

    /// The columns of the source that a column can depend on.
    pub fn sources(&self, stage: usize, column: usize) -> impl Iterator<Item = &Field> {
        let sources = self.stages[stage].columns[column].ancestry.sources();
        sources.map(|index| &self.stages[0].columns[index].field)
    }

    /// The columns of the stage before that a column depends on.
    fn depends_on(&self, stage: usize, column: usize) -> &[usize] {
        match &self.stages[stage].columns[column].origin {
            Origin::Source => &[],
            Origin::Kept { from } => std::slice::from_ref(from),
            Origin::Computed { group, .. } => &self.steps[stage - 1].reads[*group],
        }
    }

    /// The columns of a step's input that nothing of its output depends on by name: those it lets go.
    pub fn dropped_in(&self, step: usize) -> impl Iterator<Item = &Field> {
        let after = &self.stages[step + 1];
        let kept: HashSet<usize> = after
            .columns
            .iter()
            .filter_map(|column| match column.origin {
                Origin::Kept { from } => Some(from),
                Origin::Source | Origin::Computed { .. } => None,
            })
            .collect();
        let names: HashSet<&str> = after.columns.iter().map(|column| column.field.name.as_str()).collect();
        let before = self.stages[step].columns.iter().enumerate();
        before
            .filter(move |(index, column)| {
                !kept.contains(index) && !names.contains(column.field.name.as_str()) && !column.is_companion()
            })
            .map(|(_, column)| &column.field)
    }

    /// The columns that a step computes, of those that are needed.
    pub fn computed_in(&self, step: usize) -> impl Iterator<Item = &Field> {
        let columns = self.stages[step + 1].columns.iter();
        let is_computed = |column: &&Column| column.needed && matches!(column.origin, Origin::Computed { .. });
        columns.filter(is_computed).map(|column| &column.field)
    }

    /// The columns that a step renames: the name before, and after.
    pub fn renamed_in(&self, step: usize) -> impl Iterator<Item = (&str, &str)> {
        let input = &self.stages[step];
        self.steps[step].outline.outputs.iter().filter_map(|output| match output {
            Output::Keep { input: kept, name } => {
                let before = &input.columns[input.visible[*kept]].field.name;
                (before != name).then_some((before.as_str(), name.as_str()))
            }
            Output::Compute { .. } => None,
        })
    }

    /// The columns that the plugin of a step is handed.
    pub fn seen_in(&self, step: usize) -> impl Iterator<Item = &Field> {
        let seen: BTreeSet<usize> = self.steps[step].reads.iter().flatten().copied().collect();
        seen.into_iter().map(move |column| &self.stages[step].columns[column].field)
    }

    /// The columns by which the plugin of a step is said to choose rows, in their order: that of reading is the plugin's word.
    pub fn selects_by(&self, step: usize) -> impl Iterator<Item = &Field> {
        let reads = self.steps[step].is_said_to_choose_by();
        reads.into_iter().map(move |read| &self.stages[step].columns[read].field)
    }

    /// The marks of all that the choice of a step's rows can depend on.
    pub fn selection_marks(&self, step: usize) -> Marks {
        let made = &self.steps[step];
        if made.outline.selects.is_none() {
            return Marks::new();
        }
        let mut marks = self.stages[step].marks_of(made.chooses_by());
        marks.add(&made.transform.attachment_marks());
        marks
    }

    /// Whether the plugin of a step is handed anything that carries a mark.
    pub fn reads_marked(&self, step: usize) -> bool {
        !self.steps[step].transform.attachment_marks().is_empty()
            || self.seen_in(step).any(|field| !field.marks.is_empty())
    }

    /// The path by which a mark got to a column: the column's name and what became of it, from the source on.
    pub fn path_of_mark(&self, stage: usize, column: usize, mark: &Mark) -> Vec<String> {
        let mut path = Vec::new();
        let (mut stage, mut column) = (stage, column);
        loop {
            let here = &self.stages[stage].columns[column];
            let name = &here.field.name;
            let Some(previous) = stage.checked_sub(1) else {
                path.push(format!("{}.{name}", self.stream.name));
                break;
            };
            let transform = &self.steps[previous].transform.name;
            let carries = |&from: &usize| self.stages[previous].columns[from].field.marks.contains(mark);
            let from = self.depends_on(stage, column).iter().copied().filter(carries).min();
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
