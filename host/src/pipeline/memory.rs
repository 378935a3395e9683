//! One budget for the memory of all plugins of a run.
//!
//! Each instance may take as much memory as its limit says, and a stream has an instance or more for each of its steps. So a
//! stream takes the limits of all its instances out of the budget before it begins, waits while there is too little, and
//! gives them back when it ends: what plugins can take together is bounded before any of them runs, and no instance is
//! refused memory because of what another holds.
//! A stream that could never fit is refused with the plan.
//!
//! Everything here is counted in whole MiB: what is needed is rounded up, the budget down.

use std::sync::Arc;

use sluice_model::problem::Problem;
use sluice_plan::{Plan, Step, StreamPlan, spec::Spec};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::plugins::LoadedTransforms;

/// The budget unless the pipeline file says otherwise: eight streams with two instances each, at an instance's default limit.
const PLUGIN_MEMORY_MIB: u64 = 4096;

const MIB: u64 = 1 << 20;

/// What is left of the budget.
pub(super) struct PluginMemory {
    free: Arc<Semaphore>,
}

impl PluginMemory {
    pub(super) fn of(spec: &Spec) -> Self {
        let permits = usize::try_from(budget(spec)).unwrap_or(usize::MAX);
        Self { free: Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS))) }
    }

    /// Waits until the instances of a stream fit. They have their memory until what this gives is dropped.
    pub(super) async fn reserve(&self, stream: &StreamPlan, plugins: &LoadedTransforms) -> OwnedSemaphorePermit {
        let mib = u32::try_from(needed(stream, plugins)).unwrap_or(u32::MAX);
        match Arc::clone(&self.free).acquire_many_owned(mib).await {
            Ok(reserved) => reserved,
            Err(_) => unreachable!("the budget is never closed"),
        }
    }
}

/// The streams whose instances would never fit.
pub(super) fn judge(spec: &Spec, plan: &Plan, plugins: &LoadedTransforms) -> Vec<Problem> {
    let budget = budget(spec);
    let place = spec.pipeline.run.plugin_memory.as_ref().and_then(|size| spec.place(size));
    let streams = plan.streams.iter().map(|stream| (&stream.stream.name, needed(stream, plugins)));
    let too_large = streams.filter(|(_, needed)| *needed > budget);
    too_large
        .map(|(name, needed)| {
            Problem::new(format!(
                "stream `{name}`: its plugins may take {needed}MiB of memory, and all together may take {budget}MiB"
            ))
            .at(place)
            .hint(format!(
                "set plugin_memory = \"{needed}MiB\" under [run], or a lower `limits.memory` for its transforms"
            ))
        })
        .collect()
}

/// What all plugins of a run may take together.
fn budget(spec: &Spec) -> u64 {
    let set = spec.pipeline.run.plugin_memory.as_ref();
    set.map_or(PLUGIN_MEMORY_MIB, |size| size.get_ref().0 / MIB)
}

/// What the instances of a stream may take together.
fn needed(stream: &StreamPlan, plugins: &LoadedTransforms) -> u64 {
    let of_step = |(index, step): (usize, &Step)| {
        let instances = stream.program(index).instances as u64;
        instances.saturating_mul(plugins.get(step.transform).memory_limit())
    };
    stream.steps.iter().enumerate().map(of_step).fold(0, u64::saturating_add).div_ceil(MIB)
}
