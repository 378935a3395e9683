//! Transforms: what batches go through on their way to the table.
//!
//! A transform is one step of the plan made real for one stream and one worker: the plugin's instances, and the program that
//! says which group of which instance gets which columns.
//! A batch goes in with the columns of one stage and comes out with those of the next; rows may be dropped or rejected, never
//! added. The host moves kept columns past the plugin, and drops rows itself, so a plugin cannot touch what it was not given.

mod select;

use std::{collections::BTreeMap, sync::Arc};

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, SchemaRef};
use sluice_model::{
    program::{GroupCall, Program, ProgramOutput, ProgramStrand},
    schema::{Schema, arrow_schema},
};

use super::{
    convert::GroupOutcome,
    error::{PluginError, PluginErrorKind},
    instance::Instance,
    setup::Setup,
};

/// One step of one stream, for one worker.
pub struct Transform {
    name: String,
    strands: Vec<Strand>,
    instances: Vec<Instance>,
    rejection_codes: Vec<String>,
    fail_on_reject: bool,
    /// Bytes that all calls for one batch may return together.
    result_bytes: u64,
}

/// What is done with the batches that hold the same columns.
#[derive(Debug)]
struct Strand {
    program: ProgramStrand,
    schema: SchemaRef,
}

impl std::fmt::Debug for Transform {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Transform")
            .field("name", &self.name)
            .field("strands", &self.strands)
            .finish_non_exhaustive()
    }
}

/// A batch after a step.
#[derive(Debug, PartialEq)]
pub struct Transformed {
    /// What passed.
    pub batch: RecordBatch,
    /// Rows that the plugin filtered out.
    pub dropped: u64,
    /// Rows that the plugin rejected, by its code.
    pub rejected: BTreeMap<String, u64>,
}

/// Why a batch could not be transformed.
#[derive(Debug, thiserror::Error)]
pub enum TransformError {
    /// The plugin failed, or broke the contract.
    #[error("transform `{transform}` failed")]
    Plugin {
        /// The transform.
        transform: String,
        /// What happened.
        #[source]
        cause: PluginError,
    },
    /// The plugin's outline is not the one the plan was made with.
    #[error(
        "transform `{transform}`: plugin `{plugin}` ({digest}) gives another outline of stream `{stream}` than when the plan was made"
    )]
    OutlineChanged {
        /// The transform.
        transform: String,
        /// The plugin.
        plugin: String,
        /// Its digest.
        digest: String,
        /// The stream.
        stream: String,
    },
    /// A row was rejected where that ends the run.
    #[error("transform `{transform}` rejected {rows} rows with the code `{code}`, and `on_reject` is `fail`")]
    Rejected {
        /// The transform.
        transform: String,
        /// The plugin's code.
        code: String,
        /// How many rows of the batch.
        rows: u64,
    },
    /// A batch could not be put together; a mistake in sluice.
    #[error("transform `{transform}`: a batch could not be put together")]
    Batch {
        /// The transform.
        transform: String,
        /// What Arrow says.
        #[source]
        cause: ArrowError,
    },
}

impl TransformError {
    /// Whether nothing went wrong but that whoever called the plugin has to stop.
    pub fn is_stop(&self) -> bool {
        matches!(self, Self::Plugin { cause, .. } if cause.kind == PluginErrorKind::Stopped)
    }

    /// What would mend it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Plugin { cause, .. } => cause.hint(),
            Self::OutlineChanged { .. } => {
                Some("a plugin answers the same question in the same way every time: tell its author")
            }
            Self::Rejected { .. } => {
                Some("look at these rows in HubSpot, or let such rows be left out and counted: on_reject = \"drop\"")
            }
            Self::Batch { .. } => None,
        }
    }
}

impl Setup {
    /// Everything that the plugin does to data of this schema, as one transform. What it says is withheld if any column
    /// carries a mark.
    pub fn transform(&self, schema: &Schema) -> Result<Transform, TransformError> {
        let withhold = schema.fields.iter().any(|field| !field.marks.is_empty());
        let failed = |cause| TransformError::Plugin { transform: self.name().to_owned(), cause };
        let outline = self.outline_of(schema, withhold).map_err(failed)?;
        Transform::new(Program::of_all(schema.clone(), outline), self, withhold)
    }
}

impl Transform {
    /// Makes the instances that the program asks for, and holds each to the outline that the program was made of.
    /// `withhold`: nothing that they say is passed on.
    pub fn new(program: Program, setup: &Setup, withhold: bool) -> Result<Self, TransformError> {
        let name = setup.name();
        let failed = |cause| TransformError::Plugin { transform: name.to_owned(), cause };
        let mut instances = Vec::with_capacity(program.instances);
        for _ in 0..program.instances {
            let mut instance = setup.instance(withhold).map_err(failed)?;
            if instance.outline_of(&program.input).map_err(failed)? != program.outline {
                return Err(TransformError::OutlineChanged {
                    transform: name.to_owned(),
                    plugin: instance.plugin().to_owned(),
                    digest: instance.digest().to_string(),
                    stream: program.input.name,
                });
            }
            instances.push(instance);
        }
        let strand = |program: ProgramStrand| Strand { schema: arrow_schema(&program.fields), program };
        Ok(Self {
            name: name.to_owned(),
            strands: program.strands.into_iter().map(strand).collect(),
            instances,
            rejection_codes: program.rejection_codes,
            fail_on_reject: program.fail_on_reject,
            result_bytes: setup.limits().result_bytes,
        })
    }

    /// Transforms a batch of a stream that has one strand.
    pub fn apply(&mut self, batch: &RecordBatch) -> Result<Transformed, TransformError> {
        self.apply_to(0, batch)
    }

    /// Transforms a batch that holds the columns of a strand, by its number in the program.
    pub fn apply_to(&mut self, strand: usize, batch: &RecordBatch) -> Result<Transformed, TransformError> {
        let Strand { program, schema } = &self.strands[strand];
        if batch.num_rows() == 0 {
            let batch = RecordBatch::new_empty(Arc::clone(schema));
            return Ok(Transformed { batch, dropped: 0, rejected: BTreeMap::new() });
        }
        let mut computed: Vec<Vec<ArrayRef>> = Vec::with_capacity(program.calls.len());
        let mut selection = select::Selection::all(batch.num_rows());
        let mut left = self.result_bytes;
        for call in &program.calls {
            let outcome = call_group(&mut self.instances[call.instance], call, batch, left)
                .map_err(|cause| TransformError::Plugin { transform: self.name.clone(), cause })?;
            if call.selects {
                selection.take(outcome.keep.as_ref(), &outcome.rejections);
            }
            let held: usize = outcome.computed.iter().map(Array::get_buffer_memory_size).sum();
            left = left.saturating_sub(held as u64);
            computed.push(outcome.computed);
        }
        let rejected = selection.rejected(&self.rejection_codes);
        if self.fail_on_reject
            && let Some((code, &rows)) = rejected.iter().next()
        {
            return Err(TransformError::Rejected { transform: self.name.clone(), code: code.clone(), rows });
        }
        let columns: Vec<ArrayRef> = program
            .outputs
            .iter()
            .map(|output| match *output {
                ProgramOutput::Kept(position) => Arc::clone(batch.column(position)),
                ProgramOutput::Computed { call, position } => Arc::clone(&computed[call][position]),
            })
            .collect();
        let batch = put_together(schema, columns, batch.num_rows()).and_then(|batch| selection.filter(&batch));
        let batch = batch.map_err(|cause| TransformError::Batch { transform: self.name.clone(), cause })?;
        Ok(Transformed { dropped: selection.dropped(), rejected, batch })
    }
}

fn put_together(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, ArrowError> {
    // The number of rows is given apart, for a step that nothing but its selection is needed of.
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

fn call_group(
    instance: &mut Instance,
    call: &GroupCall,
    batch: &RecordBatch,
    left: u64,
) -> Result<GroupOutcome, PluginError> {
    let columns: Vec<ArrayRef> = call.reads.iter().map(|&position| Arc::clone(batch.column(position))).collect();
    instance.apply_within(call.group, batch.num_rows(), &columns, left)
}
