//! What is said of properties that the file marks: it goes where their values would, and nowhere else.

use std::fs;

use crate::harness::{Workspace, data_files};

/// What HubSpot says of the property that the file marks, and of one that nobody does.
const LABEL_OF_MARKED: &str = "Intake notes";
const LABEL_OF_ANOTHER: &str = "First Name";

/// A pipeline of contacts and definitions, in which the file marks a property, with these further lines of the sink.
fn run(workspace: &Workspace, sink: &str) -> String {
    let source = workspace.source("streams = [\"contacts\", \"property_definitions\"]");
    let columns = "[[source.columns]]\nstreams = [\"contacts\"]\nexclude = [\"property_intake_notes\"]\n";
    let mark = "[[mark]]\nstreams = [\"contacts\"]\ncolumns = [\"property_intake_*\"]\nmarks = [\"phi\"]\n";
    let sink = format!("{}compression = \"none\"\n{sink}\n", workspace.file_sink());
    workspace.pipeline(&[&source, columns, mark, &sink]);
    workspace.run(0)
}

/// Whether a text stands in the newest table of property definitions, which is not compressed.
fn holds(workspace: &Workspace, text: &str) -> bool {
    let listed = workspace.listed_files();
    let bucket = workspace.path().join("tables");
    let files = data_files(&bucket);
    let mut files = files.iter().filter(|file| file.starts_with("property_definitions/") && listed.contains(file));
    files.any(|file| fs::read(bucket.join(file)).unwrap().windows(text.len()).any(|part| part == text.as_bytes()))
}

/// The columns of the newest table of property definitions that are of marked properties, with their marks.
fn of_marked(workspace: &Workspace) -> Vec<(String, serde_json::Value)> {
    let commit = workspace.commit();
    let tables = commit["tables"].as_array().unwrap();
    let table = tables.iter().find(|table| table["name"] == "property_definitions").unwrap();
    let columns = table["columns"].as_array().unwrap().iter();
    let columns = columns.map(|column| (column["name"].as_str().unwrap().to_owned(), column["marks"].clone()));
    columns.filter(|(name, _)| name.starts_with("marked")).collect()
}

#[test]
fn what_is_said_of_a_property_that_the_file_marks_passes_as_its_values_do() {
    let workspace = Workspace::new();
    run(&workspace, "");
    assert!(holds(&workspace, "intake_notes"), "that there is such a property stands in the file itself");
    assert!(holds(&workspace, LABEL_OF_ANOTHER));
    assert!(!holds(&workspace, LABEL_OF_MARKED), "the label of a marked property is in the bucket");
    assert_eq!(of_marked(&workspace), []);
    let told = workspace.told(&["plan", "pipeline.toml"]);
    assert!(told.contains("left out, since the sink does not accept their marks: `markedLabel` (phi)"), "{told}");
    run(&workspace, "accepts = [\"phi\"]");
    assert!(holds(&workspace, LABEL_OF_MARKED));
    let expected = ["markedLabel", "markedDescription", "markedGroupName", "markedOptions"];
    assert_eq!(
        of_marked(&workspace),
        expected.map(|name| (name.to_owned(), serde_json::json!(["phi"]))),
        "the guard judges them as it does any other column"
    );
}
