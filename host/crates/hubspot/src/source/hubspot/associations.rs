//! What links between records of two types may mean, asked for once a run, pair by pair.
//!
//! HubSpot lists no pairs: whether there is such a thing as a link between two types is seen when it is asked what one may
//! mean. Where a pair has no meaning in one direction it has none in the other, so that one question does for most pairs; but
//! the meanings themselves have other ids and may have other labels in each direction, and neither is made from the other.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    HubSpot, Refused, api,
    list::{ListError, Listing},
};
use crate::{
    http::HttpError,
    source::{SourceError, Unreadable},
};

/// The meanings that links from one type to another may have, or HubSpot's word that they are not to be seen.
pub(super) type AssociationTypes = Arc<Result<Vec<api::AssociationType>, Refused>>;

impl HubSpot {
    /// What links from records of one type to those of another may mean; nothing, where there can be no link.
    pub(super) async fn association_types(&self, from: &str, to: &str) -> Result<AssociationTypes, SourceError> {
        if to < from {
            let other = self.listed_association_types(to, from).await?;
            if other.as_ref().as_ref().is_ok_and(Vec::is_empty) {
                return Ok(other);
            }
        }
        self.listed_association_types(from, to).await
    }

    /// The pairs of these types of which nobody has asked yet what a link may mean, in one direction.
    pub(super) fn unasked_pairs(&self, types: &[&str]) -> u64 {
        let pairs = types.iter().flat_map(|from| types.iter().map(move |to| (from, to)));
        pairs.filter(|(from, to)| from <= to && !self.association_types.knows(&pair(from, to))).count() as u64
    }

    async fn listed_association_types(&self, from: &str, to: &str) -> Result<AssociationTypes, SourceError> {
        let list = async {
            let listed = self.of_either_date(|paths| paths.association_types(from, to)).await;
            listed.or_refused(&format!("association types from `{from}` to `{to}`"))
        };
        self.association_types.get(&pair(from, to), list).await
    }

    /// How many links of each meaning a record may have, where the account has set limits; nothing, if they are not to be seen.
    pub(super) async fn association_limits(&self) -> Result<BTreeMap<(String, String), i64>, SourceError> {
        let listed = self.of_either_date(api::Paths::association_limits).await;
        let limits: Vec<api::AssociationLimit> = match listed.or_refused("limits of associations")? {
            Ok(limits) => limits,
            Err(Refused { why, cause }) => {
                let error = sluice_model::error_chain(&cause);
                tracing::info!(?why, error, "limits of associations are not told");
                Vec::new()
            }
        };
        let limit = |it: api::AssociationLimit| Some(((it.category, it.type_id), it.user_enforced_max_to_object_ids?));
        Ok(limits.into_iter().filter_map(limit).collect())
    }

    /// A list that this version of the API should have, and that the last one surely has. Sources differ on which families
    /// came with the newer version; HubSpot's own word decides.
    async fn of_either_date<T: super::list::Listed>(
        &self,
        path: impl Fn(api::Paths) -> String,
    ) -> Result<Vec<T>, ListError> {
        let listed = self.all(self.get(path(self.paths))).await;
        match (listed, self.paths.of_march()) {
            (Err(ListError::Http(error)), Some(march)) if is_absent(&error) => {
                // What the older one says counts, if it says more than that there is no such thing.
                match self.all(self.get(path(march))).await {
                    Err(ListError::Http(other)) if is_absent(&other) => Err(ListError::Http(error)),
                    answer => answer,
                }
            }
            (listed, _) => listed,
        }
    }
}

/// What the answer about a pair is kept under.
fn pair(from: &str, to: &str) -> String {
    format!("{from}/{to}")
}

/// Whether HubSpot says that there is no such thing.
fn is_absent(error: &HttpError) -> bool {
    Refused::why(error) == Some(Unreadable::Absent)
}
