//! What goes to the broker: acknowledgements and requests, in their order.
//!
//! Whoever has something to say appends it here; the connection takes all of it and writes it at once. So the
//! acknowledgements of everything that Kafka confirmed together cost one system call and one segment, not one each.
//!
//! It belongs to one connection at a time: it is emptied when that ends, so nothing slips from one to the next.

use std::fmt;
use std::task::Waker;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use rumqttc::mqttbytes::Error as PacketError;
use rumqttc::{Packet, PubAck, Publish, QoS, Subscribe, SubscribeFilter, SubscribeProperties, Unsubscribe};
use tokio::sync::Notify;

/// See the module.
#[derive(Debug)]
pub struct Outbox {
    queue: Mutex<Queue>,
    /// The connection has taken what was there.
    taken: Notify,
    /// Beyond it nothing is appended until the connection has taken what is there: a broker that reads nothing must not
    /// fill the memory.
    bytes_max: usize,
}

/// Why something can't be sent.
#[derive(Debug)]
pub enum Unsent {
    /// No connection stands.
    Closed,
    /// The broker has not read what was sent before.
    Full,
    /// The packet can't be made, or is larger than the broker takes.
    Packet(PacketError),
}

#[derive(Debug, Default)]
struct Queue {
    bytes: BytesMut,
    open: bool,
    /// The largest packet that the broker takes, in bytes; none: as large as MQTT allows.
    packet_bytes_max: Option<u32>,
    last_id: u16,
    /// The connection, waiting for something to write.
    waiting: Option<Waker>,
}

// === impl Outbox ===

impl Outbox {
    /// Closed, until a connection stands. At most about `bytes_max` bytes wait in it.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self { queue: Mutex::default(), taken: Notify::new(), bytes_max }
    }

    /// A connection stands, on which the broker takes packets of up to so many bytes.
    pub(super) fn open(&self, packet_bytes_max: Option<u32>) {
        *self.queue.lock() = Queue { open: true, packet_bytes_max, ..Queue::default() };
    }

    /// The connection is gone, and with it everything that was to be sent on it.
    pub(super) fn close(&self) {
        *self.queue.lock() = Queue::default();
        self.taken.notify_waiters();
    }

    /// Acknowledges a message of this connection. False: not now, for the broker has not read what was sent before.
    #[must_use]
    pub fn acknowledge(&self, packet_id: u16) -> bool {
        self.append(|_| Packet::PubAck(PubAck::new(packet_id, None))).is_ok()
    }

    /// Publishes at QoS 0.
    ///
    /// # Errors
    /// [`Unsent`]: it is lost, as QoS 0 allows.
    pub fn publish(&self, topic: &str, payload: impl Into<Bytes>, retain: bool) -> Result<(), Unsent> {
        let mut publish = Publish::new(topic, QoS::AtMostOnce, payload, None);
        publish.retain = retain;
        self.append(|_| Packet::Publish(publish)).map(|_| ())
    }

    /// Subscribes, with an identifier that what comes by these filters will carry. The result is the packet id, which the
    /// answer will have.
    ///
    /// # Errors
    /// [`Unsent`].
    pub fn subscribe(&self, filters: Vec<SubscribeFilter>, id: Option<usize>) -> Result<u16, Unsent> {
        let properties = id.map(|id| SubscribeProperties { id: Some(id), user_properties: Vec::new() });
        let mut subscribe = Subscribe::new_many(filters, properties);
        self.append(|pkid| {
            subscribe.pkid = pkid;
            Packet::Subscribe(subscribe)
        })
    }

    /// Unsubscribes. The result is the packet id, which the answer will have.
    ///
    /// # Errors
    /// [`Unsent`].
    pub fn unsubscribe(&self, filters: Vec<String>) -> Result<u16, Unsent> {
        self.append(|pkid| Packet::Unsubscribe(Unsubscribe { pkid, filters, properties: None }))
    }

    /// Waits until the connection has taken what is there, or is gone.
    pub async fn taken(&self) {
        self.taken.notified().await;
    }

    /// Moves everything into `into`, which must be empty. False: there is nothing, and `waker` is woken when there is.
    pub(super) fn take(&self, into: &mut BytesMut, waker: &Waker) -> bool {
        let mut queue = self.queue.lock();
        if queue.bytes.is_empty() {
            if !queue.waiting.as_ref().is_some_and(|waiting| waiting.will_wake(waker)) {
                queue.waiting = Some(waker.clone());
            }
            return false;
        }
        std::mem::swap(&mut queue.bytes, into);
        drop(queue);
        self.taken.notify_waiters();
        true
    }

    fn append(&self, packet: impl FnOnce(u16) -> Packet) -> Result<u16, Unsent> {
        let mut queue = self.queue.lock();
        if !queue.open {
            return Err(Unsent::Closed);
        }
        if queue.bytes.len() >= self.bytes_max {
            return Err(Unsent::Full);
        }
        let id = queue.last_id.checked_add(1).unwrap_or(1);
        let packet = packet(id);
        let packet_bytes_max = queue.packet_bytes_max;
        let before = queue.bytes.len();
        if let Err(error) = packet.write(&mut queue.bytes, packet_bytes_max) {
            queue.bytes.truncate(before);
            return Err(Unsent::Packet(error));
        }
        if matches!(packet, Packet::Subscribe(_) | Packet::Unsubscribe(_)) {
            queue.last_id = id;
        }
        let waiting = queue.waiting.take();
        drop(queue);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
        Ok(id)
    }
}

// === impl Unsent ===

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("no connection stands"),
            Self::Full => f.write_str("the broker does not read what was sent before"),
            Self::Packet(error) => write!(f, "{error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(outbox: &Outbox) -> Vec<u8> {
        let mut taken = BytesMut::new();
        outbox.take(&mut taken, Waker::noop());
        taken.to_vec()
    }

    #[test]
    fn acks_lie_side_by_side_in_their_order() {
        let outbox = Outbox::new(100);
        outbox.open(None);
        assert!([7, 3, 256].into_iter().all(|id| outbox.acknowledge(id)));
        assert_eq!(take(&outbox), [0x40, 2, 0, 7, 0x40, 2, 0, 3, 0x40, 2, 1, 0]);
        assert!(take(&outbox).is_empty());
    }

    #[test]
    fn what_is_not_taken_has_a_bound() {
        let outbox = Outbox::new(8);
        outbox.open(None);
        assert!(outbox.acknowledge(1) && outbox.acknowledge(2));
        assert!(!outbox.acknowledge(3), "full");
        assert_eq!(take(&outbox).len(), 8);
        assert!(outbox.acknowledge(3));
    }

    #[test]
    fn nothing_slips_from_one_connection_to_the_next() {
        let outbox = Outbox::new(100);
        assert!(!outbox.acknowledge(1), "no connection");
        outbox.open(None);
        assert!(outbox.acknowledge(1));
        outbox.close();
        assert!(!outbox.acknowledge(2));
        outbox.open(None);
        assert!(take(&outbox).is_empty());
    }

    #[test]
    fn requests_have_ids_of_their_own_and_what_the_broker_would_not_take_is_not_sent() {
        let outbox = Outbox::new(1000);
        outbox.open(Some(20));
        let filter = |path: &str| vec![SubscribeFilter::new(path, QoS::AtLeastOnce)];
        assert_eq!(outbox.subscribe(filter("a"), None).unwrap(), 1);
        assert!(outbox.acknowledge(9));
        assert!(matches!(outbox.subscribe(filter(&"a".repeat(20)), None), Err(Unsent::Packet(_))));
        assert_eq!(outbox.unsubscribe(vec!["a".to_owned()]).unwrap(), 2);
        let taken = take(&outbox);
        assert_eq!((taken[0], taken[taken.len() - 8]), (0x82, 0xa2), "{taken:x?}");
        assert_eq!(taken.len(), 9 + 4 + 8, "nothing of the one that is too large: {taken:x?}");
    }

    #[test]
    fn ids_never_become_zero() {
        let outbox = Outbox::new(1000);
        outbox.open(None);
        outbox.queue.lock().last_id = u16::MAX;
        assert_eq!(outbox.unsubscribe(vec!["a".to_owned()]).unwrap(), 1);
    }
}
