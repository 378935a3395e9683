//! The role, against moto made strict (`moto_strict.py`): external ids, prefixes, permissions, sessions that end.

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::Command,
    sync::LazyLock,
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde_json::{Value, json};
use sluice_lake::bucket::{Bucket, BucketError, Credentials, PART_SIZE, Role, S3Settings, Settings};
use sluice_model::secret::Secret;

use crate::{
    contract::keeps_the_contract,
    portal::Portal,
    proxy::Proxy,
    servers::{self, DEADLINE, Server, Tied},
    tables::Tables,
};

pub(crate) const BUCKET: &str = "bucket";
pub(crate) const EXTERNAL_ID: &str = "sluice-external-id";
/// A bucket in which whatever is put is locked, and must have a digest.
const LOCKED: &str = "locked";
/// Roles that lack one action, by that action.
const ACTIONS: [&str; 4] = ["s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:DeleteObject"];

/// moto, with an account in it.
static MOTO: LazyLock<Moto> = LazyLock::new(|| Moto::start("moto", &account()));

pub(crate) struct Moto {
    _server: Server,
    address: SocketAddr,
    endpoint: String,
    access_key_id: String,
    secret_access_key: String,
}

/// The roles, and what they may do.
fn account() -> Value {
    let allow = |actions: &[&str], keys: &str| {
        json!([
            { "Effect": "Allow", "Action": actions, "Resource": format!("arn:aws:s3:::{BUCKET}/{keys}") },
            { "Effect": "Allow", "Action": actions, "Resource": format!("arn:aws:s3:::{BUCKET}") },
        ])
    };
    let all = [&ACTIONS[..], &["s3:AbortMultipartUpload"]].concat();
    let role = |name: &str, allows: Value| json!({ "name": name, "external_id": EXTERNAL_ID, "allows": allows });
    let mut roles = vec![role("sluice", allow(&all, "*")), role("narrow", allow(&all, "narrow/*"))];
    for lacking in ACTIONS {
        let others: Vec<&str> = all.iter().copied().filter(|action| *action != lacking).collect();
        roles.push(role(&without(lacking), allow(&others, "*")));
    }
    let locked = json!([
        { "Effect": "Allow", "Action": all, "Resource": format!("arn:aws:s3:::{LOCKED}/*") },
        { "Effect": "Allow", "Action": all, "Resource": format!("arn:aws:s3:::{LOCKED}") },
    ]);
    roles.push(role("locked", locked));
    json!({ "buckets": [BUCKET], "locked": [LOCKED], "user": "sluice", "roles": roles })
}

fn without(action: &str) -> String {
    format!("without-{}", action.trim_start_matches("s3:"))
}

impl Moto {
    /// Starts one that says what it says into a folder of that name, with this account in it.
    pub(crate) fn start(name: &'static str, account: &Value) -> Self {
        let [port] = servers::free_ports();
        let mut command = Tied::new(&servers::python());
        let script = servers::script("moto_strict.py");
        let address = ["-H".to_owned(), "127.0.0.1".to_owned(), "-p".to_owned(), port.to_string()];
        command.args([script.into_os_string()]).args(address);
        let mut server = Server::start("moto", &mut command, &servers::folder(name));
        server.until(|| servers::status(port, "GET", "/"));
        let endpoint = format!("http://127.0.0.1:{port}");
        let keys = made(&endpoint, account);
        let key = |name: &str| keys[name].as_str().unwrap().to_owned();
        let address = (Ipv4Addr::LOCALHOST, port).into();
        Self {
            _server: server,
            address,
            access_key_id: key("access_key_id"),
            secret_access_key: key("secret_access_key"),
            endpoint,
        }
    }

    /// A folder of the bucket through a role.
    pub(crate) fn settings(&self, role: Role, prefix: &str) -> S3Settings {
        let credentials = Credentials::Static {
            access_key_id: Secret::new(&self.access_key_id),
            secret_access_key: Secret::new(&self.secret_access_key),
            session_token: None,
        };
        S3Settings { credentials, ..settings_at(&self.endpoint, role, prefix) }
    }

    pub(crate) fn role(&self, name: &str) -> Role {
        role_at(&self.endpoint, name)
    }

    pub(crate) async fn open(&self, role: &str, prefix: &str) -> Bucket {
        Bucket::open(&Settings::S3(self.settings(self.role(role), prefix))).await.unwrap()
    }

    /// Why a bucket cannot be opened.
    async fn refusal(&self, settings: S3Settings) -> String {
        told(&Bucket::open(&Settings::S3(settings)).await.unwrap_err())
    }
}

/// A folder of the bucket of a moto that is there, with keys that it does not know.
pub(crate) fn settings_at(endpoint: &str, role: Role, prefix: &str) -> S3Settings {
    S3Settings {
        region: Some("us-east-1".to_owned()),
        endpoint: Some(endpoint.parse().unwrap()),
        path_style: true,
        credentials: Credentials::Static {
            access_key_id: Secret::new("AKIAIOSFODNN7EXAMPLE"),
            secret_access_key: Secret::new("of nobody"),
            session_token: None,
        },
        role: Some(role),
        ..S3Settings::of(BUCKET, prefix)
    }
}

pub(crate) fn role_at(endpoint: &str, name: &str) -> Role {
    Role {
        external_id: Some(EXTERNAL_ID.to_owned()),
        sts_endpoint: Some(endpoint.parse().unwrap()),
        ..Role::of(&arn(name), "sluice-crm")
    }
}

fn arn(role: &str) -> String {
    format!("arn:aws:iam::123456789012:role/{role}")
}

/// Makes an account, and gives the user's keys.
fn made(endpoint: &str, account: &Value) -> Value {
    let mut command = Command::new(servers::python());
    servers::said_of(command.arg(servers::script("moto_account.py")).arg(endpoint), &account.to_string())
}

/// An error and its causes as people are shown them.
fn told(error: &BucketError) -> String {
    let mut lines = vec![error.to_string()];
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        lines.push(error.to_string());
        cause = error.source();
    }
    lines.extend(error.hint());
    lines.join("\n")
}

/// If this passes where it should not, moto is no longer what `moto_strict.py` changes, and the rest proves nothing.
#[tokio::test]
async fn an_absent_external_id_is_refused() {
    let role = Role { external_id: None, ..MOTO.role("sluice") };
    let told = MOTO.refusal(MOTO.settings(role, "x")).await;
    assert!(told.contains("no external id was sent") && told.contains("STS answered 403 `AccessDenied`"), "{told}");
    assert!(told.contains("set `external_id`"), "{told}");
}

#[tokio::test]
async fn who_may_not_assume_the_role_is_told_why() {
    let role = Role { external_id: Some("another-id".to_owned()), ..MOTO.role("sluice") };
    let told = MOTO.refusal(MOTO.settings(role, "x")).await;
    assert!(told.contains("with this external id, to the letter") && told.contains("403 `AccessDenied`"), "{told}");

    let told = MOTO.refusal(MOTO.settings(MOTO.role("nobody"), "x")).await;
    assert!(told.contains(&arn("nobody")) && told.contains("403 `AccessDenied`"), "{told}");

    let mut settings = MOTO.settings(MOTO.role("sluice"), "x");
    settings.credentials = Credentials::Static {
        access_key_id: Secret::new(&MOTO.access_key_id),
        secret_access_key: Secret::new("not the secret of this key"),
        session_token: None,
    };
    let told = MOTO.refusal(settings).await;
    assert!(told.contains("STS does not accept the AWS credentials"), "{told}");
    assert!(told.contains("`SignatureDoesNotMatch`"), "{told}");
}

/// The user's own keys may do nothing but assume roles.
#[tokio::test]
async fn without_the_role_nothing_is_allowed() {
    let settings = S3Settings { role: None, ..MOTO.settings(MOTO.role("sluice"), "x") };
    let bucket = Bucket::open(&Settings::S3(settings)).await.unwrap();
    let error = bucket.put("a", Bytes::new()).await.unwrap_err();
    assert!(matches!(error, BucketError::AccessDenied { action: "s3:PutObject", .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_is_kept_through_the_role() {
    keeps_the_contract(&MOTO.open("sluice", "contract").await).await;
}

#[tokio::test]
async fn a_role_of_one_folder_reaches_no_other() {
    let inside = MOTO.open("narrow", "narrow").await;
    inside.put("t/a", Bytes::from_static(b"inside")).await.unwrap();
    assert_eq!(inside.get("t/a").await.unwrap().unwrap(), "inside");
    inside.delete("t/a").await.unwrap();

    let all = MOTO.open("sluice", "wide").await;
    all.put("t/a", Bytes::from_static(b"outside")).await.unwrap();
    let outside = MOTO.open("narrow", "wide").await;
    let refusals = [
        outside.put("t/b", Bytes::new()).await.unwrap_err(),
        outside.get("t/a").await.unwrap_err(),
        outside.delete("t/a").await.unwrap_err(),
    ];
    for error in refusals {
        let BucketError::AccessDenied { location, resource, .. } = &error else { panic!("{error:?}") };
        assert!(location.starts_with("s3://bucket/wide/t/") && resource == "arn:aws:s3:::bucket/wide/*", "{error:?}");
    }
    assert_eq!(all.get("t/a").await.unwrap().unwrap(), "outside");
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    for lacking in ACTIONS {
        let bucket = MOTO.open(&without(lacking), "lacking").await;
        let error = match lacking {
            "s3:GetObject" => bucket.get("x").await.unwrap_err(),
            "s3:PutObject" => bucket.put("x", Bytes::new()).await.unwrap_err(),
            "s3:ListBucket" => bucket.list("x").await.unwrap_err(),
            _ => bucket.delete("x").await.unwrap_err(),
        };
        let BucketError::AccessDenied { action, .. } = &error else { panic!("{lacking}: {error:?}") };
        assert_eq!(*action, lacking);
        assert!(error.hint().unwrap().contains(lacking), "{:?}", error.hint());
    }
}

/// Sessions of a second, which AWS would not give.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_outlives_the_sessions_that_it_is_sent_in() {
    let sts = Proxy::start(MOTO.address, None).await;
    let role = Role {
        duration: Duration::from_secs(1),
        sts_endpoint: Some(sts.endpoint().parse().unwrap()),
        ..MOTO.role("sluice")
    };
    let bucket = Bucket::open(&Settings::S3(MOTO.settings(role, "short"))).await.unwrap();
    let mut upload = bucket.upload("big").unwrap();
    let started = Instant::now();
    for part in 1..=3 {
        upload.write(Bytes::from(vec![part; PART_SIZE])).await.unwrap();
        while sts.requests().len() <= usize::from(part) {
            bucket.put("meanwhile", Bytes::new()).await.unwrap();
            assert!(started.elapsed() < DEADLINE, "no session has ended");
        }
    }
    assert_eq!(upload.finish().await.unwrap(), 3 * PART_SIZE as u64);
    let content = bucket.get("big").await.unwrap().unwrap();
    assert!(content.chunks(PART_SIZE).zip(1..).all(|(sent, part)| sent.iter().all(|byte| *byte == part)));
}

/// Keys of a session that somebody else has asked for, and that nobody here can renew.
#[tokio::test]
async fn a_session_that_has_ended_is_told_as_such() {
    let role = MOTO.role("sluice");
    let keys = keys_of_a_session(&role, 3);
    let settings = S3Settings { role: None, credentials: keys, ..MOTO.settings(role, "ended") };
    let bucket = Bucket::open(&Settings::S3(settings)).await.unwrap();
    bucket.put("x", Bytes::new()).await.unwrap();
    let started = Instant::now();
    let error = loop {
        match bucket.put("x", Bytes::new()).await {
            Err(error) => break told(&error),
            Ok(()) => assert!(started.elapsed() < DEADLINE, "the session does not end"),
        }
    };
    assert!(error.starts_with("the AWS credentials for S3 have expired\n"), "{error}");
}

fn keys_of_a_session(role: &Role, seconds: u32) -> Credentials {
    let mut command = Command::new(servers::python());
    command.arg(servers::script("session.py")).args([&MOTO.endpoint, &role.arn, EXTERNAL_ID, &seconds.to_string()]);
    let keys = servers::said(command.args([&MOTO.access_key_id, &MOTO.secret_access_key]));
    let key = |name: &str| Secret::new(keys[name].as_str().unwrap());
    Credentials::Static {
        access_key_id: key("AccessKeyId"),
        secret_access_key: key("SecretAccessKey"),
        session_token: Some(key("SessionToken")),
    }
}

#[test]
fn a_run_through_the_role_writes_what_the_account_holds() {
    let portal = Portal::small();
    let settings = MOTO.settings(MOTO.role("sluice"), "run");
    portal.run_well("moto", &settings, "");
    portal.runtime.block_on(async {
        let tables = Tables::of(&MOTO.open("sluice", "run").await).await;
        assert_eq!(tables.commit, 1);
        portal.assert_true(&tables);
    });
}

/// A run that may not assume the role ends before it reads anything, and says so.
#[test]
fn a_run_with_another_external_id_is_refused() {
    let portal = Portal::small();
    let role = Role { external_id: Some("another-id".to_owned()), ..MOTO.role("sluice") };
    let output = portal.run("refused", &MOTO.settings(role, "refused"), "");
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("cannot be assumed") && told.contains("\nhint: "), "{told}");
}

/// What is removed there stays under its version, and what is put without a digest is refused.
#[test]
fn runs_go_on_where_objects_are_locked() {
    let portal = Portal::small();
    let settings = S3Settings { bucket: LOCKED.to_owned(), ..MOTO.settings(MOTO.role("locked"), "run") };
    for commit in 1..=3 {
        portal.run_well("locked", &settings, "keep = \"1d\"\n");
        portal.runtime.block_on(async {
            let tables = Tables::of(&Bucket::open(&Settings::S3(settings.clone())).await.unwrap()).await;
            assert_eq!(tables.commit, commit);
            portal.assert_true(&tables);
        });
    }
    let checked = portal.said(&["check"], &[], "locked", &settings);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}
