//! HubSpot's paths and answers, as far as sluice reads them.
//!
//! The answers are wire types: everything is optional that HubSpot has been seen to leave out.

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny},
};
use serde_json::value::RawValue;

use super::paging::Paging;

/// Where things are in one version of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paths {
    /// A dated version, such as `2026-09`.
    Dated(&'static str),
    /// The numbered paths.
    Numbered,
}

impl Paths {
    pub(super) fn records(self, type_id: &str) -> String {
        match self {
            Self::Dated(date) => format!("/crm/objects/{date}/{type_id}"),
            Self::Numbered => format!("/crm/v3/objects/{type_id}"),
        }
    }

    pub(super) fn batch_read(self, type_id: &str) -> String {
        format!("{}/batch/read", self.records(type_id))
    }

    pub(super) fn search(self, type_id: &str) -> String {
        format!("{}/search", self.records(type_id))
    }

    pub(super) fn properties(self, type_id: &str) -> String {
        match self {
            Self::Dated(date) => format!("/crm/properties/{date}/{type_id}"),
            Self::Numbered => format!("/crm/v3/properties/{type_id}"),
        }
    }

    pub(super) fn schemas(self) -> String {
        match self {
            Self::Dated(date) => format!("/crm-object-schemas/{date}/schemas"),
            Self::Numbered => "/crm/v3/schemas".to_owned(),
        }
    }

    pub(super) fn owners(self) -> String {
        match self {
            Self::Dated(date) => format!("/crm/owners/{date}"),
            Self::Numbered => "/crm/v3/owners".to_owned(),
        }
    }

    pub(super) fn pipelines(self, type_id: &str) -> String {
        match self {
            Self::Dated(date) => format!("/crm/pipelines/{date}/{type_id}"),
            Self::Numbered => format!("/crm/v3/pipelines/{type_id}"),
        }
    }
}

/// An answer with a list, perhaps one of several pages.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListPage<T> {
    pub(super) results: Vec<T>,
    pub(super) paging: Option<Paging>,
    #[serde(default)]
    num_errors: usize,
    #[serde(default)]
    errors: Vec<IgnoredAny>,
}

impl<T> ListPage<T> {
    /// The things that ought to be listed and, as the answer says itself, are not.
    pub(super) fn missing(&self) -> usize {
        self.errors.len().max(self.num_errors)
    }
}

/// How many records a search would find.
#[derive(Debug, Deserialize)]
pub(super) struct Total {
    pub(super) total: u64,
}

/// The ids of a page of records.
#[derive(Debug, Deserialize)]
pub(super) struct RecordId {
    pub(super) id: String,
}

/// The definition of a property.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) label: Option<String>,
    #[serde(rename = "type", default, deserialize_with = "null_is_default")]
    pub(super) value_type: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) field_type: String,
    pub(super) group_name: Option<String>,
    pub(super) description: Option<String>,
    /// As they stand in the answer: a list may be long, and is only passed on.
    pub(super) options: Option<Box<RawValue>>,
    pub(super) referenced_object_type: Option<String>,
    pub(super) data_sensitivity: Option<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) sensitive_data_categories: Vec<String>,
    pub(super) calculated: Option<bool>,
    pub(super) has_unique_value: Option<bool>,
    pub(super) hubspot_defined: Option<bool>,
    pub(super) archived: Option<bool>,
    pub(super) created_at: Option<String>,
    pub(super) updated_at: Option<String>,
}

/// The definition of a custom object type.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectSchema {
    #[serde(deserialize_with = "object_type_id")]
    pub(super) object_type_id: String,
    pub(super) name: String,
    pub(super) fully_qualified_name: Option<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) labels: Labels,
    pub(super) description: Option<String>,
    pub(super) primary_display_property: Option<String>,
    pub(super) archived: Option<bool>,
    pub(super) created_at: Option<String>,
    pub(super) updated_at: Option<String>,
}

/// The names of an object type for people.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Labels {
    pub(super) singular: Option<String>,
    pub(super) plural: Option<String>,
}

/// Somebody that records are assigned to.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Owner {
    pub(super) id: String,
    pub(super) email: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) first_name: Option<String>,
    pub(super) last_name: Option<String>,
    pub(super) user_id: Option<Box<RawValue>>,
    pub(super) user_id_including_inactive: Option<Box<RawValue>>,
    pub(super) archived: Option<bool>,
    pub(super) created_at: Option<String>,
    pub(super) updated_at: Option<String>,
}

/// A pipeline and its stages.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pipeline {
    pub(super) id: String,
    pub(super) label: Option<String>,
    pub(super) display_order: Option<i64>,
    pub(super) archived: Option<bool>,
    pub(super) created_at: Option<String>,
    pub(super) updated_at: Option<String>,
    #[serde(default)]
    pub(super) stages: Vec<Stage>,
}

/// One stage of a pipeline.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stage {
    pub(super) id: String,
    pub(super) label: Option<String>,
    pub(super) display_order: Option<i64>,
    #[serde(default)]
    pub(super) metadata: serde_json::Map<String, serde_json::Value>,
    pub(super) archived: Option<bool>,
    pub(super) created_at: Option<String>,
    pub(super) updated_at: Option<String>,
}

/// The body of an error. Every field may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ErrorBody {
    pub(super) message: Option<String>,
    pub(super) category: Option<String>,
    pub(super) correlation_id: Option<String>,
    pub(super) policy_name: Option<String>,
    pub(super) errors: Vec<ErrorDetail>,
    pub(super) context: ErrorContext,
}

/// One of the errors in the body of an error.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorDetail {
    pub(super) context: ErrorContext,
}

/// What an error is about.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ErrorContext {
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

fn null_is_default<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
