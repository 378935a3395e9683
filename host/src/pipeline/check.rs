//! Everything that a run needs, tried without a run: plugins, token, streams, plan and guard, role, bucket.
//!
//! What does not depend on something that failed is tried all the same, so that one look tells all there is to mend.

use std::sync::Arc;

use sluice_hubspot::source::Source;
use sluice_model::{error_chain, run_id::RunId};
use sluice_plan::Plan;

use super::{
    Error, Patience, Pipeline, Planned, Plugins, plan,
    price::{self, Prices},
    trial,
};

const PLAN: &str = "plan and guard";
const PRICE: &str = "price";

/// One thing that a run needs.
#[derive(Debug)]
pub struct Check {
    /// What was tried.
    pub what: String,
    /// How it went.
    pub outcome: Outcome,
}

/// How a check went.
#[derive(Debug)]
pub enum Outcome {
    /// As a run needs it.
    Fine {
        /// What is good to know, a line each.
        notes: Vec<String>,
    },
    /// A run would fail.
    Failed {
        /// Why, in one line or, for a pipeline file, one for each problem.
        error: String,
        /// What would mend it.
        hint: Option<String>,
        /// The exit code of a run that fails on it: who must act.
        exit_code: u8,
    },
    /// It depends on something that failed.
    NotTried,
}

impl Check {
    fn new(what: impl Into<String>, outcome: Result<Vec<String>, Error>) -> Self {
        let outcome = match outcome {
            Ok(notes) => Outcome::Fine { notes },
            Err(error) => {
                Outcome::Failed { error: error_chain(&error), hint: error.hint(), exit_code: error.exit_code() }
            }
        };
        Self { what: what.into(), outcome }
    }

    /// Whether a run would fail on it.
    pub fn has_failed(&self) -> bool {
        !matches!(self.outcome, Outcome::Fine { .. })
    }
}

/// The exit code of all checks together: of the gravest failure, since the owner must act whatever else passes by itself.
pub fn exit_code(checks: &[Check]) -> u8 {
    let codes = checks.iter().map(|check| match check.outcome {
        Outcome::Failed { exit_code, .. } => exit_code,
        Outcome::Fine { .. } | Outcome::NotTried => 0,
    });
    codes.max().unwrap_or(0)
}

/// Tries everything. `described`: a source that a file describes; then neither HubSpot nor the bucket is asked.
pub async fn check(pipeline: &Pipeline, described: Option<Arc<dyn Source>>) -> Vec<Check> {
    let mut checks = Vec::new();
    let plugins = pipeline.plugins();
    let loaded = plugins.as_ref().ok().cloned();
    checks.push(Check::new("plugins", plugins.map(|plugins| digests(&plugins))));
    let offline = described.is_some();
    let source = match described {
        Some(source) => Some(source),
        None => token(pipeline, &mut checks).await,
    };
    match (&source, &loaded) {
        (Some(source), Some(plugins)) => {
            if let Some(plan) = planned(pipeline, source.as_ref(), plugins, &mut checks).await {
                let prices = price::price(pipeline, source.as_ref(), &plan).await;
                let judged = prices.as_ref().map_or(Ok(()), |prices| prices.judge(&plan.file));
                let told = prices.map_or_else(|| vec![Prices::UNKNOWN.to_owned()], |prices| prices.lines());
                checks.push(Check::new(PRICE, judged.map(|()| told)));
                if !offline {
                    streams(source.as_ref(), &plan, &mut checks).await;
                }
            }
        }
        _ => checks.push(Check { what: PLAN.to_owned(), outcome: Outcome::NotTried }),
    }
    if !offline {
        bucket(pipeline, &mut checks).await;
    }
    checks
}

fn digests(plugins: &Plugins) -> Vec<String> {
    plugins.transforms().iter().map(|it| format!("`{}`: `{}`, {}", it.name, it.plugin, it.digest)).collect()
}

/// Whether HubSpot takes the token at all.
async fn token(pipeline: &Pipeline, checks: &mut Vec<Check>) -> Option<Arc<dyn Source>> {
    let opened = match pipeline.source(Patience::OfALook) {
        // Of what is asked for record by record there is always one for each type.
        Ok(source) => {
            let streams = source.streams().await.map_err(Error::Source);
            streams.map(|all| (source, all.iter().filter(|stream| !stream.kind.is_by_record()).count()))
        }
        Err(error) => Err(error),
    };
    match opened {
        Ok((source, streams)) => {
            checks.push(Check::new("token", Ok(vec![format!("the account has {streams} streams")])));
            Some(source)
        }
        Err(error) => {
            checks.push(Check::new("token", Err(error)));
            None
        }
    }
}

/// Whether there is a plan, and the guard lets it pass.
async fn planned(pipeline: &Pipeline, source: &dyn Source, plugins: &Plugins, checks: &mut Vec<Check>) -> Option<Plan> {
    match plan(pipeline, source, plugins, None).await {
        Ok(Planned { plan, unreadable }) => {
            let left_out = unreadable.iter().map(|it| format!("left out: `{}` ({})", it.stream.name, it.reason));
            checks.push(Check::new(PLAN, Ok(left_out.collect())));
            Some(plan)
        }
        Err(error) => {
            checks.push(Check::new(PLAN, Err(error)));
            None
        }
    }
}

/// Whether each stream of the plan can be read.
async fn streams(source: &dyn Source, plan: &Plan, checks: &mut Vec<Check>) {
    let outcomes = trial::try_all(source, &plan.streams).await;
    checks.extend(plan.streams.iter().zip(outcomes).map(|(stream, outcome)| {
        Check::new(format!("stream `{}`", stream.stream.name), outcome.map(|()| Vec::new()).map_err(Error::Source))
    }));
}

/// Whether the role can be assumed, and all be done in the bucket that a run does there.
async fn bucket(pipeline: &Pipeline, checks: &mut Vec<Check>) {
    let opened = pipeline.bucket().await;
    let name = RunId::new(jiff::Timestamp::now()).map_err(Error::RunId);
    match (opened, name) {
        (Ok(bucket), Ok(name)) => {
            checks.push(Check::new("role and bucket", Ok(vec![bucket.describe().to_owned()])));
            for probe in bucket.probe(&name.to_string(), &sluice_lake::bucket::Rules::default()).await {
                let outcome = match probe.outcome {
                    Ok(()) => Outcome::Fine { notes: Vec::new() },
                    Err(error) => Outcome::Failed {
                        error: error_chain(&error),
                        hint: error.hint(),
                        exit_code: if error.is_for_the_owner() { 2 } else { 1 },
                    },
                };
                checks.push(Check { what: format!("bucket: {}", probe.what), outcome });
            }
        }
        (Err(error), _) | (_, Err(error)) => checks.push(Check::new("role and bucket", Err(error))),
    }
}
