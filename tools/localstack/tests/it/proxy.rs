//! The proxy's behaviours, with a server that echoes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wattline_localstack::Proxy;

use crate::clients::PATIENCE;

/// Long enough for anything that is going to come, on a busy machine most of the time; too short a wait can only
/// let a test pass, never fail.
const SILENCE: Duration = Duration::from_millis(500);

async fn echo_behind_proxy() -> (Proxy, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    (Proxy::start(address).await.unwrap(), address)
}

async fn echoed(stream: &mut TcpStream, text: &str) -> std::io::Result<()> {
    stream.write_all(text.as_bytes()).await?;
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer).await?;
    assert_eq!(answer, text.as_bytes());
    Ok(())
}

#[tokio::test]
async fn passes_everything_on_also_the_end_of_the_stream() {
    let (proxy, _) = echo_behind_proxy().await;
    let stream = TcpStream::connect(proxy.addr()).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let sent: Vec<u8> = (0..5_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let sending = sent.clone();
    tokio::spawn(async move {
        write.write_all(&sending).await.unwrap();
        write.shutdown().await.unwrap();
    });
    let mut received = Vec::new();
    read.read_to_end(&mut received).await.unwrap();
    assert!(received == sent, "{} of {} bytes came back", received.len(), sent.len());
}

#[tokio::test]
async fn cut_resets_connections_and_refuses_new_ones_until_restored() {
    let (proxy, _) = echo_behind_proxy().await;
    let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
    echoed(&mut stream, "before").await.unwrap();

    proxy.cut();
    let error = tokio::time::timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let error = TcpStream::connect(proxy.addr()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);

    proxy.restore();
    let mut stream = reconnect(&proxy).await;
    echoed(&mut stream, "after").await.unwrap();
}

#[tokio::test]
async fn a_blackhole_holds_back_everything_and_loses_nothing() {
    let (proxy, _) = echo_behind_proxy().await;
    let mut old = TcpStream::connect(proxy.addr()).await.unwrap();
    echoed(&mut old, "before").await.unwrap();

    proxy.blackhole();
    let mut new = TcpStream::connect(proxy.addr()).await.unwrap();
    for stream in [&mut old, &mut new] {
        stream.write_all(b"held").await.unwrap();
        assert!(tokio::time::timeout(SILENCE, stream.read_u8()).await.is_err(), "something came through");
    }

    proxy.restore();
    for stream in [&mut old, &mut new] {
        let mut answer = [0; 4];
        tokio::time::timeout(PATIENCE, stream.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(&answer, b"held");
    }
}

#[tokio::test]
async fn a_delay_holds_in_each_direction_and_does_not_throttle() {
    const DELAY: Duration = Duration::from_millis(200);
    let (proxy, _) = echo_behind_proxy().await;
    proxy.delay(DELAY);
    let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
    let began = Instant::now();
    echoed(&mut stream, "slow").await.unwrap();
    assert!(began.elapsed() >= 2 * DELAY);

    proxy.restore();
    echoed(&mut stream, "fast").await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_away_resets_its_clients() {
    let vacant = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let proxy = Proxy::start(vacant).await.unwrap();
    let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
    assert!(tokio::time::timeout(PATIENCE, stream.read_u8()).await.unwrap().is_err());
}

/// Restoring takes effect a moment after the call.
async fn reconnect(proxy: &Proxy) -> TcpStream {
    let connect = async {
        loop {
            match TcpStream::connect(proxy.addr()).await {
                Ok(stream) => return stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, connect).await.unwrap()
}
