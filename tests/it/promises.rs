//! `host/SECURITY.md`: each promise names tests, and these exist.

use std::{fs, path::Path};

#[test]
fn each_promise_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join("host/SECURITY.md")).unwrap();
    let (_, promises) = text.split_once("\n## Promises\n").unwrap();
    let (promises, _) = promises.split_once("\n## ").unwrap();
    let mut found = 0;
    for promise in promises.lines().filter(|line| line.starts_with("- **")) {
        let quoted = promise.split('`').skip(1).step_by(2);
        let tests: Vec<(&str, &str)> = quoted.filter_map(|quoted| quoted.split_once(".rs::")).collect();
        assert!(!tests.is_empty(), "no test is named: {promise}");
        for (file, test) in tests {
            let source = fs::read_to_string(root.join(format!("{file}.rs")))
                .unwrap_or_else(|error| panic!("`{file}.rs`, named in {promise}: {error}"));
            let (before, _) = source
                .split_once(&format!("fn {test}("))
                .unwrap_or_else(|| panic!("there is no `{test}` in `{file}.rs`, named in {promise}"));
            let above = before.rsplit("\n\n").next().unwrap_or_default();
            assert!(above.contains("#[test]") || above.contains("#[tokio::test"), "`{test}` is no test: {above}");
            found += 1;
        }
    }
    assert!(found > 20, "only {found} tests are named");
}
