//! An object type of the portal: its names, properties, layout and scopes.

use std::borrow::Cow;
use std::collections::HashMap;

use super::Portal;
use super::ids::{Layout, Section};
use super::pipelines::{self, Pipeline};
use super::property::{Choice, Property, Sensitivity};
use super::random::salt;
use super::record::Record;
use super::values::Recipe;

/// How many live records a type has, from the number of contacts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Share {
    EveryContact,
    OneIn(u64),
    Fixed(u64),
}

impl Share {
    fn of(self, contacts: u64) -> u64 {
        match self {
            Self::EveryContact => contacts,
            Self::OneIn(contacts_each) => contacts / contacts_each,
            Self::Fixed(count) => count,
        }
    }
}

/// How the scopes of a type are called.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ScopeFamily {
    /// `crm.objects.<name>.read`, `crm.objects.<name>.sensitive.read`, ….
    Objects(&'static str),
    /// The scopes of tickets, which are older than the naming scheme.
    Tickets,
}

impl ScopeFamily {
    /// The scopes of which a token needs one to read records of the type.
    pub(crate) fn read(self) -> Vec<String> {
        match self {
            Self::Objects(name) => vec![format!("crm.objects.{name}.read")],
            Self::Tickets => vec!["tickets".to_owned()],
        }
    }

    /// The scopes of which a token needs one to read the type's definitions.
    pub(crate) fn definitions(self) -> Vec<String> {
        match self {
            Self::Objects(name) => vec![format!("crm.schemas.{name}.read"), format!("crm.objects.{name}.read")],
            Self::Tickets => vec!["tickets".to_owned()],
        }
    }

    /// The scopes of which a token needs one to read values of this sensitivity; none for ordinary ones.
    pub(crate) fn sensitive(self, level: Sensitivity) -> Vec<String> {
        let level = match level {
            Sensitivity::NonSensitive => return Vec::new(),
            Sensitivity::Sensitive => "sensitive",
            Sensitivity::HighlySensitive => "highly_sensitive",
        };
        match self {
            Self::Objects(name) => {
                vec![format!("crm.objects.{name}.{level}.read"), format!("crm.objects.{name}.{level}.read.v2")]
            }
            Self::Tickets => vec![format!("tickets.{level}"), format!("tickets.{level}.v2")],
        }
    }
}

/// What a type is made from.
#[derive(Debug)]
pub(super) struct Blueprint {
    pub(super) type_id: &'static str,
    /// The plural name that paths use (`contacts`).
    pub(super) name: &'static str,
    pub(super) singular: &'static str,
    pub(super) labels: (&'static str, &'static str),
    pub(super) share: Share,
    pub(super) scopes: ScopeFamily,
    pub(super) enabled: bool,
    /// The names of the always returned properties for creation and last change.
    pub(super) time_names: (&'static str, &'static str),
    /// Returned besides the always returned ones where a request names no properties.
    pub(super) defaults: &'static [&'static str],
    pub(super) properties: fn() -> Vec<Property>,
}

/// An object type as the portal has it.
#[derive(Debug)]
pub(crate) struct ObjectType {
    type_id: Cow<'static, str>,
    name: &'static str,
    singular: &'static str,
    fully_qualified_name: String,
    labels: (&'static str, &'static str),
    scopes: ScopeFamily,
    enabled: bool,
    custom: bool,
    salt: u64,
    layout: Layout,
    /// Sorted by name, which is the order in which answers carry them.
    properties: Vec<Property>,
    index_by_name: HashMap<Cow<'static, str>, usize>,
    time_names: (&'static str, &'static str),
    always: Vec<usize>,
    defaults: Vec<usize>,
    pipelines: Vec<Pipeline>,
}

impl ObjectType {
    /// `first_id` and `stride` place the ids; `extra` is added to the blueprint's properties.
    pub(super) fn build(
        blueprint: &Blueprint,
        custom_portal: Option<u64>,
        contacts: u64,
        (first_id, stride): (u64, u64),
        extra: Vec<Property>,
    ) -> Self {
        let mut properties = super::properties::base(blueprint.time_names);
        properties.extend((blueprint.properties)());
        properties.extend(extra);
        let pipelines = pipelines::of(blueprint.type_id);
        for property in &mut properties {
            property.choices.extend(pipeline_choices(property.recipe, &pipelines));
        }
        properties.sort_by(|one, other| one.name.cmp(&other.name));
        let index_by_name: HashMap<_, _> =
            properties.iter().enumerate().map(|(index, property)| (property.name.clone(), index)).collect();
        assert_eq!(index_by_name.len(), properties.len(), "two properties of `{}` share a name", blueprint.name);
        let indices = |names: &[&'static str]| {
            let mut indices: Vec<usize> = names.iter().map(|name| index_by_name[*name]).collect();
            indices.sort_unstable();
            indices
        };
        let always = ["hs_object_id", blueprint.time_names.0, blueprint.time_names.1];
        let salt = salt(blueprint.type_id);
        Self {
            type_id: blueprint.type_id.into(),
            name: blueprint.name,
            singular: blueprint.singular,
            fully_qualified_name: match custom_portal {
                Some(portal_id) => format!("p{portal_id}_{}", blueprint.name),
                None => blueprint.singular.to_uppercase(),
            },
            labels: blueprint.labels,
            scopes: blueprint.scopes,
            enabled: blueprint.enabled,
            custom: custom_portal.is_some(),
            salt,
            layout: Layout::new(blueprint.share.of(contacts), first_id, stride, salt),
            time_names: blueprint.time_names,
            always: indices(&always),
            defaults: indices(&[&always, blueprint.defaults].concat()),
            properties,
            index_by_name,
            pipelines,
        }
    }

    pub(crate) fn type_id(&self) -> &str {
        &self.type_id
    }

    /// The name in paths: the plural for standard types, the bare name for custom ones.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// One of its records is called so (`contact`).
    pub(crate) fn singular(&self) -> &'static str {
        self.singular
    }

    pub(crate) fn fully_qualified_name(&self) -> &str {
        &self.fully_qualified_name
    }

    /// The label texts, singular and plural.
    pub(crate) fn labels(&self) -> (&'static str, &'static str) {
        self.labels
    }

    pub(crate) fn scopes(&self) -> ScopeFamily {
        self.scopes
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled
    }

    pub(crate) fn is_custom(&self) -> bool {
        self.custom
    }

    pub(super) fn salt(&self) -> u64 {
        self.salt
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn live(&self) -> u64 {
        self.layout.count(Section::Live)
    }

    /// All properties, archived ones included, sorted by name.
    pub(crate) fn properties(&self) -> &[Property] {
        &self.properties
    }

    pub(crate) fn property(&self, name: &str) -> Option<(usize, &Property)> {
        let index = *self.index_by_name.get(name)?;
        Some((index, &self.properties[index]))
    }

    /// The names of the properties that hold the times of creation and of the last change.
    pub(crate) fn time_names(&self) -> (&'static str, &'static str) {
        self.time_names
    }

    /// The pipelines of the type; none for most types.
    pub(crate) fn pipelines(&self) -> &[Pipeline] {
        &self.pipelines
    }

    /// The properties that every answer carries.
    pub(crate) fn always(&self) -> &[usize] {
        &self.always
    }

    /// The properties that an answer carries where the request names none.
    pub(crate) fn defaults(&self) -> &[usize] {
        &self.defaults
    }

    /// Whether a path segment means this type. Custom types are not known by their bare name.
    pub(crate) fn is_called(&self, segment: &str) -> bool {
        if segment == self.type_id {
            return true;
        }
        if self.custom {
            segment == self.fully_qualified_name || segment.strip_prefix("p_") == Some(self.name)
        } else {
            segment == self.name || segment == self.singular
        }
    }

    /// The records of `section` whose id is greater than `after`, ascending by id.
    pub(crate) fn records<'a>(
        &'a self,
        portal: &'a Portal,
        section: Section,
        after: Option<u64>,
    ) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let first = after.map_or(0, |id| self.layout.first_after(id));
        let ranks = self.layout.rank(section, first)..self.layout.count(section);
        ranks.filter_map(move |rank| Some(Record::new(portal, self, self.layout.nth(section, rank)?)))
    }

    /// The record with this id, if it is in `section`.
    pub(crate) fn record<'a>(&'a self, portal: &'a Portal, section: Section, id: u64) -> Option<Record<'a>> {
        let record = Record::new(portal, self, self.layout.position_of(id)?);
        record.stands_in(section).then_some(record)
    }
}

/// The choices of a property that names a pipeline or a stage.
fn pipeline_choices(recipe: Recipe, pipelines: &[Pipeline]) -> Vec<Choice> {
    let choice = |id: &str, label: &'static str| Choice { value: id.to_owned().into(), label: label.into() };
    match recipe {
        Recipe::Pipeline => pipelines.iter().map(|pipeline| choice(&pipeline.id, pipeline.label)).collect(),
        Recipe::Stage => {
            pipelines.iter().flat_map(|pipeline| &pipeline.stages).map(|stage| choice(&stage.id, stage.label)).collect()
        }
        _ => Vec::new(),
    }
}
