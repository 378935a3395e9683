//! What a plugin says: shown fit for a screen, or not at all.

use std::sync::{Arc, Mutex};

use sluice_sandbox::{
    Attachment, FailureCode, Instance, LogCounts, LogLevel, LogSink, PluginError, PluginErrorKind, Words,
};

use super::{ROWS, columns, schema, settings, setup, told};

type Lines = Arc<Mutex<Vec<(LogLevel, String)>>>;

fn sink(withhold: bool) -> (LogSink, Lines) {
    let lines = Lines::default();
    let written = Arc::clone(&lines);
    (LogSink::new(move |level, line| written.lock().unwrap().push((level, line.to_owned())), withhold), lines)
}

fn open(behave: &str, call: &str, withhold: bool) -> (Result<Instance, PluginError>, Lines) {
    let (sink, lines) = sink(withhold);
    (setup().with_settings(&settings(behave, Some(call), 1)).with_log(sink).instance(false), lines)
}

/// What became of the lines of a plugin that says two when it is opened, and the lines.
fn said(withhold: bool) -> (LogCounts, Vec<(LogLevel, String)>) {
    let (sink, lines) = sink(withhold);
    let setup = setup().with_settings(&settings("say", Some("open"), 1)).with_log(sink);
    setup.instance(false).unwrap();
    let lines = lines.lock().unwrap().clone();
    (setup.log_counts(), lines)
}

#[test]
fn log_lines_are_passed_on_printable_and_with_a_known_level() {
    let expected = vec![(LogLevel::Warn, "one\\ntwo".to_owned()), (LogLevel::Info, "three".to_owned())];
    assert_eq!(said(false), (LogCounts { passed: 2, dropped: 0, withheld: 0 }, expected));
}

#[test]
fn log_lines_of_a_plugin_that_reads_marked_data_are_counted_and_nothing_more() {
    assert_eq!(said(true), (LogCounts { passed: 0, dropped: 0, withheld: 2 }, Vec::new()));
}

#[test]
fn settings_that_a_plugin_refuses_are_told_in_its_own_words() {
    let error = open("refuse", "open", false).0.unwrap_err();
    assert_eq!(told(&error), "`open`: it refuses its settings: there is no column `colour`\\n\\u{1b}[31m");
    assert!(error.hint().unwrap().contains("plugin inspect"));
    let error = open("refuse", "open", true).0.unwrap_err();
    assert_eq!(told(&error), "`open`: it refuses its settings: (withheld: the plugin reads marked data)");
}

#[test]
fn a_failure_code_is_one_of_three_whatever_the_plugin_says() {
    let secret = Attachment { name: "key".to_owned(), bytes: b"hunter2".to_vec() };
    assert!(!format!("{secret:?}").contains("hunter2") && !format!("{secret:?}").contains("104"));
    let error = setup().with_attachments(vec![secret]).instance(true).unwrap_err();
    let expected = PluginErrorKind::Failed { code: FailureCode::Internal, message: Words::Withheld };
    assert_eq!(error.kind, expected);
    assert!(!format!("{error:?} {error}").contains("hunter2"));
}

#[test]
fn a_panic_tells_nothing_of_what_it_panicked_about() {
    for withhold in [false, true] {
        let (instance, lines) = open("trap", "apply", withhold);
        let mut instance = instance.unwrap();
        instance.outline_of(&schema()).unwrap();
        let error = instance.apply(0, ROWS, &columns()[1..=1]).unwrap_err();
        assert_eq!(told(&error), "`apply`: it trapped: wasm `unreachable` instruction executed");
        assert!(!format!("{error:?} {:?}", error.hint()).contains("4111"));
        assert!(lines.lock().unwrap().is_empty());
    }
}

#[test]
fn rejection_messages_are_printable_or_withheld() {
    for (withhold, expected) in [(false, Words::Said("row \\u{1b}[0m 4111".to_owned())), (true, Words::Withheld)] {
        let mut instance = open("select", "apply", withhold).0.unwrap();
        instance.outline_of(&schema()).unwrap();
        let outcome = instance.apply(0, ROWS, &columns()[1..=1]).unwrap();
        assert!(outcome.rejections.iter().all(|rejection| rejection.message == expected));
    }
}

#[test]
fn an_outline_that_breaks_a_rule_is_not_quoted_where_words_are_withheld() {
    let error = open("table-name", "outline", true).0.unwrap().outline_of(&schema()).unwrap_err();
    assert_eq!(error.kind, PluginErrorKind::Outline(Words::Withheld));
}
