//! The values of a pipeline file that S3, STS and KMS have rules for: each checks itself while it is deserialized.

use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

use super::values::{IN_QUOTES, deserialize_from_text, span_in_days};

/// The twelve digits of an AWS account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountId(pub String);

deserialize_from_text!(AccountId, "the twelve digits of an AWS account", Some("^[0-9]{12}$"));

impl FromStr for AccountId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("`{text}` is no AWS account: those are twelve digits"))
        }
    }
}

/// A region of AWS, or what another S3 calls one. It becomes a part of host names, so it can be nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region(pub String);

deserialize_from_text!(Region, "a region, such as \"eu-central-1\"", Some("^[A-Za-z0-9_-]{1,63}$"));

impl FromStr for Region {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let legal = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        if legal && (1..=63).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("`{text}` is no region: those are letters, digits, `-` and `_`, as in `eu-central-1`"))
        }
    }
}

/// A key of KMS: its ARN, its id, or the name of an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsKey(pub String);

deserialize_from_text!(KmsKey, "the ARN, the id or the alias of a KMS key", None);

impl FromStr for KmsKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let legal = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/_-".contains(&byte));
        if legal && !text.is_empty() && text.len() <= 2048 {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("`{text}` is no KMS key: write its ARN, its id, or `alias/` and a name"))
        }
    }
}

/// How long commits are kept: a day at least, since a run must not find the commit gone that it builds on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention(pub Duration);

deserialize_from_text!(Retention, "a span of a day or more, such as \"30d\"", None);

impl FromStr for Retention {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let span = span_in_days(text);
        span.filter(|span| *span >= Duration::from_hours(24)).map(Self).ok_or_else(|| {
            format!("`{text}` is no time to keep commits for: write a span of a day or more, such as `30d`")
        })
    }
}

/// Who is behind a session: 2 to 64 letters, digits and `_+=,.@-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceIdentity(pub String);

deserialize_from_text!(SourceIdentity, "2 to 64 letters, digits and `_+=,.@-`", Some("^[A-Za-z0-9_+=,.@-]{2,64}$"));

impl FromStr for SourceIdentity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let legal = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte));
        if legal && (2..=64).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("`{text}` is no source identity: those are 2 to 64 letters, digits and `_+=,.@-`"))
        }
    }
}

/// Tags, by their keys; `MOST` of them at most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags<const MOST: usize>(pub BTreeMap<String, String>);

/// Characters of a tag's key, at most.
const LONGEST_TAG_KEY: usize = 128;

/// Characters of a tag's value, at most.
const LONGEST_TAG_VALUE: usize = 256;

/// What begins the keys of tags that AWS keeps to itself.
const OF_AWS: &str = "aws:";

impl<'de, const MOST: usize> Deserialize<'de> for Tags<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tags: BTreeMap<String, String> = BTreeMap::deserialize(deserializer)?;
        if tags.len() > MOST {
            return Err(D::Error::custom(format!("{} tags are too many: AWS takes {MOST}", tags.len())));
        }
        for (key, value) in &tags {
            if let Some(why) = wrong_with_tag(key, value) {
                return Err(D::Error::custom(format!("the tag `{key}` cannot be used: {why}")));
            }
        }
        Ok(Self(tags))
    }
}

fn wrong_with_tag(key: &str, value: &str) -> Option<String> {
    let legal = |text: &str| text.chars().all(|letter| letter.is_alphanumeric() || " _.:/=+-@".contains(letter));
    if key.is_empty() || key.chars().count() > LONGEST_TAG_KEY {
        Some(format!("a key has 1 to {LONGEST_TAG_KEY} characters"))
    } else if value.chars().count() > LONGEST_TAG_VALUE {
        Some(format!("a value has {LONGEST_TAG_VALUE} characters at most"))
    } else if key.to_lowercase().starts_with(OF_AWS) {
        Some(format!("`{OF_AWS}` begins the keys of AWS's own"))
    } else if !legal(key) || !legal(value) {
        Some("AWS takes letters, digits, blanks and `_.:/=+-@`".to_owned())
    } else {
        None
    }
}

impl<const MOST: usize> JsonSchema for Tags<MOST> {
    fn schema_name() -> Cow<'static, str> {
        format!("Tags{MOST}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": { "type": "string", "maxLength": LONGEST_TAG_VALUE },
            "propertyNames": { "minLength": 1, "maxLength": LONGEST_TAG_KEY },
            "maxProperties": MOST,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_kept_for_days() {
        for (text, hours) in [("30d", 720), ("1d", 24), ("2 weeks", 336), ("36h", 36)] {
            assert_eq!(text.parse(), Ok(Retention(Duration::from_hours(hours))), "{text}");
        }
        for text in ["0d", "23h", "1 month", "-30d", "30", ""] {
            assert!(text.parse::<Retention>().is_err(), "{text}");
        }
    }

    #[test]
    fn tags_are_those_that_aws_takes() {
        for (key, value) in [("team", "data"), ("cost center", "a/b:c=d+e-f@g"), ("größe", "")] {
            assert_eq!(wrong_with_tag(key, value), None, "{key}");
        }
        let long = "x".repeat(257);
        for (key, value) in
            [("", "x"), ("aws:team", "x"), ("AWS:x", "x"), ("a&b", "x"), ("a", "b\n"), ("a", &long), (&long, "")]
        {
            assert!(wrong_with_tag(key, value).is_some(), "{key}={value}");
        }
    }
}
