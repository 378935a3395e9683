//! Property definitions: what the columns of records are, in HubSpot's own words.

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::Value;
use sluice_model::{
    schema::Field,
    stream::{StreamInfo, StreamKind},
};

use super::definitions::{Definitions, Rows, Table, Times, flag, key, said, side_by_side, text, time, type_key};
use crate::source::{
    SourceError,
    hubspot::{
        HubSpot, Refusal, api, record,
        sensitivity::{self, Sensitivity},
    },
};

pub(super) struct PropertyDefinitions;

#[async_trait]
impl Definitions for PropertyDefinitions {
    const KIND: StreamKind = StreamKind::PropertyDefinitions;

    fn fields() -> Vec<Field> {
        vec![
            type_key(),
            key("name"),
            text("label"),
            text("description"),
            text("type"),
            text("fieldType"),
            text("groupName"),
            text("options"),
            text("referencedObjectType"),
            text("dataSensitivity"),
            text("sensitiveDataCategories"),
            flag("calculated"),
            flag("hasUniqueValue"),
            flag("hubspotDefined"),
            flag("archived"),
            time("createdAt"),
            time(record::UPDATED_AT),
        ]
    }

    async fn requests(hubspot: &HubSpot) -> Result<u64, SourceError> {
        let types = hubspot.object_types().await?;
        Ok(unasked(hubspot, &types))
    }

    async fn fill(hubspot: &HubSpot, table: &mut Table<'_>) -> Result<(), SourceError> {
        let types = hubspot.object_types().await?;
        for (stream, type_id, listed) in side_by_side(types, ask(hubspot)).await? {
            match &*listed {
                Ok(properties) => {
                    // What may not reach the tables is not to be described there either: labels and options of a
                    // sensitive property may tell as much as its values.
                    let described =
                        properties.iter().filter(|property| sensitivity::marks(property).is_subset(&hubspot.describes));
                    let row = |property| PropertyRow::of(&type_id, property, &table.rows);
                    let rows: Vec<_> = described.map(row).collect();
                    table.add_of_type(&type_id, &rows)?;
                }
                Err(refusal) => table.lack(&stream, "properties", refusal.why),
            }
        }
        table.lack_hidden_types(hubspot).await
    }
}

/// The properties of one object type, or HubSpot's word that there are none to see.
type Listed = Arc<Result<Vec<api::Property>, Refusal>>;

/// Requests for the properties of those of these types that nobody has asked about yet: one a level of sensitivity. A type
/// that is not there takes but the first.
pub(super) fn unasked(hubspot: &HubSpot, types: &[StreamInfo]) -> u64 {
    let ids = types.iter().filter_map(|stream| stream.kind.type_id());
    let unasked = ids.filter(|type_id| !hubspot.property_lists.knows(type_id)).count();
    (unasked * Sensitivity::ALL.len()) as u64
}

/// Asks for the properties of a type.
pub(super) fn ask<'h>(hubspot: &'h HubSpot) -> impl Fn(String) -> BoxFuture<'h, Result<Listed, SourceError>> {
    move |type_id| Box::pin(async move { hubspot.properties(&type_id).await })
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PropertyRow<'a> {
    object_type_id: &'a str,
    name: &'a str,
    label: Option<&'a str>,
    description: Option<&'a str>,
    #[serde(rename = "type")]
    value_type: Option<&'a str>,
    field_type: Option<&'a str>,
    group_name: Option<&'a str>,
    /// As JSON, as they were sent.
    options: Option<&'a str>,
    referenced_object_type: Option<&'a str>,
    data_sensitivity: Option<&'a str>,
    /// As JSON.
    sensitive_data_categories: Option<String>,
    calculated: Option<bool>,
    has_unique_value: Option<bool>,
    hubspot_defined: Option<bool>,
    archived: Option<bool>,
    #[serde(flatten)]
    times: Times,
}

impl<'a> PropertyRow<'a> {
    pub(super) fn of(type_id: &'a str, property: &'a api::Property, rows: &Rows<'_>) -> Self {
        let categories = &property.sensitive_data_categories;
        let options = property.options.as_ref().map(|options| options.get());
        Self {
            object_type_id: type_id,
            name: &property.name,
            label: said(property.label.as_deref()),
            description: said(property.description.as_deref()),
            value_type: said(Some(&property.value_type)),
            field_type: said(Some(&property.field_type)),
            group_name: said(property.group_name.as_deref()),
            options: options.filter(|options| *options != "[]"),
            referenced_object_type: said(property.referenced_object_type.as_deref()),
            data_sensitivity: said(property.data_sensitivity.as_deref()),
            sensitive_data_categories: (!categories.is_empty()).then(|| Value::from(categories.clone()).to_string()),
            calculated: property.calculated,
            has_unique_value: property.has_unique_value,
            hubspot_defined: property.hubspot_defined,
            archived: property.archived,
            times: rows.times(property.created_at.as_deref(), property.updated_at.as_deref()),
        }
    }
}
