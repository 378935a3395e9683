//! Answers that break a rule of the contract.

use sluice_sandbox::{Limits, PluginErrorKind};

use super::{ROWS, columns, failure, open, run, schema, settings, told};

/// Each wrong outline, and what is told of it.
const OUTLINES: [(&str, &str); 17] = [
    (
        "table-name",
        "it names the table `contacts; drop`: a name is 1 to 255 of the characters `A-Z`, `a-z`, `0-9` and `_`, and does not start with `_`",
    ),
    (
        "column-name",
        "it names a column `_hidden`: a name is 1 to 255 of the characters `A-Z`, `a-z`, `0-9` and `_`, and does not start with `_`",
    ),
    ("same-name", "it gives two columns the name `OBJECTID` (case does not count)"),
    ("no-such-field", "group 0 points to column 1000 of an input that has 6"),
    ("no-such-group", "output `property_email` points to group 0 of an outline that has 0"),
    ("no-such-selection", "the selection points to group 7 of an outline that has 1"),
    ("read-twice", "group 0 reads column 1 twice"),
    ("idle-group", "group 1 computes nothing and selects nothing"),
    ("no-columns", "it leaves no column"),
    ("many-columns", "it has more than 16384 columns"),
    ("code", "`Not A Code` is no rejection code: a code is 1 to 64 of the characters `a-z`, `0-9` and `-`"),
    (
        "format",
        "column `property_email` has the format `w:16\\u{202e}`, which is none of `b`, `l`, `g`, `u`, `tdD`, `tsu:UTC`",
    ),
    (
        "mark",
        "column `property_email`: `Not A Mark` is no mark: a mark is 1 to 64 of the characters `a-z`, `0-9` and `_`",
    ),
    ("attribute-twice", "column `property_email`: two attributes of one name"),
    ("many-attributes", "column `property_email`: more than 64 attributes"),
    ("refuse", ""),
    ("trap", ""),
];

#[test]
fn every_wrong_outline_is_refused_with_its_rule() {
    for (behave, rule) in OUTLINES {
        let error = failure(&Limits::default(), behave, Some("outline"), 1);
        match error.kind {
            PluginErrorKind::Outline(_) => {
                assert_eq!(told(&error), format!("`outline-of`: its outline breaks the contract: {rule}"), "{behave}");
            }
            PluginErrorKind::Failed { .. } | PluginErrorKind::Trapped { .. } => assert!(rule.is_empty(), "{error}"),
            _ => panic!("{error}"),
        }
    }
}

/// Each wrong outcome, the column it is tried on, and what is told of it.
const OUTCOMES: [(&str, usize, &str); 25] = [
    ("few-columns", 1, "it did not return the 1 columns that the group computes"),
    ("many-columns", 1, "it did not return the 1 columns that the group computes"),
    ("few-buffers", 1, "column `property_email`: there are not 3 buffers"),
    ("many-buffers", 2, "column `property_amount`: there are not 2 buffers"),
    ("validity-size", 1, "column `property_email`: its validity is neither empty nor 2 bytes"),
    ("validity-size", 3, "column `property_active`: its validity is neither empty nor 2 bytes"),
    ("value-size", 2, "column `property_amount`: its values are not 80 bytes"),
    ("value-size", 3, "column `property_active`: its values are not 2 bytes"),
    ("value-size", 4, "column `property_born`: its values are not 40 bytes"),
    ("value-size", 5, "column `property_seen`: its values are not 80 bytes"),
    ("more-values", 5, "column `property_seen`: its values are not 80 bytes"),
    ("value-size", 1, "column `property_email`: its offsets are not 44 bytes"),
    ("more-values", 1, "column `property_email`: its offsets are not 44 bytes"),
    (
        "offset-start",
        1,
        "column `property_email`: its offsets do not start at 0, decrease, or lead past the end of its data",
    ),
    (
        "offset-order",
        1,
        "column `property_email`: its offsets do not start at 0, decrease, or lead past the end of its data",
    ),
    (
        "offset-negative",
        1,
        "column `property_email`: its offsets do not start at 0, decrease, or lead past the end of its data",
    ),
    (
        "offset-end",
        1,
        "column `property_email`: its offsets do not start at 0, decrease, or lead past the end of its data",
    ),
    ("utf8", 1, "column `property_email`: a value is not UTF-8"),
    ("keep-size", 1, "`keep` is neither empty nor 2 bytes, a bit for each of 10 rows"),
    ("keep-undeclared", 1, "it filtered or rejected rows in a group that its outline does not let select"),
    ("reject-undeclared", 1, "it filtered or rejected rows in a group that its outline does not let select"),
    ("reject-row", 1, "it rejected a row that is not among the 10 it was given"),
    ("reject-order", 1, "its rejections are not in ascending order of rows, each row at most once"),
    ("reject-twice", 1, "its rejections are not in ascending order of rows, each row at most once"),
    ("reject-code", 1, "it rejected a row with a code that is not among the 1 its outline declares"),
];

#[test]
fn every_wrong_outcome_is_refused_with_its_rule() {
    for (behave, column, rule) in OUTCOMES {
        let error = failure(&Limits::default(), behave, Some("apply"), column);
        assert_eq!(told(&error), format!("`apply`: it broke the contract: {rule}"), "{behave}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn a_null_where_the_outline_has_none_is_refused() {
    let mut input = schema();
    input.fields[2] = input.fields[2].clone().required();
    let mut instance = open(&Limits::default(), &settings("null", Some("apply"), 2)).unwrap();
    instance.outline_of(&input).unwrap();
    let error = instance.apply(0, ROWS, &columns()[2..=2]).unwrap_err();
    assert_eq!(
        told(&error),
        "`apply`: it broke the contract: column `property_amount`: a value is absent, and the outline says that none is"
    );
    run(&Limits::default(), "null", Some("apply"), 2).unwrap();
}

#[test]
fn rows_are_selected_by_bitmap_and_rejection() {
    let mut instance = open(&Limits::default(), &settings("select", Some("apply"), 1)).unwrap();
    let outline = instance.outline_of(&schema()).unwrap();
    assert_eq!((outline.selects, outline.rejection_codes), (Some(0), vec!["bad-row".to_owned()]));
    let outcome = instance.apply(0, ROWS, &columns()[1..=1]).unwrap();
    assert_eq!(outcome.keep.unwrap().set_indices().collect::<Vec<_>>(), [0, 2, 4, 6, 8]);
    let rejected: Vec<_> = outcome.rejections.iter().map(|rejection| (rejection.row, rejection.code)).collect();
    assert_eq!(rejected, [(0, 0), (9, 0)]);
}

#[test]
fn the_same_schema_gets_the_same_outline_and_another_may_not() {
    // The sandbox leaves an outline nothing to depend on but settings, attachments and schema. What the planner compares
    // is whole outlines, so that one that changes with a label is caught when the label changed between plan and run.
    let outline_of = |input: &_| {
        open(&Limits::default(), &settings("label", Some("outline"), 1)).unwrap().outline_of(input).unwrap()
    };
    let mut relabelled = schema();
    relabelled.fields[0] = relabelled.fields[0].clone().with("label", "Record ID");
    assert_eq!(outline_of(&schema()), outline_of(&schema()));
    assert_ne!(outline_of(&schema()), outline_of(&relabelled));
}
