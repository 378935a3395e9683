//! Text for people, put together a line at a time.
//!
//! Much of what is shown is not ours: names that HubSpot or a bucket gives, words of plugins, paths. Whatever a line is made of,
//! it is one line when it is shown, begins as it was meant to begin, and steers neither the terminal nor a CI
//! ([`printable`]). Line ends are made here and nowhere else in the command line.

use sluice_model::printable::printable;

/// Lines that can be shown.
#[derive(Debug, Clone, Default)]
pub struct Page(String);

impl Page {
    /// No lines.
    pub fn new() -> Self {
        Self::default()
    }

    /// One line.
    pub fn of(line: impl AsRef<str>) -> Self {
        let mut page = Self::new();
        page.line(line);
        page
    }

    /// Adds a line.
    pub fn line(&mut self, line: impl AsRef<str>) {
        self.0.push_str(&printable(line.as_ref(), usize::MAX));
        self.0.push('\n');
    }

    /// Adds lines.
    pub fn lines(&mut self, lines: impl IntoIterator<Item = impl AsRef<str>>) {
        lines.into_iter().for_each(|line| self.line(line));
    }

    /// Adds the lines of another page.
    pub fn append(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The lines, each with its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lines of cells, aligned in columns: text to the left, numbers to the right.
#[derive(Debug)]
pub struct Grid {
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// A grid whose columns have these headings; those that end in `>` are aligned to the right.
    pub fn new(headings: &[&str]) -> Self {
        let heading = |heading: &&str| printable(heading.trim_end_matches('>'), usize::MAX);
        Self {
            right: headings.iter().map(|heading| heading.ends_with('>')).collect(),
            rows: vec![headings.iter().map(heading).collect()],
        }
    }

    /// Adds a line.
    pub fn row(&mut self, cells: &[String]) {
        // Here, and not only where the line is made: an escape is wider than what it stands for.
        self.rows.push(cells.iter().map(|cell| printable(cell, usize::MAX)).collect());
    }

    /// The lines, each indented by this many blanks.
    pub fn render(&self, indent: usize) -> Page {
        let widths: Vec<usize> = (0..self.right.len())
            .map(|column| {
                self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        let mut page = Page::new();
        for row in &self.rows {
            let mut line = " ".repeat(indent);
            for ((cell, &width), &right) in row.iter().zip(&widths).zip(&self.right) {
                let cell = if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
                line.push_str(&cell);
                line.push_str("  ");
            }
            page.line(line.trim_end());
        }
        page
    }
}
