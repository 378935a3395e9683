//! Policies, as IAM writes them: whole ones, which `iam` makes, and the statement that a bucket's refusal lacks.

use std::collections::BTreeMap;

use serde::Serialize;

/// The language that policies are written in. Only this one knows variables, and with them a way to write a star.
const LANGUAGE: &str = "2012-10-17";

/// A policy: of a role, or of those who may assume it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Document {
    version: &'static str,
    statement: Vec<Statement>,
}

impl Document {
    pub(crate) fn of(statement: Vec<Statement>) -> Self {
        Self { version: LANGUAGE, statement }
    }

    pub(crate) fn add(&mut self, statement: Statement) {
        self.statement.push(statement);
    }

    /// As a text of one line.
    pub fn compact(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| unreachable!("texts and lists are always JSON"))
    }

    /// For people.
    pub fn pretty(&self) -> String {
        pretty(self)
    }
}

/// Any of this crate's documents, for people, with an end of line.
pub(crate) fn pretty(document: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(document);
    text.unwrap_or_else(|_| unreachable!("texts and lists are always JSON")) + "\n"
}

/// One thing that is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Statement {
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'static str>,
    effect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<BTreeMap<&'static str, String>>,
    action: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    condition: BTreeMap<&'static str, BTreeMap<String, Values>>,
}

/// What a condition compares with: any of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Any(Vec<String>),
}

impl Statement {
    /// Allows these actions.
    pub(crate) fn allow(actions: &[&str]) -> Self {
        let (action, condition) = (actions.iter().map(|&action| action.to_owned()).collect(), BTreeMap::new());
        Self { sid: None, effect: "Allow", principal: None, action, resource: None, condition }
    }

    /// Under a name that says what it is for.
    #[must_use]
    pub(crate) fn named(mut self, sid: &'static str) -> Self {
        self.sid = Some(sid);
        self
    }

    /// As a text of one line.
    pub(crate) fn compact(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| unreachable!("texts and lists are always JSON"))
    }

    /// Only on what has this name.
    #[must_use]
    pub(crate) fn on(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Only as far as what is listed lies under a prefix; without one, all of it.
    #[must_use]
    pub(crate) fn below(self, prefix: &str) -> Self {
        if prefix.is_empty() { self } else { self.when("StringLike", "s3:prefix", literal(prefix) + "/*") }
    }

    /// Only to this role, user or account.
    #[must_use]
    pub(crate) fn to(mut self, principal: &str) -> Self {
        self.principal = Some(BTreeMap::from([("AWS", principal.to_owned())]));
        self
    }

    /// Only if what the request says of `key` compares with this value.
    #[must_use]
    pub(crate) fn when(mut self, comparison: &'static str, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.condition.entry(comparison).or_default().insert(key.into(), Values::One(value.into()));
        self
    }

    /// Only if what the request says of `key` compares with these values.
    #[must_use]
    pub(crate) fn when_any(mut self, comparison: &'static str, key: &str, values: Vec<String>) -> Self {
        self.condition.entry(comparison).or_default().insert(key.to_owned(), Values::Any(values));
        self
    }
}

/// What a key of KMS is used for: making a key of an object, and reading that again, also for each part of an upload.
pub(crate) const KMS_ACTIONS: [&str; 2] = ["kms:GenerateDataKey", "kms:Decrypt"];

/// What the aliases of access points end in, and no name of a bucket does. Policies name an access point by its ARN, which the
/// alias does not tell.
pub(crate) const OF_ACCESS_POINTS: &str = "-s3alias";

/// A text that is to be compared as it is: what IAM takes for a pattern or a variable is written as the variable that stands
/// for it.
pub(crate) fn literal(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '*' | '?' | '$' => written.extend(['$', '{', character, '}']),
            _ => written.push(character),
        }
    }
    written
}
