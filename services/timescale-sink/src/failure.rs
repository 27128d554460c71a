//! What went wrong with the database, and what that means for the records.

use std::fmt;
use std::time::Duration;

use wattline_service::postgres::{Trouble, cure, describe};
use wattline_stream::Partition;

pub(crate) use wattline_service::postgres::Class;

/// Why a batch was not written.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The database said no, or is away.
    Database(tokio_postgres::Error),
    /// There is no connection.
    Connect(String),
    /// The batch took too long.
    Timeout(Duration),
    /// These offset rows aren't where this writer left them: someone else was there.
    Fenced(Vec<Partition>),
    /// More rows were refused than can be the rows' fault; the last refusal.
    TooManyRefused(usize, tokio_postgres::Error),
    /// Kafka doesn't answer; in words.
    Kafka(String),
    /// The offset means nothing for this topic: a person must decide; what, and how.
    Refused(String),
    /// Meters that this writer knows are not in the registry any more: the database has lost them.
    MetersGone,
}

// === impl Failure ===

impl Failure {
    /// What must be done about it.
    #[must_use]
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Database(error) => Class::of(error),
            Self::Connect(_) | Self::Timeout(_) | Self::MetersGone | Self::Kafka(_) | Self::Fenced(_) => {
                Class::Transient
            }
            Self::TooManyRefused(..) | Self::Refused(_) => Class::Stop,
        }
    }

    /// COPY met a row that is there already.
    #[must_use]
    pub(crate) fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Database(error) if Trouble::of(error) == Trouble::Duplicate)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => write!(out, "{}; {}", describe(error), cure(error)),
            Self::Connect(error) | Self::Kafka(error) | Self::Refused(error) => out.write_str(error),
            Self::Timeout(after) => write!(out, "the database did not finish the batch within {after:?}"),
            Self::Fenced(partitions) => write!(out, "another sink has written to {partitions:?}"),
            Self::MetersGone => out
                .write_str("meters of the batch are not in the registry any more: they are registered anew"),
            Self::TooManyRefused(count, error) => write!(
                out,
                "more than {count} rows of one partition's batch were refused, so it isn't the rows that are wrong: {}; \
                 compare the table's constraints with the migrations",
                describe(error)
            ),
        }
    }
}

impl From<wattline_stream::Error> for Failure {
    fn from(error: wattline_stream::Error) -> Self {
        match error {
            wattline_stream::Error::Database(error) => Self::Database(error),
            wattline_stream::Error::Kafka(text) => Self::Kafka(text),
            wattline_stream::Error::Fenced(partitions) => Self::Fenced(partitions),
            wattline_stream::Error::Refused(text) | wattline_stream::Error::LostTail { text, .. } => {
                Self::Refused(text)
            }
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_race_is_no_reason_to_stop() {
        assert_eq!(Failure::Fenced(Vec::new()).class(), Class::Transient);
        assert_eq!(Failure::Timeout(Duration::from_secs(1)).class(), Class::Transient);
    }
}
