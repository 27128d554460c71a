//! What went wrong with the database, and what that means for the records.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use tokio_postgres::error::SqlState;
use wattline_service::postgres::describe;

use crate::batch::Partition;

/// What must be done about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Wait and try again, for ever; it has nothing to do with the records.
    Transient,
    /// One of the records is at fault.
    Data,
    /// A person must do something: the partition stops.
    Stop,
}

/// Why a batch was not written.
#[derive(Debug)]
pub enum Failure {
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
    /// More new meters than may be registered in a minute: wait so long.
    MeterBudget(Duration),
}

// === impl Failure ===

impl Failure {
    /// What must be done about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Database(error) => classify(error),
            Self::Connect(_) | Self::Timeout(_) | Self::MeterBudget(_) | Self::Fenced(_) => Class::Transient,
            Self::TooManyRefused(..) => Class::Stop,
        }
    }

    /// Someone else holds the lock of an offset row.
    #[must_use]
    pub fn is_lock_timeout(&self) -> bool {
        matches!(self, Self::Database(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE))
    }

    /// COPY met a row that is there already.
    #[must_use]
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Database(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => write!(out, "{}; {}", describe(error), cure(error)),
            Self::Connect(error) => out.write_str(error),
            Self::Timeout(after) => write!(out, "the database did not finish the batch within {after:?}"),
            Self::Fenced(partitions) => write!(out, "another sink has written to {partitions:?}"),
            Self::TooManyRefused(count, error) => write!(
                out,
                "more than {count} rows of one batch were refused, so it isn't the rows that are wrong: {}; \
                 compare the table's constraints with the migrations",
                describe(error)
            ),
            Self::MeterBudget(wait) => {
                write!(out, "more new meters than meters.new_per_minute_max allows: waiting {wait:?}")
            }
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

/// The class of a database error.
#[must_use]
pub fn classify(error: &tokio_postgres::Error) -> Class {
    if let Some(state) = error.code() {
        return classify_state(state.code());
    }
    let io = error.source().is_some_and(<dyn std::error::Error + 'static>::is::<std::io::Error>);
    if error.is_closed() || io { Class::Transient } else { Class::Stop }
}

fn classify_state(state: &str) -> Class {
    match state {
        "55P03" | "25006" => Class::Transient,
        "23502" | "23514" => Class::Data,
        _ => match state.get(..2) {
            Some("08" | "40" | "53") => Class::Transient,
            Some("57") if state.starts_with("57P") => Class::Transient,
            Some("22") => Class::Data,
            _ => Class::Stop,
        },
    }
}

fn cure(error: &tokio_postgres::Error) -> &'static str {
    match error.code().map(SqlState::code) {
        Some("42P01" | "42703" | "42883" | "42704" | "3F000") => {
            "the schema is not what this version needs: run `wattlinectl migrate`"
        }
        Some("42501") => "a grant is missing: run `wattlinectl migrate`, which repeats sql/roles.sql",
        Some("57014") => "a statement took longer than statement_timeout: see what the database is busy with",
        Some("25006") => "the server is read-only: name the primary in database.url",
        Some("55P03") => "another session holds the row",
        Some(state) if classify_state(state) == Class::Transient => "it is tried again",
        Some(_) => "see the server's log",
        None => "it is tried again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sqlstate_has_its_class() {
        for (state, expected) in [
            ("08006", Class::Transient),
            ("40001", Class::Transient),
            ("40P01", Class::Transient),
            ("53100", Class::Transient),
            ("53300", Class::Transient),
            ("55P03", Class::Transient),
            ("57P01", Class::Transient),
            ("57P03", Class::Transient),
            ("25006", Class::Transient),
            ("22003", Class::Data),
            ("22P03", Class::Data),
            ("23502", Class::Data),
            ("23514", Class::Data),
            ("23505", Class::Stop),
            ("23503", Class::Stop),
            ("42P01", Class::Stop),
            ("42501", Class::Stop),
            ("55000", Class::Stop),
            ("57014", Class::Stop),
            ("XX000", Class::Stop),
            ("", Class::Stop),
        ] {
            assert_eq!(classify_state(state), expected, "{state}");
        }
    }

    #[test]
    fn a_lost_race_is_no_reason_to_stop() {
        assert_eq!(Failure::Fenced(Vec::new()).class(), Class::Transient);
        assert_eq!(Failure::Timeout(Duration::from_secs(1)).class(), Class::Transient);
    }
}
