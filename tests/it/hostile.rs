//! Plugins that are small and ask for much: each ends with a message that names it, and no process of sluice's takes more than
//! 600 MiB on the way.

#[path = "../guests/hostile.rs"]
mod guests;
mod measured;

use std::process::Command;

use self::measured::{Measured, measured};
use crate::{guests::evil, harness::Workspace, heavy::heavy};

/// The most memory that any process may take for a hostile plugin.
const MOST_MEBIBYTES: u64 = 600;

/// What a command says and does within its memory.
fn within_memory(workspace: &Workspace, command: &Command) -> Measured {
    let measured = measured(command, workspace.path());
    assert!(measured.peak_mebibytes < MOST_MEBIBYTES, "{measured:?}");
    measured
}

/// What is said of a plugin that is looked at and refused.
fn refused(plugin: &[u8]) -> String {
    let workspace = Workspace::new();
    workspace.write("hostile.wasm", plugin);
    let mut command = workspace.command(&["plugin", "inspect", "hostile.wasm"]);
    // Not the folder of all tests, so that it is compiled each time.
    command.env("SLUICE_CACHE_DIR", workspace.path().join("cache"));
    let measured = within_memory(&workspace, &command);
    assert_eq!(measured.code, Some(2), "{}", measured.told);
    assert!(measured.told.contains("hostile.wasm"), "{}", measured.told);
    measured.told
}

#[test]
fn components_within_one_another_are_counted_and_not_made() {
    let told = refused(&guests::nested_components());
    assert!(told.contains("the plugin has 2147483649 instances of modules and components"), "{told}");
}

#[test]
fn many_variables_in_many_loops_are_not_compiled() {
    let told = refused(&guests::variables_times_loops());
    assert!(told.contains("would take some 13917 MiB to compile"), "{told}");
}

#[test]
fn many_instances_of_many_globals_are_counted_together() {
    let told = refused(&guests::instances_times_globals());
    assert!(told.contains("globals, counted over all that it instantiates"), "{told}");
}

#[test]
fn many_blocks_are_compiled_within_bounds() {
    let told = refused(&guests::blocks());
    assert!(told.contains("cannot be compiled"), "{told}");
}

#[test]
fn one_function_as_large_as_can_be_is_not_compiled() {
    let told = refused(&heavy(1, 2_500_000));
    assert!(told.contains("would take some 4577 MiB to compile"), "{told}");
}

/// What the counts let through ends where whoever compiles may take no more.
#[test]
fn large_functions_that_pass_the_counts_are_not_compiled_either() {
    for functions in [1, 20] {
        let told = refused(&heavy(functions, 400_000));
        assert!(
            told.contains("`hostile.wasm` takes more than 512 MiB of memory, or too deep a stack, to compile"),
            "{told}"
        );
    }
}

/// Streams that are soon read, some of them at once.
const FEW: &str = r#"streams = ["contacts", "companies", "deals", "owners"]"#;
const MORE: &str = r#"streams = [
    "contacts", "companies", "deals", "tickets", "calls", "emails", "notes", "meetings", "tasks", "owners", "teams",
    "owner_teams", "account_users", "pipelines", "pipeline_stages",
]"#;

/// A pipeline of these streams through a plugin that behaves so.
fn misbehaving(streams: &str, settings: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.write("evil.wasm", evil());
    let transform = format!("[[transform]]\nname = \"step\"\npath = \"evil.wasm\"\nsettings = {{ {settings} }}\n");
    workspace.pipeline(&[&workspace.source(streams), &transform, &workspace.file_sink()]);
    workspace
}

#[test]
fn many_groups_that_each_return_much_end_the_run() {
    // One worker: each has its own bound, for its instances and for what these return.
    let workspace = misbehaving("streams = [\"owners\"]", "behave = \"many-groups\", bytes = \"60000000\"");
    let run = within_memory(&workspace, &workspace.command(&["run", "pipeline.toml"]));
    assert_eq!(run.code, Some(1), "{}", run.told);
    let says = "its groups together returned more than the 64 MiB that they may return for one batch";
    assert!(run.told.contains("`evil.wasm`") && run.told.contains(says), "{}", run.told);
}

#[test]
fn long_attributes_of_a_column_end_the_plan() {
    let workspace = misbehaving(FEW, "behave = \"long-attributes\"");
    for command in ["plan", "run"] {
        let ended = within_memory(&workspace, &workspace.command(&[command, "pipeline.toml"]));
        assert_eq!(ended.code, Some(2), "{}", ended.told);
        let says = "its outline breaks the contract: its names, marks and attributes have 576";
        assert!(ended.told.contains("transform `step`") && ended.told.contains(says), "{}", ended.told);
    }
}

#[test]
fn a_commit_that_nobody_could_read_is_not_made() {
    let workspace = misbehaving(MORE, "behave = \"heavy-columns\"");
    let run = within_memory(&workspace, &workspace.command(&["run", "pipeline.toml"]));
    assert_eq!(run.code, Some(2), "{}", run.told);
    for says in ["with the columns that `step` computes", "at most 67.1 MB are written; of it table `"] {
        assert!(run.told.contains(says), "{}", run.told);
    }
    // Nobody is locked out.
    workspace.pipeline(&[&workspace.source(FEW), &workspace.file_sink()]);
    workspace.run(0);
}

#[test]
fn a_flood_of_log_lines_is_cut_for_the_whole_run_and_counted() {
    let workspace = misbehaving(FEW, "behave = \"flood\"");
    let mut command = workspace.command(&["run", "pipeline.toml", "--report", "report.json"]);
    let run = within_memory(&workspace, command.env("SLUICE_LOG", "info"));
    assert_eq!(run.code, Some(0), "{}", run.told);
    let lines = run.told.lines().filter(|line| line.contains("xxxx")).count();
    assert_eq!(lines, 1_000);
    let counts = &workspace.report()["plugins"][0]["log_lines"];
    assert_eq!((counts["passed"].as_u64(), counts["withheld"].as_u64()), (Some(1_000), Some(0)));
    let dropped = counts["dropped"].as_u64().unwrap();
    assert!(dropped > 100_000, "{dropped}");
    // Once in the log, once in the report.
    assert_eq!(run.told.matches("it wrote too many log lines").count(), 1, "{}", run.told);
    assert_eq!(run.told.matches("`step` wrote ").count(), 1, "{}", run.told);
    // A plan is no run, and has as many.
    let plan = within_memory(&workspace, &workspace.command(&["plan", "pipeline.toml"]));
    assert_eq!(plan.told.matches("it wrote too many log lines").count(), 1, "{}", plan.told);
}
