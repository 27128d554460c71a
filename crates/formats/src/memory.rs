//! What families with memory know of earlier messages: the names behind Sparkplug's aliases.

use std::collections::HashMap;

/// How many devices are remembered, and how many aliases of each.
const DEVICES_MAX: usize = 10_000;
const ALIASES_MAX: usize = 2_000;
const NAME_BYTES_MAX: usize = 256;

/// Bounded; a device beyond the bound is as one whose BIRTH was never seen.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    devices: HashMap<String, HashMap<u64, String>>,
}

// === impl Memory ===

impl Memory {
    /// Forgets a device's aliases: its BIRTH begins.
    pub fn begin(&mut self, device: &str) {
        if let Some(aliases) = self.devices.get_mut(device) {
            aliases.clear();
        } else if self.devices.len() < DEVICES_MAX {
            self.devices.insert(device.to_owned(), HashMap::new());
        }
    }

    /// Remembers one alias of a device whose BIRTH has begun.
    pub fn learn(&mut self, device: &str, alias: u64, name: &str) {
        if let Some(aliases) = self.devices.get_mut(device)
            && aliases.len() < ALIASES_MAX
            && name.len() <= NAME_BYTES_MAX
        {
            aliases.insert(alias, name.to_owned());
        }
    }

    /// The name behind an alias.
    #[must_use]
    pub fn name(&self, device: &str, alias: u64) -> Option<&str> {
        self.devices.get(device)?.get(&alias).map(String::as_str)
    }
}
