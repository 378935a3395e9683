//! Lists of definitions, read whole, page after page.
//!
//! HubSpot gives most of them on one page today. Where it names a next one, that is asked for as well: what is not read is
//! not marked.

use std::collections::HashSet;

use serde::de::DeserializeOwned;
use sluice_model::stream::StreamInfo;

use super::{
    HubSpot, Refused, api, failed,
    paging::{Course, Paging},
    unread,
};
use crate::{
    http::{HttpError, Request},
    source::SourceError,
};

/// Things in a list, at most. Accounts have thousands of owners and properties.
const LONGEST_LIST: usize = 200_000;

/// The first of each of what may be listed twice.
pub(super) fn distinct<T: Listed>(all: Vec<T>) -> Vec<T> {
    let mut keys = HashSet::new();
    all.into_iter().filter(|thing| keys.insert(thing.key().to_owned())).collect()
}

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

/// The outcome of listing something that may not be there.
pub(super) trait Listing<T> {
    /// The list, or HubSpot's own word that there is none; any other failure ends the reading of `what`.
    fn or_refused(self, what: &str) -> Result<Result<Vec<T>, Refused>, SourceError>;
}

impl<T> Listing<T> for Result<Vec<T>, ListError> {
    fn or_refused(self, what: &str) -> Result<Result<Vec<T>, Refused>, SourceError> {
        match self {
            Ok(list) => Ok(Ok(list)),
            Err(ListError::Http(cause)) => Refused::of(cause).map(Err).map_err(|cause| failed(what, cause)),
            Err(cause) => Err(cause.into_error(what)),
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

impl Listed for api::AssociationType {
    /// Unique among those of a category.
    fn key(&self) -> &str {
        &self.type_id
    }
}

impl Listed for api::AssociationLimit {
    /// Unique among those of a category.
    fn key(&self) -> &str {
        &self.type_id
    }
}

impl Listed for api::List {
    fn key(&self) -> &str {
        &self.id
    }
}

impl Listed for api::EventDefinition {
    fn key(&self) -> &str {
        &self.fully_qualified_name
    }
}

impl Listed for api::AccountUser {
    fn key(&self) -> &str {
        &self.id
    }
}

impl Listed for api::Team {
    fn key(&self) -> &str {
        &self.id
    }
}

impl HubSpot {
    /// Asks for the first thing of a list, to see whether it may be read.
    pub(super) async fn try_first<T: Listed>(
        &self,
        path: String,
        what: &str,
        stream: &StreamInfo,
    ) -> Result<(), SourceError> {
        let first = self.get(path).parameter("limit", "1");
        let asked = self.json::<api::ListPage<T>>(&first).await;
        asked.map(drop).map_err(|error| unread(stream, what, error))
    }

    /// All of a list, from its first page on, as it is listed: what stands in it twice may say two things.
    pub(super) async fn all<T: Listed>(&self, request: Request) -> Result<Vec<T>, ListError> {
        let mut all = Vec::new();
        let mut course = Course::default();
        let mut page = request.clone();
        loop {
            let answer: api::ListPage<T> = self.json(&page).await.map_err(ListError::Http)?;
            let missing = answer.missing();
            if missing > 0 {
                return Err(ListError::Incomplete { listed: answer.results.len() + missing, missing });
            }
            let after = Paging::after(answer.paging);
            course.page(answer.results.first().map(Listed::key), after.as_deref()).map_err(ListError::Endless)?;
            all.extend(answer.results);
            if all.len() > LONGEST_LIST {
                return Err(ListError::Endless("there are more than any account has"));
            }
            match after {
                Some(after) => page = request.clone().parameter("after", after),
                None => return Ok(all),
            }
        }
    }
}
