//! What a database error means: one table of SQLSTATEs for everybody who must decide on one.

use std::error::Error as _;
use std::io;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// What must be done about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It passes: wait and try again. It has nothing to do with what was sent.
    Transient,
    /// The statement was cancelled: it took longer than `statement_timeout`, or a person ended it. Whether that means
    /// to stop, to ask for less or to tell the caller is for whoever sent it.
    Cancelled,
    /// One of the values that were sent is at fault.
    Data,
    /// A person must do something.
    Stop,
}

/// What the server says went wrong, as far as somebody acts on it or knows a cure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There is no connection, or none any more.
    Connection,
    /// Someone else was there at the same time: a new transaction may succeed at once.
    Race,
    /// A lock was not given in time.
    Locked,
    /// No room on the disk.
    DiskFull,
    /// No more connections, or no memory.
    Full,
    /// The server starts, stops, or was told to end the connection.
    Away,
    /// A server that takes no writes.
    ReadOnly,
    /// The statement was cancelled.
    Cancelled,
    /// A value that no column of its type takes, or that the table's rules refuse.
    Value,
    /// A row with this key is there already.
    Duplicate,
    /// A table, column, function or schema is missing.
    Schema,
    /// The role may not do this.
    Grant,
    /// The role or its password is wrong.
    Login,
    /// There is no such database.
    NoDatabase,
    /// Others still use it.
    InUse,
    /// The driver refuses: a column or parameter is of another type than the code takes it for, or a setting of the
    /// connection makes no sense.
    Driver,
    /// Anything else.
    Other,
}

/// The beginning of a SQLSTATE, and what it means. The first that fits counts.
const TABLE: [(&str, Trouble); 21] = [
    ("08", Trouble::Connection),
    ("22", Trouble::Value),
    ("23502", Trouble::Value),
    ("23514", Trouble::Value),
    ("23505", Trouble::Duplicate),
    ("25006", Trouble::ReadOnly),
    ("28", Trouble::Login),
    ("3D000", Trouble::NoDatabase),
    ("3F000", Trouble::Schema),
    ("40", Trouble::Race),
    ("42501", Trouble::Grant),
    ("42703", Trouble::Schema),
    ("42704", Trouble::Schema),
    ("42883", Trouble::Schema),
    ("42P01", Trouble::Schema),
    ("53100", Trouble::DiskFull),
    ("53", Trouble::Full),
    ("55006", Trouble::InUse),
    ("55P03", Trouble::Locked),
    ("57014", Trouble::Cancelled),
    ("57P", Trouble::Away),
];

// === impl Class ===

impl Class {
    /// The class of an error.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        Trouble::of(error).class()
    }
}

// === impl Trouble ===

impl Trouble {
    /// What an error says. Without a SQLSTATE it is the connection or the driver.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        if let Some(state) = error.code() {
            return Self::of_state(state);
        }
        let io = error.source().is_some_and(<dyn std::error::Error + 'static>::is::<io::Error>);
        if error.is_closed() || io { Self::Connection } else { Self::Driver }
    }

    fn of_state(state: &SqlState) -> Self {
        let found = TABLE.iter().find(|(begin, _)| state.code().starts_with(begin));
        found.map_or(Self::Other, |(_, trouble)| *trouble)
    }

    /// What must be done about it.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::Connection
            | Self::Race
            | Self::Locked
            | Self::DiskFull
            | Self::Full
            | Self::Away
            | Self::ReadOnly => Class::Transient,
            Self::Cancelled => Class::Cancelled,
            Self::Value => Class::Data,
            Self::Duplicate
            | Self::Schema
            | Self::Grant
            | Self::Login
            | Self::NoDatabase
            | Self::InUse
            | Self::Driver
            | Self::Other => Class::Stop,
        }
    }

    /// What a person can do about it, or where to look.
    #[must_use]
    pub const fn cure(self) -> &'static str {
        match self {
            Self::Connection => "is the server running, and is database.url right?",
            Self::Race => "another transaction was there at the same time: it may succeed when repeated",
            Self::Locked => "another session holds the row",
            Self::DiskFull => "the database's disk is full: give it room",
            Self::Full => "the server is full: see max_connections and its memory",
            Self::Away => "the server is starting or stopping",
            Self::ReadOnly => "the server is read-only: name the primary in database.url",
            Self::Cancelled => {
                "a statement took longer than statement_timeout, or was cancelled: see what the database is busy with"
            }
            Self::Duplicate => "the row is there already",
            Self::Schema => "the schema is not what this version needs: run `wattlinectl migrate`",
            Self::Grant => "a grant is missing: run `wattlinectl migrate`, which repeats sql/roles.sql",
            Self::Login => {
                "check the role in database.url and the password in database.password_file, which may also have expired: \
                 `wattlinectl migrate --role-password ROLE=FILE` sets it"
            }
            Self::NoDatabase => "create the database, then run `wattlinectl migrate`",
            Self::InUse => "others are connected to it",
            Self::Driver => "do the settings of the connection and the schema fit this version?",
            Self::Value | Self::Other => "see the server's log",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sqlstate_has_its_trouble_and_class() {
        for (state, trouble, class) in [
            ("08000", Trouble::Connection, Class::Transient),
            ("08006", Trouble::Connection, Class::Transient),
            ("22003", Trouble::Value, Class::Data),
            ("22P03", Trouble::Value, Class::Data),
            ("23502", Trouble::Value, Class::Data),
            ("23514", Trouble::Value, Class::Data),
            ("23503", Trouble::Other, Class::Stop),
            ("23505", Trouble::Duplicate, Class::Stop),
            ("25006", Trouble::ReadOnly, Class::Transient),
            ("25P02", Trouble::Other, Class::Stop),
            ("28000", Trouble::Login, Class::Stop),
            ("28P01", Trouble::Login, Class::Stop),
            ("3D000", Trouble::NoDatabase, Class::Stop),
            ("3F000", Trouble::Schema, Class::Stop),
            ("40001", Trouble::Race, Class::Transient),
            ("40P01", Trouble::Race, Class::Transient),
            ("42501", Trouble::Grant, Class::Stop),
            ("42601", Trouble::Other, Class::Stop),
            ("42703", Trouble::Schema, Class::Stop),
            ("42704", Trouble::Schema, Class::Stop),
            ("42883", Trouble::Schema, Class::Stop),
            ("42P01", Trouble::Schema, Class::Stop),
            ("53100", Trouble::DiskFull, Class::Transient),
            ("53200", Trouble::Full, Class::Transient),
            ("53300", Trouble::Full, Class::Transient),
            ("55000", Trouble::Other, Class::Stop),
            ("55006", Trouble::InUse, Class::Stop),
            ("55P03", Trouble::Locked, Class::Transient),
            ("57000", Trouble::Other, Class::Stop),
            ("57014", Trouble::Cancelled, Class::Cancelled),
            ("57P01", Trouble::Away, Class::Transient),
            ("57P03", Trouble::Away, Class::Transient),
            ("XX000", Trouble::Other, Class::Stop),
            ("", Trouble::Other, Class::Stop),
        ] {
            let found = Trouble::of_state(&SqlState::from_code(state));
            assert_eq!((found, found.class()), (trouble, class), "{state}");
        }
    }

    #[test]
    fn no_entry_stands_behind_one_that_covers_it() {
        for (index, (begin, _)) in TABLE.iter().enumerate() {
            let hidden = TABLE[..index].iter().any(|(before, _)| begin.starts_with(before));
            assert!(!hidden, "{begin} is never reached");
        }
    }

    #[tokio::test]
    async fn a_refused_connection_has_no_sqlstate_and_passes() {
        let nobody = "postgres://a@127.0.0.1:1/wattline";
        let refused = tokio_postgres::connect(nobody, tokio_postgres::NoTls).await.err().unwrap();
        assert_eq!(Trouble::of(&refused), Trouble::Connection);
        assert_eq!(Class::of(&refused), Class::Transient);
    }

    #[test]
    fn settings_that_make_no_sense_do_not_pass_by_waiting() {
        let wrong = "not an address".parse::<tokio_postgres::Config>().unwrap_err();
        assert_eq!(Trouble::of(&wrong), Trouble::Driver);
        assert_eq!(Class::of(&wrong), Class::Stop);
    }
}
