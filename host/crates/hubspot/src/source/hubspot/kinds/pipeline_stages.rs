//! Pipeline stages: the steps of every pipeline, in rows of their own.

use async_trait::async_trait;
use serde::Serialize;
use sluice_model::{schema::Field, stream::StreamKind};

use super::{
    definitions::{Definitions, Rows, Table, Times, count, flag, key, said, text, time, type_key},
    pipelines,
};
use crate::source::{
    SourceError,
    hubspot::{HubSpot, api, record},
};

pub(super) struct PipelineStages;

#[async_trait]
impl Definitions for PipelineStages {
    const KIND: StreamKind = StreamKind::PipelineStages;

    fn fields() -> Vec<Field> {
        vec![
            type_key(),
            key("pipelineId"),
            key("stageId"),
            text("label"),
            count("displayOrder"),
            flag("archived"),
            text("metadata"),
            time("createdAt"),
            time(record::UPDATED_AT),
        ]
    }

    async fn requests(hubspot: &HubSpot) -> Result<u64, SourceError> {
        pipelines::unasked(hubspot).await
    }

    async fn fill(hubspot: &HubSpot, table: &mut Table<'_>) -> Result<(), SourceError> {
        for (stream, type_id, listed) in pipelines::of_all_types(hubspot).await? {
            match &*listed {
                Ok(pipelines) => {
                    let all = pipelines
                        .iter()
                        .flat_map(|pipeline| pipeline.stages.iter().map(move |stage| (pipeline, stage)));
                    let rows: Vec<_> =
                        all.map(|(pipeline, stage)| StageRow::of(&type_id, pipeline, stage, &table.rows)).collect();
                    table.add_of_type(&type_id, &rows)?;
                }
                Err(refused) => table.lack(&stream, "pipelines", refused.why),
            }
        }
        table.lack_hidden_types(hubspot).await
    }
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StageRow<'a> {
    object_type_id: &'a str,
    pipeline_id: &'a str,
    stage_id: &'a str,
    label: Option<&'a str>,
    display_order: Option<i64>,
    archived: Option<bool>,
    /// As JSON: which members there are depends on the type.
    metadata: &'a str,
    #[serde(flatten)]
    times: Times,
}

impl<'a> StageRow<'a> {
    pub(super) fn of(
        type_id: &'a str,
        pipeline: &'a api::Pipeline,
        stage: &'a api::PipelineStage,
        rows: &Rows<'_>,
    ) -> Self {
        Self {
            object_type_id: type_id,
            pipeline_id: &pipeline.id,
            stage_id: &stage.id,
            label: said(stage.label.as_deref()),
            display_order: stage.display_order,
            archived: stage.archived,
            metadata: &stage.metadata,
            times: rows.times(stage.created_at.as_deref(), stage.updated_at.as_deref()),
        }
    }
}
