//! The device families: what a decoder is called, its default routes, and what the documents say of it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error};

use crate::draft::{Outcome, Quantity};
use crate::memory::Memory;
use crate::message::Message;
use crate::omission::Omitted;
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
mod ids;
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
mod wattline_json;
mod watts_live;
mod zigbee2mqtt;

/// What every family's module uses.
mod prelude {
    pub(in crate::family) use super::{Decode, Family, NO_FAMILY};
    pub(in crate::family) use crate::draft::Quantity::{
        Current, Export, ExportTariff, Frequency, Import, ImportTariff, Not, PhaseCurrent, PhaseExport,
        PhaseGenerated, PhaseImport, PhasePower, PhaseVoltage, Power, PowerExport, PowerFactor,
        PowerGenerated, PowerImport, StateOfCharge, Voltage,
    };
    pub(in crate::family) use crate::draft::{Draft, Drafts, Outcome, Quantity, Stop};
    pub(in crate::family) use crate::ignored::Ignored;
    pub(in crate::family) use crate::json::Json;
    pub(in crate::family) use crate::message::{
        Field, Message, OwnWords, collect, find, is_status_word, set_json,
    };
    pub(in crate::family) use crate::omission::{Omission, Omitted};
    pub(in crate::family) use crate::options::FamilyOptions;
    pub(in crate::family) use crate::time::DeviceTime;
    pub(in crate::family) use crate::topic::Topic;
    pub(in crate::family) use crate::unit::Unit::{self, Kilo, Milli, One, WattMinute};
}

/// A device family.
#[derive(Debug)]
pub struct Family {
    /// Its name in the configuration.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Default routes: topic filter and the meter's id. It begins with the family's name, but for Wattline's own JSON: homes
    /// name things alike, and a `kitchen` of two families is two meters.
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

/// What makes drafts of a family's messages.
#[derive(Clone, Copy, Debug)]
pub enum Decode {
    /// A pure function of the message.
    Drafts(fn(&Message<'_>) -> Outcome),
    /// The same, and whoever writes the format is told of a message that says nothing.
    Strict(fn(&Message<'_>) -> Outcome),
    /// One that knows of earlier messages.
    WithMemory(fn(&Message<'_>, &mut Memory) -> Outcome),
    /// What the route declares (`[[routes.readings]]`).
    AsDeclared,
}

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
    &wattline_json::FAMILY,
    &watts_live::FAMILY,
    &zigbee2mqtt::FAMILY,
];

const DECLARATIVE: Family = Family {
    name: "declarative",
    title: "Any JSON, declared in the route",
    routes: &[],
    reads: "what `[[routes.readings]]` says, by paths",
    units: "declared: `unit`, `scale`",
    sign: "declared: `negate`, and `sign` of the route",
    time: "declared: `time`",
    documents: &["docs/formats.md"],
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
    decode: Decode::AsDeclared,
};

fn never(_: Topic<'_>) -> bool {
    false
}

/// Why a field is left out that its family doesn't know; none where its name has not the words of a measure.
pub(crate) fn why_left_out(name: &str) -> Option<Omitted> {
    names::meaning(name).map(|meaning| match meaning.quantity {
        Quantity::Not(why) => why,
        _ => Omitted::UnknownName,
    })
}

// === impl Family ===

impl Family {
    /// Wattline's own JSON.
    pub const WATTLINE_JSON: &'static Self = &wattline_json::FAMILY;

    /// The family of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        FAMILIES.iter().copied().find(|family| family.name == name)
    }
}

/// Names are unique.
impl PartialEq for Family {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Family {}

impl fmt::Display for Family {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name)
    }
}

impl<'de> Deserialize<'de> for &'static Family {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Family::named(&name).ok_or_else(|| {
            let names: Vec<_> = FAMILIES.iter().map(|family| family.name).collect();
            D::Error::custom(format!("no decoder is called {name:?}: there are {}", names.join(", ")))
        })
    }
}
