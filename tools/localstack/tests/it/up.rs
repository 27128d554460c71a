//! `wattline-stack up` and `down`, as a user calls them.

use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use wattline_localstack::poll_until;

use crate::clients::{PATIENCE, Up, folder, wait_gone, wait_report};

#[tokio::test]
async fn a_killed_server_is_started_again_and_ctrl_c_stops_everything() {
    let dir = folder();
    let mut up = Up::start(dir.path());
    let before = up.servers().await;
    let (_, broker) = before.iter().find(|(name, _)| name == "mosquitto").unwrap();
    kill(Pid::from_raw(*broker), Signal::SIGKILL).unwrap();
    let after = poll_until("a new pid in the report", PATIENCE, Duration::from_millis(50), async || {
        let now = wait_report(&up.report).await;
        Ok((now != before).then_some(now))
    });
    let after: Vec<i32> = after.await.unwrap().into_iter().map(|(_, pid)| pid).collect();

    kill(Pid::from_raw(up.pid()), Signal::SIGINT).unwrap();
    assert!(up.child.wait().unwrap().success());
    wait_gone(&after).await;
    assert!(!up.report.exists());
}

#[tokio::test]
async fn down_stops_a_running_stack_and_deletes_only_a_stack() {
    let dir = folder();
    let stack = dir.path().join("stack");
    let mut up = Up::start(&stack);
    let servers: Vec<i32> = up.servers().await.into_iter().map(|(_, pid)| pid).collect();
    let reaped = tokio::task::spawn_blocking(move || up.child.wait());

    assert!(down(&stack).await);
    assert!(reaped.await.unwrap().unwrap().success());
    wait_gone(&servers).await;
    assert!(!stack.exists());
    assert!(down(&stack).await, "nothing to stop is no error");
    assert!(!down(dir.path()).await, "deleted a folder that holds no stack");
    assert!(dir.path().exists());
}

async fn down(dir: &std::path::Path) -> bool {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wattline-stack"));
    command.args(["down", "--dir"]).arg(dir);
    tokio::task::spawn_blocking(move || command.status()).await.unwrap().unwrap().success()
}
