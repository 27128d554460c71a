//! Promise: snapshot and live readings join without a hole and without doubles; each instant comes once, and again
//! only as a merged whole; a cursor goes on where it stood, or there is a reset.

use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};
use tokio::time::sleep;
use wattline_reading::{Measures, Reading};

use crate::fixture::{Env, minutes_ago, reading, run};
use crate::socket::Socket;

const WRITTEN: i64 = 400;

/// What mqtt-ingest and the sink do, the sink some batches behind.
async fn write(env: &'static Env, meter: &'static str) {
    let begin = minutes_ago(20);
    let mut waiting = Vec::new();
    for index in 0..WRITTEN {
        let power_w = f64::from(i32::try_from(index).unwrap());
        let row = reading(meter, begin + TimeDelta::seconds(index), power_w);
        let (partition, offset) = env.publish(&row).await;
        waiting.push(row);
        if index % 7 == 6 {
            env.store(&std::mem::take(&mut waiting), Some((partition, offset + 1))).await;
        }
    }
}

fn power(reading: &Value) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "small whole numbers")]
    let power = reading["powerW"].as_f64().unwrap() as i64;
    power
}

/// Follows until the last one, and answers every reading in the order in which it came.
async fn follow(env: &'static Env, meter: &'static str) -> Vec<i64> {
    let mut socket = Socket::open(&env.api).await;
    socket.follow("1", meter, 1000, None).await;
    let snapshot = socket.expect("LiveSnapshot").await;
    let mut seen: Vec<i64> = snapshot["readings"].as_array().unwrap().iter().map(power).collect();
    while seen.last() != Some(&(WRITTEN - 1)) {
        let event = socket.expect("LiveReading").await;
        assert_eq!((&event["late"], &event["merged"]), (&json!(false), &json!(false)), "{event}");
        seen.push(power(&event["reading"]));
    }
    seen
}

#[test]
fn no_hole_and_no_double_while_rows_are_written() {
    run(async |env| {
        let meter = "joined";
        env.store(&[reading(meter, minutes_ago(60), -1.0)], None).await;
        let writer = tokio::spawn(write(env, meter));
        let mut followers = Vec::new();
        while !writer.is_finished() {
            followers.push(tokio::spawn(follow(env, meter)));
            sleep(Duration::from_millis(100)).await;
        }
        writer.await.unwrap();
        followers.push(tokio::spawn(follow(env, meter)));
        let expected: Vec<i64> = (-1..WRITTEN).collect();
        for follower in followers {
            assert_eq!(follower.await.unwrap(), expected);
        }
    });
}

#[test]
fn each_instant_comes_once_and_late_ones_are_marked() {
    run(async |env| {
        let meter = "once";
        let at = |second| minutes_ago(5) + TimeDelta::seconds(second);
        env.store(&[reading(meter, at(0), 1.0)], None).await;
        let mut socket = Socket::open(&env.api).await;
        socket.follow("1", meter, 10, None).await;
        socket.expect("LiveSnapshot").await;
        let voltage = |second| {
            let measures = Measures { voltage_v: Some(231.0), ..Measures::default() };
            Reading { measures, ..reading(meter, at(second), 0.0) }
        };
        for row in [
            reading(meter, at(0), 1.0),
            reading(meter, at(10), 2.0),
            reading(meter, at(10), 2.0),
            reading(meter, at(10), 9.0),
            reading(meter, at(5), 3.0),
            voltage(10),
            voltage(10),
            reading(meter, at(20), 4.0),
        ] {
            env.publish(&row).await;
        }
        let mut seen = Vec::new();
        while seen.len() < 4 {
            let event = socket.expect("LiveReading").await;
            let reading = &event["reading"];
            seen.push(json!([reading["powerW"], reading["voltageV"], event["late"], event["merged"]]));
        }
        let expected = [
            json!([2.0, null, false, false]),
            json!([3.0, null, true, false]),
            json!([2.0, 231.0, false, true]),
            json!([4.0, null, false, false]),
        ];
        assert_eq!(seen, expected);
    });
}

#[test]
fn readings_too_old_to_tell_are_one_word_not_doubles() {
    run(async |env| {
        let meter = "backfilled";
        let begin = minutes_ago(10);
        let at = |second| begin + TimeDelta::seconds(second);
        env.store(&[reading(meter, at(0), 0.0)], None).await;
        let api = env.api(|config| config.live.remembered_readings_max = 16).await;
        let mut socket = Socket::open(&api).await;
        socket.follow("1", meter, 10, None).await;
        socket.expect("LiveSnapshot").await;
        let newer: Vec<_> = (100..120).map(|second| reading(meter, at(second), 1.0)).collect();
        env.publish_all(&newer).await;
        for _ in &newer {
            socket.expect("LiveReading").await;
        }
        env.publish_all(&(1..50).map(|second| reading(meter, at(second), 2.0)).collect::<Vec<_>>()).await;
        env.publish(&reading(meter, at(200), 3.0)).await;
        let mut reach = Vec::new();
        let event = loop {
            let event = socket.event().await;
            if event["__typename"] == "LiveReading" {
                break event;
            }
            assert_eq!(event["__typename"], "LiveHistoryChanged", "{event}");
            let time =
                |name: &str| DateTime::parse_from_rfc3339(event[name].as_str().unwrap()).unwrap().to_utc();
            reach.extend([time("from"), time("to")]);
        };
        assert_eq!(event["reading"]["powerW"], 3.0);
        assert_eq!((reach.iter().min(), reach.iter().max()), (Some(&at(1)), Some(&at(49))));
    });
}

#[test]
fn a_cursor_goes_on_where_it_stood_on_any_replica() {
    run(async |env| {
        let meter = "resumed";
        let at = |second| minutes_ago(5) + TimeDelta::seconds(second);
        env.store(&[reading(meter, at(0), 0.0)], None).await;
        let mut socket = Socket::open(&env.api).await;
        socket.follow("1", meter, 10, None).await;
        socket.expect("LiveSnapshot").await;
        env.publish_all(&[reading(meter, at(1), 1.0), reading(meter, at(2), 2.0)]).await;
        let first = socket.expect("LiveReading").await;
        assert_eq!(first["reading"]["powerW"], 1.0);
        drop(socket);
        env.publish_all(&[reading(meter, at(1), 1.0), reading(meter, at(3), 3.0)]).await;

        let other = env.api(|_| {}).await;
        for api in [&env.api, &other] {
            let mut socket = Socket::open(api).await;
            socket.follow("1", meter, 10, first["cursor"].as_str()).await;
            let second = socket.expect("LiveReading").await;
            assert_eq!(second["reading"]["powerW"], 2.0, "no snapshot, no hole");
            let third = socket.expect("LiveReading").await;
            assert_eq!(third["reading"]["powerW"], 3.0, "what was seen before the cursor is known");
        }
    });
}

#[test]
fn a_heartbeat_moves_the_cursor_of_a_quiet_meter() {
    run(async |env| {
        let meter = "quiet";
        env.store(&[reading(meter, minutes_ago(1), 0.0)], None).await;
        let mut socket = Socket::open(&env.api).await;
        socket.follow("1", meter, 10, None).await;
        let snapshot = socket.expect("LiveSnapshot").await;
        let mut beat = socket.any_event().await;
        while beat["upToDate"] != true {
            beat = socket.any_event().await;
        }
        assert_eq!(beat["__typename"], "LiveHeartbeat");
        let cursor = beat["cursor"].as_str().unwrap().to_owned();
        assert!(snapshot["cursor"].as_str().unwrap().split('.').count() == cursor.split('.').count());
        drop(socket);
        env.publish(&reading(meter, minutes_ago(0), 7.0)).await;
        let mut socket = Socket::open(&env.api).await;
        socket.follow("1", meter, 10, Some(&cursor)).await;
        assert_eq!(socket.expect("LiveReading").await["reading"]["powerW"], 7.0);
    });
}

#[test]
fn a_cursor_that_is_none_of_ours_is_told_apart() {
    run(async |env| {
        let meter = "foreign";
        env.store(&[reading(meter, minutes_ago(1), 5.0)], None).await;
        let mut socket = Socket::open(&env.api).await;
        socket.follow("1", meter, 10, Some("1.00000000deadbeef.0.0-0")).await;
        let reset = socket.expect("LiveReset").await;
        assert_eq!(reset["resetReason"], "CURSOR_FOREIGN");
        assert_eq!(socket.expect("LiveSnapshot").await["readings"][0]["powerW"], 5.0);
        drop(socket);
        // Cut off between the two, a client still gets its snapshot.
        let mut socket = Socket::open(&env.api).await;
        socket.follow("1", meter, 10, reset["cursor"].as_str()).await;
        socket.expect("LiveReset").await;
        socket.expect("LiveSnapshot").await;

        socket.follow("2", meter, 10, Some("nonsense")).await;
        let message = loop {
            let message = socket.receive().await;
            if message["id"] == "2" {
                break message;
            }
        };
        assert_eq!(message["type"], "error");
        assert_eq!(message["payload"][0]["extensions"]["code"], "BAD_INPUT");
        socket.follow("3", "no such meter", 10, None).await;
        let message = loop {
            let message = socket.receive().await;
            if message["id"] == "3" {
                break message;
            }
        };
        assert_eq!(message["payload"][0]["extensions"]["code"], "NOT_FOUND");
    });
}
