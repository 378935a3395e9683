//! E-mail addresses.
//!
//! Found from the `@` outwards: before it letters, digits and `._%+'-`, after it labels of letters, digits and `-` with
//! dots between, of which the last begins with two letters. Letters of any script count.
//! Not found: quoted local parts, a domain without a dot, an address in place of a domain.

use std::ops::Range;

use super::Clues;

pub(crate) fn find(text: &str, clues: &Clues, found: &mut dyn FnMut(Range<usize>)) {
    if !clues.has_at {
        return;
    }
    let mut searched = 0;
    for (at, _) in text.match_indices('@') {
        let (Some(before), Some(after)) = (text.get(searched..at), text.get(at + 1..)) else { continue };
        let local = local_part(before);
        let domain = domain(after);
        if local > 0 && domain > 0 {
            searched = at + 1 + domain;
            found(at - local..searched);
        }
    }
}

/// The length of the local part at the end of what stands before an `@`.
fn local_part(before: &str) -> usize {
    let rest = before.trim_end_matches(|character: char| character.is_alphanumeric() || "._%+'-".contains(character));
    let local = before.strip_prefix(rest).unwrap_or_default();
    // A quotation mark or the end of a sentence is not part of the address.
    local.trim_start_matches(['.', '\'', '-']).len()
}

/// The length of the domain at the start of what stands after an `@`; 0 where there is none.
fn domain(after: &str) -> usize {
    let rest =
        after.trim_start_matches(|character: char| character.is_alphanumeric() || matches!(character, '.' | '-'));
    let mut domain = after.strip_suffix(rest).unwrap_or_default().trim_end_matches(['.', '-']);
    while let Some((front, last)) = domain.rsplit_once('.') {
        if !front.is_empty() && last.chars().take(2).filter(|character| character.is_alphabetic()).count() == 2 {
            return domain.len();
        }
        domain = front;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::super::cases;

    #[track_caller]
    fn check(marked: &str) {
        cases::check(super::find, marked);
    }

    #[test]
    fn addresses_are_found() {
        check("«ada@example.com»");
        check("Write to «ada.lovelace+news@mail.example.co.uk», please.");
        check("<«a@b.de»>; «b_1@c-d.io»,«o'neil@example.com»");
        check("mailto:«ada@example.com»?subject=x");
        check("'«ada@example.com»' and \"«bob@example.org»\"");
        check("(«ADA@EXAMPLE.COM»)");
        check("«müller@bücher.example» «用户@例子.公司» «x@xn--bcher-kva.xn--p1ai»");
        check("«100%@example.com»");
    }

    #[test]
    fn the_end_of_a_sentence_is_not_part_of_it() {
        check("It is «ada@example.com».");
        check("It is «ada@example.com»...");
        check("«ada@example.com»-");
        check("«ada@example.com».1");
        check("..«ada@example.com»");
        check("«ada@example.com1» «ada@example.com-or-so»");
    }

    #[test]
    fn other_things_with_an_at_are_not() {
        check("meet @ 5pm, @ada, ada@, ada@localhost, ada@example.c, @example.com");
        check("ada@1.2.3.4");
        check("ada @example.com");
        check("a@b");
        check("@");
        check("@@ada@@");
        check("a@.com");
    }

    #[test]
    fn several_ats() {
        check("ada@«bob@example.com»");
        check("«ada@example.com»@example.com");
    }
}
