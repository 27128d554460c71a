//! What the library is told.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use rumqttc::{
    AckMode, Broker, BrokerSessionResumePolicy, MqttOptions, NetworkOptions, PersistedAckMode,
    PersistedSession, SessionStore, SessionStoreError, SessionStoreKey, TlsConfiguration, Transport,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use wattline_reading::topics::PACKET_BYTES_MAX;
use wattline_service::{secret, tls};

use crate::config::{MqttSettings, given};

/// In-flight limit of what this client publishes, which is nothing above QoS 0. The library scans a table of this
/// size at each flush: with its default of 65,535 slots a message costs 320 µs.
const OUTGOING_MAX: u16 = 16;
/// Acks written, and packets read, with one system call.
const BATCH: usize = 64;

/// Everything that a persistent session needs.
pub(super) fn options(settings: &MqttSettings) -> anyhow::Result<MqttOptions> {
    let (host, port, _) = settings.address()?;
    let mut options = MqttOptions::new(settings.client_id.clone(), Broker::tcp(host, port));
    identify(&mut options, settings)?;
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    options
        .set_network_options(network)
        .set_keep_alive(settings.keep_alive_s)
        .set_connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
        .set_clean_start(false)
        .set_session_expiry_interval(Some(settings.session_expiry_s))
        .set_receive_maximum(Some(settings.receive_maximum))
        .set_max_packet_size(Some(u32::try_from(PACKET_BYTES_MAX).unwrap_or(u32::MAX)))
        .set_ack_mode(AckMode::Manual)
        .set_outgoing_inflight_upper_limit(OUTGOING_MAX)
        .set_max_request_batch(BATCH)
        .set_read_batch_size(BATCH)
        .set_broker_session_resume_policy(BrokerSessionResumePolicy::AllowBrokerOnly)
        .set_session_store(NothingPublished(settings.client_id.clone()));
    Ok(options)
}

/// Who this client is, by the files of this moment: they may have been renewed.
pub(super) fn identify(options: &mut MqttOptions, settings: &MqttSettings) -> anyhow::Result<()> {
    if !settings.username.is_empty() {
        options.set_username(settings.username.clone());
        if given(&settings.password_file) {
            let password = secret::read(&settings.password_file, "mqtt.password_file")?;
            options.set_credentials(settings.username.clone(), password);
        }
    }
    if settings.address()?.2 {
        options.set_transport(Transport::tls_with_config(tls_configuration(settings)?));
    }
    Ok(())
}

/// How `settings` secure a connection by TLS.
///
/// # Errors
/// Where a file can't be read, or holds something else.
pub fn tls_configuration(settings: &MqttSettings) -> anyhow::Result<TlsConfiguration> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context("cannot set up TLS")?
        .with_root_certificates(authorities(settings)?);
    let config = if given(&settings.cert_file) {
        let (cert_file, key_file) = (&settings.cert_file, &settings.key_file);
        let name = || format!("mqtt.cert_file {}", cert_file.display());
        let chain: Vec<_> = CertificateDer::pem_file_iter(cert_file)
            .and_then(Iterator::collect)
            .with_context(|| format!("cannot read {}", name()))?;
        ensure!(!chain.is_empty(), "{} holds no certificate", name());
        let key = PrivateKeyDer::from_pem_file(key_file)
            .with_context(|| format!("cannot read mqtt.key_file {}", key_file.display()))?;
        builder
            .with_client_auth_cert(chain, key)
            .with_context(|| format!("{} and mqtt.key_file {} don't fit", name(), key_file.display()))?
    } else {
        builder.with_no_client_auth()
    };
    Ok(TlsConfiguration::Rustls(Arc::new(config)))
}

fn authorities(settings: &MqttSettings) -> anyhow::Result<RootCertStore> {
    let file = given(&settings.ca_file).then_some(settings.ca_file.as_path());
    let roots = tls::authorities(file, "mqtt.ca_file")?;
    ensure!(!roots.is_empty(), "the system has no authorities: install ca-certificates, or set mqtt.ca_file");
    Ok(roots)
}

/// The local half of a session in which nothing was ever published. The library takes a broker's session
/// without a local half (after a restart of this process) for one in which packet ids may be in use, and then
/// refuses to subscribe; a filter that is new in the configuration would silently have no effect.
#[derive(Debug)]
struct NothingPublished(String);

type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionStoreError>> + Send + 'a>>;

impl SessionStore for NothingPublished {
    fn load<'a>(&'a self, _key: &'a SessionStoreKey) -> StoreFuture<'a, Option<PersistedSession>> {
        let session = PersistedSession {
            format_version: 1,
            client_id: self.0.clone(),
            clean_start: false,
            session_expiry_interval: None,
            outgoing_inflight_upper_limit: Some(OUTGOING_MAX),
            ack_mode: PersistedAckMode::Manual,
            last_pkid: 0,
            last_puback: 0,
            replay: Vec::new(),
            incoming_qos2: Vec::new(),
        };
        Box::pin(std::future::ready(Ok(Some(session))))
    }

    fn save<'a>(&'a self, _key: &'a SessionStoreKey, _session: &'a PersistedSession) -> StoreFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn clear<'a>(&'a self, _key: &'a SessionStoreKey) -> StoreFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}
