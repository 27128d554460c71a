//! Whatever was started ends with whoever started it, even if that had no time to say goodbye.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use wattline_localstack::{ServerKind, Stack, StackOptions, poll_until};

use crate::clients::{PATIENCE, Up, folder, lives, wait_gone, wait_report};

const STEP: Duration = Duration::from_millis(50);
const NOTE: &str = "WATTLINE_TEST_NOTE";

#[tokio::test]
async fn servers_end_when_wattline_stack_is_killed() {
    let dir = folder();
    let mut up = Up::start(dir.path());
    let servers: Vec<i32> = up.servers().await.into_iter().map(|(_, pid)| pid).collect();
    assert!(servers.len() == 3 && servers.iter().all(|pid| lives(*pid)));
    up.child.kill().unwrap();
    up.child.wait().unwrap();
    wait_gone(&servers).await;
}

#[tokio::test]
async fn wattline_stack_ends_with_the_process_that_started_it() {
    let dir = folder();
    let report = dir.path().join("report.json");
    let up = Up::command(dir.path(), &report);
    // Where the tests run under nohup, wattline-stack would go on, as it is meant to.
    let mut shell = Command::new("env");
    // A second command keeps the shell from becoming wattline-stack itself.
    shell
        .args(["--default-signal=HUP", "/bin/sh", "-c", "\"$@\"; exit 1", "sh"])
        .arg(up.get_program())
        .args(up.get_args());
    let mut shell = shell.stdout(Stdio::null()).spawn().unwrap();
    let servers: Vec<i32> = wait_report(&report).await.into_iter().map(|(_, pid)| pid).collect();
    shell.kill().unwrap();
    shell.wait().unwrap();
    wait_gone(&servers).await;
    assert!(!report.exists(), "the report outlived its stack");
}

/// The parent of a temporary stack is this test binary, run again for [`hold_a_temporary_stack`] only.
#[tokio::test]
async fn a_temporary_stack_leaves_nothing_when_its_test_is_killed() {
    let dir = folder();
    let note = dir.path().join("note");
    let mut holder = Command::new(std::env::current_exe().unwrap());
    holder.args(["--ignored", "--exact", "parent_death::hold_a_temporary_stack"]).env(NOTE, &note);
    let mut holder = holder.stdout(Stdio::null()).spawn().unwrap();
    let text = poll_until("the note", PATIENCE, STEP, async || {
        Ok(std::fs::read_to_string(&note).ok().filter(|text| text.ends_with('\n')))
    });
    let text = text.await.unwrap();
    let mut words = text.split_whitespace();
    let stack_dir = PathBuf::from(words.next().unwrap());
    let pids: Vec<i32> = words.map(|word| word.parse().unwrap()).collect();
    assert!(stack_dir.exists() && pids.iter().all(|pid| lives(*pid)));

    // One is frozen: it must not be missed for that.
    kill(Pid::from_raw(pids[0]), Signal::SIGSTOP).unwrap();
    holder.kill().unwrap();
    holder.wait().unwrap();
    wait_gone(&pids).await;
    let removed = async || Ok((!stack_dir.exists()).then_some(()));
    poll_until("the removal of the folder", PATIENCE, STEP, removed).await.unwrap();
}

#[tokio::test]
#[ignore = "only for the test above, in a process of its own"]
async fn hold_a_temporary_stack() {
    let Some(note) = std::env::var_os(NOTE) else { return };
    let options = StackOptions::new().servers(&[ServerKind::Mosquitto, ServerKind::Timescale]);
    let stack = Stack::start(options).await.unwrap();
    let pids: Vec<String> = stack.servers().iter().map(|server| server.pid().unwrap().to_string()).collect();
    std::fs::write(note, format!("{} {}\n", stack.dir().display(), pids.join(" "))).unwrap();
    tokio::time::sleep(Duration::from_secs(300)).await;
}
