//! Which of the offered streams a pipeline reads.

use sluice_model::{
    problem::{Problem, nearest},
    stream::StreamInfo,
};

use super::rules::{Placed, Rules, any_names_stream, names_stream};

impl Rules {
    /// Whether the file names a stream outright, and not only by a glob.
    pub fn names(&self, stream: &StreamInfo) -> bool {
        self.streams.iter().any(|placed| placed.glob.is_plain() && names_stream(&placed.glob, stream))
    }

    /// Whether the file speaks of a stream of these names, be it offered or not.
    pub fn takes<'n>(&self, mut names: impl Iterator<Item = &'n str> + Clone) -> bool {
        let taken = |name| self.streams.iter().any(|placed| placed.glob.matches(name));
        names.clone().any(taken) && !names.any(|name| self.exclude.iter().any(|placed| placed.glob.matches(name)))
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
        (selected, problems)
    }
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
    let hint = match nearest(typed, offered.iter().flat_map(StreamInfo::names)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`sluice plan` with `streams = [\"*\"]` lists what the account offers".to_owned(),
    };
    Some(Problem::new(format!("no stream of the source is called `{typed}`")).at(placed.place).hint(hint))
}
