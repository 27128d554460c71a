//! `--check=offline`: each service takes each environment's configuration exactly as it is rendered; nothing is overridden.

use std::process::{Command, Output};

use serde_json::Value;
use wattline_charts_tests::charts::Environment;
use wattline_charts_tests::object::{kind, name};
use wattline_charts_tests::pod::Container;
use wattline_localstack::{Authority, Installation, ServiceKind};

use crate::fixture::{any_secret, bin_dir, rendered, rendered_with, workload};
use crate::secured::{MOUNT, place_certificate};

/// Runs the service with what its container gets, and `--check`.
fn check(objects: &[Value], service: ServiceKind) -> Output {
    let root = tempfile::tempdir().unwrap();
    let container = Container::of(objects, &workload(service), 0).unwrap();
    let placed = container.place(root.path(), &any_secret).unwrap();
    let program = bin_dir().join(service.binary());
    let mut command = Command::new(&program);
    command.args(&placed.arguments).arg("--check=offline").envs(placed.environment);
    command.output().unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

#[tokio::test]
async fn every_service_takes_the_configuration_of_every_environment() {
    for environment in Environment::ALL {
        let objects = rendered(environment).await;
        for &service in ServiceKind::ALL {
            let output = check(&objects, service);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{environment}, {service}: {said}");
        }
    }
}

/// The proxy before a pair of brokers, checked by the program itself; rules and panels go by these names.
#[tokio::test]
async fn haproxy_takes_its_configuration() {
    let objects = rendered(Environment::Prod).await;
    let texts = objects.iter().filter_map(|object| object["data"]["haproxy.cfg"].as_str());
    let text = texts.into_iter().next().expect("prod has a pair of brokers");
    // Without the last one a takeover costs what a client waits for an answer.
    let parts = [
        "\nbackend brokers\n",
        "\nfrontend mqtt\n",
        "use-service prometheus-exporter",
        "option redispatch 1",
    ];
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    place_certificate(&Authority::open(&folder.path().join("authority")).unwrap(), folder.path());
    let file = folder.path().join("haproxy.cfg");
    std::fs::write(&file, text.replace(MOUNT, &folder.path().display().to_string())).unwrap();
    let haproxy = Installation::find().unwrap().haproxy();
    let output = Command::new(&haproxy).env("CHECK", "c000").arg("-c").arg("-f").arg(&file).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", haproxy.display()));
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
}

/// The schema of values knows types, not ranges: what it lets through is the service's to refuse.
#[tokio::test]
async fn a_value_that_the_service_refuses_is_named() {
    for &service in ServiceKind::ALL {
        let set = format!("{service}.config.service.worker_threads=1000");
        let objects = rendered_with(Environment::Prod, &["--set", &set]).await;
        let output = check(&objects, service);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{service}: {said}");
        assert!(said.contains("service.worker_threads is 1000"), "{service}: {said}");
    }
}

#[tokio::test]
async fn a_key_that_the_service_does_not_know_is_named() {
    for &service in ServiceKind::ALL {
        let mut objects = rendered(Environment::Prod).await;
        let map = objects
            .iter_mut()
            .find(|object| kind(object) == "ConfigMap" && name(object) == workload(service))
            .unwrap();
        let text = &mut map["data"][format!("{service}.toml")];
        *text = format!("{}\n[misspelt]\nkey = 1\n", text.as_str().unwrap()).into();
        let output = check(&objects, service);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{service}: {said}");
        assert!(said.contains("misspelt"), "{service}: {said}");
    }
}
