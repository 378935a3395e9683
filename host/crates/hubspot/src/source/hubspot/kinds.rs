//! The kinds of streams that HubSpot has, a file each: its columns, what it is made of, how it is read.
//!
//! [`KINDS`] is the table of all. A further kind is a variant of [`StreamKind`], which says what the kind carries and what it
//! is called, a file here that implements [`Kind`], and a row in the table; nothing else asks what a stream is of.
//! Kinds that are lists of definitions share [`definitions`], and need to say no more than their columns and rows.

mod account_users;
mod association_definitions;
pub(super) mod associations;
mod definitions;
pub(super) mod events;
pub(super) mod history;
mod lists;
pub(super) mod memberships;
mod objects;
mod owner_teams;
mod owners;
mod pipeline_stages;
mod pipelines;
mod property_definitions;
mod teams;
mod type_definitions;

use std::sync::Arc;

use async_trait::async_trait;
use sluice_model::{
    schema::{Attributes, Field, Schema, attribute},
    stream::{StreamInfo, StreamKind},
};

use super::HubSpot;
use crate::source::{Price, ReadRequest, Reading, SourceError};

/// One kind of streams.
#[async_trait]
pub(super) trait Kind: Sync {
    /// Whether it is this kind.
    fn is(&self, kind: &StreamKind) -> bool;

    /// Its streams that the account offers.
    async fn streams(&self, hubspot: &HubSpot) -> Result<Vec<StreamInfo>, SourceError>;

    /// The schema of one of them.
    async fn schema(&self, hubspot: &HubSpot, stream: &StreamInfo) -> Result<Schema, SourceError>;

    /// Whether HubSpot says how many rows one has.
    fn is_counted(&self) -> bool {
        false
    }

    /// How many rows one of them has now, where HubSpot says so in one answer. Of a kind that is counted.
    async fn count(&self, _: &HubSpot, _: &StreamInfo) -> Option<u64> {
        None
    }

    /// What reading one of them costs; `None`: not known. `ids_are_kept`: whether its [`needs`](Self::needs) cost nothing.
    async fn price(&self, _: &HubSpot, _: &ReadRequest, _ids_are_kept: bool) -> Option<Price> {
        None
    }

    /// The object types whose ids one of them is asked with, each by [`HubSpot::ids`].
    fn needs(&self, _: &HubSpot, _: &StreamInfo) -> Vec<String> {
        Vec::new()
    }

    /// Tries whether one of them may be read.
    async fn try_read(&self, hubspot: &HubSpot, request: &ReadRequest) -> Result<(), SourceError>;

    /// Begins to read one of them.
    fn open(&self, hubspot: &HubSpot, request: ReadRequest) -> Arc<dyn Reading>;
}

/// All kinds, in the order in which their streams are offered.
pub(super) const KINDS: [&dyn Kind; 15] = [
    &objects::Objects,
    &associations::Associations,
    &association_definitions::AssociationDefinitions,
    &lists::Lists,
    &memberships::Memberships,
    &events::Events,
    &history::History,
    &owners::Owners,
    &owner_teams::OwnerTeams,
    &teams::Teams,
    &account_users::AccountUsers,
    &pipelines::Pipelines,
    &pipeline_stages::PipelineStages,
    &property_definitions::PropertyDefinitions,
    &type_definitions::TypeDefinitions,
];

/// The kind of a stream.
pub(super) fn of(stream: &StreamInfo) -> &'static dyn Kind {
    let kind = KINDS.into_iter().find(|kind| kind.is(&stream.kind));
    kind.unwrap_or_else(|| unreachable!("every kind stands in the table"))
}

/// A schema of these columns, with what the contract's attributes say of their stream.
fn schema(stream: &StreamInfo, fields: Vec<Field>) -> Schema {
    let mut attributes = Attributes::from([(attribute::KIND.to_owned(), stream.kind.to_string())]);
    if let Some(id) = stream.kind.type_id() {
        attributes.insert(attribute::OBJECT_TYPE_ID.to_owned(), id.to_owned());
    }
    if let Some(name) = &stream.fully_qualified_name {
        attributes.insert(attribute::FULLY_QUALIFIED_NAME.to_owned(), name.clone());
    }
    Schema { name: stream.shown_name(), fields, attributes }
}
