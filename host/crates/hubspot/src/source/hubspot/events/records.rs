//! The records whose events are read: all of a type, the members of a list, or those that were changed since a time.
//!
//! Which these are is found out once a run, so that the streams of all types of events ask about the same ones.

use std::sync::Arc;

use jiff::Timestamp;
use sluice_model::{
    problem::nearest,
    stream::{StreamInfo, StreamKind},
};

use crate::source::{
    SourceError,
    hubspot::{
        EventRecords, EventScope, HubSpot, Refused, api, failed,
        ids::Ids,
        members, not_readable,
        paging::{Course, Paging},
        read,
    },
};

impl HubSpot {
    /// The stream of the records that events are read of; `None` where nobody has said of which, or there is no such type.
    pub(in crate::source::hubspot) fn type_of_events(&self) -> Option<StreamInfo> {
        let EventScope { of, .. } = self.events.as_ref()?;
        let known = self.custom.get().map(|custom| custom.types.as_slice()).unwrap_or_default();
        Self::streams_of(known).into_iter().find(|stream| stream.names().any(|name| name == of))
    }

    /// Since when records of this type have to be changed for their events to be read, if that is how it is said of which.
    pub(in crate::source::hubspot) fn events_since_change_of(&self, type_id: &str) -> Option<Timestamp> {
        let EventScope { records: EventRecords::ChangedSince(since), .. } = self.events.as_ref()? else { return None };
        let is_theirs = |stream: &StreamInfo| stream.kind == StreamKind::objects(type_id);
        self.type_of_events().as_ref().is_some_and(is_theirs).then_some(*since)
    }

    /// The ids of the records of this type that events are read of.
    pub(super) async fn ids_for_events(&self, stream: &StreamInfo, type_id: &str) -> Result<Arc<Ids>, SourceError> {
        match self.events.as_ref().map(|scope| &scope.records) {
            None | Some(EventRecords::All) => self.ids(type_id).await,
            Some(EventRecords::ChangedSince(_)) => {
                // Whoever has listed all ids has kept these too.
                self.ids(type_id).await?;
                self.changed.get(type_id, Box::pin(read::list_changed(self, type_id))).await
            }
            Some(EventRecords::InList(name)) => {
                let members = async {
                    let list = self.list_for_events(stream, type_id, name).await?;
                    self.members_of(stream, &list.id).await
                };
                self.event_records.get(type_id, Box::pin(members)).await
            }
        }
    }

    /// How many records that are, and how many requests it takes to find out which.
    pub(in crate::source::hubspot) async fn price_of_ids_for_events(
        &self,
        stream: &StreamInfo,
        type_id: &str,
        ids_are_kept: bool,
    ) -> Option<(u64, u64)> {
        let listing = async || {
            if ids_are_kept { Some(0) } else { self.count_of(type_id).await.map(read::requests_for_ids) }
        };
        match &self.events.as_ref()?.records {
            EventRecords::All => Some((self.count_of(type_id).await?, listing().await?)),
            EventRecords::ChangedSince(since) => Some((self.count_changed(type_id, *since).await?, listing().await?)),
            EventRecords::InList(name) => {
                let list = self.list_for_events(stream, type_id, name).await.ok()?;
                Some((members::size(&list), members::requests_by_list(std::iter::once(&list))))
            }
        }
    }

    /// The list of this id, or of this name.
    ///
    /// # Errors
    /// [`SourceError::NoSuch`] where there is none of that type, or several have the name.
    pub(in crate::source::hubspot) async fn list_for_events(
        &self,
        stream: &StreamInfo,
        type_id: &str,
        name: &str,
    ) -> Result<api::List, SourceError> {
        let lists = self.lists().await?;
        let lists = match lists.as_ref() {
            Ok(lists) => lists,
            Err(Refused { why, cause }) => return Err(not_readable(stream, *why, cause)),
        };
        let of_type: Vec<&api::List> = lists.iter().filter(|list| list.object_type_id == type_id).collect();
        if let Some(list) = of_type.iter().find(|list| list.id == name) {
            return Ok((*list).clone());
        }
        let named: Vec<&api::List> =
            of_type.iter().copied().filter(|list| list.name.as_deref() == Some(name)).collect();
        let (reason, hint) = match named.as_slice() {
            [list] => return Ok((*list).clone()),
            [] => {
                let near = nearest(name, of_type.iter().filter_map(|list| list.name.as_deref()));
                let hint = near.map(|near| format!("did you mean `{near}`?"));
                (format!("the account has no list `{name}` of records of this type"), hint)
            }
            several => {
                let ids: Vec<&str> = several.iter().map(|list| list.id.as_str()).collect();
                let hint = format!("name one by its id: `{}`", ids.join("` or `"));
                (format!("{} lists are called `{name}`", several.len()), Some(hint))
            }
        };
        Err(SourceError::NoSuch { what: format!("events of stream `{}`: {reason}", stream.name), hint })
    }

    /// The members of a list. One that is deleted meanwhile is not there.
    async fn members_of(&self, stream: &StreamInfo, list: &str) -> Result<Ids, SourceError> {
        let what = "members of the list whose events are read";
        let first = self.get(self.paths.members(list)).parameter("limit", members::MOST_MEMBERS.to_string());
        let (mut request, mut ids, mut course) = (first.clone(), Ids::default(), Course::default());
        loop {
            let page: api::ListPage<api::Member> =
                match self.json(&request, members::MOST_MEMBERS).await.map_err(Refused::of) {
                    Ok(page) => page,
                    Err(Ok(Refused { why, cause })) => return Err(not_readable(stream, why, &cause)),
                    Err(Err(cause)) => return Err(failed(what, cause)),
                };
            let missing = page.missing();
            if missing > 0 {
                let listed = page.results.len() + missing;
                return Err(SourceError::Incomplete { what: what.to_owned(), listed, missing });
            }
            let (first_member, after) =
                (page.results.first().map(|it| it.record_id.as_str()), Paging::after(page.paging));
            course
                .page(first_member, after.as_deref())
                .map_err(|why| SourceError::Endless { what: what.to_owned(), why })?;
            for member in &page.results {
                ids.insert(&member.record_id);
            }
            match after {
                Some(after) => request = first.clone().parameter("after", after),
                None => return Ok(ids),
            }
        }
    }
}
