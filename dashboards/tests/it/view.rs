//! What the dashboards are asked to show.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use wattline_dashboards::expand::{POINTS, View};

/// The end of the seeded data, a second before a quarter-hour begins: sums are of whole quarter-hours.
pub(crate) const END: &str = "2026-11-10T11:59:59Z";

pub(crate) fn end() -> DateTime<Utc> {
    END.parse().unwrap()
}

/// The last `hours` before the end of the seeded data, of these meters.
pub(crate) fn last(hours: i64, homes: &[&str]) -> View {
    until(end(), hours, homes)
}

/// The last `hours` before `end`, of these meters.
pub(crate) fn until(end: DateTime<Utc>, hours: i64, homes: &[&str]) -> View {
    let values = [
        ("home", homes.iter().map(|home| (*home).to_owned()).collect()),
        ("zone", vec!["Europe/Berlin".to_owned()]),
        ("width", vec!["hour".to_owned()]),
        ("price", vec!["30".to_owned()]),
        ("route", ["+/events/rpc", "tele/+/SENSOR", "solar/+/+/+"].map(str::to_owned).to_vec()),
        ("reason", ["malformed", "no_route", "ts_future"].map(str::to_owned).to_vec()),
        ("namespace", vec![".*".to_owned()]),
        ("service", vec![".*".to_owned()]),
    ];
    let values: BTreeMap<_, _> = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    View { from: end - TimeDelta::hours(hours), to: end, values, points: POINTS }
}
