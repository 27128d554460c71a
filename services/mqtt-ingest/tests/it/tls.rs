//! TLS with the broker's own authority and client certificates; and what is said when it can't be.

use wattline_localstack::{Authority, CertificateUse, Stack};
use wattline_mqtt_ingest::Config;
use wattline_service::ServiceConfig;

use crate::fixture::{another_broker, payload, quiet};

/// A configuration for the broker's TLS listener with passwords.
fn secure(config: Config, broker: &Stack) -> Config {
    let mut config = config;
    config.mqtt.url = broker.mqtts_url();
    config.mqtt.password_file = Some(broker.mqtt_password_file("ingest"));
    config.mqtt.ca_file = Some(broker.mqtt_authority().unwrap().ca_file());
    config
}

/// A configuration for the broker's TLS listener with client certificates.
fn certified(config: Config, broker: &Stack) -> Config {
    let authority = broker.mqtt_authority().unwrap();
    let mut config = secure(config, broker);
    config.mqtt.url = broker.mqtts_url_for_certificates();
    (config.mqtt.username, config.mqtt.password_file) = Default::default();
    (config.mqtt.cert_file, config.mqtt.key_file) =
        (Some(authority.cert_file("ingest")), Some(authority.key_file("ingest")));
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_come_by_tls_with_a_password_and_with_a_client_certificate() {
    let world = quiet("tls").await;
    let broker = another_broker().await;
    for (number, config) in
        [secure(world.config(), &broker), certified(world.config(), &broker)].into_iter().enumerate()
    {
        let ingest = world.start(config).await;
        world.publisher_at(&broker).await.publish([(world.topic(number), payload(1))]).await;
        ingest.until_settled(1).await;
        ingest.until("the watchdog works", || ingest.sum("watchdog_armed") == 1).await;
        ingest.stop().await.unwrap();
    }
    world.readings_of_all(2).await;
}

type Change<'a> = &'a dyn Fn(&mut Config);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_way_in_is_said_in_clear_words() {
    let world = quiet("words").await;
    let broker = another_broker().await;
    let foreign_folder = tempfile::tempdir().unwrap();
    let foreign = Authority::open(foreign_folder.path()).unwrap();
    let other_password = broker.mqtt_password_file("meters");
    let plain = broker.mqtt_url().replace("mqtt://", "mqtts://");
    let cases: [(Change<'_>, &str); 8] = [
        (&|config| config.mqtt.ca_file = Some(foreign.ca_file()), "authority of mqtt.ca_file"),
        (&|config| config.mqtt.ca_file = None, "mqtt.ca_file"),
        (&|config| config.mqtt.url = config.mqtt.url.replace("127.0.0.1", "localhost"), "for other names"),
        (&|config| config.mqtt.password_file = Some(other_password.clone()), "mqtt.password_file"),
        (&|config| config.mqtt.url.clone_from(&plain), "one for mqtt://"),
        (&|config| config.mqtt.url = config.mqtt.url.replace("mqtts://", "mqtt://"), "one for mqtts://"),
        (&|config| config.mqtt.url = "mqtts://broker.invalid".to_owned(), "has no address"),
        (&|config| config.mqtt.url = "mqtts://127.0.0.1:1".to_owned(), "nothing listens"),
    ];
    for (change, words) in cases {
        let mut config = secure(world.config(), &broker);
        change(&mut config);
        let found = said(&config).await;
        assert!(found.contains(words), "{words}: {found}");
    }

    let authority = broker.mqtt_authority().unwrap();
    authority.sign("server", CertificateUse::ExpiredServer, &["127.0.0.1"]).unwrap();
    broker.mosquitto().restart().await.unwrap();
    let found = said(&secure(world.config(), &broker)).await;
    assert!(found.contains("has expired"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_client_certificate_is_said_in_clear_words() {
    let world = quiet("certificates").await;
    let broker = another_broker().await;
    let folder = tempfile::tempdir().unwrap();
    let foreign = Authority::open(folder.path()).unwrap();
    foreign.sign("ingest", CertificateUse::Client, &["ingest"]).unwrap();
    let mut config = certified(world.config(), &broker);
    (config.mqtt.cert_file, config.mqtt.key_file) =
        (Some(foreign.cert_file("ingest")), Some(foreign.key_file("ingest")));
    let found = said(&config).await;
    assert!(found.contains("refuses the client certificate"), "{found}");
    (config.mqtt.cert_file, config.mqtt.key_file) = Default::default();
    let found = said(&config).await;
    assert!(found.contains("demands a client certificate"), "{found}");
}

async fn said(config: &Config) -> String {
    let checks = config.check_connections().await;
    let broker = checks.into_iter().find(|check| check.connection.starts_with("broker ")).unwrap();
    assert!(!broker.good, "{}", broker.words);
    broker.words
}
