//! TLS of clients: which authorities are trusted.

use std::path::Path;

use anyhow::{Context as _, ensure};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// The authorities in a file (PEM), or without one those of the system; `key` names the setting in the error.
///
/// # Errors
/// Where the file can't be read, or there is no authority that could sign a server's certificate.
pub fn authorities(file: Option<&Path>, key: &str) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let Some(file) = file else {
        for certificate in rustls_native_certs::load_native_certs().certs {
            // Old authorities in the system's store that this library can't use are not ours to judge.
            let _ = roots.add(certificate);
        }
        return Ok(roots);
    };
    let name = || format!("{key} {}", file.display());
    let read = || format!("cannot read {}", name());
    for certificate in CertificateDer::pem_file_iter(file).with_context(read)? {
        roots.add(certificate.with_context(read)?).with_context(name)?;
    }
    ensure!(!roots.is_empty(), "{} holds no certificate", name());
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authorities_of(content: &str) -> anyhow::Result<RootCertStore> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        authorities(Some(file.path()), "kafka.ca_file")
    }

    #[test]
    fn a_file_is_trusted_instead_of_the_system() {
        let key = rcgen::KeyPair::generate().unwrap();
        let authority = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
        assert_eq!(authorities_of(&authority.pem()).unwrap().len(), 1);
        assert_eq!(authorities_of(&(authority.pem() + &authority.pem())).unwrap().len(), 2);
    }

    #[test]
    fn a_file_without_certificates_is_named() {
        for content in ["", "\n", "no certificate at all"] {
            let error = authorities_of(content).unwrap_err().to_string();
            assert!(error.contains("kafka.ca_file") && error.contains("no certificate"), "{error}");
        }
    }

    #[test]
    fn a_certificate_that_is_none_is_refused() {
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let error = authorities_of(broken).unwrap_err().to_string();
        assert!(error.contains("kafka.ca_file"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = authorities(Some(&folder.path().join("ca.pem")), "mqtt.ca_file").unwrap_err().to_string();
        assert!(error.contains("mqtt.ca_file") && error.contains("ca.pem"), "{error}");
    }
}
