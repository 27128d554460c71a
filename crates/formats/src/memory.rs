//! What families with memory know of earlier messages: what the BIRTHs of Sparkplug's nodes and devices said of their
//! metrics. A node's BIRTH ends what was known of it and of all its devices.

use std::collections::HashMap;

use crate::unit::Told;

/// All of it together, of each broker; a node beyond it is as one whose BIRTH was never seen.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// A node or a device, and a metric, beside the bytes of its name: the maps' entries, twice because up to half of a map is
/// free, and an allocation's own.
const DEVICE_BYTES: usize = 2 * size_of::<(String, Device)>() + 32;
const METRIC_BYTES: usize =
    2 * (size_of::<Metric>() + size_of::<(u64, usize)>() + size_of::<(String, usize)>()) + 32;
/// What has a longer name is no measure.
const NAME_BYTES_MAX: usize = 256;

/// Bounded in bytes.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    nodes: HashMap<String, Node>,
    bytes: usize,
}

/// A device of a node; without a name the node itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who<'a> {
    /// `group/node`.
    pub node: &'a str,
    /// The device.
    pub device: &'a str,
}

/// What is known of a device's BIRTH.
#[derive(Clone, Copy, Debug)]
pub enum Birth<'m> {
    /// Nothing, nor of its node's: they were before this memory began.
    Unseen,
    /// The node was born and the device was not since, or there was no room for it.
    Missing,
    /// This was said in it.
    Seen(&'m Device),
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// Its own BIRTH was seen, not only those of its devices.
    is_born: bool,
    /// The number of its session, `bdSeq`.
    session: Option<u64>,
    devices: HashMap<String, Device>,
    bytes: usize,
}

/// What a device's BIRTH said.
#[derive(Clone, Debug, Default)]
pub struct Device {
    metrics: Vec<Metric>,
    aliases: HashMap<u64, usize>,
    names: HashMap<String, usize>,
    bytes: usize,
    /// There was no room for all of it.
    is_cut: bool,
}

/// What a BIRTH said of one metric.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// Its type by the specification's table.
    pub datatype: Option<u32>,
    /// The unit of its values.
    pub unit: Told,
}

// === impl Memory ===

impl Memory {
    /// A node's BIRTH begins: what was known of the node and its devices is over.
    pub fn begin_node(&mut self, node: &str) {
        self.forget(node);
        if let Some(node) = self.node(node) {
            node.is_born = true;
        }
        self.begin(Who { node, device: "" });
    }

    /// The number of the session that has begun.
    pub fn set_session(&mut self, node: &str, session: u64) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.session = Some(session);
        }
    }

    /// A node has died: of `session`, where that is said. The will of a session that is over says nothing of the present one.
    pub fn end_node(&mut self, node: &str, session: Option<u64>) {
        let present = self.nodes.get(node).and_then(|node| node.session);
        if present.is_none() || session.is_none() || present == session {
            self.forget(node);
        }
    }

    /// A device's BIRTH begins: what was known of it is over.
    pub fn begin(&mut self, who: Who<'_>) {
        self.end(who);
        let bytes = who.device.len() + DEVICE_BYTES;
        let has_room = self.bytes + bytes + who.node.len() + DEVICE_BYTES <= BYTES_MAX;
        if let Some(node) = self.node(who.node).filter(|_| has_room) {
            node.devices.insert(who.device.to_owned(), Device { bytes, ..Device::default() });
            node.bytes += bytes;
            self.bytes += bytes;
        }
    }

    /// A device has died.
    pub fn end(&mut self, who: Who<'_>) {
        let Some(node) = self.nodes.get_mut(who.node) else { return };
        if let Some(device) = node.devices.remove(who.device) {
            node.bytes -= device.bytes;
            self.bytes -= device.bytes;
        }
    }

    /// Remembers one metric of a device whose BIRTH has begun. Of two with one name or alias the last counts.
    pub fn learn(&mut self, who: Who<'_>, alias: Option<u64>, metric: Metric) {
        let Some(node) = self.nodes.get_mut(who.node) else { return };
        let Some(device) = node.devices.get_mut(who.device) else { return };
        let is_long = metric.name.len() > NAME_BYTES_MAX;
        let metric = if is_long { Metric::default() } else { metric };
        let bytes = metric.name.len() * 2 + METRIC_BYTES;
        if self.bytes + bytes > BYTES_MAX {
            device.is_cut = true;
            return;
        }
        let at = device.metrics.len();
        device.aliases.extend(alias.map(|alias| (alias, at)));
        if !is_long {
            device.names.insert(metric.name.clone(), at);
        }
        device.metrics.push(metric);
        device.bytes += bytes;
        node.bytes += bytes;
        self.bytes += bytes;
    }

    /// What is known of a device.
    #[must_use]
    pub fn birth(&self, who: Who<'_>) -> Birth<'_> {
        let Some(node) = self.nodes.get(who.node) else { return Birth::Unseen };
        match node.devices.get(who.device) {
            Some(device) => Birth::Seen(device),
            None if node.is_born => Birth::Missing,
            None => Birth::Unseen,
        }
    }

    fn forget(&mut self, node: &str) {
        if let Some(known) = self.nodes.remove(node) {
            self.bytes -= known.bytes;
        }
    }

    /// The node, a new one where there is room for it.
    fn node(&mut self, node: &str) -> Option<&mut Node> {
        let bytes = node.len() + DEVICE_BYTES;
        if !self.nodes.contains_key(node) && self.bytes + bytes <= BYTES_MAX {
            self.nodes.insert(node.to_owned(), Node { bytes, ..Node::default() });
            self.bytes += bytes;
        }
        self.nodes.get_mut(node)
    }
}

// === impl Birth ===

impl<'m> Birth<'m> {
    /// The metric behind an alias.
    #[must_use]
    pub fn by_alias(self, alias: u64) -> Option<&'m Metric> {
        let Self::Seen(device) = self else { return None };
        device.metrics.get(*device.aliases.get(&alias)?)
    }

    /// The metric of that name.
    #[must_use]
    pub fn by_name(self, name: &str) -> Option<&'m Metric> {
        let Self::Seen(device) = self else { return None };
        device.metrics.get(*device.names.get(name)?)
    }

    /// True where it said more than there was room for.
    #[must_use]
    pub const fn is_cut(self) -> bool {
        matches!(self, Self::Seen(Device { is_cut: true, .. }))
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
