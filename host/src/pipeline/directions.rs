//! In which direction an association is read, where the pipeline file takes in both and does not care.
//!
//! Asking the records of one type for their links to another takes a request for a thousand of them, so the type with fewer
//! records is asked. But a table is called after its direction, and must not get another name because an account has grown:
//! a direction that the newest commit has stays.

use std::collections::BTreeMap;

use sluice_hubspot::source::Source;
use sluice_lake::table::Commit;
use sluice_model::stream::{End, StreamInfo, StreamKind};
use sluice_plan::Rules;

use super::at_once::concurrently;

/// Types whose records are counted at once; searches may be few a second.
const COUNTS_AT_ONCE: usize = 4;

/// These streams, with one direction of each association of which the file wants one.
pub(super) async fn decided(
    rules: &Rules,
    source: &dyn Source,
    offered: &[StreamInfo],
    selected: Vec<StreamInfo>,
    base: Option<&Commit>,
) -> Vec<StreamInfo> {
    let has = |stream: &StreamInfo| {
        let mut feeds = base.iter().flat_map(|base| base.tables.values()).flat_map(|table| &table.streams);
        feeds.any(|fed| fed.names().any(|name| stream.names().any(|own| own == name)))
    };
    let open: Vec<_> = rules.undecided(&selected).filter(|(one, other)| has(one) == has(other)).collect();
    let types: BTreeMap<&str, &StreamInfo> = open
        .iter()
        .flat_map(|(one, other)| [ends(one), ends(other)])
        .flatten()
        .filter_map(|(from, _)| {
            let is_its = |stream: &&StreamInfo| stream.kind.type_id() == Some(from.type_id.as_str());
            Some((from.type_id.as_str(), offered.iter().find(is_its)?))
        })
        .collect();
    let count = async |(id, stream): (&str, &StreamInfo)| (id.to_owned(), source.size(stream).await);
    let counted: BTreeMap<String, Option<u64>> = concurrently(types, COUNTS_AT_ONCE, count).await.into_iter().collect();
    let records =
        |stream: &StreamInfo| ends(stream).and_then(|(from, _)| *counted.get(&from.type_id)?).unwrap_or(u64::MAX);
    rules.decide(selected, |one, other| match (has(one), has(other)) {
        (true, false) => true,
        (false, true) => false,
        _ => records(one) <= records(other),
    })
}

fn ends(stream: &StreamInfo) -> Option<(&End, &End)> {
    match &stream.kind {
        StreamKind::Associations { from, to } => Some((from, to)),
        _ => None,
    }
}
