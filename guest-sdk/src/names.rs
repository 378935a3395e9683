//! The rules for names, and how to say which one was meant.

/// The longest name of a column or table that the contract allows.
const MAX_NAME_LEN: usize = 255;

/// How many near names are offered for one that is not there.
const NEAR_NAMES: usize = 3;

/// How alike two names must be, from 0 to 1, for one to be offered for the other: a slip of a letter or two passes,
/// another word does not.
const LIKENESS: f64 = 0.8;

/// Whether a column or table can have this name; the error says why not.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("it is empty");
    }
    if name.len() > MAX_NAME_LEN {
        return Err("it is longer than 255 characters");
    }
    if name.starts_with('_') {
        return Err("names that start with `_` belong to the host");
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err("only letters, digits and `_` of ASCII are allowed");
    }
    Ok(())
}

/// Whether a rejection can have this code; the error says why not.
pub(crate) fn check_code(code: &str) -> Result<(), &'static str> {
    if code.is_empty() {
        return Err("it is empty");
    }
    if !code.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
        return Err("only `a` to `z`, `0` to `9` and `-` are allowed");
    }
    Ok(())
}

/// What there is, for a message about a name that is not there: the names most like it, or else how many there are.
pub(crate) fn nearest<'names>(name: &str, names: impl Iterator<Item = &'names str>) -> String {
    let mut ranked: Vec<_> = names.map(|other| (strsim::jaro_winkler(name, other), other)).collect();
    let count = ranked.len();
    ranked.retain(|(likeness, _)| *likeness >= LIKENESS);
    ranked.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    let near: Vec<_> = ranked.iter().take(NEAR_NAMES).map(|(_, other)| format!("`{other}`")).collect();
    if near.is_empty() {
        format!("none of its {count} columns is named like it")
    } else {
        format!("it has {}", near.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "objectId", "property_hs_v2", "9lives", &"a".repeat(255)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "_a", "a-b", "a b", "é", "a.b", &"a".repeat(256)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn codes() {
        for good in ["a", "no-email", "e2"] {
            assert_eq!(check_code(good), Ok(()), "{good}");
        }
        for bad in ["", "No", "no_email", "no email"] {
            assert!(check_code(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn near_names_are_offered() {
        let columns = || ["objectId", "property_email", "property_phone"].into_iter();
        assert_eq!(nearest("property_emial", columns()), "it has `property_email`, `property_phone`");
        assert_eq!(nearest("ssn", columns()), "none of its 3 columns is named like it");
    }
}
