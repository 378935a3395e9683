//! What an instance does without is no answer, if it was refused because others had it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands, which says what is wrong")]

use sluice_model::schema::{Attributes, ColumnType, Field, Schema};
use sluice_sandbox::{Call, Engine, Limits, MemoryBudget, Plugin, PluginErrorKind, Setup};

const PLUGIN: &str = include_str!("active_only.wat");
/// What `open` of the plugin does.
const OPEN: &str = "(i32.const 1040)";
/// It asks for 6 MiB more, and goes on whatever it gets.
const ASKS: &str = "(drop (memory.grow (i32.const 96)))";
const MIB: u64 = 1 << 20;

fn setup(text: &str) -> Setup {
    let bytes = wat::parse_str(text).unwrap();
    Setup::new(Plugin::load(&Engine::new(None).unwrap(), "greedy", &bytes, None).unwrap())
}

#[test]
fn an_instance_that_makes_do_with_less_than_it_asked_for() {
    let at_open = PLUGIN.replace(OPEN, &format!("{ASKS} {OPEN}"));
    let at_start = PLUGIN.replace("  ;; Any settings are fine.", &format!("(func $start {ASKS}) (start $start)"));
    for (text, call) in [(at_open, Call::Open), (at_start, Call::Instantiate)] {
        assert_ne!(text, PLUGIN);
        let setup = setup(&text);
        setup.instance(false).unwrap();
        // By its own limit it gets the same every time, so what it does then is what it does.
        setup.clone().with_limits(Limits { memory: MIB, ..Limits::default() }).instance(false).unwrap();
        let shared = MemoryBudget::new(8 * MIB);
        let setup = setup.with_memory(shared);
        let first = setup.instance(false).unwrap();
        let error = setup.instance(false).unwrap_err();
        assert_eq!(error.call, call);
        let PluginErrorKind::BudgetSpent(spent) = &error.kind else { panic!("{error}") };
        assert_eq!((spent.budget, &*spent.held[0].0), (8 * MIB, "greedy"));
        drop(first);
        setup.instance(false).unwrap();
    }
}

#[test]
fn tables_and_what_is_declared_are_memory_too() {
    let beside = |declared: &str| setup(&PLUGIN.replace("(global $free", &format!("{declared} (global $free")));
    let globals = "(global i64 (i64.const 1))".repeat(90_000);
    let functions = "(func)".repeat(50_000);
    let table = "(table 400000 funcref)".to_owned();
    // Each is two to four MiB for each instance.
    for declared in [globals, functions, table] {
        let setup = beside(&declared);
        let mut instances = Vec::new();
        let shared = setup.clone().with_memory(MemoryBudget::new(8 * MIB));
        let refused = loop {
            match shared.instance(false) {
                Ok(instance) => instances.push(instance),
                Err(error) => break error,
            }
            assert!(instances.len() < 8, "{declared:.20} is charged to nobody");
        };
        assert_eq!(refused.call, Call::Instantiate);
        assert!(matches!(refused.kind, PluginErrorKind::BudgetSpent(_)), "{refused}");
        assert!(!instances.is_empty());
        drop(instances);
        shared.instance(false).unwrap();
        let narrow = setup.with_limits(Limits { memory: MIB, ..Limits::default() });
        let refused = narrow.instance(false).unwrap_err();
        assert!(matches!(refused.kind, PluginErrorKind::OutOfMemory { limit: MIB }), "{refused}");
    }
}

#[test]
fn what_is_kept_of_an_outline_is_memory_too() {
    let fields = vec![Field::new("id", ColumnType::Text), Field::new("active", ColumnType::Boolean)];
    let schema = Schema { name: "people".to_owned(), fields, attributes: Attributes::new() };
    let setup = setup(PLUGIN);
    let within = |memory| setup.clone().with_limits(Limits { memory, ..Limits::default() }).instance(false);
    let (mut too_little, mut enough) = (0, MIB);
    while enough - too_little > 1 {
        let middle = u64::midpoint(too_little, enough);
        if within(middle).is_ok() { enough = middle } else { too_little = middle }
    }
    let refused = within(enough).unwrap().outline_of(&schema).unwrap_err();
    assert_eq!((refused.call, refused.kind), (Call::OutlineOf, PluginErrorKind::OutOfMemory { limit: enough }));
    within(enough + 1_000).unwrap().outline_of(&schema).unwrap();
}
