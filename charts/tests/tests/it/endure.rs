//! The load test judges an environment by the connections that its servers take: TLS on all three in staging and prod.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use wattline_charts_tests::charts::Environment;
use wattline_localstack::{Authority, Stack};

use crate::fixture::{bin_dir, free_address};

/// Where an environment's servers are.
pub(crate) struct Addresses<'a> {
    pub(crate) environment: Environment,
    /// Has the database, the authority and the passwords.
    pub(crate) stack: &'a Stack,
    pub(crate) mqtt: String,
    pub(crate) kafka: String,
}

/// Publishes for seconds, and reads everything back. An authority that has signed nothing there is refused.
pub(crate) fn endures(servers: &Addresses<'_>) {
    let environment = servers.environment;
    let folder = tempfile::tempdir().unwrap();
    let output = endure(servers, &servers.stack.mqtt_authority().unwrap(), folder.path());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{environment}: {said}");
    let endured: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(endured["sent"].as_u64() > Some(100), "{environment}: {endured}");
    assert_eq!(endured["sent"], endured["stored_once"], "{environment}");
    if environment != Environment::Dev {
        let foreign = Authority::open(&folder.path().join("foreign")).unwrap();
        let output = endure(servers, &foreign, folder.path());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{environment}: {said}");
        // Which word follows depends on how alike the two authorities are.
        let refused = ["cannot connect to the database", "invalid peer certificate"];
        assert!(refused.iter().all(|words| said.contains(words)), "{environment}: {said}");
    }
}

fn endure(servers: &Addresses<'_>, authority: &Authority, folder: &Path) -> Output {
    let stack = servers.stack;
    let mut file = json!({
        "mqtt": servers.mqtt,
        "mqtt_password_files": {"meters": stack.mqtt_password_file("meters")},
        "kafka": servers.kafka,
        "database": stack.database_url_as("wattline_grafana"),
    });
    if servers.environment != Environment::Dev {
        file["kafka_security"] = "tls".into();
        file["database"] =
            format!("{}?sslmode=verify-full", stack.database_url_as("wattline_grafana")).into();
        file["tls_root_file"] = authority.ca_file().display().to_string().into();
    }
    let path = folder.join("stack.json");
    fs::write(&path, file.to_string()).unwrap();
    let mut command = Command::new(bin_dir().join("wattline-loadtest"));
    command.arg("endure").arg("--stack").arg(path).args(["--listen", &free_address().to_string()]);
    command.args(["--meters", "50", "--at-most-s", "3"]).output().unwrap()
}
