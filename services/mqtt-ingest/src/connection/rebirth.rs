//! Asks Sparkplug's nodes for their BIRTH: DATA may give aliases alone, and what names them may have come before this
//! process did.
//!
//! Source: Sparkplug 3.0.0, "Node Control/Rebirth": a node that gets this metric, true, in an NCMD sends its NBIRTH and
//! the DBIRTHs of its devices again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use prost::Message;
use wattline_reading::Timestamp;

/// A node's BIRTH may be large, and some need a while: it isn't asked for sooner again.
const WAIT: Duration = Duration::from_secs(60);
/// How many nodes are remembered; beyond that none is asked until the wait of one is over.
const NODES_MAX: usize = 10_000;
const METRIC: &str = "Node Control/Rebirth";
/// Sparkplug's number of the data type Boolean.
const BOOLEAN: u32 = 11;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Rebirth {
    /// `mqtt.sparkplug_rebirth`.
    wanted: bool,
    /// When each node's command was asked, by its topic.
    asked: HashMap<String, Instant>,
}

/// Of `sparkplug_b.proto`, what a command needs.
#[derive(Clone, PartialEq, Message)]
struct Payload {
    #[prost(uint64, tag = "1")]
    timestamp: u64,
    #[prost(message, repeated, tag = "2")]
    metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint64, tag = "3")]
    timestamp: u64,
    #[prost(uint32, tag = "4")]
    datatype: u32,
    #[prost(bool, optional, tag = "14")]
    boolean_value: Option<bool>,
}

// === impl Rebirth ===

impl Rebirth {
    pub(crate) fn new(wanted: bool) -> Self {
        Self { wanted, asked: HashMap::new() }
    }

    /// Topic and payload of the command to the node of a message on `topic`, unless it was asked already.
    pub(crate) fn command(&mut self, topic: &str, now: Instant, at: Timestamp) -> Option<(String, Vec<u8>)> {
        if !self.wanted {
            return None;
        }
        let command = command_topic(topic)?;
        if self.asked.len() >= NODES_MAX {
            self.asked.retain(|_, asked| now.duration_since(*asked) < WAIT);
        }
        let asked = self.asked.get(&command);
        if asked.map_or(self.asked.len() >= NODES_MAX, |asked| now.duration_since(*asked) < WAIT) {
            return None;
        }
        self.asked.insert(command.clone(), now);
        let timestamp = u64::try_from(at.micros() / 1000).unwrap_or_default();
        let metric =
            Metric { name: METRIC.to_owned(), timestamp, datatype: BOOLEAN, boolean_value: Some(true) };
        Some((command, Payload { timestamp, metrics: vec![metric] }.encode_to_vec()))
    }
}

/// `spBv1.0/<group>/NCMD/<node>`, for a message of that node or of one of its devices.
fn command_topic(topic: &str) -> Option<String> {
    let levels: Vec<&str> = topic.split('/').collect();
    match levels.as_slice() {
        ["spBv1.0", group, "NDATA", node] | ["spBv1.0", group, "DDATA", node, _] => {
            Some(format!("spBv1.0/{group}/NCMD/{node}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_micros(1_795_168_800_123_456);

    #[test]
    fn a_node_is_asked_once_a_minute_in_the_words_of_the_specification() {
        let mut rebirth = Rebirth::new(true);
        let now = Instant::now();
        let (topic, payload) = rebirth.command("spBv1.0/plant/DDATA/edge/meter", now, AT).unwrap();
        assert_eq!(topic, "spBv1.0/plant/NCMD/edge");
        let payload = Payload::decode(&*payload).unwrap();
        assert_eq!(payload.timestamp, 1_795_168_800_123);
        assert_eq!(payload.metrics[0].name, "Node Control/Rebirth");
        assert_eq!((payload.metrics[0].datatype, payload.metrics[0].boolean_value), (11, Some(true)));
        assert_eq!(rebirth.command("spBv1.0/plant/NDATA/edge", now + WAIT / 2, AT), None, "the same node");
        assert!(rebirth.command("spBv1.0/plant/NDATA/other", now, AT).is_some());
        assert!(rebirth.command("spBv1.0/plant/NDATA/edge", now + WAIT, AT).is_some());
    }

    #[test]
    fn nobody_is_asked_unless_it_is_wanted_and_nobody_else_than_a_node() {
        let now = Instant::now();
        assert_eq!(Rebirth::new(false).command("spBv1.0/plant/NDATA/edge", now, AT), None);
        for topic in ["spBv1.0/plant/NBIRTH/edge", "spBv1.0/plant/NDATA", "other/plant/NDATA/edge", ""] {
            assert_eq!(Rebirth::new(true).command(topic, now, AT), None, "{topic}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut rebirth = Rebirth::new(true);
        let now = Instant::now();
        for node in 0..NODES_MAX {
            assert!(rebirth.command(&format!("spBv1.0/g/NDATA/{node}"), now, AT).is_some());
        }
        assert_eq!(rebirth.command("spBv1.0/g/NDATA/more", now, AT), None);
        assert!(rebirth.command("spBv1.0/g/NDATA/more", now + WAIT, AT).is_some());
        assert_eq!(rebirth.asked.len(), 1);
    }
}
