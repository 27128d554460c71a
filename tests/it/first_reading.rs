//! Promise: the command that the page shows where there is no meter yet sends a first reading, as it is written.

use serde_json::json;
use tokio::process::Command;
use wattline_localstack::ServiceKind;

use crate::fixture::{assert_ok, system};

/// What stands in the page as a command.
fn command(page: &str) -> &str {
    let begun = page.split_once("id=\"first-reading\">").expect("the page has a command").1;
    begun.split_once("</code>").expect("it ends").0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_s_command_sends_a_reading() {
    let exclusive = system().await;
    let system = &exclusive.system;
    assert_ok(system.add(ServiceKind::QueryApi));
    assert_ok(system.wait_ready().await);
    let server = format!("http://{}", assert_ok(system.stack.http_address()));
    let page = reqwest::get(&server).await.expect("the page").text().await.expect("its text");

    // The broker of a test has no usual port: curl is told where that one leads to, the command stays as it is.
    let home = tempfile::tempdir().expect("a folder");
    let broker = system.stack.mqtt_url().replace("mqtt://", "");
    let usual = format!("connect-to = \"127.0.0.1:1883:{broker}\"\n");
    std::fs::write(home.path().join(".curlrc"), usual).expect("a file");
    let mut shell = Command::new("sh");
    let output =
        shell.arg("-c").arg(command(&page)).env("CURL_HOME", home.path()).output().await.expect("sh runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let question = json!({"query": "{ meter(id: \"my-meter\") { latest { powerW } } }"});
    let stored = system.wait_for("the reading", async || {
        let answer = reqwest::Client::new().post(format!("{server}/graphql")).json(&question).send().await?;
        let answer: serde_json::Value = answer.json().await?;
        Ok(answer["data"]["meter"]["latest"]["powerW"] == 432.1)
    });
    assert_ok(stored.await);
    assert_ok(system.remove_last(ServiceKind::QueryApi).await);
}
