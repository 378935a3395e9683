//! Which of the offered streams a pipeline reads.

use sluice_model::{
    problem::{Problem, nearest},
    stream::StreamInfo,
};

use super::rules::names_stream;
use crate::spec::Spec;

/// Whether the file names a stream outright, and not only by a glob.
pub fn is_named(spec: &Spec, stream: &StreamInfo) -> bool {
    let mut globs = spec.pipeline.source.streams.iter().map(toml::Spanned::get_ref);
    globs.any(|glob| glob.is_plain() && names_stream(glob, stream))
}

/// Whether the file speaks of a stream of these names, be it offered or not.
pub fn takes<'n>(spec: &Spec, names: impl Iterator<Item = &'n str> + Clone) -> bool {
    let taken = |name| spec.pipeline.source.streams.iter().any(|glob| glob.get_ref().matches(name));
    names.clone().any(taken) && !excludes(spec, names)
}

fn excludes<'n>(spec: &Spec, mut names: impl Iterator<Item = &'n str>) -> bool {
    names.any(|name| spec.pipeline.source.exclude.iter().any(|glob| glob.get_ref().matches(name)))
}

/// Chooses the streams; reports globs that match none.
pub fn streams(spec: &Spec, offered: &[StreamInfo]) -> (Vec<StreamInfo>, Vec<Problem>) {
    let source = &spec.pipeline.source;
    let mut problems = Vec::new();
    for glob in source.streams.iter().chain(&source.exclude) {
        if !offered.iter().any(|stream| names_stream(glob.get_ref(), stream)) {
            let typed = glob.get_ref().as_str();
            let sharing: Vec<&str> = offered
                .iter()
                .filter(|stream| stream.shared_name.as_deref() == Some(typed))
                .map(|stream| stream.name.as_str())
                .collect();
            if !sharing.is_empty() {
                problems.push(
                    Problem::new(format!("{} object types of the account are called `{typed}`", sharing.len()))
                        .at(spec.place(glob))
                        .hint(format!("name the one that is meant: `{}`", sharing.join("` or `"))),
                );
                continue;
            }
            let hint = match nearest(typed, offered.iter().flat_map(StreamInfo::names)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`sluice plan` with `streams = [\"*\"]` lists what the account offers".to_owned(),
            };
            problems.push(
                Problem::new(format!("no stream of the source is called `{typed}`")).at(spec.place(glob)).hint(hint),
            );
        }
    }
    for (index, glob) in source.streams.iter().enumerate() {
        let earlier = source.streams.iter().take(index);
        if earlier.into_iter().any(|other| other.get_ref().as_str() == glob.get_ref().as_str()) {
            problems.push(
                Problem::new(format!("stream `{}` is listed twice", glob.get_ref().as_str()))
                    .at(spec.place(glob))
                    .hint("remove one of the two"),
            );
        }
    }
    let selected = offered
        .iter()
        .filter(|stream| !excludes(spec, stream.names()))
        .filter(|stream| source.streams.iter().any(|glob| names_stream(glob.get_ref(), stream)))
        .cloned()
        .collect();
    (selected, problems)
}
