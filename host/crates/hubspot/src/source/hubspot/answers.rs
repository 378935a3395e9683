//! What has been asked already: an account's definitions are asked for once in a run, whoever wants them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OnceCell;

use crate::source::SourceError;

/// The answers to a question about several object types or pairs of them, by the type's id (or whatever else names what is asked about). Clones share them.
#[derive(Debug)]
pub(super) struct Answers<T>(Arc<Mutex<ByType<T>>>);

type ByType<T> = HashMap<String, Arc<OnceCell<Arc<T>>>>;

impl<T> Default for Answers<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Answers<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Answers<T> {
    /// Notes an answer about a type that has come by another way, unless there is one.
    pub(super) fn put(&self, type_id: &str, answer: T) {
        // Whoever is asking meanwhile will have an answer as good.
        self.cell(type_id).set(Arc::new(answer)).ok();
    }

    /// The answer about a type, if there is one already.
    pub(super) fn known(&self, type_id: &str) -> Option<Arc<T>> {
        self.cell(type_id).get().cloned()
    }

    /// The answer about a type. `answer` is awaited if nobody has asked yet; whoever asks meanwhile waits for the same answer.
    /// An error is no answer: the next one asks again.
    pub(super) async fn get(
        &self,
        type_id: &str,
        answer: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<Arc<T>, SourceError> {
        self.cell(type_id).get_or_try_init(|| async { answer.await.map(Arc::new) }).await.cloned()
    }

    /// Whether there is an answer about a type.
    pub(super) fn knows(&self, type_id: &str) -> bool {
        self.cell(type_id).initialized()
    }

    fn cell(&self, type_id: &str) -> Arc<OnceCell<Arc<T>>> {
        Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(type_id.to_owned()).or_default())
    }
}
