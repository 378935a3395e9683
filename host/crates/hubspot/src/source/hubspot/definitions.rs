//! The streams that are not records: owners, pipelines, stages, properties, object types.
//!
//! They are small (thousands of rows at most), so each is read into rows of named texts and put into columns from there.

use std::{borrow::Cow, sync::Arc};

use futures::{StreamExt, TryStreamExt, future::BoxFuture, stream};
use serde_json::Value;
use sluice_model::{
    schema::arrow_schema,
    stream::{StreamInfo, StreamKind},
};

use super::{
    HubSpot, Refusal, Refused, api,
    columns::ColumnBuilder,
    decode::raw,
    failed,
    list::{self, Listing},
    not_readable, record, sensitivity, types,
};
use crate::source::{BatchSender, Lacking, Read, ReadRequest, SourceError, Unreadable};

/// Owners a page: the most that the API allows.
const MOST_OWNERS: &str = "500";

/// Lists that are asked for at once. The limit of the account holds for these too.
const LISTS_AT_ONCE: usize = 8;

/// The streams that are not records.
pub(super) fn streams() -> impl Iterator<Item = StreamInfo> {
    StreamKind::DEFINITIONS.into_iter().map(|kind| StreamInfo {
        name: kind.as_str().to_owned(),
        kind,
        object_type_id: None,
        fully_qualified_name: None,
        shared_name: None,
    })
}

/// A row: the names of columns and their values as text.
type Row = Vec<(&'static str, Option<String>)>;

/// Reads such a stream, and puts its rows into the channel as one batch.
pub(super) async fn read(hubspot: &HubSpot, request: &ReadRequest, batches: &BatchSender) -> Result<Read, SourceError> {
    let mut rows = Rows::default();
    match request.stream.kind {
        StreamKind::Owners => owners(hubspot, &request.stream, &mut rows).await?,
        StreamKind::Pipelines => pipelines(hubspot, pipeline_row, &mut rows).await?,
        StreamKind::PipelineStages => pipelines(hubspot, stage_rows, &mut rows).await?,
        StreamKind::PropertyDefinitions => property_definitions(hubspot, &mut rows).await?,
        StreamKind::TypeDefinitions => type_definitions(hubspot, &mut rows).await?,
        StreamKind::Objects => unreachable!("records are read by `read`"),
    }
    let Rows { rows, mut read } = rows;
    if request.stream.kind != StreamKind::Owners && hubspot.custom_types().await?.hidden {
        let custom = "custom object types".to_owned();
        read.lacking.push(Lacking { part: None, name: custom, why: Unreadable::Forbidden });
    }
    request.seen.add(rows.len());
    if rows.is_empty() {
        return Ok(read);
    }
    let batch =
        batch_of(request, &rows).map_err(|cause| SourceError::Batch { stream: request.stream.name.clone(), cause })?;
    // A closed channel means that nobody wants the rows.
    drop(batches.send(batch).await);
    Ok(read)
}

/// Tries whether such a stream may be read. All but owners are made of lists that discovery reads as well.
pub(super) async fn try_read(hubspot: &HubSpot, request: &ReadRequest) -> Result<(), SourceError> {
    if request.stream.kind != StreamKind::Owners {
        return Ok(());
    }
    let first = hubspot.get(hubspot.paths.owners()).parameter("limit", "1");
    match hubspot.json::<api::ListPage<api::Owner>>(&first).await.map_err(Refused::of) {
        Ok(_) => Ok(()),
        Err(Ok(Refused { why, cause })) => Err(not_readable(&request.stream, why, &cause)),
        Err(Err(cause)) => Err(failed("owners", cause)),
    }
}

/// The rows of a stream, and the object types they are of.
#[derive(Debug, Default)]
struct Rows {
    rows: Vec<Row>,
    read: Read,
}

impl Rows {
    /// Takes the rows of a type.
    fn add(&mut self, type_id: &str, rows: impl IntoIterator<Item = Row>) {
        let before = self.rows.len();
        self.rows.extend(rows);
        if self.rows.len() > before {
            self.read.present.push(type_id.to_owned());
        }
    }

    /// Notes that a type has no rows, by HubSpot's own word.
    fn lack(&mut self, stream: &StreamInfo, what: &str, why: Unreadable) {
        match why {
            Unreadable::Forbidden => {
                tracing::warn!(object_type = stream.name, what, "left out: the token may not see them");
            }
            Unreadable::Absent => tracing::debug!(object_type = stream.name, what, "left out: the account has none"),
        }
        self.read.lacking.push(Lacking { part: stream.object_type_id.clone(), name: stream.name.clone(), why });
    }
}

/// The answers about all these types, asked side by side, in their order.
async fn side_by_side<T, F: Future<Output = Result<T, SourceError>>>(
    streams: Vec<StreamInfo>,
    ask: impl Fn(String) -> F,
) -> Result<Vec<(StreamInfo, String, T)>, SourceError> {
    let mut asked = Vec::new();
    for (index, stream) in streams.into_iter().enumerate() {
        let Some(type_id) = stream.object_type_id.clone() else { continue };
        let answer = ask(type_id.clone());
        asked.push(async move { Ok((index, (stream, type_id, answer.await?))) });
    }
    // Not `buffered`: there, one that takes long keeps others from beginning.
    let mut answers: Vec<(usize, _)> = stream::iter(asked).buffer_unordered(LISTS_AT_ONCE).try_collect().await?;
    answers.sort_unstable_by_key(|(index, _)| *index);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
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
        match hubspot.all(request).await.or_refused("owners")? {
            Ok(listed) => owners.extend(listed),
            Err(Refused { why, cause }) => return Err(not_readable(stream, why, &cause)),
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
    let may_have = |stream: &StreamInfo| {
        let is = |id: &str| stream.object_type_id.as_deref() == Some(id);
        !types::STANDARD.iter().any(|own| is(own.id)) || types::WITH_PIPELINES.into_iter().any(is)
    };
    let mut types = hubspot.object_types().await?;
    types.retain(may_have);
    let ask = |type_id: String| async move { hubspot.pipelines(&type_id).await };
    for (stream, type_id, listed) in side_by_side(types, ask).await? {
        match &*listed {
            Ok(pipelines) => rows.add(&type_id, pipelines.iter().flat_map(|pipeline| rows_of(&type_id, pipeline))),
            Err(refused) => rows.lack(&stream, "pipelines", refused.why),
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

type Properties = Arc<Result<Vec<api::Property>, Refusal>>;

/// Asks for the properties of a type.
fn properties_of<'h>(hubspot: &'h HubSpot) -> impl Fn(String) -> BoxFuture<'h, Result<Properties, SourceError>> {
    move |type_id| Box::pin(async move { hubspot.properties(&type_id).await })
}

async fn property_definitions(hubspot: &HubSpot, rows: &mut Rows) -> Result<(), SourceError> {
    let types = hubspot.object_types().await?;
    for (stream, type_id, listed) in side_by_side(types, properties_of(hubspot)).await? {
        match &*listed {
            Ok(properties) => {
                // What may not reach the tables is not to be described there either: labels and options of a sensitive
                // property may tell as much as its values.
                let described =
                    properties.iter().filter(|property| sensitivity::marks(property).is_subset(&hubspot.describes));
                rows.add(&type_id, described.map(|property| property_row(&type_id, property)));
            }
            Err(refusal) => rows.lack(&stream, "properties", refusal.why),
        }
    }
    Ok(())
}

fn property_row(type_id: &str, property: &api::Property) -> Row {
    let flag = |value: Option<bool>| value.map(|value| value.to_string());
    let list = |values: Vec<Value>| (!values.is_empty()).then(|| Value::Array(values).to_string());
    let categories = property.sensitive_data_categories.iter().cloned().map(Value::String).collect();
    let options = property.options.as_ref().map(|options| options.get().to_owned());
    vec![
        (record::OBJECT_TYPE_ID, Some(type_id.to_owned())),
        ("name", Some(property.name.clone())),
        ("label", property.label.clone()),
        ("description", property.description.clone()),
        ("type", Some(property.value_type.clone())),
        ("fieldType", Some(property.field_type.clone())),
        ("groupName", property.group_name.clone()),
        ("options", options.filter(|options| options != "[]")),
        ("referencedObjectType", property.referenced_object_type.clone()),
        ("dataSensitivity", property.data_sensitivity.clone()),
        ("sensitiveDataCategories", list(categories)),
        ("calculated", flag(property.calculated)),
        ("hasUniqueValue", flag(property.has_unique_value)),
        ("hubspotDefined", flag(property.hubspot_defined)),
        ("archived", flag(property.archived)),
        ("createdAt", property.created_at.clone()),
        (record::UPDATED_AT, property.updated_at.clone()),
    ]
}

/// The object types that the account has: whether it has one of HubSpot's own shows when its properties are asked for.
async fn type_definitions(hubspot: &HubSpot, rows: &mut Rows) -> Result<(), SourceError> {
    let mut own = hubspot.object_types().await?;
    own.retain(|stream| types::STANDARD.iter().any(|own| stream.object_type_id.as_deref() == Some(own.id)));
    for (stream, type_id, listed) in side_by_side(own, properties_of(hubspot)).await? {
        match &*listed {
            Err(Refusal { why: Unreadable::Absent, .. }) => rows.lack(&stream, "definition", Unreadable::Absent),
            // Whether the token may read it or not, it is there.
            Ok(_) | Err(_) => rows.add(&type_id, [own_type_row(&stream, &type_id)]),
        }
    }
    for schema in &hubspot.custom_types().await?.types {
        rows.add(&schema.object_type_id, [custom_type_row(schema)]);
    }
    Ok(())
}

fn own_type_row(stream: &StreamInfo, type_id: &str) -> Row {
    vec![
        (record::OBJECT_TYPE_ID, Some(type_id.to_owned())),
        ("name", Some(stream.name.clone())),
        ("custom", Some("false".to_owned())),
    ]
}

fn custom_type_row(schema: &api::ObjectSchema) -> Row {
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
}
