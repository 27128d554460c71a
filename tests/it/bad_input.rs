//! Bad input gives a message that says what is wrong, where, and what to do.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use wattline_loadtest::message::Message;
use wattline_loadtest::pace::Pace;
use wattline_loadtest::publish::Publisher;
use wattline_localstack::ServiceKind;
use wattline_reading::Timestamp;
use wattline_tests::system::bin_dir;

use crate::fixture::{assert_ok, system};
use crate::stray::{Stray, assert_names};

/// A loopback port that nobody listens on.
const NOBODY: &str = "127.0.0.1:1";

#[test]
fn a_wrong_configuration_key_is_named_with_its_source() {
    let folder = tempfile::tempdir().unwrap();
    for &kind in ServiceKind::ALL {
        let file = folder.path().join(format!("{kind}.toml"));
        fs::write(&file, "[kafka]\nbrokres = \"127.0.0.1:9092\"\n").unwrap();
        let program = assert_ok(bin_dir()).join(kind.binary());
        let output = Command::new(program).arg("--config").arg(&file).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{kind}: {said}");
        assert_names(&said, &["brokres", "kafka", &file.display().to_string()]);
    }
}

#[test]
fn a_value_that_makes_no_sense_is_named_with_what_it_may_be() {
    let program = assert_ok(bin_dir()).join(ServiceKind::TimescaleSink.binary());
    let output = Command::new(program).arg("--check").env("WATTLINE__BATCH__WRITERS", "0").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert_names(&said, &["batch.writers", "1 to 16"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_broker_is_named_and_waited_for() {
    let exclusive = system().await;
    let mqtt = Stray::start(
        &exclusive.system,
        ServiceKind::MqttIngest,
        &[("WATTLINE__MQTT__URL", format!("mqtt://{NOBODY}"))],
    );
    mqtt.says(&[NOBODY, "refused"]).await;
    mqtt.is_alive_and_not_ready().await;
    for kind in [ServiceKind::TimescaleSink, ServiceKind::Aggregator] {
        let stray = Stray::start(&exclusive.system, kind, &[("WATTLINE__KAFKA__BROKERS", NOBODY.to_owned())]);
        stray.says(&["afka", NOBODY]).await;
        stray.is_alive_and_not_ready().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_called_one() {
    let exclusive = system().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong");
    fs::write(&file, "guessed\n").unwrap();
    let settings = [("WATTLINE__MQTT__PASSWORD_FILE", file.display().to_string())];
    let stray = Stray::start(&exclusive.system, ServiceKind::MqttIngest, &settings);
    stray.says(&["ingest", "password"]).await;
    stray.is_alive_and_not_ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_without_extension_and_tables_is_called_unmigrated() {
    let exclusive = system().await;
    let stack = &exclusive.system.stack;
    let name = "never_migrated";
    assert_ok(stack.create_database(name, None).await);
    for (kind, role) in
        [(ServiceKind::TimescaleSink, "wattline_sink"), (ServiceKind::Aggregator, "wattline_aggregator")]
    {
        let settings = [
            ("WATTLINE__DATABASE__URL", stack.database_url_of(name, role)),
            // A group of its own: it takes nothing from those who work.
            ("WATTLINE__INPUT__GROUP", format!("bad-input-{kind}")),
        ];
        let stray = Stray::start(&exclusive.system, kind, &settings);
        stray.says(&["42P01", "wattlinectl migrate"]).await;
        stray.is_alive_and_not_ready().await;
    }
    assert_ok(stack.drop_database(name).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_payloads_are_dead_letters_that_say_why() {
    let exclusive = system().await;
    let target = assert_ok(exclusive.system.target());
    let unique = Timestamp::now().micros();
    let topic = format!("wattline/bad-{unique:x}/reading");
    let large = format!("{{\"note\":\"{}\",\"power_w\":1}}", "x".repeat(100 * 1024)).into_bytes();
    let huge = vec![b' '; 2 * 1024 * 1024];
    let cases = [
        (b"{\"power_w\":".to_vec(), "malformed", vec!["ends", "byte 11"]),
        (b"{\"power_w\":\"much\"}".to_vec(), "malformed", vec!["power_w", "`much`"]),
        (large, "payload_too_large", vec!["65536", "102"]),
        (huge, "payload_too_large", vec!["65536", "2097152", "payload_bytes_max"]),
    ];
    let messages: Vec<Message> = cases.iter().map(|(payload, ..)| message(&topic, payload.clone())).collect();
    let mut publisher = Publisher::new(target.broker.clone(), format!("bad-{unique}"), Arc::default());
    let stop = CancellationToken::new();
    assert_ok(publisher.publish(&mut messages.into_iter(), Pace::unlimited(), &stop).await);

    let client = assert_ok(target.connect().await);
    let sql = "SELECT reason, detail FROM dead_letter WHERE mqtt_topic = $1 AND payload = $2";
    for (payload, reason, words) in cases {
        let arrived = exclusive.system.wait_for("the dead letter", async || {
            Ok(!client.query(sql, &[&topic, &payload]).await?.is_empty())
        });
        assert_ok(arrived.await);
        let row = client.query_one(sql, &[&topic, &payload]).await.unwrap();
        assert_eq!(row.get::<_, String>(0), reason);
        assert_names(row.get(1), &words);
    }

    // The broker's own limit is 3 MiB: whoever sends more is told by it, and nothing comes to the door.
    let mut beyond = vec![message(&topic, vec![b' '; 4 * 1024 * 1024])].into_iter();
    let error = publisher.publish(&mut beyond, Pace::unlimited(), &stop).await.unwrap_err();
    assert_names(&format!("{error:#}"), &[&topic, "4194", "3145728"]);
}

fn message(topic: &str, payload: Vec<u8>) -> Message {
    Message { topic: topic.into(), payload, first_of: None }
}
