//! The pipeline file's own marks of columns, as far as a source must know them: which properties are marked decides in which
//! columns stands what is said of them (`kinds/property_definitions`). What the sink makes of marks is no business of a source.

use std::{fmt, sync::Arc};

use sluice_model::{schema::Field, stream::StreamInfo};

/// Adds the file's own marks to the columns of a stream. Cheap to clone.
#[derive(Clone)]
pub struct Marking(Arc<Mark>);

type Mark = dyn Fn(&StreamInfo, &mut [Field]) + Send + Sync;

impl Marking {
    /// The marks that this adds.
    pub fn new(mark: impl Fn(&StreamInfo, &mut [Field]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(mark))
    }

    pub(super) fn mark(&self, stream: &StreamInfo, fields: &mut [Field]) {
        (self.0)(stream, fields);
    }
}

impl fmt::Debug for Marking {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Marking")
    }
}
