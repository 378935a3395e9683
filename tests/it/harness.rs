//! What the tests stand on: a folder of their own, simulated ends, the binary.

use std::{
    fs,
    ops::Range,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use http::Method;
use sluice_simulator::{
    aws, data,
    hubspot::{self, Fault, FaultAction, PathPattern},
};
use tempfile::TempDir;

use crate::child::Running;

/// A folder of one test, with the simulated ends that it asked for.
pub(crate) struct Workspace {
    folder: TempDir,
    pub(crate) hubspot: hubspot::Running,
    pub(crate) aws: aws::Running,
    /// Keeps the simulators going; dropped after them.
    _runtime: tokio::runtime::Runtime,
}

/// Contacts in the portals of these tests: a few pages, and every oddity.
pub(crate) const CONTACTS: u64 = 500;

/// What differs from run to run in what the binary says, and what stands in a snapshot instead.
pub(crate) const FILTERS: [(&str, &str); 13] = [
    // Whoever comes first compiles, and how long that takes is chance.
    (r"(?m)^.* INFO compiling `.*\n", ""),
    (r"sha256:[0-9a-f]{64}", "sha256:[DIGEST]"),
    (r"\d{8}T\d{6}Z-[0-9a-f]{8}", "[RUN]"),
    (r"\d+\.\d+ s\b", "[TIME] s"),
    // Run ids and times are in files, and press to one length more or less.
    (r" +\d+\.\d [KM]iB", " [SIZE]"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "[INSTANT]"),
    (r"process \d+ on host `[^`]+`", "process [PID] on host `[HOST]`"),
    (r"correlation id `[^`]+`", "correlation id `[ID]`"),
    (r"\([0-9a-f]{12}\)", "([DIGEST])"),
    (r"\(request `[^`]+`\)", "(request `[ID]`)"),
    (r"failed after \d+ attempts", "failed after [N] attempts"),
    (r"budget of \d+ instructions", "budget of [FUEL] instructions"),
    // How long the waits of a retry are is chance: a run of half a minute tells how far it is.
    (r"(?m)^(\d+ min )?\d+ s: .* API budget .*\n", ""),
];

/// A portal of that size.
pub(crate) fn portal() -> hubspot::Options {
    hubspot::Options {
        data: data::Options { contacts: CONTACTS, ..data::Options::default() },
        ..hubspot::Options::default()
    }
}

/// Whether a request asks for a page of records, and not only for a first look or a count.
pub(crate) fn is_page(request: &hubspot::LoggedRequest) -> bool {
    request.path.contains("/objects/") && request.query.as_ref().is_some_and(|query| query.contains("limit=100"))
}

/// What happens to these of the requests for records of a type (all types that begin like this), counted from 0: first looks
/// and pages. Counts, which come whenever they come, are none of them.
pub(crate) fn on_records(type_id: &str, occurrences: Range<u64>, action: FaultAction) -> Fault {
    let path = PathPattern::Contains(format!("/objects/2026-09/{type_id}"));
    Fault { path, method: Some(Method::GET), occurrences, action }
}

impl Workspace {
    /// Simulated ends without faults.
    pub(crate) fn new() -> Self {
        Self::with(portal(), aws::Options::default())
    }

    /// Simulated ends of these kinds. The bucket's folder is in the test's own, wherever the options say.
    pub(crate) fn with(hubspot: hubspot::Options, aws: aws::Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let hubspot = runtime.block_on(hubspot::start(hubspot, None)).unwrap();
        let aws = aws::Options { root: folder.path().join("s3"), ..aws };
        let aws = runtime.block_on(aws::start(aws, None)).unwrap();
        fs::write(folder.path().join("token"), hubspot::TOKEN).unwrap();
        let account = aws::Options::default();
        fs::write(folder.path().join("access-key-id"), account.access_key_id).unwrap();
        fs::write(folder.path().join("secret-access-key"), account.secret_access_key).unwrap();
        Self { folder, hubspot, aws, _runtime: runtime }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// The `[source]` section for the simulated HubSpot, with these further lines.
    pub(crate) fn source(&self, lines: &str) -> String {
        format!(
            "[source]\ntype = \"hubspot\"\nbase_url = \"{}\"\ntoken = {{ file = \"token\" }}\n{lines}\n",
            self.hubspot.base_url()
        )
    }

    /// The `[sink]` section for a folder of this machine.
    pub(crate) fn file_sink(&self) -> String {
        format!("[sink]\ntype = \"parquet\"\nurl = \"file://{}\"\n", self.path().join("tables").display())
    }

    /// The `[sink]` section for the simulated S3, through the role; `lines` replace the external id.
    pub(crate) fn s3_sink(&self, role_lines: &str, lines: &str) -> String {
        let endpoint = self.aws.endpoint();
        let credentials =
            "{ access_key_id = { file = \"access-key-id\" }, secret_access_key = { file = \"secret-access-key\" } }";
        format!(
            "[sink]\ntype = \"parquet\"\nurl = \"s3://bucket/crm\"\nregion = \"us-east-1\"\nendpoint = \"{endpoint}\"\n\
             path_style = true\ncredentials = {credentials}\nrole = {{ arn = \"arn:aws:iam::123456789012:role/sluice-destination\", {role_lines} }}\n{lines}\n"
        )
    }

    /// Writes `pipeline.toml` and gives its path.
    pub(crate) fn pipeline(&self, sections: &[&str]) -> PathBuf {
        self.write("pipeline.toml", format!("pipeline = \"test\"\n\n{}", sections.join("\n")))
    }

    /// Runs the binary in the folder of the test, with nothing of the environment but what it needs.
    pub(crate) fn sluice(&self, arguments: &[&str]) -> Output {
        Running::start(&mut self.command(arguments)).output()
    }

    /// Runs the pipeline, with a report; what it says.
    pub(crate) fn run(&self, exit_code: i32) -> String {
        let output = self.sluice(&["run", "pipeline.toml", "--report", "report.json"]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(exit_code), "{told}");
        told
    }

    /// The report of the last run that was asked for one.
    pub(crate) fn report(&self) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.path().join("report.json")).unwrap()).unwrap()
    }

    /// Starts the binary in the same way, and does not wait for its end.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(&mut self.command(arguments))
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
        command.current_dir(self.path()).args(arguments);
        command.env_clear().env("SLUICE_CACHE_DIR", cache()).env("XDG_STATE_HOME", state());
        command
    }

    /// The exit code of a command and all that it says, with everything taken out that differs from run to run.
    pub(crate) fn told(&self, arguments: &[&str]) -> String {
        let output = self.sluice(arguments);
        let code = output.status.code().map_or("killed".to_owned(), |code| code.to_string());
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        let text = format!("exit code {code}\n{text}");
        let folder = self.path().canonicalize().unwrap().display().to_string();
        text.replace(&folder, "[FOLDER]")
            .replace(&self.path().display().to_string(), "[FOLDER]")
            .replace(&self.hubspot.base_url().replace("http://", ""), "[HUBSPOT]")
            .replace(&self.aws.endpoint().replace("http://", ""), "[AWS]")
    }

    /// The newest commit, as `sluice tables` tells it to programs.
    pub(crate) fn commit(&self) -> serde_json::Value {
        let output = self.sluice(&["tables", "pipeline.toml", "--format", "json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The keys of the data files that the newest commit lists.
    pub(crate) fn listed_files(&self) -> Vec<String> {
        let commit = self.commit();
        let files = commit["tables"].as_array().unwrap().iter().flat_map(|table| table["files"].as_array().unwrap());
        files.map(|file| key_of(file["url"].as_str().unwrap())).collect()
    }
}

/// The key of a data file that a URL ends in: table, pipeline, run, file.
fn key_of(url: &str) -> String {
    let parts: Vec<&str> = url.rsplitn(5, '/').collect();
    [parts[3], parts[2], parts[1], parts[0]].join("/")
}

/// The keys of all data files under a folder that is a bucket, in their order, unfinished ones included.
pub(crate) fn data_files(bucket: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![bucket.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(bucket).unwrap().display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if !name.starts_with("_sluice/") {
                found.push(name);
            }
        }
    }
    found.sort();
    found
}

/// Where the tests keep compiled plugins: one folder for all, since compiling takes seconds.
fn cache() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| folder_of_all("plugin-cache"))
}

/// Where the key is that they are sealed with.
pub(crate) fn state() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| folder_of_all("state"))
}

/// A folder that all tests share, and nobody else may write to.
fn folder_of_all(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    folder
}
