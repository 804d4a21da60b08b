//! The certificates that are registered for the application, with the names that a client
//! assertion may give them.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, Header};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use x509_cert::{certificate::Certificate, der::Decode as _};

/// Whether this PEM text holds a certificate that can be registered.
pub(crate) fn is_certificate(pem: &str) -> bool {
    registered_certificates(pem).next().is_some()
}

/// The RSA certificates in a PEM text.
pub(crate) fn registered_certificates(pem: &str) -> impl Iterator<Item = RegisteredCertificate> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(|der| {
        let der = der.ok()?;
        let certificate = Certificate::from_der(&der).ok()?;
        let info = certificate.tbs_certificate().subject_public_key_info();
        let key = DecodingKey::from_rsa_der(info.subject_public_key.raw_bytes());
        let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, &der);
        Some(RegisteredCertificate {
            key,
            sha256: URL_SAFE_NO_PAD.encode(digest(&SHA256, &der)),
            sha1: URL_SAFE_NO_PAD.encode(sha1),
            sha1_hex: sha1
                .as_ref()
                .iter()
                .fold(String::new(), |hex, byte| hex + &format!("{byte:02X}")),
        })
    })
}

/// A certificate's key and its thumbprints.
pub(crate) struct RegisteredCertificate {
    pub(crate) key: DecodingKey,
    pub(crate) sha256: String,
    pub(crate) sha1: String,
    /// The SHA-1 thumbprint in hexadecimal, as the Azure portal shows it.
    pub(crate) sha1_hex: String,
}

impl RegisteredCertificate {
    /// Whether an assertion's header refers to this certificate: by `x5t#S256`, else by `x5t`, else
    /// by `kid`, which holds the SHA-1 thumbprint in hexadecimal or in base64.
    pub(crate) fn is_named_by(&self, header: &Header) -> bool {
        // Some libraries pad their base64.
        let unpadded = |named: &str| named.trim_end_matches('=').to_owned();
        match (&header.x5t_s256, &header.x5t, &header.kid) {
            (Some(named), ..) => unpadded(named) == self.sha256,
            (None, Some(named), _) => unpadded(named) == self.sha1,
            (None, None, Some(named)) => {
                named.eq_ignore_ascii_case(&self.sha1_hex) || unpadded(named) == self.sha1
            }
            (None, None, None) => false,
        }
    }
}
