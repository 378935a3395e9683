//! What the file's globs say of a stream's columns, and which of them say nothing at all.
//!
//! A glob that matches nothing is a mistake: most likely a typing error, and in a mark it would leave a column unguarded.

use std::borrow::Cow;

use sluice_model::{
    problem::{Problem, nearest},
    schema::{Field, Mark, attribute},
    stream::StreamInfo,
};
use toml::Spanned;

use super::StreamDraft;
use crate::spec::{ClearedColumn, Glob, Spec, TransformSpec};

/// Whether a glob means this stream, by any of its names.
pub(super) fn names_stream(glob: &Glob, stream: &StreamInfo) -> bool {
    stream.names().any(|name| glob.matches(name))
}

fn any_names_stream(globs: &[Spanned<Glob>], stream: &StreamInfo) -> bool {
    globs.iter().any(|glob| names_stream(glob.get_ref(), stream))
}

/// The names by which a rule can mean a column of the source: its own; for the unparsable values of a property, also the
/// property's column, so that both are ruled alike; and HubSpot's own name behind `property_`, however it had to be folded.
fn names(field: &Field) -> impl Iterator<Item = Cow<'_, str>> {
    let of = |name: &str| field.attributes.get(name).map(String::as_str);
    let property = of(attribute::PROPERTY).map(|property| Cow::Owned(format!("property_{property}")));
    [Some(Cow::Borrowed(field.name.as_str())), of(attribute::UNPARSED_OF).map(Cow::Borrowed), property]
        .into_iter()
        .flatten()
}

fn names_column(glob: &Glob, field: &Field) -> bool {
    names(field).any(|name| glob.matches(&name))
}

fn any_names_column(globs: &[Spanned<Glob>], field: &Field) -> bool {
    globs.iter().any(|glob| names_column(glob.get_ref(), field))
}

/// Adds the marks that the file gives to the columns of a stream.
pub fn add_marks(spec: &Spec, stream: &StreamInfo, fields: &mut [Field]) {
    for rule in spec.pipeline.mark.iter().map(Spanned::get_ref) {
        if any_names_stream(&rule.streams, stream) {
            for field in fields.iter_mut().filter(|field| any_names_column(&rule.columns, field)) {
                field.marks.extend(rule.marks.iter().map(|mark| mark.0.clone()));
            }
        }
    }
}

/// Whether the file's column rules let a column be read.
pub(super) fn reads(spec: &Spec, stream: &StreamInfo, field: &Field) -> bool {
    let mut rules = spec.pipeline.source.columns.iter().filter(|rule| any_names_stream(&rule.streams, stream));
    rules.all(|rule| any_names_column(&rule.include, field) && !any_names_column(&rule.exclude, field))
}

/// Whether a transform is for a stream.
pub(super) fn takes(transform: &TransformSpec, stream: &StreamInfo) -> bool {
    any_names_stream(&transform.streams, stream)
}

/// The marks that the file trusts a transform to remove from a column it computes.
pub(super) fn cleared<'t>(
    transform: &'t TransformSpec,
    stream: &'t StreamInfo,
    column: &'t str,
) -> impl Iterator<Item = &'t Mark> {
    let clears =
        move |cleared: &Spanned<ClearedColumn>| is_of(cleared.get_ref(), stream) && cleared.get_ref().column == column;
    transform.clears.iter().filter(move |(_, columns)| columns.iter().any(clears)).map(|(mark, _)| &mark.0)
}

/// Whether a column that is named in `clears` can be one of this stream.
pub(super) fn is_of(cleared: &ClearedColumn, stream: &StreamInfo) -> bool {
    cleared.stream.as_deref().is_none_or(|named| stream.names().any(|name| name == named))
}

/// Reports every glob over streams or columns that matches nothing. One that is for streams that cannot be read now, and for
/// no others, is no mistake; but where any of its streams is read, its columns have to be there: in a mark, a typing error
/// would leave a column unguarded.
pub(super) fn idle(spec: &Spec, drafts: &[StreamDraft], unreadable: &[StreamInfo]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut check = |streams: &[Spanned<Glob>], columns: &[&[Spanned<Glob>]]| {
        for glob in streams {
            let mut all = drafts.iter().map(|draft| &draft.stream).chain(unreadable);
            if !all.any(|stream| names_stream(glob.get_ref(), stream)) {
                problems.push(idle_glob(spec, glob, "stream of this pipeline", stream_names(drafts)));
            }
        }
        let meant: Vec<&StreamDraft> = drafts.iter().filter(|draft| any_names_stream(streams, &draft.stream)).collect();
        if meant.is_empty() {
            return;
        }
        let known = || meant.iter().flat_map(|draft| draft.known_columns());
        for glob in columns.iter().flat_map(|globs| globs.iter()) {
            if !known().any(|field| names_column(glob.get_ref(), field)) {
                let names = known().map(|field| field.name.as_str()).collect();
                problems.push(idle_glob(spec, glob, "column of the streams it is for", names));
            }
        }
    };
    for rule in &spec.pipeline.source.columns {
        check(&rule.streams, &[&rule.include, &rule.exclude]);
    }
    for rule in spec.pipeline.mark.iter().map(Spanned::get_ref) {
        check(&rule.streams, &[&rule.columns]);
    }
    for transform in spec.pipeline.transform.iter().map(Spanned::get_ref) {
        check(&transform.streams, &[]);
    }
    problems
}

fn stream_names(drafts: &[StreamDraft]) -> Vec<&str> {
    drafts.iter().flat_map(|draft| draft.stream.names()).collect()
}

fn idle_glob(spec: &Spec, glob: &Spanned<Glob>, what: &str, names: Vec<&str>) -> Problem {
    let typed = glob.get_ref().as_str();
    let problem = Problem::new(format!("`{typed}` matches no {what}")).at(spec.place(glob));
    match nearest(typed, names) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint("remove it, or mend its spelling"),
    }
}
