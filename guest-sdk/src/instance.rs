//! The life of a plugin, from `open` to the last `apply`: the contract's calls, answered with the author's types.
//!
//! An [`Instance`] is what the exported functions and the native test harness both drive, so that a plugin behaves the
//! same in either. It checks what an author can get wrong (a column too few, a null where none is allowed) and says it in
//! the author's words; the host checks again, for it trusts no plugin.

use std::cell::RefCell;
use std::rc::Rc;

use crate::batch::Batch;
use crate::outline::{Outline, ResolvedGroup};
use crate::{Attachments, Column, Failure, Field, Plugin, Schema, contract, settings};

/// What a plugin says of itself. [`export!`](crate::export) takes it from the author's `Cargo.toml`.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The package's name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its description; empty where it has none.
    pub description: &'static str,
    /// Its licence, an SPDX expression; empty where it has none.
    pub licence: &'static str,
}

/// A plugin that has its settings.
pub(crate) struct Instance {
    plugin: Box<dyn Outlines>,
    /// Empty until the outline has been asked for.
    groups: Vec<Group>,
}

/// A group that can be computed.
struct Group {
    resolved: ResolvedGroup,
    reads: Rc<[Field]>,
}

/// [`Plugin`] without its types, so that one instance can hold any.
trait Outlines {
    fn outline(&self, input: &Schema) -> Result<Outline, Failure>;
}

impl<P: Plugin> Outlines for P {
    fn outline(&self, input: &Schema) -> Result<Outline, Failure> {
        Plugin::outline(self, input)
    }
}

impl Instance {
    pub(crate) fn open<P: Plugin>(settings: &str, attachments: Vec<contract::Attachment>) -> Result<Self, Failure> {
        let plugin = P::open(settings::parse(settings)?, Attachments::from(attachments))?;
        Ok(Self { plugin: Box::new(plugin), groups: Vec::new() })
    }

    pub(crate) fn outline_of(&mut self, input: contract::Schema) -> Result<contract::Outline, Failure> {
        let (outline, groups) = self.plugin.outline(&Schema::from(input))?.finish()?;
        self.groups =
            groups.into_iter().map(|resolved| Group { reads: resolved.reads.clone().into(), resolved }).collect();
        Ok(outline)
    }

    pub(crate) fn apply(
        &self,
        group: u32,
        rows: u32,
        columns: Vec<contract::Column>,
    ) -> Result<contract::Outcome, Failure> {
        let group = self
            .groups
            .get(group as usize)
            .ok_or_else(|| Failure::internal(format_args!("there is no group {group} in the outline")))?;
        group.apply(rows as usize, columns)
    }
}

impl Group {
    fn apply(&self, rows: usize, columns: Vec<contract::Column>) -> Result<contract::Outcome, Failure> {
        let batch = Batch::new(rows, Rc::clone(&self.reads), columns)?;
        let outcome = self.resolved.compute.compute(&batch)?;
        let declaration = &self.resolved.declaration;
        let (keep, rejections) = outcome
            .selection
            .into_contract(rows, declaration.filters, &declaration.codes)
            .map_err(|problem| self.mistake(&problem))?;
        Ok(contract::Outcome { keep, computed: self.computed(rows, outcome.computed)?, rejections })
    }

    /// The computed columns, checked against their fields, in the order of the outputs.
    fn computed(&self, rows: usize, columns: Vec<Column>) -> Result<Vec<contract::Column>, Failure> {
        let fields = &self.resolved.declaration.computes;
        if columns.len() != fields.len() {
            return Err(self.mistake(&format!("answers with {} columns; it declares {}", columns.len(), fields.len())));
        }
        for (field, column) in fields.iter().zip(&columns) {
            let name = &field.name;
            if *column.data_type() != field.data_type {
                return Err(self.mistake(&format!(
                    "computes {} for column `{name}`, which is declared to hold {}",
                    column.data_type(),
                    field.data_type
                )));
            }
            if column.len() != rows {
                return Err(self.mistake(&format!(
                    "computes {} values for column `{name}`; the batch has {rows} rows",
                    column.len()
                )));
            }
            if !field.nullable && column.null_count() > 0 {
                return Err(self.mistake(&format!(
                    "computes {} nulls for column `{name}`, which is declared to have none",
                    column.null_count()
                )));
            }
        }
        let mut columns: Vec<_> = columns.into_iter().map(|column| Some(contract::Column::from(column))).collect();
        Ok(self.resolved.order.iter().filter_map(|member| columns[*member].take()).collect())
    }

    /// Something the plugin's author has to mend.
    fn mistake(&self, what: &str) -> Failure {
        let declaration = &self.resolved.declaration;
        let names = |names: Vec<&str>| names.join("`, `");
        Failure::internal(format_args!(
            "the group that reads [`{}`] and computes [`{}`] {what}",
            names(declaration.reads.iter().map(String::as_str).collect()),
            names(declaration.computes.iter().map(|field| field.name.as_str()).collect())
        ))
    }
}

thread_local! {
    /// The instance behind the exported functions. WebAssembly has one thread, and the host opens an instance once.
    static OPENED: RefCell<Option<Instance>> = const { RefCell::new(None) };
}

/// The attributes that `describe` answers with.
#[doc(hidden)]
pub fn describe<P: Plugin>(about: About) -> Vec<(String, String)> {
    let schema = settings::json_schema::<P::Settings>();
    [
        ("name", about.name),
        ("version", about.version),
        ("description", about.description),
        ("licence", about.licence),
        ("settings-schema", &schema),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

#[doc(hidden)]
pub fn open<P: Plugin>(settings: &str, attachments: Vec<contract::Attachment>) -> Result<(), contract::Failure> {
    #[cfg(target_arch = "wasm32")]
    log_panics();
    let instance = Instance::open::<P>(settings, attachments)?;
    OPENED.set(Some(instance));
    Ok(())
}

#[doc(hidden)]
pub fn outline_of(input: contract::Schema) -> Result<contract::Outline, contract::Failure> {
    OPENED.with_borrow_mut(|opened| Ok(opened.as_mut().ok_or_else(not_open)?.outline_of(input)?))
}

#[doc(hidden)]
pub fn apply(group: u32, rows: u32, columns: Vec<contract::Column>) -> Result<contract::Outcome, contract::Failure> {
    OPENED.with_borrow(|opened| Ok(opened.as_ref().ok_or_else(not_open)?.apply(group, rows, columns)?))
}

fn not_open() -> Failure {
    Failure::internal("the plugin was called before it was opened")
}

/// A panic becomes a trap, which has no words; so its message goes to the log first.
#[cfg(target_arch = "wasm32")]
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| crate::log::warn(panic)));
}

/// Makes a [`Plugin`](crate::Plugin) the plugin of this crate.
///
/// Written once, at the top level of a crate of type `cdylib`. Name, version, description and licence are those of the
/// crate's `Cargo.toml`. Where the crate is built for another target than `wasm32`, as for `cargo test`, it exports
/// nothing.
///
/// ```
/// use sluice_guest::prelude::*;
///
/// struct Unchanged;
///
/// impl Plugin for Unchanged {
///     type Settings = NoSettings;
///
///     fn open(_: NoSettings, _: Attachments) -> Result<Self, Failure> {
///         Ok(Self)
///     }
///
///     fn outline(&self, input: &Schema) -> Result<Outline, Failure> {
///         Ok(Outline::keep_all(input))
///     }
/// }
///
/// sluice_guest::export!(Unchanged);
/// ```
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        const _: () = {
            struct Exported;

            impl $crate::contract::Guest for Exported {
                fn describe() -> ::std::vec::Vec<(::std::string::String, ::std::string::String)> {
                    $crate::instance::describe::<$plugin>($crate::instance::About {
                        name: ::std::env!("CARGO_PKG_NAME"),
                        version: ::std::env!("CARGO_PKG_VERSION"),
                        description: ::std::env!("CARGO_PKG_DESCRIPTION"),
                        licence: ::std::env!("CARGO_PKG_LICENSE"),
                    })
                }

                fn open(
                    settings: ::std::string::String,
                    attachments: ::std::vec::Vec<$crate::contract::Attachment>,
                ) -> ::std::result::Result<(), $crate::contract::Failure> {
                    $crate::instance::open::<$plugin>(&settings, attachments)
                }

                fn outline_of(
                    input: $crate::contract::Schema,
                ) -> ::std::result::Result<$crate::contract::Outline, $crate::contract::Failure> {
                    $crate::instance::outline_of(input)
                }

                fn apply(
                    group: u32,
                    rows: u32,
                    columns: ::std::vec::Vec<$crate::contract::Column>,
                ) -> ::std::result::Result<$crate::contract::Outcome, $crate::contract::Failure> {
                    $crate::instance::apply(group, rows, columns)
                }
            }

            // Elsewhere the names of the exports mean nothing, and some linkers refuse them; a mention keeps the plugin
            // from counting as dead code.
            #[cfg(target_arch = "wasm32")]
    $crate::contract::export_component!(Exported with_types_in $crate::contract);
            #[cfg(not(target_arch = "wasm32"))]
            let _ = <Exported as $crate::contract::Guest>::describe;
        };
    };
}
