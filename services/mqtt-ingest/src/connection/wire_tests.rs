//! The loop over the codec, against a peer over a pair of sockets: what a well-behaved broker never does.

use std::sync::Arc;

use rumqttc::{Connect, ConnectAuth, PubAck, Publish, QoS};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::*;

const PACKET_BYTES_MAX: u32 = 1000;
const CONNACK: &[u8] = &[0x20, 3, 0, 0, 0];
const PATIENCE: Duration = Duration::from_secs(10);

fn connect() -> Packet {
    let client_id = "x".to_owned();
    let connect = Connect { keep_alive: 60, client_id, clean_start: false, properties: None };
    Packet::Connect(connect, None, ConnectAuth::None)
}

/// What comes of opening a connection to a peer that answers so.
async fn answered(answer: &[u8]) -> Result<(Wire, ConnAck), Broken> {
    let (ours, mut peer) = UnixStream::pair().unwrap();
    peer.write_all(answer).await.unwrap();
    let opened = Wire::open(Box::new(ours), &connect(), Duration::from_secs(60), PACKET_BYTES_MAX).await;
    if opened.is_ok() {
        // The CONNECT is all that was written.
        let mut sent = [0; 100];
        let count = peer.read(&mut sent).await.unwrap();
        assert_eq!((sent[0], usize::from(sent[1]) + 2), (0x10, count));
    }
    opened
}

/// An open connection and its peer.
async fn open(keep_alive: Duration) -> (Wire, Arc<Outbox>, UnixStream) {
    let (ours, mut peer) = UnixStream::pair().unwrap();
    peer.write_all(CONNACK).await.unwrap();
    let (wire, _) = Wire::open(Box::new(ours), &connect(), keep_alive, PACKET_BYTES_MAX).await.unwrap();
    let mut sent = [0; 100];
    let _ = peer.read(&mut sent).await.unwrap();
    let outbox = Arc::new(Outbox::new(4 * 100_000));
    outbox.open(None);
    (wire, outbox, peer)
}

fn message(pkid: u16, payload: &[u8]) -> Vec<u8> {
    let mut publish = Publish::new("a/b", QoS::AtLeastOnce, payload.to_vec(), None);
    publish.pkid = pkid;
    let mut bytes = BytesMut::new();
    publish.write(&mut bytes).unwrap();
    bytes.to_vec()
}

async fn next(wire: &mut Wire, outbox: &Outbox) -> Result<Packet, Broken> {
    tokio::time::timeout(PATIENCE, wire.next(outbox)).await.expect("an end in time")
}

#[tokio::test]
async fn a_connection_stands_with_the_answer_to_its_connect_and_with_nothing_else() {
    let (_, accepted) = answered(CONNACK).await.unwrap();
    assert!(!accepted.session_present);
    assert!(matches!(
        answered(&[0x20, 3, 0, 0x86, 0]).await,
        Err(Broken::Refused(ConnectReturnCode::BadUserNamePassword))
    ));
    // AUTH: continue authentication.
    assert!(matches!(answered(&[0xf0, 2, 0x18, 0]).await, Err(Broken::Unexpected(_))));
    assert!(matches!(answered(&message(1, b"{}")).await, Err(Broken::Unexpected(_))));
    assert!(matches!(answered(&[0xe0, 2, 0x87, 0]).await, Err(Broken::Ended(_))), "DISCONNECT");
    // What speaks TLS answers with an alert.
    assert!(matches!(answered(&[0x15, 3, 3, 0, 2, 2, 70]).await, Err(Broken::Malformed(_))));
    let (ours, peer) = UnixStream::pair().unwrap();
    drop(peer);
    let opened = Wire::open(Box::new(ours), &connect(), PATIENCE, PACKET_BYTES_MAX).await;
    assert!(matches!(opened, Err(Broken::Closed | Broken::Io(_))));
}

#[tokio::test]
async fn packets_are_whole_however_the_bytes_come() {
    let (mut wire, outbox, mut peer) = open(PATIENCE).await;
    let packets: Vec<Vec<u8>> =
        (1..=50).map(|pkid| message(pkid, &vec![b'x'; usize::from(pkid) * 17])).collect();
    let stream = packets.concat();
    let writing = tokio::spawn(async move {
        for (index, piece) in stream.chunks(7).enumerate() {
            peer.write_all(piece).await.unwrap();
            if index % 5 == 0 {
                tokio::task::yield_now().await;
            }
        }
        peer
    });
    for pkid in 1..=50 {
        let Packet::Publish(publish) = next(&mut wire, &outbox).await.unwrap() else { panic!("a message") };
        assert_eq!((publish.pkid, publish.payload.len()), (pkid, usize::from(pkid) * 17));
    }
    drop(writing.await.unwrap());
    assert!(matches!(next(&mut wire, &outbox).await, Err(Broken::Closed)));
}

#[tokio::test]
async fn what_is_malformed_or_too_large_ends_the_connection_with_its_reason() {
    for (bytes, words) in [
        (message(1, &[b'x'; 1000]), "1000"),
        // Of a large packet its head is enough.
        (vec![0x30, 0xff, 0xff, 0xff, 0x7f], "exceeded"),
        (vec![0x30, 0xff, 0xff, 0xff, 0xff, 0xff], "length"),
        // Reserved: packet type 0; QoS 3; a packet id of 0; a topic that is no UTF-8.
        (vec![0x00, 0], "type"),
        (vec![0x36, 5, 0, 1, b'a', 0, 1], "malformed"),
        (vec![0x32, 6, 0, 1, b'a', 0, 0, 0], "Zero"),
        (vec![0x32, 7, 0, 2, 0xc3, 0x28, 0, 1, 0], "utf-8"),
        // The topic says that it is longer than its packet.
        (vec![0x30, 4, 0, 99, b'a', 0], "oundary"),
    ] {
        let (mut wire, outbox, mut peer) = open(PATIENCE).await;
        peer.write_all(&bytes).await.unwrap();
        let broken = next(&mut wire, &outbox).await.unwrap_err();
        assert!(matches!(broken, Broken::Malformed(_)), "{bytes:x?}: {broken:?}");
        assert!(broken.to_string().contains(words), "{bytes:x?}: {broken}");
    }
}

#[tokio::test]
async fn acks_of_one_moment_leave_together_and_before_what_is_asked_behind_them() {
    let (mut wire, outbox, mut peer) = open(PATIENCE).await;
    let waiting = tokio::spawn({
        let outbox = Arc::clone(&outbox);
        async move { (wire.next(&outbox).await.is_err(), wire) }
    });
    tokio::task::yield_now().await;
    for pkid in 1..=1000 {
        assert!(outbox.acknowledge(pkid));
    }
    outbox.unsubscribe(vec!["farewell".to_owned()]).unwrap();
    let mut bytes = BytesMut::with_capacity(64 * 1024);
    let mut reads = 0;
    while bytes.len() < 4 * 1000 + 15 {
        peer.read_buf(&mut bytes).await.unwrap();
        reads += 1;
    }
    assert_eq!(reads, 1, "one write");
    for pkid in 1..=1000 {
        let ack = Packet::read(&mut bytes, None).unwrap();
        assert_eq!(ack, Packet::PubAck(PubAck::new(pkid, None)));
    }
    assert!(matches!(Packet::read(&mut bytes, None).unwrap(), Packet::Unsubscribe(_)));
    drop(peer);
    assert!(waiting.await.unwrap().0, "closed");
}

/// A broker that is busy sending reads nothing: its messages must be taken all the same, or both wait for ever.
#[tokio::test]
async fn a_peer_that_reads_nothing_does_not_stop_what_it_sends() {
    let (mut wire, outbox, mut peer) = open(PATIENCE).await;
    for _ in 0..10 {
        for pkid in 1..=10_000 {
            assert!(outbox.acknowledge(pkid));
        }
    }
    assert!(!outbox.acknowledge(1), "as many as it may hold");
    for pkid in 1..=2000 {
        peer.write_all(&message(pkid, &[b'x'; 500])).await.unwrap();
        assert!(matches!(next(&mut wire, &outbox).await.unwrap(), Packet::Publish(_)));
    }
    assert!(outbox.acknowledge(7), "what the stream did not take waits in the connection");
    let reading = tokio::spawn(async move {
        let mut bytes = Vec::new();
        peer.read_to_end(&mut bytes).await.unwrap();
        bytes
    });
    wire.close(&outbox).await.unwrap();
    let bytes = reading.await.unwrap();
    assert_eq!(bytes.len(), 4 * 100_001 + 2, "every ack, and the DISCONNECT");
    assert_eq!(bytes[bytes.len() - 6..], [0x40, 2, 0, 7, 0xe0, 0]);
}

#[tokio::test]
async fn a_silent_peer_is_asked_and_given_up_although_it_is_written_to() {
    let (mut wire, outbox, mut peer) = open(Duration::from_secs(1)).await;
    let begin = std::time::Instant::now();
    let singing = tokio::spawn({
        let outbox = Arc::clone(&outbox);
        async move {
            while outbox.publish("canary", "song", false).is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    });
    let reading = tokio::spawn(async move {
        let mut bytes = BytesMut::new();
        let mut pings = 0;
        while peer.read_buf(&mut bytes).await.unwrap() > 0 {
            while let Ok(packet) = Packet::read(&mut bytes, None) {
                pings += u32::from(packet == Packet::PingReq);
            }
        }
        pings
    });
    let broken = next(&mut wire, &outbox).await.unwrap_err();
    assert!(matches!(broken, Broken::Silent(_)), "{broken:?}");
    assert!(begin.elapsed() >= Duration::from_millis(1500));
    outbox.close();
    drop(wire);
    singing.await.unwrap();
    assert_eq!(reading.await.unwrap(), 1);
}

#[tokio::test]
async fn a_peer_that_answers_pings_is_kept() {
    let (mut wire, outbox, mut peer) = open(Duration::from_millis(400)).await;
    let answering = tokio::spawn(async move {
        let mut bytes = BytesMut::new();
        for _ in 0..5 {
            while !matches!(Packet::read(&mut bytes, None), Ok(Packet::PingReq)) {
                peer.read_buf(&mut bytes).await.unwrap();
            }
            peer.write_all(&[0xd0, 0]).await.unwrap();
        }
    });
    for _ in 0..5 {
        assert_eq!(next(&mut wire, &outbox).await.unwrap(), Packet::PingResp);
    }
    answering.await.unwrap();
    assert!(next(&mut wire, &outbox).await.is_err(), "the peer is gone");
}

/// A broker that ends a connection says why, and closes it; what this side writes in the meantime fails.
#[tokio::test]
async fn the_reason_is_read_although_writing_fails() {
    let (mut wire, outbox, mut peer) = open(PATIENCE).await;
    peer.write_all(&[0xe0, 2, 0x8e, 0]).await.unwrap();
    drop(peer);
    assert!(outbox.acknowledge(1));
    let Packet::Disconnect(ended) = next(&mut wire, &outbox).await.unwrap() else { panic!("a DISCONNECT") };
    assert_eq!(ended.reason_code, DisconnectReasonCode::SessionTakenOver);
}
