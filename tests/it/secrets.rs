//! What is said and logged holds no secret: every line, at every level, whatever a service or a program answers.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use sluice_simulator::{aws, hubspot};

use crate::{child::Running, harness::Workspace};

/// What an answer holds that must not be seen.
const SECRETS: [&str; 3] = ["ASIAOUTOFANANSWER", "secretOutOfAnAnswer", "tokenOutOfAnAnswer"];

/// A server that gives every request the same answer.
struct Answers {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Answers {
    fn serve(status: u16, kind: &str, body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                // A client that goes away is its own matter.
                drop(stream.and_then(|stream| exchange(stream, &answer)));
            }
        });
        Self { address, stop, thread: Some(thread) }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// Reads a request, as far as its headers and the length they announce go, and answers it.
fn exchange(mut stream: TcpStream, answer: &str) -> std::io::Result<()> {
    stream.set_read_timeout(Some(std::time::Duration::from_secs(5)))?;
    let (mut request, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&request).to_lowercase();
        if let Some((headers, body)) = text.split_once("\r\n\r\n") {
            let length = headers.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                break;
            }
        }
        match stream.read(&mut part)? {
            0 => break,
            read => request.extend_from_slice(&part[..read]),
        }
    }
    stream.write_all(answer.as_bytes())
}

/// Runs a command in every form of the log, at the level of the form and at the lowest. It must end with this code, and with
/// none of these secrets in all that it says. Gives what it says in each form.
fn all_forms(
    workspace: &Workspace,
    exit_code: i32,
    secrets: &[&str],
    prepare: impl Fn(&mut Command),
) -> Vec<(&'static str, String)> {
    let mut told = Vec::new();
    for form in ["--log=text", "--log=json", "--quiet"] {
        for filter in [None, Some("trace"), Some("aws_config=trace,error")] {
            let mut command = workspace.command(&["run", "pipeline.toml", form]);
            command.env("HOME", workspace.path()).env("AWS_MAX_ATTEMPTS", "1");
            if let Some(filter) = filter {
                command.env("SLUICE_LOG", filter);
            }
            prepare(&mut command);
            let output = Running::start(&mut command).output();
            let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
            assert_eq!(output.status.code(), Some(exit_code), "{form} {filter:?}\n{text}");
            for secret in secrets {
                assert!(!text.contains(secret), "`{secret}` with {form} and {filter:?} in\n{text}");
            }
            if form == "--log=json" {
                for line in text.lines() {
                    serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|_| panic!("{line}"));
                }
            }
            told.push((form, text));
        }
    }
    told
}

/// A pipeline into the simulated S3, with what is to be tried for credentials.
fn workspace_with(sink_lines: &str) -> Workspace {
    let workspace = Workspace::new();
    let sink = format!(
        "[sink]\ntype = \"parquet\"\nurl = \"s3://bucket/crm\"\nregion = \"us-east-1\"\nendpoint = \"{}\"\n\
         path_style = true\n{sink_lines}",
        workspace.aws.endpoint()
    );
    workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), &sink]);
    workspace
}

#[test]
fn an_answer_of_sts_that_cannot_be_read_is_not_shown() {
    let [id, secret, token] = SECRETS;
    let credentials = format!(
        "<AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>"
    );
    let session = |inner: &str| {
        format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>{inner}\
             </Credentials></AssumeRoleResult></AssumeRoleResponse>"
        )
    };
    let whole = session(&credentials);
    let answers = [
        (200, "text/xml", whole.chars().take(whole.len() - 80).collect()),
        (200, "text/xml", session(&format!("{credentials}<Expiration>{token}</Expiration>"))),
        (200, "text/xml", format!("<Other id=\"{id}\" secret=\"{secret}\" token=\"{token}\">{credentials}</Other>")),
        (200, "text/xml", session(&credentials.replace("SecretAccessKey>", "Secret>"))),
        (200, "application/json", format!("{{\"id\": \"{id}\", \"secret\": \"{secret}\", \"token\": \"{token}\"}}")),
        (200, "text/html", format!("<html><body>{id} {secret} {token}</body></html>")),
        (403, "text/html", format!("<html><body>{id} {secret} {token}</body></html>")),
        (400, "text/xml", credentials.clone()),
        (500, "text/xml", credentials.clone()),
    ];
    for (status, kind, body) in answers {
        let sts = Answers::serve(status, kind, &body);
        let workspace = workspace_with(&format!(
            "sts_endpoint = \"{}\"\ncredentials = {{ access_key_id = {{ file = \"access-key-id\" }}, secret_access_key = {{ file = \
             \"secret-access-key\" }} }}\nrole = {{ arn = \"arn:aws:iam::123456789012:role/r\" }}\n",
            sts.url()
        ));
        let account = aws::Options::default();
        let secrets = [&SECRETS[..], &[account.secret_access_key.as_str(), hubspot::TOKEN]].concat();
        for (form, told) in all_forms(&workspace, 1, &secrets, |_| {}) {
            let words =
                if status == 500 { "STS could not be reached" } else { "STS gave an answer that cannot be read" };
            assert!(told.contains(words), "{form} {status} {body}\n{told}");
            assert!(told.contains(&format!("STS answered {status}")), "{form} {status} {body}\n{told}");
        }
    }
}

#[test]
fn what_a_credential_process_says_is_not_shown() {
    let [id, secret, token] = SECRETS;
    let json = format!("{{\"Version\": 1, \"AccessKeyId\": \"{id}\", \"SessionToken\": \"{token}\"");
    for (script, words) in [
        (format!("echo \"{secret}\" >&2\nexit 3\n"), "`credential_process` of the profile failed (exit status: 3)"),
        (format!("echo \"{secret}\" >&2\nkill -9 $$\n"), "`credential_process` of the profile failed ("),
        (format!("echo '{secret}'\n"), "`credential_process` of the profile printed nothing that can be read"),
        (format!("echo '{json}}}'\n"), "`credential_process` of the profile printed nothing that can be read"),
        (
            format!("echo '{json}, \"SecretAccessKey\": \"{secret}\", \"Expiration\": \"{secret}\"}}'\n"),
            "`credential_process` of the profile printed nothing that can be read",
        ),
    ] {
        let workspace = workspace_with("");
        let program = workspace.write("keys.sh", format!("#!/bin/sh\n{script}"));
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        workspace.write("config", format!("[default]\ncredential_process = {} --key {token}\n", program.display()));
        let told = all_forms(&workspace, 2, &SECRETS, |command| {
            command.env("AWS_CONFIG_FILE", "config").env("AWS_EC2_METADATA_DISABLED", "true");
        });
        for (form, told) in told {
            assert!(told.contains(words), "{form} {script}\n{told}");
        }
    }
}

#[test]
fn what_a_metadata_service_answers_is_not_shown() {
    let [id, secret, token] = SECRETS;
    let broken = format!("{{\"AccessKeyId\": \"{id}\", \"SecretAccessKey\": \"{secret}\", \"Token\": \"{token}\"");
    let no_time = format!("{broken}, \"Expiration\": \"{token}\"}}");
    let refusal = format!("{{\"Code\": \"{secret}\", \"Message\": \"{token}\"}}");
    for body in [broken, no_time, refusal, secret.to_owned()] {
        let service = Answers::serve(200, "application/json", &body);
        let variables = [
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", service.url() + "/keys", "unused"),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url(), "unused"),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", service.url() + "/keys", "secretOutOfAnAnswer\nx"),
        ];
        for (variable, value, authorization) in variables {
            let workspace = workspace_with("");
            let told = all_forms(&workspace, 2, &SECRETS, |command| {
                command.env(variable, &value).env("AWS_CONTAINER_AUTHORIZATION_TOKEN", authorization);
            });
            for (form, told) in told {
                assert!(told.contains("no AWS credentials were found"), "{form} {variable} {body}\n{told}");
            }
        }
    }
}

#[test]
fn a_whole_run_at_the_lowest_level_shows_no_secret() {
    let workspace = Workspace::new();
    let sink = workspace.s3_sink("external_id = \"sluice-external-id\"", "");
    workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), &sink]);
    let account = aws::Options::default();
    let secrets = [account.secret_access_key.as_str(), hubspot::TOKEN, "x-amz-security-token", "Authorization"];
    let told = all_forms(&workspace, 0, &secrets, |_| {});
    assert!(told.iter().any(|(_, told)| told.contains("assumed the role")), "our own words are shown at their level");
}
