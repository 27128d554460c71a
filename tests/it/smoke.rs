//! Promise: `wattlinectl smoke` sees its reading come out at the other end, and says where it stopped when it doesn't.

use std::process::Output;

use tokio::process::Command;
use wattline_localstack::ServiceKind;
use wattline_tests::system::bin_dir;

use crate::fixture::{Exclusive, assert_ok, system};

async fn smoke(exclusive: &Exclusive, wait_s: &str) -> Output {
    let stack = &exclusive.system.stack;
    let graphql = format!("http://{}/graphql", assert_ok(stack.http_address()));
    let mut command = Command::new(assert_ok(bin_dir()).join("wattlinectl"));
    command.args([
        "smoke",
        "--mqtt-url",
        &stack.mqtt_url(),
        "--mqtt-username",
        "meters",
        "--mqtt-password-file",
    ]);
    command.arg(stack.mqtt_password_file("meters"));
    command.args(["--graphql-url", &graphql, "--wait-s", wait_s]);
    command.output().await.expect("wattlinectl runs")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_published_reading_is_read_back() {
    let exclusive = system().await;
    let system = &exclusive.system;
    assert_ok(system.add(ServiceKind::QueryApi));
    assert_ok(system.wait_ready().await);
    let output = smoke(&exclusive, "120").await;
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("the reading was there"), "{said}{complained}");

    for sink in system.replicas_of(ServiceKind::TimescaleSink) {
        assert_ok(sink.process.stop().await);
    }
    let output = smoke(&exclusive, "5").await;
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "nothing stores, and yet the reading was found");
    assert!(complained.contains("older reading only") && complained.contains("/readyz"), "{complained}");
    assert_ok(system.remove_last(ServiceKind::QueryApi).await);
}
