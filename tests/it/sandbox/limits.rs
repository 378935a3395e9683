//! Plugins that would go on, grow or talk for ever.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arrow_array::RecordBatch;
use sluice_model::schema::arrow_schema;
use sluice_sandbox::{Call, Limits, LogCounts, LogSink, PluginErrorKind, TransformError};

use super::{columns, failure, open, run, schema, settings, setup, told};

const CALLS: [(&str, Call); 3] = [("open", Call::Open), ("outline", Call::OutlineOf), ("apply", Call::Apply)];

/// A budget that a well-behaved call does not come near, and an endless loop has soon used up.
fn frugal() -> Limits {
    Limits { fuel_base: 20_000_000, ..Limits::default() }
}

#[test]
fn an_endless_loop_ends_with_its_budget_in_every_call() {
    for (name, call) in CALLS {
        let error = failure(&frugal(), "loop", Some(name), 1);
        assert_eq!(error.call, call);
        assert!(matches!(error.kind, PluginErrorKind::OutOfFuel { .. }), "{error}");
    }
    let limits = Limits { fuel_per_row: 0, fuel_per_byte: 0, ..frugal() };
    assert_eq!(
        told(&failure(&limits, "loop", Some("open"), 1)),
        "`open`: it used up its budget of 20000000 instructions"
    );
    let limits = Limits { fuel_per_row: 10, ..limits };
    assert_eq!(
        told(&failure(&limits, "loop", Some("apply"), 1)),
        "`apply`: it used up its budget of 20000100 instructions for 10 rows"
    );
}

#[test]
fn the_budget_counts_instructions_and_is_the_same_each_time() {
    // The least budget that suffices is found by halving; it must suffice again, and one less must not.
    let suffices = |fuel_base| {
        let limits = Limits { fuel_base, fuel_per_row: 0, fuel_per_byte: 0, ..Limits::default() };
        run(&limits, "", None, 1).is_ok()
    };
    let (mut too_little, mut enough) = (0, 20_000_000);
    assert!(suffices(enough));
    while enough - too_little > 1 {
        let middle = too_little.midpoint(enough);
        if suffices(middle) { enough = middle } else { too_little = middle }
    }
    assert!((0..5).all(|_| suffices(enough) && !suffices(too_little)));
}

#[test]
fn a_budget_is_set_anew_for_each_call() {
    let limits = Limits { fuel_base: 200_000, fuel_per_row: 0, fuel_per_byte: 0, ..Limits::default() };
    let mut instance = open(&limits, &settings("", None, 1)).unwrap();
    instance.outline_of(&schema()).unwrap();
    for _ in 0..1_000 {
        instance.apply(0, super::ROWS, &columns()[1..=1]).unwrap();
    }
}

#[test]
fn what_the_budget_does_not_stop_the_clock_does() {
    let limits = Limits { fuel_base: u64::MAX / 2, timeout: Some(Duration::from_millis(30)), ..Limits::default() };
    for (name, call) in CALLS {
        let error = failure(&limits, "loop", Some(name), 1);
        assert_eq!((error.call, told(&error)), (call, format!("`{call}`: it was stopped after 0.03 seconds")));
    }
}

#[test]
fn growth_without_end_is_told_as_want_of_memory_and_not_as_a_trap() {
    let limits = Limits { memory: 16 << 20, ..Limits::default() };
    for (name, call) in CALLS {
        let error = failure(&limits, "grow", Some(name), 1);
        assert_eq!(error.call, call);
        assert_eq!(told(&error), format!("`{call}`: it gave up for want of memory: an instance may have 16 MiB"));
    }
}

#[test]
fn a_plugin_that_needs_more_memory_than_it_may_have_is_not_even_made() {
    let error = open(&Limits { memory: 64 << 10, ..Limits::default() }, "{}").unwrap_err();
    assert_eq!(told(&error), "`instantiate`: it gave up for want of memory: an instance may have 65536 bytes");
}

#[test]
fn a_batch_that_does_not_fit_into_its_memory_is_want_of_memory_too() {
    let limits = Limits { memory: 4 << 20, ..Limits::default() };
    let mut instance = open(&limits, &settings("", None, 1)).unwrap();
    instance.outline_of(&schema()).unwrap();
    let column = Arc::new(arrow_array::StringArray::from(vec!["x".repeat(8 << 20)]));
    let error = instance.apply(0, 1, &[column]).unwrap_err();
    assert!(matches!(error.kind, PluginErrorKind::OutOfMemory { .. }), "{error}");
}

#[test]
fn recursion_without_end_is_a_trap() {
    let error = failure(&Limits::default(), "recurse", Some("apply"), 1);
    assert_eq!(told(&error), "`apply`: it trapped: call stack exhausted");
}

#[test]
fn a_result_that_is_too_large_is_refused_before_it_is_copied() {
    let limits = Limits { result_bytes: 8 << 20, ..Limits::default() };
    for behave in ["huge", "many-lists"] {
        let error = failure(&limits, behave, Some("apply"), 1);
        assert_eq!(told(&error), "`apply`: it returned more than the 8 MiB that a call may return", "{behave}");
    }
}

/// A hundred and eighty groups, each of which may return nearly all that one call may.
#[test]
fn what_all_groups_return_for_one_batch_is_bounded_together() {
    let transform = |bytes: u32| {
        let settings = format!(r#"{{"behave": "many-groups", "bytes": "{bytes}"}}"#);
        let limits = Limits { result_bytes: 8 << 20, ..Limits::default() };
        setup().with_limits(limits).with_settings(&settings).transform(&schema()).unwrap()
    };
    let batch = RecordBatch::try_new(arrow_schema(&schema().fields), columns()).unwrap();
    let mut within = transform(40_000);
    for _ in 0..2 {
        // What one batch has taken is no loss of the next.
        assert_eq!(within.apply(&batch).unwrap().batch.num_columns(), 6 + 180);
    }
    let Err(TransformError::Plugin { cause, .. }) = transform(50_000).apply(&batch) else { panic!("it passed") };
    assert_eq!(
        told(&cause),
        "`apply`: its groups together returned more than the 8 MiB that they may return for one batch"
    );
}

#[test]
fn a_flood_of_log_lines_is_cut_and_counted_for_each_call() {
    let heard = Arc::new(AtomicU64::new(0));
    let longest = Arc::new(AtomicU64::new(0));
    let (lines, characters) = (Arc::clone(&heard), Arc::clone(&longest));
    let sink = LogSink::new(
        move |_, line| {
            lines.fetch_add(1, Ordering::Relaxed);
            characters.fetch_max(line.chars().count() as u64, Ordering::Relaxed);
        },
        false,
    );
    let limits = Limits { log_lines: 7, ..Limits::default() };
    let setup = setup().with_limits(limits).with_settings(&settings("flood", None, 1)).with_log(sink);
    setup.instance(false).unwrap().outline_of(&schema()).unwrap();
    assert_eq!(setup.log_counts(), LogCounts { passed: 14, dropped: 2 * (10_000 - 7), withheld: 0 });
    assert_eq!(heard.load(Ordering::Relaxed), 14);
    assert!(longest.load(Ordering::Relaxed) <= 1_001, "a line is cut, and the cut is marked");
}

#[test]
fn the_defaults_suffice_for_a_well_behaved_plugin() {
    run(&Limits::default(), "select", None, 1).unwrap();
}
