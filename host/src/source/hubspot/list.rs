//! Lists of definitions, read whole: page after page, each thing once.
//!
//! HubSpot gives most of them on one page today. Where it names a next one, that is asked for as well: what is not read is
//! not marked.

use std::collections::HashSet;

use serde::de::DeserializeOwned;

use super::{
    HubSpot, api, failed,
    paging::{Course, Paging},
};
use crate::{
    http::{HttpError, Request},
    source::SourceError,
};

/// Why there is no list.
#[derive(Debug)]
pub(super) enum ListError {
    Http(HttpError),
    Endless(&'static str),
    /// A page that says of itself that things are missing.
    Incomplete {
        listed: usize,
        missing: usize,
    },
}

impl ListError {
    /// The error that ends the reading of `what`.
    pub(super) fn into_error(self, what: &str) -> SourceError {
        match self {
            Self::Http(cause) => failed(what, cause),
            Self::Endless(why) => SourceError::Endless { what: what.to_owned(), why },
            Self::Incomplete { listed, missing } => SourceError::Incomplete { what: what.to_owned(), listed, missing },
        }
    }
}

/// A thing in a list.
pub(super) trait Listed: DeserializeOwned + Send {
    /// What no other thing of its list shares with it.
    fn key(&self) -> &str;
}

impl Listed for api::Property {
    fn key(&self) -> &str {
        &self.name
    }
}

impl Listed for api::ObjectSchema {
    fn key(&self) -> &str {
        &self.object_type_id
    }
}

impl Listed for api::Owner {
    fn key(&self) -> &str {
        &self.id
    }
}

impl Listed for api::Pipeline {
    fn key(&self) -> &str {
        &self.id
    }
}

impl HubSpot {
    /// All of a list, from its first page on. What is listed twice is given once.
    pub(super) async fn all<T: Listed>(&self, request: Request) -> Result<Vec<T>, ListError> {
        let mut all = Vec::new();
        let mut keys = HashSet::new();
        let mut course = Course::default();
        let mut page = request.clone();
        loop {
            let answer: api::ListPage<T> = self.client.json(&page).await.map_err(ListError::Http)?;
            let missing = answer.missing();
            if missing > 0 {
                return Err(ListError::Incomplete { listed: answer.results.len() + missing, missing });
            }
            let after = Paging::after(answer.paging);
            course.page(answer.results.first().map(Listed::key), after.as_deref()).map_err(ListError::Endless)?;
            all.extend(answer.results.into_iter().filter(|thing| keys.insert(thing.key().to_owned())));
            match after {
                Some(after) => page = request.clone().parameter("after", after),
                None => return Ok(all),
            }
        }
    }
}
