use serde_json::{Value, json};

use crate::client::{Client, Truth};

fn names(answer: &Value) -> Vec<&str> {
    answer["results"].as_array().expect("results").iter().map(|one| one["name"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn a_complete_list_of_properties_takes_three_calls_and_three_for_the_archived() {
    let (client, truth) = (Client::with(1).await, Truth::of(1));
    let mut read = Vec::new();
    for archived in [false, true] {
        for level in ["non_sensitive", "sensitive", "highly_sensitive"] {
            let path = format!("/crm/v3/properties/contacts?dataSensitivity={level}&archived={archived}");
            let answer = client.json(&path).await;
            assert_eq!(answer.get("paging"), None);
            let results = answer["results"].as_array().expect("results").clone();
            assert!(results.iter().all(|one| one["dataSensitivity"] == level && one["archived"] == archived));
            read.extend(results);
        }
    }
    let expected: Vec<Value> = truth
        .lines("property_definitions")
        .into_iter()
        .filter(|line| line["objectTypeId"] == "0-1")
        .map(|mut line| {
            line.as_object_mut().expect("an object").remove("objectTypeId");
            line
        })
        .collect();
    assert_eq!(read.len(), expected.len());
    for definition in &expected {
        assert!(read.contains(definition), "{definition}");
    }
}

#[tokio::test]
async fn the_default_list_hides_what_is_sensitive() {
    let client = Client::with(1).await;
    let answer = client.json("/crm/v3/properties/0-1").await;
    let listed = names(&answer);
    assert!(listed.contains(&"email") && listed.contains(&"hs_object_id"));
    for hidden in ["insurance_member_id", "diagnosis_code", "fax"] {
        assert!(!listed.contains(&hidden), "{hidden}");
    }
    let sensitive = client.json("/crm/v3/properties/0-1/diagnosis_code?dataSensitivity=highly_sensitive").await;
    assert_eq!(sensitive["sensitiveDataCategories"], json!(["HIPAA"]));
}

#[tokio::test]
async fn one_property() {
    let client = Client::with(1).await;
    let owner = client.json("/crm/v3/properties/contacts/hubspot_owner_id").await;
    assert_eq!((&owner["referencedObjectType"], &owner["externalOptions"]), (&json!("OWNER"), &json!(true)));
    let stage = client.json("/crm/v3/properties/deals/dealstage").await;
    assert!(
        stage["options"].as_array().is_some_and(|options| options.iter().any(|option| option["value"] == "closedwon"))
    );
    let missing = client.get("/crm/v3/properties/contacts/nothing_like_it").await;
    assert_eq!((missing.status, missing.json()["category"].clone()), (404, json!("OBJECT_NOT_FOUND")));
    assert_eq!(client.get("/crm/v3/properties/contacts?dataSensitivity=secret").await.status, 400);
}

#[tokio::test]
async fn schemas_are_those_of_custom_types() {
    let (client, truth) = (Client::with(1).await, Truth::of(1));
    let live = client.json("/crm/v3/schemas").await;
    let archived = client.json("/crm-object-schemas/v3/schemas?archived=true").await;
    let read: Vec<Value> =
        [&live, &archived].iter().flat_map(|answer| answer["results"].as_array().expect("results").clone()).collect();
    assert_eq!(read, truth.lines("schemas"));
    assert_eq!(names(&live), ["vehicle", "Deals"]);
    assert_eq!(live["results"][0]["fullyQualifiedName"], "p48012345_vehicle");
    assert_eq!(live["results"][0]["allowsSensitiveProperties"], true);

    let bare = client
        .json("/crm/v3/schemas/2-13370001?includePropertyDefinitions=false&includeAssociationDefinitions=false&includeAuditMetadata=false")
        .await;
    assert_eq!((&bare["properties"], &bare["associations"]), (&json!([]), &json!([])));
    assert_eq!(bare.get("createdAt"), None);
    assert_eq!(client.get("/crm/v3/schemas/2-1").await.status, 404);
}

#[tokio::test]
async fn pipelines_come_with_their_stages() {
    let (client, truth) = (Client::with(1).await, Truth::of(1));
    let mut stages = Vec::new();
    for pipeline in truth.lines("pipelines") {
        let type_id = pipeline["objectTypeId"].as_str().expect("an id");
        let answer = client.json(&format!("/crm/v3/pipelines/{type_id}")).await;
        let read = answer["results"]
            .as_array()
            .expect("results")
            .iter()
            .find(|one| one["id"] == pipeline["id"])
            .expect("the pipeline")
            .clone();
        for field in ["label", "displayOrder", "archived", "createdAt", "updatedAt"] {
            assert_eq!(read[field], pipeline[field]);
        }
        for mut stage in read["stages"].as_array().expect("stages").clone() {
            assert!(stage["metadata"].as_object().expect("metadata").values().all(Value::is_string));
            stage["pipelineId"] = pipeline["id"].clone();
            stage["objectTypeId"] = pipeline["objectTypeId"].clone();
            stages.push(stage);
        }
    }
    assert_eq!(stages, truth.lines("pipeline_stages"));
    assert_eq!(client.get("/crm/v3/pipelines/contacts").await.status, 400);
    assert_eq!(client.json("/crm/v3/pipelines/2-13370002").await, json!({ "results": [] }));
}

#[tokio::test]
async fn owners_page_and_archived_ones_are_apart() {
    let (client, truth) = (Client::with(1).await, Truth::of(1));
    let (active, archived) =
        (client.all("/crm/v3/owners/").await, client.all("/crm/v3/owners?archived=true&limit=5").await);
    assert!(active.len() > 100, "more than one page of the default size");
    assert!(archived.iter().all(|owner| owner["userId"].is_null() && owner.get("archivedAt").is_none()));
    let mut both: Vec<Value> = active.iter().chain(&archived).cloned().collect();
    both.sort_by_key(|owner| owner["id"].as_str().expect("an id").to_owned());
    assert_eq!(both, truth.lines("owners"));

    let email = active[0]["email"].as_str().expect("an address");
    let found = client.json(&format!("/crm/v3/owners?email={email}")).await;
    assert_eq!(found["results"], json!([active[0]]));
    assert_eq!(client.json("/crm/v3/owners?limit=500").await.get("paging"), None);
    assert_eq!(client.get("/crm/v3/owners?limit=501").await.status, 400);
}

#[tokio::test]
async fn the_account() {
    let (client, truth) = (Client::with(100).await, Truth::of(100));
    assert_eq!(client.json("/account-info/v3/details").await["portalId"], 48_012_345);

    let limits = client.json("/crm/v3/limits/records").await;
    let library = client.json("/crm/v3/object-library/enablement").await;
    for object_type in truth.lines("object_types") {
        let list = if object_type["custom"] == true {
            &limits["customObjectTypes"]["byObjectType"]
        } else {
            assert!(
                library["enablementByObjectTypeId"][object_type["objectTypeId"].as_str().expect("an id")].is_boolean()
            );
            &limits["hubspotDefinedObjectTypes"]
        };
        let usage =
            list.as_array().expect("a list").iter().find(|one| one["objectTypeId"] == object_type["objectTypeId"]);
        assert_eq!(usage.expect("a line for the type")["usage"], object_type["live"]);
    }
}
