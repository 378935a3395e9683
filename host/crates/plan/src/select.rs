//! Which of the offered streams a pipeline reads: those that `streams` takes in; histories and events, which are asked for record
//! by record and so are nothing that a `*` should bring along, where the file speaks of these.

use std::collections::{BTreeMap, BTreeSet};

use sluice_model::{
    problem::{Problem, nearest},
    stream::{StreamInfo, StreamKind, group_of, in_group},
};

use super::rules::{EventRule, Placed, Rules, names_stream};
use crate::spec::{Directions, Glob};

impl Rules {
    /// Whether the file names a stream outright, and not only by a glob or by the name of its group.
    pub fn names(&self, stream: &StreamInfo) -> bool {
        let names: Vec<&str> = stream.names().collect();
        let mut plain = self.globs_for(&names).filter(|placed| placed.glob.is_plain());
        plain.any(|placed| is_called(&placed.glob, &names))
    }

    /// The globs that take in streams like one of these names.
    fn globs_for(&self, names: &[&str]) -> Box<dyn Iterator<Item = &Placed> + '_> {
        match names.iter().find_map(|name| group_of(name)) {
            Some(StreamKind::HISTORY) => Box::new(self.history.iter().flat_map(|rule| &rule.streams)),
            Some(StreamKind::EVENTS) => Box::new(self.events.iter().flat_map(|rule| &rule.types)),
            _ => Box::new(self.streams.iter()),
        }
    }

    /// Whether the file names the group of a stream outright, and so all that are in it.
    pub fn names_group(&self, stream: &StreamInfo) -> bool {
        stream.group().is_some_and(|group| {
            self.streams.iter().any(|placed| placed.glob.is_plain() && placed.glob.as_str() == group)
        })
    }

    /// Whether the file speaks of a stream of these names, be it offered or not.
    pub fn takes<'n>(&self, names: impl Iterator<Item = &'n str>) -> bool {
        let names: Vec<&str> = names.collect();
        let excludes = |placed: &Placed| {
            let glob = &placed.glob;
            names.iter().any(|name| glob.matches(name) || group_of(name).is_some_and(|group| glob.matches(group)))
        };
        let takes = |placed: &Placed| is_called(&placed.glob, &names) || means_group(&placed.glob, &names);
        self.globs_for(&names).any(takes) && !self.exclude.iter().any(excludes)
    }

    /// Chooses one of each two streams that are the directions of one association, where the file wants one and does not say
    /// which: `is_better` says whether the first is. What the links mean has other ids in each direction, but which records
    /// are linked is the same.
    pub fn decide(
        &self,
        selected: Vec<StreamInfo>,
        is_better: impl Fn(&StreamInfo, &StreamInfo) -> bool,
    ) -> Vec<StreamInfo> {
        let worse: BTreeSet<String> = self
            .undecided(&selected)
            .map(|(one, other)| if is_better(one, other) { other.name.clone() } else { one.name.clone() })
            .collect();
        selected.into_iter().filter(|stream| !worse.contains(&stream.name)).collect()
    }

    /// The streams of which [`Rules::decide`] chooses, as pairs.
    pub fn undecided<'s>(&self, selected: &'s [StreamInfo]) -> impl Iterator<Item = (&'s StreamInfo, &'s StreamInfo)> {
        both_directions(selected).filter(|(one, other)| self.wanted(one, other).is_none())
    }

    /// Which of two directions the file wants; `None`: one, whichever.
    fn wanted(&self, one: &StreamInfo, other: &StreamInfo) -> Option<[bool; 2]> {
        let alone = |this: &StreamInfo, that: &StreamInfo| {
            self.streams.iter().any(|placed| names_stream(&placed.glob, this) && !names_stream(&placed.glob, that))
        };
        match (self.directions, alone(one, other), alone(other, one)) {
            (Directions::Both, _, _) | (_, true, true) => Some([true, true]),
            (Directions::One, false, false) => None,
            (Directions::One, this, that) => Some([this, that]),
        }
    }

    /// Leaves out the directions of associations that the file does not want.
    fn without_unwanted_directions(&self, selected: Vec<StreamInfo>) -> Vec<StreamInfo> {
        let unwanted: BTreeSet<String> = both_directions(&selected)
            .flat_map(|(one, other)| {
                let [this, that] = self.wanted(one, other).unwrap_or([true, true]);
                [(this, one), (that, other)]
            })
            .filter(|(is_wanted, _)| !is_wanted)
            .map(|(_, stream)| stream.name.clone())
            .collect();
        selected.into_iter().filter(|stream| !unwanted.contains(&stream.name)).collect()
    }

    /// Chooses the streams; reports globs that match none.
    pub fn select(&self, offered: &[StreamInfo]) -> (Vec<StreamInfo>, Vec<Problem>) {
        let taken_apart = self.streams.iter().filter_map(|placed| names_what_is_taken_apart(placed, offered));
        let mut problems: Vec<Problem> = taken_apart.collect();
        if problems.is_empty() {
            let all = self.streams.iter().chain(&self.exclude);
            problems.extend(all.filter_map(|placed| names_none(placed, offered)));
        }
        problems
            .extend(self.history.iter().flat_map(|rule| &rule.streams).filter_map(|it| has_no_history(it, offered)));
        problems.extend(self.events.iter().flat_map(|rule| unknown_events(rule, offered)));
        for (index, placed) in self.streams.iter().enumerate() {
            let typed = placed.glob.as_str();
            if self.streams.iter().take(index).any(|other| other.glob.as_str() == typed) {
                problems.push(
                    Problem::new(format!("stream `{typed}` is listed twice"))
                        .at(placed.place)
                        .hint("remove one of the two"),
                );
            }
        }
        let selected = offered.iter().filter(|stream| self.takes(stream.names())).cloned().collect();
        (self.without_unwanted_directions(selected), problems)
    }
}

/// Whether a glob means a stream of these names by one of them; of a kind that has lines of its own in the file, by what it is
/// called in its group.
fn is_called(glob: &Glob, names: &[&str]) -> bool {
    names.iter().any(|name| glob.matches(in_group(name).filter(|_| has_own_lines(name)).unwrap_or(name)))
}

/// Whether a glob means the group that a stream of these names is in, as `*` does. Of a kind that has lines of its own in the
/// file nobody need name the group there.
fn means_group(glob: &Glob, names: &[&str]) -> bool {
    let groups = names.iter().filter(|name| !has_own_lines(name)).filter_map(|name| group_of(name));
    groups.into_iter().any(|group| glob.matches(group))
}

/// Whether it is the name of a stream of a kind that has lines of its own in the file.
fn has_own_lines(name: &str) -> bool {
    matches!(group_of(name), Some(StreamKind::HISTORY | StreamKind::EVENTS))
}

/// A glob of `streams` that means histories or events alone.
fn names_what_is_taken_apart(placed: &Placed, offered: &[StreamInfo]) -> Option<Problem> {
    let typed = placed.glob.as_str();
    let group = group_of(typed).unwrap_or(typed);
    let hint = match group {
        StreamKind::HISTORY => "say of which properties: `[[source.history]]` with `streams` and `properties`",
        StreamKind::EVENTS => "say of which types and records: `[source.events]` with `types`, `of` and `records`",
        _ => return None,
    };
    let is_another = offered.iter().any(|stream| !stream.kind.is_by_record() && names_stream(&placed.glob, stream));
    (!is_another).then(|| {
        Problem::new(format!("`streams` does not take in `{typed}`, which is asked for record by record"))
            .at(placed.place)
            .hint(hint)
    })
}

/// Streams of which there is no history.
fn has_no_history(placed: &Placed, offered: &[StreamInfo]) -> Option<Problem> {
    let names = || offered.iter().flat_map(StreamInfo::names_of_records);
    let typed = placed.glob.as_str();
    (!names().any(|name| placed.glob.matches(name))).then(|| {
        let hint =
            nearest(typed, names()).map_or("name a stream of records, such as `contacts`".to_owned(), did_you_mean);
        Problem::new(format!("no stream of records is called `{typed}`, so it has no history"))
            .at(placed.place)
            .hint(hint)
    })
}

/// Events that nobody offers.
fn unknown_events(EventRule { types, of, place, .. }: &EventRule, offered: &[StreamInfo]) -> Vec<Problem> {
    let records = || offered.iter().filter(|stream| stream.kind.type_id().is_some()).flat_map(StreamInfo::names);
    if !records().any(|name| name == of) {
        let hint =
            nearest(of, records()).map_or("name a stream of records, such as `contacts`".to_owned(), did_you_mean);
        let problem =
            Problem::new(format!("events have happened to records, and no stream of records is called `{of}`"));
        return vec![problem.at(*place).hint(hint)];
    }
    let of_events = offered.iter().filter(|stream| matches!(stream.kind, StreamKind::Events { .. }));
    let known: Vec<&str> = of_events.flat_map(StreamInfo::names).filter_map(in_group).collect();
    let unknown = types.iter().filter(|placed| !known.iter().any(|name| placed.glob.matches(name)));
    let problem = |placed: &Placed| {
        let typed = placed.glob.as_str();
        let hint = match nearest(typed, known.iter().copied()) {
            Some(near) => did_you_mean(near),
            None if known.is_empty() => {
                "HubSpot shows this token no events: they need an Enterprise product".to_owned()
            }
            None => format!("the account has {} types of events; `types = [\"*\"]` takes in all", known.len()),
        };
        Problem::new(format!("no type of events is called `{typed}`")).at(placed.place).hint(hint)
    };
    unknown.map(problem).collect()
}

fn did_you_mean(near: &str) -> String {
    format!("did you mean `{near}`?")
}

/// The associations of which both directions are among these, each once.
fn both_directions(streams: &[StreamInfo]) -> impl Iterator<Item = (&StreamInfo, &StreamInfo)> {
    let by_ends: BTreeMap<(&str, &str), &StreamInfo> =
        streams.iter().filter_map(|stream| Some((ends(stream)?, stream))).collect();
    streams.iter().filter_map(move |stream| {
        let (from, to) = ends(stream)?;
        let other = by_ends.get(&(to, from)).filter(|_| from < to)?;
        Some((stream, *other))
    })
}

/// The ids of the types at both ends of an association.
fn ends(stream: &StreamInfo) -> Option<(&str, &str)> {
    match &stream.kind {
        StreamKind::Associations { from, to } => Some((&from.type_id, &to.type_id)),
        _ => None,
    }
}

/// What to write for an association of which one end alone is named.
fn one_end(typed: &str, offered: &[StreamInfo]) -> Option<String> {
    let both = format!("{typed}:*");
    let glob: Glob = both.parse().ok()?;
    let mut pairs = offered.iter().filter(|stream| ends(stream).is_some());
    pairs.any(|stream| names_stream(&glob, stream)).then(|| format!("name both ends; `{both}` is all of that type"))
}

/// A glob that matches none of the offered streams.
fn names_none(placed: &Placed, offered: &[StreamInfo]) -> Option<Problem> {
    if offered.iter().any(|stream| names_stream(&placed.glob, stream)) {
        return None;
    }
    let typed = placed.glob.as_str();
    let sharing: Vec<&str> = offered
        .iter()
        .filter(|stream| stream.shared_name.as_deref() == Some(typed))
        .map(|stream| stream.name.as_str())
        .collect();
    if !sharing.is_empty() {
        return Some(
            Problem::new(format!("{} object types of the account are called `{typed}`", sharing.len()))
                .at(placed.place)
                .hint(format!("name the one that is meant: `{}`", sharing.join("` or `"))),
        );
    }
    if let Some(hint) = one_end(typed, offered) {
        let problem = Problem::new(format!("no stream of the source is called `{typed}`"));
        return Some(problem.at(placed.place).hint(hint));
    }
    let hint = match nearest(typed, offered.iter().flat_map(|stream| stream.names().chain(stream.group()))) {
        Some(near) => did_you_mean(near),
        None => "`sluice plan` with `streams = [\"*\"]` lists what the account offers".to_owned(),
    };
    Some(Problem::new(format!("no stream of the source is called `{typed}`")).at(placed.place).hint(hint))
}
