//! The one form that a message has in this service, from the socket to its PUBACK.

use bytes::Bytes;
use wattline_reading::Timestamp;

/// A message, whole: it may still have to become a dead letter. Topic and payload share the memory of the read that
/// brought them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The topic it was published on.
    pub topic: Bytes,
    /// Its payload.
    pub payload: Bytes,
    /// The RETAIN flag of its delivery.
    pub retained: bool,
    /// The DUP flag: the broker has delivered it before. Once it is taken in: an earlier process may have given it to Kafka.
    pub duplicate: bool,
    /// Another subscription of the group brings it too, and that copy counts.
    pub second_copy: bool,
    /// The MQTT packet id; 0 for QoS 0, which has none.
    pub packet_id: u16,
    /// Its arrival; the first one, where this process has had it before.
    pub received_at: Timestamp,
}
