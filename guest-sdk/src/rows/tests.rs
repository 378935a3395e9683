use serde_json::{Value as Json, json};

use crate::prelude::*;
use crate::testing::{Error, Report, plugin};

/// Rejects orders without a customer, drops those of no worth, and rounds and labels the others.
struct Orders;

impl Plugin for Orders {
    type Settings = NoSettings;

    fn open(_: NoSettings, _: Attachments) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn outline(&self, input: &Schema) -> Result<Outline, Failure> {
        let mut outline = Outline::keep_all(input);
        let mut rows = Rows::of(input);
        let customer = rows.read::<str>("customer")?;
        let amount = rows.read::<f64>("amount")?;
        let rounded = rows.change::<f64>("amount")?;
        let label = rows.write::<str>(Field::new("label", DataType::Text).not_null())?;
        let note = rows.write::<str>(Field::new("note", DataType::Text))?;
        rows.may_drop();
        rows.may_reject("no-customer");
        outline.rows(rows, move |row| {
            let Some(customer) = row.get(customer) else {
                row.set(note, "not seen");
                return Verdict::reject("no-customer", "an order has a customer");
            };
            match row.get(amount) {
                None => row.set_null(note),
                Some(0.0) => return Verdict::Drop,
                Some(amount) => {
                    row.set(rounded, amount.round());
                    row.set(note, "first");
                    row.set(note, "a longer one");
                }
            }
            row.set(label, customer);
            Verdict::Keep
        })?;
        Ok(outline)
    }
}

fn run(rows: &[Json]) -> Result<Report, Error> {
    let schema = Schema::new("orders")
        .with(Field::new("customer", DataType::Text))
        .with(Field::new("amount", DataType::Float64));
    plugin::<Orders>(json!({})).run(&schema, rows)
}

#[test]
fn rows_are_changed_dropped_and_rejected() {
    let report = run(&[
        json!({"customer": "ada", "amount": 1.6}),
        json!({"customer": "bob", "amount": 0.0}),
        json!({"customer": null, "amount": 9.0}),
        json!({"customer": "cyd", "amount": null}),
    ])
    .unwrap();
    assert_eq!(
        report.rows,
        [
            json!({"customer": "ada", "amount": 2.0, "label": "ada", "note": "a longer one"}),
            json!({"customer": "cyd", "amount": null, "label": "cyd", "note": null}),
        ]
    );
    assert_eq!(report.dropped, [1]);
    assert_eq!((report.rejected[0].row, report.rejected[0].code.as_str()), (2, "no-customer"));
    assert_eq!(report.reads("label"), ["customer", "amount"]);
    assert_eq!(report.chosen_by(), ["customer", "amount"]);
}

#[test]
fn what_is_not_set_keeps_its_value() {
    let report = run(&[json!({"customer": "ada", "amount": 3.0})]).unwrap();
    assert_eq!(report.rows[0]["amount"], 3.0);
}

#[track_caller]
fn check_refused(declare: impl Fn(&mut Rows) -> Result<(), Failure>, message: &str) {
    let input = Schema::new("orders").with(Field::new("amount", DataType::Float64));
    assert_eq!(declare(&mut Rows::of(&input)).unwrap_err().message(), message);
}

#[test]
fn mistakes_in_a_declaration_are_named() {
    check_refused(|rows| rows.read::<str>("amuont").map(drop), "`orders` has no column `amuont`; it has `amount`");
    check_refused(
        |rows| rows.change::<i64>("amount").map(drop),
        "column `amount` of `orders` holds 64-bit floats, not 64-bit integers",
    );
    check_refused(
        |rows| rows.write::<bool>(Field::new("paid", DataType::Text)).map(drop),
        "column `paid` is declared to hold text, but written with booleans",
    );
}

#[derive(Deserialize, JsonSchema)]
struct Answer {
    drop: bool,
}

/// Answers with a verdict that it did not declare.
struct Answering(bool);

impl Plugin for Answering {
    type Settings = Answer;

    fn open(settings: Answer, _: Attachments) -> Result<Self, Failure> {
        Ok(Self(settings.drop))
    }

    fn outline(&self, input: &Schema) -> Result<Outline, Failure> {
        let mut outline = Outline::keep_all(input);
        let (rows, drop) = (Rows::of(input), self.0);
        outline.rows(rows, move |_| if drop { Verdict::Drop } else { Verdict::reject("bad", "") })?;
        Ok(outline)
    }
}

#[test]
fn undeclared_verdicts_are_named() {
    let schema = Schema::new("orders").with(Field::new("amount", DataType::Float64));
    let run =
        |drop: bool| plugin::<Answering>(json!({"drop": drop})).run(&schema, &[json!({})]).unwrap_err().to_string();
    assert!(run(true).ends_with("drops rows without declaring it with `filtering`"), "{}", run(true));
    assert!(
        run(false).ends_with("rejects a row with the code `bad` without declaring it with `rejecting`"),
        "{}",
        run(false)
    );
}
