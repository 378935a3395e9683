//! What crosses the boundary comes back as it went in, and what is made up never gets through.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
    make_array,
};
use proptest::{collection::vec, option, prelude::*};
use sluice_model::schema::{Attributes, ColumnType, Field, Schema};

use super::*;
use crate::{
    Breach, ColumnRule, Words,
    contract::{self, ColumnResult, Outcome},
};

fn said(text: &str) -> Words {
    Words::Said(text.to_owned())
}

fn outcome_of(columns: Vec<ColumnResult>) -> Outcome {
    Outcome { keep: Vec::new(), computed: columns, rejections: Vec::new() }
}

/// What a plugin returns that copies what it was given.
fn copied(array: &dyn Array, column_type: ColumnType) -> ColumnResult {
    let buffers = buffers_of(array, column_type).unwrap();
    ColumnResult { buffers: buffers.iter().map(|bytes| bytes.to_vec()).collect() }
}

fn read(field: &Field, rows: usize, column: ColumnResult) -> Result<ArrayRef, Breach> {
    let expected = Expected { rows, fields: std::slice::from_ref(field), selects: None };
    let outcome = check_outcome(outcome_of(vec![column]), expected, said)?;
    Ok(Arc::clone(&outcome.computed[0]))
}

fn rule(field: &Field, rows: usize, buffers: &[&[u8]]) -> ColumnRule {
    let column = ColumnResult { buffers: buffers.iter().map(|bytes| bytes.to_vec()).collect() };
    match read(field, rows, column) {
        Err(Breach::Column { rule, .. }) => rule,
        other => panic!("{other:?}"),
    }
}

fn array_of(column_type: ColumnType, values: &[Option<(i64, String)>]) -> ArrayRef {
    let numbers = values.iter().map(|value| value.as_ref().map(|(number, _)| *number));
    match column_type {
        ColumnType::Boolean => {
            Arc::new(numbers.map(|number| number.map(|number| number % 2 == 0)).collect::<BooleanArray>())
        }
        ColumnType::Integer => Arc::new(numbers.collect::<Int64Array>()),
        ColumnType::Float => {
            Arc::new(numbers.map(|number| number.map(|number| number as f64 / 3.0)).collect::<Float64Array>())
        }
        ColumnType::Date => Arc::new(numbers.map(|number| number.map(|number| number as i32)).collect::<Date32Array>()),
        ColumnType::Timestamp => Arc::new(numbers.collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
        ColumnType::Text => {
            Arc::new(values.iter().map(|value| value.as_ref().map(|(_, text)| text)).collect::<StringArray>())
        }
    }
}

fn any_type() -> impl Strategy<Value = ColumnType> {
    proptest::sample::select(ColumnType::ALL.to_vec())
}

proptest! {
    #[test]
    fn every_slice_of_every_array_survives_the_crossing(
        column_type in any_type(),
        values in vec(option::weighted(0.8, (any::<i64>(), ".{0,6}")), 1..70),
        start in any::<prop::sample::Index>(),
        length in any::<prop::sample::Index>(),
    ) {
        let start = start.index(values.len());
        let length = 1 + length.index(values.len() - start);
        let array = array_of(column_type, &values).slice(start, length);
        let back = read(&Field::new("c", column_type), length, copied(&array, column_type)).unwrap();
        prop_assert_eq!(&back, &array);
    }

    #[test]
    fn what_a_plugin_makes_up_is_refused_or_sound(
        column_type in any_type(),
        nullable in any::<bool>(),
        rows in 1_usize..20,
        // Sizes near the right ones, so that some get past the first check.
        buffers in vec(vec(any::<u8>(), 0..180), 0..4),
        exact in any::<bool>(),
        zero_offset in any::<bool>(),
    ) {
        let mut field = Field::new("c", column_type);
        field.nullable = nullable;
        let mut buffers = buffers;
        if exact {
            fit(&mut buffers, column_type, rows, zero_offset);
        }
        if let Ok(array) = read(&field, rows, ColumnResult { buffers }) {
            prop_assert_eq!(array.len(), rows);
            prop_assert_eq!(array.data_type(), &column_type.arrow());
            prop_assert!(nullable || array.null_count() == 0);
            array.to_data().validate_full().unwrap();
            drop(make_array(array.to_data()));
        }
    }

    #[test]
    fn rejections_get_through_only_in_order_and_in_range(
        rows in 1_usize..6,
        codes in 0_usize..3,
        rejections in vec((0_u32..7, 0_u32..4), 0..5),
        keep in vec(any::<u8>(), 0..3),
    ) {
        let outcome = Outcome {
            keep: keep.clone(),
            computed: Vec::new(),
            rejections: rejections
                .iter()
                .map(|&(row, code)| contract::Rejection { row, code, message: String::new() })
                .collect(),
        };
        let lawful = rejections.iter().all(|&(row, code)| (row as usize) < rows && (code as usize) < codes)
            && rejections.windows(2).all(|pair| pair[0].0 < pair[1].0)
            && (keep.is_empty() || keep.len() == 1);
        let checked = check_outcome(outcome, Expected { rows, fields: &[], selects: Some(codes) }, said);
        prop_assert_eq!(checked.is_ok(), lawful);
        if let Ok(GroupOutcome { keep: Some(keep), .. }) = checked {
            prop_assert_eq!(keep.len(), rows);
            prop_assert_eq!(keep.values()[0] >> rows, 0);
        }
    }
}

/// Cuts or fills buffers to the sizes that the contract asks for.
fn fit(buffers: &mut Vec<Vec<u8>>, column_type: ColumnType, rows: usize, zero_offset: bool) {
    let bitmap = rows.div_ceil(8);
    let sizes: &[usize] = match column_type {
        ColumnType::Boolean => &[bitmap, bitmap],
        ColumnType::Date => &[bitmap, rows * 4],
        ColumnType::Integer | ColumnType::Float | ColumnType::Timestamp => &[bitmap, rows * 8],
        ColumnType::Text => &[bitmap, (rows + 1) * 4, 40],
    };
    buffers.resize(sizes.len(), Vec::new());
    for (buffer, &size) in buffers.iter_mut().zip(sizes) {
        buffer.resize(size, 1);
    }
    if column_type == ColumnType::Text && zero_offset {
        // Small and mostly ascending.
        for (index, byte) in buffers[1].iter_mut().enumerate() {
            *byte = if index % 4 == 0 { (index / 4 + usize::from(*byte) % 2) as u8 } else { 0 };
        }
        buffers[1][0] = 0;
        buffers[2].iter_mut().for_each(|byte| *byte &= 0x7f);
    }
}

#[test]
fn a_slice_has_no_bit_of_rows_outside_it() {
    let array = BooleanArray::from(vec![true; 24]);
    for (start, length) in [(0, 3), (8, 3), (3, 8), (16, 8)] {
        let slice = array.slice(start, length);
        let values = buffers_of(&slice, ColumnType::Boolean).unwrap()[1].to_vec();
        assert_eq!(values, [u8::try_from((1_u32 << length) - 1).unwrap()], "{start}, {length}");
    }
}

#[test]
fn a_whole_array_is_lent_and_not_copied() {
    let array = StringArray::from(vec![Some("a"), None, Some("")]);
    let buffers = buffers_of(&array, ColumnType::Text).unwrap();
    assert_eq!(buffers[0].to_vec(), [0b101]);
    assert_eq!(buffers[1].to_vec(), [0_i32, 1, 1, 1].map(i32::to_le_bytes).concat());
    assert_eq!(buffers[2].as_ptr(), array.value_data().as_ptr());
    assert!(buffers_of(&array, ColumnType::Integer).is_none());
}

#[test]
fn every_rule_about_buffers_has_its_own_answer() {
    let integer = Field::new("c", ColumnType::Integer);
    assert_eq!(rule(&integer, 1, &[&[]]), ColumnRule::BufferCount { expected: 2 });
    assert_eq!(rule(&integer, 9, &[&[1], &[0; 72]]), ColumnRule::ValiditySize { expected: 2 });
    assert_eq!(rule(&integer, 1, &[&[], &[0; 16]]), ColumnRule::ValueSize { expected: 8 });
    assert_eq!(rule(&integer.required(), 1, &[&[0], &[0; 8]]), ColumnRule::Null);
    let text = Field::new("c", ColumnType::Text);
    let offsets = |numbers: &[i32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
    assert_eq!(rule(&text, 2, &[&[], &offsets(&[0, 1]), b"ab"]), ColumnRule::OffsetSize { expected: 12 });
    for wrong in [[1, 1, 2], [0, 2, 1], [0, -1, 2], [0, 1, 3], [0, 0, i32::MIN]] {
        assert_eq!(rule(&text, 2, &[&[], &offsets(&wrong), b"ab"]), ColumnRule::Offsets, "{wrong:?}");
    }
    // Both halves of one character are no text, though together they are.
    assert_eq!(rule(&text, 2, &[&[], &offsets(&[0, 1, 2]), "é".as_bytes()]), ColumnRule::Utf8);
    assert_eq!(rule(&text, 2, &[&[], &offsets(&[0, 1, 2]), &[b'a', 0xff]]), ColumnRule::Utf8);
}

#[test]
fn bits_past_the_last_row_are_no_rows() {
    let outcome = Outcome { keep: vec![0xff], computed: Vec::new(), rejections: Vec::new() };
    let checked = check_outcome(outcome, Expected { rows: 3, fields: &[], selects: Some(0) }, said).unwrap();
    assert_eq!(checked.keep.unwrap().count_set_bits(), 3);
}

#[test]
fn an_outline_is_bounded_as_a_whole_and_in_each_attribute() {
    let input =
        Schema { name: "s".to_owned(), fields: vec![Field::new("c", ColumnType::Text)], attributes: Attributes::new() };
    let outline = |columns: usize, value: usize| {
        let field = |index: usize| contract::FieldResult {
            name: format!("c{index}"),
            format: "u".to_owned(),
            nullable: true,
            marks: Vec::new(),
            attributes: vec![("label".to_owned(), "x".repeat(value))],
        };
        let computed = |index| contract::Output::Compute(crate::contract::Computed { group: 0, field: field(index) });
        contract::Outline {
            name: "s".to_owned(),
            groups: vec![vec![0]],
            outputs: (0..columns).map(computed).collect(),
            selects: None,
            rejection_codes: Vec::new(),
            attributes: Vec::new(),
        }
    };
    let told = |columns, value| read_outline(outline(columns, value), &input).unwrap_err().to_string();
    read_outline(outline(250, 4_091), &input).unwrap();
    assert_eq!(told(1, 4_092), "column `c0`: an attribute longer than 4096 bytes");
    assert!(told(260, 4_091).ends_with("bytes, and no more than 1048576 are taken"));
}
