//! Small files that ask for much, and ordinary ones that do not.

use super::*;

fn weighed(text: &str) -> Result<u64, LoadError> {
    weigh(&wat::parse_str(text).unwrap())
}

/// Components within one another, each instantiating the one before twice; the first has what is given.
fn doubled(levels: usize, first: &str) -> String {
    let mut text = format!("(component (component $c0 {first})");
    for level in 1..=levels {
        let before = level - 1;
        text.push_str(&format!(
            "(component $c{level} (alias outer 1 $c{before} (component $it)) (instance (instantiate $it)) (instance (instantiate $it)))"
        ));
    }
    format!("{text} (instance (instantiate $c{levels})))")
}

fn function(locals: usize, body: &str) -> String {
    format!("(module (func (param i32) (local{}) {body}))", " i32".repeat(locals))
}

fn too_many(text: &str) -> (&'static str, u64) {
    match weighed(text) {
        Err(LoadError::TooMany { what, count, .. }) => (what, count),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_doubles_thirty_times_is_counted_and_not_expanded() {
    weighed(&doubled(7, "")).unwrap();
    // 2^30 of the first, as many but one of the others together, and the outermost.
    assert_eq!(too_many(&doubled(30, "")), ("instances of modules and components", 1 << 31));
    assert_eq!(too_many(&doubled(90, "")), ("instances of modules and components", u64::MAX));
}

#[test]
fn what_a_module_declares_is_counted_for_each_instance() {
    let globals = format!("(core module $m {})", "(global i32 (i32.const 0))".repeat(1_000));
    let instances = |count| format!("(component {globals} {})", "(core instance (instantiate $m))".repeat(count));
    weighed(&instances(100)).unwrap();
    assert_eq!(too_many(&instances(101)), ("globals", 101_000));
    let passive = format!("(core module $m (func $f) (elem func{}))", " $f".repeat(5_000));
    let text = format!("(component {passive} {})", "(core instance (instantiate $m))".repeat(200));
    assert_eq!(too_many(&text), ("entries for tables", 200 * 5_001));
    let adapter = r#"(func (canon lift (core func $i "f")))"#;
    let first =
        format!(r#"(core module $m (func (export "f"))) (core instance $i (instantiate $m)) {}"#, adapter.repeat(100));
    assert_eq!(too_many(&doubled(7, &first)), ("functions between components", 12_800));
}

#[test]
fn names_and_types_are_counted_for_each_instance() {
    let core = r#"(core module $m (func (export "f"))) (core instance $i (instantiate $m))"#;
    let bag = format!(
        "(core instance {})",
        (0..2_000).map(|it| format!(r#"(export "f{it}" (func $f))"#)).collect::<Vec<_>>().concat()
    );
    for (part, instances) in [
        (format!("{core} {}", r#"(alias core export $i "f" (core func))"#.repeat(2_000)), 400),
        (format!("{core} (alias core export $i \"f\" (core func $f)) {bag}"), 300),
        ("(type u8)".repeat(2_000), 900),
        (format!("(type (instance {}))", "(type u8)".repeat(2_000)), 900),
        (format!("(core type (module {}))", "(type (func))".repeat(2_000)), 900),
        (
            format!(
                "(type $t u8) {}",
                (0..2_000).map(|it| format!(r#"(export "t{it}" (type $t))"#)).collect::<Vec<_>>().concat()
            ),
            900,
        ),
    ] {
        let times = |instances: usize| {
            format!("(component (component $c {part}) {})", "(instance (instantiate $c))".repeat(instances))
        };
        weighed(&times(100)).unwrap();
        let (what, count) = too_many(&times(instances));
        assert_eq!(what, "names and types");
        assert!((instances * 2_000..instances * 2_010).contains(&(count as usize)), "{count}");
    }
}

#[test]
fn modules_and_components_that_are_handed_about_are_refused() {
    for (text, what) in [
        ("(component (component (import \"c\" (component $c)) (instance (instantiate $c))))", "components"),
        ("(component (import \"m\" (core module $m)) (core instance (instantiate $m)))", "modules"),
        (
            "(component (component $a (component $b) (export \"b\" (component $b))) (instance $a (instantiate $a)) (alias export $a \"b\" (component $b)) (instance (instantiate $b)))",
            "components",
        ),
    ] {
        assert_eq!(weighed(text), Err(LoadError::HandsOver { what }), "{text}");
    }
}

#[test]
fn an_exported_component_has_two_indices_and_one_weight() {
    let exported = "(component $b (component $a) (export $again \"a\" (component $a)) (instance (instantiate $again)))";
    weighed(&format!("(component {exported} (instance (instantiate $b)))")).unwrap();
}

#[test]
fn a_function_is_weighed_by_its_bytes_variables_blocks_and_joins() {
    let loops = "(loop (br_if 0 (local.get 0)))";
    let writes = "(local.set 1 (i32.const 1))".repeat(1_000);
    let nested =
        |depth: usize| format!("{}{writes}{}", "(loop ".repeat(depth), "(br_if 0 (local.get 0)))".repeat(depth));
    let carried = |loops: usize| {
        let values = " i32".repeat(500);
        let body = "(loop (type $t) (br_if 0 (local.get 0)))".repeat(loops);
        let (given, dropped) = ("(local.get 0)".repeat(500), "(drop)".repeat(500));
        format!("(module (type $t (func (param{values}) (result{values}))) (func (param i32) {given}{body}{dropped}))")
    };
    for (text, joins) in [
        (function(10_000, &loops.repeat(1_000)), 0),
        (function(1_000, &nested(1_000)), 1_001_000),
        (function(1, &"(local.set 0 (i32.add (local.get 0) (i32.const 1)))".repeat(300_000)), 2),
        (carried(200), 300_000),
    ] {
        match weighed(&text) {
            Err(LoadError::FunctionTooHeavy { function: 0, joins: found, .. }) => assert_eq!(found, joins),
            other => panic!("{other:?}"),
        }
    }
    // The central loop of an interpreter: many cases, each of which writes some of the variables.
    let case = "(if (local.get 0) (then (local.set 1 (i32.const 1)) (local.set 2 (i32.const 2))))";
    weighed(&function(400, &format!("(loop {} (br_if 0 (local.get 0)))", case.repeat(5_000)))).unwrap();
    let dispatch = format!("{}{}", "(block ".repeat(256), format!("{case})").repeat(256));
    weighed(&function(400, &format!("(loop {dispatch} (br_if 0 (local.get 0)))"))).unwrap();
}

#[test]
fn parameters_are_variables_too() {
    let blocks = "(block (br_if 0 (local.get 0)))".repeat(10_000);
    let text = format!("(module (func (param{}) {blocks}))", " i32".repeat(1_000));
    assert!(matches!(weighed(&text), Err(LoadError::FunctionTooHeavy { variables: 1_000, .. })));
}
