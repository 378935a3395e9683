//! How much an answer may be, judged before anything is made of it.
//!
//! Three bytes of JSON, `{},`, can become a struct of hundreds, or a row of a thousand columns. So the text is walked once,
//! with two counters and nothing kept: of a list that stands directly in the answer no more elements may come than were
//! asked for, and of values no more than the densest answers hold that HubSpot gives. Whether the text is JSON, who reads it
//! judges.

use crate::http::Undecodable;

/// Values in one answer, at most: of the densest (links, seven in a hundred bytes) the largest body that is taken at all
/// holds 4.7 million.
const MOST_VALUES: usize = 5 << 20;

/// The depth of what stands in a member of the answer.
const IN_MEMBER: usize = 2;

/// Judges an answer in whose lists no more elements may stand than this.
pub(super) fn judge(bytes: &[u8], most: usize) -> Result<(), Undecodable> {
    judge_by(bytes, most, MOST_VALUES)
}

fn judge_by(bytes: &[u8], most: usize, most_values: usize) -> Result<(), Undecodable> {
    let (mut depth, mut values, mut elements, mut in_list) = (0_usize, 0_usize, 0_usize, false);
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => skip_text(&mut rest),
            b'{' | b'[' => {
                depth += 1;
                values += 1;
                if depth == IN_MEMBER {
                    (elements, in_list) = (1, *byte == b'[');
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' => {
                values += 1;
                elements += usize::from(depth == IN_MEMBER);
                if elements > most && in_list && depth == IN_MEMBER {
                    return Err(Undecodable::Excess { what: format!("a list in it has more than {most} elements") });
                }
            }
            _ => {}
        }
        if values > most_values {
            return Err(Undecodable::Excess { what: format!("it is of more than {most_values} values") });
        }
    }
    Ok(())
}

/// Goes to the end of a text that has begun.
fn skip_text<'b>(rest: &mut impl Iterator<Item = &'b u8>) {
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(rest.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, most: usize, most_values: usize, expected: Option<&str>) {
        let excess = judge_by(json.as_bytes(), most, most_values).err().map(|error| error.to_string());
        assert_eq!(excess.as_deref().map(|words| words.split_once(": ").unwrap().1), expected, "{json}");
    }

    #[test]
    fn only_a_list_directly_in_the_answer_counts_for_what_was_asked() {
        check(r#"{"results":[{},{}]}"#, 2, 99, None);
        check(r#"{"results":[{},{},{}]}"#, 2, 99, Some("a list in it has more than 2 elements"));
        check(r#"{"results":[1,2,3]}"#, 2, 99, Some("a list in it has more than 2 elements"));
        check(r#"{"paging":{"next":{"after":"1"},"prev":1,"x":2},"results":[{}]}"#, 1, 99, None);
        check(r#"{"results":[{"options":[1,2,3],"a":1,"b":2,"c":3}],"a":1,"b":2,"c":3}"#, 1, 99, None);
        check(r#"{"results":[],"errors":[{},{}]}"#, 1, 99, Some("a list in it has more than 1 elements"));
        check(r#"{"results":[{}],"errors":[{}]}"#, 1, 99, None);
        check(r#"{"results":["a,b\",c\\",{"x,":"]}"}]}"#, 2, 99, None);
    }

    #[test]
    fn values_are_counted_wherever_they_stand_and_texts_are_not_looked_into() {
        check(r#"{"a":[[1,2],[3]]}"#, 9, 6, None);
        check(r#"{"a":[[1,2],[3],4]}"#, 9, 6, Some("it is of more than 6 values"));
        check(r#"{"a":",,,,[[[[{{{{","b":1}"#, 9, 2, None);
        // What is no JSON is for others to say.
        check(r#"}}]]{"a"#, 1, 9, None);
        check("", 1, 9, None);
    }
}
