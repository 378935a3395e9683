//! The audit record of a table: which plugin, by digest, and which lines of the pipeline file let which columns pass.
//!
//! It stands in the commit with the table it speaks of, and stays with it as long as the table does, also where later runs
//! keep the table as it is. It names columns, never values. Of settings and attachments it holds digests, so that one can
//! show what they were; of an attachment that carries marks it holds none: whoever can guess the content of a short secret
//! could check the guess.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sluice_model::schema::{Mark, attribute};
use sluice_plan::{
    Origin, Plan, Step, StreamPlan,
    spec::{Glob, Sensitive, Spec, TransformSpec},
    transforms,
};
use toml::Spanned;

use super::plugins::{LoadedTransform, LoadedTransforms};

/// The record of one table.
pub(super) fn of(plan: &Plan, stream: &StreamPlan, plugins: &LoadedTransforms, spec: &Spec) -> Value {
    let steps = stream.steps.iter().filter_map(|step| {
        let transform = transforms(spec).nth(step.transform)?;
        Some(audit_step(step, transform, plugins.get(step.transform)))
    });
    json!({
        "source": source(spec),
        "withheld": stream.withheld.iter().map(|field| &field.name).collect::<Vec<_>>(),
        "transforms": steps.collect::<Vec<_>>(),
        "accepts": plan.accepts.iter().map(Mark::as_str).collect::<Vec<_>>(),
        "columns": columns(plan, stream),
    })
}

/// What the file says of reading and of marks.
fn source(spec: &Spec) -> Value {
    let columns = spec.pipeline.source.columns.iter().map(|rule| {
        json!({ "streams": globs(&rule.streams), "include": globs(&rule.include), "exclude": globs(&rule.exclude) })
    });
    let marks = spec.pipeline.mark.iter().map(Spanned::get_ref).map(|rule| {
        json!({
            "streams": globs(&rule.streams),
            "columns": globs(&rule.columns),
            "marks": rule.marks.iter().map(|mark| mark.0.as_str()).collect::<Vec<_>>(),
        })
    });
    json!({
        "sensitive": match spec.pipeline.source.sensitive {
            Sensitive::Exclude => "exclude",
            Sensitive::Include => "include",
        },
        "columns": columns.collect::<Vec<_>>(),
        "mark": marks.collect::<Vec<_>>(),
    })
}

fn audit_step(step: &Step, transform: &TransformSpec, loaded: &LoadedTransform) -> Value {
    let attachments = loaded.attachments().map(|(name, marks, digest)| {
        json!({
            "name": name,
            "marks": marks.iter().map(Mark::as_str).collect::<Vec<_>>(),
            "digest": digest.map(|digest| digest.to_string()),
        })
    });
    let mut cleared: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (column, mark) in &step.cleared {
        cleared.entry(mark.as_str()).or_default().push(column);
    }
    let cleared_rows = transform.clears_rows.iter().map(|mark| mark.get_ref().0.as_str());
    json!({
        "name": loaded.name,
        "plugin": loaded.plugin.name(),
        "digest": loaded.plugin.digest().to_string(),
        "settings": loaded.settings_digest.to_string(),
        "attachments": attachments.collect::<Vec<_>>(),
        "cleared": cleared,
        "cleared_rows": cleared_rows.collect::<Vec<_>>(),
    })
}

/// The columns of the table, each with what it comes from: columns of the source, with HubSpot's names of their properties.
fn columns(plan: &Plan, stream: &StreamPlan) -> Vec<Value> {
    let last = stream.stages.len() - 1;
    let property = |name: &str| {
        let field = stream.in_source().find(|field| field.name == name);
        field.and_then(|field| field.attributes.get(attribute::PROPERTY)).cloned()
    };
    let columns = stream.stages[last].columns.iter().enumerate().map(|(index, column)| {
        let from: BTreeMap<&str, Option<String>> =
            stream.origins(last, index).into_iter().map(|name| (name, property(name))).collect();
        json!({
            "name": column.field.name,
            "marks": column.field.marks.iter().map(Mark::as_str).collect::<Vec<_>>(),
            "from": from,
            "computed_by": computed_by(plan, stream, last, index),
        })
    });
    columns.collect()
}

/// What a record says of how a column of its table came to be.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Origins {
    /// The columns of the source that it depends on, each with HubSpot's name of its property, if it is one's.
    pub(super) columns: Vec<(String, Option<String>)>,
    /// The marks that the last transform which computed it was trusted to remove.
    pub(super) cleared: BTreeSet<String>,
}

/// How a column came to be. One that the record does not speak of is its own origin.
pub(super) fn origins(record: &Value, column: &str) -> Origins {
    let of_column = record["columns"].as_array().into_iter().flatten().find(|said| said["name"] == column);
    let Some(of_column) = of_column else {
        return Origins { columns: vec![(column.to_owned(), None)], cleared: BTreeSet::new() };
    };
    let columns = of_column["from"].as_object().into_iter().flatten();
    // What was cleared before the last transform may have come back by another way.
    let last = of_column["computed_by"].get(0);
    let steps = record["transforms"].as_array().into_iter().flatten();
    let cleared = steps
        .filter(|step| last.is_some_and(|name| step["name"] == *name))
        .flat_map(|step| step["cleared"].as_object().into_iter().flatten())
        .filter(|(_, columns)| {
            columns.as_array().is_some_and(|columns| columns.iter().any(|cleared| cleared == column))
        });
    Origins {
        columns: columns.map(|(name, property)| (name.clone(), property.as_str().map(str::to_owned))).collect(),
        cleared: cleared.map(|(mark, _)| mark.clone()).collect(),
    }
}

/// The transforms that computed a column on its way, last first.
fn computed_by<'p>(plan: &'p Plan, stream: &StreamPlan, stage: usize, column: usize) -> Vec<&'p str> {
    match &stream.stages[stage].columns[column].origin {
        Origin::Source => Vec::new(),
        Origin::Kept { from } => computed_by(plan, stream, stage - 1, *from),
        Origin::Computed { reads, .. } => {
            let mut names = vec![plan.transforms[stream.steps[stage - 1].transform].as_str()];
            for &read in reads {
                names.extend(computed_by(plan, stream, stage - 1, read));
            }
            names.dedup();
            names
        }
    }
}

fn globs(globs: &[Spanned<Glob>]) -> Vec<&str> {
    globs.iter().map(|glob| glob.get_ref().as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cleared_before_the_last_transform_may_have_come_back() {
        let record = json!({
            "transforms": [
                { "name": "one", "cleared": { "phi": ["email"] } },
                { "name": "two", "cleared": { "secret": ["email"], "hipaa": ["other"] } },
            ],
            "columns": [
                { "name": "email", "from": { "property_email": "email", "property_ssn": "ssn" }, "computed_by": ["two", "one"] },
                { "name": "kept", "from": { "objectId": null }, "computed_by": [] },
            ],
        });
        let email = origins(&record, "email");
        assert_eq!(email.columns.len(), 2);
        assert_eq!(email.cleared, BTreeSet::from(["secret".to_owned()]));
        let kept = origins(&record, "kept");
        assert_eq!((kept.columns, kept.cleared.len()), (vec![("objectId".to_owned(), None)], 0));
        assert_eq!(origins(&json!(null), "unknown").columns, [("unknown".to_owned(), None)]);
    }
}
