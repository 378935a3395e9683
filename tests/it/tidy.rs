//! What the project promises of itself, checked by reading its own text.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Which module may import which. A module that is not named may be imported by all: the leaves.
/// `ARCHITECTURE.md` says why.
const MAY_IMPORT: [(&str, &[&str]); 14] = [
    ("cli", &["bucket", "outline", "pipeline", "plan", "source", "spec", "standard", "table", "wasm", "environment"]),
    (
        "pipeline",
        &[
            "bucket",
            "environment",
            "http",
            "plan",
            "sink",
            "source",
            "spec",
            "standard",
            "state",
            "table",
            "transform",
            "wasm",
        ],
    ),
    ("plan", &["outline", "spec"]),
    ("spec", &["standard"]),
    ("source", &["http"]),
    ("transform", &["outline", "plan", "wasm"]),
    ("sink", &["bucket", "table"]),
    ("table", &["bucket"]),
    ("state", &["bucket"]),
    ("bucket", &[]),
    ("http", &[]),
    ("wasm", &["outline"]),
    ("environment", &["spec"]),
    ("standard", &[]),
];

/// Modules that import nothing but each other, and may be imported by all.
const LEAVES: [&str; 9] = ["clock", "outline", "printable", "problem", "proxy", "run_id", "schema", "secret", "stream"];

/// Crates that only one module may name.
const ONLY: [(&str, &[&str]); 7] = [
    ("reqwest", &["http"]),
    ("wasmtime", &["wasm"]),
    ("object_store", &["bucket"]),
    ("aws_config", &["bucket"]),
    ("aws_sdk_sts", &["bucket"]),
    ("aws_smithy_http_client", &["bucket"]),
    ("aws_smithy_runtime_api", &["bucket"]),
];

fn sources() -> BTreeMap<PathBuf, String> {
    fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.insert(path, text);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    walk(&root, &mut found);
    found.into_iter().map(|(path, text)| (path.strip_prefix(&root).unwrap().to_owned(), text)).collect()
}

/// The top-level module that a file belongs to.
fn module(path: &Path) -> String {
    let first = path.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The text of a file up to its unit tests: tests may reach further.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

/// Whether a file holds nothing but tests.
fn is_test(path: &Path) -> bool {
    path.components().any(|part| ["tests", "tests.rs"].contains(&part.as_os_str().to_str().unwrap_or_default()))
}

/// The top-level modules that a text imports by `crate::…`, lists in braces included.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for rest in text.split("crate::").skip(1) {
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut item = String::new();
            for character in list.chars() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        found.insert(first_segment(&item));
                        item.clear();
                    }
                    other => item.push(other),
                }
            }
            found.insert(first_segment(&item));
        } else {
            found.insert(first_segment(rest));
        }
    }
    found.remove("");
    found
}

fn first_segment(path: &str) -> String {
    path.trim().chars().take_while(|character| character.is_ascii_alphanumeric() || *character == '_').collect()
}

#[test]
fn modules_import_only_what_the_architecture_allows() {
    let rules: BTreeMap<&str, &[&str]> = MAY_IMPORT.into_iter().collect();
    let modules: BTreeSet<String> = sources().keys().map(|path| module(path)).collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let from = module(&path);
        if from == "lib" || from == "main" {
            continue;
        }
        assert!(rules.contains_key(from.as_str()) || LEAVES.contains(&from.as_str()), "`{from}` has no rule");
        for to in imports(without_tests(&text)) {
            let allowed = to == from
                || LEAVES.contains(&to.as_str())
                || rules.get(from.as_str()).is_some_and(|allowed| allowed.contains(&to.as_str()))
                || !modules.contains(&to);
            if !allowed {
                wrong.push(format!("{}: `{from}` imports `{to}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn some_crates_are_named_in_one_module_only() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (name, modules) in ONLY {
            let named = text.contains(&format!("{name}::"));
            if named && !modules.contains(&module(&path).as_str()) {
                wrong.push(format!("{}: names `{name}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn planning_and_decisions_do_no_io() {
    let pure = ["plan", "spec", "state/decide", "state/lease/decide"];
    let forbidden = ["async ", ".await", "std::fs", "std::env", "tokio::", "Timestamp::now", "SystemTime", "Instant"];
    for (path, text) in sources() {
        let name = path.with_extension("").display().to_string();
        if pure.iter().any(|module| name == *module || name.starts_with(&format!("{module}/"))) {
            for word in forbidden {
                assert!(!without_tests(&text).contains(word), "{}: `{word}`", path.display());
            }
        }
    }
}

#[test]
fn hubspots_paths_are_known_to_the_source_alone() {
    for (path, text) in sources() {
        let inside = path.starts_with("source/hubspot") || path.starts_with("source/hubspot.rs");
        assert!(inside || is_test(&path) || !without_tests(&text).contains("\"/crm"), "{}", path.display());
    }
}

#[test]
fn every_module_opens_with_its_story() {
    for (path, text) in sources() {
        assert!(is_test(&path) || text.starts_with("//! "), "{}: no `//!` story", path.display());
    }
}
