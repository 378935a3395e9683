//! Which of the offered streams a pipeline reads.

use std::collections::{BTreeMap, BTreeSet};

use sluice_model::{
    problem::{Problem, nearest},
    stream::{StreamInfo, StreamKind, group_of},
};

use super::rules::{Placed, Rules, any_names_stream, names_stream};
use crate::spec::{Directions, Glob};

impl Rules {
    /// Whether the file names a stream outright, and not only by a glob or by the name of its group.
    pub fn names(&self, stream: &StreamInfo) -> bool {
        let is_named = |glob: &Glob| glob.is_plain() && stream.names().any(|name| glob.matches(name));
        self.streams.iter().any(|placed| is_named(&placed.glob))
    }

    /// Whether the file names the group of a stream outright, and so all that are in it.
    pub fn names_group(&self, stream: &StreamInfo) -> bool {
        stream.group().is_some_and(|group| {
            self.streams.iter().any(|placed| placed.glob.is_plain() && placed.glob.as_str() == group)
        })
    }

    /// Whether the file speaks of a stream of these names, be it offered or not.
    pub fn takes<'n>(&self, names: impl Iterator<Item = &'n str>) -> bool {
        let names: Vec<&str> = names.flat_map(|name| [Some(name), group_of(name)]).flatten().collect();
        let any = |globs: &[Placed]| globs.iter().any(|placed| names.iter().any(|name| placed.glob.matches(name)));
        any(&self.streams) && !any(&self.exclude)
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
        let all = self.streams.iter().chain(&self.exclude);
        let mut problems: Vec<Problem> = all.filter_map(|placed| names_none(placed, offered)).collect();
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
        let selected = offered
            .iter()
            .filter(|stream| !any_names_stream(&self.exclude, stream) && any_names_stream(&self.streams, stream))
            .cloned()
            .collect();
        (self.without_unwanted_directions(selected), problems)
    }
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
        Some(near) => format!("did you mean `{near}`?"),
        None => "`sluice plan` with `streams = [\"*\"]` lists what the account offers".to_owned(),
    };
    Some(Problem::new(format!("no stream of the source is called `{typed}`")).at(placed.place).hint(hint))
}
