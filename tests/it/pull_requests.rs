//! `plan --offline` and `check --offline`, which judge what a stranger may have written: what the pipeline file names reaches
//! nothing but its folder, no secret is read, and nothing is told of what a plugin was handed. And what holds for every
//! pipeline file: of the machine itself nothing is read, a plan lists what plugins are handed, and whoever starts the program
//! has the last word on which hosts may be named.

use std::{fs, os::unix::fs::symlink, path::Path};

use sluice_simulator::hubspot;

use crate::{
    child::Running,
    guests::evil,
    harness::{Workspace, portal},
};

/// What must never be told.
const CANARY: &str = "canary-5f1d";

/// A workspace with a checkout in it: the plugin that tells its attachments, and the schema of the owners.
fn checkout() -> Workspace {
    let workspace = Workspace::with(portal(), sluice_simulator::aws::Options::default());
    let folder = workspace.path().join("checkout");
    fs::create_dir_all(folder.join(".git")).unwrap();
    fs::create_dir(workspace.path().join("outside")).unwrap();
    for file in ["outside/file", "checkout/.git/config", "checkout/inside"] {
        workspace.write(file, CANARY);
    }
    workspace.write("outside/evil.wasm", evil());
    workspace.write("checkout/evil.wasm", evil());
    workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), &workspace.file_sink()]);
    let described = workspace.sluice(&["discover", "pipeline.toml", "--format", "json"]);
    assert!(described.status.success());
    workspace.write("schema.json", described.stdout);
    workspace
}

/// Writes the pipeline of the checkout, with this transform.
fn write(workspace: &Workspace, transform: &str) {
    let source = "[source]\ntype = \"hubspot\"\ntoken = { env = \"NO_SUCH_TOKEN\" }\nstreams = [\"owners\"]\n";
    let sink = format!("{}accepts = [\"secret\"]\n", workspace.file_sink());
    let transform = format!("[[transform]]\nname = \"step\"\n{transform}\n");
    workspace.write("checkout/pipeline.toml", format!("pipeline = \"test\"\n\n{source}\n{transform}\n{sink}"));
}

/// What a command says of the checkout's pipeline, and that it ends with this code and tells nothing.
fn offline(workspace: &Workspace, command: &str, exit_code: i32) -> String {
    let mut command = workspace.command(&[command, "checkout/pipeline.toml", "--offline", "--schema", "schema.json"]);
    let output = Running::start(command.env("A_VARIABLE", CANARY)).output();
    let told = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    assert_eq!(output.status.code(), Some(exit_code), "{told}");
    assert!(!told.contains(CANARY), "{told}");
    told
}

const COMMANDS: [&str; 2] = ["plan", "check"];

#[test]
fn offline_a_plugin_is_handed_no_file_from_without_the_folder() {
    let workspace = checkout();
    let (outside, folder) = (workspace.path().join("outside"), workspace.path().join("checkout"));
    symlink(outside.join("file"), folder.join("link")).unwrap();
    symlink("link", folder.join("link-to-link")).unwrap();
    symlink(&outside, folder.join("folder")).unwrap();
    symlink("/proc/self/environ", folder.join("environment")).unwrap();
    symlink(".git/config", folder.join("visible")).unwrap();
    let absolute = outside.join("file").display().to_string();
    for (file, why) in [
        (absolute.as_str(), "outside of the folder"),
        ("../outside/file", "outside of the folder"),
        ("link", "outside of the folder"),
        ("link-to-link", "outside of the folder"),
        ("folder/file", "outside of the folder"),
        (".git/config", "hidden"),
        ("visible", "hidden"),
        ("environment", "`/proc`, `/sys` or `/dev`"),
        ("/proc/self/environ", "`/proc`, `/sys` or `/dev`"),
        ("/proc/self/root/proc/self/environ", "`/proc`, `/sys` or `/dev`"),
    ] {
        write(&workspace, &format!("path = \"evil.wasm\"\nattachments = [{{ name = \"a\", file = \"{file}\" }}]"));
        for command in COMMANDS {
            let told = offline(&workspace, command, 2);
            assert!(
                told.contains("attachment `a`: `") && told.contains(why) && told.contains("hint: "),
                "{file}: {told}"
            );
        }
    }
    symlink(outside.join("evil.wasm"), folder.join("linked.wasm")).unwrap();
    for file in ["../outside/evil.wasm", "linked.wasm", "folder/evil.wasm"] {
        write(&workspace, &format!("path = \"{file}\""));
        for command in COMMANDS {
            let told = offline(&workspace, command, 2);
            assert!(told.contains("the plugin `") && told.contains("outside of the folder"), "{file}: {told}");
            assert!(told.contains("without it, or copy the file"), "{told}");
        }
    }
    write(&workspace, "path = \"evil.wasm\"");
    offline(&workspace, "plan", 0);
}

#[test]
fn offline_a_pipeline_file_is_no_link_out_of_its_folder() {
    let workspace = checkout();
    workspace.write("outside/pipeline.toml", format!("{CANARY}\n"));
    symlink("../outside/pipeline.toml", workspace.path().join("checkout/pipeline.toml")).unwrap();
    for command in COMMANDS {
        let told = offline(&workspace, command, 2);
        assert!(told.contains("a link out of its folder"), "{told}");
    }
    fs::remove_file(workspace.path().join("checkout/pipeline.toml")).unwrap();
    write(&workspace, "plugin = \"redact\"\nsettings.rules = []");
    fs::remove_file(workspace.path().join("schema.json")).unwrap();
    symlink("/proc/self/environ", workspace.path().join("schema.json")).unwrap();
    for command in COMMANDS {
        let told = offline(&workspace, command, 2);
        assert!(told.contains("a link out of its folder"), "{told}");
    }
}

/// Whether it is there cannot be seen, so it was not looked for.
#[test]
fn all_attachments_of_a_pipeline_together_are_bounded() {
    let workspace = checkout();
    let folder = workspace.path().join("checkout");
    // Nothing of it is on the disk.
    fs::File::create(folder.join("zeros")).unwrap().set_len(100 << 20).unwrap();
    fs::File::create(folder.join("vast.wasm")).unwrap().set_len(1 << 40).unwrap();
    let attached = |name: &str| format!("{{ name = \"{name}\", file = \"zeros\", marks = [\"phi\"] }}");
    let one = format!("path = \"evil.wasm\"\nattachments = [{}, {}]", attached("a"), attached("b"));
    let other = format!("path = \"evil.wasm\"\nattachments = [{}]", attached("c"));
    write(&workspace, &format!("{one}\n[[transform]]\nname = \"other\"\n{other}"));
    for command in COMMANDS {
        let told = offline(&workspace, command, 2);
        assert!(told.contains("attachment `c`: `") && told.contains("zeros` is larger than 58720256 bytes"), "{told}");
        assert!(
            told.contains("256 MiB") && !told.contains("attachment `a`") && !told.contains("attachment `b`"),
            "{told}"
        );
    }
    write(&workspace, "path = \"vast.wasm\"");
    let told = offline(&workspace, "plan", 2);
    assert!(told.contains("the plugin `") && told.contains("vast.wasm` is larger than 67108864 bytes"), "{told}");
}

#[test]
fn offline_no_secret_is_read() {
    let workspace = checkout();
    workspace.write("checkout/secret", CANARY);
    let secrets = [
        ["{ env = \"A_VARIABLE\" }", "{ env = \"NO_SUCH_VARIABLE\" }"],
        ["{ file = \"secret\" }", "{ file = \"no-such-file\" }"],
        ["{ file = \"secret\" }", "{ file = \"/proc/self/environ\" }"],
    ];
    for pair in secrets {
        for command in COMMANDS {
            let told = pair.map(|secret| {
                let settings = "settings = { types_attachment = \"a\" }";
                write(
                    &workspace,
                    &format!(
                        "plugin = \"remap-ids\"\n{settings}\nattachments = [{{ name = \"a\", secret = {secret} }}]"
                    ),
                );
                offline(&workspace, command, 2)
            });
            assert_eq!(told[0], told[1]);
            assert!(told[0].contains("withheld"), "the plugin refuses what stands in its place: {}", told[0]);
        }
    }
}

#[test]
fn offline_no_word_is_told_of_a_plugin_with_attachments() {
    let workspace = checkout();
    write(&workspace, "path = \"evil.wasm\"\nattachments = [{ name = \"a\", file = \"inside\" }]");
    for command in COMMANDS {
        let told = offline(&workspace, command, 2);
        assert!(told.contains("withheld") && told.contains("without `--offline`"), "{told}");
    }
    // Whoever runs it without answers for the file.
    let told = workspace.told(&["check", "checkout/pipeline.toml"]);
    assert!(!told.contains("withheld"), "{told}");
}

#[test]
fn nothing_of_the_machine_itself_is_read() {
    let workspace = Workspace::new();
    workspace.write("evil.wasm", evil());
    symlink("/proc/self/environ", workspace.path().join("environment")).unwrap();
    for file in ["/proc/self/environ", "/dev/stdin", "/dev/fd/0", "/sys/kernel/uevent_seqnum", "environment"] {
        let source = workspace.source("streams = [\"owners\"]");
        let attached = format!(
            "[[transform]]\nname = \"step\"\npath = \"evil.wasm\"\nattachments = [{{ name = \"a\", file = \"{file}\" }}]\n"
        );
        let secret = attached.replace(&format!("file = \"{file}\""), &format!("secret = {{ file = \"{file}\" }}"));
        let plugin = format!("[[transform]]\nname = \"step\"\npath = \"{file}\"\n");
        let token = source.replace("file = \"token\"", &format!("file = \"{file}\""));
        for sections in [[&source, &attached], [&source, &secret], [&source, &plugin], [&token, &String::new()]] {
            workspace.pipeline(&[sections[0], sections[1], &workspace.file_sink()]);
            let told = workspace.told(&["run", "pipeline.toml"]);
            assert!(told.starts_with("exit code 2\n"), "{told}");
            assert!(told.contains("is of `/proc`, `/sys` or `/dev`"), "{told}");
        }
    }
    assert_eq!(workspace.hubspot.requests().len(), 0);
}

#[test]
fn a_plan_lists_what_plugins_are_handed() {
    let workspace = checkout();
    let mapping = "old_type_id,new_type_id\n2-1,2-2\n";
    workspace.write("checkout/ids.csv", mapping);
    workspace.write("checkout/secret.csv", mapping.replace("type_id", "id").replace("old_id", "object_type_id,old_id"));
    symlink("ids.csv", workspace.path().join("checkout/link.csv")).unwrap();
    let plan = |attachments: &str| {
        let settings = "settings = { types_attachment = \"a\" }";
        write(&workspace, &format!("plugin = \"remap-ids\"\n{settings}\nattachments = [{attachments}]"));
        offline(&workspace, "plan", 0)
    };
    let digest = sluice_model::digest::Digest::of(mapping.as_bytes());
    let told = plan("{ name = \"a\", file = \"link.csv\" }");
    assert!(told.contains(&format!("    attachment `a`: file `ids.csv`, no marks, {digest}\n")), "{told}");
    let told = plan("{ name = \"a\", file = \"./ids.csv\", marks = [\"secret\", \"phi\"] }");
    assert!(
        told.contains("    attachment `a`: file `ids.csv`, marked phi, secret, no digest, since it is marked\n"),
        "{told}"
    );
    let mut json = workspace.command(&[
        "plan",
        "checkout/pipeline.toml",
        "--offline",
        "--schema",
        "schema.json",
        "--format",
        "json",
    ]);
    let json: serde_json::Value = serde_json::from_slice(&Running::start(&mut json).output().stdout).unwrap();
    assert_eq!(
        json["transforms"][0]["attachments"],
        serde_json::json!([
            { "name": "a", "file": "ids.csv", "variable": null, "is_secret": false, "marks": ["phi", "secret"], "digest": null }
        ])
    );
    // Where the pipeline file is one's own, files lie anywhere, and secrets are there.
    let source = workspace.source("streams = [\"owners\"]");
    let outside = workspace.write("outside/ids.csv", mapping).canonicalize().unwrap();
    let transform = "[[transform]]\nname = \"step\"\nplugin = \"remap-ids\"\nsettings = { types_attachment = \"a\" }\n";
    for (attachment, expected) in [
        (
            format!("file = \"{}\"", outside.display()),
            format!("file `{}`, no marks, {digest}", shown(&workspace, &outside)),
        ),
        (
            "secret = { file = \"outside/../outside/ids.csv\" }".to_owned(),
            "secret in the file `outside/ids.csv`, marked secret, no digest, since it is marked".to_owned(),
        ),
    ] {
        let attachments = format!("{transform}attachments = [{{ name = \"a\", {attachment} }}]\n");
        workspace.pipeline(&[&source, &attachments, &workspace.file_sink()]);
        let told = workspace.told(&["plan", "pipeline.toml"]);
        assert!(told.contains(&format!("    attachment `a`: {expected}\n")), "{told}");
    }
}

/// A path as `told` shows it, and a plan.
fn shown(workspace: &Workspace, path: &Path) -> String {
    let folder = workspace.path().canonicalize().unwrap();
    path.strip_prefix(&folder).unwrap().display().to_string()
}

#[test]
fn whoever_starts_the_program_says_which_hosts_a_pipeline_file_may_name() {
    let workspace = Workspace::new();
    let told = |allowed: &str, command: &str| {
        let mut command = workspace.command(&[command, "pipeline.toml"]);
        let output = Running::start(command.env("SLUICE_ALLOWED_HOSTS", allowed)).output();
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        (output.status.code(), text)
    };
    let hubspot = workspace.hubspot.base_url().replace("http://", "");
    let source = workspace.source("streams = [\"owners\"]");
    // The token is not even looked for.
    workspace.pipeline(&[&source.replace("\"token\"", "\"no-such-token\""), &workspace.file_sink()]);
    for allowed in ["api.hubapi.com", "127.0.0.1", "*.0.0.1", "localhost"] {
        for command in ["run", "plan", "discover"] {
            let (code, text) = told(allowed, command);
            assert_eq!(code, Some(2), "{text}");
            let expected =
                format!("`source.base_url`: the host `{hubspot}` is not one of those in `SLUICE_ALLOWED_HOSTS`");
            assert!(text.contains(&expected) && !text.contains("no-such-token"), "{text}");
        }
    }
    let (code, text) = told("", "run");
    assert_eq!(code, Some(2));
    assert!(text.contains("is no list of hosts"), "a list that was forgotten allows nothing: {text}");
    assert_eq!(workspace.hubspot.requests().len(), 0);
    workspace.pipeline(&[&source, &workspace.file_sink()]);
    assert_eq!(told(&format!("api.hubapi.com,{hubspot}"), "run").0, Some(0));
    // What the file names for the tables gets keys, too.
    workspace.pipeline(&[&source, &workspace.s3_sink("external_id = \"sluice-external-id\"", "")]);
    let (code, text) = told(&hubspot, "run");
    assert_eq!(code, Some(2));
    assert!(text.contains("`sink.endpoint`: the host `") && !text.contains(hubspot::TOKEN), "{text}");
    assert_eq!(told(&format!("{hubspot},{}", workspace.aws.endpoint().replace("http://", "")), "run").0, Some(0));
}
