//! What the last sweep has judged, so that the next need not prove it again.
//!
//! To prove of a file that no commit lists it takes all commits that might, and the log may be long. But a sweep has judged
//! everything that it found; and what was not there by then is of runs that had committed nothing, nor can commit below it,
//! since its own run has made a commit. So the next sweep looks for the rest only in the commits that came after. Hence a sweep
//! notes
//!
//! - the number of the commit that its run had made, and from which runs on it had looked;
//! - what of their files a commit up to that one accounts for: runs whole, and files that were taken over from others;
//! - the runs of which it has spared files without judging them, with the commit above which these are to be looked for.
//!
//! What the note does not speak of is looked for in the whole log, and so is everything where the log does not reach up to the
//! commit of the note: then it is another log than the one that the note was made for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sluice_model::run_id::RunId;

use crate::table::key::DataKey;

/// What a sweep has judged, as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Judged {
    /// The commit up to which everything was judged of the runs below.
    commit: u64,
    /// The first of these runs: the beginning of an id, or a whole one.
    from: String,
    /// Those that a commit accounts for, whole.
    runs: BTreeSet<String>,
    /// Files that a commit accounts for, of other runs.
    files: BTreeSet<String>,
    /// Runs of which files were spared, with the commit above which these are to be looked for.
    open: BTreeMap<String, u64>,
}

/// What a sweep judges, while it does.
#[derive(Debug, Default)]
pub(super) struct Judging {
    before: Judged,
    now: Judged,
}

impl Judging {
    /// After a sweep that has judged this. Files are listed of runs from one on, and the log's newest commit has this number.
    pub(super) fn after(before: &Judged, listed_from: &str, newest: u64) -> Self {
        let before = if before.commit > newest { Judged::default() } else { before.clone() };
        Self { before, now: Judged { from: listed_from.to_owned(), ..Judged::default() } }
    }

    /// The runs that are known to be accounted for, whole.
    pub(super) fn runs(&self) -> BTreeSet<RunId> {
        self.before.runs.iter().filter_map(|run| run.parse().ok()).collect()
    }

    /// The files of other runs that are.
    pub(super) fn files(&self) -> BTreeSet<String> {
        self.before.files.clone()
    }

    /// The commit above which a run's files are to be looked for, if they are not known to be accounted for.
    pub(super) fn listed_above(&self, run: &RunId) -> u64 {
        let Judged { commit, from, runs, open, .. } = &self.before;
        let run = run.as_str();
        // None was spared above the commit, whatever the note says.
        let above = open.get(run).map_or(*commit, |open| *open.min(commit));
        if run < from.as_str() || runs.contains(run) { 0 } else { above }
    }

    /// A commit accounts for a run, whole.
    pub(super) fn add_run(&mut self, run: &RunId) {
        self.now.runs.insert(run.to_string());
    }

    /// A commit accounts for a file of another run than its own.
    pub(super) fn add_file(&mut self, key: &str) {
        self.now.files.insert(key.to_owned());
    }

    /// Files of a run are spared.
    pub(super) fn spare(&mut self, run: &RunId) {
        self.now.open.insert(run.to_string(), self.listed_above(run));
    }

    /// What is noted: by a sweep whose run has made this commit, for the next, which lists runs from this one on.
    pub(super) fn end(self, commit: u64, runs_from: &str) -> Judged {
        let Judged { from, mut runs, mut files, mut open, .. } = self.now;
        let from = from.max(runs_from.to_owned());
        runs.retain(|run| *run >= from);
        files.retain(|file| DataKey::parse(file).is_some_and(|key| key.run.as_str() >= from.as_str()));
        open.retain(|run, _| *run >= from);
        Judged { commit, from, runs, files, open }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(hour: u32) -> RunId {
        format!("20261123T{hour:02}0000Z-00000001").parse().unwrap()
    }

    fn file(hour: u32) -> String {
        DataKey { table: "contacts".to_owned(), pipeline: "crm".to_owned(), run: run(hour), part: 0 }.format()
    }

    /// What a sweep at six has judged, which had looked from three on, and at five again.
    fn judged() -> Judged {
        let mut judging = Judging::after(&Judged::default(), "20261123T03", 40);
        for hour in [3, 5] {
            judging.add_run(&run(hour));
            judging.add_file(&file(hour));
        }
        judging.spare(&run(6));
        judging.end(40, "20261123T05")
    }

    #[test]
    fn what_came_after_a_sweep_is_looked_for_above_its_commit_alone() {
        let judging = Judging::after(&judged(), "20261123T05", 50);
        assert_eq!(judging.listed_above(&run(7)), 40);
        assert_eq!((judging.runs(), judging.files()), (BTreeSet::from([run(5)]), BTreeSet::from([file(5)])));
    }

    #[test]
    fn what_it_has_not_judged_is_looked_for_everywhere() {
        let judging = Judging::after(&judged(), "20261123T02", 50);
        // From before it looked, or of a run that is accounted for but for this; and what was spared.
        assert_eq!([4, 3, 2, 5, 6].map(|hour| judging.listed_above(&run(hour))), [0; 5]);
        // Nor does it judge more than both sweeps have looked at.
        let next = Judging::after(&judged(), "20261123T05", 50).end(50, "20261123T02");
        assert_eq!(next.from, "20261123T05");
    }

    #[test]
    fn what_is_spared_again_and_again_is_looked_for_above_what_came_before_it() {
        let mut judging = Judging::after(&judged(), "20261123T05", 50);
        judging.spare(&run(7));
        judging.spare(&run(6));
        let judging = Judging::after(&judging.end(50, "20261123T05"), "20261123T05", 60);
        assert_eq!([6, 7, 8].map(|hour| judging.listed_above(&run(hour))), [0, 40, 50]);
    }

    #[test]
    fn a_note_of_another_log_says_nothing() {
        let judging = Judging::after(&judged(), "20261123T05", 39);
        assert_eq!(judging.listed_above(&run(7)), 0);
        assert_eq!((judging.runs().len(), judging.files().len()), (0, 0));
    }
}
