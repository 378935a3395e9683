use std::collections::BTreeSet;

use serde_json::json;
use sluice_simulator::hubspot::{self, Scopes, Token};

use crate::client::{Client, Truth, ids, roomy};

const CONTACTS_ONLY: &str = "pat-eu1-00000000-0000-4000-8000-00000000000c";

#[tokio::test]
async fn users_page_and_teams_name_them() {
    let (client, truth) = (Client::with(1).await.using(hubspot::TOKEN), Truth::of(1));
    let expected = truth.lines("account_users");
    let first = client.json("/settings/users/v3").await;
    assert_eq!(first["results"].as_array().map(Vec::len), Some(100), "more than one page");
    for path in ["/settings/users/v3", "/settings/users/2026-03", "/settings/users/2026-03?limit=7"] {
        assert_eq!(client.all(path).await, expected, "{path}");
    }
    assert_eq!(client.get("/settings/users/v3?limit=101").await.status, 400);
    assert_eq!(client.get("/settings/users/v3?after=9200001").await.status, 400);

    let teams = client.json("/settings/v3/users/teams").await;
    assert_eq!(teams["results"], json!(truth.lines("teams")));
    assert_eq!(client.json("/settings/users/2026-03/teams").await, teams);
    let users: BTreeSet<&str> = ids(&expected).into_iter().collect();
    for team in truth.lines("teams") {
        for field in ["userIds", "secondaryUserIds"] {
            let members = team[field].as_array().expect("users");
            assert!(!members.is_empty() && members.iter().all(|id| users.contains(id.as_str().expect("an id"))));
        }
    }
}

#[tokio::test]
async fn september_has_neither() {
    let client = Client::with(1).await;
    for path in ["/settings/users/2026-09", "/settings/users/2026-09/teams", "/settings/teams/2026-09"] {
        let reply = client.get(path).await;
        assert!(reply.status == 404 && reply.is_html(), "{path}");
    }
}

#[tokio::test]
async fn each_needs_its_scope() {
    let mut options = roomy(1);
    let scopes = BTreeSet::from(["crm.objects.contacts.read".to_owned()]);
    options.tokens.push(Token { text: CONTACTS_ONLY.to_owned(), scopes: Scopes::Only(scopes) });
    let client = Client::new(options).await.using(CONTACTS_ONLY);
    for (path, scope) in
        [("/settings/users/v3", "settings.users.read"), ("/settings/v3/users/teams", "settings.users.teams.read")]
    {
        let reply = client.get(path).await;
        assert_eq!(reply.status, 403, "{path}");
        assert_eq!(reply.json()["errors"][0]["context"]["requiredGranularScopes"][0], scope);
    }
}
