//! Promise: a slow subscriber loses its oldest readings and is told how many; it slows nobody, and what the ring no
//! longer has is never skipped in silence.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use tokio::time::sleep;

use crate::fixture::{minutes_ago, reading, run};
use crate::socket::Socket;

#[test]
fn the_slow_one_is_told_and_the_quick_one_has_all() {
    run(async |env| {
        let meter = "two-followers";
        let api = env.api(|config| config.live.backlog_readings_max = 50).await;
        env.store(&[reading(meter, minutes_ago(600), 0.0)], None).await;
        let mut slow = Socket::open(&api).await;
        slow.follow("1", meter, 1, None).await;
        slow.expect("LiveSnapshot").await;
        let mut quick = Socket::open(&api).await;
        quick.follow("1", meter, 1, None).await;
        quick.expect("LiveSnapshot").await;

        // More than the buffers of both ends of a socket hold.
        let begin = minutes_ago(500);
        let (rounds, size) = (40, 500);
        for round in 0..rounds {
            let rows: Vec<_> = (0..size)
                .map(|index| reading(meter, begin + TimeDelta::seconds(round * size + index), 1.0))
                .collect();
            for rows in rows.chunks(25) {
                env.publish_all(rows).await;
                for _ in rows {
                    quick.expect("LiveReading").await;
                }
            }
        }
        let (mut seen, mut lost) = (0, 0);
        while seen + lost < rounds * size {
            let event = slow.event().await;
            match event["__typename"].as_str().unwrap() {
                "LiveReading" => seen += 1,
                "LiveLagged" => {
                    assert_eq!(event["lagReason"], "SLOW_SUBSCRIBER");
                    lost += event["lost"].as_i64().unwrap();
                }
                kind => panic!("{kind}"),
            }
        }
        assert!(lost > 0, "the buffers held everything: {seen} came");
        assert_eq!(seen + lost, rounds * size, "every reading came or was counted");
    });
}

#[test]
fn what_the_ring_no_longer_has_is_a_reset_or_a_lag() {
    run(async |env| {
        let meter = "overtaken";
        let begin = minutes_ago(600);
        env.store(&[reading(meter, begin, 0.0)], None).await;
        let api = env.api(|config| config.live.ring_bytes_max = 1024 * 1024).await;
        let mut socket = Socket::open(&api).await;
        socket.follow("1", meter, 1, None).await;
        let cursor = socket.expect("LiveSnapshot").await["cursor"].as_str().unwrap().to_owned();
        drop(socket);
        let rows: Vec<_> =
            (1..=8000).map(|second| reading(meter, begin + TimeDelta::seconds(second), 1.0)).collect();
        for rows in rows.chunks(2000) {
            env.publish_all(rows).await;
        }
        loop {
            let mut socket = Socket::open(&api).await;
            socket.follow("1", meter, 1, Some(&cursor)).await;
            let first = socket.event().await;
            if first["__typename"] == "LiveReset" {
                assert_eq!(first["resetReason"], "CURSOR_TOO_OLD");
                socket.expect("LiveSnapshot").await;
                // The sink has stored nothing of these, and the ring has lost the first of them.
                assert_eq!(socket.expect("LiveLagged").await["lagReason"], json!("STORE_BEHIND"));
                break;
            }
            // The tail has not come so far yet.
            sleep(Duration::from_millis(100)).await;
        }
    });
}
