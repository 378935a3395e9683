//! `sluice run`: a pipeline from beginning to end.

use std::{
    io::{Seek, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use clap::{Args, ValueEnum};
use sluice_plan::spec::Span;

use super::{
    Usage, output,
    output::{LogForm, Output},
    progress::{Display, Tell},
    report,
};
use crate::pipeline::{self, LeaseError, Patience, Pipeline, Progress, Run, Shutdown, Wait};

/// What can be typed behind `sluice run`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The pipeline file.
    file: PathBuf,
    /// Read only this stream of the pipeline. May be given several times; the other tables stay as they are.
    #[arg(long = "only", value_name = "STREAM")]
    only: Vec<String>,
    /// Wait for up to this long while another run of the pipeline holds its lease, such as `5m`. Without it, a second run
    /// fails at once.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    wait: Option<Duration>,
    /// Write the report as JSON to this file, whether the run succeeds or not.
    #[arg(long, value_name = "FILE.json")]
    report: Option<PathBuf>,
    /// How to log and to report, on the standard error output.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log: LogFormat,
    /// Print nothing but errors.
    #[arg(long)]
    quiet: bool,
    /// How often to tell how far the run is, where nobody watches it: for tests, which do not wait as long as people.
    #[arg(long, value_name = "SPAN", value_parser = span, hide = true)]
    progress_every: Option<Duration>,
}

/// How often a run tells how far it is, where nobody watches it.
pub(super) const PROGRESS_EVERY: Duration = Duration::from_secs(30);

/// A span of time, as the pipeline file writes it.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    text.parse::<Span>().map(|span| span.0)
}

/// How a run logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// For programs: a JSON object a line, the report included.
    Json,
}

pub(super) async fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<ExitCode> {
    let json = arguments.log == LogFormat::Json;
    if json {
        output.say_as_json();
    }
    if arguments.quiet {
        output.say_errors_only();
    }
    let tell = match (arguments.quiet, json || !output.is_watched()) {
        (true, _) => None,
        (false, false) => Some(Tell::Moving),
        (false, true) => Some(Tell::Lines(arguments.progress_every.unwrap_or(PROGRESS_EVERY), output.clone())),
    };
    output::start_log(match arguments.log {
        LogFormat::Json if arguments.quiet => LogForm::JsonErrors,
        LogFormat::Json => LogForm::Json,
        LogFormat::Text if arguments.quiet => LogForm::Errors,
        LogFormat::Text if matches!(tell, Some(Tell::Moving)) => LogForm::Watched,
        LogFormat::Text => LogForm::Text,
    });
    let mut report_file = arguments.report.as_deref().map(ReportFile::open).transpose()?;
    if let Some(file) = &mut report_file {
        // A process that is killed leaves no outcome of an earlier run behind.
        file.write(&report::json_of_beginning())?;
    }
    let shutdown = Shutdown::new();
    listen_for_signals(shutdown.clone(), output.clone())?;
    let wanted = Wanted { file: &arguments.file, only: &arguments.only, wait: arguments.wait.unwrap_or_default() };
    let outcome = run_once(wanted, tell, &shutdown, output).await;
    if let Some(mut file) = report_file {
        let json = match &outcome {
            Ok(report) => report::json(report),
            Err(error) => report::json_of_failure(error),
        };
        // The run is over, and its outcome is what counts.
        if let Err(error) = file.write(&json) {
            output.warn(&format!("{error:#}"));
        }
    }
    let report = outcome?;
    let for_programs = serde_json::Map::from_iter([("report".to_owned(), report::json(&report))]);
    output.say_event(&report::text(&report), "complete", for_programs);
    Ok(ExitCode::from(report::exit_code(&report)))
}

/// The file of the report, opened before the run: one that cannot be written is a mistake to know of before, not after.
struct ReportFile {
    file: std::fs::File,
    path: PathBuf,
}

impl ReportFile {
    fn open(path: &Path) -> Result<Self, Usage> {
        let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(path);
        match file {
            Ok(file) => Ok(Self { file, path: path.to_owned() }),
            Err(error) => Err(Usage(format!("the report `{}` cannot be written: {error}", path.display()))),
        }
    }

    fn write(&mut self, json: &serde_json::Value) -> anyhow::Result<()> {
        let text = output::document(json)?;
        self.file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .and_then(|()| self.file.write_all(text.as_bytes()))
            .with_context(|| format!("the report `{}` could not be written", self.path.display()))
    }
}

/// What a run is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The pipeline file.
    pub(super) file: &'a Path,
    /// The streams to read; empty for all.
    pub(super) only: &'a [String],
    /// How long it may wait for the lease.
    pub(super) wait: Duration,
}

/// Runs a pipeline, and tells of it meanwhile.
pub(super) async fn run_once(
    wanted: Wanted<'_>,
    tell: Option<Tell>,
    shutdown: &Shutdown,
    output: &Output,
) -> anyhow::Result<pipeline::Report> {
    let pipeline = Pipeline::read(wanted.file)?.stopping_with(shutdown);
    let plugins = pipeline.plugins()?;
    let source = pipeline.source(Patience::OfARun)?;
    let bucket = tokio::select! {
        biased;
        () = shutdown.stopping() => return Err(pipeline::Error::Interrupted.into()),
        bucket = pipeline.bucket() => bucket?,
    };
    let progress = Arc::new(Progress::default());
    let display = tell.map(|tell| Display::start(tell, &progress, &source));
    let tell = |held: &LeaseError| {
        let say = || output.clone().say(&format!("waiting for the lease: {held}"));
        match &display {
            Some(display) => display.interrupt(say),
            None => say(),
        }
    };
    let report = pipeline::run(Run {
        pipeline: &pipeline,
        source: Arc::clone(&source),
        plugins: &plugins,
        only: wanted.only,
        bucket: &bucket,
        wait: Wait { span: wanted.wait, tell: &tell },
        progress: &progress,
        shutdown,
    })
    .await;
    if let Some(display) = display {
        display.finish().await;
    }
    Ok(report?)
}

/// The first interrupt lets the run end cleanly; the second ends the process at once.
pub(super) fn listen_for_signals(shutdown: Shutdown, mut output: Output) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be listened for")?;
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be listened for")?;
    let mut hang_up = signal(SignalKind::hangup()).context("signals cannot be listened for")?;
    tokio::spawn(async move {
        // A terminal that is closed is no reason to leave a lease behind.
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {}, _ = hang_up.recv() => {} }
        output.say("interrupted: finishing cleanly; once more to stop at once");
        shutdown.stop();
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        abort();
    });
    Ok(())
}

/// Ends the process without tidying up. What is left behind is listed nowhere, and swept by a later run.
#[expect(clippy::exit, reason = "a second interrupt must not wait for anything, least of all for a return to main")]
fn abort() -> ! {
    const INTERRUPTED: i32 = 130;
    std::process::exit(INTERRUPTED)
}
