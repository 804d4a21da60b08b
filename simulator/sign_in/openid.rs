//! What makes the authority an `OpenID` provider: its description of itself, the key
//! that it signs ID tokens with, and what it says about the person who signed in.

use std::sync::LazyLock;

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa::KeySize,
    signature::RsaKeyPair,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use serde_json::{Value, json};

use crate::{
    sign_in::client::CLIENT_ID,
    wire::http::{Request, Response},
};

/// The person, and the tenant under whichever name it is asked for.
const USER: &str = "5a1e7000-0000-4000-8000-000000000001";
const TENANT: &str = "5a1e7000-0000-4000-8000-000000000002";

const KEY_ID: &str = "simulator-1";
const ID_TOKEN_TTL_SECS: i64 = 3600;

/// What precedes the key itself in the encoding that is had, for keys of this size.
const PKCS8_PREFIX_BYTES: usize = 26;

// Made when first asked for, since that takes longer than all else at the start.
static KEY: LazyLock<EncodingKey> = LazyLock::new(|| {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).expect("this machine makes RSA keys");
    let der: Pkcs8V1Der<'_> = key.as_der().expect("a key just made can be written");
    EncodingKey::from_rsa_der(&der.as_ref()[PKCS8_PREFIX_BYTES..])
});

/// Answers what a client asks before it signs anybody in.
pub(crate) fn respond(tenant: &str, request: &Request) -> Response {
    let body = if request.path.ends_with("/keys") {
        keys()
    } else {
        description(&request.origin(), tenant)
    };
    Response::json(200, &body)
}

fn issuer(origin: &str, tenant: &str) -> String {
    format!("{origin}/{tenant}/v2.0")
}

fn description(origin: &str, tenant: &str) -> Value {
    let endpoint = |name: &str| format!("{origin}/{tenant}/oauth2/v2.0/{name}");
    json!({
        "issuer": issuer(origin, tenant),
        "authorization_endpoint": endpoint("authorize"),
        "token_endpoint": endpoint("token"),
        "device_authorization_endpoint": endpoint("devicecode"),
        "jwks_uri": format!("{origin}/{tenant}/discovery/v2.0/keys"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": [
            "authorization_code", "refresh_token", "client_credentials",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "token_endpoint_auth_methods_supported": [
            "client_secret_post", "client_secret_basic", "private_key_jwt",
        ],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256", "PS256"],
        "code_challenge_methods_supported": ["S256"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "nbf", "nonce", "name", "preferred_username",
            "oid", "tid", "ver",
        ],
        "request_uri_parameter_supported": false,
    })
}

fn keys() -> Value {
    let key = Jwk::from_encoding_key(&KEY, Algorithm::RS256).expect("the key is one of RSA");
    let mut key = serde_json::to_value(key).expect("a key is plain JSON");
    key["use"] = "sig".into();
    key["kid"] = KEY_ID.into();
    json!({ "keys": [key] })
}

/// A signed statement to the client that names the user of the sign-in.
pub(crate) fn id_token(origin: &str, tenant: &str, nonce: Option<&str>) -> String {
    let now = crate::simulator::now().timestamp();
    let mut claims = json!({
        "iss": issuer(origin, tenant),
        "aud": CLIENT_ID,
        "sub": "simulated-administrator",
        "iat": now,
        "nbf": now,
        "exp": now + ID_TOKEN_TTL_SECS,
        "name": "Partner Administrator",
        "preferred_username": "admin@partner.example",
        "oid": USER,
        "tid": TENANT,
        "ver": "2.0",
    });
    if let Some(nonce) = nonce {
        claims["nonce"] = nonce.into();
    }
    let header = Header {
        kid: Some(KEY_ID.to_owned()),
        ..Header::new(Algorithm::RS256)
    };
    encode(&header, &claims, &KEY).expect("the key signs what is plain JSON")
}

/// The person and the tenant in the short form that Microsoft's libraries ask for.
pub(crate) fn client_info() -> String {
    URL_SAFE_NO_PAD.encode(json!({ "uid": USER, "utid": TENANT }).to_string())
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation, decode};

    use super::*;

    #[test]
    fn an_id_token_is_signed_with_the_key_that_is_shown() {
        let token = id_token("https://a", "t", Some("n"));
        let key: Jwk = serde_json::from_value(keys()["keys"][0].clone()).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&[CLIENT_ID]);
        validation.set_issuer(&["https://a/t/v2.0"]);
        let key = DecodingKey::from_jwk(&key).unwrap();
        let judged = decode::<Value>(&token, &key, &validation).unwrap();
        assert_eq!(judged.claims["nonce"], "n");
        assert_eq!(judged.header.kid.as_deref(), Some(KEY_ID));
    }
}
