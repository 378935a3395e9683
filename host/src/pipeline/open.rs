//! The one way from a pipeline file to what it names: the source, the plugins, the bucket.
//!
//! Every command begins with a [`Pipeline`] and asks it for what it needs. Nothing is sent before it is asked for.

mod access;
mod engine;

use std::{fs, path::Path, sync::Arc, time::Duration};

use jiff::Timestamp;
use sluice_hubspot::{
    http::{PATIENCE, Reserve, RetryPolicy},
    source::{
        Source,
        hubspot::{self, EventRecords, EventScope, HubSpot, Marking, Paths},
    },
};
use sluice_lake::{
    bucket::{self, Bucket, Encryption},
    sink::ParquetSettings,
};
use sluice_model::{problem::Problem, secret::Secret};
use sluice_net::proxy::is_loopback;
use sluice_plan::{
    Planner, Rules,
    spec::{
        ApiVersion, Compression, EncryptionSpec, EventsSpec, KmsKey, LedgerRule, RecordsSpec, RoleSpec, SecretRef,
        Sensitive, SinkSpec, Spec,
    },
};
use sluice_sandbox::{Engine, MemoryBudget};
use url::Url;

pub use self::{
    access::Permissions,
    engine::{COMPILE, engine},
};
use super::{Error, Shutdown, plugins::Plugins};
use crate::{
    environment::{self, ALLOWED_HOSTS, AllowedHosts, NoHosts, Reach},
    standard,
};

/// How long a role's session lasts unless the file says otherwise: what every role allows.
const SESSION: Duration = Duration::from_hours(1);
/// The longest name a session can have.
const LONGEST_SESSION_NAME: usize = 64;
/// Readers that work at once unless the file says otherwise: enough that pages of a third of a second keep the account's
/// budget full (19 requests a second), with few enough batches in memory for a small machine.
const STREAMS_AT_ONCE: usize = 8;
/// What all plugins of a run may take of memory together, unless the file says otherwise.
const PLUGIN_MEMORY: u64 = 4 << 30;

/// The share of the account's limits that is left to its other apps unless the file says otherwise: enough that none of them
/// stands still, little enough that a run is not much longer.
const RESERVE: f64 = 0.1;

/// The most that events and histories may take of a day unless the file says otherwise: the other half is enough for all else.
const AT_MOST: f64 = 0.5;

/// Streams that take longer are kept in slices unless the file says otherwise: what takes less is soon read again.
const KEEP_AFTER: Duration = Duration::from_hours(1);

/// A pipeline file that was read. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pipeline {
    spec: Arc<Spec>,
    reach: Reach,
    shutdown: Shutdown,
}

/// How long failures of the source are waited out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// As long as the file says: nobody waits for a run.
    OfARun,
    /// A few attempts: somebody waits for a look.
    OfALook,
}

impl Pipeline {
    /// Reads a pipeline file that whoever starts the program answers for.
    pub fn read(file: &Path) -> Result<Self, Error> {
        Self::read_within(file, Reach::Machine)
    }

    /// Reads a pipeline file that may be anybody's: it reaches nothing but its own folder, and no secret.
    pub fn read_offline(file: &Path) -> Result<Self, Error> {
        refuse_link(file)?;
        Self::read_within(file, Reach::Folder)
    }

    fn read_within(file: &Path, reach: Reach) -> Result<Self, Error> {
        let text = fs::read_to_string(file)
            .map_err(|reason| Error::PipelineFile { file: file.display().to_string(), reason })?;
        let spec = Spec::read(file, &text, &standard::NAMES).map_err(Error::Refused)?;
        Ok(Self { spec: Arc::new(spec), reach, shutdown: Shutdown::new() })
    }

    /// The same pipeline, whose plugins are stopped with everything else.
    #[must_use]
    pub fn stopping_with(self, shutdown: &Shutdown) -> Self {
        Self { shutdown: shutdown.clone(), ..self }
    }

    /// The pipeline's name.
    pub fn name(&self) -> &str {
        self.spec.pipeline.pipeline.get_ref().as_str()
    }

    /// What a stream does of which not as many records were read as the source counts.
    pub(super) fn ledger(&self) -> LedgerRule {
        self.spec.pipeline.run.ledger
    }

    /// How long the file says that commits are kept; for ever, if it says nothing.
    pub fn keep(&self) -> Option<Duration> {
        self.sink().keep.map(|keep| keep.0)
    }

    /// The source.
    pub fn source(&self, patience: Patience) -> Result<Arc<dyn Source>, Error> {
        let retry = match patience {
            Patience::OfARun => RetryPolicy::of_a_run(self.spec.pipeline.run.patience.map_or(PATIENCE, |span| span.0)),
            Patience::OfALook => RetryPolicy::of_a_look(),
        };
        let source = &self.spec.pipeline.source;
        let base_url = match &source.base_url {
            Some(url) => (**url).clone(),
            None => Url::parse(hubspot::BASE_URL).unwrap_or_else(|_| unreachable!("the default address is a URL")),
        };
        if base_url.scheme() != "https" && !is_loopback(&base_url) {
            return Err(self.refused(
                Problem::new("`base_url` would send the access token over the network in the clear")
                    .hint("use `https://`; `http://` is for servers on this machine"),
            ));
        }
        self.allow_host("source.base_url", &base_url)?;
        let rules = self.rules();
        let settings = hubspot::Settings {
            base_url,
            token: self.secret("source.token", &source.token)?,
            paths: self.api_paths(),
            requests_per_10s: source.requests_per_10s,
            reserve: Reserve::of(source.reserve.map_or(RESERVE, |share| share.0)),
            retry,
            sensitive: source.sensitive == Sensitive::Include,
            marking: Marking::new(move |stream, fields| rules.add_marks(stream, fields)),
            events: source.events.as_ref().map(|events| scope(events.get_ref(), Timestamp::now())),
        };
        Ok(Arc::new(HubSpot::new(&settings)?))
    }

    /// The version of the source's API.
    pub(super) fn api_paths(&self) -> Paths {
        match self.spec.pipeline.source.api_version {
            ApiVersion::September2026 => Paths::Dated("2026-09"),
            ApiVersion::March2026 => Paths::Dated("2026-03"),
            ApiVersion::V3 => Paths::Numbered,
        }
    }

    /// The plugins, loaded, with the memory that they share.
    pub fn plugins(&self) -> Result<Plugins, Error> {
        let most = self.spec.pipeline.run.plugin_memory.as_ref().map_or(PLUGIN_MEMORY, |size| size.get_ref().0);
        let shutdown = self.shutdown.clone();
        let engine = if self.spec.pipeline.transform.is_empty() { Engine::new(None)? } else { engine()? };
        let engine = engine.stopping_when(move || shutdown.is_stopping());
        let loaded = Plugins::load(&self.spec, self.reach, &engine, &MemoryBudget::new(most));
        if self.shutdown.is_stopping() {
            return Err(Error::Interrupted);
        }
        loaded.map_err(|problems| Error::refused(&self.spec.file, problems))
    }

    /// The bucket that the tables go to.
    pub async fn bucket(&self) -> Result<Bucket, Error> {
        Ok(Bucket::open(&self.bucket_settings(Patience::OfARun)?).await?)
    }

    /// The settings of that bucket.
    pub fn bucket_settings(&self, patience: Patience) -> Result<bucket::Settings, Error> {
        let sink = self.sink();
        let url = sink.url.get_ref();
        if url.scheme() == "file" {
            let path = url.folder().unwrap_or_else(|why| unreachable!("such a file is not read: {why}"));
            return Ok(bucket::Settings::File { path });
        }
        for (key, endpoint) in [("endpoint", &sink.endpoint), ("sts_endpoint", &sink.sts_endpoint)] {
            if let Some(endpoint) = endpoint
                && endpoint.scheme() != "https"
                && !is_loopback(endpoint)
            {
                return Err(self.refused(
                    Problem::new(format!("`{key}` would send data over the network in the clear"))
                        .hint("use `https://`; `http://` is for servers on this machine"),
                ));
            }
            if let Some(endpoint) = endpoint {
                self.allow_host(&format!("sink.{key}"), endpoint)?;
            }
        }
        Ok(bucket::Settings::S3(bucket::S3Settings {
            bucket: url.host_str().unwrap_or_default().to_owned(),
            prefix: url.prefix().unwrap_or_else(|why| unreachable!("such a file is not read: {why}")).to_owned(),
            region: sink.region.as_ref().map(|region| region.0.clone()),
            endpoint: sink.endpoint.as_ref().map(|endpoint| (**endpoint).clone()),
            path_style: sink.path_style,
            dual_stack: sink.dual_stack,
            fips: sink.fips,
            patience: match patience {
                Patience::OfARun => self.spec.pipeline.run.patience.map_or(bucket::PATIENCE, |span| span.0),
                Patience::OfALook => bucket::PATIENCE_OF_A_LOOK,
            },
            rules: rules_of_bucket(sink),
            credentials: self.credentials()?,
            role: sink.role.as_ref().map(|role| self.role(role)).transpose()?,
        }))
    }

    /// What the file says of streams and columns.
    pub(super) fn rules(&self) -> Rules {
        Rules::of(&self.spec)
    }

    /// What a plan is made with: the file's rules, and what is known of the plugins.
    pub(super) fn planner(&self, plugins: &Plugins) -> Planner {
        Planner::new(&self.spec, plugins.transforms())
    }

    /// How the tables' files are written.
    pub(super) fn parquet(&self) -> ParquetSettings {
        let sink = self.sink();
        let level = sink.compression_level.map_or(ParquetSettings::DEFAULT_ZSTD_LEVEL, |level| level.0);
        let rows = sink.row_group_rows.map_or(ParquetSettings::DEFAULT_ROW_GROUP_ROWS, |rows| rows.get() as usize);
        ParquetSettings {
            zstd_level: (sink.compression == Compression::Zstd).then_some(level),
            row_group_rows: rows,
            file_bytes: sink.file_size.as_ref().map_or(ParquetSettings::DEFAULT_FILE_BYTES, |size| size.get_ref().0),
        }
    }

    /// The most that streams which are asked for record by record may take of a day, as a share.
    pub(super) fn at_most(&self) -> f64 {
        self.spec.pipeline.source.at_most.map_or(AT_MOST, |share| share.0)
    }

    /// How many minutes a stream may take that is not kept in slices.
    pub(super) fn keep_after_minutes(&self) -> f64 {
        self.spec.pipeline.run.keep_after.map_or(KEEP_AFTER, |span| span.0).as_secs_f64() / 60.0
    }

    /// How many streams are read at once.
    pub(super) fn streams_at_once(&self) -> usize {
        self.spec.pipeline.run.streams_at_once.map_or(STREAMS_AT_ONCE, |streams| streams.get() as usize)
    }

    fn sink(&self) -> &SinkSpec {
        self.spec.pipeline.sink.get_ref()
    }

    fn credentials(&self) -> Result<bucket::Credentials, Error> {
        let Some(credentials) = &self.sink().credentials else { return Ok(bucket::Credentials::Chain) };
        let secret = |key: &str, reference| self.secret(&format!("sink.credentials.{key}"), reference);
        let session_token = credentials.session_token.as_ref();
        Ok(bucket::Credentials::Static {
            access_key_id: secret("access_key_id", &credentials.access_key_id)?,
            secret_access_key: secret("secret_access_key", &credentials.secret_access_key)?,
            session_token: session_token.map(|token| secret("session_token", token)).transpose()?,
        })
    }

    fn role(&self, role: &RoleSpec) -> Result<bucket::Role, Error> {
        let session_name = role.session_name.clone().unwrap_or_else(|| {
            let name = format!("sluice-{}", self.name());
            name.chars().take(LONGEST_SESSION_NAME).collect()
        });
        let sts_endpoint = self.sink().sts_endpoint.as_ref().or(self.sink().endpoint.as_ref());
        Ok(bucket::Role {
            arn: role.arn.clone(),
            external_id: role.external_id.clone(),
            session_name,
            duration: role.duration.map_or(SESSION, |duration| duration.0),
            session_policy: self.session_policy(role)?,
            session_tags: role.session_tags.0.clone(),
            source_identity: role.source_identity.as_ref().map(|identity| identity.0.clone()),
            sts_endpoint: sts_endpoint.map(|endpoint| (**endpoint).clone()),
        })
    }

    /// Refuses an address that whoever starts the program does not let a pipeline file name. Before any secret is read.
    fn allow_host(&self, key: &str, url: &Url) -> Result<(), Error> {
        let allowed = AllowedHosts::of_environment()
            .map_err(|no| self.refused(Problem::new(no.to_string()).hint(NoHosts::HINT)))?;
        if allowed.allow(url) {
            return Ok(());
        }
        let host = url.host_str().unwrap_or_default();
        let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
        Err(self.refused(
            Problem::new(format!("`{key}`: the host `{host}{port}` is not one of those in `{ALLOWED_HOSTS}`"))
                .hint("nothing was sent; if the host may have what the pipeline sends, add it to the variable"),
        ))
    }

    fn secret(&self, key: &str, reference: &SecretRef) -> Result<Secret, Error> {
        if self.reach == Reach::Folder {
            return Err(self.refused(Problem::new(format!("`{key}`: no secret is read offline"))));
        }
        environment::credential(reference, &self.spec.folder)
            .map_err(|missing| self.refused(Problem::new(format!("`{key}`: {missing}")).hint(missing.hint())))
    }

    fn refused(&self, problem: Problem) -> Error {
        Error::refused(&self.spec.file, vec![problem])
    }
}

/// What the bucket asks of those who use it.
fn rules_of_bucket(sink: &SinkSpec) -> bucket::Rules {
    let name = |key: &Option<KmsKey>| key.as_ref().map(|key| key.0.clone());
    bucket::Rules {
        encryption: sink.encryption.as_ref().map(|encryption| match encryption {
            EncryptionSpec::SseS3 {} => Encryption::S3,
            EncryptionSpec::SseKms { key, bucket_key } => Encryption::Kms { key: name(key), bucket_key: *bucket_key },
            EncryptionSpec::DsseKms { key } => Encryption::KmsInTwoLayers { key: name(key) },
        }),
        acl: sink.acl.map(|acl| acl.as_str().to_owned()),
        tags: sink.tags.0.clone(),
        storage_class: sink.storage_class.map(|class| class.as_str().to_owned()),
        expected_owner: sink.expected_bucket_owner.as_ref().map(|account| account.0.clone()),
        requester_pays: sink.requester_pays,
    }
}

/// Refuses a file that somebody else may have made a link out of its folder.
pub fn refuse_link(file: &Path) -> Result<(), Error> {
    if environment::is_in_its_folder(file) {
        return Ok(());
    }
    Err(Error::LinkedAway { file: file.display().to_string() })
}

/// Of which records events are read, in a run that begins `now`.
fn scope(events: &EventsSpec, now: Timestamp) -> EventScope {
    EventScope {
        of: events.of.get_ref().clone(),
        records: match &events.records {
            RecordsSpec::All => EventRecords::All,
            RecordsSpec::List(list) => EventRecords::InList(list.clone()),
            RecordsSpec::ChangedSince(since) => EventRecords::ChangedSince(since.before(now)),
        },
        since: events.since.map(|since| since.before(now)),
    }
}
