//! Owners: the people that records are assigned to, archived ones included, since records still name them.

use std::{borrow::Cow, sync::Arc};

use async_trait::async_trait;
use serde::Serialize;
use sluice_model::{
    schema::{Field, attribute},
    stream::{StreamInfo, StreamKind},
};

use super::definitions::{Definitions, Rows, Table, Times, flag, key, said, text, time};
use crate::source::{
    SourceError,
    hubspot::{
        HubSpot, Refused, api,
        decode::raw,
        list::{self, Listing},
        not_readable, record, types,
    },
};

/// Owners a page: the most that the API allows.
const MOST_OWNERS: usize = 500;

/// Archived owners are listed apart: the values of the parameter that says which.
const ARCHIVED: [&str; 2] = ["false", "true"];

pub(super) struct Owners;

#[async_trait]
impl Definitions for Owners {
    const KIND: StreamKind = StreamKind::Owners;

    fn fields() -> Vec<Field> {
        vec![
            key("ownerId").with(attribute::REFERENCES, types::OWNER),
            text("userId").with(attribute::REFERENCES, types::ACCOUNT_USER),
            text("email"),
            text("firstName"),
            text("lastName"),
            text("type"),
            flag("archived"),
            time("createdAt"),
            time(record::UPDATED_AT),
        ]
    }

    async fn fill(hubspot: &HubSpot, table: &mut Table<'_>) -> Result<(), SourceError> {
        let owners = all(hubspot, table.stream).await?;
        let rows: Vec<_> = owners.iter().map(|owner| OwnerRow::of(owner, &table.rows)).collect();
        table.add(&rows)
    }

    async fn requests(_: &HubSpot) -> Result<u64, SourceError> {
        Ok(ARCHIVED.len() as u64)
    }

    async fn try_read(hubspot: &HubSpot, stream: &StreamInfo) -> Result<(), SourceError> {
        try_one(hubspot, stream).await
    }
}

/// All owners, archived ones included, asked for once.
pub(super) async fn all(hubspot: &HubSpot, stream: &StreamInfo) -> Result<Arc<Vec<api::Owner>>, SourceError> {
    let list = async {
        let mut owners: Vec<api::Owner> = Vec::new();
        for archived in ARCHIVED {
            let request = hubspot.get(hubspot.paths.owners()).parameter("archived", archived);
            match hubspot.all_by(MOST_OWNERS, request).await.or_refused("owners")? {
                Ok(listed) => owners.extend(listed),
                Err(Refused { why, cause }) => return Err(not_readable(stream, why, &cause)),
            }
        }
        Ok(list::distinct(owners))
    };
    hubspot.owners.get("owners", list).await
}

/// Asks for one owner.
pub(super) async fn try_one(hubspot: &HubSpot, stream: &StreamInfo) -> Result<(), SourceError> {
    hubspot.try_first::<api::Owner>(hubspot.paths.owners(), "owners", stream).await
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OwnerRow<'a> {
    owner_id: &'a str,
    user_id: Option<Cow<'a, str>>,
    email: Option<&'a str>,
    first_name: Option<&'a str>,
    last_name: Option<&'a str>,
    #[serde(rename = "type")]
    kind: Option<&'a str>,
    archived: Option<bool>,
    #[serde(flatten)]
    times: Times,
}

impl<'a> OwnerRow<'a> {
    pub(super) fn of(owner: &'a api::Owner, rows: &Rows<'_>) -> Self {
        let user_id = owner.user_id.as_ref().or(owner.user_id_including_inactive.as_ref());
        Self {
            owner_id: &owner.id,
            user_id: user_id.and_then(|id| raw::id(id)),
            email: said(owner.email.as_deref()),
            first_name: said(owner.first_name.as_deref()),
            last_name: said(owner.last_name.as_deref()),
            kind: said(owner.kind.as_deref()),
            archived: owner.archived,
            times: rows.times(owner.created_at.as_deref(), owner.updated_at.as_deref()),
        }
    }
}
