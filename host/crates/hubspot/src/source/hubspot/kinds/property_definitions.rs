//! Property definitions: what the columns of records are, in HubSpot's own words.
//!
//! Label, description, group and options of a sensitive property may tell as much as its values. So what is said of a
//! property that carries a mark, HubSpot's or the file's, stands in columns of its own, which carry the marks of all such
//! properties. Whether they are read the plan decides, as of any column, and the guard judges it; the columns that everybody
//! reads have nothing for these rows. Properties that are not wanted at all have no row.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::Value;
use sluice_model::{
    schema::{Field, Marks, attribute},
    stream::{StreamInfo, StreamKind},
};

use super::definitions::{Definitions, Rows, Table, Times, flag, key, said, side_by_side, text, time, type_key};
use crate::source::{
    SourceError,
    hubspot::{
        HubSpot, Refusal, api, property, record,
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
            of_marked("markedLabel"),
            of_marked("markedDescription"),
            of_marked("markedGroupName"),
            of_marked("markedOptions"),
            flag("calculated"),
            flag("hasUniqueValue"),
            flag("hubspotDefined"),
            flag("archived"),
            time("createdAt"),
            time(record::UPDATED_AT),
        ]
    }

    /// The marks of all properties that have rows. The file's own are added by the plan, which knows them.
    async fn mark(hubspot: &HubSpot, fields: &mut [Field]) -> Result<(), SourceError> {
        // Otherwise no property that HubSpot marks has a row.
        if !hubspot.sensitive {
            return Ok(());
        }
        let mut marks = Marks::new();
        for (_, _, listed) in side_by_side(hubspot.object_types().await?, ask(hubspot)).await? {
            let properties = listed.as_ref().as_ref().into_iter().flatten();
            properties.for_each(|property| marks.add(&sensitivity::marks(property)));
        }
        fields.iter_mut().filter(|field| field.is_of_marked()).for_each(|field| field.marks.add(&marks));
        Ok(())
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
                    let marked = marked(hubspot, &stream, &type_id, properties);
                    let wanted =
                        |property: &&api::Property| hubspot.sensitive || sensitivity::marks(property).is_empty();
                    let rows = properties.iter().filter(wanted).map(|property| {
                        let row = PropertyRow::of(&type_id, property, &table.rows);
                        if marked.contains(&property.name) { row.of_marked() } else { row }
                    });
                    let rows: Vec<_> = rows.collect();
                    table.add_of_type(&type_id, &rows)?;
                }
                Err(refusal) => table.lack(&stream, "properties", refusal.why),
            }
        }
        table.lack_hidden_types(hubspot).await
    }
}

/// A column of what is said of properties that carry marks.
fn of_marked(name: &str) -> Field {
    text(name).with(attribute::OF_MARKED, "true")
}

/// The names of those of these properties that have a column with a mark.
fn marked(hubspot: &HubSpot, stream: &StreamInfo, type_id: &str, properties: &[api::Property]) -> BTreeSet<String> {
    let mut fields = property::columns(properties, type_id);
    hubspot.marking.mark(stream, &mut fields);
    let marked = fields.into_iter().filter(|field| !field.marks.is_empty());
    marked.filter_map(|mut field| field.attributes.remove(attribute::PROPERTY)).collect()
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
    marked_label: Option<&'a str>,
    marked_description: Option<&'a str>,
    marked_group_name: Option<&'a str>,
    /// As JSON, as they were sent.
    marked_options: Option<&'a str>,
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
            marked_label: None,
            marked_description: None,
            marked_group_name: None,
            marked_options: None,
            calculated: property.calculated,
            has_unique_value: property.has_unique_value,
            hubspot_defined: property.hubspot_defined,
            archived: property.archived,
            times: rows.times(property.created_at.as_deref(), property.updated_at.as_deref()),
        }
    }

    /// The same of a property that carries marks.
    fn of_marked(mut self) -> Self {
        self.marked_label = self.label.take();
        self.marked_description = self.description.take();
        self.marked_group_name = self.group_name.take();
        self.marked_options = self.options.take();
        self
    }
}
