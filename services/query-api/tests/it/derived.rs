//! Promise: a meter that sends registers alone has a power, which is said to be derived, and of which nothing else is made.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use wattline_reading::{Measures, Reading, Timestamp};

use crate::browser::Browser;
use crate::fixture::{Env, reading, run};

const FLOW: &str = "document.getElementById('power-flow').textContent";
const VALUE: &str = "document.getElementById('power-value').textContent";
const NOTE: &str = "document.getElementById('power-note').textContent";
const METER: &str = "document.getElementById('power-flow').dataset.meter";

/// The import register of a meter, in Wh.
fn register(meter: &str, ts: DateTime<Utc>, import_wh: i64) -> Reading {
    let measures = Measures { energy_import_mwh: Some(import_wh * 1000), ..Measures::default() };
    Reading { measures, ..reading(meter, ts, 0.0) }
}

fn ago(minutes: i64) -> DateTime<Utc> {
    Timestamp::now().to_chrono() - TimeDelta::minutes(minutes)
}

async fn derived(env: &Env, meter: &str) -> Value {
    let query = "query($id: ID!) { meter(id: $id) { derivedPowerW latest { powerW } } }";
    env.api.data(query, json!({ "id": meter })).await["meter"].take()
}

#[test]
fn the_page_shows_it_and_says_what_it_is() {
    run(async |env| {
        let meter = "derived-page";
        let now = ago(0);
        let at = |minutes, import_wh| register(meter, now - TimeDelta::minutes(minutes), import_wh);
        env.store(&[at(32, 1000), at(17, 1100), at(2, 1225)], None).await;
        // 125 Wh in a quarter of an hour; what is stored has no power still.
        assert_eq!(derived(env, meter).await, json!({"derivedPowerW": 500.0, "latest": {"powerW": null}}));

        let mut browser = Browser::start().await;
        browser.call("Emulation.setTimezoneOverride", json!({"timezoneId": "UTC"})).await;
        browser.screen(1280, 800, "light").await;
        browser.open(&env.api.url("/?meter=derived-page")).await;
        browser.wait(&format!("{METER} === 'derived' && {VALUE} === '500'")).await;
        assert_eq!(browser.eval(FLOW).await, "Taking from the grid");
        let note = browser.eval(NOTE).await;
        assert!(note.as_str().unwrap().contains("no power. This one is derived"), "{note}");
        assert_eq!(browser.eval("document.title").await, "≈ 500 W · derived-page");
        browser.keep_picture("derived").await;

        // A new step: the page asks again once it is stored.
        let step = at(0, 1235);
        env.store(std::slice::from_ref(&step), None).await;
        env.publish(&step).await;
        browser.wait(&format!("{VALUE} === '300'")).await;
        // Power that is measured stands before it.
        let sent = reading(meter, Timestamp::now().to_chrono(), 77.0);
        env.store(std::slice::from_ref(&sent), None).await;
        env.publish(&sent).await;
        browser.wait(&format!("{METER} === 'live' && {VALUE} === '77' && {NOTE} === ''")).await;
        assert_eq!(derived(env, meter).await, json!({"derivedPowerW": null, "latest": {"powerW": 77.0}}));
        assert!(browser.errors.is_empty(), "{:?}", browser.errors);
    });
}

#[test]
fn one_kilowatt_hour_in_five_hours_is_two_hundred_watts_all_the_time() {
    run(async |env| {
        // A locked household meter: whole kWh and no power, each ten seconds. The last step was two hours ago.
        let meter = "derived-coarse";
        env.store(&[register(meter, ago(0), 9000)], None).await;
        let database = env.database().await;
        let known = "UPDATE meter SET resolution_wh = 1000, expected_s = 10 WHERE meter_id = $1";
        database.execute(known, &[&meter]).await.unwrap();
        let rows = "INSERT INTO reading (meter_key, ts, received_at, ts_source, energy_import_wh) \
            SELECT meter_key, ts, ts, 'device', 9000 - 1000 * ceil((extract(epoch FROM $2 - ts) - 7200) / 18000) \
            FROM meter, generate_series($2::timestamptz - INTERVAL '20 h', $2 - INTERVAL '10 s', INTERVAL '10 s') ts \
            WHERE meter_id = $1";
        database.execute(rows, &[&meter, &ago(0)]).await.unwrap();
        // When a step was is known to a quarter-hour that long ago.
        let watts = derived(env, meter).await["derivedPowerW"].as_f64().unwrap();
        assert!((190.0..=210.5).contains(&watts), "{watts}");
    });
}

#[test]
fn old_registers_and_unknown_steps_tell_nothing() {
    run(async |env| {
        let old = [register("derived-old", ago(62), 1000), register("derived-old", ago(47), 1100)];
        let swapped = [register("derived-swap", ago(16), 900_000), register("derived-swap", ago(1), 5)];
        for (meter, rows) in [("derived-old", old), ("derived-swap", swapped)] {
            env.store(&rows, None).await;
            assert_eq!(derived(env, meter).await["derivedPowerW"], Value::Null, "{meter}");
        }
    });
}
