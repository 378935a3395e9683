use std::cell::Cell;

use serde_json::{Value as Json, json};

use super::{Error, Rejected, Report, check, plugin};
use crate::prelude::*;
use crate::{contract, log};

type ToOutline = fn(&Schema) -> Result<Outline, Failure>;

thread_local! {
    /// What the next plugin does; a plugin is opened by type alone, so a test cannot hand it over.
    static OUTLINE: Cell<ToOutline> = const { Cell::new(|input| Ok(Outline::keep_all(input))) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

/// A plugin that is a function from a schema to an outline.
struct Adapter(ToOutline);

impl Plugin for Adapter {
    type Settings = NoSettings;

    fn open(_: NoSettings, _: Attachments) -> Result<Self, Failure> {
        Ok(Self(OUTLINE.get()))
    }

    fn outline(&self, input: &Schema) -> Result<Outline, Failure> {
        (self.0)(input)
    }
}

fn schema() -> Schema {
    Schema::new("things")
        .with(Field::new("id", DataType::Text).not_null())
        .with(Field::new("text", DataType::Text).with_mark("phi").with_attribute(attribute::LABEL, "Text"))
        .with(Field::new("flag", DataType::Boolean))
        .with(Field::new("count", DataType::Int64))
        .with(Field::new("ratio", DataType::Float64))
        .with(Field::new("day", DataType::Date))
        .with(Field::new("at", DataType::Timestamp))
}

fn rows() -> Vec<Json> {
    vec![
        json!({"id": "1", "text": "é", "flag": true, "count": -5, "ratio": 0.5, "day": "2026-09-01", "at": "2026-09-01T00:00:00.000000Z"}),
        json!({"id": "2", "text": null, "flag": null, "count": null, "ratio": null, "day": null, "at": null}),
        json!({"id": "3", "text": "", "flag": false, "count": 7, "ratio": -1.0, "day": "1969-12-31", "at": "1969-12-31T23:59:59.999999Z"}),
    ]
}

fn run(outline: ToOutline) -> Result<Report, Error> {
    OUTLINE.set(outline);
    plugin::<Adapter>(json!({})).run(&schema(), &rows())
}

/// The values of one column of the output.
fn values(report: &Report, column: &str) -> Vec<Json> {
    report.rows.iter().map(|row| row[column].clone()).collect()
}

#[track_caller]
fn check_failure(outline: ToOutline, message: &str) {
    assert_eq!(run(outline).unwrap_err().to_string(), message);
}

#[test]
fn kept_columns_come_out_as_they_went_in() {
    let report = run(|input| Ok(Outline::keep_all(input))).unwrap();
    assert_eq!(report.rows, rows());
    assert_eq!(report.fields, schema().fields);
    assert_eq!(report.table, "things");
}

#[test]
fn copied_columns_come_out_as_they_went_in() {
    let report = run(|input| {
        let mut outline = Outline::keep_none(input);
        for field in &input.fields {
            outline.keep(&field.name)?;
            let name = field.name.clone();
            outline.compute([&field.name], outline.in_place(&field.name)?, move |batch| batch.copy(&name))?;
        }
        Ok(outline)
    })
    .unwrap();
    assert_eq!(report.rows, rows());
}

#[test]
fn columns_are_dropped_renamed_and_nulled() {
    let report = run(|input| {
        let mut outline = Outline::keep_all(input);
        outline.drop("flag")?.rename("text", "words")?.rename_table("stuff")?;
        for column in ["count", "ratio", "day", "at"] {
            outline.null(column)?;
        }
        Ok(outline)
    })
    .unwrap();
    assert_eq!(report.table, "stuff");
    assert_eq!(report.columns(), ["id", "words", "count", "ratio", "day", "at"]);
    assert_eq!(report.rows[0], json!({"id": "1", "words": "é", "count": null, "ratio": null, "day": null, "at": null}));
    assert_eq!((report.reads("words"), report.reads("day")), (&["text".to_owned()][..], &[][..]));
}

#[test]
fn columns_are_computed_in_place() {
    let report = run(|input| {
        let mut outline = Outline::keep_all(input);
        outline
            .map_text("text", |text| (!text.is_empty()).then(|| text.to_uppercase()))?
            .rename("text", "loud")?
            .map_text_into("id", |id, out| {
                out.push('#');
                out.push_str(id);
            })?
            .map_values("flag", |flag: bool| Some(!flag))?
            .map_values("count", |count: i64| (count > 0).then_some(count))?
            .map_values("ratio", |ratio: f64| Some(ratio * 2.0))?
            .map_values("day", |day: Date| Date::from_year_month_day(day.year_month_day().0, 1, 1))?
            .map_values("at", |at: Timestamp| Some(Timestamp::from_micros(at.micros() + 1)))?;
        Ok(outline)
    })
    .unwrap();
    assert_eq!(values(&report, "loud"), [json!("É"), json!(null), json!(null)]);
    assert_eq!(values(&report, "id"), ["#1", "#2", "#3"]);
    assert_eq!(values(&report, "flag"), [json!(false), json!(null), json!(true)]);
    assert_eq!(values(&report, "count"), [json!(null), json!(null), json!(7)]);
    assert_eq!(values(&report, "ratio"), [json!(1.0), json!(null), json!(-2.0)]);
    assert_eq!(values(&report, "day"), [json!("2026-01-01"), json!(null), json!("1969-01-01")]);
    assert_eq!(report.rows[2]["at"], "1970-01-01T00:00:00.000000Z");

    let loud = report.field("loud").unwrap();
    assert_eq!((loud.attributes.get(attribute::LABEL), loud.has_mark("phi")), (Some("Text"), true));
    assert_eq!(report.reads("loud"), ["text"]);
    assert!(!report.field("id").unwrap().nullable);
}

#[test]
fn a_group_computes_several_columns_in_any_order() {
    let report = run(|input| {
        let mut outline = Outline::keep_all(input);
        let group = Group::reading(["id", "count"])
            .computing(Field::new("label", DataType::Text))
            .computing(outline.in_place("id")?);
        outline.group(group, |batch: &Batch| {
            let id = batch.view::<str>("id")?;
            let mut label = Builder::<str>::with_text_capacity(batch.rows(), batch.rows() * 4);
            for (id, count) in id.iter().zip(batch.view::<i64>("count")?.iter()) {
                match (id, count) {
                    (Some(id), Some(count)) => label.push_with(|text| text.extend([id, "=", &count.to_string()])),
                    _ => label.push_null(),
                }
            }
            Ok(Outcome::of([label.finish(), id.map_into(|id, out| out.extend([id, id]))]))
        })?;
        Ok(outline)
    })
    .unwrap();
    assert_eq!(report.columns(), ["id", "text", "flag", "count", "ratio", "day", "at", "label"]);
    assert_eq!(values(&report, "id"), ["11", "22", "33"]);
    assert_eq!(values(&report, "label"), [json!("1=-5"), json!(null), json!("3=7")]);
    assert_eq!(report.reads("id"), ["id", "count"]);
}

#[test]
fn a_group_drops_and_rejects() {
    let report = run(|input| {
        let mut outline = Outline::keep_all(input);
        let group = Group::reading(["count"]).filtering().rejecting("no-count");
        outline.group(group, |batch: &Batch| {
            let count = batch.view::<i64>("count")?;
            let mut selection =
                Selection::keep(count.iter().map(|count| count.is_none_or(|count| count < 0)).collect());
            for (row, _) in count.iter().enumerate().filter(|(_, count)| count.is_none()) {
                selection.reject(row, "no-count", "needs a count");
            }
            Ok(selection.into())
        })?;
        Ok(outline)
    })
    .unwrap();
    assert_eq!(report.rows, rows()[..1]);
    assert_eq!(report.dropped, [2]);
    assert_eq!(
        report.rejected,
        [Rejected { row: 1, code: "no-count".to_owned(), message: "needs a count".to_owned() }]
    );
    assert_eq!(report.chosen_by(), ["count"]);
}

#[test]
fn the_log_is_kept() {
    let report = run(|input| {
        log::info(format_args!("{} columns", input.fields.len()));
        Ok(Outline::keep_all(input))
    })
    .unwrap();
    assert_eq!(report.log, [("info", "7 columns".to_owned())]);
}

#[test]
fn mistakes_in_an_outline_are_named() {
    check_failure(
        |input| Outline::keep_all(input).drop("txet").map(|_| Outline::keep_all(input)),
        "schema: `things` has no column `txet`; it has `text`",
    );
    check_failure(
        |input| {
            let mut outline = Outline::keep_all(input);
            outline.map_text("count", |text| Some(text.to_owned()))?;
            Ok(outline)
        },
        "schema: column `count` of `things` holds 64-bit integers, not text",
    );
    check_failure(
        |input| {
            let mut outline = Outline::keep_all(input);
            outline.rename("count", "Text")?;
            Ok(outline)
        },
        "settings: column `text` and column `count` of `things` would both be named `Text`",
    );
    check_failure(
        |input| {
            let mut outline = Outline::keep_all(input);
            outline.rename("count", "_count")?;
            Ok(outline)
        },
        "settings: column `count` cannot be renamed to `_count`: names that start with `_` belong to the host",
    );
    check_failure(
        |input| {
            let mut outline = Outline::keep_all(input);
            outline.null("text")?.map_text("text", |text| Some(text.to_owned()))?;
            Ok(outline)
        },
        "internal: the outline of `things` computes column `text` twice",
    );
    check_failure(
        |input| {
            let mut outline = Outline::keep_all(input);
            outline.drop("text")?.null("text")?;
            Ok(outline)
        },
        "internal: the outline of `things` computes column `text`, which it drops",
    );
    check_failure(
        |input| {
            let mut outline = Outline::keep_all(input);
            for column in ["id", "text"] {
                outline.group(Group::reading([column]).filtering(), |_: &Batch| Ok(Outcome::default()))?;
            }
            Ok(outline)
        },
        "internal: the outline of `things` has two groups that choose rows; one group must do both",
    );
}

#[test]
fn mistakes_in_an_outcome_are_named() {
    const GROUP: &str = "internal: the group that reads [`text`] and computes [`text`] ";
    fn with(compute: fn(&Batch) -> Result<Outcome, Failure>, input: &Schema) -> Result<Outline, Failure> {
        let mut outline = Outline::keep_all(input);
        outline.group(Group::reading(["text"]).computing(Field::new("text", DataType::Text).not_null()), compute)?;
        Ok(outline)
    }
    check_failure(
        |input| with(|_| Ok(Outcome::default()), input),
        &format!("{GROUP}answers with 0 columns; it declares 1"),
    );
    check_failure(
        |input| with(|batch| Ok(Outcome::of(Column::nulls(&DataType::Date, batch.rows()))), input),
        &format!("{GROUP}computes dates for column `text`, which is declared to hold text"),
    );
    check_failure(
        |input| with(|_| Ok(Outcome::of(Column::nulls(&DataType::Text, 1))), input),
        &format!("{GROUP}computes 1 values for column `text`; the batch has 3 rows"),
    );
    check_failure(
        |input| with(|batch| Ok(Outcome::of([batch.copy("text")?])), input),
        &format!("{GROUP}computes 1 nulls for column `text`, which is declared to have none"),
    );
    check_failure(
        |input| {
            with(
                |batch| {
                    let text = batch.view::<str>("text")?.iter().map(|text| text.or(Some("")));
                    Ok(Outcome { computed: vec![text.collect()], selection: Selection::keep(Bitmap::filled(3, true)) })
                },
                input,
            )
        },
        &format!("{GROUP}drops rows without declaring it with `filtering`"),
    );
    check_failure(
        |input| with(|batch| batch.copy("id").map(|id| Outcome::of([id])), input),
        "internal: the group does not read column `id`; it reads [`text`]",
    );
}

#[test]
fn an_outcome_that_depends_on_other_rows_is_found() {
    check_failure(
        |input| {
            let mut outline = Outline::keep_all(input);
            outline.compute(["count"], Field::new("rows", DataType::Int64), |batch| {
                Ok((0..batch.rows()).map(|_| Some(batch.rows() as i64)).collect())
            })?;
            Ok(outline)
        },
        "the plugin breaks the contract: the outcome for row 0 changes when it is the only row of its batch",
    );
}

#[test]
fn an_outline_that_changes_is_found() {
    check_failure(
        |input| {
            let mut outline = Outline::keep_all(input);
            CALLS.set(CALLS.get() + 1);
            outline.rename("text", format!("text{}", CALLS.get()))?;
            Ok(outline)
        },
        "the plugin breaks the contract: the outline of a second instance differs from that of the first",
    );
}

#[test]
fn rows_that_do_not_fit_are_found() {
    OUTLINE.set(|input| Ok(Outline::keep_all(input)));
    let run = |row: Json| plugin::<Adapter>(json!({})).run(&schema(), &[row]).unwrap_err().to_string();
    assert_eq!(run(json!({})), "the test's rows do not fit its schema: row 0 has no `id`, which is not nullable");
    assert_eq!(
        run(json!({"id": "1", "day": "soon"})),
        "the test's rows do not fit its schema: row 0 has `day` = \"soon\"; the column holds dates"
    );
}

#[test]
fn a_column_of_an_unknown_format_can_only_be_kept() {
    let schema = Schema::new("things").with(Field::new("odd", DataType::Other("+l".to_owned())));
    OUTLINE.set(|input| Ok(Outline::keep_all(input)));
    assert!(plugin::<Adapter>(json!({})).run(&schema, &[json!({})]).is_ok());
    OUTLINE.set(|input| {
        let mut outline = Outline::keep_all(input);
        outline.null("odd")?;
        Ok(outline)
    });
    assert_eq!(
        plugin::<Adapter>(json!({})).run(&schema, &[json!({})]).unwrap_err().to_string(),
        "schema: column `odd` of `things` holds values of the unknown format `+l`, which cannot be nulled: drop it"
    );
}

/// An outcome of one text column, as a plugin without the SDK might answer it.
fn text_outcome(buffers: [&[u8]; 3]) -> contract::Outcome {
    let buffers = buffers.iter().map(|buffer| buffer.to_vec()).collect();
    contract::Outcome { keep: Vec::new(), computed: vec![contract::Column { buffers }], rejections: Vec::new() }
}

#[test]
fn lies_that_the_sdk_cannot_tell_are_found() {
    let outline = contract::Outline {
        name: "things".to_owned(),
        groups: vec![Vec::new(), Vec::new()],
        outputs: vec![contract::Output::Compute(contract::Computed {
            group: 0,
            field: Field::new("text", DataType::Text).not_null().into(),
        })],
        selects: Some(1),
        rejection_codes: vec!["bad".to_owned()],
        attributes: Vec::new(),
    };
    let good: [&[u8]; 3] = [&[], &[0, 0, 0, 0, 2, 0, 0, 0], "é".as_bytes()];
    let check_column = |buffers| check::outcome(&text_outcome(buffers), &outline, 0, 1);
    assert_eq!(check_column(good), Ok(()));
    assert_eq!(
        check_column([&[0], good[1], good[2]]).unwrap_err(),
        "column `text` has nulls, and is declared to have none"
    );
    assert_eq!(
        check_column([&[1, 1], good[1], good[2]]).unwrap_err(),
        "column `text` has a validity of the wrong length"
    );
    assert_eq!(
        check_column([&[], &good[1][1..], good[2]]).unwrap_err(),
        "column `text` has a buffer of the wrong length"
    );
    assert_eq!(check_column([&[], good[1], b"\xff\xff"]).unwrap_err(), "column `text` is not UTF-8");
    assert_eq!(
        check_column([&[], &[0, 0, 0, 0, 1, 0, 0, 0], good[2]]).unwrap_err(),
        "column `text` has an offset inside a character"
    );
    let three = check::outcome(&text_outcome([&[], &[0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0], good[2]]), &outline, 0, 2);
    assert_eq!(three.unwrap_err(), "column `text` has offsets that descend");

    let choose = |group, keep: &[u8], rejected: &[(u32, u32)]| {
        let rejections =
            rejected.iter().map(|(row, code)| contract::Rejection { row: *row, code: *code, message: String::new() });
        let outcome = contract::Outcome { keep: keep.to_vec(), rejections: rejections.collect(), ..text_outcome(good) };
        let outcome = if group == 1 { contract::Outcome { computed: Vec::new(), ..outcome } } else { outcome };
        check::outcome(&outcome, &outline, group, 1)
    };
    assert_eq!(choose(1, &[1], &[(0, 0)]), Ok(()));
    assert_eq!(choose(0, &[1], &[]).unwrap_err(), "group 0 chooses rows; the outline does not declare it");
    assert_eq!(choose(0, &[], &[(0, 0)]).unwrap_err(), "group 0 chooses rows; the outline does not declare it");
    assert_eq!(choose(1, &[1, 1], &[]).unwrap_err(), "the bitmap of kept rows has 2 bytes for 1 rows");
    assert_eq!(choose(1, &[], &[(1, 0)]).unwrap_err(), "row 1 is rejected; the batch has 1");
    assert_eq!(choose(1, &[], &[(0, 1)]).unwrap_err(), "a row is rejected with the undeclared code 1");
    assert_eq!(choose(1, &[], &[(0, 0), (0, 0)]).unwrap_err(), "rejections are not in ascending order of rows");
}

#[test]
fn outlines_that_the_sdk_cannot_make_are_refused() {
    let wire = |groups: &[&[u32]], outputs: Vec<contract::Output>, selects| contract::Outline {
        name: "things".to_owned(),
        groups: groups.iter().map(|reads| reads.to_vec()).collect(),
        outputs,
        selects,
        rejection_codes: Vec::new(),
        attributes: Vec::new(),
    };
    let keep = |input, name: &str| contract::Output::Keep(contract::Kept { input, name: name.to_owned() });
    let compute = |group, data_type| {
        contract::Output::Compute(contract::Computed { group, field: Field::new("new", data_type).into() })
    };
    let check = |outline: contract::Outline| check::outline(&outline, &schema());
    assert_eq!(check(wire(&[&[0, 1]], vec![keep(6, "a"), compute(0, DataType::Text)], Some(0))), Ok(()));
    assert_eq!(check(wire(&[&[7]], vec![], None)).unwrap_err(), "group 0 reads column 7; the input has 7");
    assert_eq!(check(wire(&[&[1, 1]], vec![], None)).unwrap_err(), "group 0 reads column 1 twice");
    assert_eq!(check(wire(&[], vec![keep(7, "a")], None)).unwrap_err(), "column 7 is kept; the input has 7");
    assert_eq!(
        check(wire(&[], vec![compute(0, DataType::Text)], None)).unwrap_err(),
        "group 0 computes a column; there are 0"
    );
    assert_eq!(check(wire(&[], vec![keep(0, "a"), keep(1, "A")], None)).unwrap_err(), "two columns are named `A`");
    assert_eq!(check(wire(&[], vec![], Some(0))).unwrap_err(), "the group that chooses rows does not exist");
    let odd = DataType::Other("+l".to_owned());
    assert_eq!(
        check(wire(&[&[]], vec![compute(0, odd)], None)).unwrap_err(),
        "column `new` has the unknown format `+l`"
    );
}
