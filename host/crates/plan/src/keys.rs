//! Keys: a table's key columns survive every transform.
//!
//! A key column is kept, or computed by a group that reads key columns and nothing else, so that a deleted record, of which
//! only the key is known, still gets the key its row has. And where the key is computed (pseudonymized, remapped), the raw
//! id must not stand beside it in another column.

use sluice_model::{
    problem::Problem,
    schema::{Field, attribute},
};

use super::{Origin, Plan, Stage, StreamPlan, transform_place};
use crate::spec::Spec;

/// Reports every key column that does not survive as it must.
pub(super) fn check(spec: &Spec, plan: &Plan) -> Vec<Problem> {
    plan.streams.iter().flat_map(|stream| check_stream(spec, plan, stream)).collect()
}

fn check_stream(spec: &Spec, plan: &Plan, stream: &StreamPlan) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, step) in stream.steps.iter().enumerate() {
        let (before, after) = (&stream.stages[index], &stream.stages[index + 1]);
        let transform = &plan.transforms[step.transform];
        let place = transform_place(spec, step.transform);
        for (position, key) in before.columns.iter().enumerate().filter(|(_, column)| column.field.is_key()) {
            let carried = after
                .columns
                .iter()
                .any(|column| column.field.is_key() && column.origin.depends_on().contains(&position));
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
                computed_from_others(before, &column.origin)
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
    problems.extend(raw_id_beside_key(spec, stream));
    problems
}

/// What a key is computed from that is no key column.
fn computed_from_others(before: &Stage, origin: &Origin) -> Option<String> {
    let Origin::Computed { reads, .. } = origin else { return None };
    if reads.is_empty() {
        return Some("no column at all".to_owned());
    }
    let other = reads.iter().map(|&read| &before.columns[read].field).find(|field| !field.is_key())?;
    Some(format!("`{}`, which is no key column", other.name))
}

/// Raw ids beside a key that is not raw any more.
fn raw_id_beside_key(spec: &Spec, stream: &StreamPlan) -> Option<Problem> {
    let last = stream.stages.len() - 1;
    let columns = &stream.stages[last].columns;
    let (_, key) = columns.iter().enumerate().find(|(index, column)| {
        column.field.is_key() && stream.raw(last, *index).is_none() && key_of_record(stream, last, *index)
    })?;
    let (column, source) = columns.iter().enumerate().find_map(|(index, column)| {
        let source = stream.raw(last, index).filter(|source| holds_ids_of(stream, source))?;
        Some((column, source))
    })?;
    let step =
        stream.steps.iter().find(|step| step.outline.outputs.iter().any(|output| output.name() == key.field.name));
    let how = if source.is_key() {
        format!("let the transform drop `{}`", column.field.name)
    } else {
        format!(
            "let the same transform compute it too, or leave it out: `[[source.columns]]` with `exclude = [\"{}\"]`",
            source.name
        )
    };
    Some(
        Problem::new(format!(
            "table `{}` would hold raw ids in `{}` beside the computed key `{}`",
            stream.table, column.field.name, key.field.name
        ))
        .at(step.and_then(|step| transform_place(spec, step.transform)))
        .hint(how),
    )
}

/// Whether a column of the source holds ids of the stream's own records.
fn holds_ids_of(stream: &StreamPlan, source: &Field) -> bool {
    let own = source.is_key() && !source.attributes.contains_key(attribute::OBJECT_TYPE);
    let references = source.attributes.get(attribute::REFERENCES);
    own || references.is_some_and(|type_id| Some(type_id) == stream.stream.object_type_id.as_ref())
}

/// Whether a key column goes back to the record's id, rather than to the id of its type.
fn key_of_record(stream: &StreamPlan, stage: usize, column: usize) -> bool {
    let here = &stream.stages[stage].columns[column];
    if stage == 0 {
        return !here.field.attributes.contains_key(attribute::OBJECT_TYPE);
    }
    here.origin.depends_on().iter().any(|&from| key_of_record(stream, stage - 1, from))
}

impl StreamPlan {
    /// The key columns of the table: the index of each, and whether a plugin computes it.
    pub fn key_columns(&self) -> impl Iterator<Item = (usize, bool)> {
        let last = self.stages.len() - 1;
        let keys = self.table_columns().enumerate().filter(|(_, field)| field.is_key());
        keys.map(move |(index, _)| (index, self.raw(last, index).is_none()))
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
