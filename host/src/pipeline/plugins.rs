//! The plugins of a pipeline: loaded once, and the source of every instance.

use std::sync::Arc;

use sluice_model::{
    problem::Problem,
    schema::{Mark, Marks},
    secret::Secret,
};
use sluice_plan::spec::{AttachmentSpec, LimitsSpec, Spec, TransformSpec};
use sluice_sandbox::{
    Attachment, Digest, Engine, Instance, Instances, Limits, LoadError, LogLevel, LogSink, Plugin, PluginError,
};
use toml::Spanned;

use crate::{environment, standard};

/// The mark of everything that is computed with a secret.
const SECRET: &str = "secret";

/// The transforms of a pipeline, in the order of the file, each with its plugin.
#[derive(Debug, Clone)]
pub struct LoadedTransforms(Vec<Arc<LoadedTransform>>);

/// A transform with its plugin loaded and its attachments read.
pub struct LoadedTransform {
    /// The transform's name.
    pub name: String,
    /// Its plugin.
    pub plugin: Plugin,
    /// The digest of its settings.
    pub settings_digest: Digest,
    /// Marks of everything computed with its attachments.
    pub attachment_marks: Marks,
    settings: String,
    attachments: Vec<Attachment>,
    /// The marks of each of them.
    marks: Vec<Marks>,
    limits: Limits,
}

impl std::fmt::Debug for LoadedTransform {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LoadedTransform").field("name", &self.name).finish_non_exhaustive()
    }
}

impl LoadedTransforms {
    /// Loads the plugins of all transforms; reports everything that is wrong with any of them.
    pub fn load(spec: &Spec, engine: &Engine) -> Result<Self, Vec<Problem>> {
        let mut loaded = Vec::new();
        let mut problems = Vec::new();
        for transform in spec.pipeline.transform.iter().map(Spanned::get_ref) {
            match LoadedTransform::load(spec, engine, transform) {
                Ok(transform) => loaded.push(Arc::new(transform)),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(Self(loaded)) } else { Err(problems) }
    }

    /// The transform at this position of the file.
    pub fn get(&self, index: usize) -> &Arc<LoadedTransform> {
        &self.0[index]
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &LoadedTransform> {
        self.0.iter().map(AsRef::as_ref)
    }
}

impl LoadedTransform {
    fn load(spec: &Spec, engine: &Engine, transform: &TransformSpec) -> Result<Self, Problem> {
        let name = transform.name.get_ref().as_str().to_owned();
        let settings = serde_json::to_string(&transform.settings).map_err(|error| {
            Problem::new(format!("the settings of transform `{name}` cannot be handed over: {error}"))
        })?;
        let mut attachments = Vec::new();
        for attachment in &transform.attachments {
            attachments.push(read_attachment(spec, attachment)?);
        }
        let (attachments, marks): (_, Vec<Marks>) = attachments.into_iter().unzip();
        Ok(Self {
            plugin: load_plugin(spec, engine, transform)?,
            limits: limits(&transform.limits),
            settings_digest: Digest::of(settings.as_bytes()),
            attachment_marks: marks.iter().flatten().cloned().collect(),
            name,
            settings,
            attachments,
            marks,
        })
    }

    /// Bytes of memory that each instance may take.
    pub(super) fn memory_limit(&self) -> u64 {
        self.limits.memory
    }

    /// Its attachments: name, marks, and the digest of the content, where no mark forbids to tell it.
    pub fn attachments(&self) -> impl Iterator<Item = (&str, &Marks, Option<Digest>)> {
        self.attachments.iter().zip(&self.marks).map(|(attachment, marks)| {
            let digest = marks.is_empty().then(|| Digest::of(&attachment.bytes));
            (attachment.name.as_str(), marks, digest)
        })
    }

    /// A fresh instance, opened with the transform's settings.
    pub fn instance(&self, log: LogSink) -> Result<Instance, PluginError> {
        self.plugin.instantiate(&self.limits, &self.settings, &self.attachments, log)
    }

    /// A source of fresh instances. `withhold`: log lines are counted, not shown.
    pub fn instances(self: &Arc<Self>, withhold: bool) -> impl Instances + use<> {
        TransformInstances { transform: Arc::clone(self), withhold }
    }

    /// Where the log lines of its instances go.
    pub fn log(&self, withhold: bool) -> LogSink {
        let transform = self.name.clone();
        let write = move |level: LogLevel, message: &str| match level {
            LogLevel::Warn => tracing::warn!(transform, "{message}"),
            LogLevel::Info => tracing::info!(transform, "{message}"),
            LogLevel::Debug => tracing::debug!(transform, "{message}"),
        };
        LogSink::new(write, withhold)
    }
}

struct TransformInstances {
    transform: Arc<LoadedTransform>,
    withhold: bool,
}

impl Instances for TransformInstances {
    fn fresh(&self) -> Result<Instance, PluginError> {
        self.transform.instance(self.transform.log(self.withhold))
    }
}

fn read_attachment(spec: &Spec, attachment: &Spanned<AttachmentSpec>) -> Result<(Attachment, Marks), Problem> {
    let place = spec.place(attachment);
    let attachment = attachment.get_ref();
    let missing =
        |error: environment::Missing| Problem::new(format!("attachment `{}`: {error}", attachment.name)).at(place);
    let mut marks: Marks = attachment.marks.iter().map(|mark| mark.0.clone()).collect();
    let bytes = match (&attachment.secret, &attachment.file) {
        (Some(reference), _) => {
            marks.extend(SECRET.parse::<Mark>());
            environment::secret(reference, &spec.folder).map(|secret: Secret| secret.expose().as_bytes().to_vec())
        }
        (None, Some(file)) => environment::file(file, &spec.folder),
        (None, None) => unreachable!("the spec has a file or a secret for every attachment"),
    };
    bytes.map(|bytes| (Attachment { name: attachment.name.clone(), bytes }, marks)).map_err(missing)
}

fn load_plugin(spec: &Spec, engine: &Engine, transform: &TransformSpec) -> Result<Plugin, Problem> {
    let name = transform.name.get_ref().as_str();
    let place = spec.place(&transform.name);
    let refused = |error: LoadError| {
        let problem = Problem::new(format!("transform `{name}`: {}", sluice_model::error_chain(&error))).at(place);
        match error.hint() {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    };
    match (&transform.plugin, &transform.path) {
        (Some(plugin), _) => {
            let Some(standard) = standard::find(plugin.get_ref()) else {
                unreachable!("the spec names standard plugins that exist");
            };
            Plugin::load(engine, standard.name, standard.bytes, None).map_err(refused)
        }
        (None, Some(path)) => {
            let place = spec.place(path);
            let pinned =
                match &transform.digest {
                    None => None,
                    Some(digest) => Some(digest.get_ref().parse::<Digest>().map_err(|error| {
                        Problem::new(format!("transform `{name}`: {error}")).at(spec.place(digest))
                    })?),
                };
            let bytes = environment::file(path.get_ref(), &spec.folder).map_err(|missing| {
                Problem::new(format!("transform `{name}`: the plugin {missing}")).at(place).hint(
                    "`path` starts from the folder of the pipeline file; build the plugin first if it is your own",
                )
            })?;
            let shown = path.get_ref().file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            Plugin::load(engine, &shown, &bytes, pinned.as_ref()).map_err(refused)
        }
        (None, None) => unreachable!("the spec names a plugin for every transform"),
    }
}

fn limits(spec: &LimitsSpec) -> Limits {
    let defaults = Limits::default();
    Limits {
        memory: spec.memory.map_or(defaults.memory, |size| size.0),
        fuel_base: spec.fuel_base.unwrap_or(defaults.fuel_base),
        fuel_per_row: spec.fuel_per_row.unwrap_or(defaults.fuel_per_row),
        fuel_per_byte: spec.fuel_per_byte.unwrap_or(defaults.fuel_per_byte),
        timeout: spec.timeout.map(|span| span.0),
        result_bytes: spec.result.map_or(defaults.result_bytes, |size| size.0),
        ..defaults
    }
}
