//! `--check` tries every connection, says each in a line, and takes nothing from a running replica.

use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};

use wattline_mqtt_ingest::Config;

use crate::fixture::{payload, quiet};

async fn check(config: &Config, more: &[(&str, &str)], how: &str) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_wattline-mqtt-ingest"));
    command.arg(how);
    for (name, value) in [
        ("KAFKA__BROKERS", config.kafka.brokers.as_str()),
        ("MQTT__URL", config.mqtt.url.as_str()),
        ("MQTT__CLIENT_ID", config.mqtt.client_id.as_str()),
        ("MQTT__USERNAME", config.mqtt.username.as_deref().unwrap()),
        ("MQTT__PASSWORD_FILE", &config.mqtt.password_file.as_ref().unwrap().display().to_string()),
        ("MQTT__GROUP", config.mqtt.group.as_deref().unwrap()),
    ]
    .iter()
    .chain(more)
    {
        command.env(format!("WATTLINE__{name}"), value);
    }
    command.output().await.unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_connection_has_its_line_and_the_exit_code_says_whether_all_are_good() {
    let world = quiet("check-lines").await;
    let config = world.config();
    let good = check(&config, &[], "--check").await;
    let found = text(&good);
    assert!(good.status.success(), "{found}");
    for words in ["broker mqtt mqtt://127.0.0.1", "good: connected as \"ingest\"", "good: both topics"] {
        assert!(found.contains(words), "{words}: {found}");
    }
    assert!(!found.contains("canary"), "the watchdog is allowed what it needs: {found}");

    let bad =
        check(&config, &[("KAFKA__BROKERS", "127.0.0.1:1"), ("MQTT__USERNAME", "nobody")], "--check").await;
    let found = text(&bad);
    assert_eq!(bad.status.code(), Some(1), "{found}");
    assert!(found.contains("FAILED: the broker at") && found.contains("\"nobody\""), "{found}");
    assert!(found.contains("FAILED: Kafka does not answer at 127.0.0.1:1"), "{found}");

    let offline = check(&config, &[("KAFKA__BROKERS", "127.0.0.1:1")], "--check=offline").await;
    assert!(offline.status.success(), "{}", text(&offline));
    let invalid = check(&config, &[("MQTT__URL", "http://x")], "--check=offline").await;
    assert_eq!(invalid.status.code(), Some(64), "{}", text(&invalid));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_takes_no_message_from_a_running_replica() {
    const COUNT: u64 = 2000;
    let world = quiet("check-beside").await;
    let ingest = world.start(world.config()).await;
    let config = world.config();
    let checking = AtomicBool::new(true);
    let check_twice = async {
        for _ in 0..2 {
            let output = check(&config, &[], "--check").await;
            assert!(output.status.success(), "{}", text(&output));
        }
        checking.store(false, Ordering::Relaxed);
    };
    let mut published = 0;
    let publish = async {
        let mut publisher = world.publisher().await;
        while checking.load(Ordering::Relaxed) || published < COUNT {
            let meters = published..published + 20;
            publisher.publish(meters.map(|meter| (world.topic(meter), payload(meter)))).await;
            published += 20;
        }
    };
    tokio::join!(check_twice, publish);
    ingest.until_settled(published).await;
    assert_eq!(ingest.sum("received_total"), published, "each came to the replica, once");
    assert_eq!(ingest.sum("connections_total"), 1, "its session was left alone");
    ingest.stop().await.unwrap();
}
