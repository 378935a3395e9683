//! Files that are no plugins, or not the one that was meant.

use sluice_sandbox::{
    CONTRACT_VERSION, CachePlace, Digest, Engine, LARGEST_FILE, Limits, LoadError, Plugin, PluginKind, Setup,
};
use wit_component::ComponentEncoder;

use super::{ROWS, columns, engine, guests, plugin, schema, settings};

fn load(bytes: &[u8]) -> Result<Plugin, LoadError> {
    Plugin::load(engine(), "guest", bytes, None)
}

fn told(bytes: &[u8]) -> String {
    load(bytes).unwrap_err().to_string()
}

fn evil_component() -> Vec<u8> {
    ComponentEncoder::default().module(guests::evil()).unwrap().encode().unwrap()
}

#[test]
fn a_core_module_and_the_component_made_of_it_are_both_plugins() {
    let component = evil_component();
    for (bytes, kind) in [(guests::evil(), PluginKind::CoreModule), (&component, PluginKind::Component)] {
        let plugin = load(bytes).unwrap();
        assert_eq!((plugin.kind(), plugin.size(), plugin.contract()), (kind, bytes.len(), CONTRACT_VERSION));
        assert_eq!(plugin.digest(), Digest::of(bytes));
        assert!(plugin.imports().contains(&"sluice:transform/log@0.1.0".to_owned()), "{:?}", plugin.imports());
        let described = plugin.describe(&Limits::default()).unwrap();
        assert_eq!((&*described["name"], &*described["licence"]), ("evil", "Apache-2.0"));
        let mut instance = Setup::new(plugin).instance(true).unwrap();
        instance.outline_of(&schema()).unwrap();
        instance.apply(0, ROWS, &columns()[1..=1]).unwrap();
    }
}

#[test]
fn a_pinned_digest_is_enforced_before_anything_else() {
    let right = Digest::of(guests::evil());
    assert!(Plugin::load(engine(), "evil", guests::evil(), Some(&right)).is_ok());
    let wrong = Digest::of(b"another plugin");
    let error = Plugin::load(engine(), "evil", b"not even wasm", Some(&wrong)).unwrap_err();
    let found = Digest::of(b"not even wasm");
    assert_eq!(error.to_string(), format!("the plugin's digest is `{found}`, and the pipeline pins `{wrong}`"));
    assert!(error.hint().is_some());
}

#[test]
fn a_file_that_is_no_webassembly_is_told_as_that() {
    for bytes in [&b""[..], b"\0as", b"(module)", b"\x7fELF", "\u{feff}hello".as_bytes()] {
        assert_eq!(load(bytes).unwrap_err(), LoadError::NotWasm);
    }
    let error = load(&vec![0; LARGEST_FILE + 1]).unwrap_err();
    assert_eq!(error, LoadError::TooLarge { size: LARGEST_FILE + 1 });
}

#[test]
fn a_damaged_file_is_an_error_wherever_it_is_cut() {
    let component = evil_component();
    for bytes in [guests::evil(), &component] {
        for end in (4..bytes.len()).step_by(bytes.len() / 60) {
            let error = load(&bytes[..end]).unwrap_err();
            // A module that is cut at the end of a section may be sound, and then lacks the contract's types.
            assert!(matches!(error, LoadError::Damaged(_) | LoadError::NoContract), "{end}: {error}");
        }
    }
}

#[test]
fn a_module_or_component_that_is_no_plugin_is_told_what_it_lacks() {
    let expected =
        "the file is no plugin: it does not implement `sluice:transform`, of which this program speaks version 0.1.0";
    for text in ["(module)", "(component)", r#"(module (func (export "apply")))"#] {
        assert_eq!(told(&wat::parse_str(text).unwrap()), expected, "{text}");
    }
}

#[test]
fn another_version_of_the_contract_is_refused_naming_both() {
    let component = evil_component();
    for bytes in [guests::evil(), &component] {
        let error = load(&guests::with_contract_version(bytes, "0.9.0")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the plugin implements version 0.9.0 of `sluice:transform`, and this program speaks version 0.1.0"
        );
        assert_eq!(error.hint(), Some("use a newer version of this program"));
        let error = load(&guests::with_contract_version(bytes, "0.0.3")).unwrap_err();
        assert_eq!(error.hint(), Some("build the plugin with the SDK of this program's version"));
    }
}

#[test]
fn a_version_of_the_same_track_runs() {
    let component = evil_component();
    for bytes in [guests::evil(), &component] {
        let plugin = load(&guests::with_contract_version(bytes, "0.1.7")).unwrap();
        assert_eq!(plugin.contract().to_string(), "0.1.7");
        let setup = Setup::new(plugin).with_settings(&settings("say", None, 1));
        let mut instance = setup.instance(true).unwrap();
        instance.outline_of(&schema()).unwrap();
        instance.apply(0, ROWS, &columns()[1..=1]).unwrap();
        assert!(setup.log_counts().withheld > 0, "its log is linked too");
    }
}

#[test]
fn foreign_imports_are_refused_by_name() {
    let error = load(guests::evil_with_a_foreign_import()).unwrap_err();
    assert_eq!(error.to_string(), "the plugin imports what no plugin is given: `wasi_snapshot_preview1`");
    assert!(error.hint().unwrap().contains("wasm32-unknown-unknown"));

    let component = wat::parse_str(
        r#"(component
            (import "wasi:clocks/monotonic-clock@0.2.0" (instance))
            (import "sluice:transform/log@0.1.0" (instance))
            (import "evil" (func))
            (import "sluice:transform/files@0.1.0" (instance))
            (instance $nothing)
            (export "sluice:transform/transform@0.1.0" (instance $nothing)))"#,
    );
    assert_eq!(
        told(&component.unwrap()),
        "the plugin imports what no plugin is given: `wasi:clocks/monotonic-clock@0.2.0`, `evil`, \
         `sluice:transform/files@0.1.0`"
    );
}

#[test]
fn an_interface_of_the_right_name_and_the_wrong_shape_is_refused() {
    let component = wat::parse_str(
        r#"(component (instance $nothing) (export "sluice:transform/transform@0.1.0" (instance $nothing)))"#,
    );
    let error = told(&component.unwrap());
    assert!(error.starts_with("the plugin cannot be compiled: ") && error.contains("`describe`"), "{error}");
}

#[test]
fn parts_of_webassembly_that_the_sandbox_does_not_run_are_refused() {
    for text in [
        "(module (memory i64 1))",
        "(module (memory 1 1 shared))",
        "(module (func (result v128) v128.const i32x4 0 0 0 0 v128.const i32x4 0 0 0 0 i8x16.relaxed_swizzle))",
    ] {
        let error = load(&wat::parse_str(text).unwrap()).unwrap_err();
        assert!(matches!(error, LoadError::Damaged(_)), "{text}: {error}");
    }
}

#[test]
fn a_cached_plugin_is_the_same_plugin() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        // An engine of its own, as in another run of the program.
        let (cache, key) = (folder.path().join("cache"), folder.path().join("key"));
        let engine = Engine::new(Some(&CachePlace { folder: cache.clone(), key })).unwrap();
        let cached = Plugin::load(&engine, "evil", guests::evil(), None).unwrap();
        assert_eq!((cached.kind(), cached.contract()), (plugin().kind(), plugin().contract()));
        assert_eq!(cached.imports(), plugin().imports());
        let mut instance = Setup::new(cached).with_settings(&settings("select", None, 1)).instance(true).unwrap();
        instance.outline_of(&schema()).unwrap();
        assert_eq!(instance.apply(0, ROWS, &columns()[1..=1]).unwrap().rejections.len(), 2);
        assert_eq!(std::fs::read_dir(cache).unwrap().count(), 1);
    }
}
