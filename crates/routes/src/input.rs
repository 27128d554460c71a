//! A message as it came.

use wattline_reading::Timestamp;

/// One message, as a decoder sees it.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The topic it was published on.
    pub topic: &'a str,
    /// The payload as it came.
    pub payload: &'a [u8],
    /// The broker delivered it with the RETAIN flag: its age is unknown.
    pub retained: bool,
    /// The broker delivered it with the DUP flag.
    pub redelivered: bool,
    /// Arrival at this process.
    pub received_at: Timestamp,
}
