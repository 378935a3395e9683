//! From what a pipeline file says to what a run works with: the source, the bucket's settings, the plugin engine.

use std::path::PathBuf;

use sluice_hubspot::{
    http::{PATIENCE, RetryPolicy},
    source::hubspot::{self, HubSpot, Paths},
};
use sluice_lake::{
    bucket,
    sink::{Begun, ParquetSettings},
};
use sluice_model::{problem::Problem, run_id::RunId, schema::Marks, secret::Secret};
use sluice_plan::{
    Plan,
    spec::{ApiVersion, Compression, RoleSpec, SecretRef, Sensitive, SinkSpec, Spec},
};
use sluice_sandbox::{Engine, EngineError};

use super::{Error, plugins::LoadedTransforms};
use crate::environment;

/// How long a role's session lasts unless the file says otherwise: what every role allows.
const SESSION: std::time::Duration = std::time::Duration::from_hours(1);

/// The longest name a session can have.
const LONGEST_SESSION_NAME: usize = 64;

/// Opens the source for a run, with its patience. Nothing is sent yet.
pub fn open_source_for_run(spec: &Spec) -> Result<HubSpot, Error> {
    let patience = spec.pipeline.run.patience.map_or(PATIENCE, |span| span.0);
    open(spec, RetryPolicy::of_a_run(patience))
}

/// Opens the source for a look by somebody who waits. Nothing is sent yet.
pub fn open_source(spec: &Spec) -> Result<HubSpot, Error> {
    open(spec, RetryPolicy::of_a_look())
}

fn open(spec: &Spec, retry: RetryPolicy) -> Result<HubSpot, Error> {
    let source = &spec.pipeline.source;
    let base_url = match &source.base_url {
        Some(url) => (**url).clone(),
        None => url::Url::parse(hubspot::BASE_URL).unwrap_or_else(|_| unreachable!("the default address is a URL")),
    };
    if base_url.scheme() != "https" && !sluice_proxy::is_loopback(&base_url) {
        return Err(refused(
            spec,
            Problem::new("`base_url` would send the access token over the network in the clear")
                .hint("use `https://`; `http://` is for servers on this machine"),
        ));
    }
    let settings = hubspot::Settings {
        base_url,
        token: secret(spec, "source.token", &source.token)?,
        paths: match source.api_version {
            ApiVersion::September2026 => Paths::Dated("2026-09"),
            ApiVersion::March2026 => Paths::Dated("2026-03"),
            ApiVersion::V3 => Paths::Numbered,
        },
        requests_per_10s: source.requests_per_10s,
        retry,
        sensitive: source.sensitive == Sensitive::Include,
        describes: match source.sensitive {
            Sensitive::Include => spec.pipeline.sink.get_ref().accepts.iter().map(|mark| mark.0.clone()).collect(),
            Sensitive::Exclude => Marks::new(),
        },
    };
    Ok(HubSpot::new(&settings)?)
}

/// The settings of the bucket that the tables go to.
pub fn bucket_settings(spec: &Spec) -> Result<bucket::Settings, Error> {
    let sink = spec.pipeline.sink.get_ref();
    let url = sink.url.get_ref();
    if url.scheme() == "file" {
        let path = url.folder().unwrap_or_else(|why| unreachable!("such a file is not read: {why}"));
        return Ok(bucket::Settings::File { path });
    }
    for (key, endpoint) in [("endpoint", &sink.endpoint), ("sts_endpoint", &sink.sts_endpoint)] {
        if let Some(endpoint) = endpoint
            && endpoint.scheme() != "https"
            && !sluice_proxy::is_loopback(endpoint)
        {
            return Err(refused(
                spec,
                Problem::new(format!("`{key}` would send data over the network in the clear"))
                    .hint("use `https://`; `http://` is for servers on this machine"),
            ));
        }
    }
    Ok(bucket::Settings::S3(bucket::S3Settings {
        bucket: url.host_str().unwrap_or_default().to_owned(),
        prefix: url.prefix().unwrap_or_else(|why| unreachable!("such a file is not read: {why}")).to_owned(),
        region: sink.region.clone(),
        endpoint: sink.endpoint.as_ref().map(|endpoint| (**endpoint).clone()),
        path_style: sink.path_style,
        credentials: credentials(spec, sink)?,
        role: sink.role.as_ref().map(|role| self::role(spec, sink, role)),
    }))
}

fn credentials(spec: &Spec, sink: &SinkSpec) -> Result<bucket::Credentials, Error> {
    let Some(credentials) = &sink.credentials else { return Ok(bucket::Credentials::Chain) };
    let session_token = credentials.session_token.as_ref();
    Ok(bucket::Credentials::Static {
        access_key_id: secret(spec, "sink.credentials.access_key_id", &credentials.access_key_id)?,
        secret_access_key: secret(spec, "sink.credentials.secret_access_key", &credentials.secret_access_key)?,
        session_token: session_token.map(|token| secret(spec, "sink.credentials.session_token", token)).transpose()?,
    })
}

fn role(spec: &Spec, sink: &SinkSpec, role: &RoleSpec) -> bucket::Role {
    let session_name = role.session_name.clone().unwrap_or_else(|| {
        let name = format!("sluice-{}", spec.pipeline.pipeline.get_ref().as_str());
        name.chars().take(LONGEST_SESSION_NAME).collect()
    });
    let sts_endpoint = sink.sts_endpoint.as_ref().or(sink.endpoint.as_ref());
    bucket::Role {
        arn: role.arn.clone(),
        external_id: role.external_id.clone(),
        session_name,
        duration: role.duration.map_or(SESSION, |duration| duration.0),
        sts_endpoint: sts_endpoint.map(|endpoint| (**endpoint).clone()),
    }
}

/// The plugin engine, with its cache of compiled plugins. A folder that somebody chose has to be usable; without a usable one
/// of the user's, plugins are compiled anew each time. Without a plugin in the file, the user's is not even looked at.
pub fn engine(spec: &Spec) -> Result<Engine, Error> {
    let configured: Option<PathBuf> = spec.pipeline.run.cache_dir.as_ref().map(|folder| spec.folder.join(folder));
    if let Some(folder) = configured.or_else(environment::chosen_cache_folder) {
        return Ok(Engine::new(Some(&folder))?);
    }
    let usual = environment::usual_cache_folder().filter(|_| !spec.pipeline.transform.is_empty());
    match Engine::new(usual.as_deref()) {
        Err(EngineError::Cache(unusable)) => {
            tracing::warn!(
                "plugins are compiled anew each time: {}; `cache_dir` under [run], or the variable {}, names another folder",
                sluice_model::error_chain(&unusable),
                environment::CACHE_DIR
            );
            Ok(Engine::new(None)?)
        }
        engine => Ok(engine?),
    }
}

/// How a run's files are written.
pub(super) fn parquet_settings(
    spec: &Spec,
    plan: &Plan,
    plugins: &LoadedTransforms,
    run: &RunId,
    begun: &Begun,
) -> ParquetSettings {
    let sink = spec.pipeline.sink.get_ref();
    let level = sink.compression_level.map_or(ParquetSettings::DEFAULT_ZSTD_LEVEL, |level| level.0);
    let mut metadata = vec![
        ("sluice.run".to_owned(), run.to_string()),
        ("sluice.pipeline".to_owned(), plan.pipeline.clone()),
        ("sluice.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ];
    metadata.extend(plugins.iter().map(|it| (format!("sluice.plugin.{}", it.name), it.plugin.digest().to_string())));
    ParquetSettings {
        zstd_level: (sink.compression == Compression::Zstd).then_some(level),
        row_group_rows: sink.row_group_rows.map_or(ParquetSettings::DEFAULT_ROW_GROUP_ROWS, |rows| rows.get() as usize),
        file_bytes: sink.file_size.as_ref().map_or(ParquetSettings::DEFAULT_FILE_BYTES, |size| size.get_ref().0),
        metadata,
        begun: begun.clone(),
    }
}

fn secret(spec: &Spec, key: &str, reference: &SecretRef) -> Result<Secret, Error> {
    environment::credential(reference, &spec.folder)
        .map_err(|missing| refused(spec, Problem::new(format!("`{key}`: {missing}")).hint(missing.hint())))
}

fn refused(spec: &Spec, problem: Problem) -> Error {
    super::planning::refused(spec, vec![problem])
}
