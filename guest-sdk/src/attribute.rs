//! The names that stand in attribute lists.
//!
//! What each means is said in `wit/ATTRIBUTES.md`, which is the source; a test keeps the two in step.

/// HubSpot's internal name of the property this column holds.
pub const PROPERTY: &str = "property";
/// The property's label text, as people see it in HubSpot.
pub const LABEL: &str = "label";
/// HubSpot's type of the property (`string`, `number`, ...).
pub const HUBSPOT_TYPE: &str = "hubspot.type";
/// HubSpot's field type of the property (`text`, `select`, ...).
pub const HUBSPOT_FIELD_TYPE: &str = "hubspot.field-type";
/// `true` for a column that is part of the table's key.
pub const KEY: &str = "key";
/// What the id in this column points to: an object type id, or `owner`, `user`, `team`, `list`.
pub const REFERENCES: &str = "references";
/// The text between the values of a column that holds several.
pub const SEPARATOR: &str = "separator";
/// `true` for a column whose values are object type ids.
pub const OBJECT_TYPE: &str = "object-type";
/// `true`, in a history, for a property whose values HubSpot computes.
pub const CALCULATED: &str = "calculated";
/// Of a field: the name that the column would have if no other property of its type were spelled nearly the same.
pub const SHARED_NAME: &str = "shared-name";
/// Of a schema: `objects`, `owners`, `pipelines`, ...
pub const KIND: &str = "kind";
/// Of a schema: the object type id of the stream's records.
pub const OBJECT_TYPE_ID: &str = "object-type-id";
/// Of a schema: the fully qualified name of a custom object type.
pub const FULLY_QUALIFIED_NAME: &str = "fully-qualified-name";

#[cfg(test)]
mod tests {
    #[test]
    fn every_name_stands_in_the_contract() {
        let listed = include_str!("../wit/ATTRIBUTES.md");
        for name in [
            super::PROPERTY,
            super::LABEL,
            super::HUBSPOT_TYPE,
            super::HUBSPOT_FIELD_TYPE,
            super::KEY,
            super::REFERENCES,
            super::SEPARATOR,
            super::OBJECT_TYPE,
            super::CALCULATED,
            super::SHARED_NAME,
            super::KIND,
            super::OBJECT_TYPE_ID,
            super::FULLY_QUALIFIED_NAME,
        ] {
            assert!(listed.contains(&format!("| `{name}` |")), "`{name}` is not in ATTRIBUTES.md");
        }
    }
}
