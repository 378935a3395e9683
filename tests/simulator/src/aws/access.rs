//! What a caller may do: the permissions of the role, checked before an S3 request is carried out.
//!
//! A stand-in for IAM that knows one role, one bucket and, per action, one answer: allowed on the keys under a prefix, or not
//! at all. It knows no policy language, no conditions but the prefix, and no bucket policies.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use s3s::access::{S3Access, S3AccessContext};
use s3s::dto::{CopyObjectInput, CopySource, DeleteObjectsInput};
use s3s::{S3Request, S3Result};

use super::errors;
use super::names::Names;
use super::requests::Scope;
use super::sessions::{Caller, Rejection, Sessions};

/// An action of S3, as a policy names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// `s3:GetObject`: reading objects and their properties.
    GetObject,
    /// `s3:PutObject`: writing objects, multipart uploads included.
    PutObject,
    /// `s3:DeleteObject`: deleting objects, one or many.
    DeleteObject,
    /// `s3:AbortMultipartUpload`.
    AbortMultipartUpload,
    /// `s3:ListMultipartUploadParts`.
    ListMultipartUploadParts,
    /// `s3:ListBucket`: listing keys. Without it, and where it is limited to a prefix, a missing key is answered with 403 and
    /// not with 404, as AWS does.
    ListBucket,
    /// `s3:ListBucketMultipartUploads`.
    ListBucketMultipartUploads,
    /// `s3:GetBucketLocation`.
    GetBucketLocation,
}

impl Action {
    const ALL: [Self; 8] = [
        Self::GetObject,
        Self::PutObject,
        Self::DeleteObject,
        Self::AbortMultipartUpload,
        Self::ListMultipartUploadParts,
        Self::ListBucket,
        Self::ListBucketMultipartUploads,
        Self::GetBucketLocation,
    ];

    /// The name in a policy: `s3:GetObject`.
    pub fn name(self) -> &'static str {
        match self {
            Self::GetObject => "s3:GetObject",
            Self::PutObject => "s3:PutObject",
            Self::DeleteObject => "s3:DeleteObject",
            Self::AbortMultipartUpload => "s3:AbortMultipartUpload",
            Self::ListMultipartUploadParts => "s3:ListMultipartUploadParts",
            Self::ListBucket => "s3:ListBucket",
            Self::ListBucketMultipartUploads => "s3:ListBucketMultipartUploads",
            Self::GetBucketLocation => "s3:GetBucketLocation",
        }
    }

    /// The action that an operation of S3 needs, if the simulator has the operation.
    fn of_operation(name: &str) -> Option<Self> {
        Some(match name {
            "GetObject" | "HeadObject" => Self::GetObject,
            "PutObject" | "CopyObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => {
                Self::PutObject
            }
            "DeleteObject" | "DeleteObjects" => Self::DeleteObject,
            "AbortMultipartUpload" => Self::AbortMultipartUpload,
            "ListParts" => Self::ListMultipartUploadParts,
            "ListObjectsV2" | "HeadBucket" => Self::ListBucket,
            "ListMultipartUploads" => Self::ListBucketMultipartUploads,
            "GetBucketLocation" => Self::GetBucketLocation,
            _ => return None,
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What the role may do in the bucket. The default is everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    actions: BTreeSet<Action>,
    prefix: String,
}

impl Permissions {
    /// Every action on every key.
    pub fn all() -> Self {
        Self::only(Action::ALL)
    }

    /// These actions, on every key.
    pub fn only(actions: impl IntoIterator<Item = Action>) -> Self {
        Self { actions: actions.into_iter().collect(), prefix: String::new() }
    }

    /// The same without `action`.
    #[must_use]
    pub fn without(mut self, action: Action) -> Self {
        self.actions.remove(&action);
        self
    }

    /// The same, limited to keys that begin with `prefix`, and to listings whose own prefix does.
    #[must_use]
    pub fn within(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// `text` is the key, or the prefix of a listing.
    fn allow(&self, action: Action, text: &str) -> bool {
        self.actions.contains(&action)
            && (action == Action::GetBucketLocation || text.starts_with(self.prefix.as_str()))
    }
}

impl Default for Permissions {
    fn default() -> Self {
        Self::all()
    }
}

/// The check that s3s runs before each operation, once the signature is known to be good.
pub(super) struct Gate {
    pub(super) sessions: Arc<Sessions>,
    pub(super) names: Arc<Names>,
    pub(super) permissions: Permissions,
}

/// What the gate found out, carried along with the request for the operations that need more than yes or no.
#[derive(Debug, Clone)]
pub(super) struct Admitted {
    caller: Caller,
    /// Whether the caller may learn that a key does not exist.
    pub(super) may_list: bool,
    /// The keys of a `DeleteObjects` request that were taken out of it because the caller may not delete them, each with
    /// the refusal.
    pub(super) refused_keys: Vec<(String, String)>,
}

impl Gate {
    /// Whose request it is, by the access key, the session token and the scope of the signature.
    fn caller(&self, access_key_id: &str, headers: &HeaderMap) -> S3Result<Caller> {
        if let Some(scope) = Scope::of(headers) {
            if scope.service != "s3" {
                return Err(errors::wrong_service(&scope.service));
            }
            if scope.region != self.names.region {
                return Err(errors::wrong_region(&scope.region, &self.names.region));
            }
        }
        let token = headers.get(super::SECURITY_TOKEN).and_then(|token| token.to_str().ok());
        self.sessions.caller(access_key_id, token).map_err(|rejection| match rejection {
            Rejection::UnknownKey => errors::unknown_access_key(),
            Rejection::WrongToken => errors::wrong_token(),
            Rejection::Expired => errors::expired_token(),
        })
    }

    fn allows(&self, caller: &Caller, action: Action, text: &str) -> bool {
        match caller {
            Caller::User => false,
            Caller::Role { .. } => self.permissions.allow(action, text),
        }
    }

    fn refusal(&self, caller: &Caller, action: Action, key: Option<&str>) -> s3s::S3Error {
        let resource = match key {
            Some(key) => format!("arn:aws:s3:::{}/{key}", self.names.bucket),
            None => format!("arn:aws:s3:::{}", self.names.bucket),
        };
        errors::not_allowed(&self.names.arn_of(caller), action.name(), &resource)
    }
}

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let credentials = context.credentials().ok_or_else(errors::unsigned)?;
        let caller = self.caller(&credentials.access_key, context.headers())?;
        let action = Action::of_operation(context.s3_op().name()).ok_or_else(errors::not_implemented)?;
        if context.s3_path().get_bucket_name() != Some(self.names.bucket.as_str()) {
            return Err(errors::no_such_bucket());
        }

        let key = context.s3_path().get_object_key();
        let listed = key.is_none().then(|| listed_prefix(context.uri().query().unwrap_or_default()));
        let deletes_many = context.s3_op().name() == "DeleteObjects"; // judged key by key, below
        let text = key.or(listed.as_deref()).unwrap_or_default();
        if !deletes_many && !self.allows(&caller, action, text) {
            return Err(self.refusal(&caller, action, key));
        }
        // A request for an object names no prefix, and so fulfils no condition on it.
        let may_list = self.allows(&caller, Action::ListBucket, if key.is_some() { "" } else { text });
        context.extensions_mut().insert(Admitted { caller, may_list, refused_keys: Vec::new() });
        Ok(())
    }

    /// AWS judges each key of the request on its own, and says so in the answer.
    async fn delete_objects(&self, request: &mut S3Request<DeleteObjectsInput>) -> S3Result<()> {
        let Some(admitted) = request.extensions.get_mut::<Admitted>() else { return Err(errors::unsigned()) };
        let (caller, action) = (admitted.caller.clone(), Action::DeleteObject);
        let refused = request.input.delete.objects.extract_if(.., |object| !self.allows(&caller, action, &object.key));
        admitted.refused_keys = refused
            .map(|object| {
                let refusal = self.refusal(&caller, action, Some(&object.key));
                (object.key, refusal.message().unwrap_or_default().to_owned())
            })
            .collect();
        Ok(())
    }

    /// A copy also reads its source.
    async fn copy_object(&self, request: &mut S3Request<CopyObjectInput>) -> S3Result<()> {
        let Some(admitted) = request.extensions.get::<Admitted>() else { return Err(errors::unsigned()) };
        let CopySource::Bucket { bucket, key, .. } = &request.input.copy_source else {
            return Err(errors::not_implemented());
        };
        if **bucket != *self.names.bucket {
            return Err(errors::no_such_bucket());
        }
        if self.allows(&admitted.caller, Action::GetObject, key) {
            Ok(())
        } else {
            Err(self.refusal(&admitted.caller, Action::GetObject, Some(key)))
        }
    }
}

/// The `prefix` of a listing's query, decoded.
fn listed_prefix(query: &str) -> String {
    url::form_urlencoded::parse(query.as_bytes())
        .find_map(|(name, value)| (name == "prefix").then(|| value.into_owned()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_limits_keys_and_listings() {
        let within = Permissions::all().within("tables/");
        assert!(within.allow(Action::PutObject, "tables/a.parquet"));
        assert!(!within.allow(Action::PutObject, "elsewhere/a.parquet"));
        assert!(!within.allow(Action::ListBucket, ""));
        assert!(within.allow(Action::GetBucketLocation, ""));
    }

    #[test]
    fn an_action_taken_away_is_gone_and_the_others_stay() {
        let permissions = Permissions::all().without(Action::PutObject);
        for action in Action::ALL {
            assert_eq!(permissions.allow(action, "any"), action != Action::PutObject, "{action}");
        }
        assert!(!Permissions::only([]).allow(Action::GetObject, "any"));
    }

    #[test]
    fn the_prefix_of_a_listing_is_decoded() {
        assert_eq!(listed_prefix("list-type=2&prefix=run%3D1%2F"), "run=1/");
        assert_eq!(listed_prefix("list-type=2"), "");
    }
}
