//! From a pipeline file and a live source to a plan.

use std::sync::Arc;

use sluice_hubspot::source::{Source, SourceError, Unreadable};
use sluice_model::{
    problem::{Problem, Problems, nearest},
    stream::StreamInfo,
};
use sluice_plan::{
    Plan, StreamDraft, select,
    spec::{OnMissingScope, Spec},
    transforms,
    words::Unsaid,
};

use super::{
    Error,
    discovery::{self, Discovered},
    memory,
    plugins::LoadedTransforms,
};

/// A plan, and what was found on the way to it.
#[derive(Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// Streams that the file takes in, that cannot be read, and that may be left out.
    pub unreadable: Vec<LeftOut>,
}

/// A stream that is left out, since it cannot be read.
#[derive(Debug, Clone)]
pub struct LeftOut {
    /// The stream.
    pub stream: StreamInfo,
    /// Whether the account has none, or the token may not see it.
    pub why: Unreadable,
    /// What the service says.
    pub reason: String,
}

impl Planned {
    /// The streams of the plan that are to be read: those of these names, or all, if none is named.
    pub(super) fn wanted(&self, spec: &Spec, only: &[String]) -> Result<Vec<usize>, Error> {
        let streams = &self.plan.streams;
        for name in only {
            let mut known = streams.iter().flat_map(|stream| stream.stream.names());
            if !known.any(|stream| stream == name) {
                let problem = Problem::new(format!("`--only {name}`: the pipeline reads no such stream"));
                let near = nearest(name, streams.iter().flat_map(|stream| stream.stream.names()));
                let hint = near.map_or("name a stream that `sluice plan` shows".to_owned(), |near| {
                    format!("did you mean `{near}`?")
                });
                return Err(refused(spec, vec![problem.hint(hint)]));
            }
        }
        let named = |index: &usize| streams[*index].stream.names().any(|name| only.iter().any(|only| only == name));
        Ok((0..streams.len()).filter(|index| only.is_empty() || named(index)).collect())
    }

    /// The same plan for these streams alone. What is left out has been planned and judged all the same.
    pub(super) fn only(mut self, wanted: &[usize]) -> Self {
        let mut index = 0..;
        self.plan.streams.retain(|_| index.next().is_some_and(|index| wanted.contains(&index)));
        self
    }
}

/// Discovers what the source offers, asks the plugins for their outlines, and resolves it all.
pub async fn plan(spec: &Arc<Spec>, source: &dyn Source, plugins: &LoadedTransforms) -> Result<Planned, Error> {
    let (drafts, unreadable, problems) = begin(spec, source).await?;
    let (spec, plugins) = (Arc::clone(spec), plugins.clone());
    let not_read: Vec<StreamInfo> = unreadable.iter().map(|it| it.stream.clone()).collect();
    // Outlines are made by plugins: work for a thread that may be busy.
    let resolved = tokio::task::spawn_blocking(move || resolve(&spec, drafts, &not_read, &plugins, problems)).await;
    match resolved {
        Ok(plan) => Ok(Planned { plan: plan?, unreadable }),
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

type Begun = (Vec<StreamDraft>, Vec<LeftOut>, Vec<Problem>);

/// Chooses the streams, fetches their schemas, and begins with each that can be read.
async fn begin(spec: &Arc<Spec>, source: &dyn Source) -> Result<Begun, Error> {
    let offered = source.streams().await?;
    let (selected, mut problems) = select::streams(spec, &offered);
    if !problems.is_empty() {
        return Err(refused(spec, problems));
    }
    let found = discovery::schemas(source, selected).await?;
    let mut drafts = Vec::new();
    let mut unreadable = Vec::new();
    for Discovered { stream, schema } in found {
        match schema {
            Ok(schema) => drafts.push(StreamDraft::begin(spec, stream, schema)),
            Err(SourceError::NotReadable { why, reason, .. }) if may_be_left_out(spec, &stream, why) => {
                unreadable.push(LeftOut { stream, why, reason });
            }
            Err(error) => problems.push(not_readable(&error)),
        }
    }
    if drafts.is_empty() && problems.is_empty() {
        problems.push(nothing_readable(&unreadable));
    }
    Ok((drafts, unreadable, problems))
}

/// Whether a run may go on without a stream that cannot be read: one that the account does not have, if only a glob takes it
/// in; one that the token may not see, as the file says.
pub(super) fn may_be_left_out(spec: &Spec, stream: &StreamInfo, why: Unreadable) -> bool {
    let named = select::is_named(spec, stream);
    match (why, spec.pipeline.source.on_missing_scope) {
        (Unreadable::Absent, _) | (Unreadable::Forbidden, None) => !named,
        (Unreadable::Forbidden, Some(OnMissingScope::Skip)) => true,
        (Unreadable::Forbidden, Some(OnMissingScope::Fail)) => false,
    }
}

/// None of the streams that the file takes in can be read: a run would be a success at nothing.
pub(super) fn nothing_readable(unreadable: &[LeftOut]) -> Problem {
    const SHOWN: usize = 3;
    let problem = match unreadable.len() {
        0 => Problem::new("the pipeline takes in no stream"),
        count => Problem::new(format!("none of the {count} streams of the pipeline can be read")),
    };
    let problem = unreadable.iter().take(SHOWN).fold(problem, |problem, it| {
        problem.detail(format!("stream `{}` cannot be read: {}", it.stream.name, it.reason))
    });
    problem.hint("look at `streams` and `exclude`, and at the scopes of the token")
}

pub(super) fn not_readable(error: &SourceError) -> Problem {
    let problem = Problem::new(error.to_string());
    match error {
        SourceError::NotReadable { hint: Some(hint), .. } => problem.hint(hint.clone()),
        _ => problem,
    }
}

fn resolve(
    spec: &Spec,
    mut drafts: Vec<StreamDraft>,
    unreadable: &[StreamInfo],
    plugins: &LoadedTransforms,
    mut problems: Vec<Problem>,
) -> Result<Plan, Error> {
    for draft in &mut drafts {
        for (index, transform) in transforms(spec).enumerate().filter(|(_, transform)| !transform.streams.is_empty()) {
            if !draft.takes(transform) {
                continue;
            }
            let loaded = plugins.get(index);
            let log = loaded.log(!loaded.attachment_marks.is_empty());
            let outline = loaded.instance(log).and_then(|mut instance| instance.outline_of(&draft.visible()));
            let refused = match outline {
                Ok(outline) => draft
                    .apply(index, transform, outline, loaded.attachment_marks.clone())
                    .map_err(|unsaid| (unsaid.to_string(), Some(Unsaid::HINT))),
                Err(error) => Err((sluice_model::error_chain(&error), error.hint())),
            };
            if let Err((what, hint)) = refused {
                let stream = &draft.stream().name;
                let problem = Problem::new(format!("transform `{}`, stream `{stream}`: {what}", loaded.name))
                    .at(spec.place(&transform.name));
                problems.push(hint.into_iter().fold(problem, Problem::hint));
                break;
            }
        }
    }
    if !problems.is_empty() {
        return Err(refused(spec, problems));
    }
    let plan = Plan::resolve(spec, drafts, unreadable).map_err(|problems| refused(spec, problems))?;
    let problems = memory::judge(spec, &plan, plugins);
    if problems.is_empty() { Ok(plan) } else { Err(refused(spec, problems)) }
}

/// An error that holds these problems.
pub fn refused(spec: &Spec, problems: Vec<Problem>) -> Error {
    match Problems::of(&spec.file, problems) {
        Some(problems) => Error::Refused(problems),
        None => unreachable!("a refusal has a reason"),
    }
}
