//! Memberships: which records are in which lists, a stream for each object type that has lists.
//!
//! All of them make one table. They are streams of their own since the ids of each type are ids of that type, which is what a
//! plugin has to know that maps them.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use sluice_model::{
    schema::{ColumnType, Field, Schema, attribute},
    stream::{StreamInfo, StreamKind},
};

use super::{Kind, definitions};
use crate::source::{
    Price, ReadRequest, Reading, SourceError,
    hubspot::{
        HubSpot, Refused,
        members::{self, Memberships as Reader},
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

/// The type that there is always a stream of, so that the table has columns where the account has no list.
const ALWAYS: &str = "0-1";

/// Memberships in lists.
pub(super) struct Memberships;

#[async_trait]
impl Kind for Memberships {
    fn is(&self, kind: &StreamKind) -> bool {
        matches!(kind, StreamKind::Memberships { .. })
    }

    async fn streams(&self, hubspot: &HubSpot) -> Result<Vec<StreamInfo>, SourceError> {
        let mut of_types: BTreeSet<String> = [ALWAYS.to_owned()].into();
        match hubspot.lists().await?.as_ref() {
            Ok(lists) => of_types.extend(lists.iter().map(|list| list.object_type_id.clone())),
            // One stream says that they may not be seen, under the name of all.
            Err(_) => {
                let mut all = StreamInfo::memberships(ALWAYS, "contacts");
                all.name = all.kind.to_string();
                return Ok(vec![all]);
            }
        }
        let types = hubspot.object_types().await?;
        let name = |id: &str| {
            let known = types.iter().find(|stream| stream.kind.type_id() == Some(id));
            // A type that this token may not see has lists all the same.
            known.map_or_else(|| id.to_owned(), |stream| stream.name.clone())
        };
        Ok(of_types.iter().map(|id| StreamInfo::memberships(id, &name(id))).collect())
    }

    async fn schema(&self, hubspot: &HubSpot, stream: &StreamInfo) -> Result<Schema, SourceError> {
        match hubspot.lists().await?.as_ref() {
            Ok(_) => Ok(super::schema(stream, columns(type_of(stream)))),
            Err(Refused { why, cause }) => Err(not_readable(stream, *why, cause)),
        }
    }

    fn needs(&self, stream: &StreamInfo) -> Vec<String> {
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
