//! `sluice simulate`: a HubSpot, an S3 and an STS on this machine, for pipelines to be tried on.
//!
//! A pipeline needs no code path of its own to use them: addresses and keys are settings like any other.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use clap::{Args, ValueEnum};
use sluice_simulator::{aws, data, hubspot, truth};

use super::{Usage, output::Output, page::Page, run::span};

/// Where HubSpot is simulated, unless told otherwise: what `pipelines/demo.toml` says.
pub(super) const HUBSPOT_PORT: u16 = 8701;

/// Where S3 and STS are simulated, unless told otherwise: what `pipelines/demo.toml` says.
pub(super) const AWS_PORT: u16 = 8702;

/// What can be typed behind `sluice simulate`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The port of HubSpot; 0 for a free one.
    #[arg(long, value_name = "P", default_value_t = HUBSPOT_PORT)]
    hubspot_port: u16,
    /// The port of S3 and STS; 0 for a free one.
    #[arg(long, value_name = "P", default_value_t = AWS_PORT)]
    aws_port: u16,
    /// How many live contacts there are; everything else scales with them.
    #[arg(long, value_name = "N", default_value_t = 2000)]
    contacts: u64,
    /// How many contacts are linked to one company; at most nine of ten are.
    #[arg(long, value_name = "N", default_value_t = 1200)]
    crowd: u64,
    /// Chooses all values.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Time that every request to HubSpot takes on top of the work, such as `300ms`.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    latency: Option<Duration>,
    /// How many requests HubSpot allows in ten seconds.
    #[arg(long, value_name = "N", default_value_t = 190)]
    requests_per_10s: u32,
    /// The form of the cursors of HubSpot's lists of records: numbers, as it answers, or opaque, as its documentation says.
    #[arg(long, value_name = "FORM", value_enum, default_value_t = CursorForm::Numeric)]
    cursors: CursorForm,
    /// The folder that holds the bucket, as a folder named `bucket`.
    #[arg(long, value_name = "DIR", default_value = "sluice-simulator")]
    bucket_dir: PathBuf,
    /// Write the data set as NDJSON into this folder, so that any program can compare.
    #[arg(long, value_name = "DIR")]
    truth: Option<PathBuf>,
    /// Write the history of a property too, such as `contacts.phone`, or `contacts.*` for all of a type; may be repeated.
    #[arg(long, value_name = "TYPE.PROPERTY", value_parser = type_and_property, requires = "truth")]
    truth_history: Vec<(String, String)>,
}

fn type_and_property(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('.').ok_or_else(|| format!("`{text}` is not a type and a property, joined by `.`"))?;
    Ok((parts.0.to_owned(), parts.1.to_owned()))
}

/// The form of the cursors of records, as it is typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum CursorForm {
    Numeric,
    Opaque,
}

impl From<CursorForm> for hubspot::Cursors {
    fn from(form: CursorForm) -> Self {
        match form {
            CursorForm::Numeric => Self::Numeric,
            CursorForm::Opaque => Self::Opaque,
        }
    }
}

pub(super) async fn simulate(arguments: &Arguments, output: &mut Output) -> anyhow::Result<()> {
    super::output::start_log(super::output::LogForm::Text);
    let data = data::Options {
        seed: arguments.seed,
        contacts: arguments.contacts,
        crowd: arguments.crowd,
        ..data::Options::default()
    };
    if let Some(folder) = &arguments.truth {
        truth::write(folder, &data)
            .and_then(|()| match arguments.truth_history.as_slice() {
                [] => Ok(()),
                chosen => truth::write_history(folder, &data, chosen),
            })
            .with_context(|| format!("the data set cannot be written to `{}`", folder.display()))?;
    }
    let hubspot = hubspot::start(
        hubspot::Options {
            data,
            requests_per_10s: arguments.requests_per_10s,
            latency: arguments.latency.unwrap_or_default(),
            cursors: arguments.cursors.into(),
            ..hubspot::Options::default()
        },
        port(arguments.hubspot_port),
    )
    .await
    .map_err(|error| taken("HubSpot", arguments.hubspot_port, "--hubspot-port", &error))?;
    let account = aws::Options { root: arguments.bucket_dir.clone(), ..aws::Options::default() };
    let aws = aws::start(account.clone(), port(arguments.aws_port))
        .await
        .map_err(|error| taken("AWS", arguments.aws_port, "--aws-port", &error))?;
    let mut page = Page::of("READY");
    page.line(format!(
        "# HubSpot at {}, S3 and STS at {}, until interrupted. Nothing here is a secret.",
        hubspot.base_url(),
        aws.endpoint()
    ));
    page.line(format!("export HUBSPOT_TOKEN={}", hubspot::TOKEN));
    page.line(format!("export AWS_ACCESS_KEY_ID={}", account.access_key_id));
    page.line(format!("export AWS_SECRET_ACCESS_KEY={}", account.secret_access_key));
    page.line(format!(
        "# The role: {} with external id {}; the bucket: s3://{}, as a folder in {}",
        account.role_arn,
        account.external_id,
        account.bucket,
        arguments.bucket_dir.display()
    ));
    page.line(format!("# A token that may read sensitive properties too: {}", hubspot::SENSITIVE_TOKEN));
    output.data(&page)?;
    interrupted().await?;
    hubspot.shutdown().await;
    aws.shutdown().await;
    Ok(())
}

fn port(port: u16) -> Option<u16> {
    (port != 0).then_some(port)
}

fn taken(what: &str, port: u16, option: &str, error: &std::io::Error) -> Usage {
    Usage(format!(
        "{what} cannot be simulated on port {port}: {error}; choose another with `{option}`, or 0 for a free one"
    ))
}

async fn interrupted() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be listened for")?;
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be listened for")?;
    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    Ok(())
}
