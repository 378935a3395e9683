//! `redact`: takes personal data out of tables, by column and inside free text.
//!
//! A pipeline's owner lists rules; each selects columns by name or by mark and says what becomes of them. At schema time
//! [`rules`] finds what every column of a stream is in for, and refuses what contradicts itself or cannot be done; then
//! each masked or scrubbed column becomes one group that reads that column alone. [`mask`] and [`scrub`] do the work on
//! the values, [`detect`] knows what an e-mail address or a card number looks like, [`view`] how a text is meant to be read
//! that hides one.
//!
//! What it does not do: tell names of people from other words, read other columns than those it changes, or choose rows.

mod detect;
mod mask;
mod rules;
mod scrub;
mod settings;
mod view;

use std::rc::Rc;

use sluice_guest::prelude::*;

use crate::rules::{Decision, Rules};
use crate::settings::Settings;

/// The plugin, with settings that make sense.
struct Redact {
    rules: Rules,
}

impl Plugin for Redact {
    type Settings = Settings;

    fn open(settings: Settings, attachments: Attachments) -> Result<Self, Failure> {
        if let Some(name) = attachments.names().next() {
            return Err(Failure::settings(format_args!("attachment `{name}` has no use: `redact` takes none")));
        }
        Ok(Self { rules: Rules::new(settings)? })
    }

    fn outline(&self, input: &Schema) -> Result<Outline, Failure> {
        let mut outline = Outline::keep_all(input);
        for (column, decision) in self.rules.decide(input)? {
            match decision {
                Decision::Drop => outline.drop(column)?,
                Decision::Null => outline.null(column)?,
                Decision::Mask(mask) => {
                    let mask = Rc::clone(mask);
                    rewrite(&mut outline, column, move |text, out| mask.write(text, out))?
                }
                Decision::Scrub(scrubber) => rewrite(&mut outline, column, move |text, out| scrubber.write(text, out))?,
            };
        }
        Ok(outline)
    }
}

/// Changes the text of a column in place. What is left of an id no longer refers to anything.
fn rewrite<'outline>(
    outline: &'outline mut Outline,
    column: &str,
    write: impl Fn(&str, &mut String) + 'static,
) -> Result<&'outline mut Outline, Failure> {
    let mut field = outline.in_place(column)?;
    for attribute in [attribute::REFERENCES, attribute::OBJECT_TYPE] {
        field.attributes.remove(attribute);
    }
    let name = column.to_owned();
    outline.compute([column], field, move |batch| Ok(batch.view::<str>(&name)?.map_into(&write)))
}

export!(Redact);

#[cfg(test)]
mod tests;
