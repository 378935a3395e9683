//! `sluice check`: whether a run would find all it needs, and what would mend what it would not.

use std::{path::Path, process::ExitCode, sync::Arc};

use serde_json::{Value, json};
use sluice_hubspot::source::Source;

use super::{PlanFormat, output::Output, plan::read_schema};
use crate::pipeline::{self, Check, Outcome, Pipeline};

pub(super) async fn check(
    file: &Path,
    format: PlanFormat,
    schema: Option<&Path>,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let pipeline = Pipeline::read(file)?;
    let described = schema.map(read_schema).transpose()?.map(|source| Arc::new(source) as Arc<dyn Source>);
    let checks = pipeline::check(&pipeline, described).await;
    match format {
        PlanFormat::Table => output.data(&text(&checks))?,
        PlanFormat::Json => output.data(&(serde_json::to_string_pretty(&json(&checks))? + "\n"))?,
    }
    Ok(ExitCode::from(pipeline::exit_code_of_checks(&checks)))
}

fn text(checks: &[Check]) -> String {
    let mut text = String::new();
    for Check { what, outcome } in checks {
        let (word, lines) = match outcome {
            Outcome::Fine { notes } => ("ok", notes.clone()),
            Outcome::Failed { error, hint, .. } => {
                let mut lines: Vec<String> = error.lines().map(str::to_owned).collect();
                lines.extend(hint.iter().map(|hint| format!("hint: {hint}")));
                ("FAIL", lines)
            }
            Outcome::NotTried => ("-", vec!["not tried: it depends on what failed above".to_owned()]),
        };
        text.push_str(&format!("{word:<4} {what}\n"));
        text.extend(lines.iter().map(|line| format!("       {line}\n")));
    }
    text
}

fn json(checks: &[Check]) -> Value {
    let all = checks.iter().map(|Check { what, outcome }| match outcome {
        Outcome::Fine { notes } => json!({ "check": what, "outcome": "ok", "notes": notes }),
        Outcome::Failed { error, hint, exit_code } => {
            json!({ "check": what, "outcome": "failed", "error": error, "hint": hint, "exit_code": exit_code })
        }
        Outcome::NotTried => json!({ "check": what, "outcome": "not tried" }),
    });
    let exit_code = pipeline::exit_code_of_checks(checks);
    json!({ "ok": !checks.iter().any(Check::has_failed), "exit_code": exit_code, "checks": all.collect::<Vec<_>>() })
}
