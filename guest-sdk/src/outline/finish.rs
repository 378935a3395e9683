//! From a finished outline to the contract's, and to groups that can be computed.

use super::{Computed, Declared, Group, Outline, Output};
use crate::batch::Compute;
use crate::{Failure, Field, contract};

/// A group with its computation, its columns found in the input.
pub(crate) struct ResolvedGroup {
    pub(crate) declaration: Group,
    /// The fields it reads.
    pub(crate) reads: Vec<Field>,
    /// For each of its columns in the order of the outputs: where the column stands in `declaration.computes`.
    pub(crate) order: Vec<usize>,
    pub(crate) compute: Box<dyn Compute>,
}

impl Outline {
    /// The outline as it crosses the boundary, and the computations behind its groups.
    ///
    /// # Errors
    /// Where two columns of the output have one name.
    pub(crate) fn finish(self) -> Result<(contract::Outline, Vec<ResolvedGroup>), Failure> {
        self.check_output_names()?;
        let selects = self.groups.iter().position(|group| group.declaration.selects());
        let wire = contract::Outline {
            outputs: self.outputs.iter().map(|output| self.output_to_contract(output)).collect(),
            groups: self.groups.iter().map(|group| group.reads.iter().map(|index| *index as u32).collect()).collect(),
            selects: selects.map(|group| group as u32),
            rejection_codes: selects.map(|group| self.groups[group].declaration.codes.clone()).unwrap_or_default(),
            name: self.table,
            attributes: Vec::new(),
        };
        let computed: Vec<_> = self.outputs.iter().filter_map(|output| output.computed).collect();
        let resolve = |(at, group): (usize, Declared)| ResolvedGroup {
            declaration: group.declaration,
            reads: group.reads.iter().map(|index| self.input.fields[*index].clone()).collect(),
            order: computed.iter().filter(|computed| computed.group == at).map(|computed| computed.member).collect(),
            compute: group.compute,
        };
        Ok((wire, self.groups.into_iter().enumerate().map(resolve).collect()))
    }

    fn output_to_contract(&self, output: &Output) -> contract::Output {
        let name = output.name.clone();
        match (output.computed, output.origin) {
            (Some(Computed { group, member }), _) => {
                let field = self.groups[group].declaration.computes[member].clone();
                contract::Output::Compute(contract::Computed {
                    group: group as u32,
                    field: Field { name, ..field }.into(),
                })
            }
            (None, Some(index)) => contract::Output::Keep(contract::Kept { input: index as u32, name }),
            (None, None) => unreachable!("an output that is not computed is an input column"),
        }
    }

    fn check_output_names(&self) -> Result<(), Failure> {
        for (at, output) in self.outputs.iter().enumerate() {
            let Some(other) = self.outputs[..at].iter().find(|other| other.name.eq_ignore_ascii_case(&output.name))
            else {
                continue;
            };
            return Err(Failure::settings(format_args!(
                "{} and {} of `{}` would both be named `{}`",
                self.describe(other),
                self.describe(output),
                self.input.name,
                output.name
            )));
        }
        Ok(())
    }

    fn describe(&self, output: &Output) -> String {
        match output.origin {
            Some(index) => format!("column `{}`", self.input.fields[index].name),
            None => format!("the new column `{}`", output.name),
        }
    }
}
