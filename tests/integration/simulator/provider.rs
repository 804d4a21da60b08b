//! The simulator as an `OpenID` provider and as an HTTP server. `make test-clients` tests it with
//! Microsoft's own library.

use std::process::Command;

use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::Simulator;

const TENANT: &str = "contoso.onmicrosoft.com";
/// The hash of `VERIFIER`.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

struct Provider {
    simulator: Simulator,
    http: reqwest::Client,
}

impl Provider {
    async fn new() -> Self {
        Self {
            simulator: Simulator::start(&["--today", "2026-05-04"]).await,
            http: reqwest::Client::builder()
                .no_proxy()
                .redirect(Policy::none())
                .build()
                .unwrap(),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.simulator.base_url)
    }

    async fn send(&self, method: Method, path: &str) -> reqwest::Response {
        let request = self.http.request(method, self.url(path));
        request.send().await.unwrap()
    }

    async fn authorize(&self, more: &[(&str, &str)]) -> reqwest::Response {
        let mut url =
            url::Url::parse(&self.url(&format!("/{TENANT}/oauth2/v2.0/authorize"))).unwrap();
        url.query_pairs_mut()
            .append_pair("client_id", "sim-client")
            .append_pair("response_type", "code")
            .append_pair("scope", "openid profile offline_access")
            .append_pair("state", "a \"state\" & more")
            .append_pair("code_challenge", CHALLENGE)
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(more);
        self.http.get(url).send().await.unwrap()
    }
}

async fn json(answer: reqwest::Response) -> Value {
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

#[tokio::test]
async fn the_provider_describes_itself_under_the_address_it_was_reached_by() {
    let provider = Provider::new().await;
    let path = format!("/{TENANT}/v2.0/.well-known/openid-configuration");
    let plain = json(provider.send(Method::GET, &path).await).await;
    let base = &provider.simulator.base_url;
    assert_eq!(plain["issuer"], format!("{base}/{TENANT}/v2.0"));
    let token = format!("{base}/{TENANT}/oauth2/v2.0/token");
    assert_eq!(plain["token_endpoint"], token);
    let behind_tls = provider
        .http
        .get(provider.url(&path))
        .header("X-Forwarded-Proto", "https")
        .header("Host", "login.example");
    let behind_tls = json(behind_tls.send().await.unwrap()).await;
    assert_eq!(
        behind_tls["issuer"],
        format!("https://login.example/{TENANT}/v2.0")
    );
    let keys = plain["jwks_uri"].as_str().unwrap();
    let keys = json(provider.http.get(keys).send().await.unwrap()).await;
    assert_eq!(keys["keys"][0]["kty"], "RSA");
    assert_eq!(keys["keys"][0]["use"], "sig");
}

#[tokio::test]
async fn a_code_comes_back_in_the_way_that_was_asked_for() {
    let provider = Provider::new().await;
    let back = ("redirect_uri", "http://localhost:12345");
    for (mode, start) in [
        ("query", "http://localhost:12345/?code="),
        ("fragment", "http://localhost:12345/#code="),
    ] {
        let answer = provider.authorize(&[back, ("response_mode", mode)]).await;
        assert_eq!(answer.status(), 302);
        let location = answer.headers()["location"].to_str().unwrap();
        assert!(location.starts_with(start), "{location}");
    }
    let answer = provider
        .authorize(&[back, ("response_mode", "form_post"), ("client_info", "1")])
        .await;
    assert_eq!(answer.status(), 200);
    let page = answer.text().await.unwrap();
    for part in [
        r#"action="http://localhost:12345""#,
        r#"name="code" value="sim-code-"#,
        r#"name="client_info""#,
        r#"value="a &quot;state&quot; &amp; more""#,
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let answer = provider
        .authorize(&[back, ("response_mode", "telepathy")])
        .await;
    assert_eq!(answer.status(), 400);
}

#[tokio::test]
async fn a_redirect_address_must_be_registered_exactly() {
    let provider = Provider::new().await;
    for uri in [
        "http://localhost:12345/",
        "http://127.0.0.1:12345",
        "https://localhost:12345",
        "http://localhost.example",
    ] {
        let answer = provider.authorize(&[("redirect_uri", uri)]).await;
        assert_eq!(answer.status(), 400, "{uri}");
        assert!(
            answer.text().await.unwrap().contains("AADSTS50011"),
            "{uri}"
        );
    }
}

#[tokio::test]
async fn an_id_token_and_client_info_are_sent_on_request_only() {
    let provider = Provider::new().await;
    let back = ("redirect_uri", "http://localhost:12345");
    let answer = provider.authorize(&[back, ("nonce", "n-1")]).await;
    let location: url::Url = answer.headers()["location"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    let code = location.query_pairs().find(|(name, _)| name == "code");
    let code = code.unwrap().1.into_owned();
    let form = |scope: &'static str| {
        vec![
            ("client_id", "sim-client"),
            ("grant_type", "refresh_token"),
            ("refresh_token", "sim-refresh-0"),
            ("scope", scope),
        ]
    };
    let url = provider.url(&format!("/{TENANT}/oauth2/v2.0/token"));
    let ask = async |form: Vec<(&str, &str)>| {
        json(provider.http.post(&url).form(&form).send().await.unwrap()).await
    };
    let without = ask(form("offline_access")).await;
    assert_eq!(without.get("id_token"), None);
    assert_eq!(without.get("client_info"), None);
    let mut with = form("openid offline_access");
    with.push(("client_info", "1"));
    let with = ask(with).await;
    assert!(with["id_token"].is_string() && with["client_info"].is_string());
    let by_code = ask(vec![
        ("client_id", "sim-client"),
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", "http://localhost:12345"),
        ("code_verifier", VERIFIER),
    ])
    .await;
    assert_eq!(by_code["id_token"].as_str().unwrap().split('.').count(), 3);
    // The secret may come in a header, too, and must be right there as well.
    for (secret, status) in [("sim-secret", 200), ("wrong", 401)] {
        let call = provider
            .http
            .post(&url)
            .form(&form("offline_access")[1..].to_vec());
        let answer = call.basic_auth("sim-client", Some(secret)).send().await;
        assert_eq!(answer.unwrap().status(), status, "{secret}");
    }
}

#[tokio::test]
async fn an_address_refuses_a_method_that_it_does_not_take_and_names_the_others() {
    let provider = Provider::new().await;
    let id = provider.simulator.customers().await[0].clone();
    for (method, path, allowed) in [
        (Method::POST, "/v1/customers".to_owned(), "GET, HEAD"),
        (
            Method::DELETE,
            format!("/v1/customers/{id}/analytics/licenses/usage"),
            "GET, HEAD",
        ),
        (Method::GET, format!("/{TENANT}/oauth2/v2.0/token"), "POST"),
        (
            Method::PUT,
            format!("/{TENANT}/oauth2/v2.0/devicecode"),
            "POST",
        ),
        (
            Method::POST,
            format!("/{TENANT}/v2.0/.well-known/openid-configuration"),
            "GET, HEAD",
        ),
        (Method::POST, "/_sim/today".to_owned(), "GET, HEAD, PUT"),
        (Method::GET, "/_sim/script".to_owned(), "POST, DELETE"),
    ] {
        let answer = provider.send(method, &path).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(answer.headers()["allow"], allowed, "{path}");
    }
    for path in ["/v1/nowhere", "/_sim/nowhere", "/favicon.ico"] {
        let answer = provider.send(Method::POST, path).await;
        assert_ne!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
}

#[tokio::test]
async fn a_head_gets_the_headers_of_the_get_and_no_body() {
    let provider = Provider::new().await;
    let token = provider.simulator.post("access-token", String::new()).await;
    let asked = async |method: Method, path: &str| {
        let call = provider.http.request(method, provider.url(path));
        let call = call.header("Accept-Encoding", "identity");
        let answer = call.bearer_auth(&token).send().await.unwrap();
        let length = answer.headers()["content-length"]
            .to_str()
            .unwrap()
            .to_owned();
        (answer.status(), length, answer.text().await.unwrap())
    };
    for path in [
        "/v1/customers?size=2",
        "/_sim/customers",
        &format!("/{TENANT}/v2.0/.well-known/openid-configuration"),
    ] {
        let get = asked(Method::GET, path).await;
        let head = asked(Method::HEAD, path).await;
        assert_eq!((get.0, &get.1), (head.0, &head.1), "{path}");
        assert_eq!(get.1, get.2.len().to_string());
        assert_eq!(head.2, "");
    }
    // The connection is still usable: no body follows the head, not even of a scripted answer.
    let script = json!([{ "json": { "items": [] }, "chunked": true }]);
    provider.simulator.script("customers", script).await;
    let scripted = provider.http.head(provider.url("/v1/customers"));
    assert_eq!(scripted.send().await.unwrap().status(), 200);
    assert_eq!(asked(Method::GET, "/_sim/today").await.2, "2026-05-04");
}

#[test]
fn a_port_in_use_is_reported_in_plain_words() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_seatledger-simulator"))
        .args(["--listen", &address])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&address) && said.contains("--listen"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(!said.contains("Os {"), "{said}");
}
