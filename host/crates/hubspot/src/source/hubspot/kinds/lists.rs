//! Lists: groups of records of one type, by hand or by a rule. HubSpot calls them segments where people see them.

use async_trait::async_trait;
use serde::Serialize;
use sluice_model::{
    schema::{Field, attribute},
    stream::{StreamInfo, StreamKind},
};

use super::definitions::{Definitions, Rows, Table, Times, count, key, said, text, time};
use crate::source::{
    SourceError,
    hubspot::{HubSpot, Refused, api, not_readable, record, types},
};

pub(super) struct Lists;

#[async_trait]
impl Definitions for Lists {
    const KIND: StreamKind = StreamKind::Lists;

    fn fields() -> Vec<Field> {
        let user = |name| text(name).with(attribute::REFERENCES, types::ACCOUNT_USER);
        vec![
            key("listId").with(attribute::REFERENCES, types::LIST),
            text(record::OBJECT_TYPE_ID).with(attribute::OBJECT_TYPE, "true").required(),
            text("name"),
            text("processingType"),
            text("processingStatus"),
            count("listVersion"),
            count("size"),
            text("folderName"),
            user("createdByUserId"),
            user("updatedByUserId"),
            time("lastRecordAddedAt"),
            time("lastRecordRemovedAt"),
            time("filtersUpdatedAt"),
            time("createdAt"),
            time(record::UPDATED_AT),
        ]
    }

    async fn requests(hubspot: &HubSpot) -> Result<u64, SourceError> {
        Ok(u64::from(!hubspot.knows_lists()))
    }

    async fn fill(hubspot: &HubSpot, table: &mut Table<'_>) -> Result<(), SourceError> {
        let lists = hubspot.lists().await?;
        match lists.as_ref() {
            Ok(lists) => {
                let rows: Vec<_> = lists.iter().map(|list| ListRow::of(list, &table.rows)).collect();
                table.add(&rows)
            }
            Err(Refused { why, cause }) => Err(not_readable(table.stream, *why, cause)),
        }
    }

    async fn try_read(hubspot: &HubSpot, stream: &StreamInfo) -> Result<(), SourceError> {
        match hubspot.lists().await?.as_ref() {
            Ok(_) => Ok(()),
            Err(Refused { why, cause }) => Err(not_readable(stream, *why, cause)),
        }
    }
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListRow<'a> {
    list_id: &'a str,
    object_type_id: &'a str,
    name: Option<&'a str>,
    processing_type: Option<&'a str>,
    processing_status: Option<&'a str>,
    list_version: Option<i64>,
    /// HubSpot leaves the size of an empty list out.
    size: i64,
    folder_name: Option<&'a str>,
    created_by_user_id: Option<&'a str>,
    updated_by_user_id: Option<&'a str>,
    last_record_added_at: Option<i64>,
    last_record_removed_at: Option<i64>,
    filters_updated_at: Option<i64>,
    #[serde(flatten)]
    times: Times,
}

impl<'a> ListRow<'a> {
    fn of(list: &'a api::List, rows: &Rows<'_>) -> Self {
        let more = &list.additional_properties;
        Self {
            list_id: &list.id,
            object_type_id: &list.object_type_id,
            name: said(list.name.as_deref()),
            processing_type: said(list.processing_type.as_deref()),
            processing_status: said(list.processing_status.as_deref()),
            list_version: list.version,
            size: more.size.unwrap_or(0),
            folder_name: said(more.folder_name.as_deref()),
            created_by_user_id: list.created_by_id.as_deref(),
            updated_by_user_id: list.updated_by_id.as_deref(),
            last_record_added_at: rows.micros(more.last_record_added_at.as_deref(), "lastRecordAddedAt"),
            last_record_removed_at: rows.micros(more.last_record_removed_at.as_deref(), "lastRecordRemovedAt"),
            filters_updated_at: rows.micros(list.filters_updated_at.as_deref(), "filtersUpdatedAt"),
            times: rows.times(list.created_at.as_deref(), list.updated_at.as_deref()),
        }
    }
}
