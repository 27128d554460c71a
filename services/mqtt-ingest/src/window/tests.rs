//! The window against a model that is too simple to be wrong.

use std::collections::BTreeMap;

use proptest::prelude::*;
use wattline_formats::Ignored;

use super::*;

const SETTINGS: WindowSettings = WindowSettings { messages_max: 20, records_max: 40, bytes_max: 2000 };

fn message(packet_id: u16) -> Received {
    Received {
        topic: Bytes::from_static(b"wattline/m/reading"),
        payload: Bytes::from_static(b"{}"),
        retained: false,
        duplicate: false,
        second_copy: false,
        packet_id,
        received_at: Timestamp::from_micros(i64::from(packet_id)),
    }
}

fn settle(window: &mut Window) -> Vec<u16> {
    let mut acknowledged = Vec::new();
    window.settle(|packet_id| {
        acknowledged.push(packet_id);
        true
    });
    acknowledged
}

#[test]
fn acks_leave_in_the_order_of_arrival() {
    let mut window = Window::new(SETTINGS);
    window.connection_opened(false);
    let first = window.admit(message(7), Fate::Forward, 1, 10);
    let second = window.admit(message(3), Fate::Forward, 2, 10);
    window.admit(message(5), Fate::Ignore(Ignored::Empty), 0, 0);
    window.confirm(second);
    window.confirm(second);
    assert_eq!(settle(&mut window), [] as [u16; 0], "the first is still open");
    window.confirm(first);
    assert_eq!(settle(&mut window), [7, 3, 5]);
    assert_eq!(window.used(), Usage::default());
    assert_eq!(window.account().forwarded, 2);
    assert_eq!(window.account().open(), 0);
}

/// The stale ack: the broker gave packet id 7 to another message on the new connection.
#[test]
fn what_an_old_connection_brought_is_never_acknowledged() {
    let mut window = Window::new(SETTINGS);
    window.connection_opened(false);
    let old = window.admit(message(7), Fate::Forward, 1, 10);
    window.connection_lost();
    window.confirm(old);
    assert_eq!(settle(&mut window), [] as [u16; 0], "no connection stands");
    window.connection_opened(false);
    let old = window.admit(message(8), Fate::Forward, 1, 10);
    window.connection_lost();
    window.connection_opened(false);
    let new = window.admit(message(8), Fate::Forward, 1, 10);
    window.confirm(old);
    assert_eq!(settle(&mut window), [] as [u16; 0], "id 8 is another message now");
    window.confirm(new);
    assert_eq!(settle(&mut window), [8]);
}

#[test]
fn a_full_ack_queue_loses_no_ack() {
    let mut window = Window::new(SETTINGS);
    window.connection_opened(false);
    for packet_id in 1..=3 {
        let sequence = window.admit(message(packet_id), Fate::Forward, 1, 10);
        window.confirm(sequence);
    }
    let mut room = 1;
    window.settle(|_| {
        room -= 1;
        room >= 0
    });
    assert_eq!(settle(&mut window), [2, 3]);
}

/// Whoever waits for room, or for the end, is woken by what leaves.
#[tokio::test]
async fn who_waits_is_woken_by_what_leaves() {
    let window = Arc::new(Mutex::new(Window::new(SETTINGS)));
    let sequences: Vec<u64> =
        (1..=3).map(|id| window.lock().admit(message(id), Fate::Forward, 1, 10)).collect();
    let waiting = tokio::spawn({
        let window = Arc::clone(&window);
        async move { wait_until(&window, Window::is_empty).await }
    });
    for sequence in sequences {
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        window.lock().confirm(sequence);
        window.lock().settle(|_| true);
    }
    waiting.await.unwrap();
    let sequence = window.lock().admit(message(4), Fate::Forward, 1, 10);
    let mut waiting = std::pin::pin!(wait_until(&window, Window::is_empty));
    assert!(
        std::future::poll_fn(|context| std::task::Poll::Ready(waiting.as_mut().poll(context)))
            .await
            .is_pending()
    );
    window.lock().abandon();
    waiting.await;
    assert!(!window.lock().holds(sequence));
}

#[test]
fn a_refused_record_makes_one_dead_letter_of_the_whole_message() {
    let mut window = Window::new(SETTINGS);
    window.connection_opened(false);
    let sequence = window.admit(message(1), Fate::Forward, 3, 30);
    assert_eq!(window.refuse(sequence, |_| 50), Some(message(1)));
    assert_eq!(window.refuse(sequence, |_| 50), None, "one is enough");
    window.confirm(sequence);
    assert_eq!(settle(&mut window), [] as [u16; 0], "the dead letter is open");
    window.confirm(sequence);
    assert_eq!(settle(&mut window), [1]);
    assert_eq!(window.account().dead_lettered[Reason::KafkaRefused as usize], 1);
    assert_eq!(window.used(), Usage::default());
    assert_eq!(window.refuse(sequence, |_| 50), None, "it has left the window");
}

#[test]
fn an_empty_window_takes_what_exceeds_every_bound() {
    let mut window = Window::new(SETTINGS);
    assert!(window.has_room(1, 1000, 1_000_000));
    let sequence = window.admit(message(1), Fate::Forward, 1000, 1_000_000);
    assert!(!window.has_room(1, 1, 1));
    assert!(!window.is_half_free());
    window.confirm(sequence);
    assert!(!window.has_room(1, 1, 1), "999 records are still open");
}

fn recognise(window: &mut Window, packet_id: u16, duplicate: bool) -> Arrival {
    window.recognise(&Received { duplicate, ..message(packet_id) })
}

#[test]
fn what_comes_again_is_acknowledged_behind_its_original() {
    let mut window = Window::new(SETTINGS);
    window.connection_opened(true);
    assert_eq!(recognise(&mut window, 7, false), Arrival::New);
    let open = window.admit(message(7), Fate::Forward, 1, 10);
    let settled = window.admit(message(8), Fate::Ignore(Ignored::Empty), 0, 0);
    window.connection_lost();
    window.connection_opened(true);
    assert_eq!(recognise(&mut window, 6, true), Arrival::Redelivered, "of an earlier process");
    let unknown = window.admit(message(6), Fate::Forward, 1, 10);
    for packet_id in [7, 8] {
        assert_eq!(recognise(&mut window, packet_id, true), Arrival::Copy);
        window.admit_copy(&message(packet_id));
    }
    window.confirm(settled);
    assert_eq!(settle(&mut window), [] as [u16; 0], "the original is open");
    window.confirm(open);
    assert_eq!(settle(&mut window), [] as [u16; 0], "6 came before its copy");
    // And again: a copy is as well known as its original.
    window.connection_lost();
    window.connection_opened(true);
    for packet_id in [6, 7, 8] {
        assert_eq!(recognise(&mut window, packet_id, true), Arrival::Copy);
        window.admit_copy(&message(packet_id));
    }
    window.confirm(unknown);
    assert_eq!(settle(&mut window), [6, 7, 8]);
    assert_eq!(window.account().forwarded, 2);
    assert_eq!(window.account().shed[Shed::Copy as usize], 5);
    assert_eq!(window.account().open(), 0);
}

#[test]
fn another_message_with_the_same_id_is_no_copy() {
    let mut window = Window::new(SETTINGS);
    for (duplicate, payload, session_present, arrival) in [
        (true, "{}", true, Arrival::Copy),
        (true, "{ }", true, Arrival::Redelivered),
        (false, "{}", true, Arrival::New),
        (true, "{}", false, Arrival::Redelivered),
    ] {
        window.connection_opened(true);
        let sequence = window.admit(message(7), Fate::Forward, 1, 10);
        window.connection_lost();
        window.connection_opened(session_present);
        let again = Received { duplicate, payload: Bytes::from(payload), ..message(7) };
        assert_eq!(window.recognise(&again), arrival, "{payload}");
        if arrival != Arrival::Copy {
            let next = recognise(&mut window, 7, true);
            assert_eq!(next, Arrival::Redelivered, "the id is another message's now");
        }
        window.confirm(sequence);
        assert_eq!(settle(&mut window), [] as [u16; 0]);
    }
}

/// Its PUBACK may have arrived, and the broker may have given the id to another message with the same content.
#[test]
fn what_was_acknowledged_is_not_known() {
    let mut window = Window::new(SETTINGS);
    window.connection_opened(true);
    let sequence = window.admit(message(7), Fate::Forward, 1, 10);
    window.confirm(sequence);
    assert_eq!(settle(&mut window), [7]);
    window.connection_lost();
    window.connection_opened(true);
    assert_eq!(recognise(&mut window, 7, true), Arrival::Redelivered);
}

/// Kafka may have what it has not confirmed: under its first arrival the store finds one reading in both.
#[test]
fn what_a_producer_left_open_comes_again_as_what_it_was() {
    let mut window = Window::new(SETTINGS);
    window.connection_opened(true);
    let confirmed = window.admit(message(7), Fate::Forward, 1, 10);
    window.admit(message(8), Fate::Forward, 1, 10);
    window.admit(Received { duplicate: true, ..message(9) }, Fate::Forward, 1, 10);
    window.confirm(confirmed);
    assert_eq!((window.abandon(), window.account().forwarded), (2, 1));
    let at = |packet_id| message(packet_id).received_at;
    for _ in 0..2 {
        window.connection_opened(true);
        assert_eq!(recognise(&mut window, 7, true), Arrival::Copy, "Kafka has it");
        assert_eq!(recognise(&mut window, 8, true), Arrival::Again { at: at(8), redelivered: false });
        assert_eq!(recognise(&mut window, 9, true), Arrival::Again { at: at(9), redelivered: true });
        assert_eq!(recognise(&mut window, 10, true), Arrival::Redelivered);
        // A second producer fails before it has anything of them.
        window.admit(message(8), Fate::Forward, 1, 10);
        assert_eq!(window.abandon(), 1);
    }
    window.connection_opened(false);
    assert_eq!(recognise(&mut window, 8, true), Arrival::Redelivered, "the broker has lost the session");
}

#[test]
fn what_was_let_go_comes_as_new() {
    let mut window = Window::new(SETTINGS);
    window.connection_opened(true);
    window.shed_for_now(&message(7), Shed::Overrun, true);
    window.shed_for_now(&message(8), Shed::Overrun, false);
    window.connection_lost();
    window.connection_opened(true);
    assert_eq!(recognise(&mut window, 7, true), Arrival::New, "no process has given it to Kafka");
    assert_eq!(recognise(&mut window, 8, true), Arrival::Redelivered, "an earlier process may have");
}

#[derive(Clone, Debug)]
enum Step {
    Arrive { qos: u8, records: usize, ignored: bool },
    Confirm { which: usize },
    Refuse { which: usize },
    Settle { ack_room: usize },
    Reconnect { session_present: bool },
    Redeliver,
    Lose,
    Abandon,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..2_u8, 1..4_usize, prop::bool::weighted(0.2))
            .prop_map(|(qos, records, ignored)| Step::Arrive { qos, records, ignored }),
        9 => (0..40_usize).prop_map(|which| Step::Confirm { which }),
        1 => (0..40_usize).prop_map(|which| Step::Refuse { which }),
        4 => (0..30_usize).prop_map(|ack_room| Step::Settle { ack_room }),
        2 => prop::bool::weighted(0.8).prop_map(|session_present| Step::Reconnect { session_present }),
        4 => Just(Step::Redeliver),
        1 => Just(Step::Lose),
        1 => Just(Step::Abandon),
    ];
    prop::collection::vec(step, 1..200)
}

/// All messages ever, never removed.
#[derive(Default)]
struct Model {
    messages: BTreeMap<u64, ModelMessage>,
    connection: u64,
    connected: bool,
    received: u64,
    shed: u64,
    /// What the broker holds, by packet id, in the order of delivery, and as what it comes again.
    held: BTreeMap<u16, Arrival>,
    /// What of it is to be delivered again on this connection.
    again: Vec<u16>,
}

struct ModelMessage {
    packet_id: u16,
    connection: u64,
    open: usize,
    letter: bool,
    copy: bool,
    gone: bool,
}

impl Model {
    fn add(&mut self, sequence: u64, packet_id: u16, open: usize, copy: bool) -> Result<(), TestCaseError> {
        let connection = self.connection;
        let added = ModelMessage { packet_id, connection, open, letter: false, copy, gone: false };
        prop_assert!(self.messages.insert(sequence, added).is_none(), "a number used twice");
        Ok(())
    }

    fn open_records(&self) -> Vec<u64> {
        let open = |(sequence, message): (&u64, &ModelMessage)| {
            std::iter::repeat_n(*sequence, if message.gone { 0 } else { message.open })
        };
        self.messages.iter().flat_map(open).collect()
    }

    /// What may be acknowledged now, in this order, with room for `ack_room` acks.
    fn settle(&mut self, ack_room: usize) -> Vec<u16> {
        let mut acks = Vec::new();
        for message in self.messages.values_mut().filter(|message| !message.gone) {
            if message.open > 0 {
                break;
            }
            if message.packet_id != 0 && self.connected && message.connection == self.connection {
                if acks.len() == ack_room {
                    break;
                }
                acks.push(message.packet_id);
                self.held.remove(&message.packet_id);
            }
            message.gone = true;
            self.shed += u64::from(message.copy);
        }
        acks
    }

    /// How many nobody will confirm.
    fn abandon(&mut self) -> usize {
        let mut count = 0;
        for message in self.messages.values_mut().filter(|message| !message.gone) {
            message.gone = true;
            self.shed += u64::from(message.open > 0 || message.copy);
            if message.open == 0 {
                continue;
            }
            count += 1;
            if let Some(again) = self.held.get_mut(&message.packet_id) {
                let at = Timestamp::from_micros(i64::from(message.packet_id));
                *again = Arrival::Again { at, redelivered: false };
            }
        }
        (self.connection, self.connected) = (self.connection + 1, false);
        self.again.clear();
        count
    }

    fn compare(&self, window: &Window) -> Result<(), TestCaseError> {
        let used = window.used();
        let in_flight = self.messages.values().filter(|message| !message.gone).count();
        prop_assert_eq!(used.messages, in_flight);
        prop_assert!(used.messages <= SETTINGS.messages_max);
        prop_assert_eq!(window.account().open(), in_flight as u64, "the equation at the door");
        prop_assert_eq!(window.account().received.iter().sum::<u64>(), self.received);
        prop_assert_eq!(window.account().shed.iter().sum::<u64>(), self.shed);
        Ok(())
    }
}

/// A message that was not delivered before.
fn arrive(
    window: &mut Window,
    model: &mut Model,
    packet_id: u16,
    fate: Fate,
    records: usize,
) -> Result<(), TestCaseError> {
    model.received += 1;
    if !window.has_room(1, records, 60) {
        window.shed(packet_id, Shed::Overrun);
        model.shed += 1;
        return Ok(());
    }
    let sequence = window.admit(message(packet_id), fate, records, 40);
    if packet_id != 0 && model.connected {
        model.held.insert(packet_id, Arrival::Copy);
    }
    model.add(sequence, packet_id, records, false)
}

/// The broker delivers the next of what it holds again, if this connection has anything left of that.
fn redeliver(window: &mut Window, model: &mut Model) -> Result<(), TestCaseError> {
    let Some(packet_id) = model.again.pop().filter(|packet_id| model.held.contains_key(packet_id)) else {
        return Ok(());
    };
    let expected = model.held[&packet_id];
    let known = expected == Arrival::Copy;
    prop_assert_eq!(recognise(window, packet_id, true), expected);
    model.received += 1;
    if !window.has_room(1, 1, 60) {
        window.shed_for_now(&message(packet_id), Shed::Overrun, false);
        model.shed += 1;
        return Ok(());
    }
    let sequence = window.used().messages as u64 + window.first;
    if known {
        window.admit_copy(&message(packet_id));
    } else {
        window.admit(message(packet_id), Fate::Forward, 1, 40);
        model.held.insert(packet_id, Arrival::Copy);
    }
    model.add(sequence, packet_id, usize::from(!known), known)
}

fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut window = Window::new(SETTINGS);
    let mut model = Model::default();
    let mut next_packet_id = 0;
    for step in steps {
        match step {
            Step::Arrive { qos, records, ignored } => {
                next_packet_id += 1;
                let packet_id = if qos == 0 { 0 } else { next_packet_id };
                let (fate, records) =
                    if ignored { (Fate::Ignore(Ignored::Empty), 0) } else { (Fate::Forward, records) };
                arrive(&mut window, &mut model, packet_id, fate, records)?;
            }
            Step::Confirm { which } => {
                let open = model.open_records();
                if let Some(sequence) = open.get(which) {
                    window.confirm(*sequence);
                    model.messages.get_mut(sequence).unwrap().open -= 1;
                }
            }
            Step::Refuse { which } => {
                let open = model.open_records();
                if let Some(sequence) = open.get(which) {
                    let letter = window.refuse(*sequence, |_| 30).is_some();
                    let message = model.messages.get_mut(sequence).unwrap();
                    prop_assert_eq!(letter, !message.letter);
                    message.open -= usize::from(message.letter);
                    message.letter = true;
                }
            }
            Step::Settle { ack_room } => {
                let mut acks = Vec::new();
                window.settle(|packet_id| {
                    let room = acks.len() < ack_room;
                    acks.extend(room.then_some(packet_id));
                    room
                });
                prop_assert_eq!(acks, model.settle(ack_room));
            }
            Step::Reconnect { session_present } => {
                window.connection_lost();
                window.connection_opened(session_present);
                (model.connection, model.connected) = (model.connection + 2, true);
                if !session_present {
                    model.held.clear();
                }
                model.again = model.held.keys().rev().copied().collect();
            }
            Step::Redeliver => redeliver(&mut window, &mut model)?,
            Step::Lose => {
                window.connection_lost();
                (model.connection, model.connected) = (model.connection + 1, false);
                model.again.clear();
            }
            Step::Abandon => prop_assert_eq!(window.abandon(), model.abandon()),
        }
        model.compare(&window)?;
    }
    Ok(())
}

proptest! {
    #[test]
    fn the_window_does_what_the_model_does(steps in steps()) {
        run(steps)?;
    }
}
