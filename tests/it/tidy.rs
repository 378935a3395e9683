//! What the project promises of itself, checked by reading its own text: what the graph of crates cannot say.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// What each crate of the host may be built of, of the project's own. The others' arrows are in their manifests; these say
/// which there may be. `ARCHITECTURE.md` says why.
const CRATES: [(&str, &[&str]); 7] = [
    ("model", &[]),
    ("net", &[]),
    ("sandbox", &["model"]),
    ("plan", &["model"]),
    ("hubspot", &["model", "net"]),
    ("lake", &["model", "net"]),
    ("", &["hubspot", "lake", "model", "plan", "net", "sandbox", "simulator"]),
];

/// Which modules of a crate may import which others of it, where a crate is built in layers: all its modules are named. The
/// files of the other crates stand side by side, and for them it is enough that there is no circle.
const MODULES: [(&str, &str, &[&str]); 13] = [
    ("", "cli", &["pipeline", "standard", "value"]),
    ("", "pipeline", &["environment", "standard", "value"]),
    ("", "value", &[]),
    ("", "environment", &[]),
    ("", "standard", &[]),
    ("hubspot", "source", &["http"]),
    ("hubspot", "http", &[]),
    ("lake", "sink", &["bucket", "table"]),
    ("lake", "table", &["bucket"]),
    ("lake", "state", &["bucket"]),
    ("lake", "iam", &["bucket", "policy"]),
    ("lake", "bucket", &["policy"]),
    ("lake", "policy", &[]),
];

/// Crates that only some of ours may be built of, and the one module that may name them: a crate and a module of it.
const ONLY: [(&str, &[&str], &str, &str); 8] = [
    // The lake sets the features of its object store's client.
    ("reqwest", &["hubspot", "lake"], "hubspot", "http"),
    ("wasmtime", &["sandbox"], "sandbox", ""),
    ("object_store", &["lake"], "lake", "bucket"),
    ("aws-config", &["lake"], "lake", "bucket"),
    ("aws-sdk-s3", &["lake"], "lake", "bucket"),
    ("aws-sdk-sts", &["lake"], "lake", "bucket"),
    ("aws-smithy-http-client", &["lake"], "lake", "bucket"),
    ("parquet", &["lake"], "lake", "sink"),
];

/// A source file of the host.
struct File {
    /// The folder of its crate under `host/crates`; empty for `host` itself.
    package: String,
    /// Its module, as a path from the root of the crate: empty for `lib.rs`.
    module: Vec<String>,
    path: PathBuf,
    text: String,
}

impl File {
    /// The text up to its unit tests: tests may reach further.
    fn without_tests(&self) -> &str {
        self.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(&self.text)
    }

    /// The code of it: without tests, and without comments.
    fn code(&self) -> String {
        self.without_tests().lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    }

    /// Whether it holds nothing but tests.
    fn is_test(&self) -> bool {
        self.module.iter().any(|part| part == "tests" || part == "failing")
    }

    fn top(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }
}

fn host() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of a crate.
fn folder(package: &str) -> PathBuf {
    if package.is_empty() { host().to_owned() } else { host().join("crates").join(package) }
}

fn sources() -> Vec<File> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut files = Vec::new();
    for (package, _) in CRATES {
        let root = folder(package).join("src");
        let mut paths = Vec::new();
        walk(&root, &mut paths);
        files.extend(paths.into_iter().map(|path| {
            let inner = path.strip_prefix(&root).unwrap().with_extension("");
            let module = inner.iter().map(|part| part.to_string_lossy().into_owned());
            let module = module.filter(|part| part != "lib" && part != "main").collect();
            let text = fs::read_to_string(&path).unwrap();
            File { package: package.to_owned(), module, path, text }
        }));
    }
    assert!(files.len() > 100, "these are not all");
    files
}

/// The names of the packages that a manifest builds on, but for its tests.
fn dependencies(package: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(folder(package).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    manifest["dependencies"].as_table().unwrap().keys().cloned().collect()
}

/// All paths that a text imports or names from its own crate, lists in braces flattened, as segments.
fn paths(file: &File) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let text = file.code();
    for root in ["crate::", "super::", "self::"] {
        for (start, _) in text.match_indices(root) {
            let (before, path) = text.split_at(start);
            // Not the end of a longer name, and not within a path.
            if !before.ends_with(|character: char| character.is_alphanumeric() || "_:".contains(character)) {
                flatten(path, &mut Vec::new(), &mut found);
            }
        }
    }
    found
}

/// Reads one path or list of paths, and gives what follows it.
fn flatten<'t>(text: &'t str, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'t str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = flatten(rest, &mut prefix.clone(), found).trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
            if let Some(rest) = rest.strip_prefix('}') {
                return rest;
            }
            if rest.is_empty()
                || !rest.starts_with(|character: char| character.is_alphanumeric() || "_{*".contains(character))
            {
                return rest;
            }
        }
    }
    let is_outside = |character: char| !character.is_alphanumeric() && !"_*".contains(character);
    let end = text.find(is_outside).unwrap_or(text.len());
    let (segment, rest) = text.split_at(end);
    prefix.push(segment.to_owned());
    match rest.strip_prefix("::") {
        Some(rest) if rest.starts_with(|character: char| character.is_alphabetic() || "_{".contains(character)) => {
            flatten(rest, prefix, found)
        }
        _ => {
            found.push(prefix.clone());
            rest
        }
    }
}

/// A path from the root of the crate, without `crate`, `super` and `self`.
fn absolute(module: &[String], path: &[String]) -> Vec<String> {
    let mut at = module.to_vec();
    let mut rest = path;
    while let Some((first, more)) = rest.split_first() {
        match first.as_str() {
            "crate" => at.clear(),
            "super" => drop(at.pop()),
            "self" => {}
            _ => break,
        }
        rest = more;
    }
    at.extend(rest.iter().cloned());
    at
}

/// The files of a crate that each of its files takes something from: where a parent re-exports what a child has, the child.
fn arrows(files: &[&File]) -> BTreeMap<Vec<String>, BTreeSet<Vec<String>>> {
    let modules: BTreeSet<&[String]> = files.iter().map(|file| file.module.as_slice()).collect();
    let module_of = |path: &[String]| {
        (0..=path.len()).rev().map(|end| &path[..end]).find(|prefix| modules.contains(prefix)).map(<[String]>::to_vec)
    };
    // What each module re-exports of its children: the name, and the child.
    let mut exported: BTreeMap<(Vec<String>, String), Vec<String>> = BTreeMap::new();
    for file in files {
        for path in paths(file).iter().map(|path| absolute(&file.module, path)) {
            if let (Some(of), Some(name)) = (module_of(&path), path.last())
                && of.len() > file.module.len()
                && of.starts_with(&file.module)
            {
                exported.insert((file.module.clone(), name.clone()), of);
            }
        }
    }
    let mut arrows = BTreeMap::new();
    for file in files.iter().filter(|file| !file.is_test()) {
        let mut to = BTreeSet::new();
        for path in paths(file).iter().map(|path| absolute(&file.module, path)) {
            let Some(module) = module_of(&path) else { continue };
            let named = path.get(module.len()).and_then(|name| exported.get(&(module.clone(), name.clone())));
            to.insert(named.cloned().unwrap_or(module));
        }
        // A module and those inside it are one story.
        to.retain(|module| !module.starts_with(&file.module) && !file.module.starts_with(module));
        arrows.insert(file.module.clone(), to);
    }
    arrows
}

#[test]
fn crates_are_built_only_of_what_the_architecture_allows() {
    for (package, allowed) in CRATES {
        for dependency in dependencies(package) {
            if let Some(own) = dependency.strip_prefix("sluice-") {
                assert!(allowed.contains(&own), "`{package}` builds on `{own}`");
            }
            for (name, packages, _, _) in ONLY {
                assert!(dependency != name || packages.contains(&package), "`{package}` builds on `{name}`");
            }
        }
    }
}

#[test]
fn modules_import_only_what_the_architecture_allows() {
    let mut wrong = Vec::new();
    for file in sources().iter().filter(|file| !file.module.is_empty() && !file.is_test()) {
        if !MODULES.iter().any(|(package, _, _)| *package == file.package) {
            continue;
        }
        let rule = MODULES.iter().find(|(package, module, _)| *package == file.package && *module == file.top());
        let Some((_, _, allowed)) = rule else { panic!("{}: `{}` has no rule", file.path.display(), file.top()) };
        for path in paths(file).iter().map(|path| absolute(&file.module, path)) {
            let Some(to) = path.first() else { continue };
            let is_module = folder(&file.package).join("src").join(format!("{to}.rs")).exists();
            if is_module && to != file.top() && !allowed.contains(&to.as_str()) {
                wrong.push(format!("{}: imports `{to}`", file.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_files_import_one_another_in_a_circle() {
    let sources = sources();
    for (package, _) in CRATES {
        let files: Vec<&File> = sources.iter().filter(|file| file.package == package).collect();
        let mut arrows = arrows(&files);
        // A file from which no arrow goes on, or to which none leads, is in no circle.
        loop {
            let reached: BTreeSet<Vec<String>> = arrows.values().flatten().cloned().collect();
            let before = arrows.len();
            arrows.retain(|module, to| !to.is_empty() && reached.contains(module));
            let left: BTreeSet<Vec<String>> = arrows.keys().cloned().collect();
            for to in arrows.values_mut() {
                to.retain(|module| left.contains(module));
            }
            if arrows.len() == before {
                break;
            }
        }
        assert!(arrows.is_empty(), "`{package}`: {arrows:#?}");
    }
}

#[test]
fn some_crates_are_named_in_one_module_only() {
    let mut wrong = Vec::new();
    for file in sources().iter().filter(|file| !file.is_test()) {
        for (name, _, package, module) in ONLY {
            let named = file.without_tests().contains(&format!("{}::", name.replace('-', "_")));
            let may = file.package == package && (module.is_empty() || file.top() == module);
            if named && !may {
                wrong.push(format!("{}: names `{name}`", file.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn planning_and_decisions_do_no_io() {
    let forbidden = ["async ", ".await", "std::fs", "std::env", "tokio::", "Timestamp::now", "SystemTime", "Instant"];
    let is_pure = |file: &&File| {
        let decides = file.package == "lake" && file.module.last().is_some_and(|module| module == "decide");
        ["plan", "model"].contains(&file.package.as_str()) && file.top() != "clock" || decides
    };
    for file in sources().iter().filter(is_pure) {
        for word in forbidden {
            assert!(!file.without_tests().contains(word), "{}: `{word}`", file.path.display());
        }
    }
}

/// How HubSpot's own paths begin, wherever they are written: as a text, or as a part of one.
#[test]
fn hubspots_paths_are_known_to_the_source_alone() {
    let paths = ["/crm/", "/crm-object-schemas/", "/events/v3", "/account-info/", "/oauth/v", "/automation/v"];
    let mut known = 0;
    for file in sources() {
        let inside = file.package == "hubspot" && file.module.starts_with(&["source".to_owned(), "hubspot".to_owned()]);
        for path in paths {
            let named = file.code().contains(path) && !file.is_test();
            assert!(inside || !named, "{}: `{path}`", file.path.display());
            known += usize::from(inside && named);
        }
    }
    assert!(known > 0, "the source has no paths of this form any more");
}

/// What writes to the process's outputs, and the one module that may name it.
const OUTPUTS: [(&str, &str); 8] = [
    ("stdout()", "cli::output"),
    ("stderr()", "cli::output"),
    ("io::stderr", "cli::output"),
    ("with_writer(", "cli::output"),
    // Help and version, which are words of our own.
    (".print()", "cli"),
    // What moves while a run goes on.
    ("MultiProgress", "cli::progress"),
    ("ProgressBar", "cli::progress"),
    ("/dev/std", "nowhere"),
];

#[test]
fn nothing_reaches_the_outputs_but_through_the_printer() {
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    for file in sources().iter().filter(|file| !file.is_test()) {
        for (name, module) in OUTPUTS.iter().filter(|(name, _)| names(&file.code(), name)) {
            if file.package.is_empty() && file.module.join("::") == *module {
                seen.insert(*name);
            } else {
                wrong.push(format!("{}: names `{name}`", file.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // One that is written in another way now would be looked for in vain.
    let expected = OUTPUTS.iter().filter(|(_, module)| *module != "nowhere").map(|(name, _)| *name).collect();
    assert_eq!(seen, expected);
}

/// Whether a text has this in it, and not as the end of a longer name.
fn names(code: &str, name: &str) -> bool {
    let is_inside = |before: &str| before.ends_with(|character: char| character.is_alphanumeric() || character == '_');
    let is_word = name.starts_with(char::is_alphabetic);
    code.match_indices(name).any(|(start, _)| !is_word || code.get(..start).is_some_and(|before| !is_inside(before)))
}

/// How many line ends the code of a file makes. A line that people read ends in `cli::page`, in the log (`cli::output`) or in a
/// list of problems, and each of them makes printable what stands in it: so no error, table or log line that is put together
/// elsewhere is ever two lines, whatever it is made of.
const LINE_ENDS: [(&str, usize); 14] = [
    ("src/cli/page.rs", 1),
    ("src/cli/output.rs", 6),
    ("crates/model/src/problem.rs", 5),
    // Ends of JSON.
    ("crates/lake/src/policy.rs", 1),
    ("src/cli/discover.rs", 1),
    // Looked for, so as to be replaced, and once more the end of JSON.
    ("crates/model/src/printable.rs", 2),
    ("crates/plan/src/spec/recover.rs", 2),
    ("src/cli/rehearse.rs", 2),
    // Files that are written.
    ("src/cli/init.rs", 1),
    ("src/cli/new.rs", 1),
    ("src/cli/demo.rs", 2),
    ("crates/lake/src/bucket/probe.rs", 1),
    // Digests.
    ("crates/plan/src/digest.rs", 8),
    ("crates/hubspot/src/source/hubspot/ranged/kept.rs", 1),
];

/// It does not see a line end that is a number, that a file holds which is included, or that is typed as itself in a text;
/// `tests/it/foreign.rs` looks at what comes out.
#[test]
fn lines_end_in_few_places() {
    let mut found = BTreeMap::new();
    for file in sources().iter().filter(|file| !file.is_test()) {
        let code = file.code().replace("\\\\", "");
        let ends = code.matches("\\n").count() + code.matches("writeln!(").count();
        if ends > 0 {
            found.insert(file.path.strip_prefix(host()).unwrap().to_str().unwrap().to_owned(), ends);
        }
    }
    let expected = LINE_ENDS.iter().map(|(path, ends)| ((*path).to_owned(), *ends)).collect();
    assert_eq!(found, expected, "can foreign text begin a line there?");
}

#[test]
fn every_module_opens_with_its_story() {
    for file in sources() {
        assert!(file.is_test() || file.text.starts_with("//! "), "{}: no `//!` story", file.path.display());
    }
}
