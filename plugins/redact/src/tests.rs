use sluice_guest::prelude::*;
use sluice_guest::serde_json::{Value as Json, json};
use sluice_guest::testing::{self, Error, Report};

use crate::Redact;

fn contacts() -> Schema {
    let text = |name: &str| Field::new(name, DataType::Text);
    Schema::new("contacts")
        .with(text("objectTypeId").not_null().with_attribute(attribute::KEY, "true"))
        .with(
            text("objectId")
                .not_null()
                .with_attribute(attribute::KEY, "true")
                .with_attribute(attribute::REFERENCES, "0-1"),
        )
        .with(text("property_email").with_mark("phi").with_attribute(attribute::LABEL, "E-mail"))
        .with(text("property_phone"))
        .with(text("property_notes"))
        .with(text("property_hubspot_owner_id").with_attribute(attribute::REFERENCES, "owner"))
        .with(Field::new("property_weight", DataType::Float64).with_mark("phi"))
        .with(Field::new("property_born", DataType::Date).with_mark("sensitive"))
}

fn row() -> Json {
    json!({
        "objectTypeId": "0-1",
        "objectId": "2025550123",
        "property_email": "Ada@Example.com",
        "property_phone": "555-123-4567",
        "property_notes": "Call 555-123-4567 or ada@example.com, MRN-123456",
        "property_hubspot_owner_id": "2025550123",
        "property_weight": 61.5,
        "property_born": "1956-07-29",
    })
}

#[expect(clippy::needless_pass_by_value, reason = "a test hands over what `json!` makes")]
fn run(rules: Json) -> Result<Report, Error> {
    testing::plugin::<Redact>(json!({ "rules": rules }))
        .run(&contacts(), &[row(), json!({"objectTypeId": "0-1", "objectId": "2"})])
}

#[track_caller]
fn check_refused(rules: Json, message: &str) {
    assert_eq!(run(rules).unwrap_err().to_string(), message);
}

/// Checks what the first row's value of a column becomes.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "a test hands over what `json!` makes")]
fn check(rules: Json, column: &str, value: Json) {
    let report = run(rules).unwrap();
    assert_eq!(report.rows[0][column], value);
    assert!(report.rows[1][column].is_null(), "a null stays a null");
    assert!(report.reads(column).iter().all(|read| read == column), "a column depends on itself at most");
}

#[test]
fn of_two_spellings_that_meet_both_are_redacted() {
    let text = |name: &str| Field::new(name, DataType::Text);
    let input = Schema::new("contacts")
        .with(text("property_email"))
        .with(text("property_email_969ccbd3").with_attribute(attribute::SHARED_NAME, "property_Email"))
        .with(text("property_fax"));
    for named in ["property_Email", "property_email", "property_ema?l"] {
        let rules = json!({ "rules": [{ "columns": [named], "action": "drop" }] });
        let report = testing::plugin::<Redact>(rules).run(&input, &[json!({ "property_fax": "1" })]).unwrap();
        assert_eq!(report.rows[0], json!({ "property_fax": "1" }), "{named}");
    }
    // What is to be left alone has to be named as it is.
    let rules = json!({ "rules": [{ "columns": ["property_*"], "except": ["property_Email"], "action": "drop" }] });
    let report = testing::plugin::<Redact>(rules).run(&input, &[json!({ "property_email": "1" })]).unwrap();
    assert_eq!(report.rows[0], json!({ "property_email": "1" }));
}

#[test]
fn columns_are_dropped() {
    let report = run(json!([{"columns": ["property_*"], "except": ["*phone"], "action": "drop"}])).unwrap();
    assert_eq!(report.columns(), ["objectTypeId", "objectId", "property_phone"]);
}

#[test]
fn columns_are_nulled() {
    let report = run(json!([{"marks": ["phi"], "action": "null"}])).unwrap();
    assert_eq!((&report.rows[0]["property_email"], &report.rows[0]["property_weight"]), (&Json::Null, &Json::Null));
    assert_eq!(report.rows[0]["property_born"], "1956-07-29");
    assert!(report.reads("property_email").is_empty());
    assert!(!report.field("property_email").unwrap().has_mark("phi"), "what depends on nothing carries no mark");
    assert_eq!(report.field("property_email").unwrap().attributes.get("label"), Some("E-mail"));
}

#[test]
fn columns_are_masked() {
    let mask = |mask: Json| json!([{"columns": ["property_phone"], "action": {"mask": mask}}]);
    check(mask(json!({"text": "[redacted]"})), "property_phone", json!("[redacted]"));
    check(mask(json!({"keep_last": 4})), "property_phone", json!("********4567"));
    check(mask(json!({"keep_first": 3, "keep_last": 2, "character": "x"})), "property_phone", json!("555xxxxxxx67"));
}

#[test]
fn free_text_is_scrubbed() {
    let scrub = |scrub: Json| json!([{"columns": ["property_notes"], "action": {"scrub": scrub}}]);
    check(
        scrub(
            json!({"patterns": ["email", "phone", "us_ssn", "card"], "custom": [{"name": "mrn", "pattern": r"MRN-\d+"}]}),
        ),
        "property_notes",
        json!("Call [phone] or [email], [mrn]"),
    );
    check(
        scrub(
            json!({"patterns": ["email"], "custom": [{"name": "mrn", "pattern": "MRN-[0-9]+", "replacement": "<mrn>"}], "replacement": "***"}),
        ),
        "property_notes",
        json!("Call 555-123-4567 or ***, <mrn>"),
    );
}

#[test]
fn scrubs_of_one_column_add_up() {
    let rules = json!([
        {"columns": ["property_notes"], "action": {"scrub": {"patterns": ["email", "phone"]}}},
        {"columns": ["property_n*"], "action": {"scrub": {"patterns": ["phone"], "custom": [{"name": "mrn", "pattern": "MRN"}]}}},
    ]);
    check(rules, "property_notes", json!("Call [phone] or [email], [mrn]-123456"));
}

#[test]
fn what_overlaps_is_replaced_as_a_whole() {
    let custom = json!([{"name": "middle", "pattern": "4567 or ada@example"}, {"name": "com", "pattern": "com"}]);
    let scrub = json!({"patterns": ["email", "phone"], "custom": custom});
    check(
        json!([{"columns": ["property_notes"], "action": {"scrub": scrub}}]),
        "property_notes",
        json!("Call [phone], MRN-123456"),
    );
}

#[test]
fn findings_without_a_character_are_none() {
    check(
        json!([{"columns": ["property_phone"], "action": {"scrub": {"custom": [{"name": "edge", "pattern": r"\b"}]}}}]),
        "property_phone",
        json!("555-123-4567"),
    );
}

#[test]
fn the_strictest_action_counts() {
    let scrub = json!({"columns": ["property_email"], "action": {"scrub": {"patterns": ["email"]}}});
    let mask = json!({"columns": ["property_e*"], "action": {"mask": {"text": "x"}}});
    let nulled = json!({"marks": ["phi"], "action": "null"});
    let dropped = json!({"columns": ["*_email"], "action": "drop"});
    check(json!([scrub, mask]), "property_email", json!("x"));
    check(json!([nulled, scrub, mask]), "property_email", json!(null));
    let report = run(json!([scrub, dropped, mask, nulled])).unwrap();
    assert_eq!(report.field("property_email"), None);
}

#[test]
fn a_scrub_of_many_columns_leaves_ids_and_numbers_alone() {
    let report = run(json!([{"columns": ["*"], "action": {"scrub": {"patterns": ["phone", "email"]}}}])).unwrap();
    assert_eq!(report.rows[0]["objectId"], "2025550123");
    assert_eq!(report.rows[0]["property_hubspot_owner_id"], "2025550123");
    assert_eq!(report.rows[0]["property_email"], "[email]");
    assert_eq!(
        report.log,
        [(
            "info",
            "`rules[0]` (scrub) leaves 5 columns of `contacts` alone that do not hold free text: `objectTypeId`, `objectId`, \
             `property_hubspot_owner_id`, `property_weight`, `property_born`"
                .to_owned()
        )]
    );
    check(
        json!([{"columns": ["property_hubspot_owner_id"], "action": {"scrub": {"patterns": ["phone"]}}}]),
        "property_hubspot_owner_id",
        json!("[phone]"),
    );
}

#[test]
fn what_is_left_of_an_id_refers_to_nothing() {
    let report = run(json!([{"columns": ["*owner_id"], "action": {"mask": {"keep_last": 2}}}])).unwrap();
    assert_eq!(report.field("property_hubspot_owner_id").unwrap().references(), None);
}

#[test]
fn names_match_whatever_their_case() {
    check(json!([{"columns": ["PROPERTY_PHONE"], "action": "null"}]), "property_phone", json!(null));
}

#[test]
fn what_selects_nothing_is_logged() {
    let report = run(json!([
        {"columns": ["property_phone", "property_ssn*"], "marks": ["phi", "secret"], "except": ["nothing"], "action": "null"},
        {"columns": ["property_ssn"], "required": false, "action": "drop"},
        {"columns": ["property_born"], "action": "null"},
    ]))
    .unwrap();
    assert_eq!(
        report.log,
        [
            "`rules[0]` (null): no column of `contacts` matches `property_ssn*`, the mark `secret`, `nothing`",
            "`rules[1]` (drop): no column of `contacts` matches `property_ssn`"
        ]
        .map(|line| ("info", line.to_owned()))
    );
}

#[test]
fn a_name_that_no_column_has_is_refused() {
    check_refused(
        json!([{"columns": ["property_fone"], "action": "null"}]),
        "schema: `rules[0]` (null): `contacts` has no column `property_fone`; it has `property_phone`, `property_notes`, \
         `property_born`; if not every stream has it, name those that have it in the transform's `streams`, or set \
         `required = false` for the rule",
    );
}

#[test]
fn what_selects_nothing_and_is_required_is_refused() {
    check_refused(
        json!([{"columns": ["property_phone", "property_ssn"], "marks": ["secret"], "required": true, "action": "null"}]),
        "schema: `rules[0]` (null) is required, but no column of `contacts` matches `property_ssn`, the mark `secret`",
    );
    assert!(run(json!([{"columns": ["property_phone"], "required": true, "action": "null"}])).is_ok());
}

#[test]
fn keys_stay_as_they_are() {
    for action in
        [json!("drop"), json!("null"), json!({"mask": {"text": "x"}}), json!({"scrub": {"patterns": ["phone"]}})]
    {
        let message = run(json!([{"columns": ["objectId"], "action": action}])).unwrap_err().to_string();
        assert!(
            message.ends_with(
                "selects column `objectId` of `contacts`, which is part of the table's key and must stay as it is: leave it out \
                 with `except`; to replace ids, use `remap-ids`"
            ),
            "{message}"
        );
    }
}

#[test]
fn only_text_is_masked_and_scrubbed() {
    check_refused(
        json!([{"columns": ["property_phone"], "action": "drop"}, {"marks": ["phi"], "action": {"mask": {"keep_last": 2}}}]),
        "schema: `rules[1]` (mask) selects column `property_weight` of `contacts`, which holds 64-bit floats, not text: use `null` \
         or `drop` for it, or leave it out with `except`",
    );
    check_refused(
        json!([{"columns": ["property_born"], "action": {"scrub": {"patterns": ["phone"]}}}]),
        "schema: `rules[0]` (scrub) selects column `property_born` of `contacts`, which holds dates, not text: use `null` or `drop` \
         for it, or leave it out with `except`",
    );
}

#[test]
fn contradictions_are_refused() {
    let mask = |text: &str| json!({"columns": ["property_phone"], "action": {"mask": {"text": text}}});
    check_refused(
        json!([mask("x"), mask("x"), mask("y")]),
        "schema: `rules[0]` (mask) and `rules[2]` (mask) mask column `property_phone` in different ways: leave it out of one of \
         them with `except`",
    );
    assert!(run(json!([mask("x"), mask("x")])).is_ok());
    let scrub = |replacement: &str| json!({"columns": ["property_notes"], "action": {"scrub": {"patterns": ["phone"], "replacement": replacement}}});
    check_refused(
        json!([scrub("x"), scrub("y")]),
        "schema: `rules[0]` (scrub) and `rules[1]` (scrub) scrub column `property_notes` with different patterns or replacements \
         named `phone`",
    );
}

#[test]
fn settings_are_strict() {
    let rule = |action: Json| json!([{"columns": ["a"], "action": action}]);
    check_refused(json!([]), "settings: `rules` is empty: without a rule nothing is redacted");
    check_refused(json!([{"action": "drop"}]), "settings: `rules[0]`: selects nothing: give it `columns` or `marks`");
    check_refused(
        json!([{"columns": ["a"], "action": "drop"}, {"column": ["a"], "action": "drop"}]),
        "settings: `rules[1].column`: unknown field `column`, expected one of `columns`, `marks`, `except`, `required`, `action`",
    );
    check_refused(
        rule(json!("hide")),
        "settings: `rules[0].action`: unknown variant `hide`, expected one of `drop`, `null`, `mask`, `scrub`",
    );
    check_refused(
        rule(json!({"mask": {}})),
        "settings: `rules[0]`: a mask needs `text`, or `keep_first` or `keep_last`",
    );
    check_refused(rule(json!({"scrub": {}})), "settings: `rules[0]`: a scrub needs `patterns` or `custom`");
    check_refused(
        rule(json!({"scrub": {"patterns": ["iban"]}})),
        "settings: `rules[0].action.scrub.patterns[0]`: unknown variant `iban`, expected one of `email`, `phone`, `us_ssn`, `card`",
    );
    check_refused(
        rule(json!({"scrub": {"patterns": ["card", "card"]}})),
        "settings: `rules[0]`: pattern `card` stands twice in one scrub",
    );
    check_refused(
        json!([{"columns": ["a[b"], "action": "drop"}]),
        "settings: `rules[0]`: `a[b` is not a glob: unclosed character class; missing ']'",
    );
}

#[test]
fn custom_patterns_are_checked() {
    let custom = |name: &str, pattern: &str| {
        run(json!([{"columns": ["a"], "action": {"scrub": {"custom": [{"name": name, "pattern": pattern}]}}}]))
            .unwrap_err()
            .to_string()
    };
    let start = "settings: `rules[0]`: custom pattern";
    assert_eq!(custom("email", "x"), format!("{start} `email` has the name of a pattern that `patterns` offers"));
    assert_eq!(custom("My ID", "x"), format!("{start} `My ID` needs a name of `a` to `z`, `0` to `9` and `_`"));
    assert_eq!(custom("a", "x*"), format!("{start} `a` matches the empty text"));
    assert!(custom("a", "(").starts_with(&format!("{start} `a` is not a regular expression: ")));
    assert!(custom("a", r"\w{1000}{1000}").starts_with(&format!("{start} `a` is not a regular expression: ")));
}

#[test]
fn attachments_are_refused() {
    let plugin = testing::plugin::<Redact>(json!({"rules": [{"columns": ["a"], "action": "drop"}]})).attach("key", "");
    assert_eq!(
        plugin.run(&contacts(), &[]).unwrap_err().to_string(),
        "settings: attachment `key` has no use: `redact` takes none"
    );
}
