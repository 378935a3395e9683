//! Views and builders whose type is known at run time only, and the way back from them to the typed ones.

use crate::batch::Batch;
use crate::value::Value;
use crate::{Builder, Column, DataType, Date, Failure, Timestamp, View};

/// A value that a row can hold: every [`Value`]. Not to be implemented elsewhere.
pub trait RowValue: Value {
    #[doc(hidden)]
    fn view_in<'call, 'batch>(any: &'call AnyView<'batch>) -> Option<&'call View<'batch, Self>>;
    #[doc(hidden)]
    fn builder_in(any: &mut AnyBuilder) -> Option<&mut Builder<Self>>;
}

macro_rules! any {
    ($($variant:ident($type:ty)),+) => {
        /// A view of any type.
        #[derive(Debug)]
        pub enum AnyView<'batch> { $(#[doc(hidden)] $variant(View<'batch, $type>)),+ }

        /// A builder of any type.
        #[derive(Debug)]
        pub enum AnyBuilder { $(#[doc(hidden)] $variant(Builder<$type>)),+ }

        impl<'batch> AnyView<'batch> {
            pub(super) fn of(batch: &'batch Batch, column: &str) -> Result<Self, Failure> {
                match batch.data_type(column)? {
                    $(DataType::$variant => Ok(Self::$variant(batch.view(column)?)),)+
                    other @ DataType::Other(_) => {
                        Err(Failure::internal(format_args!("column `{column}` holds {other}")))
                    }
                }
            }
        }

        impl AnyBuilder {
            pub(super) fn of(data_type: &DataType, rows: usize) -> Result<Self, Failure> {
                match data_type {
                    $(DataType::$variant => Ok(Self::$variant(Builder::with_capacity(rows))),)+
                    other @ DataType::Other(_) => Err(Failure::internal(format_args!("{other} cannot be written"))),
                }
            }

            /// Makes sure that this row has a value: the one that was set, or else the old one, or else a null; where a
            /// null is not allowed, anything.
            pub(super) fn complete(&mut self, row: usize, old: Option<&AnyView<'_>>, null_is_allowed: bool) {
                match self {
                    $(Self::$variant(builder) => {
                        if builder.len() == row {
                            match old.and_then(<$type as RowValue>::view_in).and_then(|view| view.get(row)) {
                                Some(old) => builder.push(old),
                                None if null_is_allowed => builder.push_null(),
                                None => builder.push_placeholder(),
                            }
                        }
                    })+
                }
            }

            pub(super) fn finish(self) -> Column {
                match self { $(Self::$variant(builder) => builder.finish()),+ }
            }
        }

        $(impl RowValue for $type {
            #[inline]
            fn view_in<'call, 'batch>(any: &'call AnyView<'batch>) -> Option<&'call View<'batch, Self>> {
                if let AnyView::$variant(view) = any { Some(view) } else { None }
            }

            #[inline]
            fn builder_in(any: &mut AnyBuilder) -> Option<&mut Builder<Self>> {
                if let AnyBuilder::$variant(builder) = any { Some(builder) } else { None }
            }
        })+
    };
}

any!(Boolean(bool), Int64(i64), Float64(f64), Text(str), Date(Date), Timestamp(Timestamp));
