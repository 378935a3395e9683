//! Which owners are in which teams, as the owners say it: former ones too.

use async_trait::async_trait;
use serde::Serialize;
use sluice_model::{
    schema::{Field, attribute},
    stream::{StreamInfo, StreamKind},
};

use super::{
    definitions::{Definitions, Table, flag, key},
    owners,
};
use crate::source::{
    SourceError,
    hubspot::{HubSpot, api, types},
};

pub(super) struct OwnerTeams;

#[async_trait]
impl Definitions for OwnerTeams {
    const KIND: StreamKind = StreamKind::OwnerTeams;

    fn fields() -> Vec<Field> {
        vec![
            key("ownerId").with(attribute::REFERENCES, types::OWNER),
            key("teamId").with(attribute::REFERENCES, types::TEAM),
            flag("isPrimary"),
        ]
    }

    async fn requests(hubspot: &HubSpot) -> Result<u64, SourceError> {
        owners::Owners::requests(hubspot).await
    }

    async fn fill(hubspot: &HubSpot, table: &mut Table<'_>) -> Result<(), SourceError> {
        let owners = owners::all(hubspot, table.stream).await?;
        let ingested_at = table.rows.ingested();
        let rows: Vec<_> = owners.iter().flat_map(|owner| rows(owner, ingested_at)).collect();
        table.add(&rows)
    }

    async fn try_read(hubspot: &HubSpot, stream: &StreamInfo) -> Result<(), SourceError> {
        owners::try_one(hubspot, stream).await
    }
}

/// The teams of an owner, each once.
fn rows(owner: &api::Owner, ingested_at: i64) -> impl Iterator<Item = OwnersTeamRow<'_>> {
    let teams = owner.teams.iter().enumerate();
    let distinct = teams.filter(|(index, team)| !owner.teams.iter().take(*index).any(|other| other.id == team.id));
    distinct.map(move |(_, team)| OwnersTeamRow {
        owner_id: &owner.id,
        team_id: &team.id,
        is_primary: team.primary,
        ingested_at,
    })
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OwnersTeamRow<'a> {
    owner_id: &'a str,
    team_id: &'a str,
    is_primary: Option<bool>,
    ingested_at: i64,
}
