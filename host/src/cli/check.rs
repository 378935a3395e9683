//! `sluice check`: whether a run would find all it needs, and what would mend what it would not.

use std::{path::Path, process::ExitCode};

use serde_json::{Value, json};

use super::{PlanFormat, output::Output, page::Page, plan::opened};
use crate::pipeline::{self, Check, Outcome};

pub(super) async fn check(
    file: &Path,
    format: PlanFormat,
    schema: Option<&Path>,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let (pipeline, described) = opened(file, schema)?;
    let checks = pipeline::check(&pipeline, described).await;
    match format {
        PlanFormat::Table => output.data(&text(&checks))?,
        PlanFormat::Json => output.json(&json(&checks))?,
    }
    Ok(ExitCode::from(pipeline::exit_code_of_checks(&checks)))
}

fn text(checks: &[Check]) -> Page {
    let mut page = Page::new();
    for Check { what, outcome } in checks {
        let (word, lines) = match outcome {
            Outcome::Fine { warnings, notes } => {
                let word = if warnings.is_empty() { "ok" } else { "warn" };
                let warnings = warnings.iter().map(|warning| format!("warning: {warning}"));
                (word, warnings.chain(notes.iter().cloned()).collect())
            }
            Outcome::Failed { error, hint, without, statements, left, .. } => {
                let mut lines: Vec<String> = error.lines().map(str::to_owned).collect();
                lines.extend(without.iter().map(|without| format!("without it: {without}")));
                lines.extend(hint.iter().map(|hint| format!("hint: {hint}")));
                lines.extend(statements.iter().map(|statement| format!("statement: {statement}")));
                lines.extend(left.iter().map(|left| format!("left there: {left}")));
                ("FAIL", lines)
            }
            Outcome::NotTried => ("-", vec!["not tried: it depends on what failed above".to_owned()]),
        };
        page.line(format!("{word:<4} {what}"));
        page.lines(lines.iter().map(|line| format!("       {line}")));
    }
    page
}

fn json(checks: &[Check]) -> Value {
    let all = checks.iter().map(|Check { what, outcome }| match outcome {
        Outcome::Fine { warnings, notes } => {
            json!({ "check": what, "outcome": "ok", "warnings": warnings, "notes": notes })
        }
        Outcome::Failed { error, hint, without, statements, left, exit_code } => json!({
            "check": what,
            "outcome": "failed",
            "error": error,
            "without": without,
            "hint": hint,
            "statements": statements,
            "left": left,
            "exit_code": exit_code,
        }),
        Outcome::NotTried => json!({ "check": what, "outcome": "not tried" }),
    });
    let exit_code = pipeline::exit_code_of_checks(checks);
    json!({ "ok": !checks.iter().any(Check::has_failed), "exit_code": exit_code, "checks": all.collect::<Vec<_>>() })
}
