//! Problems: what is wrong with a pipeline, where, and what would mend it.
//!
//! The reader of the pipeline file, the planner and the guard all report in this form, so that everything that is wrong is
//! shown at once, in one list, the same way.
//! A problem never quotes a line of the file: it could hold what must not be shown.

use std::fmt;

use crate::printable::printable;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where in the pipeline file; absent where no single line is to blame.
    pub place: Option<Place>,
    /// What is wrong: lower-case, without a full stop.
    pub message: String,
    /// Further lines, such as the path that a marked column took.
    pub details: Vec<String>,
    /// What would mend it.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem without a place or advice.
    pub fn new(message: impl Into<String>) -> Self {
        Self { place: None, message: message.into(), details: Vec::new(), hint: None }
    }

    /// The same problem, at this place.
    #[must_use]
    pub fn at(mut self, place: Option<Place>) -> Self {
        self.place = place;
        self
    }

    /// The same problem, with a further line of explanation.
    #[must_use]
    pub fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// The same problem, with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A place in a text, counted from 1. Columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// The place of a byte offset in a text; the end of the text for an offset past it.
    pub fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).map_or(0, |line| line.chars().count()) + 1,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}

/// All that is wrong with a pipeline file or its plan; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// The pipeline file, as it was named.
    pub file: String,
    /// The problems: those with a place first, in the order of the file.
    pub list: Vec<Problem>,
}

impl Problems {
    /// Collects problems; `None` if there are none.
    pub fn of(file: &str, mut list: Vec<Problem>) -> Option<Self> {
        list.sort_by_key(|problem| (problem.place.is_none(), problem.place));
        list.dedup();
        (!list.is_empty()).then(|| Self { file: file.to_owned(), list })
    }
}

impl fmt::Display for Problems {
    /// Every problem on lines of its own, advice included: what a person reads, and what the golden files hold. No text in it
    /// makes a line of its own.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &str| printable(text, usize::MAX);
        let file = shown(&self.file);
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                writeln!(formatter)?;
            }
            match problem.place {
                Some(place) => write!(formatter, "{file}:{place}: {}", shown(&problem.message))?,
                None => write!(formatter, "{file}: {}", shown(&problem.message))?,
            }
            for line in &problem.details {
                write!(formatter, "\n  {}", shown(line))?;
            }
            if let Some(hint) = &problem.hint {
                write!(formatter, "\n  hint: {}", shown(hint))?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The candidate that a mistyped name was most likely meant to be, if one is near enough.
pub fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Below this similarity (0 to 1) a suggestion is more often noise than help: `deal` and `owner` must not match.
    const NEAR_ENOUGH: f64 = 0.75;
    candidates
        .into_iter()
        .filter(|candidate| strsim::jaro_winkler(typed, candidate) >= NEAR_ENOUGH)
        // Long names that begin alike are all similar: what tells them apart is how much would have to be mended.
        .min_by_key(|candidate| strsim::osa_distance(typed, candidate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters() {
        let text = "a\nbcd\n  é=1\n";
        assert_eq!(Place::of(text, 0), Place { line: 1, column: 1 });
        assert_eq!(Place::of(text, 3), Place { line: 2, column: 2 });
        assert_eq!(Place::of(text, text.find('=').unwrap()), Place { line: 3, column: 4 });
        assert_eq!(Place::of(text, 999), Place { line: 4, column: 1 });
    }

    #[test]
    fn a_near_miss_is_suggested_and_a_far_one_is_not() {
        let streams = ["contacts", "companies", "deals", "owners"];
        assert_eq!(nearest("contcts", streams), Some("contacts"));
        assert_eq!(nearest("invoices", streams), None);
        let long =
            ["associations:companies:contacts", "associations:contacts:companies", "associations:contacts:deals"];
        assert_eq!(nearest("association:contacts:companies", long), Some(long[1]));
    }
}
