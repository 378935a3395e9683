//! The people who may log in, with their teams and roles. Who of them records are assigned to stands with the owners.

use async_trait::async_trait;
use serde::Serialize;
use sluice_model::{
    schema::{Field, attribute},
    stream::{StreamInfo, StreamKind},
};

use super::definitions::{Definitions, Table, flag, key, said, text};
use crate::source::{
    SourceError,
    hubspot::{
        HubSpot, Refused, api,
        list::{self, Listing},
        not_readable, types,
    },
};

/// Users a page.
const USERS_A_PAGE: usize = 100;

/// What stands between several ids in one text, as in HubSpot's own properties.
const SEPARATOR: &str = ";";

pub(super) struct AccountUsers;

#[async_trait]
impl Definitions for AccountUsers {
    const KIND: StreamKind = StreamKind::AccountUsers;

    fn fields() -> Vec<Field> {
        let team = |name| text(name).with(attribute::REFERENCES, types::TEAM);
        vec![
            key("userId").with(attribute::REFERENCES, types::ACCOUNT_USER),
            text("email"),
            text("firstName"),
            text("lastName"),
            flag("superAdmin"),
            team("primaryTeamId"),
            team("secondaryTeamIds").with(attribute::SEPARATOR, SEPARATOR),
            text("roleIds"),
        ]
    }

    async fn requests(_: &HubSpot) -> Result<u64, SourceError> {
        // Hardly any account has more than a page or two.
        Ok(1)
    }

    async fn fill(hubspot: &HubSpot, table: &mut Table<'_>) -> Result<(), SourceError> {
        let request = hubspot.get(hubspot.paths.account_users());
        let users: Vec<api::AccountUser> = match hubspot.all_by(USERS_A_PAGE, request).await.or_refused("users")? {
            Ok(users) => list::distinct(users),
            Err(Refused { why, cause }) => return Err(not_readable(table.stream, why, &cause)),
        };
        let ingested_at = table.rows.ingested();
        let rows: Vec<_> = users.iter().map(|user| UserRow::of(user, ingested_at)).collect();
        table.add(&rows)
    }

    async fn try_read(hubspot: &HubSpot, stream: &StreamInfo) -> Result<(), SourceError> {
        hubspot.try_first::<api::AccountUser>(hubspot.paths.account_users(), "users", stream).await
    }
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserRow<'a> {
    user_id: &'a str,
    email: Option<&'a str>,
    first_name: Option<&'a str>,
    last_name: Option<&'a str>,
    super_admin: Option<bool>,
    primary_team_id: Option<&'a str>,
    secondary_team_ids: Option<String>,
    role_ids: Option<String>,
    ingested_at: i64,
}

impl<'a> UserRow<'a> {
    fn of(user: &'a api::AccountUser, ingested_at: i64) -> Self {
        let joined = |ids: &[String]| (!ids.is_empty()).then(|| ids.join(SEPARATOR));
        Self {
            user_id: &user.id,
            email: said(user.email.as_deref()),
            first_name: said(user.first_name.as_deref()),
            last_name: said(user.last_name.as_deref()),
            super_admin: user.super_admin,
            primary_team_id: user.primary_team_id.as_deref(),
            secondary_team_ids: joined(&user.secondary_team_ids),
            role_ids: joined(&user.role_ids),
            ingested_at,
        }
    }
}
