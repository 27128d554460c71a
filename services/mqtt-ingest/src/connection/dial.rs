//! From a URL to a connection that the broker has accepted.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::tokio_rustls::TlsConnector;
use rumqttc::{ConnAck, Packet};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;

use super::options::Options;
use super::wire::{Broken, Stream, Wire};

/// Connects as `options` say, or fails within their time.
pub(super) async fn dial(options: &Options) -> Result<(Wire, ConnAck), Broken> {
    let connecting = async {
        let stream = reach(options).await?;
        let connect = Packet::Connect(options.connect.clone(), None, options.auth.clone());
        let keep_alive = Duration::from_secs(u64::from(options.connect.keep_alive));
        Wire::open(stream, &connect, keep_alive, options.packet_bytes_max).await
    };
    tokio::time::timeout(options.timeout, connecting).await.unwrap_or(Err(Broken::Timeout))
}

async fn reach(options: &Options) -> Result<Box<dyn Stream>, Broken> {
    let tcp = TcpStream::connect((&*options.host, options.port)).await.map_err(Broken::Io)?;
    tcp.set_nodelay(true).map_err(Broken::Io)?;
    let Some(tls) = &options.tls else { return Ok(Box::new(tcp)) };
    let name = ServerName::try_from(options.host.clone()).map_err(|_| Broken::Name(options.host.clone()))?;
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await.map_err(Broken::Io)?;
    Ok(Box::new(stream))
}
