//! Certificates for TLS between the broker and its clients, made when they are needed: no key is in the repository.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use super::write_private;

const NAME: &str = "Wattline test authority";

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateUse {
    /// A server's, valid.
    Server,
    /// A server's that has expired long ago.
    ExpiredServer,
    /// A client's; its only name is the user.
    Client,
}

/// An authority in a folder: `ca.pem`, `ca.key`, and what it has signed.
#[derive(Debug, Clone)]
pub struct Authority {
    folder: PathBuf,
}

impl Authority {
    /// The authority in a folder, made unless it is there.
    pub fn open(folder: &Path) -> Result<Self> {
        let authority = Self { folder: folder.to_owned() };
        if !authority.ca_file().exists() {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
            let key = KeyPair::generate().context("cannot make a key")?;
            write_private(&authority.key_file("ca"), &key.serialize_pem())?;
            let certificate = own_params()?.self_signed(&key).context("cannot sign the authority")?;
            write_private(&authority.ca_file(), &certificate.pem())?;
        }
        Ok(authority)
    }

    /// Its own certificate.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.cert_file("ca")
    }

    /// The certificate called `name`.
    #[must_use]
    pub fn cert_file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pem"))
    }

    /// The key of the certificate called `name`.
    #[must_use]
    pub fn key_file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.key"))
    }

    /// Makes the certificate called `name`, in place of an earlier one. `names`: of the host, or the user's.
    pub fn sign(&self, name: &str, usage: CertificateUse, names: &[&str]) -> Result<()> {
        let ca_key = fs::read_to_string(self.key_file("ca")).context("cannot read the authority's key")?;
        let ca_key = KeyPair::from_pem(&ca_key).context("cannot use the authority's key")?;
        let issuer = Issuer::new(own_params()?, ca_key);
        let hosts = if usage == CertificateUse::Client { &[] } else { names };
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).context("a name that can't be in a certificate")?;
        params.distinguished_name.push(DnType::CommonName, *names.first().context("no name")?);
        params.extended_key_usages = vec![match usage {
            CertificateUse::Client => ExtendedKeyUsagePurpose::ClientAuth,
            CertificateUse::Server | CertificateUse::ExpiredServer => ExtendedKeyUsagePurpose::ServerAuth,
        }];
        if usage == CertificateUse::ExpiredServer {
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        }
        let key = KeyPair::generate().context("cannot make a key")?;
        let certificate = params.signed_by(&key, &issuer).context("cannot sign")?;
        write_private(&self.key_file(name), &key.serialize_pem())?;
        write_private(&self.cert_file(name), &certificate.pem())
    }
}

fn own_params() -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new()).context("an authority without names")?;
    params.distinguished_name.push(DnType::CommonName, NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}
