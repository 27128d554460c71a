//! A PostgreSQL that can't serve: without its extension, or with another password.

use std::fs;

use wattline_localstack::{ServerKind, ServiceKind, Stack, StackOptions};

use crate::fixture::{assert_ok, system};
use crate::stray::{Stray, assert_names};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_the_extension_is_told_from_one_that_is_not_migrated() {
    let options = StackOptions::new()
        .servers(&[ServerKind::Timescale])
        .database_setting("shared_preload_libraries", "pg_stat_statements");
    let stack = assert_ok(Stack::start(options).await);
    let error = wattlinectl::migrate::run(&stack.database_url()).await.unwrap_err();
    let words = ["installed but not loaded", "shared_preload_libraries", "pg_stat_statements", "restart"];
    assert_names(&format!("{error:#}"), &words);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_of_the_database_is_called_one() {
    let exclusive = system().await;
    let system = &exclusive.system;
    let client = assert_ok(assert_ok(system.target()).connect().await);
    let name = "asks_for_passwords";
    assert_ok(system.stack.create_database(name, None).await);
    let access: String = client.query_one("SHOW hba_file", &[]).await.unwrap().get(0);
    let others = fs::read_to_string(&access).unwrap();
    fs::write(&access, format!("host {name} all 127.0.0.1/32 scram-sha-256\n{others}")).unwrap();
    client.query_one("SELECT pg_reload_conf()", &[]).await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong");
    fs::write(&file, "guessed\n").unwrap();
    for (kind, role) in [
        (ServiceKind::TimescaleSink, "wattline_sink"),
        (ServiceKind::Aggregator, "wattline_aggregator"),
        (ServiceKind::QueryApi, "wattline_api"),
    ] {
        let mut settings = vec![
            ("WATTLINE__DATABASE__URL", system.stack.database_url_of(name, role)),
            ("WATTLINE__DATABASE__PASSWORD_FILE", file.display().to_string()),
        ];
        if kind != ServiceKind::QueryApi {
            // A group of its own: it takes nothing from those who work.
            settings.push(("WATTLINE__INPUT__GROUP", format!("bad-database-{kind}")));
        }
        let stray = Stray::start(system, kind, &settings);
        stray.says(&["28P01", role, "database.password_file"]).await;
        stray.is_alive_and_not_ready().await;
    }
    fs::write(&access, others).unwrap();
    client.query_one("SELECT pg_reload_conf()", &[]).await.unwrap();
    assert_ok(system.stack.drop_database(name).await);
}
