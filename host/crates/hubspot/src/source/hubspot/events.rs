//! What has happened to records, of one type of events: asked for record by record, which is the only way that HubSpot documents.
//!
//! A record may have none, a few, or very many, which come in pages; so its price is a request for each record, about. Which
//! records, [`records`] says; what their occurrences may hold, [`types`].
//!
//! A record that is gone since its id was listed has none. A type of events that is gone is none any more: HubSpot answers the
//! same for both, so it is asked which types there are.

mod answer;
mod records;
pub(super) mod types;

use std::{
    collections::{BTreeSet, HashSet},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use async_trait::async_trait;
use http::StatusCode;
use sluice_model::{delivery::Delivery, schema::attribute, stream::EventType};

use self::answer::{Asked, Decoder, Odd, Role};
use super::{
    HubSpot, Refused,
    batches::{Numbered, Strands},
    ids::Ids,
    paging::Course,
    ranged::{Counted, Take, Units},
    read::LONGEST_URL,
    unread,
};
use crate::{
    http::{HttpError, Request},
    source::{Beyond, DeliverySender, Read, ReadRequest, SourceError, Unreadable},
};

/// Occurrences a page. HubSpot says no most; a hundred is what it is known to give.
const MOST_OCCURRENCES: u32 = 100;

/// An id as long as any, and room for the position of a page behind it.
const LONGEST_ID: &str = "18446744073709551615999999999999999999999999999999999999999999999999999999999999999999999999";

/// What is asked for where no property is wanted: asking for none brings all.
const NO_PROPERTY: &str = "none";

/// Names of properties without a column that are shown.
const MOST_NAMES: usize = 10;

/// The events of one type, while they are read.
pub(super) struct Events {
    hubspot: HubSpot,
    request: ReadRequest,
    event_type: EventType,
    of: String,
    decoder: Decoder,
    known: OnceLock<Known>,
    odd: Mutex<Odd>,
}

/// What is known before the first answer.
struct Known {
    ids: Arc<Ids>,
    defined: HashSet<String>,
    asks_for: AskedFor,
}

/// The properties that are asked for; `None`: whatever there is, since nothing that is known of is left out.
type AskedFor = Option<Vec<String>>;

impl Events {
    pub(super) fn new(hubspot: &HubSpot, request: ReadRequest, event_type: &EventType, of: &str) -> Self {
        let id = event_type.id.as_deref().unwrap_or(&event_type.full_name);
        Self {
            hubspot: hubspot.clone(),
            event_type: event_type.clone(),
            of: of.to_owned(),
            decoder: Decoder::new(&request, &event_type.full_name, id, of),
            request,
            known: OnceLock::new(),
            odd: Mutex::default(),
        }
    }

    /// Asks for the events of a record that need not be there: whether they may be asked for is all that is of interest.
    pub(super) async fn try_one(&self) -> Result<(), SourceError> {
        let asks_for = self.asked_for(&self.defined().await?);
        self.is_askable(&asks_for)?;
        match self.hubspot.json::<serde::de::IgnoredAny>(&self.of_record("1", 1, &asks_for), 1).await {
            Ok(_) => Ok(()),
            Err(error) => self.is_gone(error).await,
        }
    }

    /// The properties that are known of.
    async fn defined(&self) -> Result<HashSet<String>, SourceError> {
        let properties = self.hubspot.event_properties(&self.request.stream, &self.event_type, &self.of).await?;
        Ok(properties.into_iter().map(|property| property.name).collect())
    }

    /// What is not wanted is not asked for. Where all is wanted that is known of, what is not known of comes too, and is counted.
    fn asked_for(&self, defined: &HashSet<String>) -> AskedFor {
        let columns = self.request.columns.iter();
        let wanted: BTreeSet<&String> = columns.filter_map(|field| field.attributes.get(attribute::PROPERTY)).collect();
        if defined.iter().all(|name| wanted.contains(name)) {
            return None;
        }
        let none = || vec![NO_PROPERTY.to_owned()];
        Some(if wanted.is_empty() { none() } else { wanted.into_iter().cloned().collect() })
    }

    /// Whether what is asked for can be told in a URL: what is not wanted must not be asked for because it cannot.
    fn is_askable(&self, asks_for: &AskedFor) -> Result<(), SourceError> {
        if self.hubspot.client.url_length(&self.of_record(LONGEST_ID, MOST_OCCURRENCES, asks_for)) <= LONGEST_URL {
            return Ok(());
        }
        Err(SourceError::NoSuch {
            what: format!("no URL can hold so many properties as stream `{}` is asked for", self.request.stream.name),
            hint: Some("leave more of them out, or none, so that all are asked for without their names".to_owned()),
        })
    }

    fn of_record(&self, id: &str, most: u32, asks_for: &AskedFor) -> Request {
        let request = self
            .hubspot
            .get(self.hubspot.paths.occurrences())
            .parameter("objectType", &self.of)
            .parameter("objectId", id)
            .parameter("eventType", &self.event_type.full_name)
            .parameter("limit", most.to_string());
        let names = asks_for.iter().flatten();
        let request = names.fold(request, |request, name| request.parameter("properties", name));
        match self.hubspot.events.as_ref().and_then(|scope| scope.since) {
            Some(since) => request.parameter("occurredAfter", since.to_string()),
            None => request,
        }
    }

    /// Reads what has happened to a record, page after page. `false`: nobody wants it.
    async fn read_record(
        &self,
        id: &str,
        Known { ids, defined, asks_for }: &Known,
        strands: &Mutex<Strands<'_, Role>>,
        deliveries: &DeliverySender,
        beyond: &mut Beyond,
    ) -> Result<bool, SourceError> {
        let first = self.of_record(id, MOST_OCCURRENCES, asks_for);
        let (mut request, mut seen, mut course) = (first.clone(), HashSet::new(), Course::default());
        loop {
            let asked = Asked { id, ids, defined, seen: &seen };
            let page = self.hubspot.client.decoded(&request, |body| {
                // Whoever panicked with it has ended the reading.
                self.decoder.page(body, asked, &mut strands.lock().unwrap_or_else(PoisonError::into_inner))
            });
            let page = match page.await {
                Ok(page) => page,
                Err(error) => return self.is_gone(error).await.map(|()| true),
            };
            course
                .page(page.first.as_deref(), page.after.as_deref())
                .map_err(|why| SourceError::Endless { what: self.what(), why })?;
            self.request.seen.add(page.rows);
            beyond.undefined += page.odd.undefined;
            self.odd.lock().unwrap_or_else(PoisonError::into_inner).add(page.odd);
            seen.extend(page.new);
            if !self.deliver(page.due, deliveries).await {
                return Ok(false);
            }
            match page.after {
                Some(after) => request = first.clone().parameter("after", after),
                None => return Ok(true),
            }
        }
    }

    /// Whether an error says no more than that the record is gone; otherwise what it is.
    async fn is_gone(&self, error: HttpError) -> Result<(), SourceError> {
        if Refused::why(&error) != Some(Unreadable::Absent) {
            return Err(self.error(error));
        }
        if !self.hubspot.is_event_type(&self.event_type.full_name).await? {
            return Err(self.error(error));
        }
        // That something is wrong with the question is no word on the record.
        if error.status() == Some(StatusCode::BAD_REQUEST) { Err(self.error(error)) } else { Ok(()) }
    }

    async fn deliver(&self, batches: Numbered, deliveries: &DeliverySender) -> bool {
        for (_, batch) in batches {
            if deliveries.send(Delivery::of_whole(batch)).await.is_err() {
                return false;
            }
        }
        true
    }

    fn what(&self) -> String {
        format!("occurrences of stream `{}`", self.request.stream.name)
    }

    fn error(&self, error: HttpError) -> SourceError {
        unread(&self.request.stream, &self.what(), error)
    }
}

#[async_trait]
impl Units for Events {
    async fn count(&self) -> Result<Counted, SourceError> {
        let stream = &self.request.stream;
        let defined = self.defined().await?;
        let ids = self.hubspot.ids_for_events(stream, &self.of).await?;
        let known = Known { ids, asks_for: self.asked_for(&defined), defined };
        Ok(Counted { units: self.known.get_or_init(|| known).ids.len(), a_request: 1 })
    }

    fn ids(&self) -> Option<Arc<Ids>> {
        self.known.get().map(|known| Arc::clone(&known.ids))
    }

    async fn read(&self, take: &Take, deliveries: &DeliverySender) -> Result<Beyond, SourceError> {
        let mut beyond = Beyond::default();
        let Some(known) = self.known.get() else { return Ok(beyond) };
        let strands = Mutex::new(Strands::new(self.decoder.layout()));
        loop {
            let next = known.ids.range(take.some(1)).next().map(std::borrow::Cow::into_owned);
            let Some(id) = next else { break };
            if !self.read_record(&id, known, &strands, deliveries, &mut beyond).await? {
                return Ok(beyond);
            }
        }
        let rest = strands.lock().unwrap_or_else(PoisonError::into_inner).rest();
        let rest = rest.map_err(|cause| SourceError::Batch { stream: self.request.stream.name.clone(), cause })?;
        self.deliver(rest, deliveries).await;
        Ok(beyond)
    }

    async fn remarks(&self) -> Result<Read, SourceError> {
        let odd = std::mem::take(&mut *self.odd.lock().unwrap_or_else(PoisonError::into_inner));
        let stream = &self.request.stream.name;
        if odd.times > 0 {
            tracing::warn!(stream, occurrences = odd.times, "`occurredAt` is no time");
        }
        if odd.undefined > 0 {
            let names: Vec<String> = odd
                .names
                .iter()
                .take(MOST_NAMES)
                .map(|name| sluice_model::printable::printable(name, LONGEST_SHOWN))
                .collect();
            let (values, properties) = (odd.undefined, names.join(", "));
            tracing::warn!(stream, values, properties, "values of properties that nothing names have no column");
        }
        Ok(Read::default())
    }
}

/// Characters of a property's name that are shown.
const LONGEST_SHOWN: usize = 60;
