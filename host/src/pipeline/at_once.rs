//! A few things at once.
//!
//! [`concurrently`] borrows, and everything goes on in the caller's own task: right for requests, which mostly wait.
//! [`side_by_side`] spawns, so that what is decoded on the way is decoded on all cores: right for streams and their slices,
//! of which there may be more while others are read.
//! A panic on the way is a failure like others, so that lease and files are not left behind ([`caught`], [`ended`]).
//! In both, the next begins as soon as any ends, so a long one holds none up.

use std::panic::AssertUnwindSafe;

use futures::{FutureExt, StreamExt, stream};
use tokio::task::{JoinError, JoinSet};

use super::Error;

/// What work on each of these gives, in their order, a few at once.
pub(super) async fn concurrently<I, T>(
    items: impl IntoIterator<Item = I>,
    at_once: usize,
    work: impl AsyncFn(I) -> T,
) -> Vec<T> {
    let work = &work;
    let each = items.into_iter().enumerate().map(|(index, item)| async move { (index, work(item).await) });
    let mut done: Vec<(usize, T)> = stream::iter(each).buffer_unordered(at_once).collect().await;
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Work that is found while other work goes on.
pub(super) trait Jobs {
    /// One piece of it.
    type Job: Future<Output: Send> + Send + 'static;

    /// The next, if there is one now.
    fn next(&mut self) -> Option<Self::Job>;

    /// Ends when there may be one that there was not before. Cancel safe.
    async fn changed(&self);

    /// Takes what came of one.
    fn ended(&mut self, outcome: <Self::Job as Future>::Output);
}

/// Works until there is no more to do: a few jobs at once, each in a task of its own. Whenever a place is free, or there may
/// be something for one that is, the next is asked for.
pub(super) async fn side_by_side(jobs: &mut impl Jobs, at_once: usize) {
    let mut tasks = JoinSet::new();
    loop {
        while tasks.len() < at_once
            && let Some(job) = jobs.next()
        {
            tasks.spawn(job);
        }
        if tasks.is_empty() {
            return;
        }
        let has_room = tasks.len() < at_once;
        let ended = tokio::select! {
            ended = tasks.join_next() => ended,
            () = jobs.changed(), if has_room => continue,
        };
        let Some(ended) = ended else { unreachable!("there are tasks") };
        jobs.ended(unwrapped(ended));
    }
}

/// What work gave that may panic. `may_have_committed`: whether it may have committed by then.
pub(super) async fn caught<T>(
    work: impl Future<Output = Result<T, Error>>,
    may_have_committed: impl FnOnce() -> bool,
) -> Result<T, Error> {
    let panicked = |_| Err(Error::Panicked { may_have_committed: may_have_committed() });
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(panicked)
}

/// What a thread or task gave that has worked before the commit.
pub(super) fn ended<T>(outcome: Result<Result<T, Error>, JoinError>) -> Result<T, Error> {
    outcome.unwrap_or(Err(Error::Panicked { may_have_committed: false }))
}

/// What a task gave; its panic, if it had one, goes on here.
fn unwrapped<T>(outcome: Result<T, JoinError>) -> T {
    match outcome {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::future::BoxFuture;
    use tokio::sync::Notify;

    use super::*;

    /// The first ends only after the last has begun.
    #[tokio::test]
    async fn a_long_one_holds_none_up() {
        let last_has_begun = Notify::new();
        let work = async |item: usize| {
            match item {
                0 => last_has_begun.notified().await,
                9 => last_has_begun.notify_one(),
                _ => {}
            }
            item * 2
        };
        assert_eq!(concurrently(0..10, 2, work).await, (0..20).step_by(2).collect::<Vec<_>>());
    }

    /// Ten jobs, of which more are found when one has begun; the first ends only after the last has begun.
    struct Found {
        left: std::ops::Range<usize>,
        /// How many may be handed out.
        known: usize,
        more: Arc<Notify>,
        last_has_begun: Arc<Notify>,
        ended: Vec<usize>,
    }

    impl Jobs for Found {
        type Job = BoxFuture<'static, usize>;

        fn next(&mut self) -> Option<Self::Job> {
            if self.left.start >= self.known {
                return None;
            }
            let job = self.left.next()?;
            let (more, last_has_begun) = (Arc::clone(&self.more), Arc::clone(&self.last_has_begun));
            Some(Box::pin(async move {
                more.notify_one();
                match job {
                    0 => last_has_begun.notified().await,
                    9 => last_has_begun.notify_one(),
                    _ => {}
                }
                job
            }))
        }

        async fn changed(&self) {
            self.more.notified().await;
        }

        fn ended(&mut self, job: usize) {
            self.known = self.left.end;
            self.ended.push(job);
        }
    }

    async fn all_ended(known: usize, changed: bool) -> Vec<usize> {
        let mut jobs =
            Found { left: 0..10, known, more: Arc::default(), last_has_begun: Arc::default(), ended: Vec::new() };
        if changed {
            jobs.more.notify_one();
        }
        side_by_side(&mut jobs, 2).await;
        jobs.ended
    }

    #[tokio::test]
    async fn a_long_one_holds_no_other_task_up() {
        let ended = all_ended(10, false).await;
        assert_eq!(ended, [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]);
    }

    /// Only the first two are known when it begins, the others when one of them has ended: so a place stays free, and is not
    /// forgotten.
    #[tokio::test]
    async fn what_is_found_later_is_done_too() {
        assert_eq!(all_ended(2, true).await, [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]);
    }
}
