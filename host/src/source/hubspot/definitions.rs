//! The streams that are not records: owners, pipelines, stages, properties, object types.
//!
//! They are small (thousands of rows at most), so each is read into rows of named texts and put into columns from there.

use std::borrow::Cow;

use serde_json::Value;

use super::{
    HubSpot, api,
    columns::ColumnBuilder,
    decode::raw,
    failed, is_forbidden, is_refusal,
    list::{self, ListError},
    not_readable, record, sensitivity, types,
};
use crate::{
    http::HttpError,
    schema::arrow_schema,
    source::{BatchSender, ReadRequest, SourceError},
    stream::{StreamInfo, StreamKind},
};

/// Owners a page: the most that the API allows.
const MOST_OWNERS: &str = "500";

/// The streams that are not records.
pub(super) fn streams() -> impl Iterator<Item = StreamInfo> {
    StreamKind::DEFINITIONS.into_iter().map(|kind| StreamInfo {
        name: kind.as_str().to_owned(),
        kind,
        object_type_id: None,
        fully_qualified_name: None,
    })
}

/// A row: the names of columns and their values as text.
type Row = Vec<(&'static str, Option<String>)>;

/// Reads such a stream, and puts its rows into the channel as one batch. Returns the names of the object types that it lacks,
/// because this token may not see them.
pub(super) async fn read(
    hubspot: &HubSpot,
    request: &ReadRequest,
    batches: &BatchSender,
) -> Result<Vec<String>, SourceError> {
    let mut rows = Rows::default();
    match request.stream.kind {
        StreamKind::Owners => owners(hubspot, &request.stream, &mut rows).await?,
        StreamKind::Pipelines => pipelines(hubspot, pipeline_row, &mut rows).await?,
        StreamKind::PipelineStages => pipelines(hubspot, stage_rows, &mut rows).await?,
        StreamKind::PropertyDefinitions => property_definitions(hubspot, &mut rows).await?,
        StreamKind::TypeDefinitions => type_definitions(hubspot, &mut rows).await?,
        StreamKind::Objects => unreachable!("records are read by `read`"),
    }
    let Rows { rows, mut lacking } = rows;
    if request.stream.kind != StreamKind::Owners && hubspot.custom_types().await?.hidden {
        lacking.push("custom object types".to_owned());
    }
    request.seen.add(rows.len());
    if rows.is_empty() {
        return Ok(lacking);
    }
    let batch =
        batch_of(request, &rows).map_err(|cause| SourceError::Batch { stream: request.stream.name.clone(), cause })?;
    // A closed channel means that nobody wants the rows.
    drop(batches.send(batch).await);
    Ok(lacking)
}

/// Tries whether such a stream may be read. All but owners are made of lists that discovery reads as well.
pub(super) async fn try_read(hubspot: &HubSpot, request: &ReadRequest) -> Result<(), SourceError> {
    if request.stream.kind != StreamKind::Owners {
        return Ok(());
    }
    let first = hubspot.get(hubspot.paths.owners()).parameter("limit", "1");
    match hubspot.client.json::<api::ListPage<api::Owner>>(&first).await {
        Ok(_) => Ok(()),
        Err(refusal) if is_refusal(&refusal) => Err(not_readable(&request.stream, &refusal)),
        Err(cause) => Err(failed("owners", cause)),
    }
}

/// The rows of a stream, and the object types whose rows are missing.
#[derive(Debug, Default)]
struct Rows {
    rows: Vec<Row>,
    lacking: Vec<String>,
}

impl Rows {
    /// Notes that a type has no rows: because this token may not see them, or because there are none.
    fn lack(&mut self, stream: &StreamInfo, what: &str, refusal: &HttpError) {
        if is_forbidden(refusal) {
            tracing::warn!(object_type = stream.name, what, "left out: the token may not see them");
            self.lacking.push(stream.name.clone());
        } else {
            tracing::debug!(object_type = stream.name, what, "left out: the account has none");
        }
    }
}

fn batch_of(request: &ReadRequest, rows: &[Row]) -> Result<arrow_array::RecordBatch, arrow_schema::ArrowError> {
    let columns = request.columns.iter().map(|field| {
        let mut column = ColumnBuilder::new(field.column_type);
        for row in rows {
            if field.name == record::INGESTED_AT {
                column.append_micros(request.ingested_at.as_microsecond());
                continue;
            }
            let value = row.iter().find(|(name, _)| *name == field.name).and_then(|(_, value)| value.as_deref());
            match value {
                Some(text) if !text.is_empty() => {
                    if !column.append(text) {
                        tracing::warn!(
                            stream = request.stream.name,
                            column = field.name,
                            "a value is of no form known"
                        );
                    }
                }
                _ => column.append_null(),
            }
        }
        column.finish()
    });
    let columns = columns.collect::<Result<_, _>>()?;
    arrow_array::RecordBatch::try_new(arrow_schema(&request.columns), columns)
}

async fn owners(hubspot: &HubSpot, stream: &StreamInfo, rows: &mut Rows) -> Result<(), SourceError> {
    let mut owners: Vec<api::Owner> = Vec::new();
    // Archived owners are listed apart; records still name them.
    for archived in ["false", "true"] {
        let request =
            hubspot.get(hubspot.paths.owners()).parameter("limit", MOST_OWNERS).parameter("archived", archived);
        match hubspot.all(request).await {
            Ok(listed) => owners.extend(listed),
            Err(ListError::Http(refusal)) if is_refusal(&refusal) => return Err(not_readable(stream, &refusal)),
            Err(cause) => return Err(cause.into_error("owners")),
        }
    }
    rows.rows.extend(list::distinct(owners).into_iter().map(owner_row));
    Ok(())
}

fn owner_row(owner: api::Owner) -> Row {
    let user_id = owner.user_id.or(owner.user_id_including_inactive);
    vec![
        ("ownerId", Some(owner.id)),
        ("userId", user_id.and_then(|id| raw::id(&id).map(Cow::into_owned))),
        ("email", owner.email),
        ("firstName", owner.first_name),
        ("lastName", owner.last_name),
        ("type", owner.kind),
        ("archived", owner.archived.map(|archived| archived.to_string())),
        ("createdAt", owner.created_at),
        (record::UPDATED_AT, owner.updated_at),
    ]
}

/// The pipelines of all types that have them, made into rows.
async fn pipelines(
    hubspot: &HubSpot,
    rows_of: fn(&str, &api::Pipeline) -> Vec<Row>,
    rows: &mut Rows,
) -> Result<(), SourceError> {
    for stream in hubspot.object_types().await? {
        let Some(type_id) = &stream.object_type_id else { continue };
        if !types::STANDARD.iter().any(|own| own.id == type_id) || types::WITH_PIPELINES.contains(&type_id.as_str()) {
            match hubspot.all(hubspot.get(hubspot.paths.pipelines(type_id))).await {
                Ok(pipelines) => {
                    let pipelines = list::distinct(pipelines);
                    rows.rows.extend(pipelines.iter().flat_map(|pipeline| rows_of(type_id, pipeline)));
                }
                Err(ListError::Http(refusal)) if is_refusal(&refusal) => rows.lack(&stream, "pipelines", &refusal),
                Err(cause) => return Err(cause.into_error(&format!("pipelines of `{type_id}`"))),
            }
        }
    }
    Ok(())
}

fn pipeline_row(type_id: &str, pipeline: &api::Pipeline) -> Vec<Row> {
    vec![vec![
        (record::OBJECT_TYPE_ID, Some(type_id.to_owned())),
        ("pipelineId", Some(pipeline.id.clone())),
        ("label", pipeline.label.clone()),
        ("displayOrder", pipeline.display_order.map(|order| order.to_string())),
        ("archived", pipeline.archived.map(|archived| archived.to_string())),
        ("createdAt", pipeline.created_at.clone()),
        (record::UPDATED_AT, pipeline.updated_at.clone()),
    ]]
}

fn stage_rows(type_id: &str, pipeline: &api::Pipeline) -> Vec<Row> {
    let row = |stage: &api::Stage| {
        vec![
            (record::OBJECT_TYPE_ID, Some(type_id.to_owned())),
            ("pipelineId", Some(pipeline.id.clone())),
            ("stageId", Some(stage.id.clone())),
            ("label", stage.label.clone()),
            ("displayOrder", stage.display_order.map(|order| order.to_string())),
            ("archived", stage.archived.map(|archived| archived.to_string())),
            ("metadata", Some(Value::Object(stage.metadata.clone()).to_string())),
            ("createdAt", stage.created_at.clone()),
            (record::UPDATED_AT, stage.updated_at.clone()),
        ]
    };
    pipeline.stages.iter().map(row).collect()
}

async fn property_definitions(hubspot: &HubSpot, rows: &mut Rows) -> Result<(), SourceError> {
    for stream in hubspot.object_types().await? {
        let Some(type_id) = &stream.object_type_id else { continue };
        match hubspot.properties(type_id).await? {
            Ok(properties) => {
                // What may not reach the tables is not to be described there either: labels and options of a sensitive
                // property may tell as much as its values.
                let described = properties
                    .into_iter()
                    .filter(|property| sensitivity::marks(property).is_subset(&hubspot.describes));
                rows.rows.extend(described.map(|property| property_row(type_id, property)));
            }
            Err(refusal) => rows.lack(&stream, "properties", &refusal.cause),
        }
    }
    Ok(())
}

fn property_row(type_id: &str, property: api::Property) -> Row {
    let flag = |value: Option<bool>| value.map(|value| value.to_string());
    let list = |values: &[Value]| (!values.is_empty()).then(|| Value::Array(values.to_vec()).to_string());
    let categories: Vec<Value> = property.sensitive_data_categories.into_iter().map(Value::String).collect();
    vec![
        (record::OBJECT_TYPE_ID, Some(type_id.to_owned())),
        ("name", Some(property.name)),
        ("label", property.label),
        ("description", property.description),
        ("type", Some(property.value_type)),
        ("fieldType", Some(property.field_type)),
        ("groupName", property.group_name),
        ("options", property.options.map(|options| options.get().to_owned()).filter(|options| options != "[]")),
        ("referencedObjectType", property.referenced_object_type),
        ("dataSensitivity", property.data_sensitivity),
        ("sensitiveDataCategories", list(&categories)),
        ("calculated", flag(property.calculated)),
        ("hasUniqueValue", flag(property.has_unique_value)),
        ("hubspotDefined", flag(property.hubspot_defined)),
        ("archived", flag(property.archived)),
        ("createdAt", property.created_at),
        (record::UPDATED_AT, property.updated_at),
    ]
}

async fn type_definitions(hubspot: &HubSpot, rows: &mut Rows) -> Result<(), SourceError> {
    let custom = hubspot.custom_types().await?.types.iter().map(|schema| {
        vec![
            (record::OBJECT_TYPE_ID, Some(schema.object_type_id.clone())),
            ("fullyQualifiedName", schema.fully_qualified_name.clone()),
            ("name", Some(schema.name.clone())),
            ("singularLabel", schema.labels.singular.clone()),
            ("pluralLabel", schema.labels.plural.clone()),
            ("description", schema.description.clone()),
            ("primaryDisplayProperty", schema.primary_display_property.clone()),
            ("custom", Some("true".to_owned())),
            ("archived", schema.archived.map(|archived| archived.to_string())),
            ("createdAt", schema.created_at.clone()),
            (record::UPDATED_AT, schema.updated_at.clone()),
        ]
    });
    let own = types::STANDARD.iter().map(|standard| {
        vec![
            (record::OBJECT_TYPE_ID, Some(standard.id.to_owned())),
            ("name", Some(standard.name.to_owned())),
            ("custom", Some("false".to_owned())),
        ]
    });
    rows.rows.extend(own.chain(custom));
    Ok(())
}
