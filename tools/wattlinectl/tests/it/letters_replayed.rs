//! Promise: a repaired letter's readings are stored exactly once, however often a replay is interrupted and repeated;
//! what still fails stays.

use std::time::Duration;

use serde_json::json;
use wattline_localstack::poll_until;
use wattline_reading::topics::{DEAD_LETTERS, READINGS};
use wattline_reading::{DeadLetter, Measures, Reading, wire};

use crate::letters::{DEADLINE, Env, Outcomes, at, letter, run, said};

/// Takes `<test>/<meter>/data` as Wattline's own JSON.
fn route(test: &str) -> String {
    format!(
        "[[routes]]\nfilter = \"{test}/+/data\"\ndecoder = \"wattline-json\"\ntime = \"device\"\nmeter_id = \"{test}-{{2}}\"\n"
    )
}

fn since(before: Outcomes, after: Outcomes) -> Outcomes {
    Outcomes {
        stored: after.stored - before.stored,
        duplicate: after.duplicate - before.duplicate,
        conflict: after.conflict - before.conflict,
        dead_lettered: after.dead_lettered - before.dead_lettered,
    }
}

async fn wait_held_up(env: &Env, statement: &str, count: i64) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'wattline_operator' \
        AND wait_event_type = 'Lock' AND query LIKE $1";
    poll_until("the replay to be held up", DEADLINE, Duration::from_millis(20), async || {
        let found: i64 = env.owner.query_one(sql, &[&format!("%{statement}%")]).await?.get(0);
        Ok((found == count).then_some(()))
    })
    .await
    .unwrap();
}

/// One letter for each thing that can come of it.
fn one_of_each() -> Vec<DeadLetter> {
    vec![
        letter("routed/m1/data", r#"{"ts":"2026-11-20T09:00:00Z","power_w":1}"#, 0),
        // Without a time of its own: stamped with its arrival.
        letter("routed/m2/data", r#"{"power_w":2}"#, 60),
        // Retained without a time: of any age, so nothing to store.
        DeadLetter { retained: true, ..letter("routed/m3/data", r#"{"power_w":3}"#, 0) },
        letter(
            "routed/m4/data",
            "[{\"ts\":1795168800,\"power_w\":4},{\"ts\":1795168810,\"power_w\":5}]",
            120,
        ),
        letter("routed/m5/data", r#"{"power_w":"viel"}"#, 0),
        letter("routed/elsewhere", r#"{"power_w":6}"#, 0),
        // Ahead of its arrival, not of today.
        letter("routed/m7/data", r#"{"ts":"2026-11-20T12:00:00Z","power_w":7}"#, 0),
    ]
}

#[test]
fn letters_are_decoded_by_todays_routes_as_they_arrived() {
    run(async |env| {
        let before = env.outcomes().await;
        env.store(&one_of_each()).await;
        let routes = env.routes("routed.toml", &route("routed"));
        let argument = routes.display().to_string();
        let dry = ["replay", "--topic", "routed/#", "--dry-run", "--routes", &argument];
        let answers = env.json(&dry);
        let (sum, answers) = answers.split_last().unwrap();
        let kinds: Vec<&str> = answers.iter().map(|answer| answer["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds.iter().filter(|kind| **kind == "readings").count(), 3, "{answers:?}");
        let words = env.command(&dry).out;
        assert!(words.contains("reading of routed-m2 at 2026-11-20T10:01:00Z"), "{words}");
        assert!(
            words.contains("stays, no_route: ") && words.contains("ignored, retained_without_time"),
            "{words}"
        );
        assert_eq!(env.states("routed").await, [("open".to_owned(), 7)].into(), "a dry run changes nothing");

        let report = env.replay("routed", &routes);
        let expected = json!({"letters": 7, "replayed": 3, "readings": 4,
            "ignored": {"retained_without_time": 1}, "refused": {"malformed": 1, "no_route": 1, "ts_future": 1}});
        assert_eq!(report, expected);
        assert_eq!(*sum, expected, "as it was said");
        let done = since(before, env.settled().await);
        assert_eq!(done, Outcomes { stored: 4, ..Outcomes::default() });
        let rows = "SELECT count(*) FROM reading JOIN meter USING (meter_key) WHERE \
            (meter_id, ts, received_at, ts_source, power_w) IN ( \
            ('routed-m1', '2026-11-20T09:00:00Z', '2026-11-20T10:00:00Z', 'device', 1), \
            ('routed-m2', '2026-11-20T10:01:00Z', '2026-11-20T10:01:00Z', 'arrival', 2), \
            ('routed-m4', '2026-11-20T10:00:00Z', '2026-11-20T10:02:00Z', 'device', 4), \
            ('routed-m4', '2026-11-20T10:00:10Z', '2026-11-20T10:02:00Z', 'device', 5))";
        assert_eq!(env.count(rows).await, 4);
        let marks = "SELECT count(*) FROM dead_letter WHERE attempts = 1 AND attempted_at IS NOT NULL AND \
            (mqtt_topic, state, coalesce(readings, 0), reason, coalesce(first_reason, '-'), coalesce(route, '-'), \
             coalesce(state_detail, '-')) IN ( \
            ('routed/m1/data', 'replayed', 1, 'no_route', '-', '-', '-'), \
            ('routed/m2/data', 'replayed', 1, 'no_route', '-', '-', '-'), \
            ('routed/m3/data', 'ignored', 0, 'no_route', '-', '-', 'retained_without_time'), \
            ('routed/m4/data', 'replayed', 2, 'no_route', '-', '-', '-'), \
            ('routed/m5/data', 'open', 0, 'malformed', 'no_route', 'routed/+/data', '-'), \
            ('routed/elsewhere', 'open', 0, 'no_route', '-', '-', '-'), \
            ('routed/m7/data', 'open', 0, 'ts_future', 'no_route', 'routed/+/data', '-'))";
        assert_eq!(env.count(marks).await, 7);

        // What still fails is tried again, and only that; the first reason stays.
        let report = env.replay("routed", &routes);
        assert_eq!((&report["letters"], &report["replayed"]), (&json!(3), &json!(0)));
        let again = "SELECT count(*) FROM dead_letter WHERE mqtt_topic LIKE 'routed/%' AND attempts = 2 \
            AND state = 'open' AND coalesce(first_reason, reason) = 'no_route'";
        assert_eq!(env.count(again).await, 3);
        // Asked for by its state, a letter is replayed again: nothing new.
        let report =
            env.json(&["replay", "--topic", "routed/#", "--state", "replayed", "--routes", &argument]);
        assert_eq!(report[0]["readings"], 4);
        let done = since(before, env.settled().await);
        assert_eq!(done, Outcomes { stored: 4, duplicate: 4, ..Outcomes::default() });
    });
}

#[test]
fn killed_between_kafka_and_the_mark_and_repeated_it_stores_once() {
    run(async |env| {
        let letters: Vec<DeadLetter> = (0..300)
            .map(|n| letter(&format!("killed/m{}/data", n % 7), &format!("{{\"power_w\":{n}}}"), n))
            .collect();
        let before = env.outcomes().await;
        env.store(&letters).await;
        let routes = env.routes("killed.toml", &route("killed"));
        let argument = routes.display().to_string();

        let holder = env.hold_marks().await;
        let mut replay = env.start_command(&["replay", "--topic", "killed/#", "--routes", &argument]);
        wait_held_up(env, "UPDATE dead_letter", 1).await;
        replay.kill().unwrap();
        replay.wait().unwrap();
        drop(holder);

        let done = since(before, env.settled().await);
        assert_eq!(done, Outcomes { stored: 300, ..Outcomes::default() }, "Kafka had them");
        // The killed one's transaction ends without a mark, and then its letters are free again.
        let free = "SELECT count(*) FROM (SELECT 1 FROM dead_letter WHERE mqtt_topic LIKE 'killed/%' \
            AND state = 'open' AND attempts = 0 FOR UPDATE SKIP LOCKED) AS free";
        poll_until("the letters to be free", DEADLINE, Duration::from_millis(20), async || {
            Ok((env.count(free).await == 300).then_some(()))
        })
        .await
        .unwrap();

        let report = env.replay("killed", &routes);
        assert_eq!((&report["replayed"], &report["readings"]), (&json!(300), &json!(300)));
        let done = since(before, env.settled().await);
        assert_eq!(done, Outcomes { stored: 300, duplicate: 300, ..Outcomes::default() });
        let rows = "SELECT count(*) FROM reading JOIN meter USING (meter_key) WHERE meter_id LIKE 'killed-%' \
            AND ts = received_at AND ts_source = 'arrival'";
        assert_eq!(env.count(rows).await, 300);
        assert_eq!(env.states("killed").await, [("replayed".to_owned(), 300)].into());
        assert_eq!(env.replay("killed", &routes)["letters"], 0);
    });
}

#[test]
fn two_replays_at_once_share_the_letters() {
    run(async |env| {
        let letters: Vec<DeadLetter> = (0..2500)
            .map(|n| letter(&format!("shared/m{}/data", n % 50), &format!("{{\"power_w\":{n}}}"), n))
            .collect();
        let before = env.outcomes().await;
        env.store(&letters).await;
        let routes = env.routes("shared.toml", &route("shared"));
        let argument = routes.display().to_string();
        let arguments = ["replay", "--topic", "shared/#", "--json", "--routes", &argument];

        let holder = env.hold_marks().await;
        let both = [env.start_command(&arguments), env.start_command(&arguments)];
        wait_held_up(env, "UPDATE dead_letter", 2).await;
        drop(holder);
        let mut sum = 0;
        for child in both {
            let said = said(child);
            assert!(said.ok, "{said:?}");
            let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
            let replayed = report["replayed"].as_u64().unwrap();
            assert!(replayed >= 1000, "each has a page: {report}");
            sum += replayed;
        }
        assert_eq!(sum, 2500);
        let done = since(before, env.settled().await);
        assert_eq!(done, Outcomes { stored: 2500, ..Outcomes::default() });
        let once = "SELECT count(*) FROM dead_letter WHERE mqtt_topic LIKE 'shared/%' AND attempts = 1";
        assert_eq!(env.count(once).await, 2500);
    });
}

#[test]
fn a_record_that_the_sink_refused_goes_back_as_it_is() {
    run(async |env| {
        let reading = Reading {
            received_at: at(1),
            ..Reading::new("refused-1", at(0), Measures { power_w: Some(666.0), ..Measures::default() })
        };
        let before = env.outcomes().await;
        env.owner
            .batch_execute("ALTER TABLE reading ADD CONSTRAINT no_666 CHECK (power_w <> 666)")
            .await
            .unwrap();
        env.store_readings(std::slice::from_ref(&reading)).await;
        env.send(READINGS.name, b"refused-2", &[0xff]);
        env.send(DEAD_LETTERS.name, b"refused", &[0xff]);
        env.settled().await;
        let open = ["list", "--reason", "database_refused,record_undecodable"];
        let listed = env.json(&open);
        assert_eq!(listed.len(), 3, "{listed:?}");
        let refused = listed.iter().find(|letter| letter["reason"] == "database_refused").unwrap();
        assert_eq!(refused["record_key"], "refused-1");
        assert!(env.command(&open).out.contains("(record of refused-1)"));

        // The cause is still there: it comes back as another letter, and the replay ends.
        let replay = ["replay", "--reason", "database_refused,record_undecodable"];
        let report = env.json(&replay).pop().unwrap();
        let expected = json!({"letters": 3, "replayed": 1, "readings": 1, "ignored": {},
            "refused": {"record_undecodable": 2}});
        assert_eq!(report, expected);
        env.settled().await;
        assert_eq!(env.json(&open).len(), 3);

        env.owner.batch_execute("ALTER TABLE reading DROP CONSTRAINT no_666").await.unwrap();
        assert_eq!(env.json(&replay).pop().unwrap(), expected);
        let done = since(before, env.settled().await);
        assert_eq!(done, Outcomes { stored: 1, dead_lettered: 3, ..Outcomes::default() });
        let mut value = Vec::new();
        wire::encode_reading(&reading, &mut value);
        let sql = "SELECT count(*) FROM dead_letter WHERE payload = $1 AND state = 'replayed'";
        let row = env.owner.query_one(sql, &[&value]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 2);
    });
}

#[test]
fn readings_before_the_border_of_raw_retention_stay_letters() {
    run(async |env| {
        let old = DeadLetter {
            received_at: wattline_reading::Timestamp::parse_rfc3339("2015-06-01T00:00:00Z").unwrap(),
            ..letter("border/m/data", r#"{"power_w":1}"#, 0)
        };
        env.store(&[old]).await;
        env.owner.batch_execute("UPDATE retention_border SET border = '2016-01-01T00:00:00Z'").await.unwrap();
        let before = env.outcomes().await;
        let report = env.replay("border", &env.routes("border.toml", &route("border")));
        assert_eq!(report["refused"], json!({"ts_too_old": 1}));
        let letter = env.json(&["list", "--topic", "border/#"]).pop().unwrap();
        assert_eq!((&letter["reason"], &letter["first_reason"]), (&json!("ts_too_old"), &json!("no_route")));
        assert!(letter["detail"].as_str().unwrap().contains("2016-01-01"), "{letter}");
        assert_eq!(env.settled().await, before);
    });
}

#[test]
fn a_letter_is_judged_by_the_routes_of_its_broker() {
    run(async |env| {
        let from = |broker: Option<&str>, seconds| DeadLetter {
            broker: broker.map(str::to_owned),
            ..letter("brokers/m/data", r#"{"power_w":1}"#, seconds)
        };
        env.store(&[from(Some("street"), 0), from(Some("village"), 1), from(None, 2)]).await;
        let groups = env.json(&["count", "--by", "broker", "--topic", "brokers/#"]);
        let brokers: Vec<_> = groups.iter().map(|group| group["broker"].as_str()).collect();
        assert_eq!(groups.len(), 3, "{groups:?}");
        assert!(brokers.contains(&Some("street")) && brokers.contains(&None), "{brokers:?}");

        let routes = |table: &str, prefix: &str| {
            route("brokers").replace("[[routes]]", table).replace("brokers-{2}", &format!("{prefix}-{{2}}"))
        };
        let street = "[[broker]]\nname = \"street\"\nurl = \"mqtt://a\"\n";
        let only_street = routes("[[routes]]", "common") + street + &routes("[[broker.routes]]", "street");
        let file = env.routes("street.toml", &only_street).display().to_string();
        let refused = env.command(&["replay", "--topic", "brokers/#", "--routes", &file]);
        assert!(!refused.ok);
        for words in ["no broker \"village\", only street", "letter wattline.dead-letters.v1/", "--broker"] {
            assert!(refused.error.contains(words), "{words}: {}", refused.error);
        }
        assert_eq!(env.states("brokers").await, [("open".to_owned(), 3)].into());

        let village = street.replace("street", "village").replace("//a", "//b");
        let both = only_street + &village + &routes("[[broker.routes]]", "village");
        let report = env.replay("brokers", &env.routes("both.toml", &both));
        assert_eq!((&report["replayed"], &report["readings"]), (&json!(3), &json!(3)));
        env.settled().await;
        for (meter, seconds) in [("street-m", 0), ("village-m", 1), ("common-m", 2)] {
            let sql =
                "SELECT count(*) FROM reading JOIN meter USING (meter_key) WHERE meter_id = $1 AND ts = $2";
            let row = env.owner.query_one(sql, &[&meter, &at(seconds).to_chrono()]).await.unwrap();
            assert_eq!(row.get::<_, i64>(0), 1, "{meter}");
        }
        let shown = env.json(&["list", "--state", "any", "--broker", "village", "--topic", "brokers/#"]);
        assert_eq!(shown.len(), 1);
        assert_eq!((&shown[0]["broker"], &shown[0]["state"]), (&json!("village"), &json!("replayed")));
    });
}
