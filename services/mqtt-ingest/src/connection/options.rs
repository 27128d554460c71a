//! How the broker is reached, and what it is told.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use rumqttc::{Connect, ConnectAuth, ConnectProperties};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use wattline_reading::topics::PACKET_BYTES_MAX;
use wattline_service::{secret, tls};

use crate::config::{MqttSettings, given};

/// See the module. It holds the password: never shown.
pub(super) struct Options {
    pub(super) host: String,
    pub(super) port: u16,
    /// None: plain TCP.
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) connect: Connect,
    pub(super) auth: ConnectAuth,
    /// For all of it, from the name's address to the CONNACK.
    pub(super) timeout: Duration,
    /// The largest packet that is taken, in bytes.
    pub(super) packet_bytes_max: u32,
}

// === impl Options ===

impl Options {
    /// Everything that a persistent session needs.
    ///
    /// # Errors
    /// Where a file can't be read, or the settings contradict each other.
    pub(super) fn new(settings: &MqttSettings) -> anyhow::Result<Self> {
        let (host, port, _) = settings.address()?;
        let packet_bytes_max = u32::try_from(PACKET_BYTES_MAX).unwrap_or(u32::MAX);
        let properties = ConnectProperties {
            session_expiry_interval: Some(settings.session_expiry_s),
            receive_maximum: Some(settings.receive_maximum),
            max_packet_size: Some(packet_bytes_max),
            // No topic aliases: none is asked for, and each would be memory for a broker to fill.
            ..ConnectProperties::new()
        };
        let mut options = Self {
            host,
            port,
            tls: None,
            connect: Connect {
                keep_alive: settings.keep_alive_s,
                client_id: settings.client_id.clone(),
                clean_start: false,
                properties: Some(properties),
            },
            auth: ConnectAuth::None,
            timeout: Duration::from_millis(settings.connect_timeout_ms),
            packet_bytes_max,
        };
        options.identify(settings)?;
        Ok(options)
    }

    /// A session that leaves no trace: a clean start, and gone with its connection.
    pub(super) fn trial(settings: &MqttSettings) -> anyhow::Result<Self> {
        let mut options = Self::new(settings)?;
        options.connect.clean_start = true;
        if let Some(properties) = &mut options.connect.properties {
            properties.session_expiry_interval = Some(0);
        }
        Ok(options)
    }

    /// How long the broker is asked to keep the session.
    pub(super) fn session_expiry_s(&self) -> u32 {
        self.connect.properties.as_ref().and_then(|asked| asked.session_expiry_interval).unwrap_or_default()
    }

    /// Who this client is, by the files of this moment: they may have been renewed.
    ///
    /// # Errors
    /// Where a file can't be read; then the identity stays as it was.
    pub(super) fn identify(&mut self, settings: &MqttSettings) -> anyhow::Result<()> {
        let username = settings.username.clone();
        let auth = if username.is_empty() {
            ConnectAuth::None
        } else if given(&settings.password_file) {
            let password = secret::read(&settings.password_file, "mqtt.password_file")?.into();
            ConnectAuth::UsernamePassword { username, password }
        } else {
            ConnectAuth::Username { username }
        };
        let by_tls = settings.address()?.2;
        self.tls = if by_tls { Some(tls_configuration(settings)?) } else { None };
        self.auth = auth;
        Ok(())
    }
}

/// How `settings` secure a connection by TLS.
///
/// # Errors
/// Where a file can't be read, or holds something else.
pub fn tls_configuration(settings: &MqttSettings) -> anyhow::Result<Arc<ClientConfig>> {
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
    Ok(Arc::new(config))
}

fn authorities(settings: &MqttSettings) -> anyhow::Result<RootCertStore> {
    let file = given(&settings.ca_file).then_some(settings.ca_file.as_path());
    let roots = tls::authorities(file, "mqtt.ca_file")?;
    ensure!(!roots.is_empty(), "the system has no authorities: install ca-certificates, or set mqtt.ca_file");
    Ok(roots)
}
