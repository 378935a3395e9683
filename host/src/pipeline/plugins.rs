//! The plugins of a pipeline: loaded once, and the source of every instance.

use std::{path::Path, sync::Arc};

use sluice_model::{
    digest::Digest,
    error_chain,
    problem::Problem,
    schema::{Mark, Marks},
    secret::Secret,
};
use sluice_plan::{
    Attached, LoadedPlugin, Transform,
    spec::{AttachmentSpec, Spec, TransformSpec},
};
use sluice_sandbox::{Attachment, Engine, LoadError, LogLevel, LogSink, MemoryBudget, Plugin, Setup};
use toml::Spanned;

use crate::{environment, standard};

/// The mark of everything that is computed with a secret.
const SECRET: &str = "secret";

/// The transforms of a pipeline, in the order of the file, each with its plugin. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Plugins(Arc<[Loaded]>);

/// A transform, and what its instances are opened with.
#[derive(Debug)]
struct Loaded {
    transform: Arc<Transform>,
    setup: Setup,
}

impl Plugins {
    /// Loads the plugins of all transforms; reports everything that is wrong with any of them. `memory`: what all their
    /// instances share.
    pub(super) fn load(spec: &Spec, engine: &Engine, memory: &MemoryBudget) -> Result<Self, Vec<Problem>> {
        let mut loaded = Vec::new();
        let mut problems = Vec::new();
        for transform in spec.pipeline.transform.iter().map(Spanned::get_ref) {
            match load(spec, transform, engine, memory) {
                Ok(transform) => loaded.push(transform),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(Self(loaded.into())) } else { Err(problems) }
    }

    /// The transforms, in the order of the file.
    pub fn transforms(&self) -> Vec<Arc<Transform>> {
        self.0.iter().map(|loaded| Arc::clone(&loaded.transform)).collect()
    }

    /// What the instances of a transform are opened with.
    pub(super) fn of(&self, transform: &Transform) -> &Setup {
        let found = self.0.iter().find(|loaded| loaded.transform.name == transform.name);
        found.map_or_else(|| unreachable!("a plan has the transforms of its file"), |loaded| &loaded.setup)
    }
}

fn load(spec: &Spec, transform: &TransformSpec, engine: &Engine, memory: &MemoryBudget) -> Result<Loaded, Problem> {
    let name = transform.name.get_ref().as_str();
    let settings = serde_json::to_string(&transform.settings)
        .map_err(|error| Problem::new(format!("the settings of transform `{name}` cannot be handed over: {error}")))?;
    let mut attachments = Vec::new();
    let mut attached = Vec::new();
    for attachment in &transform.attachments {
        let (attachment, marks) = read_attachment(spec, attachment)?;
        attached.push(Attached {
            name: attachment.name.clone(),
            digest: marks.is_empty().then(|| Digest::of(&attachment.bytes)),
            marks,
        });
        attachments.push(attachment);
    }
    let plugin = load_plugin(spec, engine, transform)?;
    let loaded =
        LoadedPlugin { name: plugin.name().to_owned(), digest: plugin.digest(), settings, attachments: attached };
    let transform = Transform::new(spec, transform, loaded);
    let setup = Setup::new(plugin)
        .named(&transform.name)
        .with_settings(&transform.settings)
        .with_attachments(attachments)
        .with_limits(transform.limits.clone())
        .with_memory(memory.clone())
        .with_log(log(&transform.name));
    Ok(Loaded { transform: Arc::new(transform), setup })
}

/// Where the log lines of a transform go.
fn log(transform: &str) -> LogSink {
    let transform = transform.to_owned();
    let write = move |level: LogLevel, message: &str| match level {
        LogLevel::Warn => tracing::warn!(transform, "{message}"),
        LogLevel::Info => tracing::info!(transform, "{message}"),
        LogLevel::Debug => tracing::debug!(transform, "{message}"),
    };
    LogSink::new(write, false)
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
    let refused = |error: LoadError| {
        let problem =
            Problem::new(format!("transform `{name}`: {}", error_chain(&error))).at(spec.place(&transform.name));
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
            Plugin::load(engine, &file_name(path.get_ref()), &bytes, pinned.as_ref()).map_err(refused)
        }
        (None, None) => unreachable!("the spec names a plugin for every transform"),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
