//! Who calls: the one user with its fixed keys, and the sessions of the role that STS has issued to it.
//!
//! A session is an access key, a secret and a token that belong together and end together. The signature proves the secret
//! (s3s checks it, with the secret looked up here); [`Sessions::caller`] then checks that the token is the session's own and
//! that the session has not ended. What a caller may do is decided elsewhere (`access`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use s3s::S3Result;
use s3s::auth::{S3Auth, SecretKey};

use super::errors;
use super::randomness::Randomness;

/// The fixed keys of the user, as a test or a demo has them in its environment.
#[derive(Debug, Clone)]
pub(super) struct UserKeys {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: String,
}

/// The caller of a request, its credentials checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caller {
    User,
    /// A session of the role, with the name that was given to it.
    Role {
        session_name: String,
    },
}

/// Why credentials with a good signature are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rejection {
    /// Nobody has this access key, or it belongs to a session and came without a token.
    UnknownKey,
    /// The token is not the one that was issued with the access key.
    WrongToken,
    Expired,
}

/// What STS hands out.
#[derive(Debug, Clone)]
pub(super) struct Credentials {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: String,
    pub(super) session_token: String,
    pub(super) expires: SystemTime,
}

/// The user's keys, and every session issued since the start. Ended sessions stay, so that they are told from unknown ones.
#[derive(Debug)]
pub(super) struct Sessions {
    user: UserKeys,
    issued: Mutex<HashMap<String, Session>>,
    randomness: Randomness,
}

#[derive(Debug)]
struct Session {
    name: String,
    secret: SecretKey,
    token: String,
    expires: SystemTime,
}

impl Sessions {
    pub(super) fn new(user: UserKeys) -> Self {
        Self { user, issued: Mutex::default(), randomness: Randomness::new() }
    }

    /// A new session of the role, which ends after `lifetime`.
    pub(super) fn issue(&self, session_name: &str, lifetime: Duration) -> Credentials {
        let credentials = Credentials {
            access_key_id: self.randomness.access_key_id(),
            secret_access_key: self.randomness.secret_access_key(),
            session_token: self.randomness.session_token(),
            expires: SystemTime::now() + lifetime,
        };
        let session = Session {
            name: session_name.to_owned(),
            secret: SecretKey::from(credentials.secret_access_key.as_str()),
            token: credentials.session_token.clone(),
            expires: credentials.expires,
        };
        self.issued().insert(credentials.access_key_id.clone(), session);
        credentials
    }

    /// Whose `access_key_id` this is; the signature that used it was good.
    pub(super) fn caller(&self, access_key_id: &str, token: Option<&str>) -> Result<Caller, Rejection> {
        if access_key_id == self.user.access_key_id {
            return if token.is_none() { Ok(Caller::User) } else { Err(Rejection::WrongToken) };
        }
        let issued = self.issued();
        let session = issued.get(access_key_id).ok_or(Rejection::UnknownKey)?;
        let token = token.ok_or(Rejection::UnknownKey)?;
        if token != session.token {
            Err(Rejection::WrongToken)
        } else if session.expires <= SystemTime::now() {
            Err(Rejection::Expired)
        } else {
            Ok(Caller::Role { session_name: session.name.clone() })
        }
    }

    /// Ends every session now.
    pub(super) fn expire_all(&self) {
        let now = SystemTime::now();
        for session in self.issued().values_mut() {
            session.expires = session.expires.min(now);
        }
    }

    fn issued(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How s3s finds the secret to check a signature with.
pub(super) struct SecretKeys(pub(super) Arc<Sessions>);

#[async_trait::async_trait]
impl S3Auth for SecretKeys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.0.user.access_key_id {
            return Ok(SecretKey::from(self.0.user.secret_access_key.as_str()));
        }
        self.0.issued().get(access_key).map(|session| session.secret.clone()).ok_or_else(errors::unknown_access_key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions() -> Sessions {
        Sessions::new(UserKeys { access_key_id: "AKIA".into(), secret_access_key: "secret".into() })
    }

    #[test]
    fn a_session_is_known_by_its_own_key_and_token() {
        let sessions = sessions();
        let (ours, other) = (sessions.issue("run", Duration::from_mins(1)), sessions.issue("run", Duration::ZERO));
        let key = ours.access_key_id.as_str();

        assert_eq!(sessions.caller(key, Some(&ours.session_token)), Ok(Caller::Role { session_name: "run".into() }));
        assert_eq!(sessions.caller(key, Some(&other.session_token)), Err(Rejection::WrongToken));
        assert_eq!(sessions.caller(key, None), Err(Rejection::UnknownKey));
        assert_eq!(sessions.caller("ASIANOBODY", Some(&ours.session_token)), Err(Rejection::UnknownKey));
        assert_eq!(sessions.caller("AKIA", None), Ok(Caller::User));
        assert_eq!(sessions.caller("AKIA", Some(&ours.session_token)), Err(Rejection::WrongToken));
        assert_eq!(sessions.caller(&other.access_key_id, Some(&other.session_token)), Err(Rejection::Expired));
    }

    #[test]
    fn credentials_have_the_shape_of_aws_and_never_repeat() {
        let sessions = sessions();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..100 {
            let issued = sessions.issue("run", Duration::ZERO);
            assert_eq!((issued.access_key_id.len(), issued.secret_access_key.len()), (20, 40));
            assert!(issued.access_key_id.starts_with("ASIA"));
            for text in [issued.access_key_id, issued.secret_access_key, issued.session_token] {
                assert!(seen.insert(text));
            }
        }
    }
}
