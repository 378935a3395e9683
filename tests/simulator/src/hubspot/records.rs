//! Records on the wire: which properties an answer carries, and how they are written.
//!
//! This is the busy part of the simulator: a run over a million contacts writes forty million values.
//! So records go straight into the answer's bytes, with no tree of values in between.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde::Serialize;

use super::answer::Refusal;
use super::auth::Token;
use super::route::Version;
use crate::data::history::{self, History};
use crate::data::object_type::ObjectType;
use crate::data::record::Record;
use crate::data::{PORTAL_ID, clock};

/// The properties of one type that an answer carries, sorted by name.
#[derive(Debug)]
pub(super) struct Selection<'a> {
    object_type: &'a ObjectType,
    indices: Vec<usize>,
    /// Those that come with their history too.
    with_history: Vec<usize>,
    version: Version,
}

/// A value that a property had, as HubSpot writes it. What is not known is left out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ValueWithTimestamp<'a> {
    value: &'a str,
    timestamp: String,
    source_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_by_user_id: Option<u64>,
}

impl<'a> From<&'a history::Version> for ValueWithTimestamp<'a> {
    fn from(version: &'a history::Version) -> Self {
        Self {
            value: &version.value,
            timestamp: clock::instant(version.at),
            source_type: version.source.kind,
            source_id: version.source.id.as_deref(),
            source_label: version.source.label,
            updated_by_user_id: version.source.user,
        }
    }
}

impl<'a> Selection<'a> {
    /// What a request with these property names gets: the named ones and the always returned ones;
    /// where it names none, the type's few defaults. Unknown and archived names are ignored.
    ///
    /// # Errors
    ///
    /// One name for which the token lacks a scope refuses the whole request.
    pub(super) fn new<'n>(
        object_type: &'a ObjectType,
        names: impl Iterator<Item = &'n str>,
        token: &Token,
        version: Version,
    ) -> Result<Self, Refusal> {
        let mut names = names.peekable();
        let mut indices: BTreeSet<usize> = match names.peek() {
            None => object_type.defaults().iter().copied().collect(),
            Some(_) => object_type.always().iter().copied().collect(),
        };
        indices.extend(readable(object_type, names, token)?);
        Ok(Self { object_type, indices: indices.into_iter().collect(), with_history: Vec::new(), version })
    }

    /// The same with the history of the named properties beside their values. Names are treated as those of `new`.
    ///
    /// # Errors
    ///
    /// As those of `new`.
    pub(super) fn with_history<'n>(self, names: impl Iterator<Item = &'n str>, token: &Token) -> Result<Self, Refusal> {
        let indices = readable(self.object_type, names, token)?;
        Ok(Self { with_history: indices.into_iter().collect(), ..self })
    }

    /// Appends one record as JSON. `scratch` is a buffer to use again and again.
    pub(super) fn write(&self, record: &Record<'_>, out: &mut Vec<u8>, scratch: &mut String) {
        let id = record.id();
        begin(out, scratch, r#"{"id":""#, |text| text.push_str(&id.to_string()));
        out.extend_from_slice(br#"","properties":{"#);
        let mut separator = b"".as_slice();
        for &index in &self.indices {
            let property = &self.object_type.properties()[index];
            out.extend_from_slice(separator);
            separator = b",";
            out.push(b'"');
            out.extend_from_slice(property.name.as_bytes());
            out.extend_from_slice(b"\":");
            scratch.clear();
            if record.append_value(property, scratch) {
                serde_json::to_writer(&mut *out, scratch.as_str()).expect("text can be written as JSON");
            } else {
                out.extend_from_slice(b"null");
            }
        }
        out.push(b'}');
        if !self.with_history.is_empty() {
            self.write_history(record, out);
        }
        begin(out, scratch, r#","createdAt":""#, |text| clock::append_instant(record.created(), text));
        begin(out, scratch, r#"","updatedAt":""#, |text| clock::append_instant(record.modified(), text));
        match record.archived() {
            None => out.extend_from_slice(br#"","archived":false"#),
            Some(at) => {
                begin(out, scratch, r#"","archived":true,"archivedAt":""#, |text| clock::append_instant(at, text));
                out.push(b'"');
            }
        }
        begin(out, scratch, r#","url":"https://app.hubspot.com/contacts/"#, |text| {
            write!(text, "{PORTAL_ID}/record/{}/{id}", self.object_type.type_id())
                .expect("writing to a string cannot fail");
        });
        out.push(b'"');
        if self.version.is_before_september_2026() {
            out.extend_from_slice(br#","warnings":[]"#);
        }
        out.push(b'}');
    }

    /// Appends the histories, newest version first, as many versions as the API gives.
    fn write_history(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        let cap = record.portal().history_cap(self.object_type);
        out.extend_from_slice(br#","propertiesWithHistory":{"#);
        for (place, &index) in self.with_history.iter().enumerate() {
            let property = &self.object_type.properties()[index];
            if place > 0 {
                out.push(b',');
            }
            out.extend_from_slice(format!(r#""{}":["#, property.name).as_bytes());
            for (place, version) in History::new(*record, property).versions().take(cap).enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                serde_json::to_writer(&mut *out, &ValueWithTimestamp::from(&version))
                    .expect("a version can be written as JSON");
            }
            out.push(b']');
        }
        out.push(b'}');
    }

    /// Appends records as a JSON list.
    pub(super) fn write_list<'r>(&self, records: impl IntoIterator<Item = Record<'r>>, out: &mut Vec<u8>) {
        let mut scratch = String::new();
        out.push(b'[');
        for (place, record) in records.into_iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            self.write(&record, out, &mut scratch);
        }
        out.push(b']');
    }
}

/// The indices of the named properties, without unknown and archived ones.
fn readable<'n>(
    object_type: &ObjectType,
    names: impl Iterator<Item = &'n str>,
    token: &Token,
) -> Result<BTreeSet<usize>, Refusal> {
    let mut indices = BTreeSet::new();
    for name in names {
        let Some((index, property)) = object_type.property(name) else { continue };
        if property.archived {
            continue;
        }
        let sensitive = object_type.scopes().sensitive(property.sensitivity);
        if !sensitive.is_empty() {
            token.require_one_of(sensitive)?;
        }
        if let Some(scope) = property.scope {
            token.require_one_of(vec![scope.to_owned()])?;
        }
        indices.insert(index);
    }
    Ok(indices)
}

/// Appends `before`, and what `fill` writes, which needs no escaping.
fn begin(out: &mut Vec<u8>, scratch: &mut String, before: &str, fill: impl FnOnce(&mut String)) {
    out.extend_from_slice(before.as_bytes());
    scratch.clear();
    fill(scratch);
    out.extend_from_slice(scratch.as_bytes());
}
