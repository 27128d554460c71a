//! Brokers that do what Mosquitto doesn't: a peer of this test's own plays them, packet by packet.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use parking_lot::Mutex;
use rumqttc::mqttbytes::QoS;
use rumqttc::{
    ConnAck, ConnAckProperties, ConnectReturnCode, Disconnect, DisconnectReasonCode, Packet, SubAck,
    SubscribeReasonCode,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::fixture::{Ingest, World, quiet};

/// What the broker answers to a SUBSCRIBE that has a canary's filter, and to any other.
type Answer = fn(canary: bool, granted: Packet) -> Vec<Packet>;

/// A broker that has the session of every client.
struct OddBroker {
    url: String,
    /// The filters of each SUBSCRIBE that came.
    asked: Arc<Mutex<Vec<Vec<String>>>>,
}

impl OddBroker {
    async fn start(answer: Answer) -> Self {
        Self::start_with(None, answer).await
    }

    /// One that says how long it keeps a session.
    async fn start_with(session_expiry_s: Option<u32>, answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("mqtt://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, session_expiry_s, answer, Arc::clone(&seen)));
            }
        });
        Self { url, asked }
    }
}

async fn serve(
    mut client: TcpStream,
    session_expiry_s: Option<u32>,
    answer: Answer,
    asked: Arc<Mutex<Vec<Vec<String>>>>,
) {
    let mut input = BytesMut::new();
    let mut output = BytesMut::new();
    while client.read_buf(&mut input).await.is_ok_and(|count| count > 0) {
        while let Ok(packet) = Packet::read(&mut input, None) {
            for reply in replies(packet, session_expiry_s, answer, &asked) {
                reply.write(&mut output, None).unwrap();
                if client.write_all_buf(&mut output).await.is_err() || matches!(reply, Packet::Disconnect(_))
                {
                    return;
                }
            }
        }
    }
}

fn replies(
    packet: Packet,
    session_expiry_s: Option<u32>,
    answer: Answer,
    asked: &Mutex<Vec<Vec<String>>>,
) -> Vec<Packet> {
    match packet {
        Packet::Connect(..) => {
            let code = ConnectReturnCode::Success;
            let properties = session_expiry_s.map(keeps_for);
            vec![Packet::ConnAck(ConnAck { session_present: true, code, properties })]
        }
        Packet::Subscribe(subscribe) => {
            let filters: Vec<String> = subscribe.filters.into_iter().map(|filter| filter.path).collect();
            let canary = filters.iter().any(|filter| filter.starts_with("wattline-canary/"));
            let return_codes = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce); filters.len()];
            asked.lock().push(filters);
            answer(canary, Packet::SubAck(SubAck { pkid: subscribe.pkid, return_codes, properties: None }))
        }
        Packet::PingReq => vec![Packet::PingResp],
        _ => Vec::new(),
    }
}

/// Granted less than asked, what waits is lost with each connection that lasts too short: somebody must be able to see it.
#[tokio::test(flavor = "multi_thread")]
async fn how_long_the_broker_keeps_the_session_is_shown() {
    let world = quiet("odd-expiry").await;
    for (granted_s, shown) in [(None, 3600), (Some(0), 0), (Some(60), 60)] {
        let broker = OddBroker::start_with(granted_s, |_, granted| vec![granted]).await;
        let ingest = begin(&world, &broker);
        ingest.until("ready", || ingest.context.ready.is_ready()).await;
        assert_eq!(ingest.sum("session_expiry_seconds"), shown);
        ingest.kill().await;
    }
}

fn keeps_for(session_expiry_s: u32) -> ConnAckProperties {
    ConnAckProperties {
        session_expiry_interval: Some(session_expiry_s),
        receive_max: None,
        max_qos: None,
        retain_available: None,
        max_packet_size: None,
        assigned_client_identifier: None,
        topic_alias_max: None,
        reason_string: None,
        user_properties: Vec::new(),
        wildcard_subscription_available: None,
        subscription_identifiers_available: None,
        shared_subscription_available: None,
        server_keep_alive: None,
        response_information: None,
        server_reference: None,
        authentication_method: None,
        authentication_data: None,
    }
}

fn begin(world: &World, broker: &OddBroker) -> Ingest {
    let mut config = world.config();
    config.mqtt.url.clone_from(&broker.url);
    Ingest::begin(config)
}

/// A client that keeps a request without an answer, and sends it first on each connection that resumes the session, sends
/// the forbidden filter for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_ends_the_connection_for_a_canary_is_connected_to_without() {
    let world = quiet("odd-canary").await;
    let broker = OddBroker::start(|canary, granted| {
        let ended = Packet::Disconnect(Disconnect::new(DisconnectReasonCode::NotAuthorized));
        vec![if canary { ended } else { granted }]
    })
    .await;
    let ingest = begin(&world, &broker);
    ingest.until("ready", || ingest.context.ready.is_ready()).await;
    let asked = broker.asked.lock().clone();
    let canaries = asked.iter().filter(|filters| filters.len() == 2).count();
    assert_eq!((canaries, asked.len()), (1, 2), "{asked:?}");
    assert_eq!(ingest.sum_of("connections_lost_total", "cause", "forbidden"), 1, "{}", ingest.door());
    ingest.kill().await;
}

/// Artemis deletes, with all that waits there for the group, the queue of each SUBSCRIBE that it finds behind a connection's end.
#[tokio::test(flavor = "multi_thread")]
async fn one_subscribe_at_a_time_waits_for_its_answer() {
    let world = quiet("odd-subscribe").await;
    // Each is a SUBSCRIBE of its own, because they overlap; and one more for the canaries.
    let overlapping = ["a/+", "+/b", "#"].map(str::to_owned).to_vec();
    for (answer, asked_for) in [((|_, _| Vec::new()) as Answer, 1), (|_, granted| vec![granted], 4)] {
        let broker = OddBroker::start(answer).await;
        let mut config = world.config();
        config.mqtt.url.clone_from(&broker.url);
        config.mqtt.filters.clone_from(&overlapping);
        config.mqtt.keep_alive_s = 60;
        let ingest = Ingest::begin(config);
        ingest.until("the SUBSCRIBEs", || broker.asked.lock().len() >= asked_for).await;
        // What would be sent at once would be there by now.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(broker.asked.lock().len(), asked_for, "{:?}", broker.asked.lock());
        assert_eq!(ingest.context.ready.is_ready(), asked_for == 4);
        ingest.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_mqtt_is_named_and_the_connection_given_up() {
    let world = quiet("odd-words").await;
    for (answer, words) in [
        // A second CONNACK.
        (
            (|_, _| {
                let code = ConnectReturnCode::Success;
                vec![Packet::ConnAck(ConnAck { session_present: true, code, properties: None })]
            }) as Answer,
            "a second CONNACK",
        ),
        // An answer with fewer codes than filters.
        (
            |_, granted| {
                let Packet::SubAck(mut granted) = granted else { return Vec::new() };
                granted.return_codes.pop();
                vec![Packet::SubAck(granted)]
            },
            "its answer to SUBSCRIBE doesn't fit",
        ),
    ] {
        let broker = OddBroker::start(answer).await;
        let ingest = begin(&world, &broker);
        let named = || ingest.missing().contains(words);
        ingest.until(words, named).await;
        assert!(ingest.sum_of("connections_lost_total", "cause", "protocol") > 0, "{}", ingest.door());
        ingest.kill().await;
    }
}
