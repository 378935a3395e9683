//! The streams that are not records: owners, pipelines, stages, properties, object types.
//!
//! They are small (thousands of rows at most), so each is one batch, made of a struct a row ([`rows`]).

mod rows;

use std::sync::Arc;

use arrow_schema::ArrowError;
use futures::{StreamExt, TryStreamExt, future::BoxFuture, stream};
use serde::Serialize;
use sluice_model::stream::{StreamInfo, StreamKind};

use self::rows::{OwnerRow, PipelineRow, PropertyRow, Rows, StageRow, TypeRow};
use super::{
    HubSpot, Refusal, Refused, api, failed,
    list::{self, Listing},
    not_readable, sensitivity, types,
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

/// Reads such a stream, and puts its rows into the channel as one batch.
pub(super) async fn read(hubspot: &HubSpot, request: &ReadRequest, batches: &BatchSender) -> Result<Read, SourceError> {
    let mut table = Table::of(request)?;
    match request.stream.kind {
        StreamKind::Owners => owners(hubspot, &mut table).await?,
        StreamKind::Pipelines => pipelines(hubspot, &mut table).await?,
        StreamKind::PipelineStages => stages(hubspot, &mut table).await?,
        StreamKind::PropertyDefinitions => property_definitions(hubspot, &mut table).await?,
        StreamKind::TypeDefinitions => type_definitions(hubspot, &mut table).await?,
        StreamKind::Objects => unreachable!("records are read by `read`"),
    }
    let Table { rows, mut read, .. } = table;
    if request.stream.kind != StreamKind::Owners && hubspot.custom_types().await?.hidden {
        let custom = "custom object types".to_owned();
        read.lacking.push(Lacking { part: None, name: custom, why: Unreadable::Forbidden });
    }
    request.seen.add(rows.len());
    let Some(batch) = rows.finish().map_err(|cause| unbuildable(&request.stream, cause))? else { return Ok(read) };
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

fn unbuildable(stream: &StreamInfo, cause: ArrowError) -> SourceError {
    SourceError::Batch { stream: stream.name.clone(), cause }
}

/// The rows of a stream, and the object types they are of.
struct Table<'r> {
    stream: &'r StreamInfo,
    rows: Rows<'r>,
    read: Read,
}

impl<'r> Table<'r> {
    fn of(request: &'r ReadRequest) -> Result<Self, SourceError> {
        let stream = &request.stream;
        let rows = Rows::of(request).map_err(|cause| unbuildable(stream, cause))?;
        Ok(Self { stream, rows, read: Read::default() })
    }

    fn add(&mut self, rows: &[impl Serialize]) -> Result<(), SourceError> {
        self.rows.add(rows).map_err(|cause| unbuildable(self.stream, cause))
    }

    /// Takes the rows of a type.
    fn add_of_type(&mut self, type_id: &str, rows: &[impl Serialize]) -> Result<(), SourceError> {
        if !rows.is_empty() {
            self.read.present.push(type_id.to_owned());
        }
        self.add(rows)
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

async fn owners(hubspot: &HubSpot, table: &mut Table<'_>) -> Result<(), SourceError> {
    let mut owners: Vec<api::Owner> = Vec::new();
    // Archived owners are listed apart; records still name them.
    for archived in ["false", "true"] {
        let request =
            hubspot.get(hubspot.paths.owners()).parameter("limit", MOST_OWNERS).parameter("archived", archived);
        match hubspot.all(request).await.or_refused("owners")? {
            Ok(listed) => owners.extend(listed),
            Err(Refused { why, cause }) => return Err(not_readable(table.stream, why, &cause)),
        }
    }
    let owners = list::distinct(owners);
    let rows: Vec<_> = owners.iter().map(|owner| OwnerRow::of(owner, &table.rows)).collect();
    table.add(&rows)
}

type Pipelines = Arc<Result<Vec<api::Pipeline>, Refused>>;

/// The pipelines of all types that have them.
async fn all_pipelines(hubspot: &HubSpot) -> Result<Vec<(StreamInfo, String, Pipelines)>, SourceError> {
    let may_have = |stream: &StreamInfo| {
        let is = |id: &str| stream.object_type_id.as_deref() == Some(id);
        !types::STANDARD.iter().any(|own| is(own.id)) || types::WITH_PIPELINES.into_iter().any(is)
    };
    let mut types = hubspot.object_types().await?;
    types.retain(may_have);
    let ask = |type_id: String| async move { hubspot.pipelines(&type_id).await };
    side_by_side(types, ask).await
}

async fn pipelines(hubspot: &HubSpot, table: &mut Table<'_>) -> Result<(), SourceError> {
    for (stream, type_id, listed) in all_pipelines(hubspot).await? {
        match &*listed {
            Ok(pipelines) => {
                let row = |pipeline| PipelineRow::of(&type_id, pipeline, &table.rows);
                let rows: Vec<_> = pipelines.iter().map(row).collect();
                table.add_of_type(&type_id, &rows)?;
            }
            Err(refused) => table.lack(&stream, "pipelines", refused.why),
        }
    }
    Ok(())
}

async fn stages(hubspot: &HubSpot, table: &mut Table<'_>) -> Result<(), SourceError> {
    for (stream, type_id, listed) in all_pipelines(hubspot).await? {
        match &*listed {
            Ok(pipelines) => {
                let all =
                    pipelines.iter().flat_map(|pipeline| pipeline.stages.iter().map(move |stage| (pipeline, stage)));
                let rows: Vec<_> =
                    all.map(|(pipeline, stage)| StageRow::of(&type_id, pipeline, stage, &table.rows)).collect();
                table.add_of_type(&type_id, &rows)?;
            }
            Err(refused) => table.lack(&stream, "pipelines", refused.why),
        }
    }
    Ok(())
}

type Properties = Arc<Result<Vec<api::Property>, Refusal>>;

/// Asks for the properties of a type.
fn properties_of<'h>(hubspot: &'h HubSpot) -> impl Fn(String) -> BoxFuture<'h, Result<Properties, SourceError>> {
    move |type_id| Box::pin(async move { hubspot.properties(&type_id).await })
}

async fn property_definitions(hubspot: &HubSpot, table: &mut Table<'_>) -> Result<(), SourceError> {
    let types = hubspot.object_types().await?;
    for (stream, type_id, listed) in side_by_side(types, properties_of(hubspot)).await? {
        match &*listed {
            Ok(properties) => {
                // What may not reach the tables is not to be described there either: labels and options of a sensitive
                // property may tell as much as its values.
                let described =
                    properties.iter().filter(|property| sensitivity::marks(property).is_subset(&hubspot.describes));
                let rows: Vec<_> = described.map(|property| PropertyRow::of(&type_id, property, &table.rows)).collect();
                table.add_of_type(&type_id, &rows)?;
            }
            Err(refusal) => table.lack(&stream, "properties", refusal.why),
        }
    }
    Ok(())
}

/// The object types that the account has: whether it has one of HubSpot's own shows when its properties are asked for.
async fn type_definitions(hubspot: &HubSpot, table: &mut Table<'_>) -> Result<(), SourceError> {
    let mut own = hubspot.object_types().await?;
    own.retain(|stream| types::STANDARD.iter().any(|own| stream.object_type_id.as_deref() == Some(own.id)));
    for (stream, type_id, listed) in side_by_side(own, properties_of(hubspot)).await? {
        match &*listed {
            Err(Refusal { why: Unreadable::Absent, .. }) => table.lack(&stream, "definition", Unreadable::Absent),
            // Whether the token may read it or not, it is there.
            Ok(_) | Err(_) => table.add_of_type(&type_id, &[TypeRow::own(&type_id, &stream, &table.rows)])?,
        }
    }
    for schema in &hubspot.custom_types().await?.types {
        table.add_of_type(&schema.object_type_id, &[TypeRow::custom(schema, &table.rows)])?;
    }
    Ok(())
}
