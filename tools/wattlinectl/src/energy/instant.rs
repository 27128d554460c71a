//! Instants as `wattlinectl energy` writes them.

use chrono::{DateTime, SecondsFormat, Utc};

/// In UTC, with as many decimals of a second as it has.
pub(super) fn utc(us: i64) -> String {
    let time = DateTime::<Utc>::from_timestamp_micros(us).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
