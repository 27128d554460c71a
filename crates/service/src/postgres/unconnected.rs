//! A connection that could not be made, and whether waiting helps.

use std::error::Error as _;
use std::{fmt, io};

use tokio_postgres::Error;

use super::{Trouble, cure, describe};

/// A connection that could not be made: where, and why.
#[derive(Debug)]
pub struct Unconnected {
    place: String,
    error: Error,
}

// === impl Unconnected ===

impl Unconnected {
    pub(super) const fn new(place: String, error: Error) -> Self {
        Self { place, error }
    }

    /// Whether a later try may succeed with nothing changed: nobody answered at that address, or under that name, or the
    /// server is starting. Not where somebody answered and refused: the password, the database's name, the certificate.
    #[must_use]
    pub fn passes(&self) -> bool {
        let away = matches!(Trouble::of(&self.error), Trouble::Connection | Trouble::Away);
        away && !self.is_untrusted()
    }

    /// The TLS library tells of a certificate that it doesn't trust as of a failed read.
    fn is_untrusted(&self) -> bool {
        let io = self.error.source().and_then(<dyn std::error::Error + 'static>::downcast_ref::<io::Error>);
        io.is_some_and(|error| error.kind() == io::ErrorKind::InvalidData)
    }
}

impl fmt::Display for Unconnected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, error } = self;
        write!(formatter, "cannot connect to {place}: {}; {}", describe(error), cure(error))
    }
}

impl std::error::Error for Unconnected {}
