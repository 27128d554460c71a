//! MQTT: where a broker is, and how a connection to it is secured by TLS.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use url::Url;

use crate::tls;

/// Where a broker listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerAddress {
    /// Name or IP address; an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether it is to be reached by TLS.
    pub tls: bool,
}

// === impl BrokerAddress ===

impl BrokerAddress {
    /// Of `mqtt://host:port` or `mqtts://host:port`; without a port it is 1883 or 8883.
    ///
    /// # Errors
    /// Names what is wrong with the setting `mqtt.url`.
    pub fn parse(url: &str) -> anyhow::Result<Self> {
        let example = "write mqtt://host:1883 or mqtts://host:8883";
        let parsed = Url::parse(url).with_context(|| format!("mqtt.url {url:?} is no URL: {example}"))?;
        let (tls, port) = match parsed.scheme() {
            "mqtt" => (false, 1883),
            "mqtts" => (true, 8883),
            other => bail!("mqtt.url has the scheme {other:?}: {example}"),
        };
        ensure!(
            parsed.username().is_empty() && parsed.password().is_none(),
            "mqtt.url must not hold a password: use mqtt.username and mqtt.password_file"
        );
        let host = parsed
            .host_str()
            .filter(|host| !host.is_empty())
            .with_context(|| format!("mqtt.url {url:?} has no host: {example}"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port: parsed.port().unwrap_or(port), tls })
    }
}

/// TLS that trusts the authorities in `ca_file`, or without it the system's; and shows the certificate, with its chain,
/// and the key in `client`. All files are PEM.
///
/// # Errors
/// Where a file can't be read, or holds something else; names the setting, such as `mqtt.ca_file`.
pub fn tls_configuration(
    ca_file: Option<&Path>,
    client: Option<(&Path, &Path)>,
) -> anyhow::Result<Arc<ClientConfig>> {
    let roots = tls::authorities(ca_file, "mqtt.ca_file")?;
    ensure!(!roots.is_empty(), "the system has no authorities: install ca-certificates, or set mqtt.ca_file");
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context("cannot set up TLS")?
        .with_root_certificates(roots);
    let Some((cert_file, key_file)) = client else { return Ok(Arc::new(builder.with_no_client_auth())) };
    let name = || format!("mqtt.cert_file {}", cert_file.display());
    let chain: Vec<_> = CertificateDer::pem_file_iter(cert_file)
        .and_then(Iterator::collect)
        .with_context(|| format!("cannot read {}", name()))?;
    ensure!(!chain.is_empty(), "{} holds no certificate", name());
    let key = PrivateKeyDer::from_pem_file(key_file)
        .with_context(|| format!("cannot read mqtt.key_file {}", key_file.display()))?;
    let config = builder
        .with_client_auth_cert(chain, key)
        .with_context(|| format!("{} and mqtt.key_file {} don't fit", name(), key_file.display()))?;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_their_default_ports() {
        let address = |url: &str| {
            let BrokerAddress { host, port, tls } = BrokerAddress::parse(url).unwrap();
            (host, port, tls)
        };
        assert_eq!(address("mqtt://broker"), ("broker".to_owned(), 1883, false));
        assert_eq!(address("mqtts://broker"), ("broker".to_owned(), 8883, true));
        assert_eq!(address("mqtt://[::1]:99"), ("::1".to_owned(), 99, false));
    }

    #[test]
    fn what_is_no_address_is_named_with_what_to_write() {
        for (url, words) in [
            ("127.0.0.1:1883", "write mqtt://host:1883"),
            ("http://broker", "the scheme \"http\""),
            ("mqtt://user:password@broker", "mqtt.password_file"),
            ("mqtt://", "has no host"),
        ] {
            let error = BrokerAddress::parse(url).unwrap_err().to_string();
            assert!(error.contains("mqtt.url") && error.contains(words), "{url}: {error}");
        }
    }

    #[test]
    fn a_certificate_needs_its_own_key() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| {
            std::fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name)
        };
        let (key, other) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
        let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
        let cert_file = write("cert.pem", certificate.pem());
        let key_file = write("key.pem", key.serialize_pem());
        let other_file = write("other.pem", other.serialize_pem());
        let client = |key: &Path| {
            let configuration = tls_configuration(Some(&cert_file), Some((&cert_file, key)));
            configuration.map(|_| ()).map_err(|error| format!("{error:#}"))
        };
        client(&key_file).unwrap();
        assert!(client(&other_file).unwrap_err().contains("don't fit"));
        assert!(client(&folder.path().join("none.pem")).unwrap_err().contains("mqtt.key_file"));
        assert!(client(&cert_file).unwrap_err().contains("mqtt.key_file"), "a certificate is no key");
    }
}
