//! Instances: a plugin at work, in a sandbox of its own.
//!
//! An instance has a store of its own: memory, tables, budget, log. It is opened once, asked for its outline once, and then
//! given batches, always by one caller at a time. Before every call, and before its start code runs, budget and deadline are
//! set anew.
//!
//! *A failed instance is spent.* Whatever went wrong, a trap, a refusal or an answer that breaks the contract, its memory can
//! no longer be relied on; every further call is an error, and the caller makes a new instance.

use std::{collections::BTreeMap, fmt};

use arrow_array::ArrayRef;
use sluice_model::{
    digest::Digest,
    limits::Limits,
    outline::{Outline, Output},
    schema::{ColumnType, Field, Schema},
};
use wasmtime::{Store, Trap};

use super::{
    contract::{self, Exports},
    convert::{self, Bytes, Expected, GroupOutcome, SchemaLists},
    error::{Breach, Call, FailureCode, PluginError, PluginErrorKind},
    limits::Refused,
    load_error::reason,
    log::LogSink,
    memory::{MemoryBudget, Share},
    plugin::Plugin,
    state::State,
};

/// The rows of the largest batch that is handed to a plugin: what keeps counts, offsets and bitmaps far from their limits.
pub const MOST_ROWS: usize = 1 << 20;

/// A file named in the pipeline, handed to the plugin as bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its name in the pipeline.
    pub name: String,
    /// What is in it; it may be a secret.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Attachment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Attachment").field("name", &self.name).finish_non_exhaustive()
    }
}

/// One instance of a plugin.
pub struct Instance {
    plugin: Plugin,
    limits: Limits,
    store: Store<State>,
    exports: Exports,
    groups: Option<Vec<Group>>,
    spent: bool,
}

/// What `apply` is called with for a group, and what it must answer with.
#[derive(Debug)]
struct Group {
    reads: Vec<ColumnType>,
    computes: Vec<Field>,
    /// How many rejection codes there are, if this group selects rows.
    selects: Option<usize>,
}

impl Group {
    /// The bytes of it, which are held for each instance.
    fn held(&self) -> u64 {
        let computes = self.computes.iter().map(|field| size_of::<Field>() + field.name.len());
        (size_of::<Self>() + size_of_val(self.reads.as_slice()) + computes.sum::<usize>()) as u64
    }
}

/// What a call is given, as far as its budget is concerned.
#[derive(Debug, Clone, Copy, Default)]
struct Given {
    rows: usize,
    bytes: usize,
}

impl fmt::Debug for Instance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Instance")
            .field("plugin", &self.plugin)
            .field("spent", &self.spent)
            .finish_non_exhaustive()
    }
}

impl Plugin {
    /// What the plugin says of itself, from a fresh instance: texts by name, as they come. Whoever shows them makes them
    /// printable first.
    pub fn describe(&self, limits: &Limits) -> Result<BTreeMap<String, String>, PluginError> {
        let share = MemoryBudget::unbounded().share(&self.shared_name());
        Instance::new(self, limits, share, LogSink::withheld())?.describe()
    }
}

impl Instance {
    /// A fresh instance, opened with settings (a JSON object) and attachments.
    pub(super) fn opened(
        plugin: &Plugin,
        limits: &Limits,
        settings: &str,
        attachments: &[Attachment],
        share: Share,
        log: LogSink,
    ) -> Result<Self, PluginError> {
        let mut instance = Self::new(plugin, limits, share, log)?;
        instance.open(settings, attachments)?;
        Ok(instance)
    }

    fn new(plugin: &Plugin, limits: &Limits, share: Share, log: LogSink) -> Result<Self, PluginError> {
        let pre = plugin.exports();
        let mut store = Store::new(pre.engine(), State::new(limits, share, log, plugin.stop()));
        store.limiter(|state| &mut state.limiter);
        store.epoch_deadline_callback(|mut store| Ok(store.data_mut().deadline.passed()));
        store.set_hostcall_fuel(usize::try_from(limits.result_bytes).unwrap_or(usize::MAX));
        if !store.data_mut().limiter.hold(plugin.held_by_each()) {
            return Err(named(plugin, Call::Instantiate, refused(&mut store, limits)));
        }
        let fuel = arm(&mut store, limits, Given::default());
        let exports = fuel.and_then(|()| pre.instantiate(&mut store)).map_err(|error| {
            let kind = what_happened(&mut store, limits, Given::default(), &error);
            kind.unwrap_or_else(|| PluginErrorKind::NotInstantiated(reason(&format!("{error:#}"))))
        });
        let exports = exports.and_then(|exports| unless_the_budget_refused(&mut store, exports));
        let exports = exports.map_err(|kind| named(plugin, Call::Instantiate, kind))?;
        Ok(Self { plugin: plugin.clone(), limits: limits.clone(), store, exports, groups: None, spent: false })
    }

    /// The plugin's name.
    pub fn plugin(&self) -> &str {
        self.plugin.name()
    }

    /// The digest of the plugin's file.
    pub fn digest(&self) -> Digest {
        self.plugin.digest()
    }

    /// Whether it failed, and is not to be called again.
    pub fn is_spent(&self) -> bool {
        self.spent
    }

    fn describe(&mut self) -> Result<BTreeMap<String, String>, PluginError> {
        let attributes = self.call(Call::Describe, Given::default(), |exports, store| {
            exports.sluice_transform_transform().call_describe(store)
        })?;
        let description = convert::read_description(attributes)
            .map_err(|breach| self.failed(Call::Describe, Breach::Description(breach.to_string()).into()))?;
        self.spent = false;
        Ok(description.into())
    }

    fn open(&mut self, settings: &str, attachments: &[Attachment]) -> Result<(), PluginError> {
        let records: Vec<contract::Attachment<'_>> = attachments
            .iter()
            .map(|attachment| contract::Attachment { name: &attachment.name, bytes: &attachment.bytes })
            .collect();
        let bytes = settings.len() + attachments.iter().map(|attachment| attachment.bytes.len()).sum::<usize>();
        let answer = self.call(Call::Open, Given { rows: 0, bytes }, |exports, store| {
            exports.sluice_transform_transform().call_open(store, settings, &records)
        })?;
        self.accepted(Call::Open, answer)?;
        self.spent = false;
        Ok(())
    }

    /// What the plugin does to a stream of this schema, checked against every rule of the contract. Asked once.
    pub fn outline_of(&mut self, input: &Schema) -> Result<Outline, PluginError> {
        if self.groups.is_some() {
            return Err(self.failed(Call::OutlineOf, PluginErrorKind::Misused("an instance is asked for one outline")));
        }
        let lists = SchemaLists::of(input);
        let fields = lists.fields();
        let given = Given { rows: 0, bytes: lists.bytes() };
        let answer = self.call(Call::OutlineOf, given, |exports, store| {
            exports.sluice_transform_transform().call_outline_of(store, lists.record(&input.name, &fields))
        })?;
        let answer = self.accepted(Call::OutlineOf, answer)?;
        let outline = convert::read_outline(answer, input).map_err(|breach| {
            let words = self.store.data().log.words(&breach.to_string());
            self.failed(Call::OutlineOf, PluginErrorKind::Outline(words))
        })?;
        let groups = groups_of(&outline, input);
        if !self.store.data_mut().limiter.hold(groups.iter().map(Group::held).sum()) {
            let kind = refused(&mut self.store, &self.limits);
            return Err(self.failed(Call::OutlineOf, kind));
        }
        self.groups = Some(groups);
        self.spent = false;
        Ok(outline)
    }

    /// Computes a group of a batch of 1 to [`MOST_ROWS`] rows. `columns`: those that the group reads, in its order.
    ///
    /// The answer is checked completely: it has the group's columns, with a value for each row.
    pub fn apply(&mut self, group: usize, rows: usize, columns: &[ArrayRef]) -> Result<GroupOutcome, PluginError> {
        self.apply_within(group, rows, columns, self.limits.result_bytes)
    }

    /// The same, where `left` bytes are left of what all groups may return for one batch.
    pub(super) fn apply_within(
        &mut self,
        group: usize,
        rows: usize,
        columns: &[ArrayRef],
        left: u64,
    ) -> Result<GroupOutcome, PluginError> {
        let buffers = self.buffers(group, rows, columns).map_err(|kind| self.failed(Call::Apply, kind))?;
        let slices: Vec<Vec<&[u8]>> =
            buffers.iter().map(|column| column.iter().map(|bytes| &**bytes).collect()).collect();
        let records: Vec<contract::ColumnParam<'_>> =
            slices.iter().map(|buffers| contract::ColumnParam { buffers }).collect();
        let given = Given { rows, bytes: slices.iter().flatten().map(|bytes| bytes.len()).sum() };
        self.store.set_hostcall_fuel(usize::try_from(left).unwrap_or(usize::MAX));
        let answer = self.call(Call::Apply, given, |exports, store| {
            exports.sluice_transform_transform().call_apply(store, group as u32, rows as u32, &records)
        });
        let answer = answer.map_err(|error| match error.kind {
            PluginErrorKind::ResultTooLarge { limit } if left < limit => {
                self.failed(Call::Apply, PluginErrorKind::ResultsTooLarge { limit })
            }
            _ => error,
        })?;
        let answer = self.accepted(Call::Apply, answer)?;
        let outcome = match self.groups.as_ref().and_then(|groups| groups.get(group)) {
            None => Err(PluginErrorKind::Misused("there is no such group")),
            Some(Group { computes, selects, .. }) => {
                let expected = Expected { rows, fields: computes, selects: *selects };
                convert::check_outcome(answer, expected, |text| self.store.data().log.words(text))
                    .map_err(PluginErrorKind::from)
            }
        };
        let outcome = outcome.map_err(|kind| self.failed(Call::Apply, kind))?;
        self.spent = false;
        Ok(outcome)
    }

    /// The buffers of the columns that a group reads.
    fn buffers<'a>(
        &self,
        group: usize,
        rows: usize,
        columns: &'a [ArrayRef],
    ) -> Result<Vec<Vec<Bytes<'a>>>, PluginErrorKind> {
        let groups = self.groups.as_ref().ok_or(PluginErrorKind::Misused("a batch comes after the outline"))?;
        let group = groups.get(group).ok_or(PluginErrorKind::Misused("there is no such group"))?;
        if !(1..=MOST_ROWS).contains(&rows) {
            return Err(PluginErrorKind::Misused("a batch is empty, or has more rows than a call takes"));
        }
        if columns.len() != group.reads.len() || columns.iter().any(|column| column.len() != rows) {
            return Err(PluginErrorKind::Misused("the columns are not those that the group reads"));
        }
        let buffers = columns.iter().zip(&group.reads).map(|(column, &kind)| convert::buffers_of(column, kind));
        buffers
            .collect::<Option<_>>()
            .ok_or(PluginErrorKind::Misused("a column is not of the type that the schema gives it"))
    }

    /// Makes one call. The instance counts as spent until the caller has checked the answer.
    fn call<T>(
        &mut self,
        call: Call,
        given: Given,
        run: impl FnOnce(&Exports, &mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T, PluginError> {
        if std::mem::replace(&mut self.spent, true) {
            return Err(self.failed(call, PluginErrorKind::Spent));
        }
        if self.store.data().deadline.is_stopping() {
            return Err(self.failed(call, PluginErrorKind::Stopped));
        }
        let answer = arm(&mut self.store, &self.limits, given).and_then(|()| run(&self.exports, &mut self.store));
        let answer = answer.map_err(|error| {
            let kind = what_happened(&mut self.store, &self.limits, given, &error);
            self.failed(call, kind.unwrap_or(PluginErrorKind::Broken(Breach::Unreadable)))
        })?;
        unless_the_budget_refused(&mut self.store, answer).map_err(|kind| self.failed(call, kind))
    }

    /// The answer, unless it is that the plugin cannot.
    fn accepted<T>(&self, call: Call, answer: Result<T, contract::Failure>) -> Result<T, PluginError> {
        answer.map_err(|failure| {
            let message = self.store.data().log.words(&failure.message);
            self.failed(call, PluginErrorKind::Failed { code: FailureCode::of(&failure.code), message })
        })
    }

    fn failed(&self, call: Call, kind: PluginErrorKind) -> PluginError {
        named(&self.plugin, call, kind)
    }
}

fn named(plugin: &Plugin, call: Call, kind: PluginErrorKind) -> PluginError {
    PluginError { plugin: plugin.shared_name(), digest: plugin.digest(), call, kind }
}

/// Sets budget and deadline of the next call.
fn arm(store: &mut Store<State>, limits: &Limits, given: Given) -> wasmtime::Result<()> {
    let fuel = limits.fuel(given.rows, given.bytes);
    store.set_fuel(fuel)?;
    let first = store.data_mut().deadline.begin(limits.timeout_of(fuel));
    store.set_epoch_deadline(first);
    store.data_mut().log.start_call();
    // A refusal that the guest got over earlier is not why it fails now.
    store.data_mut().limiter.take_refused();
    Ok(())
}

/// What wasmtime's error says of a call, if it is one of the known ends.
fn what_happened(
    store: &mut Store<State>,
    limits: &Limits,
    given: Given,
    error: &wasmtime::Error,
) -> Option<PluginErrorKind> {
    let fuel = limits.fuel(given.rows, given.bytes);
    let refused = store.data_mut().limiter.take_refused();
    let trap = error.downcast_ref::<Trap>();
    match (refused, trap) {
        (_, Some(Trap::OutOfFuel)) => Some(PluginErrorKind::OutOfFuel { fuel, rows: given.rows }),
        (_, Some(Trap::Interrupt)) if store.data().deadline.is_stopping() => Some(PluginErrorKind::Stopped),
        (_, Some(Trap::Interrupt)) => Some(PluginErrorKind::OutOfTime { limit: limits.timeout_of(fuel) }),
        // A guest that is refused memory mostly ends itself by a trap, or by an allocation that leads nowhere.
        (Some(Refused::ByItsLimit), _) => Some(PluginErrorKind::OutOfMemory { limit: limits.memory }),
        (Some(Refused::ByTheBudget(spent)), _) => Some(PluginErrorKind::BudgetSpent(spent)),
        (None, Some(trap)) => Some(PluginErrorKind::Trapped { trap: trap_name(*trap) }),
        (None, None) if error.to_string().contains(TOO_MUCH_RETURNED) => {
            Some(PluginErrorKind::ResultTooLarge { limit: limits.result_bytes })
        }
        (None, None) => None,
    }
}

/// What it is called that the host could not hold what it has to for an instance.
fn refused(store: &mut Store<State>, limits: &Limits) -> PluginErrorKind {
    match store.data_mut().limiter.take_refused() {
        Some(Refused::ByTheBudget(spent)) => PluginErrorKind::BudgetSpent(spent),
        Some(Refused::ByItsLimit) | None => PluginErrorKind::OutOfMemory { limit: limits.memory },
    }
}

/// An answer, unless the guest was refused memory that others had. It can make do without; but the next run would answer
/// otherwise.
fn unless_the_budget_refused<T>(store: &mut Store<State>, answer: T) -> Result<T, PluginErrorKind> {
    match store.data_mut().limiter.take_refused() {
        Some(Refused::ByTheBudget(spent)) => Err(PluginErrorKind::BudgetSpent(spent)),
        Some(Refused::ByItsLimit) | None => Ok(answer),
    }
}

/// What wasmtime says of a result that is too large. It has no type of its own; a test holds it to this text.
const TOO_MUCH_RETURNED: &str = "fuel allocated for hostcalls has been exhausted";

fn trap_name(trap: Trap) -> String {
    trap.to_string().trim_start_matches("wasm trap: ").to_owned()
}

fn groups_of(outline: &Outline, input: &Schema) -> Vec<Group> {
    let mut groups: Vec<Group> = outline
        .groups
        .iter()
        .enumerate()
        .map(|(index, reads)| Group {
            reads: reads.iter().map(|&field| input.fields[field].column_type).collect(),
            computes: Vec::new(),
            selects: (outline.selects == Some(index)).then_some(outline.rejection_codes.len()),
        })
        .collect();
    for output in &outline.outputs {
        if let Output::Compute { group, field } = output {
            // Without what nobody asks for any more: marks and attributes may be long.
            let Field { name, column_type, nullable, .. } = field;
            groups[*group].computes.push(Field { nullable: *nullable, ..Field::new(name, *column_type) });
        }
    }
    groups
}
