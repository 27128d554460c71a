//! Promise: a server that is not there yet is waited for in one call, and one that refuses is not.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use wattline_localstack::{ServerKind, Stack, StackOptions};

/// Nothing that is refused takes so long, on any machine.
const LONG: Duration = Duration::from_secs(100);

fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wattlinectl"));
    command.args(arguments).envs(environment.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until it has said of a try that it failed.
fn first_line(child: &mut Child) -> (String, BufReader<std::process::ChildStderr>) {
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    (line, said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_starts_later_is_migrated_by_the_same_call() {
    let stack = Stack::start(StackOptions::new().servers(&[ServerKind::Timescale])).await.unwrap();
    let url = stack.create_database("patience", None).await.unwrap();
    stack.timescale().stop().await.unwrap();
    let wait = [("WATTLINE__DATABASE__URL", &*url), ("WATTLINECTL_SERVER_WAIT_S", "600")];
    let mut migrate = start(&["migrate"], &wait);
    let (line, mut said) = first_line(&mut migrate);
    for part in ["refused", "tried again", "--server-wait-s"] {
        assert!(line.contains(part), "{line}");
    }
    stack.timescale().start().await.unwrap();
    let ended = tokio::task::spawn_blocking(move || migrate.wait_with_output()).await.unwrap().unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(ended.status.success(), "{line}{rest}");
    assert!(String::from_utf8_lossy(&ended.stdout).contains("applied"), "{ended:?}");
}

/// The database is there, its name isn't: nobody waits for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_is_believed_at_once() {
    let stack = Stack::start(StackOptions::new().servers(&[ServerKind::Timescale])).await.unwrap();
    let url = stack.database_url_of("no_such_database", "postgres");
    let begin = Instant::now();
    let arguments = ["migrate", "--server-wait-s", "600"];
    let ended = start(&arguments, &[("WATTLINE__DATABASE__URL", &url)]).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && said.contains("3D000") && begin.elapsed() < LONG, "{said}");
    assert!(!said.contains("tried again"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_wait_for_as_many_brokers_as_copies() {
    let stack = Stack::start(StackOptions::new().servers(&[ServerKind::Kafka])).await.unwrap();
    let brokers = stack.kafka_brokers();
    let wait = ["--brokers", &brokers, "--server-wait-s", "3"];
    let too_few = start(&[&["topics", "--replication-factor", "2"], &wait[..]].concat(), &[]);
    let ended = too_few.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && said.contains("has 1 brokers, 2 copies need as many"), "{said}");
    assert!(said.contains("tried again"), "{said}");
    let ended = start(&[&["topics"], &wait[..]].concat(), &[]).wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn a_kafka_that_is_nowhere_is_named_with_what_to_look_at() {
    let ended = start(&["topics", "--brokers", "127.0.0.1:1", "--server-wait-s", "1"], &[]);
    let ended = ended.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && said.contains("127.0.0.1:1") && said.contains("--brokers"), "{said}");
}
