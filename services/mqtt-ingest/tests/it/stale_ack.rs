//! An ack belongs to the connection that brought the message.
//!
//! A broker that lost its session gives the packet ids 1, 2, 3… to other messages. An ack of an old message, sent
//! late, would acknowledge a new one that nobody has stored.
//!
//! The session and the window are the service's own; this test plays Kafka, because it must confirm the old
//! messages while the new ones stay open.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use wattline_mqtt_ingest::connection::{Event, Outbox, Session, Subscriptions};
use wattline_mqtt_ingest::received::Received;
use wattline_mqtt_ingest::window::{Fate, Window, WindowSettings};
use wattline_routes::Routes;

use crate::fixture::{PATIENCE, World, faulty, payload};

const COUNT: u64 = 20;

struct Harness {
    session: Session,
    outbox: Arc<Outbox>,
    window: Mutex<Window>,
}

impl Harness {
    fn new(world: &World) -> Self {
        let config = world.config();
        let routes = Routes::new(&config.routes, &config.families).unwrap();
        let subscriptions = Subscriptions::new(&config.mqtt, &routes);
        let session = Session::new(&config.mqtt, subscriptions, 1000).unwrap();
        let outbox = session.outbox();
        Self { session, outbox, window: Mutex::new(Window::new(WindowSettings::default())) }
    }

    /// Goes on until `done` messages have been received, as the service does it. The messages' numbers in the
    /// window, and the messages.
    async fn receive(&mut self, done: usize) -> Vec<(u64, Received)> {
        let mut received = Vec::new();
        let mut subscribed = false;
        let receiving = async {
            while received.len() < done || (done == 0 && !subscribed) {
                match self.session.next().await {
                    Event::Opened { session_present, .. } => {
                        self.window.lock().connection_opened(session_present);
                    }
                    Event::Subscribed { .. } => subscribed = true,
                    Event::Canary(_) => {}
                    Event::Message(message) => received.push((self.admit(&message), message)),
                    Event::Lost(_) => {
                        self.lose();
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    Event::FarewellAnswered => panic!("nobody closes it"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, receiving).await.expect("messages in time");
        received
    }

    fn admit(&self, message: &Received) -> u64 {
        self.window.lock().admit(message.clone(), Fate::Forward, 1, 0)
    }

    fn lose(&mut self) {
        let mut window = self.window.lock();
        window.connection_lost();
        self.session.discard();
    }

    /// Kafka confirms these; what may be acknowledged is. How many acks were queued.
    fn confirm(&self, messages: &[(u64, Received)]) -> u64 {
        let mut window = self.window.lock();
        for (sequence, _) in messages {
            window.confirm(*sequence);
        }
        window.settle(|packet_id| self.outbox.acknowledge(packet_id)).acknowledged
    }

    /// Lets queued acks go out and the broker take them in.
    async fn flush(&mut self) {
        let idle = Duration::from_millis(500);
        while let Ok(event) = tokio::time::timeout(idle, self.session.next()).await {
            assert!(!matches!(event, Event::Message(_)), "nothing new comes");
            if matches!(event, Event::Lost(_)) {
                return;
            }
        }
    }
}

fn ids(messages: &[(u64, Received)]) -> Vec<u16> {
    messages.iter().map(|(_, message)| message.packet_id).collect()
}

/// Seen to fail without the guard: with `entry.connection == self.connection` taken out of `Window::settle`, the
/// 20 old acks went out, Mosquitto took them for the 20 new messages, and not one of these came again.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_ack_never_acknowledges_another_message() {
    let world = faulty("stale").await;
    let mut harness = Harness::new(&world);
    harness.receive(0).await;
    let mut publisher = world.publisher().await;
    publisher.publish((0..COUNT).map(|meter| (world.topic(meter), payload(meter)))).await;
    let old = harness.receive(20).await;

    // The broker comes back without its session.
    world.stack.mosquitto().kill().await.unwrap();
    let database = world.stack.dir().join("mosquitto/data/mosquitto.db");
    std::fs::remove_file(&database).ok();
    world.stack.mosquitto().start().await.unwrap();
    world.stack.mosquitto().wait_ready().await.unwrap();
    harness.receive(0).await;
    let mut publisher = world.publisher().await;
    publisher.publish((0..COUNT).map(|meter| (world.topic(format!("new-{meter}")), payload(meter)))).await;
    let new = harness.receive(20).await;
    assert_eq!(ids(&old), ids(&new), "the case at hand: the same ids for other messages");

    // Only now does Kafka confirm the old ones.
    assert_eq!(harness.confirm(&old), 0, "not one ack may go out");
    harness.flush().await;
    harness.lose();
    let again = harness.receive(20).await;
    assert_eq!(ids(&again), ids(&new), "the broker still has every new message");
    assert!(again.iter().all(|(_, message)| message.duplicate));

    // The copy that came first is confirmed first; only the one of this connection is acknowledged.
    assert_eq!(harness.confirm(&new), 0);
    assert_eq!(harness.confirm(&again), COUNT);
}
