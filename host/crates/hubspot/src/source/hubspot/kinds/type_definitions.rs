//! Definitions of object types: HubSpot's own that the account has, and the account's custom ones.
//!
//! Whether an account has one of HubSpot's own shows when its properties are asked for.

use async_trait::async_trait;
use serde::Serialize;
use sluice_model::{
    schema::Field,
    stream::{StreamInfo, StreamKind},
};

use super::{
    definitions::{Definitions, Rows, Table, Times, flag, said, side_by_side, text, time, type_key},
    property_definitions,
};
use crate::source::{
    SourceError, Unreadable,
    hubspot::{HubSpot, Refusal, api, record, types},
};

pub(super) struct TypeDefinitions;

#[async_trait]
impl Definitions for TypeDefinitions {
    const KIND: StreamKind = StreamKind::TypeDefinitions;

    fn fields() -> Vec<Field> {
        vec![
            type_key(),
            text("fullyQualifiedName"),
            text("name"),
            text("singularLabel"),
            text("pluralLabel"),
            text("description"),
            text("primaryDisplayProperty"),
            flag("custom"),
            flag("archived"),
            time("createdAt"),
            time(record::UPDATED_AT),
        ]
    }

    async fn requests(hubspot: &HubSpot) -> Result<u64, SourceError> {
        Ok(property_definitions::unasked(hubspot, &own_types(hubspot).await?))
    }

    async fn fill(hubspot: &HubSpot, table: &mut Table<'_>) -> Result<(), SourceError> {
        let own = own_types(hubspot).await?;
        for (stream, type_id, listed) in side_by_side(own, property_definitions::ask(hubspot)).await? {
            match &*listed {
                Err(Refusal { why: Unreadable::Absent, .. }) => table.lack(&stream, "definition", Unreadable::Absent),
                // Whether the token may read it or not, it is there.
                Ok(_) | Err(_) => table.add_of_type(&type_id, &[TypeRow::own(&type_id, &stream, &table.rows)])?,
            }
        }
        for schema in &hubspot.custom_types().await?.types {
            table.add_of_type(&schema.object_type_id, &[TypeRow::custom(schema, &table.rows)])?;
        }
        table.lack_hidden_types(hubspot).await
    }
}

/// HubSpot's own object types.
async fn own_types(hubspot: &HubSpot) -> Result<Vec<StreamInfo>, SourceError> {
    let mut own = hubspot.object_types().await?;
    own.retain(|stream| types::STANDARD.iter().any(|own| stream.kind.type_id() == Some(own.id)));
    Ok(own)
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TypeRow<'a> {
    object_type_id: &'a str,
    fully_qualified_name: Option<&'a str>,
    name: &'a str,
    singular_label: Option<&'a str>,
    plural_label: Option<&'a str>,
    description: Option<&'a str>,
    primary_display_property: Option<&'a str>,
    custom: bool,
    archived: Option<bool>,
    #[serde(flatten)]
    times: Times,
}

impl<'a> TypeRow<'a> {
    /// One of HubSpot's own: there is no more to it than its name.
    pub(super) fn own(type_id: &'a str, stream: &'a StreamInfo, rows: &Rows<'_>) -> Self {
        Self { object_type_id: type_id, name: &stream.name, times: rows.times(None, None), ..Self::default() }
    }

    pub(super) fn custom(schema: &'a api::ObjectSchema, rows: &Rows<'_>) -> Self {
        Self {
            object_type_id: &schema.object_type_id,
            fully_qualified_name: said(schema.fully_qualified_name.as_deref()),
            name: &schema.name,
            singular_label: said(schema.labels.singular.as_deref()),
            plural_label: said(schema.labels.plural.as_deref()),
            description: said(schema.description.as_deref()),
            primary_display_property: said(schema.primary_display_property.as_deref()),
            custom: true,
            archived: schema.archived,
            times: rows.times(schema.created_at.as_deref(), schema.updated_at.as_deref()),
        }
    }
}
