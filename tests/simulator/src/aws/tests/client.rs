//! A simulated account for one test, and three ways to talk to it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_sts::config::{BehaviorVersion, Credentials as SdkCredentials, Region};
use http::Method;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredential};
use object_store::{BackoffConfig, CredentialProvider, RetryConfig};
use s3s::crypto::{Checksum, Sha256};

use crate::aws::{Options, Running, start};

/// Retries that a test waits for are quick.
const BACKOFF: Duration = Duration::from_millis(1);

/// A running account in a folder of its own.
pub(super) struct Account {
    pub(super) running: Running,
    pub(super) options: Options,
    root: tempfile::TempDir,
}

impl Account {
    pub(super) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(set: impl FnOnce(&mut Options)) -> Self {
        sluice_net::tls::set_up();
        let root = tempfile::tempdir().expect("a folder");
        let mut options = Options { root: root.path().to_owned(), ..Options::default() };
        set(&mut options);
        let running = start(options.clone(), None).await.expect("the server starts");
        Self { running, options, root }
    }

    /// Stops the server and starts another one on the same folder.
    pub(super) async fn restarted(self) -> Self {
        self.running.shutdown().await;
        let running = start(self.options.clone(), None).await.expect("the server starts again");
        Self { running, ..self }
    }

    /// The folder that is the bucket.
    pub(super) fn folder(&self) -> PathBuf {
        self.root.path().join(&self.options.bucket)
    }

    /// Every file in the bucket's folder and below, and every empty folder (with a slash), ascending.
    pub(super) fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder()];
        while let Some(folder) = folders.pop() {
            let mut entries = std::fs::read_dir(&folder).expect("a folder").peekable();
            let name = |path: PathBuf| {
                path.strip_prefix(self.folder()).expect("inside").to_str().expect("plain text").to_owned()
            };
            if entries.peek().is_none() && folder != self.folder() {
                files.push(name(folder) + "/");
            }
            for entry in entries {
                let path = entry.expect("an entry").path();
                if path.is_dir() { folders.push(path) } else { files.push(name(path)) }
            }
        }
        files.sort();
        files
    }

    /// How many files wait beside the bucket, the lock left aside.
    pub(super) fn waiting(&self) -> usize {
        std::fs::read_dir(self.root.path().join(".sluice-simulator")).expect("a folder").count() - 1
    }

    /// The user's keys.
    pub(super) fn user(&self) -> AwsCredential {
        AwsCredential {
            key_id: self.options.access_key_id.clone(),
            secret_key: self.options.secret_access_key.clone(),
            token: None,
        }
    }

    /// A client of STS that signs with `credential`.
    pub(super) fn sts(&self, credential: AwsCredential) -> aws_sdk_sts::Client {
        let AwsCredential { key_id, secret_key, token } = credential;
        let config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            // The simulator speaks HTTP without TLS.
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::new(self.options.region.clone()))
            .endpoint_url(self.running.endpoint())
            .retry_config(aws_sdk_sts::config::retry::RetryConfig::disabled())
            .credentials_provider(SdkCredentials::new(key_id, secret_key, token, None, "test"))
            .build();
        aws_sdk_sts::Client::from_conf(config)
    }

    /// A session of the role.
    pub(super) async fn session(&self) -> AwsCredential {
        let sts = self.sts(self.user());
        let request = sts.assume_role().role_arn(&self.options.role_arn).role_session_name("test-run");
        let answer = request.external_id(&self.options.external_id).send().await.expect("a session");
        let credentials = answer.credentials().expect("credentials");
        AwsCredential {
            key_id: credentials.access_key_id().to_owned(),
            secret_key: credentials.secret_access_key().to_owned(),
            token: Some(credentials.session_token().to_owned()),
        }
    }

    /// The bucket, by one session and without retries.
    pub(super) async fn bucket(&self) -> AmazonS3 {
        self.bucket_as(self.session().await, 0)
    }

    /// The bucket, by these credentials and with so many retries.
    pub(super) fn bucket_as(&self, credential: impl Into<Arc<AwsCredential>>, retries: usize) -> AmazonS3 {
        self.bucket_of(Arc::new(Current::new(credential)), retries)
    }

    /// The bucket, by a session that the test can replace.
    pub(super) async fn renewing_bucket(&self) -> (AmazonS3, Arc<Current>) {
        let current = Arc::new(Current::new(self.session().await));
        (self.bucket_of(Arc::clone(&current), 0), current)
    }

    fn bucket_of(&self, credentials: Arc<Current>, retries: usize) -> AmazonS3 {
        let backoff = BackoffConfig { init_backoff: BACKOFF, max_backoff: BACKOFF, ..BackoffConfig::default() };
        AmazonS3Builder::new()
            .with_endpoint(self.running.endpoint())
            .with_allow_http(true)
            .with_region(&self.options.region)
            .with_bucket_name(&self.options.bucket)
            .with_credentials(credentials)
            .with_retry(RetryConfig { backoff, max_retries: retries, ..RetryConfig::default() })
            .build()
            .expect("a client")
    }

    /// A request signed by hand with `credential`; `target` is path and query, spelled as it shall be signed.
    pub(super) fn request<'a>(&'a self, method: Method, target: &'a str, credential: &'a AwsCredential) -> Signed<'a> {
        Signed {
            account: self,
            method,
            target,
            credential,
            region: &self.options.region,
            service: "s3",
            content_sha256: None,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }
}

/// The credentials that a client uses for its next request.
#[derive(Debug)]
pub(super) struct Current(Mutex<Arc<AwsCredential>>);

impl Current {
    fn new(credential: impl Into<Arc<AwsCredential>>) -> Self {
        Self(Mutex::new(credential.into()))
    }

    pub(super) fn replace(&self, credential: AwsCredential) {
        *self.0.lock().expect("no panic") = Arc::new(credential);
    }
}

#[async_trait::async_trait]
impl CredentialProvider for Current {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        Ok(Arc::clone(&self.0.lock().expect("no panic")))
    }
}

/// A request that a well-behaved client would not always send.
pub(super) struct Signed<'a> {
    account: &'a Account,
    method: Method,
    target: &'a str,
    credential: &'a AwsCredential,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    /// In place of the digest of the body.
    pub(super) content_sha256: Option<&'a str>,
    headers: Vec<(&'a str, String)>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: http::HeaderMap,
    pub(super) body: String,
}

impl Answer {
    /// What stands in the first element of this name; empty if there is none.
    pub(super) fn element(&self, name: &str) -> &str {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let found = self.body.split_once(&open).and_then(|(_, rest)| rest.split_once(&close));
        found.map_or("", |(content, _)| content)
    }

    pub(super) fn status_and_code(&self) -> (u16, &str) {
        (self.status, self.element("Code"))
    }
}

impl<'a> Signed<'a> {
    pub(super) fn header(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(super) async fn send(self) -> Answer {
        let headers = self.signed_headers();
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let url = format!("{}{}", self.account.running.endpoint(), self.target);
        let mut request = client.request(self.method, url).body(self.body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response = request.send().await.expect("an answer");
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.expect("a body"),
        }
    }

    /// The request as it is written to the connection, up to the body.
    pub(super) fn head(self) -> String {
        let headers = self.signed_headers();
        let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let (method, target, length) = (&self.method, self.target, self.body.len());
        format!("{method} {target} HTTP/1.1\r\ncontent-length: {length}\r\n{}\r\n", headers.concat())
    }

    /// The headers, with those of a signature (Signature Version 4, as the AWS documentation has it).
    fn signed_headers(&self) -> Vec<(&'a str, String)> {
        let (path, query) = self.target.split_once('?').unwrap_or((self.target, ""));
        let path = path.replace("%2F", "/"); // the server reads an encoded slash as a slash
        let mut query: Vec<String> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
            .collect();
        query.sort();

        let now = jiff::Timestamp::now();
        let (time, date) = (now.strftime("%Y%m%dT%H%M%SZ").to_string(), now.strftime("%Y%m%d").to_string());
        let digest = hex::encode(Sha256::checksum(&self.body));
        let content_sha256 = self.content_sha256.unwrap_or(&digest);
        let mut headers = self.headers.clone();
        headers.push(("host", self.account.running.endpoint().replace("http://", "")));
        headers.push(("x-amz-date", time.clone()));
        headers.push(("x-amz-content-sha256", content_sha256.to_owned()));
        if let Some(token) = &self.credential.token {
            headers.push(("x-amz-security-token", token.clone()));
        }
        headers.sort();
        let signed = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical =
            format!("{}\n{path}\n{}\n{}\n{signed}\n{content_sha256}", self.method, query.join("&"), lines.concat());

        let scope = format!("{date}/{}/{}/aws4_request", self.region, self.service);
        let to_sign =
            format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex::encode(Sha256::checksum(canonical.as_bytes())));
        let secret = format!("AWS4{}", self.credential.secret_key).into_bytes();
        let key = scope.split('/').fold(secret, |key, part| hmac_sha256(&key, part.as_bytes()).to_vec());
        let signature = hex::encode(hmac_sha256(&key, to_sign.as_bytes()));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={signature}",
            self.credential.key_id
        );
        headers.push(("authorization", authorization));
        headers
    }
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    const BLOCK: usize = 64;
    let mut block = [0_u8; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::checksum(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = [block.map(|byte| byte ^ 0x36).as_slice(), message].concat();
    let outer = [block.map(|byte| byte ^ 0x5c).as_slice(), &Sha256::checksum(&inner)].concat();
    Sha256::checksum(&outer)
}
