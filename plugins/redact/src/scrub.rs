//! Replacing what patterns find inside a text.
//!
//! Every pattern searches on its own, so that none hides what another would find; where findings overlap, all of what
//! they cover is replaced, by the replacement of the one that starts first. It searches the text as it stands, and where that
//! is another one, the text as it is meant to be read ([`View`]), so that what one of the two hides the other shows. Most texts hold nothing: two cheap looks (an
//! `@`, enough digits) spare the known patterns a search. (One search for all of the pipeline's own patterns, with a
//! `RegexSet`, was measured and is slower: alone, each can skip to its literal parts.)

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use regex::{Regex, RegexBuilder};
use sluice_guest::Failure;

use crate::detect;
use crate::settings::{self, BuiltIn};
use crate::view::View;

/// The largest regular expression, compiled: far more than a pattern for personal data needs, far less than an instance's
/// memory.
const MAX_COMPILED_BYTES: usize = 2 << 20;

/// A pattern and what to put in place of what it finds.
#[derive(Debug)]
pub(crate) struct Pattern {
    pub(crate) name: String,
    replacement: String,
    search: Search,
}

#[derive(Debug)]
enum Search {
    BuiltIn(BuiltIn),
    Custom(Regex),
}

/// All the patterns of one column.
#[derive(Debug)]
pub(crate) struct Scrubber {
    patterns: Vec<Rc<Pattern>>,
    /// The findings of one value; kept to be filled again.
    found: RefCell<Vec<Found>>,
    /// How a value is read; kept to be filled again.
    view: RefCell<View>,
}

#[derive(Debug)]
struct Found {
    range: Range<usize>,
    pattern: usize,
}

/// The patterns of one scrub, checked.
pub(crate) fn patterns(settings: settings::Scrub) -> Result<Vec<Rc<Pattern>>, Failure> {
    let default = settings.replacement;
    let replacement =
        |own: Option<String>, name: &str| own.or_else(|| default.clone()).unwrap_or_else(|| format!("[{name}]"));
    let mut patterns: Vec<Pattern> = Vec::new();
    for built_in in settings.patterns {
        let name = name_of(built_in);
        patterns.push(Pattern {
            name: name.to_owned(),
            replacement: replacement(None, name),
            search: Search::BuiltIn(built_in),
        });
    }
    for custom in settings.custom {
        let regex = compile(&custom)?;
        let replacement = replacement(custom.replacement, &custom.name);
        patterns.push(Pattern { name: custom.name, replacement, search: Search::Custom(regex) });
    }
    if patterns.is_empty() {
        return Err(Failure::settings("a scrub needs `patterns` or `custom`"));
    }
    if let Some((_, twice)) =
        patterns.iter().enumerate().find(|(at, pattern)| patterns[..*at].iter().any(|other| other.name == pattern.name))
    {
        return Err(Failure::settings(format_args!("pattern `{}` stands twice in one scrub", twice.name)));
    }
    Ok(patterns.into_iter().map(Rc::new).collect())
}

/// The name of a pattern in the settings.
fn name_of(built_in: BuiltIn) -> &'static str {
    match built_in {
        BuiltIn::Email => "email",
        BuiltIn::Phone => "phone",
        BuiltIn::UsSsn => "us_ssn",
        BuiltIn::Card => "card",
    }
}

fn compile(custom: &settings::Custom) -> Result<Regex, Failure> {
    let name = &custom.name;
    let refuse =
        |problem: std::fmt::Arguments<'_>| Failure::settings(format_args!("custom pattern `{name}` {problem}"));
    if name.is_empty() || !name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')) {
        return Err(refuse(format_args!("needs a name of `a` to `z`, `0` to `9` and `_`")));
    }
    if [BuiltIn::Email, BuiltIn::Phone, BuiltIn::UsSsn, BuiltIn::Card].map(name_of).contains(&name.as_str()) {
        return Err(refuse(format_args!("has the name of a pattern that `patterns` offers")));
    }
    let regex = RegexBuilder::new(&custom.pattern)
        .size_limit(MAX_COMPILED_BYTES)
        .build()
        .map_err(|error| refuse(format_args!("is not a regular expression: {error}")))?;
    if regex.is_match("") {
        return Err(refuse(format_args!("matches the empty text")));
    }
    Ok(regex)
}

impl Pattern {
    /// Whether the two find the same and replace it by the same.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        let same_search = match (&self.search, &other.search) {
            (Search::BuiltIn(own), Search::BuiltIn(other)) => own == other,
            (Search::Custom(own), Search::Custom(other)) => own.as_str() == other.as_str(),
            _ => false,
        };
        same_search && self.replacement == other.replacement
    }
}

impl Scrubber {
    /// A scrubber of patterns that have different names.
    pub(crate) fn new(patterns: Vec<Rc<Pattern>>) -> Self {
        Self { patterns, found: RefCell::default(), view: RefCell::default() }
    }

    /// Appends a value with all that is found in it replaced.
    pub(crate) fn write(&self, value: &str, out: &mut String) {
        let mut found = self.found.borrow_mut();
        found.clear();
        self.search(value, &mut |part| found.push(part));
        if let Some(view) = self.view.borrow_mut().of(value) {
            self.search(view.text(), &mut |part| found.push(Found { range: view.origin(part.range), ..part }));
        }
        // The longer of two that start together speaks for both.
        found.sort_unstable_by_key(|found| (found.range.start, usize::MAX - found.range.end, found.pattern));

        let mut written = 0;
        for found in found.iter() {
            let Range { start, end } = found.range;
            if start >= written {
                // Touching or apart from the one before, or the first.
                out.push_str(piece(value, written..start));
                out.push_str(&self.patterns[found.pattern].replacement);
            }
            written = written.max(end);
        }
        out.push_str(piece(value, written..value.len()));
    }

    fn search(&self, value: &str, found: &mut dyn FnMut(Found)) {
        let clues = detect::Clues::of(value);
        for (index, pattern) in self.patterns.iter().enumerate() {
            let mut add = |range: Range<usize>| found(Found { range, pattern: index });
            match &pattern.search {
                Search::BuiltIn(BuiltIn::Email) => detect::email::find(value, &clues, &mut add),
                Search::BuiltIn(BuiltIn::Phone) => detect::phone::find(value, &clues, &mut add),
                Search::BuiltIn(BuiltIn::UsSsn) => detect::us_ssn::find(value, &clues, &mut add),
                Search::BuiltIn(BuiltIn::Card) => detect::card::find(value, &clues, &mut add),
                // An empty finding would only insert its replacement.
                Search::Custom(regex) => {
                    regex.find_iter(value).map(|found| found.range()).filter(|range| !range.is_empty()).for_each(add);
                }
            }
        }
    }
}

/// A part of a text; every boundary is that of a finding, so it does not cut a character.
fn piece(text: &str, range: Range<usize>) -> &str {
    text.get(range).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scrubber(custom: &[&str]) -> Scrubber {
        let custom = custom.iter().enumerate().map(|(index, pattern)| settings::Custom {
            name: format!("own_{index}"),
            pattern: (*pattern).to_owned(),
            replacement: None,
        });
        let settings = settings::Scrub {
            patterns: vec![BuiltIn::Email, BuiltIn::Phone, BuiltIn::UsSsn, BuiltIn::Card],
            custom: custom.collect(),
            replacement: Some("#".to_owned()),
        };
        Scrubber::new(patterns(settings).unwrap())
    }

    fn scrubbed(scrubber: &Scrubber, value: &str) -> String {
        let mut out = String::new();
        scrubber.write(value, &mut out);
        out
    }

    #[test]
    fn own_patterns_are_found_beside_the_known_ones() {
        let value = "abc bcd cde";
        assert_eq!(scrubbed(&scrubber(&["bcd"]), value), "abc # cde");
        assert_eq!(scrubbed(&scrubber(&["x", "bcd", "e$"]), value), "abc # cd#");
    }

    #[test]
    fn what_touches_is_replaced_twice_and_what_overlaps_once() {
        assert_eq!(scrubbed(&scrubber(&["ab", "cd"]), "abcd"), "##");
        assert_eq!(scrubbed(&scrubber(&["abc", "cd"]), "abcd"), "#");
        assert_eq!(scrubbed(&scrubber(&["b", "abcd", "ab"]), "abcd"), "#");
    }

    #[test]
    fn what_hides_is_found_and_what_stands_around_it_stays() {
        let scrubber = scrubber(&["MRN-[0-9]{6}"]);
        for (value, expected) in [
            ("Write to ada\u{200b}@exam\u{ad}ple.com.", "Write to #."),
            ("é ada＠example．com é", "é # é"),
            ("ａｄａ@ｅｘａｍｐｌｅ.ｃｏｍ", "#"),
            ("𝐚𝐝𝐚@example。com", "#"),
            ("SSN １２３‑４５‑６７８９ é", "SSN # é"),
            ("1\u{200d}2\u{2060}3-45-67\u{feff}89", "#"),
            ("1\u{1}23-45-6789", "#"),
            ("١٢٣-٤٥-٦٧٨٩ and ५५५-१२३-४५६७", "# and #"),
            ("＋４４ ２０ ７９４６ ０９５８", "#"),
            ("4111\u{200b}1111\u{3000}1111\u{2212}1111", "#"),
            ("ＭＲＮ－１２３４５６ ü", "# ü"),
            ("123\t45\t6789 x", "# x"),
            ("123\u{b}45\u{c}6789", "#"),
            ("123\u{2800}45\u{2d7}6789", "#"),
            ("1\u{fff9}2\u{fffa}3\u{2796}45\u{13441}67\u{1343f}89\u{fffb}", "#\u{fffb}"),
            ("4111ー1111ー1111ー1111", "#"),
            // A column of numbers is not one.
            ("123\n45\n6789 ５", "123\n45\n6789 ５"),
            // What one view hides the other shows.
            ("123-45-6789²", "#²"),
            // A zero-width space before and after is not part of it.
            ("\u{200b}ada@example.com\u{200b}", "\u{200b}#\u{200b}"),
            // A joined emoji is none of it, and stays as it is.
            ("👩\u{200d}⚕️ ½ ﬁ", "👩\u{200d}⚕️ ½ ﬁ"),
        ] {
            assert_eq!(scrubbed(&scrubber, value), expected, "{value:?}");
        }
    }

    proptest! {
        /// However a secret is written, no view of what is left shows it.
        #[test]
        fn no_writing_hides_a_finding(
            which in 0_usize..5,
            ways in prop::collection::vec((0_usize..6, 0_usize..4), 24),
            around in "[a-zé\u{200b}。]{0,6}",
        ) {
            const SECRETS: [&str; 5] =
                ["ada@example.com", "555-123-4567", "+44 20 7946 0958", "123-45-6789", "4111 1111 1111 1111"];
            const UNSEEN: [&str; 4] = ["", "\u{200b}", "\u{ad}", "\u{e0001}\u{feff}"];
            const ZEROES: [char; 5] = ['0', '０', '٠', '𝟬', '०'];
            let written: Vec<String> = SECRETS[which].chars().zip(ways).map(|(character, (way, unseen))| {
                let written = match character {
                    '0'..='9' => ZEROES.get(way).and_then(|zero| {
                        char::from_u32(u32::from(*zero) + u32::from(character) - u32::from('0'))
                    }),
                    '-' => ['-', '‑', '－', '−', '–', '—'].get(way).copied(),
                    ' ' => [' ', '\u{a0}', '\u{3000}', '\u{2009}'].get(way).copied(),
                    '@' => ['@', '＠', '﹫'].get(way).copied(),
                    '.' => ['.', '．', '。', '｡', '․'].get(way).copied(),
                    'a'..='z' if way == 1 => char::from_u32(u32::from(character) - u32::from('a') + u32::from('ａ')),
                    '+' if way == 1 => Some('＋'),
                    _ => None,
                };
                format!("{}{}", UNSEEN[unseen], written.unwrap_or(character))
            }).collect();
            let secret = written.concat();
            let scrubber = scrubber(&[]);
            let out = scrubbed(&scrubber, &format!("{around} {secret} {around}"));
            let mut view = View::default();
            let read = view.of(&out).map_or(out.as_str(), View::text);
            prop_assert!(!read.contains(SECRETS[which]), "{out}");
            prop_assert_eq!(scrubbed(&scrubber, &out), out);
        }

        #[test]
        fn nothing_around_hides_a_finding(before in "[0-9 ().,+@a-]{0,16}|.*", after in "[0-9 ().,+@a-]{0,16}|.*") {
            let scrubber = scrubber(&[]);
            for secret in ["ada@example.com", "555-123-4567", "+44 20 7946 0958", "123-45-6789", "4111 1111 1111 1111"] {
                let out = scrubbed(&scrubber, &format!("{before} {secret} {after}"));
                prop_assert!(!out.contains(secret), "{out}");
            }
        }

        #[test]
        fn text_without_a_finding_stays(value in "[a-zé ]{0,40}") {
            prop_assert_eq!(scrubbed(&scrubber(&["[0-9]+"]), &value), value);
        }
    }
}
