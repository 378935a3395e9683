//! A simulated HubSpot, and pipelines from it to buckets of servers that are not ours.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use serde_json::Value;
use sluice_lake::bucket::{Credentials, S3Settings};
use sluice_simulator::{data, hubspot, truth};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{child::Running, tables::Tables};

/// Tables of records that are compared with the truth: the table, the file of the truth, and two properties of text.
const RECORDS: [(&str, &str, [&str; 2]); 2] =
    [("objects_contacts", "contacts", ["email", "lastname"]), ("objects_companies", "companies", ["name", "domain"])];

/// A HubSpot with its truth, and a folder for pipeline files.
pub(crate) struct Portal {
    folder: TempDir,
    hubspot: hubspot::Running,
    pub(crate) runtime: Runtime,
}

impl Portal {
    /// A HubSpot that nobody has to wait for.
    pub(crate) fn new(data: data::Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        truth::write(folder.path().join("truth"), &data).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let options = hubspot::Options {
            data,
            requests_per_10s: 1_000_000,
            searches_per_second: 1_000,
            ..hubspot::Options::default()
        };
        let hubspot = runtime.block_on(hubspot::start(options, None)).unwrap();
        fs::write(folder.path().join("token"), hubspot::TOKEN).unwrap();
        Self { folder, hubspot, runtime }
    }

    /// A few pages.
    pub(crate) fn small() -> Self {
        Self::new(data::Options { contacts: 250, ..data::Options::default() })
    }

    /// Runs a pipeline of contacts and companies, one after the other, to where these settings say, with further lines of the
    /// sink. It may take as long as most runs of a test.
    pub(crate) fn run(&self, name: &str, settings: &S3Settings, lines: &str) -> Output {
        Running::start(&mut self.command(name, settings, lines)).output()
    }

    /// The same, for as long as this.
    pub(crate) fn run_for(&self, deadline: Duration, name: &str, settings: &S3Settings, lines: &str) -> Output {
        Running::spawn(&mut self.command(name, settings, lines), deadline, false).output()
    }

    fn command(&self, name: &str, settings: &S3Settings, lines: &str) -> Command {
        self.command_of(&["run"], name, settings, lines)
    }

    /// What another command says of such a pipeline; these words begin it, and others come after the file.
    pub(crate) fn said(&self, words: &[&str], after: &[&str], name: &str, settings: &S3Settings) -> Output {
        Running::start(self.command_of(words, name, settings, "").args(after)).output()
    }

    fn command_of(&self, words: &[&str], name: &str, settings: &S3Settings, lines: &str) -> Command {
        let file = format!("{name}.toml");
        let text = format!(
            "pipeline = \"test\"\n\n[source]\ntype = \"hubspot\"\nbase_url = \"{}\"\ntoken = {{ file = \"token\" }}\n\
             streams = [\"contacts\", \"companies\"]\n\n{}{lines}\n[run]\nstreams_at_once = 1\n",
            self.hubspot.base_url(),
            self.sink(name, settings)
        );
        fs::write(self.folder.path().join(&file), text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
        command.current_dir(self.folder.path()).args(words).arg(&file).env_clear();
        let folder = self.folder.path();
        command.env("SLUICE_CACHE_DIR", folder.join("cache")).env("XDG_STATE_HOME", folder.join("state"));
        command
    }

    /// Runs it, and fails if the run does.
    pub(crate) fn run_well(&self, name: &str, settings: &S3Settings, lines: &str) {
        let output = self.run(name, settings, lines);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// The `[sink]` of these settings, its secrets in files.
    fn sink(&self, name: &str, settings: &S3Settings) -> String {
        let Credentials::Static { access_key_id, secret_access_key, .. } = &settings.credentials else {
            panic!("the servers know fixed keys alone")
        };
        let (id, secret) = (format!("{name}.id"), format!("{name}.secret"));
        fs::write(self.folder.path().join(&id), access_key_id.expose()).unwrap();
        fs::write(self.folder.path().join(&secret), secret_access_key.expose()).unwrap();
        let mut lines = vec![
            "[sink]".to_owned(),
            "type = \"parquet\"".to_owned(),
            format!("url = \"s3://{}/{}\"", settings.bucket, settings.prefix),
            "region = \"us-east-1\"".to_owned(),
            format!("endpoint = \"{}\"", settings.endpoint.as_ref().unwrap()),
            "path_style = true".to_owned(),
            format!(
                "credentials = {{ access_key_id = {{ file = \"{id}\" }}, secret_access_key = {{ file = \"{secret}\" }} }}"
            ),
        ];
        if let Some(role) = &settings.role {
            let external = role.external_id.as_ref().map(|id| format!(", external_id = \"{id}\"")).unwrap_or_default();
            lines.push(format!("role = {{ arn = \"{}\"{external} }}", role.arn));
        }
        lines.join("\n") + "\n"
    }

    /// Fails unless the tables hold the account's records, no more and no fewer.
    pub(crate) fn assert_true(&self, tables: &Tables) {
        for (table, file, properties) in RECORDS {
            let columns = properties.map(|property| format!("property_{property}"));
            let columns = [&["objectId"][..], &columns.each_ref().map(String::as_str)].concat();
            assert_eq!(tables.texts(table, &columns), self.truth(file, &properties), "{table}");
        }
    }

    fn truth(&self, file: &str, properties: &[&str]) -> Vec<Vec<Option<String>>> {
        let lines = read(&self.folder.path().join("truth").join(format!("{file}.ndjson")));
        let mut rows: Vec<Vec<Option<String>>> = lines
            .iter()
            .map(|line| {
                let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
                let values = properties.iter().map(|property| text(&line["properties"][*property]));
                std::iter::once(text(&line["id"])).chain(values).collect()
            })
            .collect();
        rows.sort();
        assert!(!rows.is_empty(), "{file}");
        rows
    }
}

fn read(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
