//! Who may assume a role, and on which terms.

use std::collections::BTreeMap;

use super::{
    access::agreed,
    arn::{Principal, RoleArn},
    error::IamError,
};
use crate::policy::{Document, Statement};

/// Characters of an external id that STS takes, at most; the least is 2.
const LONGEST_EXTERNAL_ID: usize = 1224;

/// Who may assume a role, and what a session of it must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    principal: Principal,
    external_id: String,
    session_tags: BTreeMap<String, String>,
    source_identity: Option<String>,
}

impl Trust {
    /// Whoever names this external id. `role`, where it is known, must be of the principal's partition.
    pub fn of(principal: Principal, role: Option<&RoleArn>, external_id: String) -> Result<Self, IamError> {
        agreed(&[("role", role.map(|role| role.partition)), ("one who assumes it", Some(principal.partition))])?;
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&byte);
        if !(2..=LONGEST_EXTERNAL_ID).contains(&external_id.len()) || !external_id.bytes().all(legal) {
            return Err(IamError::ExternalId);
        }
        Ok(Self { principal, external_id, session_tags: BTreeMap::new(), source_identity: None })
    }

    /// The same, for sessions with these tags and no others.
    #[must_use]
    pub fn with_tags(mut self, tags: BTreeMap<String, String>) -> Self {
        self.session_tags = tags;
        self
    }

    /// The same, for sessions that say who is behind them.
    #[must_use]
    pub fn with_source_identity(mut self, identity: Option<String>) -> Self {
        self.source_identity = identity;
        self
    }

    /// The policy that says so. Each action is asked for by itself, with what a request says of it.
    pub fn policy(&self) -> Document {
        let allow = |sid, action| Statement::allow(&[action]).named(sid).to(&self.principal.text);
        let assume = allow("AssumeTheRole", "sts:AssumeRole");
        let mut statements = vec![assume.when("StringEquals", "sts:ExternalId", &self.external_id)];
        if !self.session_tags.is_empty() {
            let keys = self.session_tags.keys().cloned().collect();
            let tag = allow("TagTheSession", "sts:TagSession");
            let tag = tag.when_any("ForAllValues:StringEquals", "aws:TagKeys", keys);
            statements.push(
                self.session_tags
                    .iter()
                    .fold(tag, |tag, (key, value)| tag.when("StringEquals", format!("aws:RequestTag/{key}"), value)),
            );
        }
        statements.extend(self.source_identity.as_ref().map(|identity| {
            let say = allow("SayWhoIsBehindIt", "sts:SetSourceIdentity");
            say.when("StringEquals", "sts:SourceIdentity", identity)
        }));
        Document::of(statements)
    }
}
