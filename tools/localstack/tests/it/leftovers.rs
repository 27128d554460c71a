//! A killed run leaves files, and in the worst case processes. The next one starts all the same.

use std::fs;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgid};
use wattline_localstack::{ServerKind, Stack, StackOptions};

use crate::clients::{Up, folder, lives, sql};

#[tokio::test]
async fn orphaned_servers_are_ended_and_their_data_is_used() {
    let dir = folder();
    let mut up = Up::start(dir.path());
    let servers = up.servers().await;
    // As if the machine's memory killer had taken the watchers too.
    for (_, server) in &servers {
        kill_watchers_of(*server);
    }
    kill(Pid::from_raw(up.pid()), Signal::SIGKILL).unwrap();
    up.child.wait().unwrap();
    assert!(servers.iter().all(|(_, pid)| lives(*pid)), "the servers were to be left over");

    let stack = Stack::start(StackOptions::new().dir(dir.path())).await.unwrap();
    assert!(!servers.iter().any(|(_, pid)| lives(*pid)), "a leftover survived");
    sql(&stack.database_url()).await.simple_query("SELECT 1").await.unwrap();
    stack.stop().await.unwrap();
}

#[tokio::test]
async fn lock_files_with_the_pid_of_another_process_are_no_obstacle() {
    let dir = folder();
    let options = || StackOptions::new().dir(dir.path()).servers(&[ServerKind::Timescale]);
    let stack = Stack::start(options()).await.unwrap();
    let lock = dir.path().join("timescale/data/postmaster.pid");
    let text = fs::read_to_string(&lock).unwrap();
    stack.stop().await.unwrap();

    let mut other = Command::new("sleep").arg("300").spawn().unwrap();
    let own_pid = text.lines().next().unwrap();
    fs::write(&lock, text.replacen(own_pid, &other.id().to_string(), 1)).unwrap();
    fs::create_dir_all(dir.path().join("run")).unwrap();
    fs::write(dir.path().join("run/timescale.pid"), format!("{} 1\n", other.id())).unwrap();
    let again = Stack::start(options()).await;
    let spared = lives(i32::try_from(other.id()).unwrap());
    other.kill().unwrap();
    other.wait().unwrap();
    again.unwrap();
    assert!(spared, "a stranger was killed for a stale pid");
}

#[tokio::test]
async fn a_half_made_folder_is_made_anew() {
    let dir = folder();
    let half = dir.path().join("timescale/data/base");
    fs::create_dir_all(&half).unwrap();
    let stack =
        Stack::start(StackOptions::new().dir(dir.path()).servers(&[ServerKind::Timescale])).await.unwrap();
    sql(&stack.database_url()).await.simple_query("SELECT 1").await.unwrap();
}

/// The shells that wait for the end of the pipe: in the server's process group, but not the server.
fn kill_watchers_of(server: i32) {
    let pids = fs::read_dir("/proc").unwrap().flatten();
    for pid in pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()) {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        if name.trim() == "sh" && getpgid(Some(Pid::from_raw(pid))) == Ok(Pid::from_raw(server)) {
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        }
    }
}
