use std::collections::BTreeSet;

use sluice_simulator::hubspot::{self, Scopes, Token};

use crate::client::{Client, roomy};

const CONTACTS: &str = "/crm/v3/objects/contacts";
const CONTACTS_ONLY: &str = "pat-eu1-00000000-0000-4000-8000-00000000000a";

async fn contacts_only() -> Client {
    let scopes = BTreeSet::from(["crm.objects.contacts.read".to_owned()]);
    let mut options = roomy(20);
    options.tokens.push(Token { text: CONTACTS_ONLY.to_owned(), scopes: Scopes::Only(scopes) });
    Client::new(options).await.using(CONTACTS_ONLY)
}

#[tokio::test]
async fn no_token_and_an_unknown_token_are_401() {
    let client = Client::with(1).await.using("pat-na1-ffffffff-0000-4000-8000-000000000001");
    for reply in [client.get_without_token(CONTACTS).await, client.get(CONTACTS).await] {
        assert_eq!(reply.status, 401);
        assert_eq!(reply.json()["category"], "INVALID_AUTHENTICATION");
    }
}

#[tokio::test]
async fn a_malformed_token_is_530_and_html() {
    let reply = Client::with(1).await.using("my-secret").get(CONTACTS).await;
    assert_eq!(reply.status, 530);
    assert!(reply.is_html());
}

#[tokio::test]
async fn a_missing_scope_is_403_and_is_named() {
    let client = contacts_only().await;
    assert_eq!(client.get(CONTACTS).await.status, 200);
    for (path, scope) in [
        ("/crm/v3/objects/deals", "crm.objects.deals.read"),
        ("/crm/v3/objects/tickets", "tickets"),
        ("/crm/v3/objects/p48012345_vehicle", "crm.objects.custom.read"),
        ("/crm/v3/owners", "crm.objects.owners.read"),
        ("/crm/v3/schemas", "crm.schemas.custom.read"),
        ("/crm/v3/pipelines/deals", "crm.objects.deals.read"),
        ("/crm/v3/properties/companies", "crm.objects.companies.read"),
    ] {
        let reply = client.get(path).await;
        assert_eq!(reply.status, 403, "{path}");
        let error = reply.json();
        assert_eq!(error["category"], "MISSING_SCOPES");
        let scopes = error["errors"][0]["context"]["requiredGranularScopes"].as_array().expect("a list").clone();
        assert!(scopes.contains(&scope.into()), "{path}: {scopes:?}");
    }
}

#[tokio::test]
async fn one_sensitive_property_without_its_scope_refuses_the_whole_request() {
    let client = Client::with(20).await.using(hubspot::TOKEN);
    for (name, scope) in [
        ("insurance_member_id", "crm.objects.contacts.sensitive.read"),
        ("diagnosis_code", "crm.objects.contacts.highly_sensitive.read"),
    ] {
        let reply = client.get(&format!("{CONTACTS}?properties=email,{name}")).await;
        assert_eq!(reply.status, 403);
        let scopes = reply.json()["errors"][0]["context"]["requiredGranularScopes"].clone();
        assert_eq!(scopes, serde_json::json!([scope, format!("{scope}.v2")]));
    }
    let body = serde_json::json!({ "inputs": [{ "id": "1" }], "properties": ["diagnosis_code"] });
    assert_eq!(client.post("/crm/v3/objects/contacts/batch/read", body).await.status, 403);
    // The definitions are open to it all the same.
    let definitions = client.json("/crm/v3/properties/contacts?dataSensitivity=highly_sensitive").await;
    assert!(!definitions["results"].as_array().expect("a list").is_empty());
}

#[tokio::test]
async fn the_sensitive_token_reads_them() {
    let page = Client::with(20).await.json(&format!("{CONTACTS}?limit=20&properties=diagnosis_code")).await;
    let values: Vec<_> = page["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|record| &record["properties"]["diagnosis_code"])
        .collect();
    assert!(values.iter().any(|value| value.is_string()));
}

#[tokio::test]
async fn e_mail_bodies_need_a_scope_of_their_own() {
    let scopes = BTreeSet::from(["crm.objects.contacts.read".to_owned()]);
    let mut options = roomy(20);
    options.tokens = vec![Token { text: CONTACTS_ONLY.to_owned(), scopes: Scopes::Only(scopes) }];
    let client = Client::new(options).await.using(CONTACTS_ONLY);
    assert_eq!(client.get("/crm/v3/objects/emails?properties=hs_email_subject").await.status, 200);
    assert_eq!(client.get("/crm/v3/objects/emails?properties=hs_email_html").await.status, 403);
}
