//! From a pipeline file and a live source to a plan.

use sluice_hubspot::source::{Source, SourceError, Unreadable};
use sluice_lake::table::Commit;
use sluice_model::{
    error_chain,
    problem::{Problem, nearest},
    stream::{StreamInfo, StreamKind},
};
use sluice_plan::{Plan, Planner, Rules, StreamDraft, spec::OnMissingScope};

use super::{
    Error, Pipeline,
    at_once::ended,
    directions,
    discovery::{self, Discovered},
    plugins::Plugins,
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
    pub(super) fn wanted(&self, only: &[String]) -> Result<Vec<usize>, Error> {
        let streams = &self.plan.streams;
        let known = || streams.iter().flat_map(|stream| stream.stream.names().chain(stream.stream.group()));
        for name in only {
            if !known().any(|stream| stream == name) {
                let problem = Problem::new(format!("`--only {name}`: the pipeline reads no such stream"));
                let near = nearest(name, known());
                let hint = near.map_or("name a stream that `sluice plan` shows".to_owned(), |near| {
                    format!("did you mean `{near}`?")
                });
                return Err(Error::refused(&self.plan.file, vec![problem.hint(hint)]));
            }
        }
        let named = |index: &usize| {
            let stream = &streams[*index].stream;
            stream.names().chain(stream.group()).any(|name| only.iter().any(|only| only == name))
        };
        Ok((0..streams.len()).filter(|index| only.is_empty() || named(index)).collect())
    }

    /// The same plan for these streams alone. What is left out has been planned and judged all the same.
    pub(super) fn only(mut self, wanted: &[usize]) -> Self {
        let mut index = 0..;
        self.plan.streams.retain(|_| index.next().is_some_and(|index| wanted.contains(&index)));
        self
    }
}

/// Discovers what the source offers, asks the plugins for their outlines, and resolves it all. `base`: the newest commit, if
/// it is known: an association whose table it has goes on in the same direction.
pub async fn plan(
    pipeline: &Pipeline,
    source: &dyn Source,
    plugins: &Plugins,
    base: Option<&Commit>,
) -> Result<Planned, Error> {
    let planner = pipeline.planner(plugins);
    let (drafts, unreadable, problems) = begin(&planner, source, base).await?;
    let plugins = plugins.clone();
    let not_read: Vec<StreamInfo> = unreadable.iter().map(|it| it.stream.clone()).collect();
    // Outlines are made by plugins: work for a thread that may be busy.
    let resolve = move || resolve(planner, drafts, &not_read, &plugins, problems);
    Ok(Planned { plan: ended(tokio::task::spawn_blocking(resolve).await)?, unreadable })
}

type Begun = (Vec<StreamDraft>, Vec<LeftOut>, Vec<Problem>);

/// Chooses the streams, fetches their schemas, and begins with each that can be read.
async fn begin(planner: &Planner, source: &dyn Source, base: Option<&Commit>) -> Result<Begun, Error> {
    let offered = source.streams().await?;
    let (selected, mut problems) = planner.rules().select(&offered);
    if !problems.is_empty() {
        return Err(Error::refused(planner.file(), problems));
    }
    let selected = directions::decided(planner.rules(), source, &offered, selected, base).await;
    let found = discovery::schemas(source, selected).await?;
    let mut drafts = Vec::new();
    let mut unreadable = Vec::new();
    for Discovered { stream, schema } in found {
        match schema {
            Ok(schema) => drafts.push(planner.begin(stream, schema)),
            // That most pairs of types are never linked, and most types have no lists, is nothing to tell.
            Err(SourceError::NotReadable { why: Unreadable::Absent, .. })
                if stream.group().is_some() && may_be_left_out(planner.rules(), &stream, Unreadable::Absent) => {}
            Err(SourceError::NotReadable { why, reason, .. }) if may_be_left_out(planner.rules(), &stream, why) => {
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
pub(super) fn may_be_left_out(rules: &Rules, stream: &StreamInfo, why: Unreadable) -> bool {
    let is_of_all = matches!(stream.kind, StreamKind::Memberships { .. }) && why == Unreadable::Forbidden;
    let named = rules.names(stream) || (is_of_all && rules.names_group(stream));
    match (why, rules.on_missing_scope) {
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
    planner: Planner,
    mut drafts: Vec<StreamDraft>,
    unreadable: &[StreamInfo],
    plugins: &Plugins,
    mut problems: Vec<Problem>,
) -> Result<Plan, Error> {
    let file = planner.file().to_owned();
    for draft in &mut drafts {
        for transform in planner.transforms() {
            if !transform.takes(draft.stream()) {
                continue;
            }
            let withhold = plugins.withholds(transform);
            let refused = match plugins.of(transform).outline_of(&draft.visible(), withhold) {
                Ok(outline) => {
                    draft.apply(transform, outline).map_err(|unsaid| (unsaid.to_string(), Some(unsaid.hint())))
                }
                Err(error) => Err((error_chain(&error), plugins.hint_of_offline(transform).or(error.hint()))),
            };
            if let Err((what, hint)) = refused {
                let stream = &draft.stream().name;
                let problem = Problem::new(format!("transform `{}`, stream `{stream}`: {what}", transform.name))
                    .at(transform.place);
                problems.push(hint.into_iter().fold(problem, Problem::hint));
                break;
            }
        }
    }
    if !problems.is_empty() {
        return Err(Error::refused(&file, problems));
    }
    planner.resolve(drafts, unreadable).map_err(|problems| Error::refused(&file, problems))
}
