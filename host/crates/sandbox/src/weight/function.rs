//! What it takes to compile one function, estimated before it is compiled.
//!
//! The compiler holds a function whole, and three things of it cost memory:
//! *its bytes*; *its variables in each of its blocks*, since it works out which are alive in which; and *joins*, which are
//! the dearest: a variable that is written inside a block or loop may have two values where that begins or ends, and gets a
//! new one there. Loops within loops multiply them: a thousand variables in a hundred nested loops are a file of 9 kB.
//!
//! *Values that blocks take*, beside these, are dear beyond proportion.
//!
//! All are weighed by what wasmtime's compiler was measured to take at its worst. The largest functions of a JavaScript engine
//! come to 300 MiB.

use wasmparser::{BlockType, FuncType, FunctionBody, FunctionSectionReader, Operator, TypeSectionReader};

use super::super::load_error::{LoadError, MOST_TO_COMPILE};

/// What compiling takes at the worst for a byte of a function, for a variable in a block, and for a join, in bytes.
const FOR_A_BYTE: u64 = 640;
const FOR_A_VARIABLE_IN_A_BLOCK: u64 = 180;
const FOR_A_JOIN: u64 = 1_900;
/// And for a value that a block takes or gives, in each block of the function.
const FOR_A_CARRIED_VALUE_IN_A_BLOCK: u64 = 12;

/// The functions of a module, as far as they have been read.
#[derive(Debug, Default)]
pub(super) struct Functions {
    types: Vec<Shape>,
    /// The types of the functions that the module defines.
    declared: Vec<u32>,
    /// How many have been checked.
    checked: usize,
}

/// How many values a function or block takes and gives.
#[derive(Debug, Clone, Copy, Default)]
struct Shape {
    takes: u64,
    gives: u64,
}

/// What was counted in a function.
#[derive(Debug, Default)]
struct Counts {
    blocks: u64,
    joins: u64,
    /// Values that blocks take and give. Compilers seldom use them.
    carried: u64,
    /// Branches and calls that may carry several values at once.
    edges: u64,
    /// The most values that one of them may carry.
    width: u64,
}

impl Functions {
    pub(super) fn take_types(&mut self, section: TypeSectionReader<'_>) -> Result<(), LoadError> {
        for group in section.into_iter_err_on_gc_types() {
            let shape =
                |kind: &FuncType| Shape { takes: kind.params().len() as u64, gives: kind.results().len() as u64 };
            self.types.push(shape(&group?));
        }
        Ok(())
    }

    pub(super) fn take_declarations(&mut self, section: FunctionSectionReader<'_>) -> Result<(), LoadError> {
        for declared in section {
            self.declared.push(declared?);
        }
        Ok(())
    }

    /// Refuses the next function if it is too much to compile.
    pub(super) fn check_next(&mut self, body: &FunctionBody<'_>) -> Result<(), LoadError> {
        let own = self.declared.get(self.checked).map_or(Shape::default(), |&kind| self.shape(kind));
        let mut variables = own.takes;
        for locals in body.get_locals_reader()? {
            variables += u64::from(locals?.0);
        }
        let counts = self.count(body, variables)?;
        let joins =
            counts.joins.saturating_add(counts.carried).saturating_add(counts.edges.saturating_mul(counts.width));
        let bytes = (body.range().len() as u64).saturating_mul(FOR_A_BYTE);
        let alive = variables.saturating_mul(counts.blocks).saturating_mul(FOR_A_VARIABLE_IN_A_BLOCK);
        let carried = counts.carried.saturating_mul(counts.blocks).saturating_mul(FOR_A_CARRIED_VALUE_IN_A_BLOCK);
        let joined = joins.saturating_mul(FOR_A_JOIN);
        let estimate = [bytes, alive, carried, joined].into_iter().fold(0, u64::saturating_add);
        if estimate > MOST_TO_COMPILE {
            return Err(LoadError::FunctionTooHeavy {
                function: self.checked,
                bytes: body.range().len(),
                variables,
                blocks: counts.blocks,
                joins,
                estimate,
            });
        }
        self.checked += 1;
        Ok(())
    }

    fn count(&self, body: &FunctionBody<'_>, variables: u64) -> Result<Counts, LoadError> {
        let mut counts = Counts { width: self.widest_result(), ..Counts::default() };
        // How many writes to variables there are in each block that is open, the function itself being the first.
        let mut writes: Vec<u64> = vec![0];
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            match operators.read()? {
                Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
                    counts.blocks += 1;
                    match blockty {
                        BlockType::Empty => {}
                        BlockType::Type(_) => counts.carried += 1,
                        BlockType::FuncType(kind) => {
                            let shape = self.shape(kind);
                            counts.carried += shape.takes + shape.gives;
                            counts.width = counts.width.max(shape.takes);
                        }
                    }
                    writes.push(0);
                }
                Operator::Else => counts.blocks += 1,
                Operator::End => {
                    let written = writes.pop().unwrap_or_default();
                    counts.joins += written.min(variables);
                    if let Some(outer) = writes.last_mut() {
                        *outer += written;
                    }
                }
                Operator::LocalSet { .. } | Operator::LocalTee { .. } => {
                    if let Some(written) = writes.last_mut() {
                        *written += 1;
                    }
                }
                Operator::BrIf { .. } => {
                    counts.blocks += 1;
                    counts.edges += 1;
                }
                Operator::BrTable { targets } => {
                    counts.blocks += 1;
                    counts.edges += u64::from(targets.len()) + 1;
                }
                Operator::Br { .. }
                | Operator::Return
                | Operator::Call { .. }
                | Operator::CallIndirect { .. }
                | Operator::ReturnCall { .. }
                | Operator::ReturnCallIndirect { .. } => counts.edges += 1,
                _ => {}
            }
        }
        Ok(counts)
    }

    /// The most values that anything gives at once, where that is more than the one of ordinary functions.
    fn widest_result(&self) -> u64 {
        self.types.iter().map(|shape| shape.gives).filter(|&gives| gives > 1).max().unwrap_or(0)
    }

    fn shape(&self, kind: u32) -> Shape {
        self.types.get(kind as usize).copied().unwrap_or_default()
    }
}
