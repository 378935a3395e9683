//! Globs of the pipeline file that say nothing at all.
//!
//! A glob that matches nothing is a mistake: most likely a typing error, and in a mark it would leave a column unguarded.

use sluice_model::{
    problem::{Problem, nearest},
    schema::Field,
    stream::StreamInfo,
};

use super::{
    draft::StreamDraft,
    history::{property_of, rules_of},
    rules::{Placed, Rules, any_governs, governs, names_column},
    transform::Transform,
};

/// Reports every glob over streams or columns that matches nothing. One that is for streams that cannot be read now, and
/// for no others, is no mistake; but where any of its streams is read, its columns have to be there: in a mark, a typing
/// error would leave a column unguarded.
pub(super) fn globs(
    rules: &Rules,
    transforms: &[impl AsRef<Transform>],
    drafts: &[StreamDraft],
    unreadable: &[StreamInfo],
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut check = |streams: &[Placed], columns: &[&[Placed]]| {
        for placed in streams {
            let mut all = drafts.iter().map(|draft| &draft.stream).chain(unreadable);
            if !all.any(|stream| governs(&placed.glob, stream)) {
                problems.push(idle_glob(placed, "stream of this pipeline", stream_names(drafts)));
            }
        }
        let meant: Vec<&StreamDraft> = drafts.iter().filter(|draft| any_governs(streams, &draft.stream)).collect();
        if meant.is_empty() {
            return;
        }
        let known = || meant.iter().flat_map(|draft| draft.known_columns());
        for placed in columns.iter().flat_map(|globs| globs.iter()) {
            if !known().any(|field| names_column(&placed.glob, field)) {
                let names = known().map(|field| field.name.as_str()).collect();
                problems.push(idle_glob(placed, "column of the streams it is for", names));
            }
        }
    };
    for rule in &rules.columns {
        check(&rule.streams, &[&rule.include, &rule.exclude]);
    }
    for rule in &rules.marks {
        check(&rule.streams, &[&rule.columns]);
    }
    for transform in transforms {
        check(&transform.as_ref().streams, &[]);
    }
    problems
}

/// Reports every glob over properties whose history is wanted that means none, or none that is read.
pub(super) fn properties(rules: &Rules, drafts: &[StreamDraft]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for rule in &rules.history {
        let drafts: Vec<&StreamDraft> =
            drafts.iter().filter(|draft| rules_of(&draft.stream, rules).any(|own| std::ptr::eq(own, rule))).collect();
        if !drafts.is_empty() {
            problems.extend(rule.properties.iter().filter_map(|placed| idle_property(placed, &drafts)));
        }
    }
    problems
}

fn idle_property(placed: &Placed, drafts: &[&StreamDraft]) -> Option<Problem> {
    let matches = |field: &&Field| property_of(field).is_some_and(|name| placed.glob.matches(name));
    if drafts.iter().flat_map(|draft| &draft.stages[0].columns).any(|column| matches(&&column.field)) {
        return None;
    }
    let typed = placed.glob.as_str();
    let known = || drafts.iter().flat_map(|draft| draft.known_columns());
    let problem = if known().any(|field| matches(&field)) {
        Problem::new(format!("the history of `{typed}` is asked for, and the property itself is not read"))
            .hint("read it (`sensitive`, `[[source.columns]]`), or do without its history")
    } else {
        let problem = Problem::new(format!("`{typed}` matches no property of the streams it is for"));
        match nearest(typed, known().filter_map(property_of)) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint("remove it, or mend its spelling"),
        }
    };
    Some(problem.at(placed.place))
}

fn stream_names(drafts: &[StreamDraft]) -> Vec<&str> {
    drafts.iter().flat_map(|draft| draft.stream.names()).collect()
}

fn idle_glob(placed: &Placed, what: &str, names: Vec<&str>) -> Problem {
    let typed = placed.glob.as_str();
    let problem = Problem::new(format!("`{typed}` matches no {what}")).at(placed.place);
    match nearest(typed, names) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint("remove it, or mend its spelling"),
    }
}
