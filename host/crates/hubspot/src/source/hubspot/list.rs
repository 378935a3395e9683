//! Lists of definitions, read whole, page after page.
//!
//! HubSpot gives most of them on one page today. Where it names a next one, that is asked for as well: what is not read is
//! not marked.

use std::collections::HashSet;

use serde::de::DeserializeOwned;
use sluice_model::stream::StreamInfo;

use super::{
    HubSpot, Refused, api, failed,
    json::LONGEST_LIST,
    paging::{Course, Paging},
    unread,
};
use crate::{
    http::{HttpError, Request},
    source::SourceError,
};

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

    /// What it takes beside itself and its texts, in bytes.
    fn parts(&self) -> usize {
        0
    }
}

impl Listed for api::Property {
    fn key(&self) -> &str {
        &self.name
    }

    fn parts(&self) -> usize {
        size_of_val(&*self.sensitive_data_categories)
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

    fn parts(&self) -> usize {
        size_of_val(&*self.teams)
    }
}

impl Listed for api::Pipeline {
    fn key(&self) -> &str {
        &self.id
    }

    fn parts(&self) -> usize {
        size_of_val(&*self.stages)
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

    fn parts(&self) -> usize {
        size_of_val(&*self.properties) + self.properties.iter().map(Listed::parts).sum::<usize>()
    }
}

impl Listed for api::AccountUser {
    fn key(&self) -> &str {
        &self.id
    }

    fn parts(&self) -> usize {
        size_of_val(&*self.secondary_team_ids) + size_of_val(&*self.role_ids)
    }
}

impl Listed for api::Team {
    fn key(&self) -> &str {
        &self.id
    }

    fn parts(&self) -> usize {
        size_of_val(&*self.user_ids) + size_of_val(&*self.secondary_user_ids)
    }
}

impl<T: Listed> api::ListPage<T> {
    /// What its things take beside their texts, in bytes.
    fn size(&self) -> usize {
        size_of_val(&*self.results) + self.results.iter().map(Listed::parts).sum::<usize>()
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
        let asked = self.json::<api::ListPage<T>>(&first, 1).await;
        asked.map(drop).map_err(|error| unread(stream, what, error))
    }

    /// All of a list that nobody can ask for a part of, but for the pages that it may come in ([`Self::all_by`]).
    pub(super) async fn all<T: Listed>(&self, request: Request) -> Result<Vec<T>, ListError> {
        self.pages(request, LONGEST_LIST).await
    }

    /// All of a list that comes by so many things a page.
    pub(super) async fn all_by<T: Listed>(&self, most: usize, request: Request) -> Result<Vec<T>, ListError> {
        self.pages(request.parameter("limit", most.to_string()), most).await
    }

    /// All of a list, from its first page on, as it is listed: what stands in it twice may say two things.
    async fn pages<T: Listed>(&self, request: Request, most: usize) -> Result<Vec<T>, ListError> {
        let mut all = Vec::new();
        let mut course = Course::default();
        let mut page = request.clone();
        let size = |body: &bytes::Bytes, page: &api::ListPage<T>| body.len() + page.size();
        loop {
            let answer: api::ListPage<T> = self.definitions(&page, most, size).await.map_err(ListError::Http)?;
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
