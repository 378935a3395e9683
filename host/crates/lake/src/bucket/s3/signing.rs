//! Signatures: each request to S3 is signed when it is sent, with the credentials of that moment.
//!
//! The object store would sign a request once, however often it is tried again, and has no place for most headers that a
//! bucket may ask for. So it is told to sign nothing, and its client does both: adds the headers that the bucket's rules ask
//! for ([`Headers`]), and signs every attempt anew. Where S3 says that the session has ended, though its end was thought to be
//! later (a clock is wrong, or somebody has ended it), new credentials are fetched and the request is sent again, once.

use std::sync::Arc;

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderName, HeaderValue};
use object_store::{
    aws::{AwsAuthorizer, AwsCredential},
    client::{HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService},
};
use sluice_model::mask::Traces;

use super::headers::Headers;
use crate::bucket::{
    answer::Answer,
    identity::{IdentityError, Renewed},
};

/// The SHA-256 of what is put, which the object store sends with it.
const DIGEST: &str = "x-amz-checksum-sha256";

/// That there is one, and which: the other words by which S3 asks for it where objects are locked by default.
const DIGEST_ALGORITHM: (&str, &str) = ("x-amz-sdk-checksum-algorithm", "SHA256");

/// Signs what it sends.
#[derive(Debug)]
pub(super) struct Signing {
    pub(super) client: HttpClient,
    pub(super) credentials: Arc<Renewed>,
    pub(super) region: String,
    pub(super) headers: Headers,
}

#[async_trait]
impl HttpService for Signing {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (method, target) = (request.method().clone(), request.uri().clone());
        self.headers.add_to(&method, &target, request.headers_mut());
        if request.headers().contains_key(DIGEST) {
            let (name, value) = DIGEST_ALGORITHM;
            request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let credential = self.credentials.current().await.map_err(without_credentials)?;
        let refused = match self.sent(request.clone(), &credential).await {
            Err(error) if has_ended(&error, &credential) => error,
            answer => return answer,
        };
        let renewed = self.credentials.instead_of(&credential).await.map_err(without_credentials)?;
        if renewed == credential {
            return Err(refused);
        }
        tracing::info!("S3 said that the session has ended; the request is sent again in a new one");
        self.sent(request, &renewed).await
    }
}

impl Signing {
    /// Signs a request and sends it. What is said of its failure holds nothing of the session's token, which was sent with
    /// it; the secret key never is.
    async fn sent(&self, request: HttpRequest, credential: &AwsCredential) -> Result<HttpResponse, HttpError> {
        let answer = self.client.execute(self.signed(request, credential)?).await;
        answer.map_err(|error| match (&credential.token, Answer::within(&error)) {
            (Some(token), Some(said)) => HttpError::new(error.kind(), said.without(&Traces::of(token))),
            _ => error,
        })
    }

    fn signed(&self, mut request: HttpRequest, credential: &AwsCredential) -> Result<HttpRequest, HttpError> {
        let digest = request.headers().get(DIGEST).and_then(|digest| BASE64_STANDARD.decode(digest).ok());
        AwsAuthorizer::new(credential, "s3", &self.region)
            .try_authorize(&mut request, digest.as_deref())
            .map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        Ok(request)
    }
}

/// Not tried again by the object store: whoever gives credentials has done so.
fn without_credentials(error: IdentityError) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, error)
}

/// Whether S3 refused a request because the session has ended.
fn has_ended(error: &HttpError, credential: &AwsCredential) -> bool {
    let identity = Answer::within(error).and_then(|answer| IdentityError::of_answer("S3", answer));
    identity.is_some_and(|error| error.ends(credential))
}
