//! `sluice expire`: old commits go, with the files that only they list, without a run; and what a bucket that keeps versions
//! still has of all that is gone.

use std::{error::Error, path::PathBuf, time::Duration};

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_lake::{
    bucket::{Bucket, BucketError, Left, LeftOfAKind, OldVersions, StillThere},
    state::lease,
    table::{
        expire::{self, Expired},
        key,
    },
};
use sluice_model::{error_chain, printable::printable};
use sluice_plan::spec::Retention;

use super::{
    PlanFormat, Usage,
    output::{self, Output, thousands},
    page::Page,
    report::{gone_json, told_of_gone},
};
use crate::pipeline::{self, Patience, Pipeline};

/// Characters of a version's id that are shown; S3's have 32.
const LONGEST_VERSION: usize = 64;

/// What can be typed behind `sluice expire`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The pipeline file, for its sink and what it says of `keep`.
    file: PathBuf,
    /// How long commits are kept, in place of what the file says: a day at least, such as `30d`. What readers saw at any time
    /// within the span stays; the newest commit always does.
    #[arg(long, value_name = "SPAN", value_parser = keep)]
    keep: Option<Duration>,
    /// Remove old versions, too, and marks of removals, from a bucket that keeps them: of all objects that this pipeline has
    /// replaced or removed, and of commits. Then tell what is provably gone.
    #[arg(long)]
    versions: bool,
    /// How to print what went.
    #[arg(long, value_enum, default_value_t = PlanFormat::Table)]
    format: PlanFormat,
}

/// A span for which commits can be kept, as the pipeline file writes it.
fn keep(text: &str) -> Result<Duration, String> {
    text.parse::<Retention>().map(|keep| keep.0)
}

pub(super) async fn expire(arguments: &Arguments, output: &mut Output) -> anyhow::Result<()> {
    let pipeline = Pipeline::read(&arguments.file)?;
    let Some(keep) = arguments.keep.or(pipeline.keep()) else {
        let why = "nothing says how long commits are kept: set `keep` under [sink], or give `--keep 30d`";
        return Err(Usage(why.to_owned()).into());
    };
    let bucket =
        Bucket::open_existing(&pipeline.bucket_settings(Patience::OfARun)?).await.map_err(pipeline::Error::from)?;
    let expired = expire::expire(&bucket, keep, Timestamp::now()).await;
    let (versions, unknown) = match old_versions(arguments, &pipeline, &bucket).await {
        Ok(versions) => (versions, None),
        Err(error) => (None, Some(error)),
    };
    // Of a bucket that cannot be listed there is nothing to say.
    let says_nothing = expired.oldest.is_none() && versions.is_none() && !expired.failures.is_empty();
    match arguments.format {
        PlanFormat::Table if says_nothing => {}
        PlanFormat::Table => output.data(&text(&expired, versions.as_ref(), bucket.describe()))?,
        PlanFormat::Json => {
            output.json(&json(&expired, versions.as_ref(), bucket.describe()))?;
        }
    }
    if arguments.versions && versions.is_none() && unknown.is_none() {
        output.say(&format!("{} is a folder, which keeps no versions", bucket.describe()));
    }
    // The first failure says what to do about it; the others are of its kind.
    if let Some(failure) = expired.failures.into_iter().next() {
        return Err(pipeline::Error::from(failure).into());
    }
    if let Some(error) = unknown {
        return Err(pipeline::Error::from(error).into());
    }
    // What was refused comes before what stays because of it.
    let mut left = versions.map(|versions| versions.left).unwrap_or_default();
    left.sort_by_key(|left| !matches!(left.why, StillThere::Bucket(_)));
    match left.into_iter().next() {
        Some(Left { why: StillThere::Bucket(error), .. }) => Err(pipeline::Error::from(error).into()),
        Some(Left { key, why, .. }) => {
            Err(anyhow::Error::new(why).context(format!("an old version of `{key}` is left")))
        }
        None => Ok(()),
    }
}

/// Removes old versions, where that is asked for.
async fn old_versions(
    arguments: &Arguments,
    pipeline: &Pipeline,
    bucket: &Bucket,
) -> Result<Option<OldVersions>, BucketError> {
    if !arguments.versions {
        return Ok(None);
    }
    let name = pipeline.name();
    bucket.remove_old_versions(|key| key::is_of(name, key) || lease::is_of(name, key)).await
}

fn text(expired: &Expired, versions: Option<&OldVersions>, place: &str) -> Page {
    let oldest = match expired.oldest {
        Some(number) => format!("the oldest commit is {number} now"),
        None => "it has no commits".to_owned(),
    };
    let mut page = Page::of(format!("{} went from {place}; {oldest}", told_of_gone(expired.gone)));
    if let Some(old) = versions {
        let OldVersions { versions, bytes, marks, .. } = old;
        page.line(format!(
            "provably gone: {} old versions ({}) and {} marks of removals",
            thousands(*versions),
            output::bytes(*bytes),
            thousands(*marks)
        ));
        for LeftOfAKind { number, first } in old.left_by_kind() {
            let why = match &first.why {
                // The place is told apart.
                StillThere::Bucket(error) => error.source().map_or_else(|| error.to_string(), ToString::to_string),
                why => why.to_string(),
            };
            page.line(format!(
                "NOT gone: {}, such as version {} of `{}`: {why}",
                thousands(number),
                printable(&first.version, LONGEST_VERSION),
                first.key
            ));
        }
    }
    page
}

fn json(expired: &Expired, versions: Option<&OldVersions>, place: &str) -> Value {
    let failures: Vec<String> = expired.failures.iter().map(|failure| error_chain(failure)).collect();
    let versions = versions.map(|OldVersions { versions, bytes, marks, left }| {
        let left = left.iter().map(|left| {
            json!({ "key": left.key, "version": left.version, "bytes": left.bytes, "why": error_chain(&left.why) })
        });
        json!({ "versions": versions, "bytes": bytes, "marks": marks, "left": left.collect::<Vec<_>>() })
    });
    json!({
        "bucket": place,
        "expired": gone_json(expired.gone),
        "oldest_commit": expired.oldest,
        "failures": failures,
        "old_versions": versions,
    })
}
