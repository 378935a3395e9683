//! What the tests ask with: a running server, and requests that are one line each.

use std::fs;
use std::path::Path;

use reqwest::{Method, Response};
use serde_json::Value;
use sluice_simulator::{data, hubspot, truth};

/// A server with the limits out of the way and as many contacts as asked for.
pub(crate) fn roomy(contacts: u64) -> hubspot::Options {
    hubspot::Options {
        data: data::Options { contacts, ..data::Options::default() },
        requests_per_10s: u32::MAX,
        searches_per_second: u32::MAX,
        ..hubspot::Options::default()
    }
}

pub(crate) struct Client {
    pub(crate) running: hubspot::Running,
    http: reqwest::Client,
    token: String,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.expect("a whole body") }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("plain text"))
    }

    pub(crate) fn is_html(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("text/html")) && self.text.contains("<html>")
    }
}

impl Client {
    pub(crate) async fn new(options: hubspot::Options) -> Self {
        sluice_net::tls::set_up();
        let running = hubspot::start(options, None).await.expect("a free port");
        Self { running, http: reqwest::Client::new(), token: hubspot::SENSITIVE_TOKEN.to_owned() }
    }

    pub(crate) async fn with(contacts: u64) -> Self {
        Self::new(roomy(contacts)).await
    }

    pub(crate) fn using(self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self }
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> reqwest::Result<Response> {
        let mut request =
            self.http.request(method, format!("{}{path}", self.running.base_url())).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        Reply::of(self.send(Method::GET, path, None).await.expect("an answer")).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        Reply::of(self.send(Method::POST, path, Some(body)).await.expect("an answer")).await
    }

    /// A path on the server without any token.
    pub(crate) async fn get_without_token(&self, path: &str) -> Reply {
        let url = format!("{}{path}", self.running.base_url());
        Reply::of(self.http.get(url).send().await.expect("an answer")).await
    }

    /// The answer to a request that must succeed.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let reply = self.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
        reply.json()
    }

    /// All results of a list, page by page, following `paging.next.after`.
    pub(crate) async fn all(&self, path: &str) -> Vec<Value> {
        let mut results = Vec::new();
        let mut after = String::new();
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let page = self.json(&format!("{path}{separator}after={after}")).await;
            results.extend(page["results"].as_array().expect("results").iter().cloned());
            match page["paging"]["next"]["after"].as_str() {
                Some(next) => after = next.replace('+', "%2B").replace('=', "%3D"),
                None => return results,
            }
        }
    }
}

/// The truth about a portal of this size, in a temporary folder.
pub(crate) struct Truth(tempfile::TempDir);

impl Truth {
    pub(crate) fn of(contacts: u64) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        truth::write(dir.path(), &data::Options { contacts, ..data::Options::default() })
            .expect("the truth is written");
        Self(dir)
    }

    pub(crate) fn lines(&self, name: &str) -> Vec<Value> {
        lines(&self.0.path().join(format!("{name}.ndjson")))
    }
}

/// The lines of a truth file.
pub(crate) fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("a truth file");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

pub(crate) fn ids(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["id"].as_str().expect("ids are text")).collect()
}

/// The names of all properties, for `properties=`.
pub(crate) fn property_names(record: &Value) -> String {
    record["properties"].as_object().expect("properties").keys().cloned().collect::<Vec<_>>().join(",")
}
