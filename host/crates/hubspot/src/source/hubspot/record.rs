//! The names of the columns that hold what a record has beside its properties. Streams of definitions have some of them too.

pub(super) const OBJECT_TYPE_ID: &str = "objectTypeId";
pub(super) const OBJECT_ID: &str = "objectId";
pub(super) const UPDATED_AT: &str = "updatedAt";
pub(super) const INGESTED_AT: &str = "ingestedAt";
