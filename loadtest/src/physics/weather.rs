//! The sun and the clouds over the street.

use std::f32::consts::TAU;

use wattline_reading::Timestamp;

use super::noise;

/// Degrees north: central Europe.
const LATITUDE_RAD: f32 = 48.5 * TAU / 360.0;
const TILT_RAD: f32 = 23.44 * TAU / 360.0;
/// What tells one use of the noise from another.
const DAYS: u64 = 0xda75;
const FRONTS: u64 = 0xf207;
const SINGLE_CLOUDS: u64 = 0xc10d;

/// What all homes of the street share at one instant.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Hour of the day, with its fraction.
    pub hour: f32,
    /// What a PV system yields of its peak power, 0 to about 0.85.
    pub irradiance: f32,
}

// === impl Weather ===

impl Weather {
    /// The weather of this world at an instant.
    #[must_use]
    pub fn at(seed: u64, ts: Timestamp) -> Self {
        let seconds = ts.micros().div_euclid(1_000_000);
        let day = seconds.div_euclid(86_400);
        #[expect(
            clippy::cast_precision_loss,
            reason = "seconds of a day and days of a year fit a float's mantissa"
        )]
        let (hour, day_of_year) = (seconds.rem_euclid(86_400) as f32 / 3600.0, day.rem_euclid(365) as f32);
        let declination = -TILT_RAD * (TAU * (day_of_year + 10.0) / 365.0).cos();
        let elevation = LATITUDE_RAD.sin() * declination.sin()
            + LATITUDE_RAD.cos() * declination.cos() * (TAU * (hour - 12.0) / 24.0).cos();
        let clear = elevation.max(0.0).powf(1.15);
        Self { hour, irradiance: 0.85 * clear * (1.0 - clouds(seed, seconds, day)) }
    }
}

/// 0 for a clear sky up to 0.85: the day's own cloudiness, fronts of half an hour, single clouds of minutes.
fn clouds(seed: u64, seconds: i64, day: i64) -> f32 {
    let cloudiness = noise::at(seed ^ DAYS, day);
    let front = noise::smooth(seed ^ FRONTS, seconds, 1800);
    let cloud = noise::smooth(seed ^ SINGLE_CLOUDS, seconds, 150);
    (cloudiness * (0.3 + 0.7 * front) * (0.55 + 0.6 * cloud)).clamp(0.0, 0.85)
}
