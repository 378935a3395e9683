//! A few things at once.
//!
//! [`concurrently`] borrows, and everything goes on in the caller's own task: right for requests, which mostly wait.
//! [`side_by_side`] spawns, so that what is decoded on the way is decoded on all cores: right for whole streams.
//! In both, the next begins as soon as any ends, so a long one holds none up.

use std::sync::Arc;

use futures::{StreamExt, stream};
use tokio::{sync::Semaphore, task::JoinSet};

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

/// Works on all of these, begun in this order, a few at once, each in a task of its own. The outcomes, by index.
pub(super) async fn side_by_side<F>(order: Vec<usize>, at_once: usize, work: impl Fn(usize) -> F) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(at_once.min(Semaphore::MAX_PERMITS)));
    let mut tasks = JoinSet::new();
    for index in order {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { unreachable!("the places are never closed") };
        let work = work(index);
        tasks.spawn(async move {
            let outcome = work.await;
            drop(place);
            (index, outcome)
        });
    }
    let mut outcomes = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(outcome) => outcomes.push(outcome),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
    outcomes.sort_unstable_by_key(|(index, _)| *index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

#[cfg(test)]
mod tests {
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

    /// The first ends only after the last has begun.
    #[tokio::test]
    async fn a_long_one_holds_no_other_task_up() {
        let last_has_begun = Arc::new(Notify::new());
        let work = |item: usize| {
            let last_has_begun = Arc::clone(&last_has_begun);
            async move {
                match item {
                    0 => last_has_begun.notified().await,
                    9 => last_has_begun.notify_one(),
                    _ => {}
                }
                item * 2
            }
        };
        let done = side_by_side((0..10).collect(), 2, work).await;
        assert_eq!(done, (0..20).step_by(2).collect::<Vec<_>>());
    }
}
