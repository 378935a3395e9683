//! What makes tables visible.

use async_trait::async_trait;

use super::{change::Change, commit::Commit, error::LogError};

/// Makes tables visible: all that a run has written at once, or nothing of it. One contract suite holds every implementation
/// to what is said here.
#[async_trait]
pub trait Commits: Send + Sync {
    /// What readers see now, and what a run builds on; `None` before the first commit.
    async fn latest(&self) -> Result<Option<Commit>, LogError>;

    /// Makes a change visible. `base` is what [`Commits::latest`] gave when this run had taken the lease, or a later commit
    /// of this run. Where there are newer ones by now, the change is made on the newest, unless one of them is by the same
    /// pipeline or has to do with the same tables. Gives this run's commit, which need not be the newest any more.
    ///
    /// Cancelling leaves open whether the commit was made.
    ///
    /// # Errors
    /// [`LogError::Raced`] and [`LogError::TablesMeet`] where the change may not be made on what there is now. Where
    /// [`LogError::may_have_been_made`], it is open whether the commit was made or is going to be; otherwise nothing of it is
    /// visible, nor ever will be.
    async fn commit(&self, base: Option<&Commit>, change: Change) -> Result<Commit, LogError>;
}
