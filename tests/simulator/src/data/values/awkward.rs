//! Values that real portals hold and naive readers lose.

use super::super::clock;
use super::super::random::Draw;
use super::super::record::Record;
use super::{append_cents, append_day as append_plain_day, put};

/// One value in so many is a troubled one; the others are ordinary.
const TROUBLED_ONE_IN: u64 = 4;

/// One text in so many is as long as HubSpot lets it be.
const LONGEST_TEXT_ONE_IN: u64 = 499;

/// HubSpot's limit for a text property, in characters.
const LONGEST_TEXT: usize = 65_536;

/// What number properties hold besides numbers.
const NUMBERS: &[&str] = &[
    "",
    "123;456",
    "n/a",
    "1e3",
    " 42 ",
    "-0",
    "1,234.50",
    "9007199254740993",
    "18446744073709551616",
    ".5",
    "0012",
    "12.50 EUR",
    "-17.25",
];

const DAYS: &[&str] = &[
    "",
    "1899-12-30",
    "1931-05-29",
    "9999-12-31",
    "1767225600000",
    "-1217980800000",
    "2026-01-31T00:00:00Z",
    "31/01/2026",
    "2026-02-30",
];

const INSTANTS: &[&str] = &[
    "",
    "1931-05-29T00:00:00Z",
    "9999-12-31T23:59:59.999Z",
    "-1217980800000",
    "2026-01-31",
    "2026-01-02T03:04:05+02:00",
    "2026-01-02T03:04:05.678901Z",
    "yesterday",
];

/// One hazard a line: line ends, quoting, markup, scripts, invisible characters, look-alikes of null.
const TEXTS: &[&str] = &[
    "First line\nsecond line\r\nthird line\n\nlast line",
    "She said \"call me\", then 'never mind'; path C:\\temp\\new, tab\there",
    "<p>Met at the <b>fair</b> &amp; liked it.<br/>See <a href=\"https://www.orchard.example/?a=1&b=2\">this</a></p>",
    "Family: 👩‍👩‍👧‍👦, doctor 🧑🏽‍⚕️, flag 🇳🇴, clef 𝄞, han 𠜎",
    "שלום עולם, مرحبا بالعالم, mixed with English \u{202E}and an override\u{202C}",
    "zero\u{200B}width\u{200D}joiners\u{FEFF} and a soft\u{AD}hyphen",
    "control \u{1}\u{8}\u{B}\u{1F}\u{7F} characters",
    "line\u{2028}and paragraph\u{2029}separators, next line\u{85}too",
    "combining: e\u{301} versus \u{E9}, o\u{308}\u{323}",
    "   leading and trailing blanks   ",
    "=1+1",
    "null",
    "NULL",
    "\\N",
    "true",
    "12,5",
    ";",
    "a,\"b\",c\nd,e,f",
    "{\"looks\": \"like JSON\"}",
    "日本語のメモ。電話は午後のみ。",
    "Ελληνικά, Кириллица, ไทย, हिन्दी",
    "İstanbul ıssız, ß versus SS, ǅ",
];

/// Appends a value for a number property.
pub(super) fn append_number(draw: &mut Draw, text: &mut String) {
    if draw.below(TROUBLED_ONE_IN) == 0 {
        text.push_str(draw.pick(NUMBERS));
    } else {
        append_cents(draw.between(-5_000_000, 50_000_000), text);
    }
}

/// Appends a value for a date property.
pub(super) fn append_day(draw: &mut Draw, text: &mut String) {
    if draw.below(TROUBLED_ONE_IN) == 0 {
        text.push_str(draw.pick(DAYS));
    } else {
        append_plain_day(draw, 1950, 2035, text);
    }
}

/// Appends a value for a datetime property: ISO 8601, or milliseconds since 1970 as older tools wrote.
pub(super) fn append_instant(record: &Record<'_>, draw: &mut Draw, text: &mut String) {
    if draw.below(TROUBLED_ONE_IN) == 0 {
        text.push_str(draw.pick(INSTANTS));
        return;
    }
    let instant = super::later_instant(record, draw);
    if draw.below(3) == 0 { put(text, format_args!("{instant}")) } else { clock::append_instant(instant, text) }
}

/// Appends a value for a text property.
pub(super) fn append_text(record: &Record<'_>, draw: &mut Draw, text: &mut String) {
    if record.rank() % LONGEST_TEXT_ONE_IN == LONGEST_TEXT_ONE_IN - 1 {
        let sentence = "A long story. ";
        text.extend(sentence.chars().cycle().take(LONGEST_TEXT));
    } else {
        text.push_str(draw.pick(TEXTS));
    }
}
