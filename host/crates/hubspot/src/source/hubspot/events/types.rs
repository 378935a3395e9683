//! Which types of events there are, and what is known of their properties; each asked for once a run.
//!
//! HubSpot lists the full names of all types, and describes those that the account has defined itself, with their properties,
//! types and sensitivity. It describes nowhere what its own events and those of apps have: of these the newest occurrences are
//! looked at, and what they have is text.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
    sync::Arc,
};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use sluice_model::stream::{EventType, StreamInfo, StreamKind};

use crate::source::{
    SourceError, Unreadable,
    hubspot::{
        HubSpot, Refused, api, failed, json,
        list::{self, Listing},
        names, not_readable, sensitivity,
        sensitivity::Sensitivity,
    },
};

/// What messages call them.
const WHAT: &str = "types of events";

/// Occurrences of a type that are looked at for the names of its properties: a page.
const SAMPLE: usize = 100;

/// Definitions a page.
const DEFINITIONS: usize = 100;

/// The type of the properties that nothing but occurrences tell of.
const TEXT: &str = "string";

/// The types of events, as HubSpot has told of them.
#[derive(Debug)]
pub(in crate::source::hubspot) struct Types {
    full_names: Vec<String>,
    /// The account's own; the refusal, where they are not to be seen.
    definitions: Result<HashMap<String, api::EventDefinition>, Refused>,
}

#[derive(Debug, Deserialize)]
struct Sample {
    results: Vec<Sampled>,
}

/// An occurrence, of which only what its properties are called is of interest: no value is held.
#[derive(Debug, Deserialize)]
struct Sampled {
    #[serde(default, deserialize_with = "json::or_default")]
    properties: Names,
}

/// The names of what an object has.
#[derive(Debug, Default)]
struct Names(BTreeSet<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Names;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                let mut names = BTreeSet::new();
                while let Some((name, IgnoredAny)) = map.next_entry()? {
                    names.insert(name);
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl HubSpot {
    /// All types of events.
    ///
    /// # Errors
    /// [`SourceError::NotReadable`] of a stream `events`, where they are not to be seen: whoever names events has to be told.
    pub(in crate::source::hubspot) async fn all_event_types(&self, of: &str) -> Result<Vec<EventType>, SourceError> {
        let types = self.types_of_events(of).await?;
        let id = |name: &str| types.definitions.as_ref().ok()?.get(name)?.object_type_id.clone();
        Ok(types.full_names.iter().map(|name| EventType { full_name: name.clone(), id: id(name) }).collect())
    }

    /// The properties of a type of events, in the order of their names.
    ///
    /// # Errors
    /// [`SourceError::NotReadable`] where it is the account's own, and what it is made of is not to be seen: nothing would
    /// tell which of it is sensitive.
    pub(in crate::source::hubspot) async fn event_properties(
        &self,
        stream: &StreamInfo,
        event_type: &EventType,
        of: &str,
    ) -> Result<Vec<api::Property>, SourceError> {
        let types = self.types_of_events(of).await?;
        let name = event_type.full_name.as_str();
        match &types.definitions {
            Ok(definitions) if definitions.contains_key(name) => {
                Ok(sensitivity::united([(Sensitivity::Not, definitions[name].properties.clone())]))
            }
            Ok(_) if names::is_custom_event(name) => Err(SourceError::NotReadable {
                stream: stream.name.clone(),
                why: Unreadable::Absent,
                reason: "the account does not define such an event any more".to_owned(),
                hint: None,
            }),
            Err(Refused { why, cause }) if names::is_custom_event(name) => Err(not_readable(stream, *why, cause)),
            Ok(_) | Err(_) => {
                let sampled = self.event_samples.get(name, self.sample(name)).await?;
                let property = |name: &String| api::Property {
                    name: name.clone(),
                    value_type: TEXT.to_owned(),
                    ..api::Property::default()
                };
                Ok(sampled.iter().map(property).collect())
            }
        }
    }

    /// Whether HubSpot still lists a type of events, now.
    pub(super) async fn is_event_type(&self, full_name: &str) -> Result<bool, SourceError> {
        let names = self.list_event_types().await.map_err(|error| failed(WHAT, error))?;
        Ok(names.iter().any(|name| name == full_name))
    }

    async fn list_event_types(&self) -> Result<Vec<String>, crate::http::HttpError> {
        let request = self.get(self.paths.event_types());
        Ok(self.json::<api::EventTypes>(&request, json::LONGEST_LIST).await?.event_types)
    }

    async fn types_of_events(&self, of: &str) -> Result<Arc<Types>, SourceError> {
        let ask = async {
            let mut full_names = match self.list_event_types().await.map_err(Refused::of) {
                Ok(names) => names,
                Err(Ok(Refused { why, cause })) => return Err(not_readable(&all_events(of), why, &cause)),
                Err(Err(cause)) => return Err(failed(WHAT, cause)),
            };
            let mut known = HashSet::new();
            full_names.retain(|name| known.insert(name.clone()));
            let request = self.get(self.paths.event_definitions());
            let request = request.parameter("includeProperties", "true");
            let definitions = self.all_by::<api::EventDefinition>(DEFINITIONS, request).await;
            let definitions = definitions.or_refused("definitions of events")?;
            let by_name = |definitions: Vec<api::EventDefinition>| -> HashMap<String, api::EventDefinition> {
                let named = list::distinct(definitions).into_iter();
                named.map(|definition| (definition.fully_qualified_name.clone(), definition)).collect()
            };
            Ok(Types { full_names, definitions: definitions.map(by_name) })
        };
        self.event_types.get(WHAT, ask).await
    }

    /// The names of the properties that the newest occurrences of a type have, in the order of the alphabet; none, where HubSpot
    /// does not tell of all records at once.
    async fn sample(&self, full_name: &str) -> Result<Vec<String>, SourceError> {
        let request = self.get(self.paths.occurrences());
        let request = request.parameter("eventType", full_name).parameter("limit", SAMPLE.to_string());
        // Of the occurrences nothing is kept but the names.
        let size = |_: &bytes::Bytes, sample: &Sample| {
            let names: BTreeSet<&String> = sample.results.iter().flat_map(|it| &it.properties.0).collect();
            names.into_iter().map(|name| name.len() + size_of::<String>()).sum()
        };
        match self.definitions(&request, SAMPLE, size).await {
            Ok(Sample { results }) => {
                let names: BTreeSet<String> = results.into_iter().flat_map(|it| it.properties.0).collect();
                Ok(names.into_iter().collect())
            }
            Err(error) => match Refused::of(error) {
                Ok(Refused { why, cause }) => {
                    let error = sluice_model::error_chain(&cause);
                    tracing::warn!(
                        event_type = full_name,
                        ?why,
                        error,
                        "its properties are not known: no columns of them"
                    );
                    Ok(Vec::new())
                }
                Err(cause) => Err(failed(&format!("occurrences of `{full_name}`"), cause)),
            },
        }
    }
}

/// What stands for all streams of events, where none can be offered.
fn all_events(of: &str) -> StreamInfo {
    let event_type = EventType { full_name: "*".to_owned(), id: None };
    StreamInfo::new("events", StreamKind::Events { event_type, of: of.to_owned() })
}
