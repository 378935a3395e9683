//! A token in the words of others: of whoever is sent it.
//!
//! A server that repeats the token may repeat a half of it, in capitals, in base64, with escapes, or with blanks between.
//! So what is looked for are runs of [`RUN`] letters and digits that stand in the token, or in an encoding of it, whatever
//! their case and whatever else stands between them; and of these all are hidden. A run of that length does not come by
//! chance.
//!
//! What this does not see: a token in pieces that are shorter, or in an encoding that nobody would write by mistake.

use std::{collections::HashSet, fmt, ops::Range};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD as BASE64};

/// How many letters and digits in a row give a token away.
const RUN: usize = 8;

/// What stands in place of what is hidden.
pub const HIDDEN: &str = "…";

/// The runs by which a token is known.
pub struct Traces(HashSet<Vec<u8>>);

impl fmt::Debug for Traces {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Traces").finish_non_exhaustive()
    }
}

impl Traces {
    /// Those of this token.
    pub fn of(token: &str) -> Self {
        let mut forms = vec![token.to_owned()];
        // An encoding does not look past the case of what is encoded.
        for token in [token.to_owned(), token.to_ascii_lowercase(), token.to_ascii_uppercase()] {
            forms.push(hex::encode(&token));
            // Where a text is in the middle of another that is encoded, its bytes begin at one of three places, and its first
            // and last characters are half those of its neighbours. The alphabets differ in signs alone, which do not count.
            for place in 0..3 {
                let encoded = BASE64.encode([vec![0; place], token.as_bytes().to_vec()].concat());
                let (first, last) = ((place * 8).div_ceil(6), (place + token.len()) * 8 / 6);
                forms.push(encoded.get(first..last).unwrap_or_default().to_owned());
            }
        }
        let runs = forms.iter().flat_map(|form| {
            let signs: Vec<u8> = form.bytes().filter_map(counting).collect();
            signs.windows(RUN.min(signs.len().max(1))).map(<[u8]>::to_vec).collect::<Vec<_>>()
        });
        Self(runs.collect())
    }

    /// The text without them.
    pub fn hide(&self, text: &str) -> String {
        let mut hidden = vec![false; text.len()];
        for signs in [signs(text), unescaped(text)] {
            let signs: Vec<(u8, Range<usize>)> =
                signs.into_iter().filter_map(|(sign, place)| Some((counting(sign)?, place))).collect();
            let letters: Vec<u8> = signs.iter().map(|(sign, _)| *sign).collect();
            // Those of a short token are shorter.
            for length in 1..=RUN.min(letters.len()) {
                for (run, places) in letters.windows(length).zip(signs.windows(length)) {
                    if let ([(_, first), ..], [.., (_, last)]) = (places, places)
                        && self.0.contains(run)
                    {
                        hidden[first.start..last.end].fill(true);
                    }
                }
            }
        }
        let mut left = String::with_capacity(text.len());
        let mut was_hidden = false;
        for (place, character) in text.char_indices() {
            match (hidden[place], was_hidden) {
                (true, false) => left.push_str(HIDDEN),
                (true, true) => {}
                (false, _) => left.push(character),
            }
            was_hidden = hidden[place];
        }
        left
    }
}

/// A letter or digit, in one case; nothing else counts.
fn counting(sign: u8) -> Option<u8> {
    sign.is_ascii_alphanumeric().then(|| sign.to_ascii_lowercase())
}

/// The signs of ASCII in a text, each with its place.
fn signs(text: &str) -> Vec<(u8, Range<usize>)> {
    text.bytes().enumerate().filter(|(_, byte)| byte.is_ascii()).map(|(place, byte)| (byte, place..place + 1)).collect()
}

/// The same, with the escapes of URLs (`%2d`), of JSON (`\u002d`), of programs (`\x2d`, `\u{2d}`) and of HTML (`&#45;`, `&#x2d;`)
/// as what they stand for, escaped escapes too.
fn unescaped(text: &str) -> Vec<(u8, Range<usize>)> {
    let mut all: Vec<(u8, Range<usize>)> = Vec::new();
    for (sign, place) in signs(text) {
        all.push((sign, place));
        while let Some((length, sign)) = escape_at_the_end(&all) {
            let begin = all.len() - length;
            let place = all[begin].1.start..all[all.len() - 1].1.end;
            all.truncate(begin);
            all.push((sign, place));
        }
    }
    all
}

/// How long the escape is that stands at the end, and for which sign it stands.
fn escape_at_the_end(all: &[(u8, Range<usize>)]) -> Option<(usize, u8)> {
    /// With a few zeroes more than anybody writes.
    const LONGEST: usize = r"&#x00000000;".len();
    let end: Vec<u8> = all[all.len().saturating_sub(LONGEST)..].iter().map(|(sign, _)| *sign).collect();
    let (length, digits, radix) = match end.as_slice() {
        [.., b'&', b'a', b'm', b'p', b';'] => return Some((r"&amp;".len(), b'&')),
        [.., b';' | b'}'] => long_escape(&end)?,
        [.., b'%', high, low] => (3, vec![*high, *low], 16),
        [.., b'\\', b'x', high, low] => (4, vec![*high, *low], 16),
        [.., b'\\', b'u', b'0', b'0', high, low] => (6, vec![*high, *low], 16),
        _ => return None,
    };
    let sign = u8::from_str_radix(std::str::from_utf8(&digits).ok()?, radix).ok()?;
    sign.is_ascii().then_some((length, sign))
}

/// The length, the digits and the radix of an escape at the end that says itself where it ends.
fn long_escape(end: &[u8]) -> Option<(usize, Vec<u8>, u32)> {
    let begin = end.iter().rposition(|sign| matches!(sign, b'&' | b'\\'))?;
    let escape = &end[begin..];
    let (digits, radix) = match escape {
        [b'&', b'#', b'x' | b'X', digits @ .., b';'] | [b'\\', b'u', b'{', digits @ .., b'}'] => (digits, 16),
        [b'&', b'#', digits @ .., b';'] => (digits, 10),
        _ => return None,
    };
    Some((escape.len(), digits.to_vec(), radix))
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE;
    use proptest::prelude::*;

    use super::*;

    const TOKEN: &str = "pat-na1-1f2e3d4c-5b6a-7988-a7b6-c5d4e3f2a1b0";

    /// A text of ASCII with each sign written otherwise.
    fn each(text: &str, written: impl Fn(u8) -> String) -> String {
        text.bytes().map(written).collect::<Vec<_>>().concat()
    }

    #[track_caller]
    fn check(said: &str, expected: &str) {
        assert_eq!(Traces::of(TOKEN).hide(said), expected);
    }

    #[test]
    fn a_token_is_hidden_however_it_is_written() {
        check(TOKEN, "…");
        check(&format!("no app has {TOKEN}, says Acme"), "no app has …, says Acme");
        check(
            "it begins with pat-na1-1f2e3d4c-5b6a- and ends with 7988-a7b6-c5d4e3f2a1b0.",
            "it begins with …- and ends with ….",
        );
        check(&TOKEN.to_uppercase(), "…");
        check(&TOKEN.replace('-', "%2D"), "…");
        check(&TOKEN.replace('-', "%252d").replace('f', "%66"), "…");
        check(&TOKEN.replace('-', r"\u002d").replace('a', r"\u0061"), "…");
        check(&each(TOKEN, |byte| format!(r"\x{byte:02X}")), "…");
        check(&each(TOKEN, |byte| format!(r"\u{{{byte:x}}}")), "…");
        check(&each(TOKEN, |byte| format!("&#{byte};")), "…");
        check(&each(TOKEN, |byte| format!("&#x{byte:05x};")), "…");
        check(&each(TOKEN, |byte| format!("&amp;#X{byte:X};")), "…");
        check(&TOKEN.replace('-', " "), "…");
        check(&each(TOKEN, |byte| format!("{}\u{200b}", byte as char)), "…\u{200b}");
        for cased in [TOKEN.to_owned(), TOKEN.to_uppercase()] {
            check(&format!("hex {}!", hex::encode(&cased)), "hex …!");
        }
        // What looks like an escape is the token's own.
        check(&format!("%{TOKEN}"), "%…");
        check("%1f2e3d4c, %5b6a7988", "%…");
    }

    #[test]
    fn other_words_stay() {
        let words =
            "the token pat-na1 was made for c5d4e3f, 100% of it: \\u00e9 %zz ünï, MISSING_SCOPES, c033cdaa-1f2e-3d4d";
        check(words, words);
        assert_eq!(Traces::of("").hide(words), words);
        assert_eq!(Traces::of("abc").hide("ABC abd a-b-c"), "… abd …");
    }

    fn written() -> impl Strategy<Value = (String, String)> {
        let part = (0..TOKEN.len() - 12, 12..TOKEN.len())
            .prop_map(|(start, length)| TOKEN.get(start..(start + length).min(TOKEN.len())).unwrap().to_owned());
        (part, 0..9).prop_map(|(part, way)| {
            let said = match way {
                0 => part.clone(),
                1 => part.to_uppercase(),
                2 => each(&part, |byte| format!("%{byte:02X}")),
                3 => each(&part, |byte| format!("\\u{byte:04x}")),
                4 => each(&part, |byte| format!("%25{byte:02x}")),
                5 => each(&part, |byte| format!("{} ", byte as char)),
                6 => each(&part, |byte| format!("&#{byte};")),
                7 => each(&part, |byte| format!("\\x{byte:02x}")),
                _ => hex::encode(&part),
            };
            (part, said)
        })
    }

    proptest! {
        #[test]
        fn no_part_of_it_is_left((part, said) in written(), before in "[ -~]{0,9}", after in "[ -~]{0,9}") {
            let left = Traces::of(TOKEN).hide(&format!("{before} {said} {after}"));
            prop_assert!(!left.contains(&said), "{part} in {left}");
            let signs = |text: &str| -> String {
                unescaped(text).into_iter().filter_map(|(sign, _)| counting(sign)).map(char::from).collect()
            };
            let (left, part) = (signs(&left), signs(&part));
            prop_assert!(!part.as_bytes().windows(RUN).any(|run| left.as_bytes().windows(RUN).any(|it| it == run)));
        }

        /// Wherever it stands in what is encoded, at most two of its characters can be told from what is left.
        #[test]
        fn no_base64_of_it_is_left(before in ".{0,9}", after in ".{0,9}", is_for_urls: bool, is_upper: bool) {
            let token = if is_upper { TOKEN.to_uppercase() } else { TOKEN.to_owned() };
            let whole = format!("{before}{token}{after}");
            let said = if is_for_urls { URL_SAFE.encode(&whole) } else { BASE64.encode(&whole) };
            let left = Traces::of(TOKEN).hide(&said);
            prop_assert_eq!(left.matches(HIDDEN).count(), 1);
            let begin = (before.len() * 8).div_ceil(6);
            let end = (before.len() + TOKEN.len()) * 8 / 6;
            prop_assert!(left.len() - HIDDEN.len() <= said.len() - (end - begin));
        }
    }
}
