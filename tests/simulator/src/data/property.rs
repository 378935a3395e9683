//! What a property is: its definition as HubSpot would list it, and the recipe for its values.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::clock;
use super::random::{Draw, salt};
use super::values::Recipe;

/// HubSpot's name for protected health information among `sensitiveDataCategories`.
pub(crate) const HIPAA: &[&str] = &["HIPAA"];

/// The `type` of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueType {
    String,
    Number,
    Bool,
    Date,
    DateTime,
    Enumeration,
    PhoneNumber,
    ObjectCoordinates,
    Json,
}

impl ValueType {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Enumeration => "enumeration",
            Self::PhoneNumber => "phone_number",
            Self::ObjectCoordinates => "object_coordinates",
            Self::Json => "json",
        }
    }
}

/// The `dataSensitivity` of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sensitivity {
    NonSensitive,
    Sensitive,
    HighlySensitive,
}

impl Sensitivity {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NonSensitive => "non_sensitive",
            Self::Sensitive => "sensitive",
            Self::HighlySensitive => "highly_sensitive",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::NonSensitive, Self::Sensitive, Self::HighlySensitive].into_iter().find(|level| level.as_str() == text)
    }
}

/// One choice of an enumeration: the value that records hold, and its label text.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) value: Cow<'static, str>,
    pub(crate) label: Cow<'static, str>,
}

/// A property of one object type.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of HubSpot's own definition")]
#[derive(Clone, Debug)]
pub(crate) struct Property {
    pub(crate) name: Cow<'static, str>,
    pub(crate) label: Cow<'static, str>,
    pub(crate) value_type: ValueType,
    pub(crate) field_type: &'static str,
    pub(crate) group: &'static str,
    pub(crate) choices: Vec<Choice>,
    pub(crate) sensitivity: Sensitivity,
    pub(crate) categories: &'static [&'static str],
    /// The object type an id in this property points to, as HubSpot writes it (`COMPANY`).
    pub(crate) references: Option<&'static str>,
    /// A scope that a token needs to read this property, beyond the object's own.
    pub(crate) scope: Option<&'static str>,
    pub(crate) formula: Option<&'static str>,
    pub(crate) calculated: bool,
    pub(crate) unique: bool,
    pub(crate) hidden: bool,
    pub(crate) hubspot_defined: bool,
    pub(crate) archived: bool,
    /// How a user interface shows the value, by key (`numberDisplayHint`) and hint (`currency`).
    pub(crate) display_hint: Option<(&'static str, &'static str)>,
    pub(crate) recipe: Recipe,
    /// How many records of a hundred have a value; the others hold null or an empty text.
    pub(crate) filled: u8,
    /// Tells this property's draws from those of the others.
    pub(crate) salt: u64,
}

impl Property {
    /// A visible, non-sensitive property that is part of HubSpot and filled everywhere.
    pub(crate) fn new(
        name: impl Into<Cow<'static, str>>,
        label: impl Into<Cow<'static, str>>,
        value_type: ValueType,
        field_type: &'static str,
        recipe: Recipe,
    ) -> Self {
        let name = name.into();
        let salt = salt(&name);
        let choices =
            if value_type == ValueType::Bool { choices(&[("true", "Yes"), ("false", "No")]) } else { Vec::new() };
        Self {
            name,
            label: label.into(),
            value_type,
            field_type,
            group: "",
            choices,
            sensitivity: Sensitivity::NonSensitive,
            categories: &[],
            references: None,
            scope: None,
            formula: None,
            calculated: false,
            unique: false,
            hidden: false,
            hubspot_defined: true,
            archived: false,
            display_hint: None,
            recipe,
            filled: 100,
            salt,
        }
    }

    pub(crate) fn text(name: &'static str, label: &'static str, recipe: Recipe) -> Self {
        Self::new(name, label, ValueType::String, "text", recipe)
    }

    pub(crate) fn long_text(name: &'static str, label: &'static str, recipe: Recipe) -> Self {
        Self::new(name, label, ValueType::String, "textarea", recipe)
    }

    pub(crate) fn html(name: &'static str, label: &'static str, recipe: Recipe) -> Self {
        Self::new(name, label, ValueType::String, "html", recipe)
    }

    pub(crate) fn number(name: &'static str, label: &'static str, recipe: Recipe) -> Self {
        Self::new(name, label, ValueType::Number, "number", recipe)
    }

    pub(crate) fn flag(name: &'static str, label: &'static str, recipe: Recipe) -> Self {
        Self::new(name, label, ValueType::Bool, "booleancheckbox", recipe)
    }

    pub(crate) fn date(name: &'static str, label: &'static str, recipe: Recipe) -> Self {
        Self::new(name, label, ValueType::Date, "date", recipe)
    }

    pub(crate) fn instant(name: &'static str, label: &'static str, recipe: Recipe) -> Self {
        Self::new(name, label, ValueType::DateTime, "date", recipe)
    }

    /// An enumeration with one value a record.
    pub(crate) fn select(name: &'static str, label: &'static str, options: &[(&'static str, &'static str)]) -> Self {
        Self::new(name, label, ValueType::Enumeration, "select", Recipe::OneChoice).with_choices(choices(options))
    }

    /// An enumeration with any number of values a record, joined by `;`.
    pub(crate) fn checkboxes(
        name: &'static str,
        label: &'static str,
        options: &[(&'static str, &'static str)],
    ) -> Self {
        Self::new(name, label, ValueType::Enumeration, "checkbox", Recipe::SeveralChoices)
            .with_choices(choices(options))
    }

    /// The owner of a record.
    pub(crate) fn owner() -> Self {
        Self::new("hubspot_owner_id", "Owner", ValueType::Enumeration, "select", Recipe::Owner).referring_to("OWNER")
    }

    /// A property whose value is the id of a record of another type.
    pub(crate) fn reference(name: &'static str, label: &'static str, to: &'static str, records: &'static str) -> Self {
        Self::number(name, label, Recipe::Reference(records)).referring_to(to)
    }

    pub(crate) fn with_choices(mut self, choices: Vec<Choice>) -> Self {
        self.choices = choices;
        self
    }

    pub(crate) fn in_group(mut self, group: &'static str) -> Self {
        if self.group.is_empty() {
            self.group = group;
        }
        self
    }

    /// Filled in `percent` of a hundred records.
    pub(crate) fn filled(mut self, percent: u8) -> Self {
        self.filled = percent;
        self
    }

    pub(crate) fn referring_to(mut self, object_type: &'static str) -> Self {
        self.references = Some(object_type);
        self
    }

    pub(crate) fn calculated(mut self, formula: Option<&'static str>) -> Self {
        self.calculated = true;
        self.formula = formula;
        self
    }

    pub(crate) fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    pub(crate) fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// Defined by the portal's owner rather than by HubSpot.
    pub(crate) fn custom(mut self) -> Self {
        self.hubspot_defined = false;
        self
    }

    pub(crate) fn sensitive(mut self, level: Sensitivity, categories: &'static [&'static str]) -> Self {
        self.sensitivity = level;
        self.categories = categories;
        self.custom()
    }

    pub(crate) fn needing(mut self, scope: &'static str) -> Self {
        self.scope = Some(scope);
        self
    }

    pub(crate) fn archived(mut self) -> Self {
        self.archived = true;
        self
    }

    pub(crate) fn shown_as(mut self, key: &'static str, hint: &'static str) -> Self {
        self.display_hint = Some((key, hint));
        self
    }

    /// The definition as HubSpot lists it in its numbered versions, which carry every field.
    pub(crate) fn definition(&self, display_order: usize) -> Value {
        let mut draw = Draw::new(self.salt);
        let created = clock::OPENED + draw.below(u64::from(u32::MAX)) as i64;
        let updated = created + draw.below((clock::NOW - created) as u64) as i64;
        let read_only =
            self.calculated || matches!(self.recipe, Recipe::ObjectId | Recipe::CreatedAt | Recipe::ModifiedAt);
        let mut definition = json!({
            "name": self.name,
            "label": self.label,
            "type": self.value_type.as_str(),
            "fieldType": self.field_type,
            "groupName": self.group,
            "description": format!("{} of the record", self.label),
            "options": self.choices.iter().enumerate().map(|(order, choice)| json!({
                "label": choice.label, "value": choice.value, "description": "", "displayOrder": order, "hidden": false,
            })).collect::<Vec<_>>(),
            "displayOrder": display_order,
            "calculated": self.calculated,
            "externalOptions": self.references.is_some(),
            "hasUniqueValue": self.unique,
            "hidden": self.hidden,
            "hubspotDefined": self.hubspot_defined,
            "modificationMetadata": {
                "archivable": !self.hubspot_defined,
                "readOnlyDefinition": self.hubspot_defined,
                "readOnlyOptions": self.hubspot_defined,
                "readOnlyValue": read_only,
            },
            "formField": !read_only && !self.hidden,
            "dataSensitivity": self.sensitivity.as_str(),
            "archived": self.archived,
            "createdAt": clock::instant(created),
            "updatedAt": clock::instant(updated),
        });
        let optional = [
            ("calculationFormula", self.formula.map(Value::from)),
            ("referencedObjectType", self.references.map(Value::from)),
            ("sensitiveDataCategories", (!self.categories.is_empty()).then(|| json!(self.categories))),
            ("archivedAt", self.archived.then(|| Value::from(clock::instant(updated)))),
        ];
        for (key, value) in optional {
            if let Some(value) = value {
                definition[key] = value;
            }
        }
        if let Some((key, hint)) = self.display_hint {
            definition[key] = Value::from(hint);
        }
        definition
    }
}

/// Choices from pairs of value and label.
pub(crate) fn choices(options: &[(&'static str, &'static str)]) -> Vec<Choice> {
    options.iter().map(|&(value, label)| Choice { value: value.into(), label: label.into() }).collect()
}
