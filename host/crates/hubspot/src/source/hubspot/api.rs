//! HubSpot's answers, as far as sluice reads them; where they are asked for is told in [`paths`].
//!
//! The answers are wire types: everything is optional that HubSpot has been seen to leave out, and what it sends in another
//! form than its documentation says is read as far as it can be ([`super::json`]).

mod paths;
mod versions;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny},
};
use serde_json::value::RawValue;

pub use self::{
    paths::Paths,
    versions::{Standing, Support},
};
use super::{json, paging::Paging};

/// An answer with a list, perhaps one of several pages.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: serde::de::DeserializeOwned"))]
pub(super) struct ListPage<T> {
    pub(super) results: Vec<T>,
    pub(super) paging: Option<Paging>,
    #[serde(default, deserialize_with = "json::count")]
    num_errors: usize,
    #[serde(default, deserialize_with = "json::each_or_default")]
    errors: Vec<Option<IgnoredAny>>,
}

impl<T> ListPage<T> {
    /// The things that ought to be listed and, as the answer says itself, are not.
    pub(super) fn missing(&self) -> usize {
        self.errors.len().max(self.num_errors)
    }
}

/// The account.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Account {
    #[serde(deserialize_with = "json::id")]
    pub(super) portal_id: String,
}

/// What a token may do.
#[derive(Debug, Deserialize)]
pub(super) struct TokenInfo {
    pub(super) scopes: Vec<String>,
}

/// How much of a day's requests is used up.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DailyUsage {
    #[serde(default, deserialize_with = "json::whole_number")]
    pub(super) usage_limit: Option<i64>,
    #[serde(default, deserialize_with = "json::whole_number")]
    pub(super) current_usage: Option<i64>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) resets_at: Option<String>,
}

/// How many records a search would find.
#[derive(Debug, Deserialize)]
pub(super) struct Total {
    #[serde(default, deserialize_with = "json::whole_number")]
    pub(super) total: Option<i64>,
}

/// The records that a search has found, and how many there are in all.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    #[serde(default, deserialize_with = "json::count")]
    pub(super) total: usize,
    pub(super) results: Vec<RecordId>,
}

/// The ids of a page of records.
#[derive(Debug, Deserialize)]
pub(super) struct RecordId {
    #[serde(deserialize_with = "json::id")]
    pub(super) id: String,
}

/// The definition of a property.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Property {
    #[serde(deserialize_with = "json::id")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) label: Option<String>,
    #[serde(rename = "type")]
    #[serde(default, deserialize_with = "json::text_or_empty")]
    pub(super) value_type: String,
    #[serde(default, deserialize_with = "json::text_or_empty")]
    pub(super) field_type: String,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) group_name: Option<String>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) description: Option<String>,
    /// As they stand in the answer: a list may be long, and is only passed on.
    pub(super) options: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) referenced_object_type: Option<String>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) data_sensitivity: Option<String>,
    #[serde(default, deserialize_with = "json::texts")]
    pub(super) sensitive_data_categories: Vec<String>,
    #[serde(default, deserialize_with = "json::flag")]
    pub(super) calculated: Option<bool>,
    #[serde(default, deserialize_with = "json::flag")]
    pub(super) has_unique_value: Option<bool>,
    #[serde(default, deserialize_with = "json::flag")]
    pub(super) hubspot_defined: Option<bool>,
    #[serde(default, deserialize_with = "json::flag")]
    pub(super) archived: Option<bool>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) created_at: Option<String>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) updated_at: Option<String>,
}

/// The definition of a custom object type.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectSchema {
    #[serde(deserialize_with = "object_type_id")]
    pub(super) object_type_id: String,
    #[serde(deserialize_with = "json::id")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) fully_qualified_name: Option<String>,
    #[serde(default, deserialize_with = "json::or_default")]
    pub(super) labels: Labels,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) description: Option<String>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) primary_display_property: Option<String>,
    #[serde(default, deserialize_with = "json::flag")]
    pub(super) archived: Option<bool>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) created_at: Option<String>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) updated_at: Option<String>,
}

/// The names of an object type for people.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Labels {
    #[serde(default, deserialize_with = "json::text")]
    pub(super) singular: Option<String>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) plural: Option<String>,
}

/// What a link between records of two types may mean.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AssociationType {
    #[serde(deserialize_with = "json::id")]
    pub(super) category: String,
    #[serde(deserialize_with = "json::id")]
    pub(super) type_id: String,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) label: Option<String>,
}

/// How many links of one meaning a record may have.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AssociationLimit {
    #[serde(deserialize_with = "json::id")]
    pub(super) category: String,
    #[serde(deserialize_with = "json::id")]
    pub(super) type_id: String,
    #[serde(default, deserialize_with = "json::whole_number")]
    pub(super) user_enforced_max_to_object_ids: Option<i64>,
}

/// A page of lists.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListsPage {
    pub(super) lists: Vec<List>,
    #[serde(default, deserialize_with = "json::flag")]
    pub(super) has_more: Option<bool>,
    #[serde(default, deserialize_with = "json::whole_number")]
    pub(super) offset: Option<i64>,
    #[serde(default, deserialize_with = "json::whole_number")]
    pub(super) total: Option<i64>,
}

/// A list of records of one type.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct List {
    #[serde(rename = "listId", deserialize_with = "path_id")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) name: Option<String>,
    #[serde(deserialize_with = "object_type_id")]
    pub(super) object_type_id: String,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) processing_type: Option<String>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) processing_status: Option<String>,
    #[serde(rename = "listVersion", default, deserialize_with = "json::whole_number")]
    pub(super) version: Option<i64>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) created_at: Option<String>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) updated_at: Option<String>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) filters_updated_at: Option<String>,
    #[serde(default, deserialize_with = "json::id_or_none")]
    pub(super) created_by_id: Option<String>,
    #[serde(default, deserialize_with = "json::id_or_none")]
    pub(super) updated_by_id: Option<String>,
    #[serde(default, deserialize_with = "json::or_default")]
    pub(super) additional_properties: ListProperties,
}

/// What is known of a list beside its definition; what is empty is absent.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct ListProperties {
    #[serde(rename = "hs_list_size", default, deserialize_with = "json::whole_number")]
    pub(super) size: Option<i64>,
    #[serde(rename = "hs_last_record_added_at", default, deserialize_with = "json::text")]
    pub(super) last_record_added_at: Option<String>,
    #[serde(rename = "hs_last_record_removed_at", default, deserialize_with = "json::text")]
    pub(super) last_record_removed_at: Option<String>,
    #[serde(rename = "hs_folder_name", default, deserialize_with = "json::text")]
    pub(super) folder_name: Option<String>,
}

/// The full names of all types of events.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventTypes {
    pub(super) event_types: Vec<String>,
}

/// A type of events that the account has defined itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventDefinition {
    #[serde(deserialize_with = "json::id")]
    pub(super) fully_qualified_name: String,
    #[serde(default, deserialize_with = "json::id_or_none")]
    pub(super) object_type_id: Option<String>,
    pub(super) properties: Vec<Property>,
}

/// A member of a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Member {
    #[serde(deserialize_with = "json::id")]
    pub(super) record_id: String,
}

/// Somebody who may log in.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountUser {
    #[serde(deserialize_with = "json::id")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) email: Option<String>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) first_name: Option<String>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) last_name: Option<String>,
    #[serde(default, deserialize_with = "json::flag")]
    pub(super) super_admin: Option<bool>,
    #[serde(default, deserialize_with = "json::id_or_none")]
    pub(super) primary_team_id: Option<String>,
    #[serde(default, deserialize_with = "json::texts")]
    pub(super) secondary_team_ids: Vec<String>,
    #[serde(default, deserialize_with = "json::texts")]
    pub(super) role_ids: Vec<String>,
}

/// A team of people who may log in.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Team {
    #[serde(deserialize_with = "json::id")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "json::texts")]
    pub(super) user_ids: Vec<String>,
    #[serde(default, deserialize_with = "json::texts")]
    pub(super) secondary_user_ids: Vec<String>,
}

/// The team of somebody that records are assigned to.
#[derive(Debug, Deserialize)]
pub(super) struct OwnersTeam {
    #[serde(deserialize_with = "json::id")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "json::flag")]
    pub(super) primary: Option<bool>,
}

/// Somebody that records are assigned to.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Owner {
    #[serde(deserialize_with = "json::id")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) email: Option<String>,
    #[serde(rename = "type")]
    #[serde(default, deserialize_with = "json::text")]
    pub(super) kind: Option<String>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) first_name: Option<String>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) last_name: Option<String>,
    pub(super) user_id: Option<Box<RawValue>>,
    pub(super) user_id_including_inactive: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "json::flag")]
    pub(super) archived: Option<bool>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) created_at: Option<String>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) updated_at: Option<String>,
    #[serde(default, deserialize_with = "json::list")]
    pub(super) teams: Vec<OwnersTeam>,
}

/// A pipeline and its stages.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pipeline {
    #[serde(deserialize_with = "json::id")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) label: Option<String>,
    #[serde(default, deserialize_with = "json::whole_number")]
    pub(super) display_order: Option<i64>,
    #[serde(default, deserialize_with = "json::flag")]
    pub(super) archived: Option<bool>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) created_at: Option<String>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) updated_at: Option<String>,
    #[serde(default, deserialize_with = "json::list")]
    pub(super) stages: Vec<PipelineStage>,
}

/// One stage of a pipeline.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PipelineStage {
    #[serde(deserialize_with = "json::id")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) label: Option<String>,
    #[serde(default, deserialize_with = "json::whole_number")]
    pub(super) display_order: Option<i64>,
    /// As JSON.
    #[serde(default = "json::nothing", deserialize_with = "json::object")]
    pub(super) metadata: String,
    #[serde(default, deserialize_with = "json::flag")]
    pub(super) archived: Option<bool>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) created_at: Option<String>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) updated_at: Option<String>,
}

/// The body of an error. Every field may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ErrorBody {
    #[serde(default, deserialize_with = "json::text")]
    pub(super) message: Option<String>,
    #[serde(default, deserialize_with = "json::word")]
    pub(super) category: Option<String>,
    #[serde(default, deserialize_with = "json::text")]
    pub(super) correlation_id: Option<String>,
    #[serde(default, deserialize_with = "json::word")]
    pub(super) policy_name: Option<String>,
    #[serde(default, deserialize_with = "json::each_or_default")]
    pub(super) errors: Vec<ErrorDetail>,
    #[serde(default, deserialize_with = "json::or_default")]
    pub(super) context: ErrorContext,
}

/// One of the errors in the body of an error.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorDetail {
    #[serde(default, deserialize_with = "json::or_default")]
    pub(super) context: ErrorContext,
}

/// What an error is about.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ErrorContext {
    #[serde(default, deserialize_with = "json::texts")]
    pub(super) required_granular_scopes: Vec<String>,
}

/// An object type id, `2-3465404`. It becomes part of paths, so nothing else may stand there.
fn object_type_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = String::deserialize(deserializer)?;
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match id.split_once('-') {
        Some((kind, number)) if digits(kind) && digits(number) => Ok(id),
        _ => Err(D::Error::custom("no object type id, expected two numbers with `-` between")),
    }
}

/// The id of a list. It becomes part of paths, so nothing else may stand there.
fn path_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = json::id(deserializer)?;
    let is_plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if is_plain { Ok(id) } else { Err(D::Error::custom("no id of a list, expected letters and digits")) }
}
