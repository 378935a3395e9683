use proptest::prelude::*;

use super::*;
use crate::{Date, Timestamp};

/// Builds a column, reads it back, and reads back what `map` makes of it.
fn there_and_back<T>(values: &[Option<T>]) -> Vec<Option<T>>
where
    T: Value + for<'any> Layout<Ref<'any> = T> + Copy,
{
    let column: Column = values.iter().copied().collect();
    assert_eq!(column.null_count(), values.iter().filter(|value| value.is_none()).count());
    let view = column.view::<T>().unwrap();
    assert_eq!(view.null_count(), column.null_count());
    let mapped = view.map(Some);
    assert_eq!(mapped, column);
    view.iter().collect()
}

proptest! {
    #[test]
    fn values_survive_the_way_there_and_back(
        flags: Vec<Option<bool>>,
        counts: Vec<Option<i64>>,
        days: Vec<Option<i32>>,
    ) {
        prop_assert_eq!(there_and_back(&flags), flags);
        prop_assert_eq!(there_and_back(&counts), counts.clone());
        let instants: Vec<_> = counts.iter().map(|count| count.map(Timestamp::from_micros)).collect();
        prop_assert_eq!(there_and_back(&instants), instants);
        let days: Vec<_> = days.iter().map(|day| day.map(Date::from_days)).collect();
        prop_assert_eq!(there_and_back(&days), days);
    }

    #[test]
    fn text_survives_the_way_there_and_back(texts: Vec<Option<String>>) {
        let column: Column = texts.iter().map(Option::as_deref).collect();
        let view = column.view::<str>().unwrap();
        prop_assert_eq!(view.iter().map(|text| text.map(str::to_owned)).collect::<Vec<_>>(), texts.clone());
        prop_assert_eq!(&view.map_into(|text, out| out.push_str(text)), &column);
        prop_assert_eq!(&view.map(|text| Some(text.to_owned())), &column);

        let short = view.map(|text| (text.len() > 3).then(|| text.to_uppercase()));
        let expected: Column = texts
            .iter()
            .map(|text| text.as_deref().filter(|text| text.len() > 3).map(str::to_uppercase))
            .collect::<Vec<_>>()
            .iter()
            .map(Option::as_deref)
            .collect();
        prop_assert_eq!(short, expected);
    }

    #[test]
    fn a_builder_forgets_what_is_cut_off(texts: Vec<Option<String>>, cut: usize) {
        let cut = cut % (texts.len() + 1);
        let mut builder = Builder::<str>::with_capacity(texts.len());
        for text in &texts {
            builder.push_option(text.as_deref());
        }
        builder.truncate(cut);
        let expected: Column = texts[..cut].iter().map(Option::as_deref).collect();
        prop_assert_eq!(builder.finish(), expected);
    }
}

#[test]
fn ascii_is_changed_as_a_whole() {
    let lower = |values: [Option<&str>; 3]| {
        let column: Column = values.into_iter().collect();
        column.view::<str>().unwrap().map_ascii(|byte| byte.to_ascii_lowercase())
    };
    assert_eq!(lower([Some("Ada"), None, Some("")]), Some([Some("ada"), None, Some("")].into_iter().collect()));
    assert_eq!(lower([Some("Ada"), None, Some("É")]), None);
    let column: Column = [Some("a")].into_iter().collect();
    assert_eq!(column.view::<str>().unwrap().map_ascii(|_| 0xff), None, "what comes out must be ASCII too");
}

#[test]
fn floats_keep_their_bits() {
    let odd = [f64::NAN, -0.0, f64::INFINITY, f64::MIN_POSITIVE];
    let column: Column = odd.iter().map(|value| Some(*value)).collect();
    let view = column.view::<f64>().unwrap();
    let bits: Vec<_> = view.iter().flatten().map(f64::to_bits).collect();
    assert_eq!(bits, odd.map(f64::to_bits));
}

#[test]
fn nothing_but_the_shape_is_shown() {
    let column: Column = [Some("secret"), None].into_iter().collect();
    assert_eq!(format!("{column:?}"), "Column(2 rows of text, 1 nulls)");
    assert_eq!(format!("{:?}", column.view::<str>().unwrap()), "View(2 rows of text)");
}

#[test]
fn a_column_is_viewed_as_what_it_is() {
    let column: Column = [Some(1_i64)].into_iter().collect();
    assert!(column.view::<i64>().is_some());
    assert!(column.view::<Timestamp>().is_none());
}
