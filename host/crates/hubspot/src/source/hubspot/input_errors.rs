//! What an answer about many records says of those that it has nothing of: an error for each of them, or for some together. That
//! a record is not there, or has nothing of what was asked for, is an answer too; anything else is a failure that may pass.

use serde::Deserialize;

use super::json;

/// What every category is called by which HubSpot says that something is not there: `NOT_FOUND`, `OBJECT_NOT_FOUND`.
const NOT_FOUND: &str = "NOT_FOUND";

/// Characters of a category that are shown.
const LONGEST_CATEGORY: usize = 60;

/// An error about some of the records.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct InputError {
    #[serde(deserialize_with = "json::word")]
    category: Option<String>,
    #[serde(deserialize_with = "json::word")]
    sub_category: Option<String>,
    #[serde(deserialize_with = "json::or_default")]
    context: Context,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Context {
    #[serde(deserialize_with = "json::texts")]
    from_object_id: Vec<String>,
    #[serde(deserialize_with = "json::texts")]
    ids: Vec<String>,
}

impl InputError {
    /// Whether it says that its records are not there.
    pub(super) fn says_gone(&self) -> bool {
        self.category.as_deref().is_some_and(|category| category.ends_with(NOT_FOUND))
    }

    /// Whether its more exact category ends like this.
    pub(super) fn is_of(&self, sub_category: &str) -> bool {
        self.sub_category.as_deref().is_some_and(|own| own.ends_with(sub_category))
    }

    /// The records that it is about.
    pub(super) fn records(&self) -> impl Iterator<Item = &str> {
        self.context.from_object_id.iter().chain(&self.context.ids).map(String::as_str)
    }

    /// What it is called, as far as it is fit to be shown.
    pub(super) fn name(&self) -> String {
        let name = self.category.as_deref().unwrap_or("an error without a category");
        sluice_model::printable::printable(name, LONGEST_CATEGORY)
    }
}
