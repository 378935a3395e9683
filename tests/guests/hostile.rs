//! Plugins that are small and ask for much, as an attacker would write them. What they have in common is that no limit on
//! bytes sees what they ask for.
//!
//! They are text where they can be read, and put together here where something is repeated. Those that ask for much only
//! when they run are `evil`, told to.

use wit_component::ComponentEncoder;

use crate::{
    guests::evil,
    heavy::{leb, section},
};

/// A component with what a plugin must offer, by name; nothing looks at more before it is compiled.
fn plugin(text: &str) -> Vec<u8> {
    let offers = r#"(instance $offered) (export "sluice:transform/transform@0.1.0" (instance $offered))"#;
    wat::parse_str(format!("(component {text} {offers})")).unwrap()
}

/// Two kilobytes that have a thousand million instances: each component instantiates the one before twice.
pub(crate) fn nested_components() -> Vec<u8> {
    let mut text = "(component $c0)".to_owned();
    for level in 1..=30 {
        let twice = "(instance (instantiate $before))".repeat(2);
        text.push_str(&format!("(component $c{level} (alias outer 1 $c{} (component $before)) {twice})", level - 1));
    }
    plugin(&format!("{text} (instance (instantiate $c30))"))
}

/// 380 kB: a thousand variables, each of which may be alive in each of forty thousand loops.
pub(crate) fn variables_times_loops() -> Vec<u8> {
    let (variables, loops) = (" i32".repeat(1_000), "(loop (br_if 0 (local.get 0)))".repeat(40_000));
    plugin(&format!("(core module (func (param i32) (local{variables}) {loops}))"))
}

/// 140 kB: twenty thousand blocks are little to hold, and what the compiler does with them grows with their square.
pub(crate) fn blocks() -> Vec<u8> {
    plugin(&format!("(core module (func (param i32) {}))", "(block (br_if 0 (local.get 0)))".repeat(20_000)))
}

/// A plugin that works, and beside it a module of a million globals, 240 times: 16 bytes each, in no memory of a guest.
pub(crate) fn instances_times_globals() -> Vec<u8> {
    let globals = [leb(1_000_000), [0x7f, 0x00, 0x41, 0x00, 0x0b].repeat(1_000_000)].concat();
    let module = [b"\0asm\x01\0\0\0".to_vec(), section(6, &[&globals])].concat();
    let plugin = ComponentEncoder::default().module(evil()).unwrap().encode().unwrap();
    let last = modules_of(&plugin);
    let instance = [&[0x00][..], &leb(last), &[0]].concat();
    let instances = section(2, &[&leb(240), &instance.repeat(240)]);
    [plugin, section(1, &[&module]), instances].concat()
}

/// How many core modules a component has: one a section.
fn modules_of(component: &[u8]) -> usize {
    let mut rest = &component[8..];
    let mut modules = 0;
    while let Some((id, after)) = rest.split_first() {
        modules += usize::from(*id == 1);
        let bytes = after.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        let length = after[..bytes].iter().rev().fold(0, |length, byte| length << 7 | usize::from(byte & 0x7f));
        rest = &after[bytes + length..];
    }
    modules
}
