//! How the broker is reached, and what it is told.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::{Connect, ConnectAuth, ConnectProperties};
use rustls::ClientConfig;
use wattline_reading::topics::PACKET_BYTES_MAX;
use wattline_service::mqtt::{BrokerAddress, tls_configuration};
use wattline_service::secret;

use crate::config::MqttSettings;

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
        let BrokerAddress { host, port, .. } = settings.address()?;
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
        let MqttSettings { username, password_file, ca_file, cert_file, key_file, .. } = settings;
        let auth = match (username.clone(), password_file) {
            (None, _) => ConnectAuth::None,
            (Some(username), None) => ConnectAuth::Username { username },
            (Some(username), Some(file)) => {
                let password = secret::read(file, "mqtt.password_file")?.into();
                ConnectAuth::UsernamePassword { username, password }
            }
        };
        let client = cert_file.as_deref().zip(key_file.as_deref());
        let by_tls = settings.address()?.tls;
        self.tls = if by_tls { Some(tls_configuration(ca_file.as_deref(), client)?) } else { None };
        self.auth = auth;
        Ok(())
    }
}
