//! Links between the records of two types: asked for by the ids of the records of the first, a thousand at once.
//!
//! An answer holds the links of each record that has any, and an error for each that has none, which is as good an answer.
//! A record with very many comes in pages of its own, and is asked for again among the next ones. So whatever is asked for is
//! followed up: each id must come back as a record, as one without links, or as one that is gone by now; an answer that lacks
//! one, or refuses one for another reason, is asked for again as a whole, as long as patience lasts.
//!
//! HubSpot has been seen to say a link twice, and may give the links of one record on two pages that overlap. A link that has
//! come is not delivered again. That a record at the other end is gone is no reason to leave a link out.

mod answer;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use serde_json::json;
use sluice_model::delivery::Delivery;

use self::answer::{Answer, Asked, Came, Decoder};
use super::{
    HubSpot, Refused, api,
    ids::Ids,
    paging::Course,
    ranged::{Counted, Take, Units},
    unread,
};
use crate::{
    http::{HttpError, PageSize, Request},
    source::{Beyond, DeliverySender, ReadRequest, SourceError, Unreadable},
};

/// Records that are asked for at once: the most that the API allows.
const MOST_RECORDS: u32 = 1000;

/// Links that an answer should not have many more of: some megabytes. Where records have so many, fewer are asked for at once.
const MANY_LINKS: usize = 50_000;

/// Attempts at an answer that is too much for the server before fewer records are asked for.
const ATTEMPTS_BEFORE_HALVING: u32 = 3;

/// The label of the one link that HubSpot takes for the main one, where links between two types can be that.
const PRIMARY: &str = "Primary";

/// The category of meanings that every account has.
const HUBSPOT_DEFINED: &str = "HUBSPOT_DEFINED";

/// Requests that the links of so many records take, none of which has more than one answer tells.
pub(super) fn requests(records: u64) -> u64 {
    records.div_ceil(u64::from(MOST_RECORDS))
}

/// Which meanings are the main ones of their pair of types: the primary one, where the pair has it, and otherwise those
/// without a label. HubSpot's data share has a column that says so, and the API says it nowhere.
#[derive(Debug, Default)]
pub(super) struct Mains(HashSet<(String, String)>);

impl Mains {
    /// Of these meanings.
    pub(super) fn of(types: &[api::AssociationType]) -> Self {
        let is_primary =
            |it: &&api::AssociationType| it.category == HUBSPOT_DEFINED && it.label.as_deref() == Some(PRIMARY);
        let has_primary = types.iter().any(|it| is_primary(&it));
        let is_main = |it: &&api::AssociationType| if has_primary { is_primary(it) } else { it.label.is_none() };
        Self(types.iter().filter(is_main).map(|it| (it.category.clone(), it.type_id.clone())).collect())
    }

    /// Whether this is one of them.
    pub(super) fn has(&self, category: &str, type_id: &str) -> bool {
        self.0.iter().any(|main| main.0 == category && main.1 == type_id)
    }
}

/// The links of one association, while they are read.
pub(super) struct Links {
    hubspot: HubSpot,
    request: ReadRequest,
    from: String,
    to: String,
    decoder: Decoder,
    known: OnceLock<Known>,
}

/// What is known before the first answer.
struct Known {
    ids: Arc<Ids>,
    mains: Mains,
}

/// Records of which some links have come, while they are asked for more.
#[derive(Debug, Default)]
struct Paged {
    /// The links that have come.
    seen: HashMap<String, Came>,
    courses: HashMap<String, Course>,
}

impl Links {
    pub(super) fn new(hubspot: &HubSpot, request: ReadRequest, from: &str, to: &str) -> Self {
        Self {
            hubspot: hubspot.clone(),
            from: from.to_owned(),
            to: to.to_owned(),
            decoder: Decoder::new(&request, from, to),
            request,
            known: OnceLock::new(),
        }
    }

    /// Asks for the links of a record that need not be there: whether they may be asked for is all that is of interest.
    pub(super) async fn try_one(&self) -> Result<(), SourceError> {
        let anyone = [Asked { id: "1".to_owned(), after: None }];
        match self.ask(&anyone, &HashMap::new(), &Mains::default()).await {
            // That there is no such record, however it is said.
            Err(error) if Refused::why(&error) == Some(Unreadable::Absent) => Ok(()),
            asked => asked.map(drop).map_err(|error| self.error(error)),
        }
    }

    async fn ask(&self, asked: &[Asked], seen: &HashMap<String, Came>, mains: &Mains) -> Result<Answer, HttpError> {
        let input = |asked: &Asked| match &asked.after {
            Some(after) => json!({ "id": asked.id, "after": after }),
            None => json!({ "id": asked.id }),
        };
        let body = json!({ "inputs": asked.iter().map(input).collect::<Vec<_>>() });
        let path = self.hubspot.paths.links(&self.from, &self.to);
        let request = Request::post(&self.hubspot.general, path, &body);
        let request = if asked.len() > 1 { request.overload_attempts(ATTEMPTS_BEFORE_HALVING) } else { request };
        self.hubspot.client.decoded(&request, |body| self.decoder.decode(body, asked, seen, mains)).await
    }

    fn what(&self) -> String {
        format!("links of stream `{}`", self.request.stream.name)
    }

    fn error(&self, error: HttpError) -> SourceError {
        unread(&self.request.stream, &self.what(), error)
    }
}

impl Paged {
    /// Notes what has come of the records that were asked for.
    fn came(&mut self, asked: &[Asked], answer: &mut Answer) -> Result<(), &'static str> {
        for asked in asked.iter().filter(|asked| asked.after.is_some()) {
            if !answer.follow.iter().any(|follow| follow.id == asked.id) {
                self.seen.remove(&asked.id);
                self.courses.remove(&asked.id);
            }
        }
        for (follow, links) in answer.follow.iter().zip(answer.paged.drain(..)) {
            let course = self.courses.entry(follow.id.clone()).or_default();
            course.page(links.any().as_deref(), follow.after.as_deref())?;
            self.seen.entry(follow.id.clone()).or_default().add(links);
        }
        Ok(())
    }
}

#[async_trait]
impl Units for Links {
    async fn count(&self) -> Result<Counted, SourceError> {
        let ids = self.hubspot.ids(&self.from).await?;
        let types = self.hubspot.association_types(&self.from, &self.to).await?;
        let mains = types.as_ref().as_ref().map(|types| Mains::of(types)).unwrap_or_default();
        let known = self.known.get_or_init(|| Known { ids, mains });
        Ok(Counted { units: known.ids.len(), a_request: u64::from(MOST_RECORDS) })
    }

    async fn read(&self, take: &Take, deliveries: &DeliverySender) -> Result<Beyond, SourceError> {
        let Some(Known { ids, mains }) = self.known.get() else { return Ok(Beyond::default()) };
        let mut size = PageSize::new(MOST_RECORDS);
        let mut paged = Paged::default();
        let mut next: Vec<Asked> = Vec::new();
        loop {
            let most = size.get() as usize;
            if let Some(room @ 1..) = most.checked_sub(next.len()) {
                next.extend(ids.range(take.some(room as u64)).map(|id| Asked { id: id.into_owned(), after: None }));
            }
            if next.is_empty() {
                return Ok(Beyond::default());
            }
            let asked: Vec<Asked> = next.drain(..next.len().min(most)).collect();
            let mut answer = match self.ask(&asked, &paged.seen, mains).await {
                Ok(answer) => answer,
                Err(error) if error.asks_too_much() && size.halve() => {
                    let records = size.get();
                    tracing::warn!(
                        stream = self.request.stream.name,
                        records,
                        "answers are too large, asking for less"
                    );
                    next.splice(0..0, asked);
                    continue;
                }
                Err(error) => return Err(self.error(error)),
            };
            if answer.rows <= MANY_LINKS {
                size.good();
            } else if !size.halve() {
                tracing::debug!(
                    stream = self.request.stream.name,
                    rows = answer.rows,
                    "one record has very many links"
                );
            }
            paged.came(&asked, &mut answer).map_err(|why| SourceError::Endless { what: self.what(), why })?;
            self.request.seen.add(answer.rows);
            next.append(&mut answer.follow);
            for batch in answer.batches {
                if deliveries.send(Delivery::of_whole(batch)).await.is_err() {
                    return Ok(Beyond::default());
                }
            }
        }
    }
}
