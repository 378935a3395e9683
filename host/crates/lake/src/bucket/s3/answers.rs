//! Answers of S3 that are not what was asked for, told as errors of ours.
//!
//! The object store tells them as prose, of a type that it keeps to itself. So the client below it reads them first, and
//! says instead of such an answer that the request failed, for a reason that is an [`Answer`]: that is in the chain of
//! errors in the end, whatever stands around it. Of the kinds of failures, the object store tries [`HttpErrorKind::Request`]
//! again whatever the request was, and [`HttpErrorKind::Unknown`] never: so what it would try again by itself is of the
//! first, and the rest of the second. What it would not try again and should is a list, or the beginning of an upload, whose
//! answer breaks off: these are read whole, and then are of the first kind, too. (A second beginning makes a second upload. What
//! becomes of the first is for the bucket's rule for unfinished uploads.) Of a list, `keys` takes out what the object store cannot
//! read.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode};
use object_store::client::{HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService};

use super::keys;
use crate::bucket::{answer::Answer, strange::Strange};

/// Reads what its client is answered.
#[derive(Debug)]
pub(super) struct Reading {
    client: HttpClient,
    /// Of which keys it has been told that lists pass them over.
    strange: Strange,
}

impl Reading {
    pub(super) fn of(client: HttpClient) -> Self {
        Self { client, strange: Strange::default() }
    }
}

#[async_trait]
impl HttpService for Reading {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let query = request.uri().query().unwrap_or_default();
        let lists = request.method() == Method::GET && query.contains("list-type=2");
        let begins = request.method() == Method::POST && query.starts_with("uploads");
        // The end of an upload is the one request that may be answered with a success whose body says that it failed.
        let may_fail_yet = request.method() == Method::POST && !begins;
        let response = self.client.execute(request).await?;
        let status = response.status();
        if status.is_success() && !may_fail_yet {
            return match (lists, begins) {
                (true, _) => Ok(whole(response).await?.map(|body| keys::readable(body, &self.strange).into())),
                (false, true) => Ok(whole(response).await?.map(Into::into)),
                (false, false) => Ok(response),
            };
        }
        if status.is_redirection() {
            // Without a place to go on: the bucket is in another region. What the body says is no more than that.
            let answer = Answer { status: status.as_u16(), ..Answer::default() };
            return Err(HttpError::new(HttpErrorKind::Unknown, answer));
        }
        let (head, body) = response.into_parts();
        let body = match body.bytes().await {
            Ok(body) => body,
            // The status is enough to try it again, and it was all that the object store looked at.
            Err(_) if may_pass(status) => Bytes::new(),
            // Never tried again: what was asked for may have happened.
            Err(broken) => return Err(HttpError::new(HttpErrorKind::Unknown, broken)),
        };
        let answer = read(status, &String::from_utf8_lossy(&body));
        if may_pass(status) || (status.is_success() && answer.has_code(&["InternalError", "SlowDown"])) {
            return Err(HttpError::new(HttpErrorKind::Request, answer));
        }
        if status.is_success() {
            return Ok(HttpResponse::from_parts(head, body.into()));
        }
        Err(HttpError::new(HttpErrorKind::Unknown, answer))
    }
}

/// An answer, read to its end, of what may be asked for again where it breaks off.
async fn whole(response: HttpResponse) -> Result<http::Response<Bytes>, HttpError> {
    let (head, body) = response.into_parts();
    match body.bytes().await {
        Ok(body) => Ok(http::Response::from_parts(head, body)),
        Err(broken) => Err(HttpError::new(HttpErrorKind::Request, broken)),
    }
}

/// Whether the same request may be answered better.
fn may_pass(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::REQUEST_TIMEOUT
}

fn read(status: StatusCode, body: &str) -> Answer {
    Answer {
        status: status.as_u16(),
        code: element(body, "Code"),
        message: element(body, "Message"),
        request: element(body, "RequestId"),
        region: element(body, "Region"),
    }
}

/// The text of the first XML element of that name.
fn element(body: &str, name: &str) -> Option<String> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let text = text.trim();
    // `&amp;` last, so that `&amp;lt;` stays `&lt;`.
    let references = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#34;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    let text = references.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use object_store::client::{HttpConnector, ReqwestConnector};

    use super::*;
    use crate::bucket::s3::client_options;

    #[derive(Debug)]
    struct Always(u16, &'static str);

    #[async_trait]
    impl HttpService for Always {
        async fn call(&self, _: HttpRequest) -> Result<HttpResponse, HttpError> {
            let body = self.1.to_owned().into();
            Ok(http::Response::builder().status(self.0).body(body).unwrap())
        }
    }

    /// What a request comes to: the body, or the kind of the failure and the answer in words.
    async fn outcome(method: Method, status: u16, body: &'static str) -> Result<String, (HttpErrorKind, String)> {
        let mut request = HttpRequest::new(String::new().into());
        *request.method_mut() = method;
        match Reading::of(HttpClient::new(Always(status, body))).call(request).await {
            Ok(response) => {
                assert_eq!(response.status(), status);
                Ok(String::from_utf8(response.into_body().bytes().await.unwrap().to_vec()).unwrap())
            }
            Err(error) => Err((error.kind(), Answer::within(&error).unwrap().cause("S3").to_string())),
        }
    }

    #[tokio::test]
    async fn an_answer_keeps_what_people_need_and_no_more() {
        let body = "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code>\
                    <Message>The signature &quot;differs&quot;.</Message>\
                    <CanonicalRequest>PUT /key x-amz-security-token:SECRET</CanonicalRequest>\
                    <RequestId>R1</RequestId></Error>";
        let told = "S3 answered 403 `SignatureDoesNotMatch`: The signature \"differs\". (request `R1`)".to_owned();
        assert_eq!(outcome(Method::PUT, 403, body).await, Err((HttpErrorKind::Unknown, told)));
        let told = "S3 answered 502".to_owned();
        assert_eq!(outcome(Method::GET, 502, "").await, Err((HttpErrorKind::Request, told)));
    }

    #[tokio::test]
    async fn what_may_pass_is_tried_again() {
        for status in [408, 429, 500, 501, 503] {
            assert_eq!(outcome(Method::PUT, status, "").await.unwrap_err().0, HttpErrorKind::Request, "{status}");
        }
        for status in [301, 304, 307, 400, 401, 403, 404, 409, 412] {
            assert_eq!(outcome(Method::PUT, status, "").await.unwrap_err().0, HttpErrorKind::Unknown, "{status}");
        }
    }

    #[tokio::test]
    async fn a_success_is_passed_on_unless_it_says_that_it_is_none() {
        let failed = "<Error><Code>InternalError</Code></Error>";
        let told = "S3 answered 200 `InternalError`".to_owned();
        assert_eq!(outcome(Method::POST, 200, failed).await, Err((HttpErrorKind::Request, told)));
        assert_eq!(outcome(Method::POST, 200, "<Key>SlowDown</Key>").await.unwrap(), "<Key>SlowDown</Key>");
        // The content of an object is nobody's answer.
        assert_eq!(outcome(Method::GET, 200, failed).await.unwrap(), failed);
    }

    /// What an answer comes to whose body breaks off.
    async fn cut(method: Method, query: &str, status: &str) -> HttpError {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint: url::Url = format!("http://{}/x", listener.local_addr().unwrap()).parse().unwrap();
        let answer =
            format!("HTTP/1.1 {status} Anything\r\ncontent-length: 100\r\n\r\n<Error><Code>AccessDenied</Code>");
        let answered = tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            assert_ne!(connection.read(&mut request).await.unwrap(), 0);
            connection.write_all(answer.as_bytes()).await.unwrap();
        });
        sluice_net::tls::set_up();
        let options = client_options(&endpoint, None).unwrap();
        let client = HttpClient::new(Reading::of(ReqwestConnector::default().connect(&options).unwrap()));
        let mut request = HttpRequest::new(String::new().into());
        (*request.method_mut(), *request.uri_mut()) = (method, format!("{endpoint}{query}").parse().unwrap());
        let error = client.execute(request).await.unwrap_err();
        answered.await.unwrap();
        error
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_says_no_more_than_its_status() {
        let error = cut(Method::PUT, "", "503").await;
        let answer = Answer { status: 503, ..Answer::default() };
        assert_eq!((error.kind(), Answer::within(&error)), (HttpErrorKind::Request, Some(&answer)));
        for (method, query, status) in [(Method::PUT, "", "403"), (Method::POST, "?uploadId=1", "200")] {
            let error = cut(method, query, status).await;
            assert_eq!((error.kind(), Answer::within(&error)), (HttpErrorKind::Unknown, None), "{status}");
        }
        for (method, query) in [(Method::GET, "?list-type=2&prefix=x"), (Method::POST, "?uploads")] {
            let error = cut(method, query, "200").await;
            assert_eq!((error.kind(), Answer::within(&error)), (HttpErrorKind::Request, None), "{query}");
        }
    }
}
