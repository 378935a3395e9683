//! Associations, lists and people, from the binary's side: what is chosen, what is refused, and what is told.

use std::{collections::BTreeSet, fs::File};

use arrow_array::{Array, RecordBatch, cast::AsArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use sluice_simulator::{
    aws, data,
    hubspot::{self, Fault, FaultAction, FaultBody, PathPattern, Scopes, Token},
};

use crate::harness::{Workspace, portal};

const BATCH: &str = "/associations/2026-09/0-1/0-2/batch/read";

fn with(options: hubspot::Options) -> Workspace {
    Workspace::with(options, aws::Options::default())
}

fn faulty(path: &str, occurrences: std::ops::Range<u64>, action: FaultAction) -> Workspace {
    let fault = Fault { path: PathPattern::Contains(path.to_owned()), method: None, occurrences, action };
    with(hubspot::Options { faults: vec![fault], ..portal() })
}

/// A workspace whose token has these scopes alone.
fn scoped(scopes: &[&str]) -> Workspace {
    let scopes = Scopes::Only(scopes.iter().map(|scope| (*scope).to_owned()).collect());
    let tokens = vec![Token { text: hubspot::TOKEN.to_owned(), scopes }];
    // An account asks much about pairs of types, and the test is not about its limit.
    with(hubspot::Options { tokens, requests_per_10s: 5_000, ..portal() })
}

fn write(workspace: &Workspace, streams: &str, more: &str) {
    let source = workspace.source(&format!("streams = {streams}"));
    workspace.pipeline(&[&source, &workspace.file_sink(), more]);
}

fn run(workspace: &Workspace, streams: &str, more: &str, exit_code: i32) -> String {
    write(workspace, streams, more);
    workspace.run(exit_code)
}

fn tables(workspace: &Workspace) -> Vec<String> {
    let commit = workspace.commit();
    let tables = commit["tables"].as_array().unwrap().iter();
    tables.map(|table| table["name"].as_str().unwrap().to_owned()).collect()
}

/// The rows of a table as texts of these columns, each once.
fn rows(workspace: &Workspace, table: &str, columns: &[&str]) -> BTreeSet<Vec<String>> {
    let prefix = format!("{table}/");
    let mut rows = BTreeSet::new();
    for file in workspace.listed_files().into_iter().filter(|file| file.starts_with(&prefix)) {
        let file = File::open(workspace.path().join("tables").join(file)).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(Result::unwrap) {
            for row in 0..batch.num_rows() {
                let texts = columns.iter().map(|column| text(&batch, column, row)).collect();
                assert!(rows.insert(texts), "{table}: a row twice");
            }
        }
    }
    rows
}

fn text(batch: &RecordBatch, column: &str, row: usize) -> String {
    let column = batch.column_by_name(column).unwrap_or_else(|| panic!("no column `{column}`"));
    if column.is_null(row) { "–".to_owned() } else { column.as_string::<i32>().value(row).to_owned() }
}

const LINK: [&str; 4] = ["contact_objectId", "company_objectId", "associationTypeId", "associationCategory"];
const CONTACTS_TO_COMPANIES: &str = "associations_contacts_to_companies";

#[test]
fn a_pair_that_is_never_linked_is_refused_where_it_is_named_and_no_stream_where_it_is_not() {
    let workspace = Workspace::new();
    let told = run(&workspace, r#"["contacts", "associations:contacts:products"]"#, "", 2);
    assert!(told.contains("stream `associations:contacts:products` cannot be read"), "{told}");
    assert!(told.contains("the account defines no association of `contacts` with `products`"), "{told}");
    let told = run(&workspace, r#"["products", "associations:{contacts,line_items}:{products,companies}"]"#, "", 0);
    assert_eq!(tables(&workspace), [CONTACTS_TO_COMPANIES, "objects_products"]);
    assert!(!told.contains("not in this account"), "{told}");
    let told = run(&workspace, r#"["associations:contacts"]"#, "", 2);
    assert!(told.contains("name both ends; `associations:contacts:*` is all of that type"), "{told}");
    let told = run(&workspace, r#"["associations:contacts:compnies"]"#, "", 2);
    assert!(told.contains("did you mean `associations:contacts:companies`?"), "{told}");
}

/// Of two directions that the file does not tell apart, the one that takes fewer requests, until tables have the other.
#[test]
fn the_direction_of_an_association_stays() {
    const EITHER: &str = r#"["associations:{contacts,companies}:{contacts,companies}"]"#;
    const OTHERS: [&str; 2] = ["associations_companies_to_companies", "associations_contacts_to_contacts"];
    let workspace = Workspace::new();
    run(&workspace, EITHER, "", 0);
    assert_eq!(tables(&workspace), [OTHERS[0], "associations_companies_to_contacts", OTHERS[1]]);
    run(&workspace, r#"["associations:0-1:0-2"]"#, "", 0);
    assert_eq!(tables(&workspace), [CONTACTS_TO_COMPANIES]);
    run(&workspace, EITHER, "", 0);
    assert_eq!(tables(&workspace), [OTHERS[0], CONTACTS_TO_COMPANIES, OTHERS[1]]);
}

/// Real errors among those that say that a record has none.
#[test]
fn an_answer_that_refuses_some_records_is_asked_for_again_and_then_ends_the_run() {
    let streams = r#"["contacts", "associations:contacts:companies"]"#;
    let sound = Workspace::new();
    run(&sound, streams, "", 0);
    let error = || FaultAction::InputErrors { category: "INTERNAL_ERROR".to_owned(), every: 7 };
    // The trial is the first.
    let workspace = faulty(BATCH, 1..3, error());
    run(&workspace, streams, "", 0);
    assert_eq!(rows(&workspace, CONTACTS_TO_COMPANIES, &LINK), rows(&sound, CONTACTS_TO_COMPANIES, &LINK));
    assert_eq!(workspace.report()["api"]["retries"], 2);

    let workspace = faulty(BATCH, 1..u64::MAX, error());
    let told = run(&workspace, streams, "[run]\npatience = \"1s\"\n", 1);
    assert!(told.contains("links of stream `associations:contacts:companies`"), "{told}");
    assert!(told.contains("records (INTERNAL_ERROR)"), "{told}");
    assert!(!workspace.path().join("tables/objects_contacts").exists(), "nothing is left");
}

/// Sources differ on what the newer version of the API has: HubSpot's own word decides, and the older one helps out.
#[test]
fn what_links_mean_is_asked_of_the_version_that_says_it() {
    let workspace = with(hubspot::Options { labels_in_september: false, ..portal() });
    run(&workspace, r#"["associations:contacts:companies"]"#, "", 0);
    let sound = Workspace::new();
    run(&sound, r#"["associations:contacts:companies"]"#, "", 0);
    assert_eq!(rows(&workspace, CONTACTS_TO_COMPANIES, &LINK), rows(&sound, CONTACTS_TO_COMPANIES, &LINK));
    let asked = workspace.hubspot.requests();
    let labels = asked.iter().filter(|request| request.path.ends_with("/labels"));
    assert_eq!(labels.map(|request| request.status).collect::<Vec<_>>(), [Some(404), Some(200)]);
}

/// One company with hundreds of contacts, told in pages of seven.
#[test]
fn links_that_come_in_pages_are_those_that_come_at_once() {
    let streams = r#"["associations:companies:contacts"]"#;
    let of = |association_page| {
        let data = data::Options { contacts: 600, crowd: 500, ..data::Options::default() };
        let workspace = with(hubspot::Options { association_page, data, ..portal() });
        run(&workspace, streams, "", 0);
        let links = rows(&workspace, "associations_companies_to_contacts", &LINK);
        let requests = workspace.hubspot.requests();
        (links, requests.iter().filter(|request| request.path.contains("/0-2/0-1/batch/read")).count())
    };
    let (at_once, in_pages) = (of(500), of(7));
    assert!(at_once.0 == in_pages.0 && at_once.0.len() > 1000, "{} and {}", at_once.0.len(), in_pages.0.len());
    // One is the trial; the ids of 120 companies are asked for at once.
    assert_eq!(at_once.1, 2);
    assert!(in_pages.1 > 500 / 7, "{}", in_pages.1);
}

#[test]
fn what_the_token_may_not_see_is_named_and_empties_nothing() {
    let objects = ["contacts", "companies", "deals"].map(|name| format!("crm.objects.{name}.read"));
    let scopes: Vec<&str> = objects.iter().map(String::as_str).collect();
    let workspace = scoped(&scopes);
    let streams = r#"["contacts", "associations:contacts:{deals,tickets}", "list[s_]*", "owners"]"#;
    let told = run(&workspace, streams, "", 2);
    assert!(told.contains("stream `owners` cannot be read") && told.contains("crm.objects.owners.read"), "{told}");
    let told = run(&workspace, &streams.replace(", \"owners\"", ""), "", 0);
    let line = "left out, since the token may not see them (`sluice check` says what mends it): \
                `associations:contacts:tickets`, `list_memberships:contacts`, `lists`";
    assert!(told.contains(line), "{told}");
    let reason = workspace.report()["unreadable"][0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("its end `tickets`: "), "{reason}");
    assert_eq!(tables(&workspace), ["associations_contacts_to_deals", "objects_contacts"]);

    let told = run(&workspace, r#"["list_memberships"]"#, "", 2);
    assert!(
        told.contains("stream `list_memberships:contacts` cannot be read") && told.contains("crm.lists.read"),
        "{told}"
    );
}

/// A token that loses a scope leaves the tables as they were.
#[test]
fn a_table_whose_lists_may_not_be_seen_any_more_grows_old() {
    let refusal = FaultAction::Status { status: 403, body: FaultBody::Json, retry_after: None };
    // Discovery asks once in each run.
    let workspace = faulty("/lists/2026-09/search", 1..u64::MAX, refusal);
    let streams = r#"["contacts", "list_memberships:*"]"#;
    run(&workspace, streams, "", 0);
    let before = rows(&workspace, "list_memberships", &["listId", "objectId"]);
    assert!(before.len() > 100);
    let told = run(&workspace, streams, "", 3);
    assert!(told.contains("`list_memberships`"), "{told}");
    assert_eq!(rows(&workspace, "list_memberships", &["listId", "objectId"]), before);
}

/// Types that the token may not see any more have lists all the same: their members do not vanish from the table of all.
#[test]
fn members_of_types_that_are_hidden_now_are_not_lost() {
    let refusal = FaultAction::Status { status: 403, body: FaultBody::Json, retry_after: None };
    let workspace = faulty("/crm-object-schemas/", 1..u64::MAX, refusal);
    let columns = ["listId", "objectTypeId", "objectId"];
    run(&workspace, r#"["list_memberships"]"#, "", 0);
    let before = rows(&workspace, "list_memberships", &columns);
    assert!(before.iter().any(|row| row[1] == "2-13370001"));
    let told = run(&workspace, r#"["list_memberships", "owners"]"#, "", 3);
    assert!(
        told.contains("kept as run") && told.contains("`list_memberships`") && told.contains("2-13370001"),
        "{told}"
    );
    assert_eq!(rows(&workspace, "list_memberships", &columns), before);
    assert_eq!(tables(&workspace), ["list_memberships", "owners"]);

    // Where there was no table yet, it is written without them, and that is told.
    let refusal = FaultAction::Status { status: 403, body: FaultBody::Json, retry_after: None };
    let first = faulty("/crm-object-schemas/", 0..u64::MAX, refusal);
    let told = run(&first, r#"["list_memberships"]"#, "", 0);
    assert!(told.contains("without what this token may not see: `2-13370001`"), "{told}");
    let rest: BTreeSet<Vec<String>> = before.into_iter().filter(|row| row[1] != "2-13370001").collect();
    assert_eq!(rows(&first, "list_memberships", &columns), rest);
}

#[test]
fn members_are_the_same_by_list_and_by_record() {
    let by_list = Workspace::new();
    run(&by_list, r#"["list_memberships"]"#, "", 0);
    let paths = |workspace: &Workspace, part: &str| {
        workspace.hubspot.requests().iter().filter(|request| request.path.contains(part)).count()
    };
    assert_eq!(paths(&by_list, "/records/memberships/batch/read"), 0);
    let members = rows(&by_list, "list_memberships", &["listId", "objectTypeId", "objectId"]);
    let types: BTreeSet<&String> = members.iter().map(|row| &row[1]).collect();
    assert_eq!(types.len(), 4, "{types:?}");

    let by_record = Workspace::new();
    run(&by_record, r#"["contacts", "companies", "list_memberships"]"#, "", 0);
    assert!(paths(&by_record, "/records/memberships/batch/read") > 0);
    assert_eq!(rows(&by_record, "list_memberships", &["listId", "objectTypeId", "objectId"]), members);
    let of_type = |type_id: &str| members.iter().filter(|row| row[1] == type_id).count();
    let report = by_record.report();
    let told = |stream: &str| {
        let mut streams = report["streams"].as_array().unwrap().iter();
        streams.find(|it| it["stream"] == stream).unwrap()["rows_read"].clone()
    };
    assert_eq!(told("list_memberships:contacts"), json!(of_type("0-1")));
    assert_eq!(told("list_memberships:companies"), json!(of_type("0-2")));

    // One table, which is not written by half.
    let output = by_record.sluice(&["run", "pipeline.toml", "--only", "list_memberships:contacts"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("feeds `list_memberships` and no table of its own"), "{told}");
    let output = by_record.sluice(&["run", "pipeline.toml", "--only", "list_memberships"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(rows(&by_record, "list_memberships", &["listId", "objectTypeId", "objectId"]), members);
}

#[test]
fn a_list_that_is_deleted_while_its_members_are_read_is_named() {
    let sound = Workspace::new();
    run(&sound, r#"["list_memberships"]"#, "", 0);
    let members = rows(&sound, "list_memberships", &["listId", "objectId"]);
    let list = members.iter().next().unwrap()[0].clone();
    let path = format!("/lists/2026-09/{list}/memberships");
    let workspace = faulty(&path, 0..1, FaultAction::ListDeleted { list_id: list.clone() });
    let told = run(&workspace, r#"["list_memberships"]"#, "", 0);
    assert!(told.contains("deleted while their members were read") && told.contains(&format!("`{list}`")), "{told}");
    let report = workspace.report();
    let deleted = report["streams"].as_array().unwrap().iter().flat_map(|stream| stream["deleted"].as_array().unwrap());
    assert_eq!(deleted.collect::<Vec<_>>(), [&json!(list)]);
    let rest: BTreeSet<Vec<String>> = members.into_iter().filter(|row| row[0] != list).collect();
    assert_eq!(rows(&workspace, "list_memberships", &["listId", "objectId"]), rest);
}

#[test]
fn the_guard_judges_links_in_each_table_that_they_stand_in() {
    let workspace = Workspace::new();
    let marked = "[[mark]]\nstreams = [\"associations\"]\ncolumns = [\"label\"]\nmarks = [\"phi\"]\n";
    let source = workspace.source("streams = [\"associations:contacts:companies\"]");
    let sink = |lines: &str| format!("{}{lines}\n", workspace.file_sink());
    for (layout, table) in [("individual", CONTACTS_TO_COMPANIES), ("combined", "associations")] {
        workspace.pipeline(&[&source, marked, &sink(&format!("layout = \"{layout}\""))]);
        let output = workspace.sluice(&["plan", "pipeline.toml"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(&format!("column `label` of table `{table}` would carry the mark `phi`")), "{told}");
    }
    workspace.pipeline(&[&source, marked, &sink("layout = \"both\"\naccepts = [\"phi\"]")]);
    assert!(workspace.sluice(&["run", "pipeline.toml"]).status.success());
    let own = rows(&workspace, CONTACTS_TO_COMPANIES, &LINK);
    let combined =
        rows(&workspace, "associations", &["fromObjectId", "toObjectId", "associationTypeId", "associationCategory"]);
    assert!(own == combined && own.len() > 300, "{}", own.len());
}

/// Everything that the account has, with a token that may read a part of it.
#[test]
fn all_is_what_the_token_may_read() {
    let scopes =
        ["crm.objects.contacts.read", "crm.objects.companies.read", "crm.lists.read", "crm.objects.owners.read"];
    let workspace = scoped(&scopes);
    let told = run(&workspace, r#"["*"]"#, "", 0);
    assert!(told.contains("`tickets`"), "{told}");
    let all = tables(&workspace);
    for table in [
        "association_definitions",
        "associations_companies_to_companies",
        "associations_companies_to_contacts",
        "list_memberships",
        "lists",
        "objects_companies",
        "objects_contacts",
        "owner_teams",
        "owners",
        "pipelines",
        "property_definitions",
    ] {
        assert!(all.contains(&table.to_owned()), "{table} is not in {all:?}");
    }
    let hidden = ["deals", "tickets", "teams", "users"];
    let of_hidden = all.iter().filter(|table| hidden.iter().any(|hidden| table.ends_with(hidden)));
    assert_eq!(of_hidden.collect::<Vec<_>>(), ["owner_teams"]);
    let json_of = |arguments: &[&str]| -> Value {
        let output = workspace.sluice(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let found = json_of(&["discover", "pipeline.toml", "--format", "json"]);
    let pairs = found["streams"].as_array().unwrap().iter().filter(|it| it["kind"] == "associations");
    let readable = pairs.filter(|it| it["columns"].is_array()).count();
    assert!(readable > all.iter().filter(|table| table.starts_with("associations_")).count(), "both directions");
    // What is discovered suffices to plan with, without a token.
    workspace.write("schema.json", found.to_string());
    let offline = json_of(&["plan", "pipeline.toml", "--offline", "--schema", "schema.json", "--format", "json"]);
    assert_eq!(offline["streams"], json_of(&["plan", "pipeline.toml", "--format", "json"])["streams"]);
}
