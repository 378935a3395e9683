//! The settings as a pipeline file writes them; [`crate::mapping`] makes sense of them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// Which ids become which. Ids on the left are always those of the source.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Object type ids, old to new: `"2-12345" = "2-67890"`.
    #[serde(default)]
    pub(crate) types: BTreeMap<String, String>,
    /// The name of an attachment with more of them: CSV with the columns `old_type_id` and `new_type_id`.
    pub(crate) types_attachment: Option<String>,
    /// Record ids, old to new, by the object type id of the records, or `owner`, `user`, `team` or `list`: `"0-1" = { "101" = "9001" }`.
    #[serde(default)]
    pub(crate) records: BTreeMap<String, BTreeMap<String, String>>,
    /// The name of an attachment with more of them: CSV with the columns `object_type_id`, `old_id` and `new_id`.
    pub(crate) records_attachment: Option<String>,
    /// What becomes of an id that the mapping lacks. Meant are ids of records whose type has any record mapped, and, where
    /// any type is mapped, the type ids of custom objects.
    #[serde(default)]
    pub(crate) unmapped: Unmapped,
    /// The same for columns that are not part of a table's key; unless set, as `unmapped`.
    pub(crate) unmapped_references: Option<Unmapped>,
    /// Names for the tables of objects, by object type id: `"2-12345" = "objects_vehicle"`.
    #[serde(default)]
    pub(crate) tables: BTreeMap<String, String>,
}

/// What becomes of an id that the mapping lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unmapped {
    /// It stays.
    #[default]
    Keep,
    /// It is left out. Not for a column that is part of a table's key.
    Null,
    /// The row that holds it is rejected.
    Reject,
}
