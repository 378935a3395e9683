//! How calls are ended before their time: whoever made the engine has to stop, and does not wait for plugins.
//!
//! A call looks at it every few ticks of the engine's clock, and when it begins. What the call was about has come to nothing
//! then; the instance is spent, as after any other failure.

use std::{fmt, sync::Arc};

/// How many ticks of the engine's clock pass between two looks: often enough that nobody notices the delay.
pub(super) const LOOK: u64 = 5;

/// Whether to stop. Cheap to clone; all clones ask the same.
#[derive(Clone)]
pub(super) struct Stop(Arc<dyn Fn() -> bool + Send + Sync>);

impl Stop {
    /// Asks this, from any thread.
    pub(super) fn asking(is_stopping: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_stopping))
    }

    /// Never.
    pub(super) fn never() -> Self {
        Self::asking(|| false)
    }

    /// Whether to stop now.
    pub(super) fn is_now(&self) -> bool {
        (self.0)()
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stop").finish_non_exhaustive()
    }
}
