//! The values of a pipeline file that are more than text: each checks itself while it is deserialized.

use std::{borrow::Cow, fmt, path::PathBuf, str::FromStr, time::Duration};

use globset::GlobMatcher;
use jiff::SpanRelativeTo;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use sluice_model::schema::Mark;

/// Ends what a value expects that is written as text, so that one without quotes can be told what it lacks.
pub(super) const IN_QUOTES: &str = ", in quotes";

/// Deserializes by parsing a text; the parser's error becomes the deserializer's, and so gets its place.
macro_rules! deserialize_from_text {
    ($type:ty, $expects:literal, $pattern:expr) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct FromText;
                impl Visitor<'_> for FromText {
                    type Value = $type;

                    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(formatter, "{}{IN_QUOTES}", $expects)
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(FromText)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let pattern: Option<&str> = $pattern;
                match pattern {
                    Some(pattern) => json_schema!({ "type": "string", "description": $expects, "pattern": pattern }),
                    None => json_schema!({ "type": "string", "description": $expects }),
                }
            }
        }
    };
}

pub(super) use deserialize_from_text;

/// The name of a pipeline or a transform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

deserialize_from_text!(
    Name,
    "a name of 1 to 64 of the characters a-z, 0-9, - and _, beginning with a letter",
    Some("^[a-z][a-z0-9_-]{0,63}$")
);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let legal = text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
        if legal && text.len() <= 64 && text.starts_with(|first: char| first.is_ascii_lowercase()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "`{text}` is no name: use 1 to 64 of the characters `a-z`, `0-9`, `-` and `_`, beginning with a letter"
            ))
        }
    }
}

/// Bytes of a glob: more than any name has.
const LONGEST_GLOB: usize = 1_000;

/// Pairs of braces in a glob.
const MOST_BRACES: usize = 16;

/// A pattern over names: `*` stands for any characters, `?` for one, `{a,b}` for either, `[ab]` for one of the set.
#[derive(Debug, Clone)]
pub struct Glob {
    text: String,
    matcher: GlobMatcher,
}

deserialize_from_text!(Glob, "a glob: `*`, `?`, `{a,b}` and `[ab]` have their usual meaning", None);

impl Glob {
    /// Whether a name fits the pattern. Case counts.
    pub fn matches(&self, name: &str) -> bool {
        self.matcher.is_match(name)
    }

    /// Whether the pattern can only match one name: itself.
    pub fn is_plain(&self) -> bool {
        !self.text.contains(['*', '?', '{', '[', '\\'])
    }

    /// The pattern as it was typed.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Glob {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("an empty text matches nothing".to_owned());
        }
        // The matcher is built by recursion over the braces.
        if text.len() > LONGEST_GLOB || text.matches('{').count() > MOST_BRACES {
            return Err(format!("a glob has at most {LONGEST_GLOB} characters and {MOST_BRACES} pairs of braces"));
        }
        let glob = globset::Glob::new(text).map_err(|error| format!("`{text}` is no glob: {}", error.kind()))?;
        Ok(Self { text: text.to_owned(), matcher: glob.compile_matcher() })
    }
}

/// A sensitivity marking, as typed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MarkName(pub Mark);

deserialize_from_text!(MarkName, "a mark: 1 to 64 of the characters a-z, 0-9 and _", Some("^[a-z0-9_]{1,64}$"));

impl FromStr for MarkName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error: sluice_model::schema::NotAMark| error.to_string())
    }
}

/// A column that a transform is trusted with, perhaps of one stream alone: `contacts.property_token`, `property_token`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClearedColumn {
    /// The stream, by any of its names; absent for every stream of the transform.
    pub stream: Option<String>,
    /// The column, as the transform names it.
    pub column: String,
}

deserialize_from_text!(
    ClearedColumn,
    "a column that the transform computes, `column` or `stream.column`",
    Some("^([^.*?{}\\[\\]]+\\.)?[A-Za-z0-9_]+$")
);

impl fmt::Display for ClearedColumn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stream {
            Some(stream) => write!(formatter, "{stream}.{}", self.column),
            None => formatter.write_str(&self.column),
        }
    }
}

impl FromStr for ClearedColumn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (stream, column) = match text.rsplit_once('.') {
            Some((stream, column)) => (Some(stream), column),
            None => (None, text),
        };
        let legal = column.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && !column.is_empty();
        let plain = stream.is_none_or(|stream| !stream.is_empty() && !stream.contains(['*', '?', '{', '}', '[', ']']));
        if !legal || !plain {
            return Err(format!(
                "`{text}` is no column: write `column` or `stream.column`; what is trusted is named one by one, without `*`"
            ));
        }
        Ok(Self { stream: stream.map(str::to_owned), column: column.to_owned() })
    }
}

/// A number of bytes, with its unit: `64MiB`, `500kB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteSize(pub u64);

deserialize_from_text!(ByteSize, "a size with its unit, such as \"64MiB\"", Some("^[0-9.]+ *[kKMGT]i?B$"));

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let has_unit = text.ends_with(|last: char| last.is_ascii_alphabetic());
        match bytesize::ByteSize::from_str(text) {
            Ok(size) if has_unit && size.as_u64() > 0 => Ok(Self(size.as_u64())),
            _ => Err(format!("`{text}` is no size: write a number with its unit, such as `64MiB`")),
        }
    }
}

/// A span of time, with its unit: `90s`, `1h 30m`, `300ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

deserialize_from_text!(Span, "a span of time with its unit, such as \"90s\" or \"1h 30m\"", None);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<jiff::SignedDuration>()
            .ok()
            .and_then(|duration| Duration::try_from(duration).ok())
            .filter(|duration| !duration.is_zero())
            .map(Self)
            .ok_or_else(|| {
                format!("`{text}` is no span of time: write a number with its unit, such as `90s` or `1h 30m`")
            })
    }
}

/// A span in days or less (`30d`, `2 weeks`, `36h`): longer units are of no one length.
pub(super) fn span_in_days(text: &str) -> Option<Duration> {
    let span = text.parse::<jiff::Span>().ok()?;
    Duration::try_from(span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?).ok()
}

/// How long a role's session lasts: what STS grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionSpan(pub Duration);

deserialize_from_text!(SessionSpan, "a span of time from 15 minutes to 12 hours, such as \"1h\"", None);

impl FromStr for SessionSpan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Span(duration) = text.parse()?;
        if (Duration::from_mins(15)..=Duration::from_hours(12)).contains(&duration) {
            Ok(Self(duration))
        } else {
            Err(format!("`{text}`: a session lasts from 15 minutes to 12 hours, as its role allows"))
        }
    }
}

/// A compression level of zstd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompressionLevel(pub i32);

impl CompressionLevel {
    const LOWEST: i32 = 1;
    const HIGHEST: i32 = 22;
}

impl<'de> Deserialize<'de> for CompressionLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let level = i64::deserialize(deserializer)?;
        let fits = i32::try_from(level).ok().filter(|level| (Self::LOWEST..=Self::HIGHEST).contains(level));
        fits.map(Self).ok_or_else(|| D::Error::custom(format!("{level} is no level of zstd: those are 1 to 22")))
    }
}

impl JsonSchema for CompressionLevel {
    fn schema_name() -> Cow<'static, str> {
        "CompressionLevel".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": Self::LOWEST, "maximum": Self::HIGHEST })
    }
}

/// An absolute URL without user, password or query: those would be secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    url: url::Url,
    /// As it was written: a URL's reader encodes blanks, and resolves `..`.
    text: String,
}

impl Url {
    /// The folder that a `file://` URL names.
    pub fn folder(&self) -> Result<PathBuf, String> {
        check_segments(self.below_scheme())?;
        self.url.to_file_path().map_err(|()| "it names no folder of this machine: write `file:///folder`".to_owned())
    }

    /// What all keys of an `s3://` URL begin with, without a slash at either end; empty for none. Keys are opaque: it is
    /// what is written, and nothing is decoded or resolved.
    pub fn prefix(&self) -> Result<&str, String> {
        let prefix = self.below_scheme().split_once('/').map_or("", |(_, prefix)| prefix);
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        check_segments(prefix)?;
        if prefix.split('/').skip(usize::from(prefix.is_empty())).any(str::is_empty) {
            return Err("two slashes together name a folder without a name".to_owned());
        }
        Ok(prefix)
    }

    fn below_scheme(&self) -> &str {
        self.text.split_once("://").map_or("", |(_, rest)| rest)
    }
}

/// Refuses what a URL's reader, a shell or a person would take for something else.
fn check_segments(path: &str) -> Result<(), String> {
    for segment in path.split('/') {
        if segment == "." || segment == ".." {
            return Err(format!("`{segment}` is no name of a folder: write the path without it"));
        }
        if segment.trim() != segment {
            return Err("a name in it begins or ends with a blank".to_owned());
        }
        if segment.chars().any(char::is_control) {
            return Err("it holds a control character".to_owned());
        }
    }
    Ok(())
}

deserialize_from_text!(Url, "an absolute URL, such as \"s3://bucket/prefix\"", None);

impl std::ops::Deref for Url {
    type Target = url::Url;

    fn deref(&self) -> &url::Url {
        &self.url
    }
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("s3://arn:") {
            return Err(
                "a bucket is named by its name; of an access point, write the alias that S3 gives it, which ends in \
                        `-s3alias`: `s3://alias/prefix`"
                    .to_owned(),
            );
        }
        // The text itself is left out of every message: a URL is where passwords hide.
        let url = url::Url::parse(text).map_err(|error| format!("this is no absolute URL: {error}"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a URL here takes no user and no password".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("a URL here takes no `?` and no `#`".to_owned());
        }
        Ok(Self { url, text: text.to_owned() })
    }
}

/// A share: a number from 0 up to, not including, 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(pub f64);

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let share = f64::deserialize(deserializer)?;
        let is_share = (0.0..1.0).contains(&share);
        is_share.then_some(Self(share)).ok_or_else(|| {
            D::Error::custom(format!("{share} is no share: write a number from 0 up to, not including, 1, such as 0.1"))
        })
    }
}

impl JsonSchema for Share {
    fn schema_name() -> Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "exclusiveMaximum": 1 })
    }
}

/// Where a secret is to be found: `{ env = "NAME" }` or `{ file = "path" }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// In an environment variable.
    Env(String),
    /// In a file; white space around it does not count. Relative to the pipeline file.
    File(PathBuf),
}

const SECRET_IN_THE_OPEN: &str =
    "a secret does not stand in the file itself: write `{ env = \"NAME\" }` or `{ file = \"path\" }`";

/// Begins the access tokens of HubSpot.
const TOKEN: &str = "pat-";

/// Whether a text can be the name of an environment variable. HubSpot's tokens, and most keys, cannot.
fn is_variable(text: &str) -> bool {
    let legal = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    legal && !text.is_empty() && !text.starts_with(|first: char| first.is_ascii_digit())
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reference;
        impl<'de> Visitor<'de> for Reference {
            type Value = SecretRef;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("`{ env = \"NAME\" }` or `{ file = \"path\" }`")
            }

            // What was typed may be the secret: it is not repeated.
            fn visit_str<E: Error>(self, _: &str) -> Result<SecretRef, E> {
                Err(E::custom(SECRET_IN_THE_OPEN))
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<SecretRef, E> {
                Err(E::custom(SECRET_IN_THE_OPEN))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretRef, A::Error> {
                let in_the_open = || A::Error::custom(SECRET_IN_THE_OPEN);
                let reference = match map.next_key::<String>()?.as_deref() {
                    Some("env") => SecretRef::Env(
                        map.next_value().ok().filter(|name: &String| is_variable(name)).ok_or_else(in_the_open)?,
                    ),
                    Some("file") => {
                        let path: Option<String> = map.next_value().ok();
                        SecretRef::File(path.filter(|path| !path.starts_with(TOKEN)).ok_or_else(in_the_open)?.into())
                    }
                    Some(_) | None => return Err(in_the_open()),
                };
                if map.next_key::<String>()?.is_some() {
                    return Err(A::Error::custom("a secret has one source: `env` or `file`"));
                }
                Ok(reference)
            }
        }
        deserializer.deserialize_any(Reference)
    }
}

impl JsonSchema for SecretRef {
    fn schema_name() -> Cow<'static, str> {
        "SecretRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Where a secret is to be found: an environment variable, or a file (relative to the pipeline file).",
            "oneOf": [
                { "type": "object", "required": ["env"], "additionalProperties": false,
                  "properties": { "env": { "type": "string" } } },
                { "type": "object", "required": ["file"], "additionalProperties": false,
                  "properties": { "file": { "type": "string" } } }
            ]
        })
    }
}
