//! What Alertmanager would be told: amtool takes it, and its routes lead an environment's alerts, and no others, to its receiver.

use std::fs;
use std::path::Path;
use std::process::Command;

use wattline_charts_tests::alertmanager;
use wattline_charts_tests::charts::Environment;
use wattline_charts_tests::object::kind;
use wattline_localstack::Installation;

use crate::fixture::rendered_with;

const RECEIVERS: [&str; 4] = [
    "--set=observability.alertmanager.enabled=true,observability.alertmanager.webhook.existingSecret=pager",
    "--set=observability.alertmanager.email.to=a@wattline.example,observability.alertmanager.email.from=b@wattline.example",
    "--set=observability.alertmanager.email.smarthost=127.0.0.1:1",
    "--set=observability.alertmanager.receiver.slackConfigs[0].apiURL.name=chat,\
     observability.alertmanager.receiver.slackConfigs[0].apiURL.key=url",
];

#[tokio::test]
async fn amtool_takes_every_kind_of_receiver() {
    let folder = tempfile::tempdir().unwrap();
    let file = configure(folder.path()).await;
    let said = amtool(&["check-config", &file]);
    assert!(said.contains("2 receivers") && said.contains("1 inhibit rules"), "{said}");
    let config = format!("--config.file={file}");
    for (labels, receiver) in [
        (["namespace=prod", "severity=critical"], "operators"),
        (["namespace=prod", "severity=warning"], "operators"),
        (["namespace=dev", "severity=critical"], "nobody"),
    ] {
        let said = amtool(&[&["config", "routes", "test", &*config], &labels[..]].concat());
        assert_eq!(said.trim(), receiver, "{labels:?}");
    }
}

/// The file of what prod renders.
async fn configure(folder: &Path) -> String {
    let objects = rendered_with(Environment::Prod, &RECEIVERS).await;
    let config = objects.iter().find(|object| kind(object) == "AlertmanagerConfig").expect("one is rendered");
    let secret = |name: &str, key: &str| format!("https://{name}.example/{key}");
    let native = alertmanager::native(config, Environment::Prod.name(), &secret).unwrap();
    let file = folder.join("alertmanager.yaml");
    fs::write(&file, native.to_string()).unwrap();
    file.display().to_string()
}

fn amtool(arguments: &[&str]) -> String {
    let program = Installation::find().unwrap().alertmanager("amtool");
    let output = Command::new(&program).args(arguments).output();
    let output =
        output.unwrap_or_else(|error| panic!("{}: {error}; `make install` brings it", program.display()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "amtool {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
