//! HubSpot's paths and answers, as far as sluice reads them.
//!
//! The answers are wire types: everything is optional that HubSpot has been seen to leave out, and what it sends in another
//! form than its documentation says is read as far as it can be ([`super::json`]).

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny},
};
use serde_json::value::RawValue;

use super::{json, paging::Paging};

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

    pub(super) fn daily_usage(self) -> String {
        let version = match self {
            Self::Dated(date) => date,
            Self::Numbered => "v3",
        };
        format!("/account-info/{version}/api-usage/daily/private-apps")
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
    #[serde(default, deserialize_with = "json::or_default")]
    pub(super) metadata: serde_json::Map<String, serde_json::Value>,
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
