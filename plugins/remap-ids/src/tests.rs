use sluice_guest::prelude::*;
use sluice_guest::serde_json::{Value as Json, json};
use sluice_guest::testing::{self, Error, Report};

use crate::RemapIds;

/// A stream of one object type, as the host describes it.
fn objects(name: &str, object_type: &str) -> Schema {
    let text = |name: &str| Field::new(name, DataType::Text);
    Schema::new(name)
        .with_attribute(attribute::KIND, "objects")
        .with_attribute(attribute::OBJECT_TYPE_ID, object_type)
        .with(
            text("objectTypeId")
                .not_null()
                .with_attribute(attribute::KEY, "true")
                .with_attribute(attribute::OBJECT_TYPE, "true"),
        )
        .with(
            text("objectId")
                .not_null()
                .with_attribute(attribute::KEY, "true")
                .with_attribute(attribute::REFERENCES, object_type),
        )
        .with(text("property_name").with_attribute(attribute::LABEL, "Name"))
        .with(Field::new("property_hs_object_id", DataType::Float64).with_attribute(attribute::REFERENCES, object_type))
        .with(
            text("property_hubspot_owner_id")
                .with_attribute(attribute::REFERENCES, "owner")
                .with_attribute(attribute::LABEL, "Owner"),
        )
        .with(
            text("property_hs_merged_object_ids")
                .with_attribute(attribute::REFERENCES, object_type)
                .with_attribute(attribute::SEPARATOR, ";"),
        )
        .with(Field::new("property_associatedcompanyid", DataType::Int64).with_attribute(attribute::REFERENCES, "0-2"))
}

fn row(object_type: &str, id: &str) -> Json {
    json!({"objectTypeId": object_type, "objectId": id})
}

fn mapped() -> Json {
    json!({
        "types": {"2-12345": "2-67890"},
        "records": {"0-1": {"101": "9001", "102": "9002"}, "2-12345": {"7": "70"}, "owner": {"5": "50"}, "0-2": {"33": "330"}},
    })
}

fn with(mut settings: Json, name: &str, value: Json) -> Json {
    settings[name] = value;
    settings
}

fn run(settings: Json, schema: &Schema, rows: &[Json]) -> Result<Report, Error> {
    testing::plugin::<RemapIds>(settings).run(schema, rows)
}

/// Checks what settings, on their own or with attachments, are refused with.
#[track_caller]
fn check_refused(settings: Json, attachments: &[(&str, &str)], message: &str) {
    let plugin = attachments
        .iter()
        .fold(testing::plugin::<RemapIds>(settings), |plugin, (name, bytes)| plugin.attach(name, bytes));
    assert_eq!(plugin.run(&objects("contacts", "0-1"), &[]).unwrap_err().to_string(), format!("settings: {message}"));
}

#[test]
fn one_mapping_serves_keys_and_all_that_refers_to_them() {
    let rows = [json!({
        "objectTypeId": "0-1",
        "objectId": "101",
        "property_name": "101",
        "property_hs_object_id": 101.0,
        "property_hubspot_owner_id": "5",
        "property_hs_merged_object_ids": "102;103;101",
        "property_associatedcompanyid": 33,
    })];
    let report = run(mapped(), &objects("contacts", "0-1"), &rows).unwrap();
    assert_eq!(
        report.rows,
        [json!({
            "objectTypeId": "0-1",
            "objectId": "9001",
            "property_name": "101",
            "property_hs_object_id": 9001.0,
            "property_hubspot_owner_id": "50",
            "property_hs_merged_object_ids": "9002;103;9001",
            "property_associatedcompanyid": 330,
        })]
    );
    assert_eq!(report.table, "contacts");
    assert!(report.chosen_by().is_empty());
    for field in &report.fields {
        assert_eq!(report.reads(&field.name), [field.name.as_str()], "each column depends on itself alone");
    }
    let owner = report.field("property_hubspot_owner_id").unwrap();
    assert_eq!((owner.references(), owner.attributes.get(attribute::LABEL)), (Some("owner"), Some("Owner")));
    assert!(!report.field("objectId").unwrap().nullable && report.field("objectId").unwrap().is_key());
}

#[test]
fn a_type_and_its_table_are_renamed_everywhere() {
    let settings = with(mapped(), "tables", json!({"2-12345": "objects_vehicle"}));
    let schema = objects("vehicles", "2-12345");
    let report = run(settings.clone(), &schema, &[row("2-12345", "7"), row("2-12345", "8")]).unwrap();
    assert_eq!(report.table, "objects_vehicle");
    assert_eq!(report.rows[0]["objectTypeId"], "2-67890");
    assert_eq!((&report.rows[0]["objectId"], &report.rows[1]["objectId"]), (&json!("70"), &json!("8")));
    for column in ["objectId", "property_hs_object_id", "property_hs_merged_object_ids"] {
        assert_eq!(report.field(column).unwrap().references(), Some("2-67890"), "{column}");
    }

    let history = Schema::new("vehicles_history").with_attribute(attribute::OBJECT_TYPE_ID, "2-12345");
    assert_eq!(
        run(settings, &history, &[]).unwrap().table,
        "vehicles_history",
        "only the table of the objects themselves"
    );
}

#[test]
fn what_refers_to_a_renamed_type_says_so_though_its_ids_stay() {
    let settings = json!({"types": {"2-12345": "2-67890"}});
    let report = run(settings, &objects("vehicles", "2-12345"), &[row("2-12345", "7")]).unwrap();
    assert_eq!(report.rows[0]["objectId"], "7");
    assert_eq!(report.field("objectId").unwrap().references(), Some("2-67890"));
    assert_eq!(report.field("property_hubspot_owner_id").unwrap().references(), Some("owner"));
}

#[test]
fn references_without_a_mapping_become_null() {
    let settings = with(mapped(), "unmapped_references", json!("null"));
    let rows = [
        json!({
            "objectTypeId": "0-1",
            "objectId": "999",
            "property_hs_object_id": 999.5,
            "property_hubspot_owner_id": "6",
            "property_hs_merged_object_ids": "103;104",
            "property_associatedcompanyid": 34,
        }),
        json!({"objectTypeId": "0-1", "objectId": "101", "property_hs_merged_object_ids": "103;102;"}),
    ];
    let report = run(settings, &objects("contacts", "0-1"), &rows).unwrap();
    assert_eq!(
        report.rows[0],
        json!({
            "objectTypeId": "0-1",
            "objectId": "999",
            "property_name": null,
            "property_hs_object_id": null,
            "property_hubspot_owner_id": null,
            "property_hs_merged_object_ids": null,
            "property_associatedcompanyid": null,
        })
    );
    assert_eq!(report.rows[1]["property_hs_merged_object_ids"], "9002;");
}

#[test]
fn keys_cannot_become_null() {
    assert_eq!(
        run(with(mapped(), "unmapped", json!("null")), &objects("contacts", "0-1"), &[]).unwrap_err().to_string(),
        "settings: column `objectId` of `contacts` is part of the table's key and cannot be null: set `unmapped` to `reject` or \
         `keep`, and `unmapped_references` to `null` for the columns that are no keys"
    );
    let owners_only = json!({"records": {"owner": {"5": "50"}}, "unmapped": "null"});
    assert!(run(owners_only, &objects("contacts", "0-1"), &[]).is_ok(), "no key holds the ids of owners");
}

#[test]
fn rows_with_an_id_that_is_not_mapped_are_rejected() {
    let rows = [
        row("0-1", "101"),
        row("0-1", "999"),
        json!({"objectTypeId": "0-1", "objectId": "102", "property_hubspot_owner_id": "6"}),
        json!({"objectTypeId": "0-1", "objectId": "102", "property_hs_merged_object_ids": "101;103"}),
        json!({"objectTypeId": "0-1", "objectId": "102", "property_associatedcompanyid": 34}),
        json!({"objectTypeId": "0-1", "objectId": "102", "property_hs_object_id": 102.5}),
        json!({"objectTypeId": "0-1", "objectId": "998", "property_hubspot_owner_id": "6"}),
    ];
    let report = run(with(mapped(), "unmapped", json!("reject")), &objects("contacts", "0-1"), &rows).unwrap();
    assert_eq!(report.rows.len(), 1);
    let rejected: Vec<_> = report
        .rejected
        .iter()
        .map(|rejected| (rejected.row, rejected.code.as_str(), rejected.message.as_str()))
        .collect();
    assert_eq!(
        rejected,
        [
            (1, "unmapped-id", "column `objectId` holds an id that the mapping lacks"),
            (2, "unmapped-id", "column `property_hubspot_owner_id` holds an id that the mapping lacks"),
            (3, "unmapped-id", "column `property_hs_merged_object_ids` holds an id that the mapping lacks"),
            (4, "unmapped-id", "column `property_associatedcompanyid` holds an id that the mapping lacks"),
            (5, "unmapped-id", "column `property_hs_object_id` holds an id that the mapping lacks"),
            (6, "unmapped-id", "column `objectId` holds an id that the mapping lacks"),
        ]
    );
    assert_eq!(report.reads("objectId"), ["objectId"], "the key depends on itself alone all the same");
    assert_eq!(report.chosen_by().len(), 5);
}

#[test]
fn keys_alone_can_reject() {
    let settings = with(with(mapped(), "unmapped", json!("reject")), "unmapped_references", json!("keep"));
    let rows = [json!({"objectTypeId": "0-1", "objectId": "101", "property_hubspot_owner_id": "6"}), row("0-1", "999")];
    let report = run(settings, &objects("contacts", "0-1"), &rows).unwrap();
    assert_eq!(report.rows[0]["property_hubspot_owner_id"], "6");
    assert_eq!((report.rejected.len(), report.chosen_by()), (1, &["objectId".to_owned()][..]));
}

#[test]
fn unmapped_types_are_those_of_custom_objects() {
    let settings = json!({"types": {"2-12345": "2-67890"}, "unmapped": "reject"});
    let definitions = Schema::new("definitions").with(
        Field::new("objectTypeId", DataType::Text)
            .not_null()
            .with_attribute(attribute::OBJECT_TYPE, "true")
            .with_attribute(attribute::KEY, "true"),
    );
    let rows = ["0-1", "2-12345", "2-99999"].map(|object_type| json!({"objectTypeId": object_type}));
    let report = run(settings.clone(), &definitions, &rows).unwrap();
    assert_eq!(report.rows, [json!({"objectTypeId": "0-1"}), json!({"objectTypeId": "2-67890"})]);
    assert_eq!((report.rejected[0].row, report.rejected[0].code.as_str()), (2, "unmapped-type"));

    let contacts = run(settings, &objects("contacts", "0-1"), &[row("0-1", "1")]).unwrap();
    assert!(contacts.chosen_by().is_empty(), "a stream of contacts cannot hold a type that is not mapped");
}

#[test]
fn mappings_come_from_attachments_too() {
    let plugin = testing::plugin::<RemapIds>(json!({
        "types_attachment": "types", "records_attachment": "records", "records": {"0-1": {"1": "10"}}, "unmapped": "reject",
    }))
    .attach("types", "old_type_id,new_type_id\n2-12345,2-67890\n")
    .attach("records", "\u{feff}object_type_id, old_id, new_id\r\n2-12345, 7 ,\"70\"\r\n0-1,2,20\r\n");
    let vehicles = plugin.run(&objects("vehicles", "2-12345"), &[row("2-12345", "7")]).unwrap();
    assert_eq!((&vehicles.rows[0]["objectTypeId"], &vehicles.rows[0]["objectId"]), (&json!("2-67890"), &json!("70")));
    let contacts =
        plugin.run(&objects("contacts", "0-1"), &[row("0-1", "1"), row("0-1", "2"), row("0-1", "3")]).unwrap();
    assert_eq!(contacts.rows.iter().map(|row| &row["objectId"]).collect::<Vec<_>>(), ["10", "20"]);
}

#[test]
fn mistakes_in_attachments_are_named_by_line_and_never_by_id() {
    let records = |csv| (json!({"records_attachment": "records"}), [("records", csv)]);
    let check = |csv, message: &str| {
        let (settings, attachments) = records(csv);
        check_refused(settings, &attachments, message);
    };
    check("object_type_id,old_id\n", "line 1 of `records` is not `object_type_id,old_id,new_id`");
    check("", "line 1 of `records` is not `object_type_id,old_id,new_id`");
    check("object_type_id,old_id,new_id\n0-1,1,10\n0-1,2\n", "line 3 of `records` has 2 values instead of 3");
    check(
        "object_type_id,old_id,new_id\n0-1,1,10\n0-1,1,11\n",
        "line 3 of `records` maps an id that line 2 of `records` maps already",
    );
    check(
        "object_type_id,old_id,new_id\n0-1,1,10\n\n0-1,2,10\n",
        "line 2 of `records` and line 4 of `records` map two ids to one: two records would become one",
    );
    check("object_type_id,old_id,new_id\n\r\n\r\n0-1,2\n", "line 4 of `records` has 2 values instead of 3");
    check("object_type_id,old_id,new_id\n0-1,1,\n", "line 2 of `records`: an id is empty");
    check(
        "object_type_id,old_id,new_id\ncontacts,1,10\n",
        "line 2 of `records`: records are mapped by an object type id such as `0-1`, or by `owner`, `user`, `team`, `list`",
    );
    check_refused(
        json!({"records_attachment": "records"}),
        &[],
        "attachment `records` is missing; the transform has none",
    );
    check_refused(
        mapped(),
        &[("key", "x")],
        "attachment `key` has no use: name it with `types_attachment` or `records_attachment`",
    );
}

#[test]
fn the_same_id_of_two_types_is_two_ids() {
    let settings = json!({"records_attachment": "records"});
    let csv = "object_type_id,old_id,new_id\n0-1,1,10\n0-2,1,10\n";
    assert!(testing::plugin::<RemapIds>(settings).attach("records", csv).run(&objects("contacts", "0-1"), &[]).is_ok());
}

#[test]
fn settings_are_strict() {
    check_refused(json!({}), &[], "there is nothing to remap: give `types`, `records` or `tables`, or an attachment");
    check_refused(
        json!({"types": {"2-1": "2-3", "2-2": "2-3"}}),
        &[],
        "`types.2-1` and `types.2-2` map two ids to one: two records would become one",
    );
    check_refused(
        json!({"types": {"vehicle": "2-3"}}),
        &[],
        "`types.vehicle` does not map an object type id such as `2-12345` to another",
    );
    check_refused(
        json!({"records": {"0-1": {"1": "10"}}, "records_attachment": "more"}),
        &[("more", "object_type_id,old_id,new_id\n0-1,1,11\n")],
        "line 2 of `more` maps an id that `records.0-1.1` maps already",
    );
    check_refused(
        json!({"tables": {"2-1": "objects_a", "2-2": "Objects_A"}}),
        &[],
        "`tables.2-1` and `tables.2-2` give two tables the name `Objects_A`",
    );
    check_refused(json!({"tables": {"a": "b"}}), &[], "`tables.a` is not named by an object type id such as `2-12345`");
    check_refused(
        json!({"types": {"2-1": "2-2"}, "unmapped": "drop"}),
        &[],
        "`unmapped`: unknown variant `drop`, expected one of `keep`, `null`, `reject`",
    );
    assert_eq!(
        run(json!({"tables": {"0-1": "my table"}}), &objects("contacts", "0-1"), &[]).unwrap_err().to_string(),
        "settings: a table cannot be named `my table`: only letters, digits and `_` of ASCII are allowed"
    );
}

#[test]
fn columns_that_cannot_hold_the_new_ids_are_named() {
    let run = |new: &str| {
        run(json!({"records": {"0-1": {"101": new}}}), &objects("contacts", "0-1"), &[]).unwrap_err().to_string()
    };
    assert_eq!(
        run("token"),
        "schema: column `property_hs_object_id` of `contacts` holds numbers, and a new id is none"
    );
    let lists = Schema::new("lists").with(
        Field::new("members", DataType::Text)
            .with_attribute(attribute::REFERENCES, "0-1")
            .with_attribute(attribute::SEPARATOR, ";"),
    );
    let settings = json!({"records": {"0-1": {"101": "a;b"}}});
    assert_eq!(
        self::run(settings, &lists, &[]).unwrap_err().to_string(),
        "schema: column `members` of `lists` separates its ids by `;`, which stands in a new id"
    );
    let dates = Schema::new("odd").with(Field::new("day", DataType::Date).with_attribute(attribute::REFERENCES, "0-1"));
    assert_eq!(
        self::run(json!({"records": {"0-1": {"101": "1"}}}), &dates, &[]).unwrap_err().to_string(),
        "schema: column `day` of `odd` holds dates, which are no ids"
    );
}
