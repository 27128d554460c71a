//! What a real server says when something is wrong, and what is made of it: the table of SQLSTATEs, the words for people.

use std::time::Duration;

use tokio_postgres::Client;
use wattline_localstack::{ServerKind, Stack, StackOptions, poll_until};
use wattline_service::DatabaseSettings;
use wattline_service::postgres::{Class, Trouble, describe};

const PATIENCE: Duration = Duration::from_secs(60);

async fn start() -> (Stack, DatabaseSettings) {
    let stack = Stack::start(StackOptions::new().servers(&[ServerKind::Timescale])).await.unwrap();
    let settings = DatabaseSettings { url: stack.database_url(), ..DatabaseSettings::default() };
    (stack, settings)
}

async fn trouble(client: &Client, sql: &str) -> (Trouble, Class, String) {
    let error = client.batch_execute(sql).await.unwrap_err();
    (Trouble::of(&error), Class::of(&error), describe(&error))
}

#[tokio::test]
async fn what_the_server_refuses_is_told_apart() {
    let (_stack, settings) = start().await;
    let client = settings.connect("test").await.unwrap();
    let tables = "CREATE TABLE t (id int PRIMARY KEY, name text NOT NULL, n int CHECK (n > 0)); \
        INSERT INTO t VALUES (1, 'a', 1); CREATE ROLE nobody";
    client.batch_execute(tables).await.unwrap();
    for (sql, expected, class) in [
        ("INSERT INTO t VALUES (1, 'b', 1)", Trouble::Duplicate, Class::Stop),
        ("INSERT INTO t VALUES (2, NULL, 1)", Trouble::Value, Class::Data),
        ("INSERT INTO t VALUES (2, 'b', 0)", Trouble::Value, Class::Data),
        ("INSERT INTO t VALUES (3000000000, 'b', 1)", Trouble::Value, Class::Data),
        ("SELECT 'x'::int", Trouble::Value, Class::Data),
        ("SELECT 1 / 0", Trouble::Value, Class::Data),
        ("SELECT * FROM missing", Trouble::Schema, Class::Stop),
        ("SELECT missing FROM t", Trouble::Schema, Class::Stop),
        ("SELECT missing(1)", Trouble::Schema, Class::Stop),
        ("SELECT NULL::missing", Trouble::Schema, Class::Stop),
        ("SELECT * FROM missing.t", Trouble::Schema, Class::Stop),
        ("SET ROLE nobody; SELECT * FROM t", Trouble::Grant, Class::Stop),
        (
            "RESET ROLE; SET statement_timeout = '50ms'; SELECT pg_sleep(5)",
            Trouble::Cancelled,
            Class::Cancelled,
        ),
        ("RESET statement_timeout; BEGIN READ ONLY; DELETE FROM t", Trouble::ReadOnly, Class::Transient),
    ] {
        let (trouble, of, text) = trouble(&client, sql).await;
        assert_eq!((trouble, of), (expected, class), "{sql}: {text}");
        assert!(text.contains("SQLSTATE "), "{sql}: {text}");
    }
}

#[tokio::test]
async fn a_refused_row_is_named_by_the_servers_words() {
    let (_stack, settings) = start().await;
    let client = settings.connect("test").await.unwrap();
    client.batch_execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)").await.unwrap();
    let (_, _, text) = trouble(&client, "INSERT INTO t VALUES (1)").await;
    for part in ["duplicate key", "Key (id)=(1) already exists", "SQLSTATE 23505"] {
        assert!(text.contains(part), "{text}");
    }
    let (_, _, text) = trouble(&client, "SELECT idd FROM t").await;
    assert!(text.contains("hint: ") && text.contains("t.id"), "{text}");
}

/// A lock that is not given, and two transactions that can't both be: both pass by themselves.
#[tokio::test]
async fn locks_and_races_pass() {
    let (_stack, settings) = start().await;
    let (first, second) =
        (settings.connect("first").await.unwrap(), settings.connect("second").await.unwrap());
    first
        .batch_execute("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 0)")
        .await
        .unwrap();
    first.batch_execute("BEGIN; UPDATE t SET n = 1").await.unwrap();
    let (locked, class, text) = trouble(&second, "SET lock_timeout = '50ms'; UPDATE t SET n = 2").await;
    assert_eq!((locked, class), (Trouble::Locked, Class::Transient), "{text}");
    second
        .batch_execute("RESET lock_timeout; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM t")
        .await
        .unwrap();
    first.batch_execute("COMMIT").await.unwrap();
    let (race, class, text) = trouble(&second, "UPDATE t SET n = 2").await;
    assert_eq!((race, class), (Trouble::Race, Class::Transient), "{text}");
}

/// The server ends a session, and then itself: to both the answer is to connect again.
#[tokio::test]
async fn a_connection_that_is_ended_is_connected_again() {
    let (stack, settings) = start().await;
    let (ended, other) = (settings.connect("ended").await.unwrap(), settings.connect("other").await.unwrap());
    let pid: i32 = ended.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    other.execute("SELECT pg_terminate_backend($1)", &[&pid]).await.unwrap();
    let gone = poll_until("the end of the session", PATIENCE, Duration::from_millis(20), async || {
        Ok(ended.batch_execute("SELECT 1").await.err())
    });
    let error = gone.await.unwrap();
    assert_eq!(Class::of(&error), Class::Transient, "{}", describe(&error));
    stack.timescale().kill().await.unwrap();
    let error = other.batch_execute("SELECT 1").await.unwrap_err();
    assert_eq!((Trouble::of(&error), Class::of(&error)), (Trouble::Connection, Class::Transient));
    let error = settings.connect("again").await.unwrap_err().to_string();
    assert!(
        error.contains("cannot connect to the database wattline on 127.0.0.1")
            && error.contains("is the server running"),
        "{error}"
    );
    stack.timescale().start().await.unwrap();
    stack.timescale().wait_ready().await.unwrap();
    settings.connect("again").await.unwrap();
}

#[tokio::test]
async fn who_may_not_connect_is_told_why() {
    let (stack, settings) = start().await;
    let admin = settings.connect("admin").await.unwrap();
    for sql in ["CREATE DATABASE narrow CONNECTION LIMIT 0", "CREATE ROLE guest LOGIN"] {
        admin.batch_execute(sql).await.unwrap();
    }
    let told = async |url: String| {
        let settings = DatabaseSettings { url, ..DatabaseSettings::default() };
        settings.connect("test").await.unwrap_err().to_string()
    };
    let missing = told(stack.database_url_of("missing", "postgres")).await;
    assert!(
        missing.contains("\"missing\" does not exist") && missing.contains("create the database"),
        "{missing}"
    );
    let unknown = told(stack.database_url_of("narrow", "stranger")).await;
    assert!(unknown.contains("stranger") && unknown.contains("database.password_file"), "{unknown}");
    let full = told(stack.database_url_of("narrow", "guest")).await;
    assert!(full.contains("too many connections") && full.contains("max_connections"), "{full}");
}

#[tokio::test]
async fn a_pool_is_bounded_and_says_whom_it_is_for() {
    let (_stack, settings) = start().await;
    let settings = DatabaseSettings { connect_timeout_ms: 2_000, ..settings };
    let pool = settings.pool("pooled", 2).unwrap();
    let (first, second) = (pool.get().await.unwrap(), pool.get().await.unwrap());
    let query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pooled'";
    let count: i64 = first.query_one(query, &[]).await.unwrap().get(0);
    assert_eq!(count, 2);
    assert!(pool.get().await.is_err(), "a third one waits, and not for ever");
    drop(second);
    let third = pool.get().await.unwrap();
    let count: i64 = third.query_one(query, &[]).await.unwrap().get(0);
    assert_eq!(count, 2, "given back and given again");
}
