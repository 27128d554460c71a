//! Publishes one reading as a meter would and waits until the API answers with it: the whole path, once. This is what
//! `helm test` runs.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rumqttc::mqttbytes::QoS;
use rumqttc::{
    AsyncClient, Broker, Event, EventLoop, MqttOptions, Packet, PublishOptions, TlsConfiguration, Transport,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};
use wattline_reading::Timestamp;
use wattline_service::mqtt::{BrokerAddress, tls_configuration};
use wattline_service::secret;

const METER: &str = "wattline-smoke-test";
const POLL_EVERY: Duration = Duration::from_millis(500);

/// What is asked, and of whom.
#[derive(clap::Args, Clone, Debug)]
pub struct Arguments {
    /// The broker, `mqtt://host:1883` or `mqtts://host:8883`.
    #[arg(long)]
    pub mqtt_url: String,
    /// A user that may publish.
    #[arg(long, default_value = "")]
    pub mqtt_username: String,
    /// File that holds its password.
    #[arg(long)]
    pub mqtt_password_file: Option<PathBuf>,
    /// Authorities that sign the broker's certificate (PEM).
    #[arg(long)]
    pub mqtt_ca_file: Option<PathBuf>,
    /// Topic that leads to the decoder `wattline-json`.
    #[arg(long, default_value = "wattline/{meter}/reading", value_name = "TOPIC")]
    pub topic: String,
    /// The API, `http://host:9400/graphql`, as reached inside of the installation: without TLS.
    #[arg(long)]
    pub graphql_url: String,
    /// File that holds the API's token.
    #[arg(long)]
    pub token_file: Option<PathBuf>,
    /// How long the reading may take, in s.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub wait_s: u64,
}

/// Runs it; gives the time from the broker's acknowledgement to the answer.
///
/// # Errors
/// Where the broker doesn't take the reading, or the API doesn't have it in time: the text says where it stopped.
pub async fn smoke(arguments: &Arguments) -> anyhow::Result<Duration> {
    let deadline = Instant::now() + Duration::from_secs(arguments.wait_s);
    let sent = Timestamp::now();
    let payload = json!({ "ts": sent.to_chrono().to_rfc3339(), "power_w": 1.0 }).to_string();
    publish_until(arguments, &payload, deadline).await?;
    let acknowledged = Instant::now();
    let client = reqwest::Client::new();
    let mut last = "it never answered".to_owned();
    while Instant::now() < deadline {
        match timeout_at(deadline, newest(&client, arguments)).await {
            Ok(Ok(Some(newest))) if newest >= sent => return Ok(acknowledged.elapsed()),
            Ok(Ok(Some(_))) => "it has an older reading only".clone_into(&mut last),
            Ok(Ok(None)) => "it has no such meter yet".clone_into(&mut last),
            Ok(Err(error)) => last = format!("{error:#}"),
            Err(_) => break,
        }
        sleep(POLL_EVERY).await;
    }
    bail!(
        "the broker has the reading of {METER}, but {} did not answer with it within {} s ({last}): look at /readyz of \
         mqtt-ingest, timescale-sink and query-api, in this order",
        arguments.graphql_url,
        arguments.wait_s
    )
}

/// Tries until the broker has taken it: after an installation mqtt-ingest may not have subscribed yet, and then nobody
/// would get the reading.
async fn publish_until(arguments: &Arguments, payload: &str, deadline: Instant) -> anyhow::Result<()> {
    loop {
        let Ok(attempt) = timeout_at(deadline, publish(arguments, payload)).await else {
            bail!("the broker {} took no reading within {} s", arguments.mqtt_url, arguments.wait_s);
        };
        match attempt {
            Err(error) if Instant::now() + POLL_EVERY >= deadline => return Err(error),
            Err(_) => sleep(POLL_EVERY).await,
            Ok(()) => return Ok(()),
        }
    }
}

async fn publish(arguments: &Arguments, payload: &str) -> anyhow::Result<()> {
    let BrokerAddress { host, port, tls } = BrokerAddress::parse(&arguments.mqtt_url)?;
    // A client id of its own: two runs at once must not throw each other out.
    let client_id = format!("{METER}-{}", std::process::id());
    let mut options = MqttOptions::new(client_id, Broker::tcp(host, port));
    if let Some(file) = &arguments.mqtt_password_file {
        let password = secret::read(file, "--mqtt-password-file")?;
        options.set_credentials(arguments.mqtt_username.clone(), password);
    }
    if tls {
        let tls = TlsConfiguration::Rustls(tls_configuration(arguments.mqtt_ca_file.as_deref(), None)?);
        options.set_transport(Transport::tls_with_config(tls));
    }
    let (client, mut events) = AsyncClient::builder(options).capacity(16).build();
    let topic = arguments.topic.replace("{meter}", METER);
    client
        .publish(topic, payload.to_owned(), PublishOptions::new(QoS::AtLeastOnce))
        .await
        .context("cannot ask the MQTT client to publish")?;
    acknowledged(&mut events).await
}

async fn acknowledged(events: &mut EventLoop) -> anyhow::Result<()> {
    loop {
        let event = events.poll().await.context("the broker refuses, or can't be reached")?;
        if let Event::Incoming(Packet::PubAck(ack)) = event {
            return match ack.reason {
                rumqttc::PubAckReason::Success => Ok(()),
                // A session that is absent still counts as a subscriber: nobody has ever subscribed.
                reason => bail!(
                    "the broker answers the reading with {reason:?}: has mqtt-ingest ever connected to it?"
                ),
            };
        }
    }
}

/// The time of the meter's newest stored reading; `None` where the meter is unknown or has none.
async fn newest(client: &reqwest::Client, arguments: &Arguments) -> anyhow::Result<Option<Timestamp>> {
    let query = format!("{{ meter(id: \"{METER}\") {{ latest {{ ts }} }} }}");
    let mut request = client.post(&arguments.graphql_url).timeout(Duration::from_secs(10));
    if let Some(file) = &arguments.token_file {
        request = request.bearer_auth(secret::read(file, "--token-file")?);
    }
    let response =
        request.json(&json!({ "query": query })).send().await.context("the API can't be reached")?;
    let status = response.status();
    ensure!(status.is_success(), "the API answers {status}");
    let answer: Value = response.json().await.context("the API's answer is no JSON")?;
    if let Some(error) = answer.pointer("/errors/0/message").and_then(Value::as_str) {
        bail!("the API answers: {error}");
    }
    let ts = answer.pointer("/data/meter/latest/ts").and_then(Value::as_str);
    Ok(ts.and_then(Timestamp::parse_rfc3339))
}
