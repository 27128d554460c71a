//! What a client is told when something goes wrong: what, and what to do. Internals stay in the log, under a
//! reference that the client gets too.

use std::sync::atomic::{AtomicU64, Ordering};

use async_graphql::{Error, ErrorExtensionValues, Pos, ServerError};
use tracing::{error, warn};
use wattline_service::postgres::{Class, describe};

/// An error of the API. Not `Display`, so that it can't become a GraphQL error without its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiError {
    /// The request makes no sense; the text says what to write.
    BadInput(String),
    /// There is no such thing.
    NotFound(String),
    /// More was asked for than is given; the text says what is.
    TooMuch(String),
    /// It took too long.
    Timeout(String),
    /// A server behind this one doesn't answer: the same request may work later.
    Unavailable(String),
    /// A fault of ours; the text is a reference into the log.
    Internal(String),
}

/// A result of the API.
pub type Result<T> = std::result::Result<T, ApiError>;

static REFERENCE: AtomicU64 = AtomicU64::new(1);

// === impl ApiError ===

impl ApiError {
    /// The code in the error's extensions.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadInput(_) => "BAD_INPUT",
            Self::NotFound(_) => "NOT_FOUND",
            Self::TooMuch(_) => "LIMIT_EXCEEDED",
            Self::Timeout(_) => "TIMEOUT",
            Self::Unavailable(_) => "UNAVAILABLE",
            Self::Internal(_) => "INTERNAL",
        }
    }

    /// What the client reads.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::BadInput(text)
            | Self::NotFound(text)
            | Self::TooMuch(text)
            | Self::Timeout(text)
            | Self::Unavailable(text)
            | Self::Internal(text) => text,
        }
    }

    /// The error of a request that is at no place of the query's text.
    #[must_use]
    pub fn into_server_error(self) -> ServerError {
        let mut error = Error::from(self).into_server_error(Pos::default());
        error.locations.clear();
        error
    }

    /// A fault of ours: the details go to the log.
    #[must_use]
    pub fn internal(details: &str) -> Self {
        let reference = format!("{}-{}", std::process::id(), REFERENCE.fetch_add(1, Ordering::Relaxed));
        error!(reference, details, "a request failed ({reference}): {details}");
        Self::Internal(format!("internal error; the server's log has more under {reference}"))
    }

    /// The database is not there.
    #[must_use]
    pub fn database_away(details: &str) -> Self {
        warn!(details, "the database does not answer: {details}");
        Self::Unavailable("the database does not answer at present: try again in a few seconds".to_owned())
    }
}

impl From<tokio_postgres::Error> for ApiError {
    fn from(error: tokio_postgres::Error) -> Self {
        match Class::of(&error) {
            // By the role's statement_timeout.
            Class::Cancelled => Self::Timeout(
                "the database took too long: ask for a shorter range or a smaller page".to_owned(),
            ),
            Class::Transient => Self::database_away(&describe(&error)),
            Class::Data | Class::Stop => Self::internal(&describe(&error)),
        }
    }
}

impl From<deadpool_postgres::PoolError> for ApiError {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            deadpool_postgres::PoolError::Backend(error) => error.into(),
            deadpool_postgres::PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => {
                Self::Unavailable("too many queries run at present: try again in a few seconds".to_owned())
            }
            error => Self::database_away(&error.to_string()),
        }
    }
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", error.code());
        let mut graphql = Self::new(error.message());
        graphql.extensions = Some(extensions);
        graphql
    }
}

#[cfg(test)]
mod tests {
    use deadpool_postgres::{PoolError, TimeoutType};

    use super::*;

    #[test]
    fn a_fault_of_ours_is_told_by_a_reference_only() {
        let first = ApiError::internal("relation energy_15m does not exist");
        let second = ApiError::internal("relation energy_15m does not exist");
        assert_eq!(first.code(), "INTERNAL");
        assert!(!first.message().contains("energy_15m"), "{first:?}");
        assert_ne!(first.message(), second.message(), "each has its own line in the log");
    }

    #[test]
    fn a_client_reads_the_code_beside_the_text() {
        for (error, code) in [
            (ApiError::BadInput("a".to_owned()), "BAD_INPUT"),
            (ApiError::NotFound("a".to_owned()), "NOT_FOUND"),
            (ApiError::TooMuch("a".to_owned()), "LIMIT_EXCEEDED"),
            (ApiError::Timeout("a".to_owned()), "TIMEOUT"),
            (ApiError::Unavailable("a".to_owned()), "UNAVAILABLE"),
        ] {
            let graphql: Error = error.into();
            assert_eq!(graphql.message, "a");
            let json =
                serde_json::to_value(graphql.into_server_error(async_graphql::Pos::default())).unwrap();
            assert_eq!(json["extensions"]["code"], code);
        }
    }

    #[test]
    fn waiting_for_a_connection_is_no_fault_of_the_database() {
        let busy: ApiError = PoolError::Timeout(TimeoutType::Wait).into();
        assert!(
            matches!(&busy, ApiError::Unavailable(text) if text.contains("too many queries")),
            "{busy:?}"
        );
        let away: ApiError = PoolError::Timeout(TimeoutType::Create).into();
        assert!(matches!(&away, ApiError::Unavailable(text) if text.contains("database")), "{away:?}");
    }
}
