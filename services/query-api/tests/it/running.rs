//! Promise: of a range that is not over nothing is missing but what has elapsed and is not known.

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use serde_json::{Value, json};
use wattline_reading::Timestamp;

use crate::browser::Browser;
use crate::fixture::{Env, reading, run};

const ENERGY: &str = "query($meter: ID!, $from: DateTime!, $to: DateTime!) {
    meter(id: $meter) { energy(from: $from, to: $to, interval: HOUR) {
        totalImport { coverage running elapsedSeconds knownSeconds complete }
        buckets { import { energyWh coverage running elapsedSeconds knownSeconds complete } }
    } }
}";

/// How long ago the newest reading was, unless the meter is silent.
pub(crate) const SECONDS: TimeDelta = TimeDelta::seconds(5);

/// A day of a meter that sends each ten seconds: it began ten hours before this hour, and is known up to the newest
/// reading, but for the quarter-hours of `gap`.
pub(crate) struct Day {
    meter: &'static str,
    begin: DateTime<Utc>,
    newest: DateTime<Utc>,
}

// === impl Day ===

impl Day {
    pub(crate) async fn store(
        env: &Env,
        meter: &'static str,
        age: TimeDelta,
        gap: std::ops::Range<i64>,
    ) -> Self {
        let now = DateTime::from_timestamp(Timestamp::now().to_chrono().timestamp(), 0).unwrap();
        let newest = now - age;
        let hour = now - SECONDS;
        let begin = hour - TimeDelta::seconds(i64::from(hour.minute() * 60 + hour.second()) + 36_000);
        env.store(&[reading(meter, newest, 1.0)], None).await;
        let database = env.database().await;
        let distance = "UPDATE meter SET expected_s = 10 WHERE meter_id = $1";
        database.execute(distance, &[&meter]).await.unwrap();
        let text = "INSERT INTO energy_15m (meter_key, bucket, import_wh, import_coverage_ms, export_coverage_ms, \
            reading_count) SELECT meter_key, $2, 100, ARRAY[$3, 0, 0, 0], '{0,0,0,0}', 90 FROM meter WHERE meter_id = $1";
        for quarter in (0..).take_while(|quarter| begin + TimeDelta::minutes(15 * quarter) < newest) {
            if gap.contains(&quarter) {
                continue;
            }
            let start = begin + TimeDelta::minutes(15 * quarter);
            let known_ms = i32::try_from((newest - start).num_milliseconds().min(900_000)).unwrap();
            database.execute(text, &[&meter, &start, &known_ms]).await.unwrap();
        }
        Self { meter, begin, newest }
    }

    /// The energy from so many hours after its begin to so many.
    async fn energy(&self, env: &Env, from_h: i64, to_h: i64) -> Value {
        let (from, to) = (self.begin + TimeDelta::hours(from_h), self.begin + TimeDelta::hours(to_h));
        let variables = json!({"meter": self.meter, "from": from, "to": to});
        env.api.data(ENERGY, variables).await["meter"]["energy"].take()
    }

    fn elapsed_s(&self) -> i64 {
        (self.newest - self.begin).num_seconds()
    }

    /// A zone in which it began at midnight.
    pub(crate) fn zone(&self) -> String {
        let east = (24 - i64::from(self.begin.hour())) % 24;
        // By POSIX the sign is that of the way back to UTC.
        if east > 12 { format!("Etc/GMT+{}", 24 - east) } else { format!("Etc/GMT-{east}") }
    }
}

#[test]
fn what_is_known_of_today_is_all_that_has_elapsed() {
    run(async |env| {
        let day = Day::store(env, "running-whole", SECONDS, 0..0).await;
        let energy = day.energy(env, 0, 24).await;
        let whole = json!({"coverage": 1.0, "running": true, "elapsedSeconds": day.elapsed_s(),
            "knownSeconds": day.elapsed_s(), "complete": true});
        assert_eq!(energy["totalImport"], whole);
        let import = |hour: usize| energy["buckets"][hour]["import"].clone();
        let past = json!({"energyWh": 400.0, "coverage": 1.0, "running": false, "elapsedSeconds": 3600,
            "knownSeconds": 3600, "complete": true});
        let future = json!({"energyWh": null, "coverage": null, "running": true, "elapsedSeconds": 0,
            "knownSeconds": 0, "complete": true});
        assert_eq!((import(9), import(11)), (past, future));
        let now = import(10);
        assert_eq!((&now["running"], &now["complete"]), (&json!(true), &json!(true)), "{now}");
        assert_eq!(now["elapsedSeconds"], day.elapsed_s() - 36_000);
    });
}

#[test]
fn a_gap_of_this_morning_is_missing() {
    run(async |env| {
        let day = Day::store(env, "running-gap", SECONDS, 4..8).await;
        let total = day.energy(env, 0, 24).await["totalImport"].take();
        assert_eq!(total["knownSeconds"], day.elapsed_s() - 3600);
        assert!(total["coverage"].as_f64().unwrap() < 0.95, "{total}");
        assert_eq!((&total["complete"], &total["running"]), (&json!(false), &json!(true)));
    });
}

#[test]
fn a_range_that_is_over_does_not_run_and_one_to_come_has_no_coverage() {
    run(async |env| {
        let day = Day::store(env, "running-ranges", SECONDS, 0..2).await;
        let past = day.energy(env, 0, 2).await["totalImport"].take();
        let expected = json!({"coverage": 0.75, "running": false, "elapsedSeconds": 7200, "knownSeconds": 5400,
            "complete": false});
        assert_eq!(past, expected);
        let future = day.energy(env, 20, 24).await["totalImport"].take();
        let expected = json!({"coverage": null, "running": true, "elapsedSeconds": 0, "knownSeconds": 0, "complete": true});
        assert_eq!(future, expected);
    });
}

#[test]
fn a_silent_meter_does_not_look_complete() {
    run(async |env| {
        let day = Day::store(env, "running-silent", TimeDelta::hours(4), 0..0).await;
        let total = day.energy(env, 0, 24).await["totalImport"].take();
        assert_eq!((&total["knownSeconds"], &total["complete"]), (&json!(day.elapsed_s()), &json!(false)));
        assert!(total["elapsedSeconds"].as_i64().unwrap() >= day.elapsed_s() + 4 * 3600, "{total}");
    });
}

#[test]
fn the_page_says_so_far_today_and_how_much_is_known() {
    run(async |env| {
        for (meter, gap, words) in
            [("running-page", 0..0, "so far today"), ("running-page-gap", 4..8, " % known")]
        {
            let day = Day::store(env, meter, SECONDS, gap.clone()).await;
            let mut browser = Browser::start().await;
            browser.call("Emulation.setTimezoneOverride", json!({"timezoneId": day.zone()})).await;
            browser.screen(1280, 800, "light").await;
            browser.open(&env.api.url(&format!("/?meter={meter}"))).await;
            let date = "document.getElementById('energy-date').textContent.replaceAll('\\u00a0', ' ')";
            browser.wait(&format!("{date}.endsWith('{words}')")).await;
            // What is to come is no gap: of 24 hours only the one without a row is hatched.
            let hatched = "document.querySelectorAll('.energy-chart .bucket rect.unknown').length";
            browser.wait("document.querySelectorAll('.energy-chart .bucket').length === 24").await;
            assert_eq!(browser.eval(hatched).await, (gap.end - gap.start) / 4, "{meter}");
        }
    });
}
