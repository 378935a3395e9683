//! The pipeline file as typed.
//!
//! [`Spec::read`] turns the text of a pipeline file into a [`Spec`], or into a list of everything that is wrong with it,
//! each with its line and column.
//! Names, globs, sizes and durations validate while they are deserialized, so their mistakes have a place like any other.
//! What depends on more than the file (does a glob match a stream? may a column pass?) is the planner's business.
//! Secrets stand in the file only by reference; resolving them reads the environment and files, and so happens elsewhere.

mod bucket;
mod recover;
mod scope;
mod sink;
mod types;
mod values;

use std::path::{Path, PathBuf};

use sluice_model::problem::{Place, Problem, Problems, nearest};
use toml::Spanned;

pub use self::{
    bucket::{AccountId, KmsKey, Retention, SourceIdentity, Tags},
    scope::{EventsSpec, HistorySpec, RecordsSpec, ShareOfDay, Since},
    sink::{Acl, Compression, CredentialsSpec, EncryptionSpec, Layout, RoleSpec, SinkSpec, SinkType, StorageClass},
    types::{
        ApiVersion, AttachmentSpec, ColumnsSpec, Directions, LedgerRule, LimitsSpec, MarkSpec, OnMissingScope,
        OnReject, PipelineFile, RunSpec, Sensitive, SourceSpec, SourceType, TransformSpec,
    },
    values::{
        ByteSize, ClearedColumn, CompressionLevel, Glob, MarkName, Name, SecretRef, SessionSpan, Share, Span, Url,
    },
};

/// A pipeline file that has been read: its content, and what is needed to point back into it.
#[derive(Debug, Clone)]
pub struct Spec {
    /// What the file says.
    pub pipeline: PipelineFile,
    /// The file's name, as it was given; for messages.
    pub file: String,
    /// The folder that relative paths in the file start from.
    pub folder: PathBuf,
    text: String,
}

impl Spec {
    /// Reads the text of a pipeline file. `file` is its path as the user named it; `standard`, the names of the plugins that
    /// this program carries.
    pub fn read(file: &Path, text: &str, standard: &[&str]) -> Result<Self, Problems> {
        let name = file.display().to_string();
        let (pipeline, mut problems) = recover::deserialize(text);
        if let Some(pipeline) = &pipeline {
            check_marks(pipeline, text, &mut problems);
            check_transforms(pipeline, text, standard, &mut problems);
            check_sink(pipeline, text, &mut problems);
        }
        if let Some(problems) = Problems::of(&name, problems) {
            return Err(problems);
        }
        let Some(pipeline) = pipeline else {
            unreachable!("a file without problems has been read");
        };
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self { pipeline, file: name, folder, text: text.to_owned() })
    }

    /// Where a value stands in the file.
    pub fn place<T>(&self, value: &Spanned<T>) -> Option<Place> {
        Some(Place::of(&self.text, value.span().start))
    }
}

/// A rule that marks nothing is a mistake: a reviewer would believe it did.
fn check_marks(pipeline: &PipelineFile, text: &str, problems: &mut Vec<Problem>) {
    for rule in &pipeline.mark {
        let MarkSpec { streams, columns, marks } = rule.get_ref();
        let lists = [("streams", streams.is_empty()), ("columns", columns.is_empty()), ("marks", marks.is_empty())];
        for (key, _) in lists.iter().filter(|(_, is_empty)| *is_empty) {
            problems.push(
                Problem::new(format!("a `[[mark]]` with an empty `{key}` marks nothing"))
                    .at(Some(Place::of(text, rule.span().start)))
                    .hint("name what it marks, or remove it"),
            );
        }
    }
}

/// Each transform names its plugin one way, and has a name of its own.
fn check_transforms(pipeline: &PipelineFile, text: &str, standard: &[&str], problems: &mut Vec<Problem>) {
    let mut names: Vec<&str> = Vec::new();
    for transform in &pipeline.transform {
        let spec = transform.get_ref();
        let here = Some(Place::of(text, transform.span().start));
        let name = spec.name.get_ref().as_str();
        if names.contains(&name) {
            problems.push(
                Problem::new(format!("two transforms are called `{name}`"))
                    .at(Some(Place::of(text, spec.name.span().start)))
                    .hint("give each transform a name of its own: errors and the audit record tell them apart by it"),
            );
        }
        names.push(name);
        match (&spec.plugin, &spec.path) {
            (None, None) => {
                problems.push(Problem::new(format!("transform `{name}` names no plugin")).at(here).hint(
                    "add `plugin = \"redact\"` for a standard plugin, or `path = \"my_plugin.wasm\"` for your own",
                ));
            }
            (Some(plugin), Some(_)) => problems.push(
                Problem::new(format!("transform `{name}` names a standard plugin and a path"))
                    .at(Some(Place::of(text, plugin.span().start)))
                    .hint("keep one of `plugin` and `path`"),
            ),
            (Some(plugin), None) => check_standard_plugin(plugin, spec, text, standard, problems),
            (None, Some(_)) => {}
        }
        if spec.streams.is_empty() {
            problems.push(
                Problem::new(format!("transform `{name}` is for no stream: its `streams` is empty"))
                    .at(here)
                    .hint("name the streams it is for, remove the line for all of them, or remove the transform"),
            );
        }
        check_attachments(spec, text, problems);
        check_clears(spec, text, problems);
    }
}

fn check_attachments(spec: &TransformSpec, text: &str, problems: &mut Vec<Problem>) {
    let mut names: Vec<&str> = Vec::new();
    for attachment in &spec.attachments {
        let here = Some(Place::of(text, attachment.span().start));
        let attachment = attachment.get_ref();
        if attachment.file.is_some() == attachment.secret.is_some() {
            problems.push(
                Problem::new(format!("attachment `{}` needs either `file` or `secret`", attachment.name)).at(here),
            );
        }
        if names.contains(&attachment.name.as_str()) {
            problems.push(
                Problem::new(format!("two attachments of one transform are called `{}`", attachment.name))
                    .at(here)
                    .hint("give each a name of its own: the plugin and the audit record tell them apart by it"),
            );
        }
        names.push(&attachment.name);
    }
}

/// What a transform is trusted with is said stream by stream: a line that a reviewer reads with one stream in mind must not
/// hold for those that are added later.
fn check_clears(spec: &TransformSpec, text: &str, problems: &mut Vec<Problem>) {
    let first_column = spec.clears.values().flatten().map(|column| column.span().start).next();
    let first = first_column.or_else(|| spec.clears_rows.first().map(|mark| mark.span().start));
    if let (Some(first), Some(_), None) = (first, &spec.path, &spec.digest) {
        problems.push(
            Problem::new(format!(
                "transform `{}` clears marks, but its plugin file is not pinned by a digest",
                spec.name.get_ref().as_str()
            ))
            .at(Some(Place::of(text, first)))
            .hint("pin the file that was reviewed: digest = \"sha256:…\", as `sluice plugin inspect` prints it"),
        );
    }
    if spec.names_its_streams() {
        return;
    }
    for column in spec.clears.values().flatten().filter(|column| column.get_ref().stream.is_none()) {
        let name = column.get_ref();
        problems.push(
            Problem::new(format!("`clears` names `{name}` of whatever streams there are"))
                .at(Some(Place::of(text, column.span().start)))
                .hint(format!(
                    "name the stream, as in `contacts.{name}`, or the transform's streams, as in `streams = [\"contacts\"]`"
                )),
        );
    }
    for mark in &spec.clears_rows {
        problems.push(
            Problem::new("`clears_rows` would hold for whatever streams there are")
                .at(Some(Place::of(text, mark.span().start)))
                .hint("name the transform's streams one by one, as in `streams = [\"contacts\"]`"),
        );
    }
}

fn check_standard_plugin(
    plugin: &Spanned<String>,
    spec: &TransformSpec,
    text: &str,
    standard: &[&str],
    problems: &mut Vec<Problem>,
) {
    let name = plugin.get_ref().as_str();
    if !standard.contains(&name) {
        let hint = match nearest(name, standard.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the standard plugins are `{}`; for your own, use `path`", standard.join("`, `")),
        };
        problems.push(
            Problem::new(format!("there is no standard plugin `{name}`"))
                .at(Some(Place::of(text, plugin.span().start)))
                .hint(hint),
        );
    }
    if let Some(digest) = &spec.digest {
        problems.push(
            Problem::new("a standard plugin takes no `digest`")
                .at(Some(Place::of(text, digest.span().start)))
                .hint("it is part of the sluice binary, whose version pins it; remove the line"),
        );
    }
}

/// An upload takes parts of 8 MiB, 10,000 at most.
const LARGEST_FILE: u64 = 64 << 30;

/// Settings that only make sense for one kind of bucket, and those that no bucket takes.
fn check_sink(pipeline: &PipelineFile, text: &str, problems: &mut Vec<Problem>) {
    let sink = pipeline.sink.get_ref();
    if let Some(size) = sink.file_size.as_ref().filter(|size| size.get_ref().0 > LARGEST_FILE) {
        problems.push(
            Problem::new("`file_size` is more than an upload to S3 can have")
                .at(Some(Place::of(text, size.span().start)))
                .hint("use 64GiB at most; engines like files of some hundred MiB"),
        );
    }
    let url = sink.url.get_ref();
    match url.scheme() {
        "s3" => {
            if url.host_str().is_none_or(str::is_empty) {
                problems.push(
                    Problem::new("the sink's `url` names no bucket")
                        .at(Some(Place::of(text, sink.url.span().start)))
                        .hint("write `s3://bucket/prefix`"),
                );
            }
            for (key, set) in [("fips", sink.fips == Some(true)), ("dual_stack", sink.dual_stack == Some(true))] {
                if set && sink.endpoint.is_some() {
                    problems.push(
                        Problem::new(format!("`{key}` chooses among AWS's own addresses, and `endpoint` is set"))
                            .at(Some(Place::of(text, pipeline.sink.span().start)))
                            .hint(format!("remove `{key}`, or `endpoint`")),
                    );
                }
            }
            if let Err(why) = url.prefix() {
                problems.push(
                    Problem::new(format!("the prefix in the sink's `url` cannot be used: {why}"))
                        .at(Some(Place::of(text, sink.url.span().start)))
                        .hint("what follows the bucket is taken as it is written: `s3://bucket/my prefix`"),
                );
            }
        }
        "file" => {
            if let Err(why) = url.folder() {
                problems.push(
                    Problem::new(format!("the folder in the sink's `url` cannot be used: {why}"))
                        .at(Some(Place::of(text, sink.url.span().start)))
                        .hint("write `file:///folder`, with three slashes"),
                );
            }
            for (key, set) in [
                ("role", sink.role.is_some()),
                ("credentials", sink.credentials.is_some()),
                ("endpoint", sink.endpoint.is_some()),
                ("sts_endpoint", sink.sts_endpoint.is_some()),
                ("path_style", sink.path_style),
                ("region", sink.region.is_some()),
                ("dual_stack", sink.dual_stack.is_some()),
                ("fips", sink.fips.is_some()),
                ("expected_bucket_owner", sink.expected_bucket_owner.is_some()),
                ("requester_pays", sink.requester_pays),
                ("encryption", sink.encryption.is_some()),
                ("acl", sink.acl.is_some()),
                ("tags", !sink.tags.0.is_empty()),
                ("storage_class", sink.storage_class.is_some()),
            ] {
                if set {
                    problems.push(
                        Problem::new(format!("`{key}` means nothing for a `file://` sink"))
                            .at(Some(Place::of(text, pipeline.sink.span().start)))
                            .hint(format!("remove `{key}`, or write to `s3://…`")),
                    );
                }
            }
        }
        scheme => problems.push(
            Problem::new(format!("the sink cannot write to `{scheme}://`"))
                .at(Some(Place::of(text, sink.url.span().start)))
                .hint("use `s3://bucket/prefix` or `file:///folder`"),
        ),
    }
}

/// The JSON Schema of the pipeline file, as checked in at `pipelines/schema.json`.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(PipelineFile).to_value()
}
