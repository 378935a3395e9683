//! `sluice demo`: a whole pipeline against simulated ends, on this machine only.
//!
//! It starts a HubSpot, an S3 and an STS on free ports, writes the pipeline file with their addresses into its folder, and
//! from there does what anybody would: `sluice plan` on a careless version of it, which the guard refuses, and `sluice run`
//! on the real one. Nothing on the way knows that it is a demo.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;
use sluice_simulator::{aws, data, hubspot};

use super::{
    output::{self, LogForm, Output},
    page::Page,
    progress::Tell,
    report, run,
    simulate::{AWS_PORT, HUBSPOT_PORT},
};
use crate::pipeline::{self, Patience, Pipeline, Shutdown};

/// The pipeline, as people copy it.
const PIPELINE: &str = include_str!("../../../pipelines/demo.toml");

/// The line without which the guard refuses.
const CLEARS: &str = "clears = { phi = [\"contacts.property_intake_notes\"] }\n";

/// The limit of the simulated account: what HubSpot grants with its raised limit. The plan that is refused and the run ask
/// together about as often as the usual limit of 190 allows, and would stand still for ten seconds before the last of them.
const REQUESTS_PER_10S: u32 = 250;

/// What can be typed behind `sluice demo`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder to work in; tables appear under `DIR/bucket/`.
    #[arg(long, default_value = "sluice-demo")]
    dir: PathBuf,
    /// How many live contacts there are; everything else scales with them.
    #[arg(long, value_name = "N", default_value_t = 2000)]
    contacts: u64,
}

pub(super) async fn demo(arguments: &Arguments, output: &mut Output) -> anyhow::Result<()> {
    let watched = output.is_watched();
    output::start_log(if watched { LogForm::Watched } else { LogForm::Text });
    let shutdown = Shutdown::new();
    run::listen_for_signals(shutdown.clone(), output.clone())?;
    fs::create_dir_all(&arguments.dir)
        .with_context(|| format!("the folder `{}` cannot be made", arguments.dir.display()))?;
    let folder = arguments.dir.canonicalize()?;

    let data = data::Options { contacts: arguments.contacts, ..data::Options::default() };
    let account = hubspot::Options { data, requests_per_10s: REQUESTS_PER_10S, ..hubspot::Options::default() };
    let hubspot = hubspot::start(account, None).await?;
    let account = aws::Options { root: folder.clone(), ..aws::Options::default() };
    let aws = aws::start(account.clone(), None)
        .await
        .with_context(|| format!("`{}` cannot be served as a bucket", folder.display()))?;
    let contacts = output::thousands(arguments.contacts);
    output.say(&format!("a simulated HubSpot with {contacts} contacts at {}", hubspot.base_url()));
    output.say(&format!("a simulated S3 and STS at {}, whose role wants an external id", aws.endpoint()));
    output.say("");

    let file = prepare(&folder, &hubspot.base_url(), &aws.endpoint(), &account)?;
    output.say("First, what happens without the line that lets scrubbed notes pass:");
    output.say("");
    for line in refusal(&file).await?.lines() {
        output.say(&format!("    {line}"));
    }
    for line in ["", "Now the pipeline as it is:", ""] {
        output.say(line);
    }
    let tell = if watched { Tell::Moving } else { Tell::Lines(run::PROGRESS_EVERY, output.clone()) };
    let wanted = run::Wanted { file: &file, only: &[], wait: std::time::Duration::ZERO };
    let report = run::run_once(wanted, Some(tell), &shutdown, output).await?;
    for page in [report::text(&report), how_to_look(&folder, &file)] {
        output.say_page(&page);
    }
    hubspot.shutdown().await;
    aws.shutdown().await;
    Ok(())
}

/// Writes the pipeline file, with the addresses of the simulators, and the files with its secrets.
fn prepare(folder: &Path, hubspot: &str, aws: &str, account: &aws::Options) -> anyhow::Result<PathBuf> {
    let secrets = [
        ("HUBSPOT_TOKEN", "hubspot-token", hubspot::TOKEN),
        ("AWS_ACCESS_KEY_ID", "access-key-id", &account.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", "secret-access-key", &account.secret_access_key),
    ];
    let mut text = PIPELINE
        .replace(&format!("http://127.0.0.1:{HUBSPOT_PORT}"), hubspot)
        .replace(&format!("http://127.0.0.1:{AWS_PORT}"), aws)
        .replace("#:schema ./schema.json\n", "");
    fs::create_dir_all(folder.join("secrets"))?;
    for (variable, name, value) in secrets {
        fs::write(folder.join("secrets").join(name), value)?;
        text = text.replace(&format!("{{ env = \"{variable}\" }}"), &format!("{{ file = \"secrets/{name}\" }}"));
    }
    let file = folder.join("pipeline.toml");
    fs::write(&file, text).with_context(|| format!("`{}` cannot be written", file.display()))?;
    Ok(file)
}

/// What the guard says of the pipeline without the line that clears the notes.
async fn refusal(file: &Path) -> anyhow::Result<String> {
    let careless = file.with_file_name("careless.toml");
    fs::write(&careless, fs::read_to_string(file)?.replace(CLEARS, ""))?;
    let pipeline = Pipeline::read(&careless)?;
    let source = pipeline.source(Patience::OfALook)?;
    match pipeline::plan(&pipeline, &*source, &pipeline.plugins()?, None).await {
        Ok(_) => anyhow::bail!("the guard let a marked column pass"),
        Err(pipeline::Error::Refused(problems)) => Ok(problems.to_string()),
        Err(error) => Err(error.into()),
    }
}

fn how_to_look(folder: &Path, file: &Path) -> Page {
    let folder = folder.join("bucket").display().to_string();
    let bucket = format!("file://{folder}");
    let mut page = Page::of("");
    page.line(format!("The tables are Parquet files under {folder}; the newest commit says which files count:"));
    page.line("");
    page.line(format!("    sluice tables {bucket}"));
    page.line(format!("    sluice tables {bucket} --format duckdb > tables.sql && duckdb -init tables.sql"));
    page.line("");
    page.line(format!("The pipeline that ran is {}.", file.display()));
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pipeline_file_holds_everything_that_the_demo_replaces() {
        for text in [
            format!("http://127.0.0.1:{HUBSPOT_PORT}"),
            format!("http://127.0.0.1:{AWS_PORT}"),
            CLEARS.to_owned(),
            "{ env = \"HUBSPOT_TOKEN\" }".to_owned(),
            "{ env = \"AWS_ACCESS_KEY_ID\" }".to_owned(),
            "{ env = \"AWS_SECRET_ACCESS_KEY\" }".to_owned(),
        ] {
            assert_eq!(PIPELINE.matches(&text).count(), 1, "{text}");
        }
    }
}
