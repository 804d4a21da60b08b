//! Reads the certificates that an address names, for each connection: they may be renewed while the
//! program runs.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustls_pki_types::pem::{PemObject as _, SectionKind};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::address::{Identity, Roots, Tls};
use crate::text::{FileReadError, pem};

/// The contents of the two files of an [`Identity`]: certificate and key.
pub type IdentityPem = (Vec<u8>, Vec<u8>);

/// A file cannot be used. Shows its path and nothing of its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct FileFault {
    parameter: &'static str,
    path: PathBuf,
    problem: String,
    /// Whether a later attempt may succeed.
    pub passes: bool,
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            parameter,
            path,
            problem,
            passes: _,
        } = self;
        write!(f, "names {} as {parameter}: {problem}", path.display())
    }
}

impl Tls {
    /// Reads every file, so that a fault shows before anything connects.
    pub(super) fn check_files(&self) -> Result<(), FileFault> {
        let roots = self.roots_pem().map(drop);
        let identity = self.identity_pem().map(drop);
        roots.and(identity)
    }

    /// The certificate authorities in the file that the address names.
    ///
    /// # Errors
    /// When the file cannot be read or holds no certificate.
    pub fn roots_pem(&self) -> Result<Option<Vec<u8>>, FileFault> {
        match &self.roots {
            Some(Roots::File(path)) => certificates("sslrootcert", path).map(Some),
            Some(Roots::System) | None => Ok(None),
        }
    }

    /// The client certificate and its key.
    ///
    /// # Errors
    /// When one of the files cannot be read or does not hold what it should.
    pub fn identity_pem(&self) -> Result<Option<IdentityPem>, FileFault> {
        let Some(Identity { certificate, key }) = &self.identity else {
            return Ok(None);
        };
        Ok(Some((
            certificates("sslcert", certificate)?,
            private_key("sslkey", key)?,
        )))
    }
}

fn certificates(parameter: &'static str, path: &Path) -> Result<Vec<u8>, FileFault> {
    let fault = |problem: &str| FileFault {
        parameter,
        path: path.to_path_buf(),
        problem: problem.to_owned(),
        passes: false,
    };
    let pem = read(parameter, path)?;
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        certificate.map_err(|_| fault("it holds a certificate that is truncated or corrupt"))?;
        count += 1;
    }
    if count > 0 {
        return Ok(pem);
    }
    Err(fault(if has_key(&pem) {
        "it holds a private key and no certificate"
    } else if is_der(&pem) {
        "it is in binary form (DER, or PKCS#12); write it as PEM: openssl x509 -inform der -in \
         FILE -out NEW"
    } else {
        "it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
    }))
}

fn private_key(parameter: &'static str, path: &Path) -> Result<Vec<u8>, FileFault> {
    let fault = |problem: &str| FileFault {
        parameter,
        path: path.to_path_buf(),
        problem: problem.to_owned(),
        passes: false,
    };
    let pem = read(parameter, path)?;
    if PrivateKeyDer::from_pem_slice(&pem).is_ok() {
        return Ok(pem);
    }
    let text = String::from_utf8_lossy(&pem);
    Err(fault(if text.contains("ENCRYPTED") {
        "the key in it is encrypted, which is not supported; decrypt it: openssl pkey -in FILE \
         -out NEW"
    } else if text.contains("-----BEGIN CERTIFICATE-----") && !has_key(&pem) {
        "it holds a certificate and no private key"
    } else if is_der(&pem) {
        "it is in binary form (DER, or PKCS#12); write it as PEM: openssl pkey -inform der -in \
         FILE -out NEW"
    } else {
        "it holds no readable private key in PEM form (-----BEGIN PRIVATE KEY-----)"
    }))
}

fn has_key(pem: &[u8]) -> bool {
    <(SectionKind, Vec<u8>)>::pem_slice_iter(pem).any(|section| {
        matches!(
            section,
            Ok((
                SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey,
                _
            ))
        )
    })
}

/// Whether the bytes begin with an ASN.1 sequence, as every DER file does.
fn is_der(bytes: &[u8]) -> bool {
    matches!(bytes, [0x30, 0x80..=0x84, ..])
}

fn read(parameter: &'static str, path: &Path) -> Result<Vec<u8>, FileFault> {
    let fault = |problem: String, passes| FileFault {
        parameter,
        path: path.to_path_buf(),
        problem,
        passes,
    };
    pem::bytes(path).map_err(|wrong| {
        let passes = wrong.is_transient();
        let problem = match &wrong {
            FileReadError::Io(error) if error.kind() == ErrorKind::NotFound => {
                format!("{wrong}; a relative path starts at the configuration file's folder")
            }
            wrong => format!("it {wrong}"),
        };
        fault(problem, passes)
    })
}
