//! What can end a run, and who must act.

use std::collections::BTreeSet;

use sluice_hubspot::{
    http::{Failure, SetupError, StopReason},
    source::SourceError,
};
use sluice_lake::state::lease::LeaseError;
use sluice_lake::{bucket::BucketError, sink::SinkError, table::LogError};
use sluice_model::{
    problem::{Problem, Problems},
    run_id::NoRandomness,
};
use sluice_plan::Plan;
use sluice_sandbox::{EngineError, TransformError};

/// What ended a run, or kept it from beginning.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no pipeline file.
    #[error("the pipeline file `{file}` cannot be read: {reason}")]
    PipelineFile {
        /// The file.
        file: String,
        /// What the system says.
        reason: std::io::Error,
    },
    /// What is a link, where nobody answers for what it leads to.
    #[error("`{file}` is a link out of its folder, and is not read offline")]
    LinkedAway {
        /// The file.
        file: String,
    },
    /// The pipeline file, what it refers to, or the guard. The owner of the pipeline must act.
    #[error("{0}")]
    Refused(Problems),
    /// The source could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The HTTP client could not be set up.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The plugin engine could not be set up.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A transform failed.
    #[error("stream `{stream}` could not be transformed")]
    Transform {
        /// The stream.
        stream: String,
        /// What happened.
        #[source]
        cause: Box<TransformError>,
    },
    /// Two rows of a table have one key, which plugins compute.
    #[error("two rows of table `{table}` have the same key, `{}`, which a plugin computes", .key.join("`, `"))]
    SameKey {
        /// The table.
        table: String,
        /// Its key columns.
        key: Vec<String>,
    },
    /// The rows of a table could not be made of those of its stream; a mistake in sluice.
    #[error("the rows of table `{table}` could not be made")]
    Shape {
        /// The table.
        table: String,
        /// What Arrow says.
        #[source]
        cause: arrow_schema::ArrowError,
    },
    /// A table could not be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The bucket could not be opened.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The lease is another run's, or was lost.
    #[error(transparent)]
    Lease(Box<LeaseError>),
    /// The commit log could not be read, or the commit not made.
    #[error(transparent)]
    Log(Box<LogError>),
    /// The commit would be too large, and part of it is what plugins say of the columns that they compute.
    #[error("with the columns that `{}` computes, the run cannot be committed", .transforms.join("` or `"))]
    TooHeavy {
        /// The transforms that compute columns.
        transforms: Vec<String>,
        /// How large it would be, and what weighs most.
        #[source]
        cause: Box<LogError>,
    },
    /// No run id could be made.
    #[error(transparent)]
    RunId(NoRandomness),
    /// Somebody asked the run to stop.
    #[error("interrupted; nothing was committed, and the tables are what they were")]
    Interrupted,
    /// The run had to stop while it committed, and the bucket did not say what came of it.
    #[error("stopped while the commit was made: it may have been made, or may yet be")]
    StoppedInCommit {
        /// That the lease was lost, if nobody asked it to stop.
        #[source]
        lost: Option<Box<LeaseError>>,
    },
    /// A panic: a mistake in sluice. The hook for panics has said where.
    #[error("a part of sluice panicked, which is a mistake in sluice; {}", what_panicked_left(*.may_have_committed))]
    Panicked {
        /// Whether it may have been after the commit was asked for.
        may_have_committed: bool,
    },
}

impl From<LogError> for Error {
    fn from(error: LogError) -> Self {
        Self::Log(Box::new(error))
    }
}

impl From<LeaseError> for Error {
    fn from(error: LeaseError) -> Self {
        Self::Lease(Box::new(error))
    }
}

impl Error {
    /// A refusal for these problems of a pipeline file.
    pub(super) fn refused(file: &str, problems: Vec<Problem>) -> Self {
        match Problems::of(file, problems) {
            Some(problems) => Self::Refused(problems),
            None => unreachable!("a refusal has a reason"),
        }
    }

    /// Why the commit of this plan was not made.
    pub(super) fn of_commit(error: LogError, plan: &Plan) -> Self {
        let steps = plan.streams.iter().flat_map(|stream| stream.steps.iter().enumerate().map(move |it| (stream, it)));
        let computing = steps.filter(|(stream, (index, _))| stream.computed_in(*index).next().is_some());
        let transforms: BTreeSet<&str> = computing.map(|(_, (_, step))| step.transform.name.as_str()).collect();
        if !matches!(error, LogError::TooLarge(_)) || transforms.is_empty() {
            return error.into();
        }
        Self::TooHeavy { transforms: transforms.into_iter().map(str::to_owned).collect(), cause: Box::new(error) }
    }

    /// Whether the run may have made a commit all the same: its files must stay.
    pub(super) fn may_have_committed(&self) -> bool {
        match self {
            Self::Log(error) => error.may_have_been_made(),
            Self::StoppedInCommit { .. } => true,
            Self::Panicked { may_have_committed } => *may_have_committed,
            _ => false,
        }
    }

    /// The exit code: who must act.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Interrupted | Self::StoppedInCommit { lost: None } => 130,
            _ if self.is_for_the_owner() => 2,
            _ => 1,
        }
    }

    /// Whether it stays until somebody changes the pipeline file, the token, the role, or what they may do: another run
    /// alone would end the same way.
    fn is_for_the_owner(&self) -> bool {
        match self {
            Self::PipelineFile { .. }
            | Self::LinkedAway { .. }
            | Self::Refused(_)
            | Self::TooHeavy { .. }
            | Self::Engine(EngineError::Cache(_))
            | Self::Source(
                SourceError::NotReadable { .. } | SourceError::NoSuch { .. } | SourceError::TokenRejected { .. },
            ) => true,
            // The account is at home in another data centre.
            Self::Source(SourceError::Http { cause, .. }) => {
                cause.status().is_some_and(|status| matches!(status.as_u16(), 300..=399 | 488))
            }
            Self::Sink(SinkError::Bucket { cause, .. }) | Self::Bucket(cause) => cause.is_for_the_owner(),
            Self::Log(error) => match &**error {
                LogError::TablesMeet { .. } | LogError::TooLarge(_) | LogError::Oversized { .. } => true,
                LogError::Bucket(cause) | LogError::Unconfirmed { source: cause, .. } => cause.is_for_the_owner(),
                _ => false,
            },
            Self::Lease(error) => match &**error {
                LeaseError::Bucket(cause) => cause.is_for_the_owner(),
                LeaseError::NoConditions { .. } | LeaseError::Claimed { .. } => true,
                _ => false,
            },
            _ => false,
        }
    }

    /// What would mend it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Source(SourceError::NotReadable { hint, .. } | SourceError::NoSuch { hint, .. }) => hint.clone(),
            Self::Source(SourceError::Http { cause, .. } | SourceError::TokenRejected { cause, .. }) => {
                source_hint(cause)
            }
            Self::LinkedAway { .. } => Some("name the file that it leads to".to_owned()),
            Self::Engine(error) => error.hint().map(str::to_owned),
            Self::Transform { cause, .. } => cause.hint().map(str::to_owned),
            Self::SameKey { .. } => Some(
                "whoever reads the table would take them for one record: let the plugin give each a key of its own \
                 (in a mapping, look for a new id that is also the id of a record that stays)"
                    .to_owned(),
            ),
            Self::Sink(SinkError::Bucket { cause, .. }) | Self::Bucket(cause) => cause.hint(),
            Self::Lease(error) => error.hint(),
            Self::Log(error) => error.hint(),
            Self::TooHeavy { cause, .. } => cause.hint(),
            Self::StoppedInCommit { .. } => Some(
                "`sluice tables` shows the newest commit: if it is of this run, all is well; else run again".to_owned(),
            ),
            Self::Panicked { .. } => Some("report it, with the line that says where".to_owned()),
            _ => None,
        }
    }
}

fn what_panicked_left(may_have_committed: bool) -> &'static str {
    if may_have_committed {
        "the commit may have been made"
    } else {
        "nothing was committed, and the tables are what they were"
    }
}

/// What mends a refusal of the source.
fn source_hint(error: &sluice_hubspot::http::HttpError) -> Option<String> {
    if let Failure::Stopped { reason: StopReason::DailyLimit, back_at, .. } = error.failure() {
        let when = if back_at.is_none() { "it starts anew at midnight, in the time zone of the account; " } else { "" };
        return Some(format!("{when}run again then, or raise the limit in HubSpot; nothing has been committed"));
    }
    if let Some(hint) = error.hint() {
        return Some(hint.to_owned());
    }
    if error.may_pass() {
        return Some(
            "HubSpot or the network before it was in trouble for longer than this waits: run again later, or let runs wait \
             longer with `patience` under [run]; nothing has been committed"
                .to_owned(),
        );
    }
    match error.status().map(|status| status.as_u16()) {
        Some(401) => {
            Some("the access token is not valid: check `[source] token`, or make a new one in HubSpot".to_owned())
        }
        Some(300..=399 | 488) => Some(
            "set `base_url` under [source] to the address of the account's data centre, such as \
             `https://api-eu1.hubapi.com` for accounts in the European Union"
                .to_owned(),
        ),
        Some(530) => Some("the access token is cut or altered: copy it again, whole".to_owned()),
        Some(403) => Some(
            "grant the token the scopes that are named, in the settings of the private app or service key".to_owned(),
        ),
        _ => None,
    }
}
