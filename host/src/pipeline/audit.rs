//! The audit record of a table: which plugin, by digest, and which lines of the pipeline file let which columns pass.
//!
//! It stands in the commit with the table it speaks of, and stays with it as long as the table does, also where later runs
//! keep the table as it is. It names columns, never values. Of settings and attachments it holds digests, so that one can
//! show what they were; of an attachment that carries marks it holds none: whoever can guess the content of a short secret
//! could check the guess.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use toml::Spanned;

use super::plugins::{LoadedTransform, LoadedTransforms};
use crate::{
    plan::{Origin, Plan, Step, StreamPlan, transforms},
    schema::Mark,
    spec::{Glob, Sensitive, Spec, TransformSpec},
};

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

fn columns(plan: &Plan, stream: &StreamPlan) -> Vec<Value> {
    let last = stream.stages.len() - 1;
    let columns = stream.stages[last].columns.iter().enumerate().map(|(index, column)| {
        json!({
            "name": column.field.name,
            "marks": column.field.marks.iter().map(Mark::as_str).collect::<Vec<_>>(),
            "from": stream.origins(last, index),
            "computed_by": computed_by(plan, stream, last, index),
        })
    });
    columns.collect()
}

/// What a record says of how a column of its table came to be: the columns of the source that it depends on, whether it was
/// computed from them, and the marks that were cleared from it on the way.
pub(super) fn origins(record: &Value, column: &str) -> (Vec<String>, bool, BTreeSet<String>) {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let of_column = record["columns"].as_array().into_iter().flatten().find(|said| said["name"] == column);
    let Some(of_column) = of_column else { return (vec![column.to_owned()], false, BTreeSet::new()) };
    let by = texts(&of_column["computed_by"]);
    let steps = record["transforms"].as_array().into_iter().flatten();
    let of_steps = steps.filter(|step| step["name"].as_str().is_some_and(|name| by.iter().any(|known| known == name)));
    let cleared = of_steps
        .flat_map(|step| step["cleared"].as_object().into_iter().flatten())
        .filter(|(_, columns)| texts(columns).iter().any(|cleared| cleared == column))
        .map(|(mark, _)| mark.clone());
    (texts(&of_column["from"]), !by.is_empty(), cleared.collect())
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
