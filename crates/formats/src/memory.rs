//! What families with memory know of earlier messages: what a BIRTH of Sparkplug said of its metrics.

use std::collections::HashMap;

use crate::unit::Unit;

/// All of it together, of each broker; a device beyond it is as one whose BIRTH was never seen.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// A device, or a metric, beside the bytes of its name: the larger of the maps' entries, twice because up to half of a map
/// is free, and an allocation's own.
const OVERHEAD_BYTES: usize = 2 * size_of::<(String, Metric)>() + 32;
const NAME_BYTES_MAX: usize = 256;

/// Bounded in bytes.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    devices: HashMap<String, Device>,
    bytes: usize,
}

#[derive(Clone, Debug, Default)]
struct Device {
    aliases: HashMap<u64, Metric>,
    /// Of metrics without alias, which DATA calls by their names.
    names: HashMap<String, Metric>,
    bytes: usize,
}

/// What a BIRTH said of one metric.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// Its type by the specification's table.
    pub datatype: Option<u32>,
    /// The unit of its values.
    pub unit: Option<Unit>,
}

// === impl Memory ===

impl Memory {
    /// Forgets a device's metrics: its BIRTH begins.
    pub fn begin(&mut self, device: &str) {
        if let Some(known) = self.devices.remove(device) {
            self.bytes -= known.bytes;
        }
        let bytes = device.len() + OVERHEAD_BYTES;
        if self.bytes + bytes <= BYTES_MAX {
            self.bytes += bytes;
            self.devices.insert(device.to_owned(), Device { bytes, ..Device::default() });
        }
    }

    /// Remembers one metric of a device whose BIRTH has begun.
    pub fn learn(&mut self, device: &str, alias: Option<u64>, metric: Metric) {
        let bytes = metric.name.len() * 2 + OVERHEAD_BYTES;
        if metric.name.len() > NAME_BYTES_MAX || self.bytes + bytes > BYTES_MAX {
            return;
        }
        let Some(known) = self.devices.get_mut(device) else { return };
        let is_new = match alias {
            Some(alias) => known.aliases.insert(alias, metric).is_none(),
            None => known.names.insert(metric.name.clone(), metric).is_none(),
        };
        if is_new {
            known.bytes += bytes;
            self.bytes += bytes;
        }
    }

    /// The metric behind an alias.
    #[must_use]
    pub fn by_alias(&self, device: &str, alias: u64) -> Option<&Metric> {
        self.devices.get(device)?.aliases.get(&alias)
    }

    /// The metric of that name that has no alias.
    #[must_use]
    pub fn by_name(&self, device: &str, name: &str) -> Option<&Metric> {
        self.devices.get(device)?.names.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str) -> Metric {
        Metric { name: name.to_owned(), datatype: Some(2), unit: Some(Unit::Kilo) }
    }

    #[test]
    fn a_birth_forgets_the_one_before() {
        let mut memory = Memory::default();
        memory.begin("a");
        memory.learn("a", Some(1), metric("power"));
        memory.learn("a", None, metric("energy"));
        assert_eq!(memory.by_alias("a", 1), Some(&metric("power")));
        assert_eq!(memory.by_name("a", "energy"), Some(&metric("energy")));
        assert_eq!((memory.by_name("a", "power"), memory.by_alias("b", 1)), (None, None));
        let bytes = memory.bytes;
        memory.begin("a");
        assert_eq!(memory.by_alias("a", 1), None);
        memory.learn("a", Some(1), metric("power"));
        memory.learn("a", Some(1), metric("power"));
        memory.learn("a", None, metric("energy"));
        assert_eq!(memory.bytes, bytes);
    }

    #[test]
    fn many_long_names_fill_the_budget_and_no_more() {
        let mut memory = Memory::default();
        let name = "x".repeat(NAME_BYTES_MAX - 8);
        let devices = BYTES_MAX / 1000 / (2 * NAME_BYTES_MAX) + 1;
        for device in 0..devices {
            memory.begin(&device.to_string());
            for alias in 0..1000 {
                memory.learn(&device.to_string(), Some(alias), metric(&format!("{name}{alias}")));
            }
        }
        assert!(memory.bytes <= BYTES_MAX && memory.bytes > BYTES_MAX - 1024, "{}", memory.bytes);
        assert!(
            memory.by_alias("0", 999).is_some() && memory.by_alias(&(devices - 1).to_string(), 999).is_none()
        );
        memory.begin("0");
        memory.learn("0", Some(1), metric("power"));
        assert!(memory.by_alias("0", 1).is_some(), "what a device gave back another may take");
    }
}
