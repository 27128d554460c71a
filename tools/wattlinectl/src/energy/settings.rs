//! The constants of the rules in JSON, by the names that docs/energy.md gives them.

use anyhow::ensure;
use serde::Deserialize;
use wattline_energy::meter::Settings;

use super::reading::Wh;

/// Those that are set; the others keep their value.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Given {
    max_power_w: Option<Wh>,
    resolution_wh: Option<Wh>,
    jump_allowance_wh: Option<Wh>,
    dip_wh: Option<Wh>,
    coarse_wh: Option<Wh>,
    moduli_wh: Option<Vec<Wh>>,
    latch_s: Option<f64>,
    reach_s: Option<f64>,
    still_max_s: Option<f64>,
    excursion_s: Option<f64>,
    excursion_runs_max: Option<usize>,
    glitch_window_s: Option<f64>,
    epoch_tolerance_s: Option<f64>,
    reset_room_s: Option<f64>,
    gap_s: Option<f64>,
    shape_min_s: Option<f64>,
    hold_s: Option<f64>,
    expected_s: Option<f64>,
    register: Option<Kind>,
}

/// How a register counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// It only rises.
    Total,
    /// It rises with import and falls with export.
    Net,
}

const MODULI_MAX: usize = 32;
const RUNS_MAX: usize = 64;
/// 10 MW and 1 GWh: beyond any home, and products stay within 128 bits.
const POWER_MW_MAX: i64 = 10_000_000_000;
const ENERGY_MWH_MAX: i64 = 1_000_000_000_000;
/// 100 days.
const TIME_S_MAX: f64 = 8_640_000.0;

// === impl Given ===

impl Given {
    /// These over those.
    ///
    /// # Errors
    /// A value that no meter can have.
    pub(super) fn over(&self, settings: &Settings) -> anyhow::Result<Settings> {
        let mut new = settings.clone();
        for (name, given, place, max) in [
            ("max_power_w", self.max_power_w, &mut new.max_power_mw, POWER_MW_MAX),
            ("resolution_wh", self.resolution_wh, &mut new.resolution_mwh, ENERGY_MWH_MAX),
            ("jump_allowance_wh", self.jump_allowance_wh, &mut new.jump_allowance_mwh, ENERGY_MWH_MAX),
            ("dip_wh", self.dip_wh, &mut new.dip_mwh, ENERGY_MWH_MAX),
            ("coarse_wh", self.coarse_wh, &mut new.coarse_mwh, ENERGY_MWH_MAX),
        ] {
            let Some(Wh(value)) = given else { continue };
            ensure!((0..=max).contains(&value), "settings: {name} must lie between 0 and {}", max / 1000);
            *place = value;
        }
        for (name, given, place) in [
            ("latch_s", self.latch_s, &mut new.latch_us),
            ("reach_s", self.reach_s, &mut new.reach_us),
            ("still_max_s", self.still_max_s, &mut new.still_max_us),
            ("excursion_s", self.excursion_s, &mut new.excursion_us),
            ("glitch_window_s", self.glitch_window_s, &mut new.glitch_window_us),
            ("epoch_tolerance_s", self.epoch_tolerance_s, &mut new.epoch_tolerance_us),
            ("reset_room_s", self.reset_room_s, &mut new.reset_room_us),
            ("gap_s", self.gap_s, &mut new.gap_us),
            ("shape_min_s", self.shape_min_s, &mut new.shape_min_us),
            ("hold_s", self.hold_s, &mut new.hold_us),
        ] {
            if let Some(seconds) = given {
                *place = micros(name, seconds)?;
            }
        }
        if let Some(seconds) = self.expected_s {
            new.expected_us = Some(micros("expected_s", seconds)?);
        }
        if let Some(moduli) = &self.moduli_wh {
            ensure!(moduli.len() <= MODULI_MAX, "settings: moduli_wh has more than {MODULI_MAX} values");
            ensure!(moduli.iter().all(|Wh(mwh)| *mwh > 0), "settings: each of moduli_wh must be above 0");
            new.moduli_mwh = moduli.iter().map(|Wh(mwh)| *mwh).collect();
            new.moduli_mwh.sort_unstable();
        }
        if let Some(runs) = self.excursion_runs_max {
            ensure!(runs <= RUNS_MAX, "settings: excursion_runs_max is at most {RUNS_MAX}");
            new.excursion_runs_max = runs;
        }
        if let Some(kind) = self.register {
            new.is_net = kind == Kind::Net;
        }
        Ok(new)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be small")]
fn micros(name: &str, seconds: f64) -> anyhow::Result<i64> {
    ensure!((0.0..=TIME_S_MAX).contains(&seconds), "settings: {name} must lie between 0 and {TIME_S_MAX} s");
    Ok((seconds * 1e6).round() as i64)
}
