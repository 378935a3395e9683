//! Commits in memory: the smallest that keeps the contract.

use std::sync::Mutex;

use async_trait::async_trait;

use crate::table::{
    Change, Commit, Commits, LogError,
    change::{next, obstacle},
};

/// All commits, in order.
#[derive(Default)]
pub(super) struct MemoryCommits(Mutex<Vec<Commit>>);

#[async_trait]
impl Commits for MemoryCommits {
    async fn latest(&self) -> Result<Option<Commit>, LogError> {
        Ok(self.0.lock().unwrap().last().cloned())
    }

    async fn commit(&self, base: Option<&Commit>, change: Change) -> Result<Commit, LogError> {
        let mut commits = self.0.lock().unwrap();
        for newer in commits.iter().skip(base.map_or(0, |base| base.number as usize)) {
            if let Some(obstacle) = obstacle(base, &change, newer) {
                return Err(LogError::late(&change, newer.clone(), obstacle));
            }
        }
        let commit = next(commits.last(), change);
        commits.push(commit.clone());
        Ok(commit)
    }
}
