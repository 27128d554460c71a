//! What the session is subscribed to: the wanted filters, a topic of its own, and nothing that the configuration no
//! longer has.
//!
//! A session keeps its subscriptions for as long as the broker keeps it, over restarts with another configuration. So
//! the list of them lies where the session lies: retained by the broker, on a topic of this client alone. On each
//! connection the broker sends the list; what is in it and not wanted is unsubscribed; then the list is written anew.
//!
//! One SUBSCRIBE at a time waits for its answer: a broker must never find one behind a connection's end. Artemis deletes the
//! queue of a subscription that it can't make, with all that waits there for the whole group (`docs/failover.md`).

use std::collections::VecDeque;

use bytes::Bytes;
use rumqttc::{
    ConnAck, Publish, QoS, RetainForwardRule, SubAck, SubscribeFilter, SubscribeReasonCode, UnsubAck,
    UnsubAckReason,
};
use tracing::{info, warn};
use wattline_routes::{Routes, check_filter};

use super::copies::Copies;
use super::loss::Loss;
use super::outbox::{Outbox, Unsent};
use crate::config::{MqttSettings, unshared};

/// A list that is longer is none of ours.
const LISTED_MAX: usize = 10_000;

/// See the module.
#[derive(Debug)]
pub struct Subscriptions {
    /// As the broker is told: with `$share/<group>/`.
    wanted: Vec<String>,
    /// Subscriptions that the configuration says are to be ended.
    unwanted: Vec<String>,
    /// Below it are all replicas' own topics.
    own_prefix: String,
    canary_topic: String,
    list_topic: String,
    has_canaries: bool,
    /// Which of several copies of a message counts.
    copies: Copies,
    /// The subscriptions are a group's, of which no broker joins copies.
    is_shared: bool,
    /// Messages that don't come with one identifier.
    unnamed: u32,
    /// That the broker doesn't tell copies apart was said.
    copies_said: bool,
    /// Only looking: nothing is kept, and no retained message is wanted.
    trial: bool,
    on_connection: OnConnection,
}

/// What is known on the connection of the moment.
#[derive(Debug, Default)]
struct OnConnection {
    /// The broker can't keep the list.
    no_retain: bool,
    /// The list is as it must be, or on its way.
    listed: bool,
    /// The SUBSCRIBE without an answer, with its packet id.
    asked: Option<(u16, Asked)>,
    /// What is asked for behind it.
    to_ask: VecDeque<Asked>,
    /// UNSUBSCRIBEs without an answer, by packet id.
    ending: Vec<(u16, Vec<String>)>,
    /// What the broker refuses to end: it stays in the list.
    kept: Vec<String>,
}

/// What a SUBSCRIBE asks for.
#[derive(Debug)]
struct Asked {
    filters: Vec<String>,
    /// The canaries' own filter is the last one.
    canary: bool,
    /// By what the broker names it.
    id: Option<usize>,
}

/// What the answer to a SUBSCRIBE means.
#[derive(Debug)]
pub(super) enum Granted {
    /// The next one is asked for.
    More,
    /// All is granted, but for the canaries perhaps.
    All { canary: bool },
    /// A wanted one is refused, or this answers nothing.
    No(Loss),
}

// === impl Subscriptions ===

impl Subscriptions {
    /// What `routes` need, in the way of `settings`.
    #[must_use]
    pub fn new(settings: &MqttSettings, routes: &Routes) -> Self {
        let grouped = if settings.filters.is_empty() { routes.filters() } else { settings.filters.clone() };
        let mut wanted: Vec<String> =
            grouped.iter().map(|filter| subscription(settings.group.as_deref(), filter)).collect();
        if settings.takes_memory_routes() {
            wanted.extend(routes.plain_filters());
        }
        Self::of(settings, wanted)
    }

    /// What shows whether [`Subscriptions::new`] would be granted, without taking a message from anybody: each member
    /// of another group, alone in it, gets copies.
    #[must_use]
    pub fn trial(settings: &MqttSettings, routes: &Routes) -> Self {
        let group = settings.group.as_ref().map(|group| format!("{group}-check"));
        let settings = MqttSettings { group, unsubscribe: Vec::new(), ..settings.clone() };
        Self { trial: true, ..Self::new(&settings, routes) }
    }

    fn of(settings: &MqttSettings, wanted: Vec<String>) -> Self {
        let own_prefix = format!("{}/", settings.canary_topic);
        // A client id may hold what no topic may.
        let canary_topic = format!("{own_prefix}{}", settings.client_id.replace(['+', '#', '/'], "_"));
        let mut unwanted = settings.unsubscribe.clone();
        unwanted.retain(|filter| !wanted.contains(filter));
        Self {
            copies: Copies::of(&wanted),
            is_shared: settings.group.is_some(),
            unnamed: 0,
            copies_said: false,
            wanted,
            unwanted,
            own_prefix,
            list_topic: format!("{canary_topic}/subscriptions"),
            canary_topic,
            has_canaries: settings.watchdog_ms > 0,
            trial: false,
            on_connection: OnConnection::default(),
        }
    }

    /// Where canaries are published.
    #[must_use]
    pub fn canary_topic(&self) -> &str {
        &self.canary_topic
    }

    /// What the broker is asked for, without the canaries.
    #[must_use]
    pub fn wanted(&self) -> &[String] {
        &self.wanted
    }

    pub(super) const fn give_canaries_up(&mut self) {
        self.has_canaries = false;
    }

    /// Whether it is a canary or a list, this client's or, by a wide filter, another's. Those have QoS 0; anything
    /// else on such a topic is a message like others.
    pub(super) fn are_own(&self, publish: &Publish) -> bool {
        publish.qos == QoS::AtMostOnce && publish.topic.starts_with(self.own_prefix.as_bytes())
    }

    /// The broker has accepted the connection: asks for everything that is wanted.
    pub(super) fn ask(&mut self, outbox: &Outbox, accepted: &ConnAck) -> Result<(), Unsent> {
        let properties = accepted.properties.as_ref();
        self.on_connection = OnConnection {
            no_retain: properties.and_then(|properties| properties.retain_available) == Some(0),
            ..OnConnection::default()
        };
        if accepted.session_present {
            self.end(outbox, self.unwanted.clone());
        }
        let names_copies =
            properties.and_then(|properties| properties.subscription_identifiers_available) != Some(0);
        let identified: Vec<(usize, String)> = if names_copies {
            self.copies.identified().into_iter().map(|(id, wanted)| (id, wanted.to_owned())).collect()
        } else {
            Vec::new()
        };
        // What ranks first stands first: then an identifier says that all before it stood.
        let plain = self.wanted.iter().filter(|wanted| !identified.iter().any(|(_, other)| other == *wanted));
        let plain = Asked { filters: plain.cloned().collect(), canary: self.has_canaries, id: None };
        let identified = identified.into_iter().map(|(id, wanted)| Asked {
            filters: vec![wanted],
            canary: false,
            id: Some(id),
        });
        self.on_connection.to_ask = std::iter::once(plain).chain(identified).collect();
        self.ask_next(outbox)
    }

    /// Asks for the next that has filters, if there is one.
    fn ask_next(&mut self, outbox: &Outbox) -> Result<(), Unsent> {
        while let Some(asked) = self.on_connection.to_ask.pop_front() {
            let filters = self.filters(&asked);
            if !filters.is_empty() {
                let packet_id = outbox.subscribe(filters, asked.id)?;
                self.on_connection.asked = Some((packet_id, asked));
                break;
            }
        }
        Ok(())
    }

    fn filters(&self, asked: &Asked) -> Vec<SubscribeFilter> {
        let retained = if self.trial { RetainForwardRule::Never } else { RetainForwardRule::OnNewSubscribe };
        let wanted = asked.filters.iter().map(|path| {
            let mut filter = SubscribeFilter::new(path.clone(), QoS::AtLeastOnce);
            filter.retain_forward_rule = retained.clone();
            filter
        });
        let mut filters: Vec<SubscribeFilter> = wanted.collect();
        if asked.canary {
            // Also the topic below it; and the list at each connection.
            filters.push(SubscribeFilter::new(format!("{}/#", self.canary_topic), QoS::AtMostOnce));
        }
        filters
    }

    /// The answer to a SUBSCRIBE. The next one is sent.
    pub(super) fn granted(&mut self, outbox: &Outbox, answer: &SubAck, settings: &MqttSettings) -> Granted {
        let asked = self.on_connection.asked.take_if(|(id, _)| *id == answer.pkid);
        let Some((_, Asked { filters, canary, id: _ })) = asked else {
            return Granted::No(Loss::no_answer(settings, "SUBSCRIBE"));
        };
        if answer.return_codes.len() != filters.len() + usize::from(canary) {
            return Granted::No(Loss::no_answer(settings, "SUBSCRIBE"));
        }
        let refused = |code: &SubscribeReasonCode| !matches!(code, SubscribeReasonCode::Success(_));
        let first = filters.iter().zip(&answer.return_codes).find(|(_, code)| refused(code));
        if let Some((filter, code)) = first {
            return Granted::No(Loss::subscription(settings, filter, *code));
        }
        if canary {
            self.has_canaries = !answer.return_codes.last().is_none_or(refused);
        }
        match self.ask_next(outbox) {
            Err(error) => Granted::No(Loss::unasked(&error)),
            Ok(()) if self.on_connection.asked.is_some() => Granted::More,
            Ok(()) => Granted::All { canary: self.has_canaries },
        }
    }

    /// Whether another subscription of the group brings this message too, and that copy counts.
    pub(super) fn is_second_copy(&mut self, publish: &Publish) -> bool {
        let properties = publish.properties.as_ref();
        let ids = properties.map_or(&[][..], |properties| &properties.subscription_identifiers);
        if ids.len() != 1 {
            self.look_for_copies(&publish.topic, ids);
        }
        let topic = std::str::from_utf8(&publish.topic);
        !ids.is_empty() && topic.is_ok_and(|topic| self.copies.is_second(ids, topic))
    }

    /// Says once that the broker doesn't say by which subscription a copy came. Now and then: it costs as much as a decoder.
    fn look_for_copies(&mut self, topic: &[u8], ids: &[usize]) {
        const EVERY: u32 = 256;
        self.unnamed = self.unnamed.wrapping_add(1);
        // Without a group a broker may join the copies, and names all of them.
        if self.copies_said || self.unnamed % EVERY != 1 || !(ids.is_empty() || self.is_shared) {
            return;
        }
        let Ok(topic) = std::str::from_utf8(topic) else { return };
        if self.copies.several_take(topic) {
            self.copies_said = true;
            warn!(
                "the broker does not say by which subscription a message comes: what several filters take, as {topic}, \
                 is stored as often where the device sends no time. Name your devices' families in `families`, or \
                 filters that have no topic in common in mqtt.filters"
            );
        }
    }

    /// One of [`Subscriptions::are_own`]. What came on the canaries' topic is returned.
    pub(super) fn take_own(&mut self, outbox: &Outbox, publish: &Publish) -> Option<Bytes> {
        if publish.topic == self.list_topic.as_bytes() {
            if publish.retain && !self.on_connection.listed {
                self.compare(outbox, &publish.payload);
            }
            return None;
        }
        if publish.topic != self.canary_topic.as_bytes() {
            return None;
        }
        // The list would have come before the first canary: there is none yet, and this client may write one.
        if !self.on_connection.listed && self.on_connection.ending.is_empty() {
            self.list(outbox);
        }
        Some(publish.payload.clone())
    }

    /// An answer to an UNSUBSCRIBE. False: it was none of these.
    pub(super) fn ended(&mut self, outbox: &Outbox, answer: &UnsubAck) -> bool {
        let ending = &mut self.on_connection.ending;
        let Some(index) = ending.iter().position(|(id, _)| *id == answer.pkid) else { return false };
        let (_, filters) = ending.remove(index);
        for (filter, reason) in filters.into_iter().zip(&answer.reasons) {
            match reason {
                UnsubAckReason::Success => {
                    info!("unsubscribed from {filter}, which the configuration no longer has");
                }
                UnsubAckReason::NoSubscriptionExisted => {}
                reason => {
                    warn!("the broker refuses to end the subscription to {filter}: {reason:?}");
                    self.on_connection.kept.push(filter);
                }
            }
        }
        if self.on_connection.listed && self.on_connection.ending.is_empty() {
            self.list(outbox);
        }
        true
    }

    /// With what the session had: ends what is no longer wanted.
    fn compare(&mut self, outbox: &Outbox, list: &[u8]) {
        let listed: Vec<String> = match serde_json::from_slice(list) {
            Ok(listed) => listed,
            Err(error) => {
                warn!("the list of subscriptions on {} can't be read: {error}", self.list_topic);
                return;
            }
        };
        self.on_connection.listed = true;
        // The broker would end the connection for a filter that is none.
        let is_filter = |filter: &String| check_filter(unshared(filter)).is_ok();
        let is_wanted = |filter: &String| self.wanted.contains(filter) || self.unwanted.contains(filter);
        let old: Vec<String> = listed
            .iter()
            .take(LISTED_MAX)
            .filter(|filter| is_filter(filter) && !is_wanted(filter))
            .cloned()
            .collect();
        let complete = self.wanted.iter().all(|filter| listed.contains(filter));
        if !old.is_empty() {
            self.end(outbox, old);
        } else if !complete {
            self.list(outbox);
        }
    }

    fn end(&mut self, outbox: &Outbox, filters: Vec<String>) {
        if filters.is_empty() {
            return;
        }
        match outbox.unsubscribe(filters.clone()) {
            Ok(id) => self.on_connection.ending.push((id, filters)),
            Err(error) => {
                warn!("cannot end old subscriptions on this connection: {error}");
                self.on_connection.kept.extend(filters);
            }
        }
    }

    /// Has the broker keep the list of what the session is subscribed to now.
    fn list(&mut self, outbox: &Outbox) {
        self.on_connection.listed = true;
        if self.on_connection.no_retain || self.trial {
            return;
        }
        let list: Vec<&String> = self.wanted.iter().chain(&self.on_connection.kept).collect();
        let Ok(list) = serde_json::to_vec(&list) else { return };
        if let Err(error) = outbox.publish(&self.list_topic, list, true) {
            warn!("cannot write the list of subscriptions: {error}");
        }
    }
}

fn subscription(group: Option<&str>, filter: &str) -> String {
    match group {
        None => filter.to_owned(),
        Some(group) => format!("$share/{group}/{filter}"),
    }
}
