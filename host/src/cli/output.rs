//! The only printer: what sluice says, and where.
//!
//! Data (a plan, a list of tables, SQL) goes to the standard output, so that it can be piped; everything else goes to the
//! standard error output. A reader that closes the pipe early is no error.
//!
//! Nothing gets to either but as a [`Page`], as JSON or as a line of the log, and each of the three is made printable on its
//! way: so no error, table or log line can steer a terminal or a CI, whoever chose its words.

use std::io::{self, IsTerminal, Write};

use anyhow::Context;
use serde_json::{Map, Value, json};
use sluice_model::{
    printable::{printable, printable_json},
    problem::{Problem, Problems},
};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::filter_fn,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
};

use super::page::Page;
use crate::pipeline;

/// Where sluice prints.
#[derive(Debug, Clone)]
pub struct Output {
    colour: bool,
    /// Whether everything that is said is a line of JSON.
    json: bool,
    /// Whether nothing is said but errors.
    quiet: bool,
}

impl Default for Output {
    fn default() -> Self {
        Self::new()
    }
}

impl Output {
    /// Prints to the process's own outputs. Colour is for terminals, and not where `NO_COLOR` is set.
    pub fn new() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { colour: wanted && io::stderr().is_terminal(), json: false, quiet: false }
    }

    /// From now on, says everything as lines of JSON, in the form of the log's: for programs that gather logs.
    pub fn say_as_json(&mut self) {
        self.json = true;
    }

    /// From now on, says nothing but errors.
    pub fn say_errors_only(&mut self) {
        self.quiet = true;
    }

    /// Prints data for people.
    pub fn data(&mut self, page: &Page) -> anyhow::Result<()> {
        Self::print(page.as_str())
    }

    /// Prints data as a JSON document.
    pub fn json(&mut self, value: &Value) -> anyhow::Result<()> {
        Self::print(&document(value)?)
    }

    /// Prints data that has been written as JSON: lines of a document, or a document a line.
    pub fn written_json(&mut self, text: &str) -> anyhow::Result<()> {
        Self::print(&printable_json(text))
    }

    fn print(text: &str) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("the standard output cannot be written")
    }

    /// Says a line to the person at the terminal. What cannot be said is no reason to fail.
    pub fn say(&mut self, line: &str) {
        self.say_event(&Page::of(line), line, Map::new());
    }

    /// Says several lines.
    pub fn say_page(&mut self, page: &Page) {
        self.say_event(page, page.as_str(), Map::new());
    }

    /// Says something that has another form for programs: a message of few words, and fields.
    pub fn say_event(&mut self, page: &Page, message: &str, fields: Map<String, Value>) {
        if !self.quiet {
            self.write("INFO", page.as_str(), message, fields);
        }
    }

    /// Says that something is not as it should be, though nothing fails.
    pub fn warn(&mut self, warning: &str) {
        if !self.quiet {
            self.write("WARN", Page::of(format!("warning: {warning}")).as_str(), warning, Map::new());
        }
    }

    /// Whether a person sees what is said as it is said.
    pub fn is_watched(&self) -> bool {
        io::stderr().is_terminal()
    }

    /// Prints an error, its causes and advice; the problems of a pipeline file one by one.
    pub fn error(&mut self, error: &anyhow::Error, hint: Option<&str>) {
        if self.json {
            let fields = error_fields(error, hint);
            return self.write("ERROR", "", &error.to_string(), fields);
        }
        let mut page = Page::new();
        let message = error.to_string();
        match problems_of(error) {
            // They name their places themselves, a line each.
            Some(_) if message.lines().count() > 1 => {
                page.line(ERROR);
                page.lines(message.lines());
            }
            _ => page.line(format!("{ERROR} {message}")),
        }
        let mut last = message;
        for cause in error.chain().skip(1) {
            let cause = cause.to_string();
            if cause != last {
                page.line(format!("  caused by: {cause}"));
            }
            last = cause;
        }
        if let Some(hint) = hint {
            page.line(format!("hint: {hint}"));
        }
        match page.as_str().strip_prefix(ERROR) {
            Some(rest) if self.colour => {
                self.write("ERROR", &format!("\u{1b}[1;31m{ERROR}\u{1b}[0m{rest}"), "", Map::new());
            }
            _ => self.write("ERROR", page.as_str(), "", Map::new()),
        }
    }

    /// Prints what is wrong with what was typed, as the parser of the command line lays it out.
    pub fn usage(&mut self, text: &str) {
        let mut page = Page::new();
        page.lines(text.lines());
        self.write("ERROR", page.as_str(), text, Map::new());
    }

    /// Writes one of the two forms, whatever is logged.
    fn write(&self, level: &str, text: &str, message: &str, fields: Map<String, Value>) {
        let lines = if self.json { json_line(level, message, fields) } else { text.to_owned() };
        drop(io::stderr().lock().write_all(lines.as_bytes()));
    }
}

/// How an error begins.
const ERROR: &str = "error:";

/// The standard output as it is: of a process that speaks to another of this program, and to nobody else.
pub fn pipe() -> impl Write {
    io::stdout().lock()
}

/// A line in the form of the log's.
fn json_line(level: &str, message: &str, fields: Map<String, Value>) -> String {
    let now = jiff::Timestamp::now();
    let mut line = Map::from_iter([
        ("timestamp".to_owned(), format!("{now:.6}").into()),
        ("level".to_owned(), level.into()),
        ("message".to_owned(), message.into()),
    ]);
    line.extend(fields);
    printable_json(&Value::Object(line).to_string()) + "\n"
}

/// What programs are told of an error beside its message. Nothing in it is text that was put together from others.
fn error_fields(error: &anyhow::Error, hint: Option<&str>) -> Map<String, Value> {
    let mut fields = Map::new();
    if let Some(problems) = problems_of(error) {
        fields.insert(
            "problems".to_owned(),
            problems.list.iter().map(|problem| problem_json(problems, problem)).collect(),
        );
    }
    let causes: Vec<Value> = error.chain().skip(1).map(|cause| cause.to_string().into()).collect();
    fields.insert("causes".to_owned(), causes.into());
    fields.insert("hint".to_owned(), hint.into());
    fields
}

/// The problems of a pipeline file, if that is what an error is.
fn problems_of(error: &anyhow::Error) -> Option<&Problems> {
    match error.downcast_ref::<pipeline::Error>() {
        Some(pipeline::Error::Refused(problems)) => Some(problems),
        _ => error.downcast_ref::<Problems>(),
    }
}

/// A JSON document for people and programs, with an end of line.
pub fn document(value: &Value) -> serde_json::Result<String> {
    Ok(printable_json(&serde_json::to_string_pretty(value)?) + "\n")
}

fn problem_json(problems: &Problems, problem: &Problem) -> Value {
    json!({
        "file": problems.file,
        "line": problem.place.map(|place| place.line),
        "column": problem.place.map(|place| place.column),
        "message": problem.message,
        "details": problem.details,
        "hint": problem.hint,
    })
}

/// Whether an error only says that nobody reads the output any more.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The variable that says what is logged, in the usual form (`debug`, `sluice=debug,info`).
pub const LOG_FILTER: &str = "SLUICE_LOG";

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogForm {
    /// For people: warnings and errors, and what they wait for.
    Text,
    /// For people who watch a progress display: errors, and what they wait for before it begins.
    Watched,
    /// For people who want to hear of errors only.
    Errors,
    /// For authors of plugins: what a plugin says, too.
    Verbose,
    /// For programs: a JSON object a line, with what a run does as it does it.
    Json,
    /// For programs, errors alone.
    JsonErrors,
}

/// Starts the log, on the standard error output. What is logged: what [`LOG_FILTER`] says; what the form is for, if it is
/// not set. The simulated S3 is silent unless asked: it calls every refusal an error.
///
/// Of libraries, no filter lets anything pass but that they report an error: their own words quote requests and answers, and
/// those hold credentials and records.
pub fn start_log(form: LogForm) {
    let default = match form {
        LogForm::Text => "warn,sluice_sandbox::compiler=info,s3s=off",
        LogForm::Watched => "error,sluice_sandbox::compiler=info,s3s=off",
        LogForm::Errors | LogForm::JsonErrors => "error,s3s=off",
        LogForm::Verbose | LogForm::Json => "info,s3s=off",
    };
    let filter = EnvFilter::try_from_env(LOG_FILTER).unwrap_or_else(|_| EnvFilter::new(default));
    let may_pass = filter_fn(|event| is_ours(event) || (event.is_event() && *event.level() == Level::ERROR));
    let json = matches!(form, LogForm::Json | LogForm::JsonErrors);
    let log = tracing_subscriber::fmt::layer().with_writer(move || LogLine { json });
    let all = tracing_subscriber::registry().with(filter);
    // A second start (the demo runs a pipeline twice) keeps the first log.
    drop(match form {
        LogForm::Json | LogForm::JsonErrors => {
            let lines = tracing_subscriber::fmt::format().json().flatten_event(true).with_target(false);
            let log = log.json().event_format(OwnWords { ours: lines, json: true });
            tracing::subscriber::set_global_default(all.with(log.with_filter(may_pass)))
        }
        LogForm::Text | LogForm::Watched | LogForm::Errors | LogForm::Verbose => {
            let lines = tracing_subscriber::fmt::format().with_target(false).with_ansi(false);
            let log = log.with_ansi(false).event_format(OwnWords { ours: lines, json: false });
            tracing::subscriber::set_global_default(all.with(log.with_filter(may_pass)))
        }
    });
}

/// Writes what is logged of one event as one line, whatever it is made of.
struct LogLine {
    json: bool,
}

impl Write for LogLine {
    /// The log hands over an event at a time, whole.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = if self.json { printable_json(line) } else { printable(line, usize::MAX) };
        io::stderr().lock().write_all((line + "\n").as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether an event or span is of this project's own code.
fn is_ours(event: &Metadata<'_>) -> bool {
    let library = library(event);
    library == "sluice" || library.starts_with("sluice_")
}

/// The crate that an event comes from.
fn library<'m>(event: &Metadata<'m>) -> &'m str {
    event.target().split("::").next().unwrap_or_default()
}

/// Writes events of our own as they are, and of an event of a library a line in words of our own.
struct OwnWords<F> {
    ours: F,
    json: bool,
}

impl<S, N, F> FormatEvent<S, N> for OwnWords<F>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        if is_ours(event.metadata()) {
            return self.ours.format_event(context, writer, event);
        }
        let library = library(event.metadata());
        let message =
            format!("the library `{library}` reports an error; what it says is not shown, since it may hold secrets");
        if self.json {
            let now = jiff::Timestamp::now();
            let line = serde_json::json!({ "timestamp": format!("{now:.6}"), "level": "ERROR", "message": message });
            return writeln!(writer, "{line}");
        }
        SystemTime.format_time(&mut writer)?;
        writeln!(writer, " ERROR {message}")
    }
}

/// A number with its thousands apart: `1 234 567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes, for people.
pub fn bytes(number: u64) -> String {
    bytesize::ByteSize(number).display().iec().to_string()
}
