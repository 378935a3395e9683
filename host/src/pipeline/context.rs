//! What all streams of a run share.

use std::sync::Arc;

use jiff::Timestamp;
use sluice_hubspot::source::Source;
use sluice_lake::{bucket::Bucket, sink::Sink};

use super::{Planned, Plugins, Progress, Shutdown, resume::Resume};

/// What all streams of a run share.
pub(super) struct Context {
    /// What is to be done.
    pub(super) planned: Planned,
    /// Where the rows come from.
    pub(super) source: Arc<dyn Source>,
    /// Where the instances of plugins come from.
    pub(super) plugins: Plugins,
    /// Where the rows go.
    pub(super) sink: Arc<dyn Sink>,
    /// The bucket that they go to.
    pub(super) bucket: Bucket,
    /// What is kept for the next run, and taken over from the last.
    pub(super) resume: Resume,
    /// When the run began.
    pub(super) began: Timestamp,
    /// What is told of it meanwhile.
    pub(super) progress: Arc<Progress>,
    /// How it is told to stop.
    pub(super) shutdown: Shutdown,
}
