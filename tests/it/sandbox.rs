//! Plugins against the sandbox: what they are refused, and how that is told.
//!
//! The plugin is nearly always the same one (`tests/guests/evil`), told by its settings what to break.

mod answers;
mod compiling;
mod limits;
mod loading;
mod words;

use std::sync::{Arc, OnceLock};

use sluice_model::schema::{ColumnType, Field, Schema, attribute};
use sluice_sandbox::{Call, Engine, Instance, Limits, Plugin, PluginError, PluginErrorKind, Setup};

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};

use crate::guests;

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(None).unwrap())
}

fn plugin() -> &'static Plugin {
    static PLUGIN: OnceLock<Plugin> = OnceLock::new();
    PLUGIN.get_or_init(|| Plugin::load(engine(), "evil", guests::evil(), None).unwrap())
}

fn setup() -> Setup {
    Setup::new(plugin().clone())
}

/// One column of each type; the first is never absent.
fn schema() -> Schema {
    Schema {
        name: "contacts".to_owned(),
        fields: vec![
            Field::new("objectId", ColumnType::Integer).required().with(attribute::KEY, "true"),
            Field::new("property_email", ColumnType::Text).with(attribute::LABEL, "E-mail"),
            Field::new("property_amount", ColumnType::Float),
            Field::new("property_active", ColumnType::Boolean),
            Field::new("property_born", ColumnType::Date),
            Field::new("property_seen", ColumnType::Timestamp),
        ],
        attributes: [("kind".to_owned(), "objects".to_owned())].into(),
    }
}

const ROWS: usize = 10;

/// A batch of the schema.
fn columns() -> Vec<ArrayRef> {
    let rows = || (0..ROWS as i64).map(|row| (row % 4 != 3).then_some(row));
    vec![
        Arc::new(Int64Array::from_iter_values(0..ROWS as i64)),
        Arc::new(rows().map(|row| row.map(|row| format!("Row{row}@example.org"))).collect::<StringArray>()),
        Arc::new(rows().map(|row| row.map(|row| row as f64 / 2.0)).collect::<Float64Array>()),
        Arc::new(rows().map(|row| row.map(|row| row % 2 == 0)).collect::<BooleanArray>()),
        Arc::new(rows().map(|row| row.map(|row| row as i32 * 365)).collect::<Date32Array>()),
        Arc::new(rows().collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
    ]
}

/// Settings that make the plugin behave so, everywhere or in one call, with a column of the schema.
fn settings(behave: &str, call: Option<&str>, column: usize) -> String {
    let call = call.map(|call| format!(r#", "in": "{call}""#)).unwrap_or_default();
    format!(r#"{{"behave": "{behave}", "column": "{column}"{call}}}"#)
}

fn open(limits: &Limits, settings: &str) -> Result<Instance, PluginError> {
    setup().with_limits(limits.clone()).with_settings(settings).instance(false)
}

/// Everything that is done with an instance, with one batch.
fn run(limits: &Limits, behave: &str, call: Option<&str>, column: usize) -> Result<Instance, PluginError> {
    let mut instance = open(limits, &settings(behave, call, column))?;
    instance.outline_of(&schema())?;
    instance.apply(0, ROWS, &columns()[column..=column])?;
    Ok(instance)
}

fn failure(limits: &Limits, behave: &str, call: Option<&str>, column: usize) -> PluginError {
    run(limits, behave, call, column).expect_err(behave)
}

/// What an error says after the plugin's name and digest.
fn told(error: &PluginError) -> String {
    let text = error.to_string();
    let start = format!("plugin `evil` ({}) in ", plugin().digest().short());
    text.strip_prefix(&start).unwrap_or_else(|| panic!("no name and digest: {text}")).to_owned()
}

#[test]
fn a_well_behaved_plugin_gets_its_columns_and_nothing_else() {
    for column in 1..6 {
        let mut instance = open(&Limits::default(), &settings("", None, column)).unwrap();
        let outline = instance.outline_of(&schema()).unwrap();
        assert_eq!(outline.groups, [[column]]);
        let batch = columns();
        let outcome = instance.apply(0, ROWS, &batch[column..=column]).unwrap();
        assert_eq!(&outcome.computed[0], &batch[column]);
        assert!(outcome.keep.is_none() && outcome.rejections.is_empty());
        // Part of a batch, as when it is split to find the row that traps.
        let part = batch[column].slice(3, 5);
        assert_eq!(&instance.apply(0, 5, &[Arc::clone(&part)]).unwrap().computed[0], &part);
        assert!(!instance.is_spent());
    }
}

#[test]
fn a_failed_instance_is_not_called_again_and_a_new_one_works() {
    let mut instance = open(&Limits::default(), &settings("trap", Some("apply"), 1)).unwrap();
    instance.outline_of(&schema()).unwrap();
    let error = instance.apply(0, ROWS, &columns()[1..=1]).unwrap_err();
    assert!(matches!(error.kind, PluginErrorKind::Trapped { .. }), "{error}");
    assert!(instance.is_spent());
    let error = instance.apply(0, ROWS, &columns()[1..=1]).unwrap_err();
    assert_eq!((error.call, error.kind), (Call::Apply, PluginErrorKind::Spent));
    run(&Limits::default(), "", None, 1).unwrap();
}

#[test]
fn an_answer_that_breaks_a_rule_spends_the_instance_too() {
    let mut instance = open(&Limits::default(), &settings("utf8", None, 1)).unwrap();
    instance.outline_of(&schema()).unwrap();
    instance.apply(0, ROWS, &columns()[1..=1]).unwrap_err();
    assert!(instance.is_spent());
}

#[test]
fn instances_share_nothing() {
    let mut one = open(&Limits::default(), &settings("", None, 1)).unwrap();
    let mut two = open(&Limits::default(), &settings("", None, 2)).unwrap();
    assert_ne!(one.outline_of(&schema()).unwrap(), two.outline_of(&schema()).unwrap());
}

#[test]
fn a_call_out_of_turn_is_the_hosts_mistake_and_reaches_no_plugin() {
    let mut instance = open(&Limits::default(), &settings("", None, 1)).unwrap();
    let misused = |error: PluginError| matches!(error.kind, PluginErrorKind::Misused(_));
    assert!(misused(instance.apply(0, ROWS, &columns()[1..=1]).unwrap_err()), "no outline yet");
    instance.outline_of(&schema()).unwrap();
    assert!(misused(instance.outline_of(&schema()).unwrap_err()), "a second outline");
    assert!(misused(instance.apply(1, ROWS, &columns()[1..=1]).unwrap_err()), "no such group");
    assert!(misused(instance.apply(0, 0, &[columns()[1].slice(0, 0)]).unwrap_err()), "no rows");
    assert!(misused(instance.apply(0, ROWS, &columns()[2..=2]).unwrap_err()), "another type");
    assert!(misused(instance.apply(0, ROWS, &columns()[1..=2]).unwrap_err()), "a column too many");
    assert!(misused(instance.apply(0, ROWS - 1, &columns()[1..=1]).unwrap_err()), "another length");
    assert!(!instance.is_spent());
    instance.apply(0, ROWS, &columns()[1..=1]).unwrap();
}

#[test]
fn plugins_and_instances_go_to_other_threads() {
    fn goes<T: Send>(_: &T) {}
    fn is_shared<T: Send + Sync + Clone>(_: &T) {}
    is_shared(engine());
    is_shared(plugin());
    goes(&open(&Limits::default(), "{}").unwrap());
}
