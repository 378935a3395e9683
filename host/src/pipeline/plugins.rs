//! The plugins of a pipeline: loaded once, and the source of every instance.

use std::{path::Path, sync::Arc};

use sluice_model::{
    digest::Digest,
    error_chain,
    problem::Problem,
    schema::{Mark, Marks},
};
use sluice_plan::{
    Attached, AttachedFrom, LoadedPlugin, Transform,
    spec::{AttachmentSpec, SecretRef, Spec, TransformSpec},
};
use sluice_sandbox::{
    Attachment, Engine, LARGEST_FILE, LoadError, LogCounts, LogLevel, LogSink, MemoryBudget, Plugin, Setup,
};
use toml::Spanned;

use crate::{
    environment::{self, Missing, Opened, Reach},
    standard,
};

/// The mark of everything that is computed with a secret.
const SECRET: &str = "secret";

/// What a plugin is handed in the place of each secret where secrets are not read. Plans do not depend on secrets, which are
/// marked; a plugin that refuses this does.
const IN_PLACE_OF_A_SECRET: &[u8] = b"what stands in the place of a secret, since none is read offline";

/// Bytes of all attachments of a pipeline together, as often as they are named: they are held for the whole run, and the memory
/// of an instance, which takes a copy, is as large unless it is set.
const MOST_ATTACHED: u64 = 256 << 20;

/// The transforms of a pipeline, in the order of the file, each with its plugin. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Plugins(Arc<[Loaded]>);

/// A transform, and what its instances are opened with.
#[derive(Debug)]
struct Loaded {
    transform: Arc<Transform>,
    setup: Setup,
    /// Whether it has attachments, and the pipeline file may be anybody's.
    is_offline: bool,
}

impl Plugins {
    /// Loads the plugins of all transforms; reports everything that is wrong with any of them. `memory`: what all their
    /// instances share.
    pub(super) fn load(
        spec: &Spec,
        reach: Reach,
        engine: &Engine,
        memory: &MemoryBudget,
    ) -> Result<Self, Vec<Problem>> {
        let mut loaded = Vec::new();
        let mut problems = Vec::new();
        let mut left = MOST_ATTACHED;
        for transform in spec.pipeline.transform.iter().map(Spanned::get_ref) {
            match load(spec, transform, reach, &mut left, engine, memory) {
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
        &self.loaded(transform).setup
    }

    /// Whether nothing is passed on of what a transform's plugin says of its own before it has seen any row: it has been handed
    /// a marked attachment or, where the pipeline file may be anybody's, any.
    pub(super) fn withholds(&self, transform: &Transform) -> bool {
        self.loaded(transform).is_offline || !transform.attachment_marks().is_empty()
    }

    /// What is to be done where a plugin fails whose words are told to whoever answers for the pipeline file alone.
    pub(super) fn hint_of_offline(&self, transform: &Transform) -> Option<&'static str> {
        self.loaded(transform).is_offline.then_some(
            "offline no secret is read, and no word is told of a plugin with attachments: run without `--offline`",
        )
    }

    /// What became of the log lines of a transform so far.
    pub(super) fn log_counts(&self, transform: &Transform) -> LogCounts {
        self.of(transform).log_counts()
    }

    /// Tells how many log lines were dropped, of each transform that wrote too many: once, when no more come.
    pub fn tell_of_dropped_lines(&self) {
        for transform in self.0.iter().map(|loaded| &loaded.transform) {
            let dropped = self.log_counts(transform).dropped;
            if dropped > 0 {
                tracing::warn!(
                    transform = transform.name,
                    dropped,
                    "it wrote too many log lines, and most were dropped"
                );
            }
        }
    }

    fn loaded(&self, transform: &Transform) -> &Loaded {
        let found = self.0.iter().find(|loaded| loaded.transform.name == transform.name);
        found.unwrap_or_else(|| unreachable!("a plan has the transforms of its file"))
    }
}

/// `left`: the bytes that attachments may have from here on.
fn load(
    spec: &Spec,
    transform: &TransformSpec,
    reach: Reach,
    left: &mut u64,
    engine: &Engine,
    memory: &MemoryBudget,
) -> Result<Loaded, Problem> {
    let name = transform.name.get_ref().as_str();
    let settings = serde_json::to_string(&transform.settings)
        .map_err(|error| Problem::new(format!("the settings of transform `{name}` cannot be handed over: {error}")))?;
    let mut attachments = Vec::new();
    let mut attached = Vec::new();
    for attachment in &transform.attachments {
        let (read, as_planned) = read_attachment(spec, attachment, reach, *left)?;
        *left = left.saturating_sub(read.bytes.len() as u64);
        attached.push(as_planned);
        attachments.push(read);
    }
    let plugin = load_plugin(spec, transform, reach, engine)?;
    let loaded =
        LoadedPlugin { name: plugin.name().to_owned(), digest: plugin.digest(), settings, attachments: attached };
    let transform = Transform::new(spec, transform, loaded);
    let is_offline = reach == Reach::Folder && !attachments.is_empty();
    let setup = Setup::new(plugin)
        .named(&transform.name)
        .with_settings(&transform.settings)
        .with_attachments(attachments)
        .with_limits(transform.limits.clone())
        .with_memory(memory.clone())
        .with_log(log(&transform.name));
    Ok(Loaded { transform: Arc::new(transform), setup, is_offline })
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

/// An attachment, and what a plan says of it.
fn read_attachment(
    spec: &Spec,
    attachment: &Spanned<AttachmentSpec>,
    reach: Reach,
    left: u64,
) -> Result<(Attachment, Attached), Problem> {
    let place = spec.place(attachment);
    let attachment = attachment.get_ref();
    let name = &attachment.name;
    let missing = |error: Missing| {
        let problem = Problem::new(format!("attachment `{name}`: {error}")).at(place);
        if let Missing::TooLarge { .. } = error {
            return problem.hint(format!(
                "all attachments of a pipeline together may have {} MiB, each as often as it is named",
                MOST_ATTACHED >> 20
            ));
        }
        error.hint_of_file().into_iter().fold(problem, Problem::hint)
    };
    let mut marks: Marks = attachment.marks.iter().map(|mark| mark.0.clone()).collect();
    let (bytes, from) = match (&attachment.secret, &attachment.file) {
        (Some(reference), _) => {
            marks.extend(SECRET.parse::<Mark>());
            let (bytes, resolved) = match reach {
                Reach::Folder => (IN_PLACE_OF_A_SECRET.to_vec(), None),
                Reach::Machine => {
                    let (secret, resolved) = environment::secret(reference, &spec.folder, left).map_err(missing)?;
                    (secret.expose().as_bytes().to_vec(), resolved)
                }
            };
            let from = match reference {
                SecretRef::Env(name) => AttachedFrom::Variable(name.clone()),
                SecretRef::File(path) => AttachedFrom::SecretFile(resolved.unwrap_or_else(|| path.clone())),
            };
            (bytes, from)
        }
        (None, Some(file)) => {
            let Opened { path, bytes } = environment::file(file, &spec.folder, reach, left).map_err(missing)?;
            (bytes, AttachedFrom::File(path))
        }
        (None, None) => unreachable!("the spec has a file or a secret for every attachment"),
    };
    let digest = marks.is_empty().then(|| Digest::of(&bytes));
    Ok((Attachment { name: name.clone(), bytes }, Attached { name: name.clone(), from, marks, digest }))
}

fn load_plugin(spec: &Spec, transform: &TransformSpec, reach: Reach, engine: &Engine) -> Result<Plugin, Problem> {
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
            let read = environment::file(path.get_ref(), &spec.folder, reach, LARGEST_FILE as u64);
            let Opened { bytes, .. } = read.map_err(|missing| {
                let hint = missing.hint_of_file().unwrap_or(
                    "`path` starts from the folder of the pipeline file; build the plugin first if it is your own",
                );
                Problem::new(format!("transform `{name}`: the plugin {missing}")).at(place).hint(hint)
            })?;
            Plugin::load(engine, &file_name(path.get_ref()), &bytes, pinned.as_ref()).map_err(refused)
        }
        (None, None) => unreachable!("the spec names a plugin for every transform"),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
