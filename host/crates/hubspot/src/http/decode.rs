//! Bodies that cannot be read.
//!
//! The caller decodes a body inside the attempt that fetched it, so that one which breaks off in the middle counts as a
//! cut answer and is asked for again. A body that is whole JSON but of an unexpected shape would come again the same way,
//! and is not.
//!
//! What is said of a body never quotes it: it holds the values of records.

use serde_json::error::Category;

/// Why a body could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// It breaks off or is not JSON. Worth another attempt.
    #[error("it is not whole JSON: {what}")]
    NotJson {
        /// What is wrong, and at which line and column.
        what: String,
    },
    /// It says of itself that a part of it is missing. Worth another attempt.
    #[error("a part of it is missing: {what}")]
    Partial {
        /// What is missing, and why, without a value of a record.
        what: String,
    },
    /// It is more than the caller has asked for, or than it takes of any answer.
    #[error("it is more than was asked for: {what}")]
    Excess {
        /// Of what it is too much, without a value from the body.
        what: String,
    },
    /// It is JSON, and not what the caller can read.
    #[error("it is not of the expected form: {what}")]
    Unexpected {
        /// What is wrong, and where, without a value from the body.
        what: String,
    },
}

impl Undecodable {
    /// Whether the same body is likely to be better when it is asked for again.
    pub fn is_worth_another_attempt(&self) -> bool {
        matches!(self, Self::NotJson { .. } | Self::Partial { .. })
    }
}

impl From<serde_json::Error> for Undecodable {
    fn from(error: serde_json::Error) -> Self {
        match error.classify() {
            Category::Syntax | Category::Eof | Category::Io => Self::NotJson { what: error.to_string() },
            Category::Data => {
                let (message, place) = (error.to_string(), format!("line {} column {}", error.line(), error.column()));
                let message = message.strip_suffix(&format!(" at {place}")).unwrap_or(&message);
                let what = match without_values(message) {
                    Some(what) => format!("{what} at {place}"),
                    None => format!("at {place}"),
                };
                Self::Unexpected { what }
            }
        }
    }
}

/// The part of serde's words that comes from the type asked for, and not from the body.
fn without_values(message: &str) -> Option<String> {
    const EXPECTED: &str = ", expected ";
    if message.starts_with("missing field `") || message.starts_with("duplicate field `") {
        return Some(message.to_owned());
    }
    // `invalid type: string "…", expected a map`: the value stands before, the type's own words after the last comma.
    message.rsplit_once(EXPECTED).map(|(_, expected)| format!("expected {expected}"))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only deserialized")]
    struct Page {
        results: Vec<Kind>,
        total: u32,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Contact,
    }

    fn refusal(body: &str) -> (bool, String) {
        let error = Undecodable::from(serde_json::from_str::<Page>(body).unwrap_err());
        (error.is_worth_another_attempt(), error.to_string())
    }

    #[test]
    fn what_is_said_names_the_place_and_never_the_value() {
        let cases = [
            r#"{"results":["contact"],"tot"#,
            r#"{"results":[,]"#,
            "<html>Jane Roe</html>",
            r#"{"results":[]}"#,
            r#"{"results":[],"total":"Jane Roe"}"#,
            r#"{"results":[],"total":"Jane, expected Roe"}"#,
            r#"{"results":["Jane Roe"],"total":1}"#,
            r#"{"results":[],"Jane Roe":1}"#,
        ];
        let said: Vec<String> = cases.iter().map(|body| format!("{:?}", refusal(body))).collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        (true, "it is not whole JSON: EOF while parsing a string at line 1 column 27")
        (true, "it is not whole JSON: expected value at line 1 column 13")
        (true, "it is not whole JSON: expected value at line 1 column 1")
        (false, "it is not of the expected form: missing field `total` at line 1 column 14")
        (false, "it is not of the expected form: expected u32 at line 1 column 32")
        (false, "it is not of the expected form: expected u32 at line 1 column 42")
        (false, "it is not of the expected form: expected `contact` at line 1 column 22")
        (false, "it is not of the expected form: expected `results` or `total` at line 1 column 24")
        "#);
        assert!(!said.join("").contains("Roe"));
    }
}
