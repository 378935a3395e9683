//! Pipelines: what the records of some object types go through, stage after stage.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use sluice_model::{
    schema::Field,
    stream::{StreamInfo, StreamKind},
};

use super::definitions::{Definitions, Rows, Table, Times, count, flag, key, said, side_by_side, text, time, type_key};
use crate::source::{
    SourceError,
    hubspot::{HubSpot, Refused, api, record, types},
};

pub(super) struct Pipelines;

#[async_trait]
impl Definitions for Pipelines {
    const KIND: StreamKind = StreamKind::Pipelines;

    fn fields() -> Vec<Field> {
        vec![
            type_key(),
            key("pipelineId"),
            text("label"),
            count("displayOrder"),
            flag("archived"),
            time("createdAt"),
            time(record::UPDATED_AT),
        ]
    }

    async fn requests(hubspot: &HubSpot) -> Result<u64, SourceError> {
        unasked(hubspot).await
    }

    async fn fill(hubspot: &HubSpot, table: &mut Table<'_>) -> Result<(), SourceError> {
        for (stream, type_id, listed) in of_all_types(hubspot).await? {
            match &*listed {
                Ok(pipelines) => {
                    let row = |pipeline| PipelineRow::of(&type_id, pipeline, &table.rows);
                    let rows: Vec<_> = pipelines.iter().map(row).collect();
                    table.add_of_type(&type_id, &rows)?;
                }
                Err(refused) => table.lack(&stream, "pipelines", refused.why),
            }
        }
        table.lack_hidden_types(hubspot).await
    }
}

/// The pipelines of one object type, or HubSpot's word that there are none to see.
type Listed = Arc<Result<Vec<api::Pipeline>, Refused>>;

/// The pipelines of all object types that may have them.
pub(super) async fn of_all_types(hubspot: &HubSpot) -> Result<Vec<(StreamInfo, String, Listed)>, SourceError> {
    let ask = |type_id: String| async move { hubspot.pipelines(&type_id).await };
    side_by_side(types_with_pipelines(hubspot).await?, ask).await
}

/// The lists that have not been asked for yet.
pub(super) async fn unasked(hubspot: &HubSpot) -> Result<u64, SourceError> {
    let types = types_with_pipelines(hubspot).await?;
    let ids = types.iter().filter_map(|stream| stream.kind.type_id());
    Ok(ids.filter(|type_id| !hubspot.pipeline_lists.knows(type_id)).count() as u64)
}

/// The object types that may have pipelines.
async fn types_with_pipelines(hubspot: &HubSpot) -> Result<Vec<StreamInfo>, SourceError> {
    let may_have = |stream: &StreamInfo| {
        let is = |id: &str| stream.kind.type_id() == Some(id);
        !types::STANDARD.iter().any(|own| is(own.id)) || types::WITH_PIPELINES.into_iter().any(is)
    };
    let mut types = hubspot.object_types().await?;
    types.retain(may_have);
    Ok(types)
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PipelineRow<'a> {
    object_type_id: &'a str,
    pipeline_id: &'a str,
    label: Option<&'a str>,
    display_order: Option<i64>,
    archived: Option<bool>,
    #[serde(flatten)]
    times: Times,
}

impl<'a> PipelineRow<'a> {
    pub(super) fn of(type_id: &'a str, pipeline: &'a api::Pipeline, rows: &Rows<'_>) -> Self {
        Self {
            object_type_id: type_id,
            pipeline_id: &pipeline.id,
            label: said(pipeline.label.as_deref()),
            display_order: pipeline.display_order,
            archived: pipeline.archived,
            times: rows.times(pipeline.created_at.as_deref(), pipeline.updated_at.as_deref()),
        }
    }
}
