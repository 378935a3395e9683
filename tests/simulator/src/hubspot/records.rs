//! Records on the wire: which properties an answer carries, and how they are written.
//!
//! This is the busy part of the simulator: a run over a million contacts writes forty million values.
//! So records go straight into the answer's bytes, with no tree of values in between.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::answer::Refusal;
use super::auth::Token;
use super::route::Version;
use crate::data::object_type::ObjectType;
use crate::data::record::Record;
use crate::data::{PORTAL_ID, clock};

/// The properties of one type that an answer carries, sorted by name.
#[derive(Debug)]
pub(super) struct Selection<'a> {
    object_type: &'a ObjectType,
    indices: Vec<usize>,
    version: Version,
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
        Ok(Self { object_type, indices: indices.into_iter().collect(), version })
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
        begin(out, scratch, r#"},"createdAt":""#, |text| clock::append_instant(record.created(), text));
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

/// Appends `before`, and what `fill` writes, which needs no escaping.
fn begin(out: &mut Vec<u8>, scratch: &mut String, before: &str, fill: impl FnOnce(&mut String)) {
    out.extend_from_slice(before.as_bytes());
    scratch.clear();
    fill(scratch);
    out.extend_from_slice(scratch.as_bytes());
}
