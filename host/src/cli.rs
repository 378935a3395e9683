//! The command line.
//!
//! Each command is a file; this one says what can be typed and what the exit codes mean.
//! Data goes to the standard output, everything else to the standard error output, and both through [`output`]. Errors
//! arrive here as `anyhow` errors, are printed with their causes and their advice, and become exit codes.

mod check;
mod crash;
#[cfg(feature = "simulator")]
mod demo;
mod discover;
mod expire;
mod iam;
mod init;
mod inspect;
mod new;
pub mod output;
pub mod page;
mod plan;
mod progress;
mod rehearse;
mod report;
mod rows;
mod run;
#[cfg(feature = "simulator")]
mod simulate;
mod tables;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};
use sluice_model::{printable::printable, problem::Problems};
use sluice_sandbox::TransformError;

use self::output::Output;
use crate::pipeline;

/// The exit code of a command that was typed wrong, or whose pipeline file is.
const USAGE: u8 = 2;

const AFTER_HELP: &str = "\
Exit codes:
  0    complete
  1    the world failed (HubSpot or the bucket cannot be reached, a plugin trapped); the tables are what they were
  2    the command line, the pipeline file, the guard, the token or the role: their owner must act; the tables are what
       they were
  3    committed, but a table grows old: its stream cannot be read any more; or, with `ledger = \"strict\"`, not as many
       records were read as HubSpot counts
  130  interrupted; the tables are what they were
Where the error says that the commit was made, or may have been, the tables may be the new ones all the same.
`sluice check` ends with the code of a run that would fail in the same way; of several, 2 comes before 1.";

/// Moves HubSpot data to S3 and lets its owner decide, in code, what may pass.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, after_help = AFTER_HELP, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try all that a run needs: plugins, token, streams, plan and guard, role, bucket. Reads no record.
    Check {
        /// The pipeline file.
        file: PathBuf,
        /// How to print what was found.
        #[arg(long, value_enum, default_value_t = PlanFormat::Table)]
        format: PlanFormat,
        /// Ask nobody: check plugins, plan and guard with what `sluice discover --format json` wrote.
        #[arg(long, requires = "schema")]
        offline: bool,
        /// The file with the streams and their columns.
        #[arg(long, value_name = "FILE.json", requires = "offline")]
        schema: Option<PathBuf>,
    },
    /// Run a whole pipeline against a simulated HubSpot and a simulated AWS, on this machine only.
    #[cfg(feature = "simulator")]
    Demo(demo::Arguments),
    /// Print what the account holds and the token may read: streams, columns, types, marks, numbers of records.
    Discover {
        /// The pipeline file, for its source. What it takes in does not matter.
        file: PathBuf,
        /// How to print it. The JSON is what `plan --offline --schema` reads.
        #[arg(long, value_enum, default_value_t = PlanFormat::Table)]
        format: PlanFormat,
    },
    /// Remove commits that are older than `keep` says, and the files that only they list.
    Expire(expire::Arguments),
    /// Print what AWS must be told so that a pipeline may use its bucket, and do nothing else. Asks nobody, needs no secret.
    #[command(subcommand)]
    Iam(iam::Command),
    /// Write a starter pipeline file, with comments.
    Init {
        /// The file to write.
        #[arg(default_value = "pipeline.toml")]
        file: PathBuf,
    },
    /// Print what a run would do, column by column, and what the guard says. Reads no record.
    Plan {
        /// The pipeline file.
        file: PathBuf,
        /// How to print it.
        #[arg(long, value_enum, default_value_t = PlanFormat::Table)]
        format: PlanFormat,
        /// Ask nobody: take what `sluice discover --format json` wrote, from `--schema`. Needs no token.
        #[arg(long, requires = "schema")]
        offline: bool,
        /// The file with the streams and their columns.
        #[arg(long, value_name = "FILE.json", requires = "offline")]
        schema: Option<PathBuf>,
    },
    /// Run a pipeline.
    Run(run::Arguments),
    /// List the tables of the newest commit, with their files.
    Tables {
        /// A pipeline file, or the URL of a sink (`s3://…`, `file:///…`).
        place: String,
        /// How to print them.
        #[arg(long, value_enum, default_value_t = TablesFormat::Table)]
        format: TablesFormat,
    },
    /// Serve a simulated HubSpot, S3 and STS on this machine until interrupted.
    #[cfg(feature = "simulator")]
    Simulate(simulate::Arguments),
    /// Look at plugins.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Compile a plugin for another process of this program, which speaks to this one alone.
    #[command(name = pipeline::COMPILE, hide = true)]
    Compile,
}

#[derive(Debug, Subcommand)]
enum PluginCommand {
    /// Begin a plugin of your own: a crate that builds and tests at once.
    New {
        /// Its name, and that of the folder that is made.
        name: String,
    },
    /// Run a plugin on rows of your own, in the sandbox, twice; print what passes.
    Run(rehearse::Arguments),
    /// Print what a plugin is: digest, contract version, imports, settings.
    Inspect {
        /// A WebAssembly file, or the name of a standard plugin.
        file: String,
    },
}

/// How a plan is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// How tables are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TablesFormat {
    /// For people.
    Table,
    /// For programs: every file with its rows and bytes.
    Json,
    /// For DuckDB: a view for each table.
    Duckdb,
}

/// Runs the command that was typed, prints what it has to say, and gives the exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut output = Output::new();
    let typed: Vec<OsString> = arguments.into_iter().collect();
    let arguments = match Arguments::try_parse_from(&typed) {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => {
            // The parser repeats what was typed, which a script may have put together of others' words.
            let shown = typed.iter().map(|argument| printable(&argument.to_string_lossy(), usize::MAX));
            let error = Arguments::try_parse_from(shown).err().unwrap_or(error);
            output.usage(&error.render().to_string());
            return ExitCode::from(USAGE);
        }
        // Help and version are no errors, and words of our own.
        Err(help) => {
            drop(help.print());
            return ExitCode::SUCCESS;
        }
    };
    crash::tells_nothing();
    match dispatch(arguments.command, &mut output) {
        Ok(code) => code,
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let (hint, code) = judge(&error);
            output.error(&error, hint.as_deref());
            ExitCode::from(code)
        }
    }
}

fn dispatch(command: Command, output: &mut Output) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check { file, format, offline, schema } => {
            output::start_log(output::LogForm::Text);
            let schema = schema.filter(|_| offline);
            return on_runtime(check::check(&file, format, schema.as_deref(), output));
        }
        Command::Run(arguments) => return on_runtime(run::run(&arguments, output)),
        #[cfg(feature = "simulator")]
        Command::Demo(arguments) => on_runtime(demo::demo(&arguments, output)),
        Command::Iam(command) => iam::iam(&command, output),
        Command::Init { file } => init::init(&file, output),
        Command::Expire(arguments) => {
            output::start_log(output::LogForm::Text);
            on_runtime(expire::expire(&arguments, output))
        }
        Command::Discover { file, format } => {
            output::start_log(output::LogForm::Text);
            on_runtime(discover::discover(&file, format, output))
        }
        Command::Plan { file, format, offline, schema } => {
            output::start_log(output::LogForm::Text);
            let schema = schema.filter(|_| offline);
            on_runtime(plan::plan(&file, format, schema.as_deref(), output))
        }
        Command::Tables { place, format } => on_runtime(tables::tables(&place, format, output)),
        #[cfg(feature = "simulator")]
        Command::Simulate(arguments) => on_runtime(simulate::simulate(&arguments, output)),
        Command::Compile => return Ok(sluice_sandbox::serve(std::io::stdin().lock(), output::pipe())),
        Command::Plugin(PluginCommand::New { name }) => new::new(&name, output),
        Command::Plugin(PluginCommand::Run(arguments)) => rehearse::run(&arguments, output),
        Command::Plugin(PluginCommand::Inspect { file }) => inspect::inspect(&file, output),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Does a command's work, on a runtime of its own. A thread that is still busy then is not waited for: whoever needed it has
/// given it up.
fn on_runtime<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
}

/// What would mend an error, and its exit code.
fn judge(error: &anyhow::Error) -> (Option<String>, u8) {
    if let Some(error) = error.downcast_ref::<pipeline::Error>() {
        return (error.hint(), error.exit_code());
    }
    if let Some(error) = error.downcast_ref::<TransformError>() {
        return (error.hint().map(str::to_owned), 1);
    }
    if error.is::<Problems>() || error.is::<Usage>() {
        return (None, USAGE);
    }
    (None, 1)
}

/// A mistake in what was typed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);
