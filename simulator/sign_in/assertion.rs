//! Verifies client assertions: JWTs that the application signs with a registered certificate. Uses
//! another library than Seatledger does to sign them, so that the two cannot share a mistake.

use jsonwebtoken::{Algorithm, Validation, decode, decode_header, errors::ErrorKind};
use serde_json::Value;

use super::{entra_error::EntraError, registration::CLIENT_ID};
use crate::settings::registered_certificates;

/// The allowed difference between the clocks of client and server.
const LEEWAY_SECS: u64 = 300;

/// Verifies an assertion that must be addressed to one of `audiences`.
pub(super) fn verify(
    assertion: &str,
    certificates: Option<&str>,
    audiences: &[String],
) -> Result<(), EntraError> {
    let header = decode_header(assertion).map_err(|_| EntraError::new(50_027))?;
    let mut registered = certificates.into_iter().flat_map(registered_certificates);
    let named = registered.find(|certificate| certificate.is_named_by(&header));
    let key = named.ok_or_else(|| EntraError::new(700_027))?.key;
    let mut validation = Validation::new(Algorithm::PS256);
    validation.algorithms = vec![Algorithm::PS256, Algorithm::RS256];
    validation.leeway = LEEWAY_SECS;
    validation.validate_nbf = true;
    validation.sub = Some(CLIENT_ID.to_owned());
    validation.set_audience(audiences);
    validation.set_issuer(&[CLIENT_ID]);
    // Microsoft's own libraries omit `nbf`.
    validation.set_required_spec_claims(&["aud", "exp", "iss", "sub"]);
    let verified = decode::<Value>(assertion, &key, &validation);
    let claims = verified.map_err(|error| match error.kind() {
        ErrorKind::InvalidAudience => EntraError::new(700_023),
        ErrorKind::ExpiredSignature | ErrorKind::ImmatureSignature => EntraError::new(700_024),
        ErrorKind::InvalidSignature => EntraError::new(700_027),
        _ => EntraError::new(50_027),
    })?;
    match claims.claims["jti"].as_str() {
        Some(id) if !id.is_empty() => Ok(()),
        _ => Err(EntraError::new(50_027)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use aws_lc_rs::{
        rand::SystemRandom,
        signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair},
    };
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
    use serde_json::json;

    use super::*;
    use crate::clock::now;

    const ENDPOINT: &str = "http://127.0.0.1:1/t/oauth2/v2.0/token";

    /// Generating a key takes a while, so that all tests share these two.
    static CLIENTS: LazyLock<[TestClient; 2]> =
        LazyLock::new(|| [TestClient::new(), TestClient::new()]);

    struct TestClient {
        certificate: String,
        key: RsaKeyPair,
    }

    impl TestClient {
        fn new() -> Self {
            let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
            let params = CertificateParams::new(Vec::new()).unwrap();
            Self {
                certificate: params.self_signed(&key).unwrap().pem(),
                key: RsaKeyPair::from_pkcs8(&key.serialize_der()).unwrap(),
            }
        }

        /// A valid assertion with some claims replaced; null removes a claim.
        fn assertion(&self, changes: &Value) -> String {
            let named = registered_certificates(&self.certificate).next().unwrap();
            let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": named.sha256 });
            self.assertion_with(&header, changes)
        }

        fn assertion_with(&self, header: &Value, changes: &Value) -> String {
            let now = now().timestamp();
            let mut claims = json!({
                "aud": ENDPOINT, "iss": CLIENT_ID, "sub": CLIENT_ID, "jti": "1",
                "nbf": now, "exp": now + 600,
            });
            for (name, value) in changes.as_object().unwrap() {
                claims[name] = value.clone();
            }
            claims
                .as_object_mut()
                .unwrap()
                .retain(|_, value| !value.is_null());
            let [encoded_header, claims] =
                [header, &claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
            let signed = format!("{encoded_header}.{claims}");
            let mut signature = vec![0; self.key.public_modulus_len()];
            let random = SystemRandom::new();
            let algorithm: &'static dyn aws_lc_rs::signature::RsaEncoding =
                match header["alg"].as_str() {
                    Some("RS256") => &RSA_PKCS1_SHA256,
                    _ => &RSA_PSS_SHA256,
                };
            self.key
                .sign(algorithm, &random, signed.as_bytes(), &mut signature)
                .unwrap();
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
        }

        fn error(&self, changes: &Value) -> Option<u32> {
            error(&self.assertion(changes), Some(&self.certificate))
        }
    }

    fn error(assertion: &str, certificate: Option<&str>) -> Option<u32> {
        let verified = verify(assertion, certificate, &[ENDPOINT.to_owned()]);
        verified.err().map(|error| error.code)
    }

    #[test]
    fn an_assertion_may_have_the_form_that_any_of_microsofts_libraries_gives_it() {
        let [client, _] = &*CLIENTS;
        let named = registered_certificates(&client.certificate).next().unwrap();
        let without_nbf = json!({ "nbf": null });
        for (header, expected) in [
            (json!({ "alg": "RS256", "x5t": named.sha1 }), None),
            (
                json!({ "alg": "RS256", "x5t": format!("{}=", named.sha1) }),
                None,
            ),
            (json!({ "alg": "RS256", "kid": named.sha1_hex }), None),
            (json!({ "alg": "RS256", "x5t#S256": named.sha256 }), None),
            (json!({ "alg": "PS256", "x5t": named.sha1 }), None),
            (
                json!({ "alg": "PS256", "x5t": named.sha256 }),
                Some(700_027),
            ),
            (json!({ "alg": "PS256" }), Some(700_027)),
        ] {
            let signed = client.assertion_with(&header, &without_nbf);
            assert_eq!(
                error(&signed, Some(&client.certificate)),
                expected,
                "{header}"
            );
        }
    }

    #[test]
    fn the_claims_are_verified() {
        let [client, _] = &*CLIENTS;
        let now = now().timestamp();
        for (changes, expected) in [
            (json!({}), None),
            (json!({ "aud": "http://127.0.0.1:1/other" }), Some(700_023)),
            (json!({ "exp": now - 400, "nbf": now - 900 }), Some(700_024)),
            (json!({ "nbf": now + 400 }), Some(700_024)),
            (json!({ "iss": "another" }), Some(50_027)),
            (json!({ "sub": "another" }), Some(50_027)),
            (json!({ "jti": null }), Some(50_027)),
            (json!({ "exp": null }), Some(50_027)),
            (json!({ "nbf": null }), None),
        ] {
            assert_eq!(client.error(&changes), expected, "{changes}");
        }
    }

    #[test]
    fn the_signature_is_verified() {
        let [client, other] = &*CLIENTS;
        let signed = client.assertion(&json!({}));
        assert_eq!(error(&signed, Some(&other.certificate)), Some(700_027));
        assert_eq!(error(&signed, None), Some(700_027));
        let (body, _) = signed.rsplit_once('.').unwrap();
        let theirs = other.assertion(&json!({}));
        let (_, signature) = theirs.rsplit_once('.').unwrap();
        let forged = format!("{body}.{signature}");
        assert_eq!(error(&forged, Some(&client.certificate)), Some(700_027));
        assert_eq!(error("a.b.c", Some(&client.certificate)), Some(50_027));
    }
}
