//! What is plausible for a home.

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

use crate::register::REGISTER_MWH_MAX;
use crate::timestamp::FIRST_PLAUSIBLE;
use crate::{Measures, Phase, Reading, Timestamp, meter_id};

/// Bounds that a reading must keep. The defaults fit a home's three-phase connection.
#[derive(Clone, Debug, Deserialize, DocumentedFields, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest active power, import or export, in W. Beyond it a message goes to the dead letters.
    pub power_w_max: f64,
    /// Largest register, in Wh. Beyond it a message goes to the dead letters.
    pub energy_wh_max: f64,
    /// Highest voltage, in V. Beyond this bound and the following ones only the measure is left out, and counted.
    pub voltage_v_max: f64,
    /// Largest current, in A.
    pub current_a_max: f64,
    /// Lowest mains frequency, in Hz.
    pub frequency_hz_min: f64,
    /// Highest mains frequency, in Hz.
    pub frequency_hz_max: f64,
    /// How far a device's time may be ahead of arrival, in s. A message whose time is not between this bound and the next goes
    /// to the dead letters.
    pub ts_ahead_s_max: i64,
    /// How old a device's time may be, in s: raw retention.
    pub ts_age_s_max: i64,
}

/// Why a message is refused: a stable word, which metrics and dead letters carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// The payload is not what the decoder reads.
    Malformed,
    /// The payload is larger than `payload_bytes_max`.
    PayloadTooLarge,
    /// No route takes the topic.
    NoRoute,
    /// A route takes the topic, and nothing in the message is of the family that it leads to.
    NotThisFamily,
    /// The meter id is empty, too long, or has characters that no id has, such as invisible ones.
    MeterIdInvalid,
    /// There is no measure at all.
    NoMeasure,
    /// A time field is there and can't be read.
    TsUnreadable,
    /// The device's time is too far ahead of arrival.
    TsFuture,
    /// The device's time is older than raw retention.
    TsTooOld,
    /// Power is not finite or beyond the limit.
    PowerImplausible,
    /// A register is negative, not finite or beyond the limit.
    RegisterImplausible,
    /// More readings in one message than may be.
    TooManyReadings,
    /// Kafka refused the record for what is in it.
    KafkaRefused,
    /// The database refused the row for what is in it.
    DatabaseRefused,
    /// The record in the readings topic can't be decoded.
    RecordUndecodable,
    /// The meter is not in the registry and may not be added.
    MeterRefused,
    /// More new meters came at once than are registered in a minute.
    MeterBudget,
    /// Sparkplug data without the BIRTH that says what it is.
    AliasUnknown,
}

/// A refusal: the word and what a person must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The word.
    pub reason: Reason,
    /// What is wrong, and where.
    pub detail: String,
}

/// A secondary measure that was left out because it is not plausible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr)]
pub enum LeftOut {
    /// `voltage_v`, total or of a phase.
    #[strum(serialize = "voltage_v")]
    Voltage,
    /// `current_a`, total or of a phase.
    #[strum(serialize = "current_a")]
    Current,
    /// `power_factor`.
    #[strum(serialize = "power_factor")]
    PowerFactor,
    /// `frequency_hz`.
    #[strum(serialize = "frequency_hz")]
    Frequency,
    /// `soc_pct`.
    #[strum(serialize = "soc_pct")]
    StateOfCharge,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            power_w_max: 100_000.0,
            energy_wh_max: 10_000_000_000.0,
            voltage_v_max: 600.0,
            current_a_max: 400.0,
            frequency_hz_min: 40.0,
            frequency_hz_max: 70.0,
            ts_ahead_s_max: 300,
            ts_age_s_max: 90 * 24 * 60 * 60,
        }
    }
}

impl Limits {
    /// Checks one reading, and gives its meter the one spelling of its id. Power and registers beyond the bounds refuse it; a secondary measure beyond them
    /// (a dead phase reports 0 V at 198 Hz) is taken out of it and given to `left_out`.
    ///
    /// # Errors
    /// The first refusal, in the order: meter id, time, power, registers, no measure.
    pub fn check(&self, reading: &mut Reading, mut left_out: impl FnMut(LeftOut)) -> Result<(), Refusal> {
        meter_id::settle(&mut reading.meter_id).map_err(|what| refuse(Reason::MeterIdInvalid, what))?;
        self.check_time(reading)?;
        let Measures {
            power_w,
            energy_import_mwh,
            energy_export_mwh,
            voltage_v,
            current_a,
            power_factor,
            frequency_hz,
            soc_pct,
            phases,
        } = &mut reading.measures;
        self.check_power(*power_w, "power_w")?;
        for (phase, name) in phases.iter().zip(["phases[0]", "phases[1]", "phases[2]"]) {
            self.check_power(phase.power_w, name)?;
        }
        if phases.len() > 3 {
            return Err(refuse(Reason::Malformed, format!("{} phases, at most 3", phases.len())));
        }
        self.check_register(*energy_import_mwh, "energy_import_wh")?;
        self.check_register(*energy_export_mwh, "energy_export_wh")?;

        let voltage = |value: f64| (0.0..=self.voltage_v_max).contains(&value);
        let current = |value: f64| value.abs() <= self.current_a_max;
        let frequency = |value: f64| (self.frequency_hz_min..=self.frequency_hz_max).contains(&value);
        let mut keep = |field: &mut Option<f64>, plausible: &dyn Fn(f64) -> bool, which| {
            if field.is_some_and(|value| !plausible(value)) {
                *field = None;
                left_out(which);
            }
        };
        keep(voltage_v, &voltage, LeftOut::Voltage);
        keep(current_a, &current, LeftOut::Current);
        keep(power_factor, &|value| value.abs() <= 1.0, LeftOut::PowerFactor);
        keep(frequency_hz, &frequency, LeftOut::Frequency);
        keep(soc_pct, &|value| (0.0..=100.0).contains(&value), LeftOut::StateOfCharge);
        for Phase { power_w: _, voltage_v, current_a } in phases {
            keep(voltage_v, &voltage, LeftOut::Voltage);
            keep(current_a, &current, LeftOut::Current);
        }
        if reading.measures.is_empty() {
            return Err(refuse(Reason::NoMeasure, "no measure that Wattline knows is in it".to_owned()));
        }
        Ok(())
    }

    /// True where a device's time is within the bounds for a message that arrived at `received_at`.
    #[must_use]
    pub fn is_plausible_time(&self, ts: Timestamp, received_at: Timestamp) -> bool {
        let ahead_us = ts.micros() - received_at.micros();
        ts >= FIRST_PLAUSIBLE
            && ahead_us <= self.ts_ahead_s_max.saturating_mul(1_000_000)
            && -ahead_us <= self.ts_age_s_max.saturating_mul(1_000_000)
    }

    fn check_time(&self, reading: &Reading) -> Result<(), Refusal> {
        let ahead_us = reading.ts.micros() - reading.received_at.micros();
        if ahead_us > self.ts_ahead_s_max.saturating_mul(1_000_000) {
            let detail = format!(
                "ts {} is {} s ahead of arrival at {}, at most {} s",
                reading.ts,
                ahead_us / 1_000_000,
                reading.received_at,
                self.ts_ahead_s_max
            );
            return Err(refuse(Reason::TsFuture, detail));
        }
        if -ahead_us > self.ts_age_s_max.saturating_mul(1_000_000) || reading.ts < FIRST_PLAUSIBLE {
            let detail = format!(
                "ts {} is {} s before arrival at {}, at most {} s",
                reading.ts,
                -ahead_us / 1_000_000,
                reading.received_at,
                self.ts_age_s_max
            );
            return Err(refuse(Reason::TsTooOld, detail));
        }
        Ok(())
    }

    fn check_power(&self, power_w: Option<f64>, name: &str) -> Result<(), Refusal> {
        match power_w {
            Some(value) if !value.is_finite() || value.abs() > self.power_w_max => Err(refuse(
                Reason::PowerImplausible,
                format!("{name} is {value} W, at most {} W either way", self.power_w_max),
            )),
            _ => Ok(()),
        }
    }

    fn check_register(&self, mwh: Option<i64>, name: &str) -> Result<(), Refusal> {
        let Some(mwh) = mwh else { return Ok(()) };
        let wh = crate::register::to_wh(mwh);
        if !(0..=REGISTER_MWH_MAX).contains(&mwh) || wh > self.energy_wh_max {
            let detail = format!("{name} is {wh} Wh, must be 0 to {} Wh", self.energy_wh_max);
            return Err(refuse(Reason::RegisterImplausible, detail));
        }
        Ok(())
    }
}

// === impl Reason ===

impl Reason {
    /// Every reason, in the order of the declaration.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word on the wire, in the database, in metrics and APIs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

// === impl LeftOut ===

impl LeftOut {
    /// The field's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A refusal from its parts.
#[must_use]
pub const fn refuse(reason: Reason, detail: String) -> Refusal {
    Refusal { reason, detail }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
