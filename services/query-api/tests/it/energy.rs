//! Promise: an energy series has every bucket of its range: nulls where nothing is known, exact sums, local hours.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::fixture::{Env, reading, run};

const SERIES: &str =
    "query($meter: ID!, $from: DateTime!, $to: DateTime!, $interval: EnergyInterval!, $zone: String!) {
    meter(id: $meter) { energy(from: $from, to: $to, interval: $interval, timeZone: $zone) {
        interval timeZone from to
        totalImport { energyWh coverage } totalExport { energyWh coverage }
        buckets { start end powerMaxW readingCount
            import { energyWh coverage quality estimated complete } export { energyWh coverage } }
    } }
}";

/// Quarter-hours of a meter from 2026-10-24T22:00Z on: each `mwh` a thousandth more than the one before.
async fn fill(env: &Env, meter: &str, quarters: std::ops::Range<i64>) -> DateTime<Utc> {
    let begin = DateTime::parse_from_rfc3339("2026-10-24T22:00:00Z").unwrap().to_utc();
    env.store(&[reading(meter, begin, 1.0)], None).await;
    let database = env.database().await;
    let text = "INSERT INTO energy_15m (meter_key, bucket, import_wh, export_wh, import_coverage_ms, \
        export_coverage_ms, import_quality, power_max_w, reading_count) \
        SELECT meter_key, $2, $3, 0, $4, $4, $5, 500, 90 FROM meter WHERE meter_id = $1";
    for index in quarters {
        let bucket = begin + TimeDelta::minutes(15 * index);
        let wh = 100.0 + f64::from(i32::try_from(index).unwrap()) / 1000.0;
        let (coverage, quality): (Vec<i32>, Vec<&str>) = match index {
            4 => (vec![0, 900_000, 0, 0], vec!["gap"]),
            5 => (vec![450_000, 0, 450_000, 0], vec!["gap", "spread"]),
            _ => (vec![900_000, 0, 0, 0], vec![]),
        };
        database.execute(text, &[&meter, &bucket, &wh, &coverage, &quality]).await.unwrap();
    }
    begin
}

async fn series(
    env: &Env,
    meter: &str,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    interval: &str,
    zone: &str,
) -> Value {
    let variables = json!({"meter": meter, "from": from, "to": to, "interval": interval, "zone": zone});
    env.api.data(SERIES, variables).await["meter"]["energy"].take()
}

#[test]
fn the_day_of_25_hours_has_25_rows_and_its_exact_sum() {
    run(async |env| {
        let begin = fill(env, "day-of-25", 0..100).await;
        let day =
            series(env, "day-of-25", begin, begin + TimeDelta::hours(25), "HOUR", "Europe/Berlin").await;
        let buckets = day["buckets"].as_array().unwrap();
        assert_eq!(buckets.len(), 25);
        assert_eq!(day["from"], "2026-10-25T00:00:00+02:00");
        assert_eq!(day["to"], "2026-10-26T00:00:00+01:00");
        assert_eq!(buckets[2]["start"], "2026-10-25T02:00:00+02:00");
        assert_eq!(buckets[3]["start"], "2026-10-25T02:00:00+01:00");
        assert_eq!(day["totalImport"]["energyWh"], 10_004.95);
        assert_eq!(day["totalExport"]["energyWh"], 0.0, "0 is known to be nothing");
        assert_eq!(buckets[0]["import"]["energyWh"], 400.006);
        assert_eq!(buckets[0]["readingCount"], 360);
        // The second hour holds an interval of up to an hour, which an hour covers, and one of up to a day.
        assert_eq!(buckets[1]["import"]["coverage"], 0.875);
        assert_eq!(buckets[1]["import"]["quality"], json!(["GAP", "SPREAD"]));
        assert_eq!(buckets[1]["import"]["estimated"], true);
        assert_eq!(buckets[1]["import"]["complete"], false);
    });
}

#[test]
fn quarters_without_rows_are_there_with_nulls() {
    run(async |env| {
        let begin = fill(env, "gaps", 2..6).await;
        let hours = series(env, "gaps", begin, begin + TimeDelta::hours(2), "QUARTER_HOUR", "UTC").await;
        let buckets = hours["buckets"].as_array().unwrap();
        assert_eq!(buckets.len(), 8);
        let known: Vec<bool> = buckets.iter().map(|bucket| !bucket["import"]["energyWh"].is_null()).collect();
        assert_eq!(known, [false, false, true, true, true, true, false, false]);
        assert_eq!(buckets[0]["import"]["coverage"], 0.0);
        assert_eq!(
            buckets[4]["import"]["coverage"], 0.0,
            "longer than a quarter-hour is a gap for a quarter-hour"
        );
        assert_eq!(buckets[2]["import"]["complete"], true);
        assert_eq!(buckets[2]["start"], "2026-10-24T22:30:00+00:00");
        let nothing =
            series(env, "gaps", begin - TimeDelta::days(9), begin - TimeDelta::days(8), "HOUR", "UTC").await;
        assert_eq!(nothing["totalImport"]["energyWh"], Value::Null, "nothing is known");
    });
}

#[test]
fn hours_of_a_zone_off_by_45_minutes_are_its_own() {
    run(async |env| {
        let begin = fill(env, "kathmandu", 0..8).await;
        let hours =
            series(env, "kathmandu", begin, begin + TimeDelta::hours(1), "HOUR", "Asia/Kathmandu").await;
        let buckets = hours["buckets"].as_array().unwrap();
        assert_eq!(buckets[0]["start"], "2026-10-25T03:00:00+05:45");
        assert_eq!(buckets[0]["import"]["energyWh"], 100.0, "one quarter of the hour is known");
        assert_eq!(buckets[0]["import"]["coverage"], 0.25);
        assert_eq!(buckets[1]["import"]["energyWh"], 400.01);
    });
}

#[test]
fn a_zone_that_is_none_is_refused() {
    run(async |env| {
        let begin = fill(env, "zoneless", 0..1).await;
        let variables = json!({"meter": "zoneless", "from": begin, "to": begin + TimeDelta::hours(1), "interval": "HOUR", "zone": "Berlin"});
        let (code, message) = env.api.error(SERIES, variables).await;
        assert_eq!(code, "BAD_INPUT");
        assert!(message.contains("Europe/Berlin"), "{message}");
    });
}
