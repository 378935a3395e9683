//! Pages of a listing: a pure function from sorted keys to one answer of `ListObjectsV2`.

/// AWS gives at most this many entries in one answer, however many are asked for.
pub(super) const LARGEST_PAGE: usize = 1_000;

/// What a listing asks for.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Query<'a> {
    pub(super) prefix: &'a str,
    /// Keys that have this text after the prefix are rolled up into one entry.
    pub(super) delimiter: Option<&'a str>,
    /// Keys up to and including this one are left out.
    pub(super) start_after: &'a str,
    /// The `next` of the page before; empty for the first page.
    pub(super) token: &'a str,
    pub(super) limit: usize,
}

/// One entry; both kinds count against the limit, and are sorted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    Key(String),
    CommonPrefix(String),
}

impl Entry {
    fn text(&self) -> &str {
        match self {
            Self::Key(text) | Self::CommonPrefix(text) => text,
        }
    }
}

/// One answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) entries: Vec<Entry>,
    /// Where the next page starts; `None` on the last one.
    pub(super) next: Option<String>,
}

/// The page that `query` asks for, of `keys` in ascending order.
pub(super) fn page(keys: impl IntoIterator<Item = String>, query: Query<'_>) -> Page {
    let mut entries: Vec<Entry> = Vec::new();
    let wanted = keys.into_iter().filter(|key| key.starts_with(query.prefix) && key.as_str() > query.start_after);
    for entry in wanted.map(|key| rolled_up(key, query)) {
        if entry.text() <= query.token || entries.last() == Some(&entry) {
            continue;
        }
        if entries.len() == query.limit {
            let next = entries.last().map(|last| last.text().to_owned());
            return Page { entries, next };
        }
        entries.push(entry);
    }
    Page { entries, next: None }
}

fn rolled_up(mut key: String, query: Query<'_>) -> Entry {
    let delimiter = query.delimiter.filter(|delimiter| !delimiter.is_empty());
    let end = delimiter.and_then(|delimiter| {
        let found = key.get(query.prefix.len()..)?.find(delimiter)?;
        Some(query.prefix.len() + found + delimiter.len())
    });
    match end {
        None => Entry::Key(key),
        Some(end) => {
            key.truncate(end);
            Entry::CommonPrefix(key)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 6] = ["a-b", "a/1", "a/2", "a/b/3", "b", "c/4"];

    fn all_pages(query: Query<'_>) -> Vec<Vec<String>> {
        let mut pages = Vec::new();
        let mut token = String::new();
        loop {
            let page = page(KEYS.map(String::from), Query { token: &token, ..query });
            pages.push(page.entries.iter().map(|entry| entry.text().to_owned()).collect());
            match page.next {
                Some(next) => token = next,
                None => return pages,
            }
        }
    }

    #[test]
    fn keys_under_a_delimiter_are_one_entry_that_no_later_page_repeats() {
        for limit in 1..=5 {
            let query = Query { delimiter: Some("/"), limit, ..Query::default() };
            assert_eq!(all_pages(query).concat(), ["a-b", "a/", "b", "c/"], "limit {limit}");
        }
        let query = Query { delimiter: Some("/"), prefix: "a/", limit: 10, ..Query::default() };
        assert_eq!(all_pages(query).concat(), ["a/1", "a/2", "a/b/"]);
    }

    #[test]
    fn pages_are_full_and_the_last_one_says_so() {
        let query = Query { limit: 3, ..Query::default() };
        assert_eq!(all_pages(query), [vec!["a-b", "a/1", "a/2"], vec!["a/b/3", "b", "c/4"]]);
    }

    #[test]
    fn start_after_leaves_out_the_key_itself() {
        let query = Query { start_after: "a/2", limit: 10, ..Query::default() };
        assert_eq!(all_pages(query).concat(), ["a/b/3", "b", "c/4"]);
    }

    #[test]
    fn a_page_of_nothing_is_the_last() {
        assert_eq!(page(KEYS.map(String::from), Query::default()), Page { entries: vec![], next: None });
    }
}
