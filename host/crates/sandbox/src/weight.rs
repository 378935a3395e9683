//! What a plugin's file weighs, counted before anything is compiled.
//!
//! A small file can ask for much. A component that instantiates another twice, which does so again, thirty levels deep, has
//! a thousand million instances in a kilobyte; a module of a million globals that is instantiated two hundred times takes
//! gigabytes beside the memory that it is allowed; and the compiler's work on one function grows with the product of its
//! variables and its blocks. A hundred thousand names in a component are expanded as often as it is instantiated. None of
//! this is seen by a limit on bytes.
//!
//! So it is counted here, from the file as it stands, in one pass and without expanding anything: what a definition weighs is
//! known when it ends, and an instantiation adds that weight, saturating. What would have to be expanded to be counted, a
//! module or component that is handed about as a value, is refused; no toolchain makes such plugins.
//!
//! What the host holds for each instance of the plugin, whatever this does, follows from the same counts.

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind, ComponentType,
    ComponentTypeDeclaration, ComponentTypeRef, CoreType, ElementItems, Instance, InstanceTypeDeclaration, Parser,
    Payload, TypeRef,
};

use super::{
    limits::{MOST_MEMORIES, MOST_TABLE_ENTRIES, MOST_TABLES},
    load_error::LoadError,
};

mod function;

/// Bytes that an instance of the smallest plugin takes: its store, and the modules that adapt it to the contract.
const OF_EACH_INSTANCE: u64 = 64 << 10;

/// What it weighs to instantiate a module or component once, with all that it instantiates in turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Weight([u64; Part::ALL.len()]);

/// What is counted. A module's imports count as its own: each instance has a place for them.
#[derive(Debug, Clone, Copy)]
enum Part {
    Instances,
    Functions,
    Globals,
    Tables,
    Memories,
    Elements,
    Adapters,
    /// Aliases, types, imports, exports and what is handed over: the compiler has a place for each, for each instance.
    Names,
}

impl Part {
    const ALL: [Self; 8] = [
        Self::Instances,
        Self::Functions,
        Self::Globals,
        Self::Tables,
        Self::Memories,
        Self::Elements,
        Self::Adapters,
        Self::Names,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Instances => "instances of modules and components",
            Self::Functions => "functions",
            Self::Globals => "globals",
            Self::Tables => "tables",
            Self::Memories => "memories",
            Self::Elements => "entries for tables",
            Self::Adapters => "functions between components",
            Self::Names => "names and types",
        }
    }

    /// How many there may be in all: several times what an interpreter with its libraries has.
    fn most(self) -> u64 {
        match self {
            Self::Instances => 1_000,
            // Some thirty thousand functions, and as many names where libraries are linked, twice.
            Self::Functions | Self::Names => 500_000,
            // Some ten thousand where libraries are linked when it is opened.
            Self::Globals => 100_000,
            // Imports are counted, so that each instance may have one that another owns.
            Self::Tables => 2 * MOST_TABLES as u64,
            Self::Memories => 2 * MOST_TABLES as u64 + MOST_MEMORIES as u64,
            Self::Elements => MOST_TABLE_ENTRIES,
            // Each is compiled for each instance.
            Self::Adapters => 10_000,
        }
    }

    /// Bytes that an instance of the plugin takes for each beside its memories and tables: as wasmtime lays them out, rounded
    /// up. A function may be imported and be referred to.
    fn bytes(self) -> u64 {
        match self {
            Self::Instances => 4 << 10,
            Self::Functions | Self::Adapters => 64,
            Self::Globals => 24,
            Self::Tables => 128,
            Self::Memories => 512,
            Self::Elements => 16,
            Self::Names => 0,
        }
    }
}

impl Weight {
    fn of_one_instance() -> Self {
        let mut weight = Self::default();
        weight.add(Part::Instances, 1);
        weight
    }

    fn add(&mut self, part: Part, count: u64) {
        let sum = &mut self.0[part as usize];
        *sum = sum.saturating_add(count);
    }

    /// An instance that is nothing but names for what is there already.
    fn add_bag(&mut self, names: usize) {
        self.add(Part::Instances, 1);
        self.add(Part::Names, names as u64);
    }

    fn add_all(&mut self, other: &Self) {
        for part in Part::ALL {
            self.add(part, other.0[part as usize]);
        }
    }

    /// Refuses what is too much; the bytes that an instance takes of all else.
    fn check(&self) -> Result<u64, LoadError> {
        let mut bytes = OF_EACH_INSTANCE;
        for part in Part::ALL {
            let (count, most) = (self.0[part as usize], part.most());
            if count > most {
                return Err(LoadError::TooMany { what: part.name(), count, most });
            }
            bytes += count * part.bytes();
        }
        Ok(bytes)
    }
}

/// A module or component that is being read.
#[derive(Debug)]
struct Open {
    is_module: bool,
    weight: Weight,
    /// What can be instantiated in it, by index.
    modules: Vec<Weight>,
    components: Vec<Weight>,
    functions: function::Functions,
}

impl Open {
    fn new(is_module: bool) -> Self {
        Self {
            is_module,
            weight: Weight::of_one_instance(),
            modules: Vec::new(),
            components: Vec::new(),
            functions: function::Functions::default(),
        }
    }
}

/// Refuses a valid file that is small and asks for much; otherwise, the bytes that each instance of it takes beside its
/// memories and tables.
pub(super) fn weigh(bytes: &[u8]) -> Result<u64, LoadError> {
    let mut open: Vec<Open> = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::Version { encoding, .. } => open.push(Open::new(encoding == wasmparser::Encoding::Module)),
            Payload::End(_) => {
                let Some(ended) = open.pop() else { return Err(nowhere()) };
                match open.last_mut() {
                    None => return ended.weight.check(),
                    Some(outer) if ended.is_module => outer.modules.push(ended.weight),
                    Some(outer) => outer.components.push(ended.weight),
                }
            }
            payload => read(payload, &mut open)?,
        }
    }
    Err(nowhere())
}

/// Adds what a section declares to what is being read.
fn read(payload: Payload<'_>, open: &mut [Open]) -> Result<(), LoadError> {
    let (inner, outer) = open.split_last_mut().ok_or_else(nowhere)?;
    match payload {
        Payload::InstanceSection(section) => {
            for instance in section {
                match instance? {
                    Instance::Instantiate { module_index, args } => {
                        inner.weight.add_all(&at(&inner.modules, module_index)?);
                        inner.weight.add(Part::Names, args.len() as u64);
                    }
                    Instance::FromExports(exports) => inner.weight.add_bag(exports.len()),
                }
            }
        }
        Payload::ComponentInstanceSection(section) => {
            for instance in section {
                match instance? {
                    ComponentInstance::Instantiate { component_index, args } => {
                        inner.weight.add_all(&at(&inner.components, component_index)?);
                        inner.weight.add(Part::Names, args.len() as u64);
                    }
                    ComponentInstance::FromExports(exports) => inner.weight.add_bag(exports.len()),
                }
            }
        }
        Payload::ComponentAliasSection(section) => {
            inner.weight.add(Part::Names, section.count().into());
            for alias in section {
                match alias? {
                    ComponentAlias::Outer { kind, count, index } => alias_outer(inner, outer, kind, count, index)?,
                    ComponentAlias::InstanceExport { kind, .. } => refuse_values(kind)?,
                    ComponentAlias::CoreInstanceExport { .. } => {}
                }
            }
        }
        Payload::CoreTypeSection(section) => {
            for ty in section {
                inner.weight.add(Part::Names, names_of_core_type(&ty?));
            }
        }
        Payload::ComponentTypeSection(section) => {
            for ty in section {
                inner.weight.add(Part::Names, names_of_type(&ty?));
            }
        }
        Payload::ComponentImportSection(section) => {
            inner.weight.add(Part::Names, section.count().into());
            for import in section {
                match import?.ty {
                    ComponentTypeRef::Module(_) => refuse_values(ComponentExternalKind::Module)?,
                    ComponentTypeRef::Component(_) => refuse_values(ComponentExternalKind::Component)?,
                    _ => {}
                }
            }
        }
        Payload::ComponentExportSection(section) => {
            inner.weight.add(Part::Names, section.count().into());
            for export in section {
                let export = export?;
                // What is exported gets one more index.
                match export.kind {
                    ComponentExternalKind::Module => inner.modules.push(at(&inner.modules, export.index)?),
                    ComponentExternalKind::Component => inner.components.push(at(&inner.components, export.index)?),
                    _ => {}
                }
            }
        }
        Payload::ComponentCanonicalSection(section) => inner.weight.add(Part::Adapters, section.count().into()),
        payload => read_module(payload, inner)?,
    }
    Ok(())
}

/// A type, and all that stands in it. The validator bounds how deep types stand in one another.
fn names_of_type(ty: &ComponentType<'_>) -> u64 {
    let inner: u64 = match ty {
        ComponentType::Defined(_) | ComponentType::Func(_) | ComponentType::Resource { .. } => 0,
        ComponentType::Component(declarations) => declarations
            .iter()
            .map(|declaration| match declaration {
                ComponentTypeDeclaration::Type(ty) => names_of_type(ty),
                ComponentTypeDeclaration::CoreType(ty) => names_of_core_type(ty),
                _ => 1,
            })
            .sum(),
        ComponentType::Instance(declarations) => declarations
            .iter()
            .map(|declaration| match declaration {
                InstanceTypeDeclaration::Type(ty) => names_of_type(ty),
                InstanceTypeDeclaration::CoreType(ty) => names_of_core_type(ty),
                _ => 1,
            })
            .sum(),
    };
    inner + 1
}

fn names_of_core_type(ty: &CoreType<'_>) -> u64 {
    match ty {
        CoreType::Rec(group) => group.types().len() as u64,
        CoreType::Module(declarations) => declarations.len() as u64 + 1,
    }
}

fn read_module(payload: Payload<'_>, module: &mut Open) -> Result<(), LoadError> {
    let weight = &mut module.weight;
    match payload {
        Payload::TypeSection(section) => module.functions.take_types(section)?,
        Payload::ImportSection(section) => {
            for import in section.into_imports() {
                match import?.ty {
                    TypeRef::Func(_) | TypeRef::FuncExact(_) => weight.add(Part::Functions, 1),
                    TypeRef::Global(_) => weight.add(Part::Globals, 1),
                    TypeRef::Table(_) => weight.add(Part::Tables, 1),
                    TypeRef::Memory(_) => weight.add(Part::Memories, 1),
                    TypeRef::Tag(_) => {}
                }
            }
        }
        Payload::FunctionSection(section) => {
            weight.add(Part::Functions, section.count().into());
            module.functions.take_declarations(section)?;
        }
        Payload::GlobalSection(section) => weight.add(Part::Globals, section.count().into()),
        Payload::TableSection(section) => weight.add(Part::Tables, section.count().into()),
        Payload::MemorySection(section) => weight.add(Part::Memories, section.count().into()),
        Payload::ElementSection(section) => {
            for element in section {
                let entries = match element?.items {
                    ElementItems::Functions(entries) => entries.count(),
                    ElementItems::Expressions(_, entries) => entries.count(),
                };
                weight.add(Part::Elements, u64::from(entries) + 1);
            }
        }
        Payload::CodeSectionEntry(body) => module.functions.check_next(&body)?,
        _ => {}
    }
    Ok(())
}

/// A name for something of a component further out: `count` levels from `inner`, which is level 0.
fn alias_outer(
    inner: &mut Open,
    outer: &[Open],
    kind: ComponentOuterAliasKind,
    count: u32,
    index: u32,
) -> Result<(), LoadError> {
    let there = match count {
        0 => None,
        count => Some(outer.len().checked_sub(count as usize).and_then(|level| outer.get(level)).ok_or_else(nowhere)?),
    };
    match kind {
        ComponentOuterAliasKind::CoreModule => {
            let weight = at(there.map_or(&inner.modules, |there| &there.modules), index)?;
            inner.modules.push(weight);
        }
        ComponentOuterAliasKind::Component => {
            let weight = at(there.map_or(&inner.components, |there| &there.components), index)?;
            inner.components.push(weight);
        }
        ComponentOuterAliasKind::CoreType | ComponentOuterAliasKind::Type => {}
    }
    Ok(())
}

fn refuse_values(kind: ComponentExternalKind) -> Result<(), LoadError> {
    match kind {
        ComponentExternalKind::Module => Err(LoadError::HandsOver { what: "modules" }),
        ComponentExternalKind::Component => Err(LoadError::HandsOver { what: "components" }),
        _ => Ok(()),
    }
}

fn at(weights: &[Weight], index: u32) -> Result<Weight, LoadError> {
    weights.get(index as usize).copied().ok_or_else(nowhere)
}

/// No valid file leads here.
fn nowhere() -> LoadError {
    LoadError::Damaged("an index in it leads nowhere".to_owned())
}

#[cfg(test)]
mod tests;
