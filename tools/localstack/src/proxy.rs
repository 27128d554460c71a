//! A TCP proxy as a bad network: it can cut, swallow, delay and restore.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::ports::Port;

const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks on their way in one direction while there is a delay.
const CHUNKS_ON_THE_WAY: usize = 256;

/// What the network does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Passes everything on, so much later.
    Pass(Duration),
    /// Connections are reset, new ones refused.
    Cut,
    /// Connections stay open, new ones are accepted, and nothing comes through.
    Blackhole,
}

/// Listens on a port of its own and passes every connection on to one server.
///
/// It runs on a thread of its own until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: Port,
    mode: watch::Sender<Mode>,
}

impl Proxy {
    /// Starts it, passing everything on.
    pub async fn start(upstream: SocketAddr) -> Result<Self> {
        Self::start_blocking(upstream)
    }

    pub(crate) fn start_blocking(upstream: SocketAddr) -> Result<Self> {
        let port = Port::choose(None)?;
        let listener = std::net::TcpListener::bind(port.address()).context("cannot listen for the proxy")?;
        listener.set_nonblocking(true)?;
        let (mode, modes) = watch::channel(Mode::Pass(Duration::ZERO));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new()
            .name(format!("proxy-{}", port.number()))
            .spawn(move || {
                runtime.block_on(async {
                    if let Ok(listener) = TcpListener::from_std(listener) {
                        serve(listener, upstream, modes).await;
                    }
                });
            })
            .context("cannot start the proxy's thread")?;
        Ok(Self { port, mode })
    }

    /// Where to connect instead of the server itself.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.port.address()
    }

    /// Resets all connections and refuses new ones.
    pub fn cut(&self) {
        self.mode.send_replace(Mode::Cut);
    }

    /// Like a cable that was pulled: connections stay open, new ones are even accepted, and nothing arrives at either
    /// side. Bytes that were sent meanwhile arrive after [`Proxy::restore`], as TCP sends them again.
    pub fn blackhole(&self) {
        self.mode.send_replace(Mode::Blackhole);
    }

    /// Everything arrives so much later, in each direction.
    pub fn delay(&self, delay: Duration) {
        self.mode.send_replace(Mode::Pass(delay));
    }

    /// Passes everything on at once again.
    pub fn restore(&self) {
        self.mode.send_replace(Mode::Pass(Duration::ZERO));
    }
}

/// Accepts until the [`Proxy`] is dropped. In a cut there is no listener, so that clients are refused by the kernel.
async fn serve(listener: TcpListener, upstream: SocketAddr, mut modes: watch::Receiver<Mode>) {
    let Ok(address) = listener.local_addr() else {
        return;
    };
    let mut listening = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let cut = *modes.borrow_and_update() == Mode::Cut;
        if cut {
            listening = None;
            // They see the cut themselves.
            while connections.join_next().await.is_some() {}
        } else if listening.is_none() {
            listening = rebind(address).await;
        }
        tokio::select! {
            changed = modes.changed() => if changed.is_err() { return },
            Some(client) = accept(listening.as_ref()) => {
                connections.spawn(connection(client, upstream, modes.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> Option<TcpStream> {
    let (client, _) = listener?.accept().await.ok()?;
    Some(client)
}

/// The port is reserved, so only the end of our own last connections can be in the way for a moment.
async fn rebind(address: SocketAddr) -> Option<TcpListener> {
    for _ in 0..100 {
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, address.port())).await {
            return Some(listener);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    None
}

/// One client and its upstream connection, until both sides have finished, one has failed, or a cut.
async fn connection(mut client: TcpStream, upstream: SocketAddr, mut modes: watch::Receiver<Mode>) {
    let (mut gate, mut cuts) = (modes.clone(), modes.clone());
    let connected = tokio::select! {
        () = cut(&mut cuts) => None,
        server = async { passing(&mut gate).await; TcpStream::connect(upstream).await.ok() } => server,
    };
    let Some(mut server) = connected else {
        return reset(&client);
    };
    // Delays are the proxy's business, not the kernel's.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let clean = {
        let (client_read, client_write) = client.split();
        let (server_read, server_write) = server.split();
        let up = direction(client_read, server_write, modes.clone());
        let down = direction(server_read, client_write, modes.clone());
        tokio::select! {
            () = cut(&mut modes) => false,
            ended = async { tokio::try_join!(up, down) } => ended.is_ok(),
        }
    };
    if !clean {
        reset(&client);
        reset(&server);
    }
}

/// The coming drop sends RST: to the peer it looks like a crash and not like a goodbye.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

/// Passes on in one direction, each chunk not before its delay is over; the end of the stream too.
async fn direction(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut modes: watch::Receiver<Mode>,
) -> std::io::Result<()> {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(CHUNKS_ON_THE_WAY);
    let mut modes_of_writer = modes.clone();
    let read = async move {
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let delay = passing(&mut modes).await;
            let length = from.read(&mut buffer).await?;
            if length == 0 || sender.send((Instant::now() + delay, buffer[..length].to_vec())).await.is_err()
            {
                return Ok::<(), std::io::Error>(());
            }
        }
    };
    let write = async move {
        while let Some((due, chunk)) = receiver.recv().await {
            tokio::time::sleep_until(due).await;
            passing(&mut modes_of_writer).await;
            to.write_all(&chunk).await?;
        }
        passing(&mut modes_of_writer).await;
        to.shutdown().await
    };
    tokio::try_join!(read, write)?;
    Ok(())
}

/// Waits until the network passes something, and tells with which delay.
async fn passing(modes: &mut watch::Receiver<Mode>) -> Duration {
    match modes.wait_for(|mode| matches!(mode, Mode::Pass(_))).await.as_deref() {
        Ok(Mode::Pass(delay)) => *delay,
        // The proxy is being dropped, and this connection with it.
        Ok(Mode::Cut | Mode::Blackhole) | Err(_) => Duration::ZERO,
    }
}

/// Waits for a cut, or for the end of the proxy.
async fn cut(modes: &mut watch::Receiver<Mode>) {
    let _ = modes.wait_for(|mode| *mode == Mode::Cut).await;
}
