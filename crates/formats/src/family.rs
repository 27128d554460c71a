//! The device families: what a decoder is called, its default routes, and what the documents say of it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error};

use crate::declarative;
use crate::draft::Outcome;
use crate::memory::Memory;
use crate::message::Message;
use crate::topic::Topic;

mod ahoydtu;
mod ams_reader;
mod chirpstack;
mod deye;
mod discovery;
mod dsmr_api;
mod dsmr_reader;
mod emon;
mod enphase;
mod esphome;
mod evcc;
mod fronius;
mod generic_json;
mod go_echarger;
mod homewizard;
mod huawei;
mod iotawatt;
mod mbmd;
mod modbus;
mod names;
mod obis_json;
mod opendtu;
mod openwb;
mod p1;
mod shelly;
mod shelly_gen1;
mod sma;
mod solaredge;
mod sparkplug;
mod tasmota;
mod tasmota_sml;
mod telegraf;
mod teleinfo;
mod the_things_stack;
mod tibber;
mod victron;
mod vzlogger;
mod warp;
mod zigbee2mqtt;

/// What every family's module uses.
mod prelude {
    pub(super) use super::{Decode, Family, NO_FAMILY};
    pub(super) use crate::draft::Quantity::{
        Current, Export, ExportTariff, Frequency, Import, ImportTariff, Not, PhaseCurrent, PhaseExport,
        PhaseGenerated, PhaseImport, PhasePower, PhaseVoltage, Power, PowerExport, PowerFactor,
        PowerGenerated, PowerImport, Voltage,
    };
    pub(super) use crate::draft::{Draft, Drafts, Outcome, Quantity, Stop};
    pub(super) use crate::ignored::Ignored;
    pub(super) use crate::json::Json;
    pub(super) use crate::message::{Field, Message, collect, find, is_status_word, set_json};
    pub(super) use crate::omission::{Omission, Omitted};
    pub(super) use crate::time::DeviceTime;
    pub(super) use crate::topic::Topic;
    pub(super) use crate::unit::Unit::{self, Kilo, Milli, One, WattMinute};
}

/// A device family.
#[derive(Debug)]
pub struct Family {
    /// Its name in the configuration.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Default routes: topic filter and the meter's id.
    pub routes: &'static [(&'static str, &'static str)],
    /// What is read.
    pub reads: &'static str,
    /// Units of the payload.
    pub units: &'static str,
    /// What is positive.
    pub sign: &'static str,
    /// Where the time comes from.
    pub time: &'static str,
    /// Where the format is described.
    pub documents: &'static [&'static str],
    /// One meter (or its channels) speaks on many topics: its id may be fixed although the filter has wildcards.
    pub one_meter: bool,
    /// True for topics that never carry readings, whatever is in them and however large it is.
    pub is_status: fn(Topic<'_>) -> bool,
    /// Its decoder.
    pub decode: Decode,
}

/// The three kinds of decoders.
#[derive(Clone, Copy, Debug)]
pub enum Decode {
    /// Wattline's own JSON, which makes readings without drafts.
    Direct,
    /// A pure function of the message.
    Drafts(fn(&Message<'_>) -> Outcome),
    /// One that knows of earlier messages.
    WithMemory(fn(&Message<'_>, &mut Memory) -> Outcome),
}

/// A family as the configuration names it.
#[derive(Clone, Copy, Debug)]
pub struct Decoder(&'static Family);

/// Every family, by name.
pub const FAMILIES: &[&Family] = &[
    &ahoydtu::FAMILY,
    &ams_reader::FAMILY,
    &chirpstack::FAMILY,
    &DECLARATIVE,
    &deye::FAMILY,
    &discovery::FAMILY,
    &dsmr_api::FAMILY,
    &dsmr_reader::FAMILY,
    &emon::FAMILY,
    &enphase::FAMILY,
    &esphome::FAMILY,
    &evcc::FAMILY,
    &fronius::FAMILY,
    &generic_json::FAMILY,
    &go_echarger::FAMILY,
    &homewizard::FAMILY,
    &huawei::FAMILY,
    &iotawatt::FAMILY,
    &mbmd::FAMILY,
    &modbus::FAMILY,
    &obis_json::FAMILY,
    &opendtu::FAMILY,
    &openwb::FAMILY,
    &p1::FAMILY,
    &shelly::FAMILY,
    &shelly_gen1::FAMILY,
    &sma::FAMILY,
    &solaredge::FAMILY,
    &sparkplug::FAMILY,
    &tasmota::FAMILY,
    &telegraf::FAMILY,
    &teleinfo::FAMILY,
    &the_things_stack::FAMILY,
    &tibber::FAMILY,
    &victron::FAMILY,
    &vzlogger::FAMILY,
    &warp::FAMILY,
    &WATTLINE_JSON,
    &zigbee2mqtt::FAMILY,
];

const WATTLINE_JSON: Family = Family {
    name: "wattline-json",
    title: "Wattline's own JSON",
    routes: &[("wattline/+/reading", "{2}")],
    reads: "everything a reading has; one object or an array of up to 1,000",
    units: "as the fields' names say: W, Wh, V, A, Hz",
    sign: "+ import",
    time: "`ts`",
    documents: &["README.md"],
    decode: Decode::Direct,
    ..NO_FAMILY
};

const DECLARATIVE: Family = Family {
    name: "declarative",
    title: "Any JSON, declared in the route",
    routes: &[],
    reads: "what `[[routes.readings]]` says, by paths",
    units: "declared: `unit`, `scale`",
    sign: "declared: `negate`, and `sign` of the route",
    time: "declared: `time`",
    documents: &["docs/formats.md"],
    decode: Decode::Drafts(declarative::decode),
    ..NO_FAMILY
};

/// What families need not say.
const NO_FAMILY: Family = Family {
    name: "",
    title: "",
    routes: &[],
    reads: "",
    units: "",
    sign: "",
    time: "",
    documents: &[],
    one_meter: false,
    is_status: never,
    decode: Decode::Direct,
};

fn never(_: Topic<'_>) -> bool {
    false
}

// === impl Decoder ===

impl Decoder {
    /// Wattline's own JSON.
    pub const WATTLINE_JSON: Self = Self(&WATTLINE_JSON);

    /// The family of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        FAMILIES.iter().find(|family| family.name == name).map(|family| Self(family))
    }

    /// A family's decoder.
    #[must_use]
    pub const fn of(family: &'static Family) -> Self {
        Self(family)
    }

    /// Its family.
    #[must_use]
    pub const fn family(self) -> &'static Family {
        self.0
    }

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// True where it must see all messages of a device: its route is subscribed to by one replica alone.
    #[must_use]
    pub const fn needs_memory(self) -> bool {
        matches!(self.0.decode, Decode::WithMemory(_))
    }
}

impl PartialEq for Decoder {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Decoder {}

impl fmt::Display for Decoder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0.name)
    }
}

impl<'de> Deserialize<'de> for Decoder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| {
            let names: Vec<_> = FAMILIES.iter().map(|family| family.name).collect();
            D::Error::custom(format!("no decoder is called {name:?}: there are {}", names.join(", ")))
        })
    }
}
