//! What the commands say when all is well, word for word.
//!
//! Each text is a snapshot. `INSTA_UPDATE=always` writes them anew; read the difference, as people will read the texts.

use sluice_simulator::{aws, data, hubspot};

use crate::harness::{FILTERS, Workspace};

/// Compares what a command says with its snapshot, without what differs from run to run.
fn assert_text(name: &str, told: &str) {
    assert!(told.starts_with("exit code 0\n"), "{told}");
    insta::with_settings!({
        prepend_module_to_snapshot => false,
        omit_expression => true,
        filters => FILTERS,
    }, { insta::assert_snapshot!(name, told) });
}

/// A pipeline with all that a plan and a report can speak of: marks, columns left out, renamed and computed, rows rejected,
/// a stream that is not readable.
fn workspace() -> Workspace {
    let data = data::Options { contacts: 60, ..data::Options::default() };
    let workspace = Workspace::with(hubspot::Options { data, ..hubspot::Options::default() }, aws::Options::default());
    let columns = "[[source.columns]]\nstreams = [\"contacts\"]\n\
                   include = [\"property_email\", \"property_firstname\", \"property_phone\"]\n";
    let mark =
        "[[mark]]\nstreams = [\"contacts\"]\ncolumns = [\"property_email\", \"property_phone\"]\nmarks = [\"pii\"]\n";
    let transform = "[[transform]]\nname = \"scrub\"\nplugin = \"redact\"\nstreams = [\"contacts\"]\n\
                     clears = { pii = [\"property_email\"] }\nsettings.rules = [\n\
                     { columns = [\"property_email\"], action = { mask = { keep_last = 0 } } },\n\
                     { columns = [\"property_phone\"], action = \"drop\" },\n]\n";
    let source = workspace.source("streams = [\"contacts\", \"owners\", \"vehicle\"]");
    workspace.pipeline(&[&source, columns, mark, transform, &workspace.file_sink()]);
    workspace
}

#[test]
fn a_plan_a_run_and_the_tables() {
    let workspace = workspace();
    assert_text("plan", &workspace.told(&["plan", "pipeline.toml"]));
    assert_text("run", &workspace.told(&["run", "pipeline.toml"]));
    assert_text("tables", &workspace.told(&["tables", "pipeline.toml"]));
    assert_text("tables_duckdb", &workspace.told(&["tables", "pipeline.toml", "--format", "duckdb"]));
}

/// The names of the commands that a help lists.
fn commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn the_help_of_every_command() {
    let workspace = Workspace::new();
    let mut left: Vec<Vec<String>> = vec![Vec::new()];
    let mut seen = 0;
    while let Some(command) = left.pop() {
        let arguments: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let help = workspace.told(&arguments);
        assert_text(&[&["help"][..], &arguments[..command.len()]].concat().join("_"), &help);
        left.extend(commands(&help).into_iter().map(|name| [&command[..], &[name]].concat()));
        seen += 1;
    }
    assert!(seen >= 17, "only {seen} commands were found");
}
