//! How devices of other families say a sample: the forms of their firmwares' messages, with the sample's values. Each
//! message knows what must be stored of it, so that a mixed load is checked without asking a decoder.

use std::sync::Arc;

use crate::sample::Sample;

mod objects;
mod values;

/// A family's way to speak.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// The decoder that must understand it.
    pub family: &'static str,
    /// One topic a value: several messages for one sample.
    pub topic_per_value: bool,
    speak: fn(&mut Speaker<'_>),
}

/// One message, and what must come of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Where it is published.
    pub topic: Arc<str>,
    /// What it says.
    pub payload: Vec<u8>,
    /// What must be stored of it; none: it must be ignored.
    pub made: Option<Made>,
}

/// What one message adds to the table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Made {
    /// What stands behind the meter's id: its channel, with the slash.
    pub channel: &'static str,
    /// W.
    pub power_w: Option<f64>,
    /// Whole mWh.
    pub energy_import_mwh: Option<i64>,
    /// Whole mWh.
    pub energy_export_mwh: Option<i64>,
}

/// A device that says one sample.
pub(crate) struct Speaker<'a> {
    id: &'a str,
    sample: &'a Sample,
    lines: &'a mut Vec<Line>,
}

/// Every dialect; the meters of a mixed load are dealt to them in turn.
pub const DIALECTS: &[Dialect] = &[
    whole("wattline-json", objects::wattline_json),
    whole("tasmota", objects::tasmota),
    parts("shelly-gen1", values::shelly_gen1),
    whole("shelly", objects::shelly),
    whole("zigbee2mqtt", objects::zigbee2mqtt),
    parts("victron", values::victron),
    whole("p1", objects::p1),
    whole("ams-reader", objects::ams_reader),
    parts("opendtu", values::opendtu),
    whole("homewizard", objects::homewizard),
    whole("tibber", objects::tibber),
    whole("watts-live", objects::watts_live),
    parts("esphome", values::esphome),
    whole("emon", objects::emon),
    whole("telegraf", objects::telegraf),
    parts("mbmd", values::mbmd),
    whole("ahoydtu", objects::ahoydtu),
    whole("iotawatt", objects::iotawatt),
    parts("go-echarger", values::go_echarger),
    whole("warp", objects::warp),
    whole("fronius", objects::fronius),
    whole("huawei", objects::huawei),
    whole("sma", objects::sma),
    whole("teleinfo", objects::teleinfo),
    whole("obis-json", objects::obis_json),
    whole("chirpstack", objects::chirpstack),
    whole("the-things-stack", objects::the_things_stack),
    whole("generic-json", objects::generic_json),
    parts("modbus", values::modbus),
];

const fn whole(family: &'static str, speak: fn(&mut Speaker<'_>)) -> Dialect {
    Dialect { family, topic_per_value: false, speak }
}

const fn parts(family: &'static str, speak: fn(&mut Speaker<'_>)) -> Dialect {
    Dialect { family, topic_per_value: true, speak }
}

// === impl Dialect ===

impl Dialect {
    /// The dialect of a mixed load's meter.
    #[must_use]
    pub fn of(meter: u32) -> &'static Self {
        &DIALECTS[meter as usize % DIALECTS.len()]
    }

    /// The meter's id that a device of this name has without a configuration, with its channel.
    #[must_use]
    pub fn meter_id(&self, name: &str, channel: &str) -> String {
        match self.family {
            "wattline-json" => format!("{name}{channel}"),
            family => format!("{family}/{name}{channel}"),
        }
    }

    /// Appends the messages of one sample.
    pub fn say(&self, id: &str, sample: &Sample, lines: &mut Vec<Line>) {
        (self.speak)(&mut Speaker { id, sample, lines });
    }
}

// === impl Made ===

impl Made {
    fn power(power_w: f64) -> Self {
        Self { power_w: Some(power_w), ..Self::default() }
    }

    fn import(mwh: i64) -> Self {
        Self { energy_import_mwh: Some(mwh), ..Self::default() }
    }

    fn export(mwh: i64) -> Self {
        Self { energy_export_mwh: Some(mwh), ..Self::default() }
    }

    fn and_import(self, mwh: i64) -> Self {
        Self { energy_import_mwh: Some(mwh), ..self }
    }

    fn and_export(self, mwh: i64) -> Self {
        Self { energy_export_mwh: Some(mwh), ..self }
    }

    fn on(self, channel: &'static str) -> Self {
        Self { channel, ..self }
    }
}

// === impl Speaker ===

impl Speaker<'_> {
    fn say(&mut self, topic: String, payload: impl Into<Vec<u8>>, made: Option<Made>) {
        self.lines.push(Line { topic: topic.into(), payload: payload.into(), made });
    }

    /// W with one decimal, and as it must be stored.
    fn power(&self) -> (String, f64) {
        (decimal(i64::from(self.sample.power_dw), 1), f64::from(self.sample.power_dw) / 10.0)
    }

    /// Whole watts, and as they must be stored.
    fn whole_power(&self) -> (i32, f64) {
        let watts = self.sample.power_dw / 10;
        (watts, f64::from(watts))
    }

    /// What a generator says that feeds in as much as the home takes, and as it must be stored.
    fn generated(&self) -> (String, f64) {
        let power_dw = self.sample.power_dw.abs();
        (decimal(i64::from(power_dw), 1), 0.0 - f64::from(power_dw) / 10.0)
    }

    /// The import register in kWh with three decimals, and in mWh.
    fn import(&self) -> (String, i64) {
        kwh(self.sample.energy_import_mwh)
    }

    /// The export register in kWh with three decimals, and in mWh.
    fn export(&self) -> (String, i64) {
        kwh(self.sample.energy_export_mwh)
    }

    fn voltage(&self) -> String {
        decimal(i64::from(self.sample.voltage_dv), 1)
    }

    fn current(&self) -> String {
        decimal(self.sample.current_ma, 3)
    }

    fn seconds(&self) -> i64 {
        self.sample.ts.micros() / 1_000_000
    }
}

fn kwh(mwh: i64) -> (String, i64) {
    let wh = mwh / 1000;
    (decimal(wh, 3), wh * 1000)
}

/// `value` / 10^`decimals` as text.
fn decimal(value: i64, decimals: u32) -> String {
    let power = 10_i64.pow(decimals);
    let sign = if value < 0 { "-" } else { "" };
    let (whole, fraction) = ((value / power).abs(), (value % power).abs());
    format!("{sign}{whole}.{fraction:0width$}", width = decimals as usize)
}

#[cfg(test)]
#[path = "dialect_tests.rs"]
mod tests;
