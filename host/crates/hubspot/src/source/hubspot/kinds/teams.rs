//! Teams: groups of the people who may log in.

use async_trait::async_trait;
use serde::Serialize;
use sluice_model::{
    schema::{Field, attribute},
    stream::{StreamInfo, StreamKind},
};

use super::definitions::{Definitions, Table, count, key, said, text};
use crate::source::{
    SourceError,
    hubspot::{
        HubSpot, Refused, api,
        list::{self, Listing},
        not_readable, types,
    },
};

pub(super) struct Teams;

#[async_trait]
impl Definitions for Teams {
    const KIND: StreamKind = StreamKind::Teams;

    fn fields() -> Vec<Field> {
        vec![
            key("teamId").with(attribute::REFERENCES, types::TEAM),
            text("name"),
            count("members"),
            count("secondaryMembers"),
        ]
    }

    async fn requests(_: &HubSpot) -> Result<u64, SourceError> {
        Ok(1)
    }

    async fn fill(hubspot: &HubSpot, table: &mut Table<'_>) -> Result<(), SourceError> {
        let teams = teams(hubspot, table.stream).await?;
        let ingested_at = table.rows.ingested();
        let row = |team: &api::Team| (team.user_ids.len() as i64, team.secondary_user_ids.len() as i64);
        let rows: Vec<_> = teams
            .iter()
            .map(|team| {
                let (members, secondary_members) = row(team);
                TeamRow { team_id: &team.id, name: said(team.name.as_deref()), members, secondary_members, ingested_at }
            })
            .collect();
        table.add(&rows)
    }

    async fn try_read(hubspot: &HubSpot, stream: &StreamInfo) -> Result<(), SourceError> {
        teams(hubspot, stream).await.map(drop)
    }
}

/// The teams: one short answer.
async fn teams(hubspot: &HubSpot, stream: &StreamInfo) -> Result<Vec<api::Team>, SourceError> {
    match hubspot.all(hubspot.get(hubspot.paths.teams())).await.or_refused("teams")? {
        Ok(teams) => Ok(list::distinct(teams)),
        Err(Refused { why, cause }) => Err(not_readable(stream, why, &cause)),
    }
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TeamRow<'a> {
    team_id: &'a str,
    name: Option<&'a str>,
    members: i64,
    secondary_members: i64,
    ingested_at: i64,
}
