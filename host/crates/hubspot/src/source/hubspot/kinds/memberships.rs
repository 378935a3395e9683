//! Memberships: which records are in which lists, a stream for each object type that has lists. Which have shows when a stream
//! is asked for its schema: whoever wants no lists does not depend on them.
//!
//! All of them make one table. They are streams of their own since the ids of each type are ids of that type, which is what a
//! plugin has to know that maps them.

use std::sync::Arc;

use async_trait::async_trait;
use sluice_model::{
    schema::{ColumnType, Field, Schema, attribute},
    stream::{StreamInfo, StreamKind},
};

use super::{Kind, definitions};
use crate::source::{
    Price, ReadRequest, Reading, SourceError, Unreadable,
    hubspot::{
        HubSpot, Refused,
        members::{self, ALWAYS, Memberships as Reader},
        not_readable,
        ranged::Ranged,
        record, types,
    },
};

/// The names of the columns.
pub(in crate::source::hubspot) mod column {
    pub(in crate::source::hubspot) const LIST: &str = "listId";
    pub(in crate::source::hubspot) const SINCE: &str = "membershipTimestamp";
}

/// Memberships in lists.
pub(super) struct Memberships;

#[async_trait]
impl Kind for Memberships {
    fn is(&self, kind: &StreamKind) -> bool {
        matches!(kind, StreamKind::Memberships { .. })
    }

    async fn streams(&self, hubspot: &HubSpot) -> Result<Vec<StreamInfo>, SourceError> {
        let types = hubspot.object_types().await?;
        let ids = types.iter().filter_map(|stream| Some((stream.kind.type_id()?, stream.name.as_str())));
        Ok(ids.map(|(type_id, name)| StreamInfo::memberships(type_id, name)).collect())
    }

    async fn schema(&self, hubspot: &HubSpot, stream: &StreamInfo) -> Result<Schema, SourceError> {
        let type_id = type_of(stream);
        let reason = match hubspot.lists().await?.as_ref() {
            Ok(lists) if type_id == ALWAYS || lists.iter().any(|list| list.object_type_id == type_id) => {
                return Ok(super::schema(stream, columns(type_id)));
            }
            Ok(_) => "the account has no lists of that type",
            // One stream says it for all.
            Err(Refused { why, cause }) if type_id == ALWAYS => return Err(not_readable(stream, *why, cause)),
            Err(_) => "lists are not to be seen",
        };
        Err(SourceError::NotReadable {
            stream: stream.name.clone(),
            why: Unreadable::Absent,
            reason: reason.to_owned(),
            hint: None,
        })
    }

    fn needs(&self, _: &HubSpot, stream: &StreamInfo) -> Vec<String> {
        vec![type_of(stream).to_owned()]
    }

    async fn price(&self, hubspot: &HubSpot, request: &ReadRequest, ids_are_kept: bool) -> Option<Price> {
        let (lists, type_id) = (hubspot.lists().await.ok()?, type_of(&request.stream));
        let lists = lists.as_ref().as_ref().ok()?.iter().filter(|list| list.object_type_id == type_id);
        let by_list = members::requests_by_list(lists.clone());
        let by_record =
            if ids_are_kept { hubspot.count_of(type_id).await.map(members::requests_by_record) } else { None };
        let requests = by_record.map_or(by_list, |by_record| by_record.min(by_list));
        Some(Price { requests, rows: Some(lists.map(members::size).sum()) })
    }

    async fn try_read(&self, _: &HubSpot, _: &ReadRequest) -> Result<(), SourceError> {
        // Whoever may see lists may see their members, and the lists have been asked for.
        Ok(())
    }

    fn open(&self, hubspot: &HubSpot, request: ReadRequest) -> Arc<dyn Reading> {
        let (readers, type_id) = (request.readers, type_of(&request.stream).to_owned());
        Arc::new(Ranged::new(Reader::new(hubspot, request, &type_id), readers))
    }
}

fn type_of(stream: &StreamInfo) -> &str {
    match &stream.kind {
        StreamKind::Memberships { type_id } => type_id,
        _ => unreachable!("memberships are of one type"),
    }
}

fn columns(type_id: &str) -> Vec<Field> {
    vec![
        definitions::key(column::LIST).with(attribute::REFERENCES, types::LIST),
        definitions::type_key(),
        definitions::key(record::OBJECT_ID).with(attribute::REFERENCES, type_id),
        definitions::time(column::SINCE),
        Field::new(record::INGESTED_AT, ColumnType::Timestamp).required(),
    ]
}
