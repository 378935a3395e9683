//! Keys of the pipeline file whose effect shows nowhere else, each by that effect.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use parquet::{
    basic::Compression,
    file::{
        metadata::{ParquetMetaData, RowGroupMetaData},
        reader::{FileReader, SerializedFileReader},
    },
};

use sluice::pipeline::{Patience, Pipeline};
use sluice_lake::bucket::{Encryption, Rules, Settings};
use sluice_simulator::{aws, data, hubspot};

use crate::{
    child::Running,
    harness::{CONTACTS, Workspace, is_page, portal},
};

fn run(workspace: &Workspace, sections: &[&str], exit_code: i32) -> String {
    workspace.pipeline(sections);
    let output = workspace.sluice(&["run", "pipeline.toml"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(exit_code), "{told}");
    told
}

/// The metadata of the files of the only table.
fn files(workspace: &Workspace) -> Vec<ParquetMetaData> {
    let commit = workspace.commit();
    let files = commit["tables"][0]["files"].as_array().unwrap().iter();
    let paths = files.map(|file| PathBuf::from(file["url"].as_str().unwrap()));
    paths.map(|path| SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap().metadata().clone()).collect()
}

/// The paths that were asked for, below the API's own.
fn paths(workspace: &Workspace) -> Vec<String> {
    workspace.hubspot.requests().iter().map(|request| request.path.clone()).collect()
}

#[test]
fn the_form_of_files() {
    let workspace = Workspace::new();
    let source = workspace.source("streams = [\"contacts\"]");
    let with = |lines: &str| {
        run(&workspace, &[&source, &(workspace.file_sink() + lines)], 0);
        files(&workspace)
    };
    let [usual] = with("").try_into().unwrap();
    assert_eq!((usual.num_row_groups(), usual.row_group(0).num_rows()), (1, CONTACTS as i64));
    assert!(matches!(usual.row_group(0).column(0).compression(), Compression::ZSTD(_)));

    let [plain] = with("compression = \"none\"\n").try_into().unwrap();
    assert_eq!(plain.row_group(0).column(0).compression(), Compression::UNCOMPRESSED);
    let size = |file: &ParquetMetaData| file.row_group(0).compressed_size();
    let [best] = with("compression_level = 22\n").try_into().unwrap();
    assert!(
        size(&plain) > size(&usual) && size(&usual) > size(&best),
        "{} {} {}",
        size(&plain),
        size(&usual),
        size(&best)
    );

    let [grouped] = with("row_group_rows = 200\n").try_into().unwrap();
    let rows: Vec<i64> = grouped.row_groups().iter().map(RowGroupMetaData::num_rows).collect();
    assert_eq!(rows, [200, 200, 100]);
}

#[test]
fn the_size_of_files() {
    let data = data::Options { contacts: 20_000, ..data::Options::default() };
    let workspace = Workspace::with(hubspot::Options { data, ..portal() }, aws::Options::default());
    let source = workspace.source("streams = [\"contacts\"]");
    run(&workspace, &[&source, &(workspace.file_sink() + "file_size = \"10kB\"\n")], 0);
    let rows: Vec<i64> = files(&workspace).iter().map(|file| file.file_metadata().num_rows()).collect();
    assert!(rows.len() > 1 && rows.iter().sum::<i64>() == 20_000, "{rows:?}");
}

#[test]
fn the_version_of_the_api() {
    for (version, objects) in [
        ("2026-09", "/crm/objects/2026-09/0-1"),
        ("2026-03", "/crm/objects/2026-03/0-1"),
        ("v3", "/crm/v3/objects/0-1"),
    ] {
        let workspace = Workspace::new();
        let source = workspace.source(&format!("streams = [\"contacts\", \"owners\"]\napi_version = \"{version}\""));
        run(&workspace, &[&source, &workspace.file_sink()], 0);
        assert!(paths(&workspace).iter().any(|path| path == objects), "{:?}", paths(&workspace));
        assert_eq!(workspace.commit()["tables"][0]["rows"], CONTACTS);
    }
}

#[test]
fn one_stream_at_a_time() {
    let workspace = Workspace::new();
    let source = workspace.source("streams = [\"contacts\", \"companies\", \"deals\"]");
    run(&workspace, &[&source, &workspace.file_sink(), "[run]\nstreams_at_once = 1\n"], 0);
    let requests = workspace.hubspot.requests();
    let pages = requests.iter().filter(|request| is_page(request));
    let mut read: Vec<&str> =
        pages.filter_map(|request| request.path.split("/objects/").nth(1)?.split('/').nth(1)).collect();
    read.dedup();
    assert_eq!(read, ["0-1", "0-2", "0-3"]);
}

/// A transform, so that there is something to compile.
const IDS: &str = "[[transform]]\nname = \"ids\"\nplugin = \"remap-ids\"\n\
    settings = { tables = { \"2-13370001\" = \"fleet\" } }\n";

#[test]
fn where_compiled_plugins_and_their_key_are_kept() {
    let workspace = Workspace::new();
    workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), IDS, &workspace.file_sink()]);
    let names = |folder: &str| -> Vec<String> {
        let kept = fs::read_dir(workspace.path().join(folder)).unwrap();
        kept.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    for (variable, folder) in [("SLUICE_CACHE_DIR", "kept"), ("XDG_CACHE_HOME", "caches"), ("HOME", "home")] {
        let mut command = workspace.command(&["run", "pipeline.toml"]);
        command.env_remove("SLUICE_CACHE_DIR").env_remove("XDG_STATE_HOME").env("HOME", workspace.path().join("home"));
        let output = Running::start(command.env(variable, workspace.path().join(folder))).output();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    for folder in ["kept", "caches/sluice", "home/.cache/sluice"] {
        let names = names(folder);
        assert!(matches!(&names[..], [name] if name.starts_with("plugin-")), "{names:?}");
    }
    assert_eq!(names("home/.local/state/sluice"), ["plugin-cache.key"]);
}

/// A container's user often has no home that can be written. Only a folder that somebody named must be usable.
#[test]
fn without_a_home_for_compiled_plugins() {
    let workspace = Workspace::new();
    let (source, sink) = (workspace.source("streams = [\"owners\"]"), workspace.file_sink());
    workspace.write("file", "");
    let loose = workspace.path().join("loose");
    fs::create_dir_all(loose.join("sluice")).unwrap();
    fs::set_permissions(loose.join("sluice"), PermissionsExt::from_mode(0o777)).unwrap();
    fs::create_dir_all(workspace.path().join("linked")).unwrap();
    std::os::unix::fs::symlink(&loose, workspace.path().join("linked/sluice")).unwrap();
    let run = |variable: &str, folder: &str, sections: &[&str]| {
        workspace.pipeline(sections);
        let mut command = workspace.command(&["run", "pipeline.toml"]);
        command.env_remove("SLUICE_CACHE_DIR").env(variable, workspace.path().join(folder));
        let output = Running::start(&mut command).output();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let homes = [("HOME", "file"), ("HOME", "/proc"), ("XDG_CACHE_HOME", "loose"), ("XDG_CACHE_HOME", "linked")];
    for (variable, folder) in homes {
        let (code, told) = run(variable, folder, &[&source, &sink]);
        assert_eq!((code, told.contains("WARN"), told.contains("cache")), (Some(0), false, false), "{told}");
    }
    for (variable, folder) in [homes[0], homes[2]] {
        let (code, told) = run(variable, folder, &[&source, IDS, &sink]);
        assert_eq!((code, told.matches("plugins are compiled anew each time").count()), (Some(0), 1), "{told}");
        assert!(told.contains("the variable SLUICE_CACHE_DIR names another folder"), "{told}");
    }
    let (code, told) = run("SLUICE_CACHE_DIR", "file", &[&source, IDS, &sink]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("cannot be used") && told.contains("hint: name another folder"), "{told}");
}

/// Without a key that nobody else has, nothing that is kept can be told from what somebody has brought.
#[test]
fn without_a_key_for_compiled_plugins() {
    let workspace = Workspace::new();
    workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), IDS, &workspace.file_sink()]);
    let (cache, state) = (workspace.path().join("cache"), workspace.path().join("state"));
    let run = |state: &Path| {
        let mut command = workspace.command(&["run", "pipeline.toml"]);
        let output = Running::start(command.env("SLUICE_CACHE_DIR", &cache).env("XDG_STATE_HOME", state)).output();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(!run(&state).contains("WARN"));
    let key = state.join("sluice/plugin-cache.key");
    let is_kept = || fs::read_dir(&cache).unwrap().count();
    assert_eq!(is_kept(), 1);
    workspace.write("file", "");
    fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    for (state, why) in [
        (state.as_path(), "is no secret: others may read it (remove that file"),
        (&workspace.path().join("file"), "cannot be used"),
        (&cache, "would be among them (name another folder"),
    ] {
        let told = run(state);
        assert_eq!(told.matches("WARN plugins are compiled anew each time: ").count(), 1, "{told}");
        assert!(told.contains(why), "{told}");
    }
    fs::write(&key, "cut off").unwrap();
    fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    let told = run(&state);
    assert!(told.contains("it has 7 bytes, not 32 (remove that file"), "{told}");
}

#[test]
fn two_records_that_get_one_id() {
    let workspace = Workspace::new();
    let source = workspace.source("streams = [\"vehicle\"]");
    run(&workspace, &[&source, &workspace.file_sink()], 0);
    let path = workspace.commit()["tables"][0]["files"][0]["url"].as_str().unwrap().to_owned();
    let rows = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let id = |row: parquet::record::Row| match row.get_column_iter().find(|(name, _)| *name == "objectId") {
        Some((_, parquet::record::Field::Str(id))) => id.clone(),
        other => panic!("{other:?}"),
    };
    let ids: Vec<String> = rows.get_row_iter(None).unwrap().map(|row| id(row.unwrap())).collect();
    let transform = format!(
        "[[transform]]\nname = \"ids\"\nplugin = \"remap-ids\"\n\
         settings = {{ records = {{ \"2-13370001\" = {{ \"{}\" = \"{}\" }} }} }}\n",
        ids[3],
        ids[ids.len() - 1]
    );
    let told = run(&workspace, &[&source, &transform, &workspace.file_sink()], 1);
    assert!(
        told.contains("two rows of table `objects_vehicle` have the same key, `objectTypeId`, `objectId`"),
        "{told}"
    );
    assert!(!ids.iter().any(|id| told.contains(id.as_str())), "{told}");
    assert_eq!(workspace.commit()["commit"], 1, "the tables are those of the first run");
}

#[test]
fn rejections_that_end_the_run() {
    let workspace = Workspace::new();
    let source = workspace.source("streams = [\"vehicle\"]");
    let transform = |lines: &str| {
        format!(
            "[[transform]]\nname = \"ids\"\nplugin = \"remap-ids\"\n{lines}\n\
             settings = {{ records = {{ \"2-13370001\" = {{ \"1\" = \"2\" }} }}, unmapped = \"reject\" }}\n"
        )
    };
    let told = run(&workspace, &[&source, &transform(""), &workspace.file_sink()], 0);
    assert!(told.contains("rows as `unmapped-id`"), "{told}");
    let told = run(&workspace, &[&source, &transform("on_reject = \"fail\""), &workspace.file_sink()], 1);
    assert!(told.contains("with the code `unmapped-id`, and `on_reject` is `fail`"), "{told}");
    assert_eq!(workspace.commit()["commit"], 1, "the tables are those of the first run");
}

#[test]
fn a_limit_of_no_requests() {
    let workspace = Workspace::new();
    let refused = workspace.source("streams = [\"owners\"]\nrequests_per_10s = 0");
    let told = run(&workspace, &[&refused, &workspace.file_sink()], 2);
    assert!(told.contains("a nonzero u32"), "{told}");
}

/// Nine tenths of ten requests: the simulated account would let a tenth pass, so it is counted here, from outside.
#[test]
fn a_tenth_of_the_limit_is_left_to_others_in_every_ten_seconds() {
    const LIMIT: u32 = 10;
    const OURS: usize = 9;
    // Shorter than the window, by what a request may be late here.
    const WINDOW: Duration = Duration::from_millis(9_700);
    let workspace = Workspace::with(hubspot::Options { requests_per_10s: LIMIT, ..portal() }, aws::Options::default());
    workspace.pipeline(&[&workspace.source("streams = [\"contacts\"]"), &workspace.file_sink()]);
    let counted = || {
        let requests = workspace.hubspot.requests();
        requests.iter().filter(|request| !request.path.ends_with("/search")).count()
    };
    let mut running = workspace.start(&["run", "pipeline.toml", "--quiet"]);
    let (looks, began) = (RefCell::new(Vec::new()), Instant::now());
    running.until("more has been asked for than a window holds", |_| {
        let count = counted();
        looks.borrow_mut().push((began.elapsed(), count));
        count > OURS
    });
    assert!(running.output().status.success());
    let looks = looks.into_inner();
    let most = looks.iter().map(|(end, count)| {
        let before = looks.iter().rfind(|(look, _)| *look + WINDOW < *end).map_or(0, |(_, count)| *count);
        count - before
    });
    assert_eq!(most.max(), Some(OURS), "{looks:?}");
    assert!(workspace.hubspot.requests().iter().all(|request| request.status == Some(200)));
}

#[test]
fn what_a_bucket_asks_for_reaches_the_bucket() {
    let workspace = Workspace::new();
    let lines = "dual_stack = false\nfips = false\nexpected_bucket_owner = \"123456789012\"\nrequester_pays = true\n\
                 encryption = { type = \"sse-kms\", key = \"alias/lake\", bucket_key = true }\n\
                 acl = \"bucket-owner-full-control\"\ntags = { team = \"data\" }\nstorage_class = \"STANDARD_IA\"";
    let role = "source_identity = \"etl\", session_tags = { cost = \"42\" }";
    let file = workspace.pipeline(&[&workspace.source(""), &workspace.s3_sink(role, lines)]);
    let Settings::S3(settings) = Pipeline::read(&file).unwrap().bucket_settings(Patience::OfARun).unwrap() else {
        panic!()
    };
    assert_eq!((settings.dual_stack, settings.fips), (Some(false), Some(false)));
    let one = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let encryption = Encryption::Kms { key: Some("alias/lake".to_owned()), bucket_key: Some(true) };
    assert_eq!(
        settings.rules,
        Rules {
            encryption: Some(encryption),
            acl: Some("bucket-owner-full-control".to_owned()),
            tags: one("team", "data"),
            storage_class: Some("STANDARD_IA".to_owned()),
            expected_owner: Some("123456789012".to_owned()),
            requester_pays: true,
        }
    );
    let role = settings.role.unwrap();
    assert_eq!((role.source_identity.as_deref(), role.session_tags), (Some("etl"), one("cost", "42")));

    let sink = workspace.s3_sink("", "dual_stack = true\nfips = true").replace(", }", " }");
    let endpoint = format!("endpoint = \"{}\"\n", workspace.aws.endpoint());
    let file = workspace.pipeline(&[&workspace.source(""), &sink.replace(&endpoint, "")]);
    let Settings::S3(settings) = Pipeline::read(&file).unwrap().bucket_settings(Patience::OfARun).unwrap() else {
        panic!()
    };
    assert_eq!((settings.dual_stack, settings.fips), (Some(true), Some(true)));

    for (encryption, expected) in [
        ("sse-s3\"", Encryption::S3),
        ("sse-kms\"", Encryption::Kms { key: None, bucket_key: None }),
        ("dsse-kms\", key = \"k\"", Encryption::KmsInTwoLayers { key: Some("k".to_owned()) }),
    ] {
        let line = format!("encryption = {{ type = \"{encryption} }}");
        let file = workspace.pipeline(&[&workspace.source(""), &workspace.s3_sink("", &line).replace(", }", " }")]);
        let Settings::S3(settings) = Pipeline::read(&file).unwrap().bucket_settings(Patience::OfARun).unwrap() else {
            panic!()
        };
        assert_eq!(settings.rules, Rules { encryption: Some(expected), ..Rules::default() });
    }
}
