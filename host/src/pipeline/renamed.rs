//! What has another name than one would think, since another thing of the account is called nearly the same.

use std::fmt;

use sluice_model::schema::{Field, attribute};
use sluice_plan::StreamPlan;

/// A stream or a column that has another name than one would think.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// What HubSpot calls the property; `None` for the object type itself.
    pub property: Option<String>,
    /// The name that one would think of, and that another has too.
    pub shared: String,
    /// The name it has.
    pub name: String,
}

/// What has another name in a stream: the stream itself, and columns that are requested.
pub fn of(stream: &StreamPlan) -> Vec<Renamed> {
    let itself = stream.stream.shared_name.iter().map(|shared| Renamed {
        property: None,
        shared: shared.clone(),
        name: stream.stream.name.clone(),
    });
    let is_itself = |field: &&Field| !field.attributes.contains_key(attribute::UNPARSED_OF);
    let columns = stream.requested().filter(is_itself).filter_map(|field| {
        Some(Renamed {
            property: Some(field.attributes.get(attribute::PROPERTY)?.clone()),
            shared: field.attributes.get(attribute::SHARED_NAME)?.clone(),
            name: field.name.clone(),
        })
    });
    itself.chain(columns).collect()
}

impl fmt::Display for Renamed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { property, shared, name } = self;
        match property {
            Some(property) => write!(
                formatter,
                "property `{property}` is column `{name}`, since `{shared}` differs from another column's name in case alone"
            ),
            None => write!(
                formatter,
                "object type `{shared}` is stream `{name}`, since another type is called `{shared}` too"
            ),
        }
    }
}
