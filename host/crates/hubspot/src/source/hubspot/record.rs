//! The names of the columns that hold what a record has beside its properties. Streams of definitions have some of them too.

use sluice_model::stream::StreamKind;

pub(super) const OBJECT_TYPE_ID: &str = StreamKind::KEY_OF_RECORDS[0];
pub(super) const OBJECT_ID: &str = StreamKind::KEY_OF_RECORDS[1];
pub(super) const UPDATED_AT: &str = "updatedAt";
pub(super) const INGESTED_AT: &str = "ingestedAt";

/// The properties that say when a record was changed, of contacts and of all others: they change with every other, and HubSpot
/// does not call them computed.
pub(super) const LAST_MODIFIED: [&str; 2] = ["lastmodifieddate", "hs_lastmodifieddate"];

/// The property that repeats the id of a record.
pub(super) const ID_PROPERTY: &str = "hs_object_id";
