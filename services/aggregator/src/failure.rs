//! What went wrong, and what that means.

use std::fmt;

use wattline_service::postgres::{self, Trouble, cure, describe};

/// Why a transaction was not committed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The database said no, or is away.
    Database(tokio_postgres::Error),
    /// These partitions' rows aren't ours any more.
    NotOwner(Vec<i32>),
    /// The sink's offset of this partition is below what was seen before: the database was restored.
    SinkWentBack(i32),
    /// Anything else.
    Other(anyhow::Error),
}

/// What must be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Someone else was there at the same time: at once again, from a new snapshot.
    Again,
    /// Wait, with a new connection.
    Transient,
    /// Wait, and do less at once.
    TooLong,
    /// A person must do something.
    Stop,
}

/// What a transaction can end with.
pub(crate) type Outcome<T> = Result<T, Failure>;

// === impl Failure ===

impl Failure {
    /// What must be done about it.
    #[must_use]
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Database(error) => classify(error),
            Self::NotOwner(_) | Self::SinkWentBack(_) => Class::Again,
            Self::Other(_) => Class::Transient,
        }
    }

    /// A lock was not given in time.
    #[must_use]
    pub(crate) fn is_lock_timeout(&self) -> bool {
        matches!(self, Self::Database(error) if Trouble::of(error) == Trouble::Locked)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => write!(out, "{}; {}", describe(error), cure(error)),
            Self::NotOwner(partitions) => {
                write!(out, "another aggregator owns partitions {partitions:?} now")
            }
            Self::SinkWentBack(partition) => {
                write!(out, "the sink's offset of partition {partition} went back: the database was restored")
            }
            Self::Other(error) => write!(out, "{error:#}"),
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl From<wattline_stream::Error> for Failure {
    fn from(error: wattline_stream::Error) -> Self {
        match error {
            wattline_stream::Error::Database(error) => Self::Database(error),
            wattline_stream::Error::Fenced(partitions) => {
                Self::NotOwner(partitions.iter().map(|partition| partition.number).collect())
            }
            other => Self::Other(anyhow::anyhow!("{other}")),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

fn classify(error: &tokio_postgres::Error) -> Class {
    let trouble = Trouble::of(error);
    match trouble.class() {
        postgres::Class::Transient if trouble == Trouble::Race => Class::Again,
        postgres::Class::Transient => Class::Transient,
        postgres::Class::Cancelled => Class::TooLong,
        // What is written is computed here: a value that the table refuses is a fault of the program.
        postgres::Class::Data | postgres::Class::Stop => Class::Stop,
    }
}
