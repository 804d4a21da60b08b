//! Certificates that each test generates, so that the repository contains no private key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_RSA_SHA256,
    RsaKeySize, date_time_ymd,
};

/// A certificate and its private key, in PEM.
pub(crate) struct Identity {
    pub(crate) certificate: String,
    /// In PKCS#8, as most tools write it.
    pub(crate) key: String,
    /// In PKCS#1, as older tools write it.
    pub(crate) pkcs1_key: String,
}

impl Identity {
    /// Valid from 2020 to 2090.
    pub(crate) fn new() -> Self {
        Self::valid(2020, 2090)
    }

    /// Valid from the beginning of one year to the beginning of another.
    pub(crate) fn valid(from: i32, to: i32) -> Self {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        // The header that PKCS#8 puts before the PKCS#1 form has 26 bytes for every key of this
        // size.
        let pkcs1 = STANDARD.encode(&key.serialize_der()[26..]);
        let lines: Vec<_> = pkcs1.as_bytes().chunks(64).collect();
        let lines = lines.join(&b'\n');
        Self {
            certificate: params.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
            pkcs1_key: format!(
                "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n",
                String::from_utf8(lines).unwrap()
            ),
        }
    }

    /// Certificate and key as the text of one file.
    pub(crate) fn pem(&self) -> String {
        format!("{}{}", self.certificate, self.key)
    }
}

/// An authority that certifies database servers and their clients.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Its own certificate.
    pub(crate) pem: String,
}

/// A certificate and its key, in PEM.
pub(crate) struct Certified {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let pem = issuer.pem();
        Self { issuer, pem }
    }

    pub(crate) fn certify_server(&self, name: &str) -> Certified {
        self.certify(vec![name.to_owned()], name)
    }

    pub(crate) fn certify_client(&self, role: &str) -> Certified {
        self.certify(Vec::new(), role)
    }

    fn certify(&self, names: Vec<String>, common_name: &str) -> Certified {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2090, 1, 1);
        Certified {
            certificate: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}
