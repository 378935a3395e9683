//! Keys: a table's key columns survive every transform.
//!
//! A key column is kept, or computed by a group that reads key columns and nothing else, so that a deleted record, of which
//! only the key is known, still gets the key its row has. And where the key is computed (pseudonymized, remapped), the raw
//! id must not stand beside it in another column.

use sluice_model::{
    problem::Problem,
    schema::{Field, attribute},
};

use super::{Origin, Plan, Stage, Step, StreamPlan, TablePlan};

/// Reports every key column that does not survive as it must.
pub(super) fn check(plan: &Plan) -> Vec<Problem> {
    plan.streams.iter().flat_map(check_stream).collect()
}

fn check_stream(stream: &StreamPlan) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, step) in stream.steps.iter().enumerate() {
        let (before, after) = (&stream.stages[index], &stream.stages[index + 1]);
        let (transform, place) = (&step.transform.name, step.transform.place);
        for (position, key) in before.columns.iter().enumerate().filter(|(_, column)| column.field.is_key()) {
            let mut keys = after.columns.iter().filter(|column| column.field.is_key());
            let carried = keys.any(|column| match column.origin {
                Origin::Source => false,
                Origin::Kept { from } => from == position,
                Origin::Computed { group, .. } => step.reads[group].contains(&position),
            });
            if !carried {
                problems.push(
                    Problem::new(format!(
                        "transform `{transform}` drops `{}`, a key column of stream `{}`",
                        key.field.name, stream.stream.name
                    ))
                    .at(place)
                    .hint("keep it: without its key a row cannot be found again"),
                );
            }
        }
        for column in after.columns.iter().filter(|column| column.field.is_key()) {
            problems.extend(
                computed_from_others(before, step, column.origin)
                    .map(|other| {
                        Problem::new(format!(
                            "transform `{transform}` computes the key column `{}` of stream `{}` from {other}",
                            column.field.name, stream.stream.name
                        ))
                    })
                    .map(|problem| {
                        problem.at(place).hint("a key may depend on key columns and attachments only: of a deleted record nothing else is known")
                    }),
            );
        }
    }
    problems.extend(raw_id_beside_key(stream));
    problems
}

/// What a key is computed from that is no key column.
fn computed_from_others(before: &Stage, step: &Step, origin: Origin) -> Option<String> {
    let Origin::Computed { group, .. } = origin else { return None };
    let reads = &step.reads[group];
    if reads.is_empty() {
        return Some("no column at all".to_owned());
    }
    let other = reads.iter().map(|&read| &before.columns[read].field).find(|field| !field.is_key())?;
    Some(format!("`{}`, which is no key column", other.name))
}

/// Raw ids beside a key of the same ids that is not raw any more.
fn raw_id_beside_key(stream: &StreamPlan) -> Option<Problem> {
    let last = stream.stages.len() - 1;
    let columns = &stream.stages[last].columns;
    let computed = |index: &usize| columns[*index].field.is_key() && stream.raw(last, *index).is_none();
    let (key, table, column, source) = (0..columns.len()).filter(computed).find_map(|key| {
        let ids: Vec<&Field> = stream
            .sources(last, key)
            .filter(|source| !source.attributes.contains_key(attribute::OBJECT_TYPE))
            .collect();
        columns.iter().enumerate().find_map(|(index, column)| {
            let source =
                stream.raw(last, index).filter(|source| ids.iter().any(|id| holds_same_ids(stream, id, source)))?;
            let holds = |table: &&TablePlan| table.columns.iter().any(|held| held.from.contains(&index));
            Some((&columns[key], stream.tables.iter().find(holds)?, column, source))
        })
    })?;
    let step =
        stream.steps.iter().find(|step| step.outline.outputs.iter().any(|output| output.name() == key.field.name));
    let how = if source.is_key() {
        format!("let the transform drop or compute `{}`", column.field.name)
    } else {
        format!(
            "let the same transform compute it too, or leave it out: `[[source.columns]]` with `exclude = [\"{}\"]`",
            source.name
        )
    };
    Some(
        Problem::new(format!(
            "table `{}` would hold raw ids in `{}` beside the computed key `{}`",
            table.name, column.field.name, key.field.name
        ))
        .at(step.and_then(|step| step.transform.place))
        .hint(how),
    )
}

/// Whether a column of the source holds the ids that a key is made of: those of the same things, or, where it is not said
/// of what they are, a part of the same key.
fn holds_same_ids(stream: &StreamPlan, of_key: &Field, other: &Field) -> bool {
    match (ids_of(stream, of_key), ids_of(stream, other)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => other.is_key() && !other.attributes.contains_key(attribute::OBJECT_TYPE),
        _ => false,
    }
}

/// What the ids in a column of the source are of, as far as it is known: the key of a record is that record's.
fn ids_of<'f>(stream: &'f StreamPlan, field: &'f Field) -> Option<&'f str> {
    let own = || {
        stream
            .stream
            .kind
            .type_id()
            .filter(|_| field.is_key() && !field.attributes.contains_key(attribute::OBJECT_TYPE))
    };
    field.attributes.get(attribute::REFERENCES).map(String::as_str).or_else(own)
}

impl StreamPlan {
    /// Whether the ids by which its records are asked for are to be seen in its tables, as they are: no plugin computes a key,
    /// and no key carries a mark.
    pub fn shows_its_ids(&self) -> bool {
        let keys = self.stages[0].columns.iter().map(|column| &column.field).filter(|field| field.is_key());
        keys.into_iter().all(|field| field.marks.is_empty())
            && !self.tables.iter().any(|table| self.computes_key(table))
    }

    /// Whether a plugin computes the key of a table, or a part of it.
    pub fn computes_key(&self, table: &TablePlan) -> bool {
        let keys = table.key().flat_map(|key| table.columns[key].from.iter());
        keys.into_iter().any(|&from| self.raw(self.last_stage(), from).is_none())
    }

    /// The column of the source that a column holds unchanged, if it does.
    fn raw(&self, stage: usize, column: usize) -> Option<&Field> {
        let here = &self.stages[stage].columns[column];
        match here.origin {
            Origin::Source => Some(&here.field),
            Origin::Kept { from } => self.raw(stage - 1, from),
            Origin::Computed { .. } => None,
        }
    }
}
