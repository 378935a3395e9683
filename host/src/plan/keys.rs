//! Keys: a table's key columns survive every transform.
//!
//! A key column is kept, or computed by a group that reads key columns and nothing else, so that a deleted record, of which
//! only the key is known, still gets the key its row has. And where the key is computed (pseudonymized, remapped), the raw
//! id must not stand beside it in another column.

use super::{Origin, Plan, Stage, StreamPlan, transform_place};
use crate::{problem::Problem, schema::attribute, spec::Spec};

/// HubSpot's property that repeats a record's id.
const ID_PROPERTY: &str = "hs_object_id";

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
                            "transform `{transform}` computes the key column `{}` of stream `{}` from `{other}`, which is no key column",
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

/// A column that a key is computed from though it is none.
fn computed_from_others<'a>(before: &'a Stage, origin: &Origin) -> Option<&'a str> {
    let Origin::Computed { reads, .. } = origin else { return None };
    let other = reads.iter().map(|&read| &before.columns[read].field).find(|field| !field.is_key())?;
    Some(&other.name)
}

/// The raw id beside a key that is not raw any more.
fn raw_id_beside_key(spec: &Spec, stream: &StreamPlan) -> Option<Problem> {
    let last = stream.stages.len() - 1;
    let columns = &stream.stages[last].columns;
    let key = columns.iter().enumerate().find(|(index, column)| {
        column.field.is_key() && !stream.is_raw(last, *index) && key_of_record(stream, last, *index)
    })?;
    let raw = columns.iter().enumerate().find(|(index, column)| {
        stream.is_raw(last, *index)
            && column.field.attributes.get(attribute::PROPERTY).is_some_and(|property| property == ID_PROPERTY)
    })?;
    let step =
        stream.steps.iter().find(|step| step.outline.outputs.iter().any(|output| output.name() == key.1.field.name));
    Some(
        Problem::new(format!(
            "table `{}` would hold the raw id in `{}` beside the computed key `{}`",
            stream.table, raw.1.field.name, key.1.field.name
        ))
        .at(step.and_then(|step| transform_place(spec, step.transform)))
        .hint(format!(
            "let the same transform compute `{0}` too, or leave it out: `[[source.columns]]` with `exclude = [\"{0}\"]`",
            raw.1.field.name
        )),
    )
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
    /// Whether a column holds what the source delivered, unchanged.
    fn is_raw(&self, stage: usize, column: usize) -> bool {
        match self.stages[stage].columns[column].origin {
            Origin::Source => true,
            Origin::Kept { from } => self.is_raw(stage - 1, from),
            Origin::Computed { .. } => false,
        }
    }
}
