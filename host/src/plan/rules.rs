//! What the file's globs say of a stream's columns, and which of them say nothing at all.
//!
//! A glob that matches nothing is a mistake: most likely a typing error, and in a mark it would leave a column unguarded.

use toml::Spanned;

use super::{StreamDraft, subject};
use crate::{
    problem::{Problem, nearest},
    schema::Field,
    spec::{Glob, Spec},
    stream::StreamInfo,
};

/// Whether a glob means this stream, by any of its names.
pub(super) fn names_stream(glob: &Glob, stream: &StreamInfo) -> bool {
    stream.names().any(|name| glob.matches(name))
}

fn any_names_stream(globs: &[Spanned<Glob>], stream: &StreamInfo) -> bool {
    globs.iter().any(|glob| names_stream(glob.get_ref(), stream))
}

fn any_matches(globs: &[Spanned<Glob>], name: &str) -> bool {
    globs.iter().any(|glob| glob.get_ref().matches(name))
}

/// Adds the marks that the file gives to the columns of a stream.
pub(super) fn add_marks(spec: &Spec, stream: &StreamInfo, fields: &mut [Field]) {
    for rule in spec.pipeline.mark.iter().map(Spanned::get_ref) {
        if any_names_stream(&rule.streams, stream) {
            for field in fields.iter_mut().filter(|field| any_matches(&rule.columns, subject(field))) {
                field.marks.extend(rule.marks.iter().map(|mark| mark.0.clone()));
            }
        }
    }
}

/// Whether the file's column rules let a column be read.
pub(super) fn reads(spec: &Spec, stream: &StreamInfo, column: &str) -> bool {
    let mut rules = spec.pipeline.source.columns.iter().filter(|rule| any_names_stream(&rule.streams, stream));
    rules.all(|rule| any_matches(&rule.include, column) && !any_matches(&rule.exclude, column))
}

/// Reports every glob over streams or columns that matches nothing.
pub(super) fn idle(spec: &Spec, drafts: &[StreamDraft]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut check = |streams: &[Spanned<Glob>], columns: &[&[Spanned<Glob>]]| {
        for glob in streams {
            if !drafts.iter().any(|draft| names_stream(glob.get_ref(), &draft.stream)) {
                problems.push(idle_glob(spec, glob, "stream of this pipeline", stream_names(drafts)));
            }
        }
        let meant: Vec<&StreamDraft> = drafts.iter().filter(|draft| any_names_stream(streams, &draft.stream)).collect();
        for glob in columns.iter().flat_map(|globs| globs.iter()) {
            let mut known = meant.iter().flat_map(|draft| draft.known_columns());
            if !meant.is_empty() && !known.any(|column| glob.get_ref().matches(column)) {
                let names = meant.iter().flat_map(|draft| draft.known_columns()).collect();
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
