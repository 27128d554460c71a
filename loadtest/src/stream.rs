//! The bytes to and from a broker, by TCP or by TLS. Without TLS nothing lies between the publisher and its socket.

use std::fmt;
use std::future::pending;
use std::io;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, Error as TlsError};

/// A connection.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What a connection did.
pub(crate) enum Moved {
    /// So many bytes were taken for sending.
    Written(usize),
    /// So many bytes have come; 0: the other side has closed it.
    Read(usize),
}

/// Whom a client trusts, and whom it expects.
#[derive(Clone)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// The server's certificate is not trusted, or is another server's: no later try cures it.
#[derive(Debug)]
pub(crate) struct Untrusted(TlsError);

// === impl Stream ===

impl Stream {
    /// Connects; the address is looked up anew each time.
    ///
    /// # Errors
    /// Where nobody answers; an [`Untrusted`] where the server is not the one that is expected.
    pub(crate) async fn connect(address: &str, tls: Option<&Tls>) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true).context("setting TCP_NODELAY")?;
        let Some(tls) = tls else { return Ok(Self::Plain(stream)) };
        let connector = TlsConnector::from(Arc::clone(&tls.config));
        let stream = connector.connect(tls.name.clone(), stream).await.map_err(judge);
        Ok(Self::Tls(Box::new(stream.with_context(|| format!("TLS with {address}"))?)))
    }

    /// Whichever comes first: bytes for `incoming`, or that some of `outgoing` were taken. With nothing outgoing, what TLS
    /// still keeps is sent meanwhile. Dropped before its end, it has done neither.
    pub(crate) async fn exchange(&mut self, outgoing: &[u8], incoming: &mut Vec<u8>) -> io::Result<Moved> {
        match self {
            Self::Plain(stream) => {
                let (mut reader, mut writer) = stream.split();
                tokio::select! {
                    written = writer.write(outgoing), if !outgoing.is_empty() => written.map(Moved::Written),
                    read = reader.read_buf(incoming) => read.map(Moved::Read),
                }
            }
            Self::Tls(stream) => {
                let (mut reader, mut writer) = tokio::io::split(&mut **stream);
                tokio::select! {
                    written = write_or_flush(&mut writer, outgoing) => written.map(Moved::Written),
                    read = reader.read_buf(incoming) => read.map(Moved::Read),
                }
            }
        }
    }

    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await,
            Self::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
        }
    }

    pub(crate) async fn read_buf(&mut self, incoming: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read_buf(incoming).await,
            Self::Tls(stream) => stream.read_buf(incoming).await,
        }
    }

    pub(crate) async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.shutdown().await,
            Self::Tls(stream) => stream.shutdown().await,
        }
    }
}

/// Ends only where bytes were taken or sending fails.
async fn write_or_flush(writer: &mut (impl AsyncWrite + Unpin), outgoing: &[u8]) -> io::Result<usize> {
    if outgoing.is_empty() {
        writer.flush().await?;
        return pending().await;
    }
    writer.write(outgoing).await
}

/// Whether it is the certificate that is wrong.
fn judge(error: io::Error) -> anyhow::Error {
    let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
    match of_tls {
        Some(wrong @ TlsError::InvalidCertificate(_)) => Untrusted(wrong.clone()).into(),
        _ => error.into(),
    }
}

// === impl Tls ===

impl Tls {
    /// Trusts `config`'s authorities, and a server that is called `host`.
    pub(crate) fn new(config: Arc<ClientConfig>, host: &str) -> anyhow::Result<Self> {
        let name = ServerName::try_from(host.to_owned());
        Ok(Self { config, name: name.with_context(|| format!("{host:?} can be in no certificate"))? })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Tls({:?})", self.name)
    }
}

// === impl Untrusted ===

impl fmt::Display for Untrusted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "its certificate is not trusted: {}; is tls_root_file of its authority?", self.0)
    }
}

impl std::error::Error for Untrusted {}
