//! Every stream is tried before any is read: a token that may list the properties of a type and not its records, or that
//! lacks the scope for owners, is known in the first second and not after hours.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sluice_hubspot::source::{ReadRequest, Readers, RowsSeen, Source, SourceError};
use sluice_plan::StreamPlan;

use super::{
    Error, LeftOut, Planned, Run,
    at_once::concurrently,
    planning::{may_be_left_out, not_readable, nothing_readable},
};

/// Streams that are tried at once.
const AT_ONCE: usize = 8;

/// What a stream would be read with, for a look at it.
pub(super) fn a_look(stream: &StreamPlan) -> ReadRequest {
    ReadRequest {
        stream: stream.stream.clone(),
        columns: stream.requested().cloned().collect(),
        ingested_at: Timestamp::now(),
        readers: Readers::One,
        keeps_ids: false,
        resumes: None,
        seen: RowsSeen::default(),
    }
}

/// Asks for one record of each of these streams, as it would be read. The outcomes, in the same order.
pub(super) async fn try_all<'s>(
    source: &dyn Source,
    streams: impl IntoIterator<Item = &'s StreamPlan>,
) -> Vec<Result<(), SourceError>> {
    let requests = streams.into_iter().map(a_look);
    let try_one = async |request: ReadRequest| source.try_read(&request).await;
    concurrently(requests.collect::<Vec<_>>(), AT_ONCE, try_one).await
}

/// The same plan without those of its `wanted` streams that turn out not to be readable and may be left out; and which are
/// wanted of it.
pub(super) async fn without_unreadable(
    run: &Run<'_>,
    mut planned: Planned,
    wanted: Vec<usize>,
) -> Result<(Planned, Vec<usize>), Error> {
    let streams = wanted.iter().map(|&index| &planned.plan.streams[index]);
    let outcomes = try_all(run.source.as_ref(), streams).await;
    let mut problems = Vec::new();
    let mut left_out = BTreeMap::new();
    for (&index, outcome) in wanted.iter().zip(outcomes) {
        let stream = &planned.plan.streams[index].stream;
        match outcome {
            Ok(()) => {}
            Err(SourceError::NotReadable { why, reason, .. })
                if run.only.is_empty() && may_be_left_out(&planned.plan.rules, stream, why) =>
            {
                left_out.insert(index, LeftOut { stream: stream.clone(), why, reason });
            }
            Err(error @ SourceError::NotReadable { .. }) => problems.push(not_readable(&error)),
            Err(error) => return Err(Error::Source(error)),
        }
    }
    if problems.is_empty() && !wanted.is_empty() && left_out.len() == wanted.len() {
        planned.unreadable.extend(left_out.into_values());
        problems.push(nothing_readable(&planned.unreadable));
        return Err(Error::refused(&planned.plan.file, problems));
    }
    if !problems.is_empty() {
        return Err(Error::refused(&planned.plan.file, problems));
    }
    let kept: Vec<usize> = (0..planned.plan.streams.len()).filter(|index| !left_out.contains_key(index)).collect();
    let wanted = kept.iter().enumerate().filter(|(_, before)| wanted.contains(before)).map(|(now, _)| now).collect();
    planned = planned.only(&kept);
    planned.unreadable.extend(left_out.into_values());
    Ok((planned, wanted))
}
