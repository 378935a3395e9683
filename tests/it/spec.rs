//! Golden pipeline files.
//!
//! Each file of `tests/ui/spec` has beside it, in a `.err`, exactly what a person is told about it. `SLUICE_BLESS=1` writes
//! the `.err` files anew; look at the difference before you commit it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sluice::standard;
use sluice_plan::spec::Spec;

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(project(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let files = files("tests/ui/spec", "toml");
    assert!(files.len() >= 9, "the golden files are missing");
    let mut wrong = Vec::new();
    for file in files {
        let name = PathBuf::from(file.file_name().unwrap());
        let told = match Spec::read(&name, &fs::read_to_string(&file).unwrap(), &standard::NAMES) {
            Ok(_) => panic!("{}: nothing was found wrong", file.display()),
            Err(problems) => format!("{problems}\n"),
        };
        assert!(!told.contains("do-not-repeat") && !told.contains("DONOTREPEAT"), "a secret is repeated:\n{told}");
        let expected = file.with_extension("err");
        if std::env::var_os("SLUICE_BLESS").is_some() {
            fs::write(&expected, &told).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != told {
            wrong.push(told);
        }
    }
    assert!(wrong.is_empty(), "SLUICE_BLESS=1 would write:\n{}", wrong.join("\n---\n"));
}

#[test]
fn the_files_people_copy_are_read() {
    let files = files("pipelines", "toml");
    assert!(!files.is_empty());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        if let Err(problems) = Spec::read(&file, &text, &standard::NAMES) {
            panic!("{problems}");
        }
        assert!(text.starts_with("#:schema ./schema.json\n"), "{}: names no schema", file.display());
    }
}

#[test]
fn the_json_schema_is_that_of_the_types() {
    let file = project("pipelines/schema.json");
    let generated = serde_json::to_string_pretty(&sluice_plan::spec::json_schema()).unwrap() + "\n";
    if std::env::var_os("SLUICE_BLESS").is_some() {
        fs::write(&file, &generated).unwrap();
    }
    assert!(
        fs::read_to_string(&file).unwrap_or_default() == generated,
        "SLUICE_BLESS=1 writes `pipelines/schema.json` anew"
    );
}
