//! Everything that a run needs, tried without a run: plugins, token, streams, plan and guard, role, bucket.
//!
//! What does not depend on something that failed is tried all the same, so that one look tells all there is to mend. What a run
//! can do without for now is a warning, and no failure: what the token may do beyond need, and an API version near its end
//! ([`advice`]).

mod advice;

use std::sync::Arc;

use jiff::Timestamp;
use sluice_hubspot::source::Source;
use sluice_lake::bucket::{Bucket, Probe, ProbeError, Rules, Settings};
use sluice_model::{error_chain, run_id::RunId};
use sluice_plan::Plan;

use super::{
    Error, Patience, Pipeline, Planned, Plugins, plan,
    price::{self, Prices},
    trial,
};

const PLAN: &str = "plan and guard";
const PRICE: &str = "price";
const SCOPES: &str = "scopes";

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
        /// What somebody should look after, although a run ends well: a line each.
        warnings: Vec<String>,
        /// What is good to know, a line each.
        notes: Vec<String>,
    },
    /// A run would fail.
    Failed {
        /// Why, in one line or, for a pipeline file, one for each problem.
        error: String,
        /// What would mend it.
        hint: Option<String>,
        /// What a run comes to all the same, where it is more than that it fails.
        without: Option<&'static str>,
        /// Statements of a policy that would mend it, as JSON.
        statements: Vec<String>,
        /// What trying it has left behind.
        left: Option<String>,
        /// The exit code of a run that fails on it: who must act.
        exit_code: u8,
    },
    /// It depends on something that failed.
    NotTried,
}

impl Check {
    fn new(what: impl Into<String>, outcome: Result<Vec<String>, Error>) -> Self {
        match outcome {
            Ok(notes) => Self::fine(what, Vec::new(), notes),
            Err(error) => {
                let outcome = Outcome::Failed {
                    error: error_chain(&error),
                    hint: error.hint(),
                    without: None,
                    statements: Vec::new(),
                    left: None,
                    exit_code: error.exit_code(),
                };
                Self { what: what.into(), outcome }
            }
        }
    }

    fn fine(what: impl Into<String>, warnings: Vec<String>, notes: Vec<String>) -> Self {
        Self { what: what.into(), outcome: Outcome::Fine { warnings, notes } }
    }

    fn not_tried(what: impl Into<String>) -> Self {
        Self { what: what.into(), outcome: Outcome::NotTried }
    }

    /// Something that is done with the bucket.
    fn of_probe(probe: Probe) -> Self {
        let what = format!("bucket: {}", probe.what);
        let outcome = match probe.outcome {
            Ok(()) => {
                let notes =
                    probe.permission.map(|permission| format!("`{permission}` is granted")).into_iter().collect();
                Outcome::Fine { warnings: Vec::new(), notes }
            }
            Err(ProbeError::NotTried(_)) => Outcome::NotTried,
            Err(error) => Outcome::Failed {
                error: error_chain(&error),
                hint: probe.missing.as_ref().map(|missing| missing.hint.clone()).or_else(|| error.hint()),
                without: probe.missing.as_ref().map(|_| probe.without),
                statements: probe.missing.map(|missing| missing.statements).unwrap_or_default(),
                left: probe.left,
                exit_code: if error.is_for_the_owner() { 2 } else { 1 },
            },
        };
        Self { what, outcome }
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
    let plan = if let (Some(source), Some(plugins)) = (&source, &loaded) {
        let plan = planned(pipeline, source.as_ref(), plugins, &mut checks).await;
        plugins.tell_of_dropped_lines();
        plan
    } else {
        checks.push(Check::not_tried(PLAN));
        None
    };
    checks.push(api_version(pipeline, plan.as_ref()));
    match (&source, &plan) {
        (Some(source), Some(plan)) => of_plan(pipeline, source.as_ref(), plan, offline, &mut checks).await,
        _ if offline => {}
        _ => checks.push(Check::not_tried(SCOPES)),
    }
    if !offline {
        // Boxed: what opens a bucket and looks at it is thousands of bytes.
        Box::pin(bucket(pipeline, &mut checks)).await;
    }
    checks
}

/// What is known once there is a plan: what the token may do beyond it, what it costs, and whether each stream can be read.
async fn of_plan(pipeline: &Pipeline, source: &dyn Source, plan: &Plan, offline: bool, checks: &mut Vec<Check>) {
    if !offline {
        let streams: Vec<_> = plan.streams.iter().map(|it| &it.stream).collect();
        let (warnings, notes) = advice::of_scopes(source.unneeded(&streams).await.as_deref());
        checks.push(Check::fine(SCOPES, warnings, notes));
    }
    let prices = price::price(pipeline, source, plan).await;
    let judged = prices.as_ref().map_or(Ok(()), |prices| prices.judge(&plan.file));
    let told = prices.map_or_else(|| vec![Prices::UNKNOWN.to_owned()], |prices| prices.lines());
    checks.push(Check::new(PRICE, judged.map(|()| told)));
    if !offline {
        streams(source, plan, checks).await;
    }
}

/// How long the versions of the API are supported that the streams are asked of.
fn api_version(pipeline: &Pipeline, plan: Option<&Plan>) -> Check {
    let kinds = plan.into_iter().flat_map(|plan| &plan.streams).map(|it| &it.stream.kind);
    let today = Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    let (warnings, notes) = advice::of_versions(&pipeline.api_paths().support(kinds, today));
    Check::fine("API version", warnings, notes)
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
    let name = RunId::new(Timestamp::now()).map_err(Error::RunId);
    let opened = match pipeline.bucket_settings(Patience::OfALook) {
        Ok(settings) => Bucket::open(&settings).await.map(|bucket| (bucket, settings)).map_err(Error::Bucket),
        Err(error) => Err(error),
    };
    match (opened, name) {
        (Ok((bucket, settings)), Ok(name)) => {
            checks.push(Check::new("role and bucket", Ok(vec![bucket.describe().to_owned()])));
            let rules = match settings {
                Settings::S3(settings) => settings.rules,
                Settings::File { .. } => Rules::default(),
            };
            let probes = bucket.probe(&name.to_string(), &rules).await;
            let is_reached = !probes.iter().all(|probe| probe.outcome.is_err());
            if is_reached && let Some(facts) = bucket.facts().await {
                checks.push(Check::fine("bucket: settings", Vec::new(), advice::of_bucket(&facts)));
            }
            checks.extend(probes.into_iter().map(Check::of_probe));
        }
        (Err(error), _) | (_, Err(error)) => checks.push(Check::new("role and bucket", Err(error))),
    }
}
