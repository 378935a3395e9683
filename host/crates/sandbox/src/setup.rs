//! A plugin with all that its instances are opened with.

use std::sync::Arc;

use sluice_model::{limits::Limits, outline::Outline, schema::Schema};

use super::{
    error::PluginError,
    instance::{Attachment, Instance},
    log::{LogCounts, LogSink},
    memory::MemoryBudget,
    plugin::Plugin,
};

/// A plugin, its settings, attachments and limits: the source of all its instances. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Setup {
    plugin: Plugin,
    name: Arc<str>,
    settings: Arc<str>,
    attachments: Arc<[Attachment]>,
    limits: Limits,
    memory: MemoryBudget,
    log: LogSink,
}

impl Setup {
    /// A plugin without settings or attachments, with the usual limits, that nobody listens to.
    pub fn new(plugin: Plugin) -> Self {
        Self {
            name: plugin.shared_name(),
            plugin,
            settings: "{}".into(),
            attachments: Arc::default(),
            limits: Limits::default(),
            memory: MemoryBudget::unbounded(),
            log: LogSink::new(|_, _| {}, false),
        }
    }

    /// What it is used as: errors name it so. Unless it is set, the plugin's name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Its settings: a JSON object.
    #[must_use]
    pub fn with_settings(self, settings: &str) -> Self {
        Self { settings: settings.into(), ..self }
    }

    /// Its attachments.
    #[must_use]
    pub fn with_attachments(self, attachments: Vec<Attachment>) -> Self {
        Self { attachments: attachments.into(), ..self }
    }

    /// What each instance may use up.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The memory that its instances share with others.
    #[must_use]
    pub fn with_memory(self, memory: MemoryBudget) -> Self {
        Self { memory, ..self }
    }

    /// Where its log lines go.
    #[must_use]
    pub fn with_log(self, log: LogSink) -> Self {
        Self { log, ..self }
    }

    /// What it is used as.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What became of the log lines of all its instances so far.
    pub fn log_counts(&self) -> LogCounts {
        self.log.counts()
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A fresh instance, which has seen nothing but settings and attachments. `withhold`: nothing that it says is passed on.
    pub fn instance(&self, withhold: bool) -> Result<Instance, PluginError> {
        Instance::opened(
            &self.plugin,
            &self.limits,
            &self.settings,
            &self.attachments,
            self.memory.share(&self.name),
            if withhold { self.log.withholding() } else { self.log.clone() },
        )
    }

    /// What the plugin says it does to data of this schema. Asked of an instance that sees nothing else.
    pub fn outline_of(&self, schema: &Schema, withhold: bool) -> Result<Outline, PluginError> {
        self.instance(withhold)?.outline_of(schema)
    }
}
