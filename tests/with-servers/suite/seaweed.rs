//! Data, against `SeaweedFS`: digests, conditional writes, uploads in parts, sessions that really end after seconds.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Command,
    sync::LazyLock,
    time::Instant,
};

use bytes::Bytes;
use serde_json::json;
use sluice_lake::bucket::{Bucket, Credentials, PART_SIZE, Put, Role, S3Settings, Settings};
use sluice_model::secret::Secret;

use crate::{
    contract::keeps_the_contract_but_for_folders,
    portal::Portal,
    proxy::Proxy,
    servers::{self, DEADLINE, Server, Tied},
    tables::Tables,
};

const BUCKET: &str = "bucket";
/// May do everything.
const OWNER: (&str, &str) = ("OWNEROWNEROWNER1", "the-secret-of-the-owner");
/// May do nothing but assume the role.
const USER: (&str, &str) = ("USERUSERUSERUSE1", "the-secret-of-the-user");
const ROLE: &str = "arn:aws:iam::123456789012:role/sluice";
/// How long a session lasts, whatever is asked for.
const SESSION: &str = "5s";

/// `SeaweedFS` with an empty bucket.
pub(crate) static SEAWEED: LazyLock<Seaweed> = LazyLock::new(Seaweed::start);

pub(crate) struct Seaweed {
    _server: Server,
    pub(crate) address: SocketAddr,
}

impl Seaweed {
    fn start() -> Self {
        let folder = servers::folder("seaweed");
        fs::create_dir(folder.join("data")).unwrap();
        write_account(&folder);
        let ports @ [master, master_rpc, volume, volume_rpc, filer, filer_rpc, s3, s3_rpc] = servers::free_ports();
        assert_eq!(ports.len(), 8);
        let mut command = Tied::new(&servers::python().with_file_name("weed"));
        command.args(["-logtostderr=true", "server", "-dir=data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]);
        command.args(["-filer", "-s3", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]);
        command.args(["-s3.config=s3.json", "-s3.iam.config=iam.json"]);
        command.args(["-volume.max=50", "-master.volumeSizeLimitMB=256"]);
        for (name, port) in [("master", master), ("volume", volume), ("filer", filer), ("s3", s3)] {
            command.args([format!("-{name}.port={port}")]);
        }
        for (name, port) in [("master", master_rpc), ("volume", volume_rpc), ("filer", filer_rpc), ("s3", s3_rpc)] {
            command.args([format!("-{name}.port.grpc={port}")]);
        }
        let mut server = Server::start("SeaweedFS", &mut command, &folder);
        // The owner's buckets are the filer's folders of this one.
        let made = format!("/buckets/{BUCKET}/");
        server.until(|| servers::status(filer, "POST", &made).filter(|status| [201, 409].contains(status)));
        server.until(|| servers::status(s3, "GET", "/").filter(|status| *status == 403));
        let address = (Ipv4Addr::LOCALHOST, s3).into();
        let seaweed = Self { _server: server, address };
        seaweed.wait_for_writes();
        seaweed
    }

    /// It answers before it has a place to write to.
    fn wait_for_writes(&self) {
        let settings = self.settings("started");
        let write = async move {
            let bucket = Bucket::open(&Settings::S3(settings)).await.unwrap();
            bucket.put("x", Bytes::from_static(b"written")).await.unwrap();
        };
        // Within the runtime of a test nothing may block, so it is a thread of its own that does.
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        std::thread::scope(|scope| scope.spawn(|| runtime().block_on(write)).join().unwrap());
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A folder of the bucket, as its owner.
    pub(crate) fn settings(&self, prefix: &str) -> S3Settings {
        S3Settings {
            region: Some("us-east-1".to_owned()),
            endpoint: Some(self.endpoint().parse().unwrap()),
            path_style: true,
            credentials: keys(OWNER),
            ..S3Settings::of(BUCKET, prefix)
        }
    }

    /// A folder of the bucket through the role, for which it asks at this endpoint.
    fn through_the_role(&self, prefix: &str, sts: &str) -> S3Settings {
        let role = Role { sts_endpoint: Some(sts.parse().unwrap()), ..Role::of(ROLE, "sluice-crm") };
        S3Settings { credentials: keys(USER), role: Some(role), ..self.settings(prefix) }
    }

    pub(crate) async fn open(&self, prefix: &str) -> Bucket {
        Bucket::open(&Settings::S3(self.settings(prefix))).await.unwrap()
    }
}

fn keys((id, secret): (&str, &str)) -> Credentials {
    Credentials::Static { access_key_id: Secret::new(id), secret_access_key: Secret::new(secret), session_token: None }
}

/// Who there is, and the role. It knows no external ids, and refuses all that asks for one.
fn write_account(folder: &Path) {
    let identity = |name: &str, (id, secret): (&str, &str), actions: &[&str]| json!({ "name": name, "credentials": [{ "accessKey": id, "secretKey": secret }], "actions": actions });
    let all = ["Admin", "Read", "Write", "List", "Tagging"];
    let identities = json!({ "identities": [identity("owner", OWNER, &all), identity("user", USER, &[])] });
    fs::write(folder.join("s3.json"), identities.to_string()).unwrap();
    let policy = |statement: serde_json::Value| json!({ "Version": "2012-10-17", "Statement": [statement] });
    let trust = json!({ "Effect": "Allow", "Principal": { "AWS": "*" }, "Action": ["sts:AssumeRole"] });
    let resources = [format!("arn:aws:s3:::{BUCKET}"), format!("arn:aws:s3:::{BUCKET}/*")];
    let allows = json!({ "Effect": "Allow", "Action": ["s3:*"], "Resource": resources });
    let roles = json!({
        "sts": {
            "tokenDuration": SESSION,
            "maxSessionLength": SESSION,
            "issuer": "sts",
            "signingKey": "c2x1aWNlLXNsdWljZS1zbHVpY2Utc2x1aWNlLXNsdWljZQ==",
        },
        "policy": { "defaultEffect": "Deny" },
        "roles": [{
            "roleName": "sluice",
            "roleArn": ROLE,
            "attachedPolicies": ["bucket"],
            "trustPolicy": policy(trust),
        }],
        "policies": [{ "name": "bucket", "document": policy(allows) }],
    });
    fs::write(folder.join("iam.json"), roles.to_string()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_is_kept() {
    keeps_the_contract_but_for_folders(&SEAWEED.open("contract").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_is_kept_through_the_role() {
    let settings = SEAWEED.through_the_role("contract-of-the-role", &SEAWEED.endpoint());
    keeps_the_contract_but_for_folders(&Bucket::open(&Settings::S3(settings)).await.unwrap()).await;
}

#[tokio::test]
async fn without_the_role_nothing_is_allowed() {
    let settings = S3Settings { credentials: keys(USER), ..SEAWEED.settings("x") };
    let bucket = Bucket::open(&Settings::S3(settings)).await.unwrap();
    let error = bucket.put("a", Bytes::new()).await.unwrap_err();
    assert!(error.to_string().contains("`s3:PutObject` is not allowed on `s3://bucket/x/a`"), "{error}");
}

#[tokio::test]
async fn what_is_there_is_not_created_again() {
    let bucket = SEAWEED.open("conditional").await;
    assert_eq!(bucket.put_if_absent("a", Bytes::from_static(b"first")).await.unwrap(), Put::Created);
    assert_eq!(bucket.put_if_absent("a", Bytes::from_static(b"second")).await.unwrap(), Put::Exists);
    assert_eq!(bucket.get("a").await.unwrap().unwrap(), "first");
}

/// That this server looks at digests at all, which moto does not. So that what sluice's bytes have passed through here has
/// been checked, each put of them: a test of `faults` changes one on the way.
#[test]
fn a_wrong_digest_is_refused() {
    let mut command = Command::new(servers::python());
    command.arg(servers::script("wrong_digests.py")).args([&SEAWEED.endpoint(), BUCKET, OWNER.0, OWNER.1]);
    let expected = json!({
        "right": "stored",
        "Content-MD5": "BadDigest",
        "x-amz-checksum-sha256": "BadDigest",
        "x-amz-checksum-crc32": "BadDigest",
    });
    assert_eq!(servers::said(&mut command), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_outlives_the_sessions_that_it_is_sent_in() {
    const SESSIONS: u8 = 3;
    let sts = Proxy::start(SEAWEED.address, None).await;
    let settings = SEAWEED.through_the_role("short", &sts.endpoint());
    let bucket = Bucket::open(&Settings::S3(settings)).await.unwrap();
    let mut upload = bucket.upload("big").unwrap();
    let started = Instant::now();
    for part in 1..=SESSIONS {
        upload.write(Bytes::from(vec![part; PART_SIZE])).await.unwrap();
        // Another session is asked for when this one nears its end, and somebody uses it.
        while sts.requests().len() <= usize::from(part) {
            bucket.put("meanwhile", Bytes::new()).await.unwrap();
            assert!(started.elapsed() < DEADLINE, "no session has ended");
        }
    }
    assert_eq!(upload.finish().await.unwrap(), u64::from(SESSIONS) * PART_SIZE as u64);
    let content = bucket.get("big").await.unwrap().unwrap();
    assert!(content.chunks(PART_SIZE).zip(1..).all(|(sent, part)| sent.iter().all(|byte| *byte == part)));
}

#[test]
fn a_run_writes_what_the_account_holds() {
    let portal = Portal::small();
    portal.run_well("seaweed", &SEAWEED.settings("run"), "");
    portal.run_well("seaweed-role", &SEAWEED.through_the_role("run", &SEAWEED.endpoint()), "");
    portal.runtime.block_on(async {
        let tables = Tables::of(&SEAWEED.open("run").await).await;
        assert_eq!(tables.commit, 2);
        portal.assert_true(&tables);
    });
}
