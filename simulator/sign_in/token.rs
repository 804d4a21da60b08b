//! Stands in for login.microsoftonline.com: the token endpoint with its four
//! grants. Keeps the refresh and access tokens it has given out, and judges them
//! for `api`.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    settings::Settings,
    sign_in::authorize::Codes,
    sign_in::client::{self as application, CLIENT_ID},
    sign_in::device_code::DeviceCodes,
    sign_in::entra_error::{Refusal, missing, refusal},
    sign_in::openid,
    simulator::{Simulator, lock},
    wire::http::{Request, Response},
};

/// The refresh token that is good from the start.
const FIRST_REFRESH_TOKEN: &str = "sim-refresh-0";
const RESOURCE: &str = "https://api.partnercenter.microsoft.com";
const DEVICE_CODE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub(crate) type Form = BTreeMap<String, String>;

/// What a bearer token turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bearer {
    User,
    AppOnly,
    Expired,
    Unknown,
}

/// All that has been given out.
#[derive(Debug)]
pub(crate) struct Authority {
    refresh_tokens: HashSet<String>,
    revoked: HashSet<String>,
    issued: u64,
    access_tokens: HashMap<String, Access>,
    pub(crate) device_codes: DeviceCodes,
    pub(crate) codes: Codes,
}

#[derive(Debug)]
struct Access {
    until: Instant,
    app_only: bool,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self {
            refresh_tokens: HashSet::from([FIRST_REFRESH_TOKEN.to_owned()]),
            revoked: HashSet::new(),
            issued: 0,
            access_tokens: HashMap::new(),
            device_codes: DeviceCodes::default(),
            codes: Codes::default(),
        }
    }

    pub(crate) fn bearer(&self, token: &str, now: Instant) -> Bearer {
        match self.access_tokens.get(token) {
            None => Bearer::Unknown,
            Some(access) if access.until <= now => Bearer::Expired,
            Some(access) if access.app_only => Bearer::AppOnly,
            Some(_) => Bearer::User,
        }
    }

    /// Every access token given out so far is refused from now on.
    pub(crate) fn revoke_access_tokens(&mut self) {
        self.access_tokens.clear();
    }

    /// Every refresh token is refused from now on, with 50173. Only a new sign-in
    /// by device code gives another.
    pub(crate) fn revoke_refresh_tokens(&mut self) {
        self.revoked.extend(self.refresh_tokens.drain());
    }

    /// Gives out an access token: shaped like the real ones, but unsigned.
    pub(crate) fn issue(&mut self, settings: &Settings, audience: &str, app_only: bool) -> String {
        let now = Instant::now();
        let ttl = Duration::from_secs(settings.access_token_ttl_secs);
        let issued_at = crate::simulator::now().timestamp();
        let mut claims = json!({
            "aud": settings.audience.as_deref().unwrap_or(audience),
            "iss": "https://sts.windows.net/simulator/",
            "iat": issued_at,
            "nbf": issued_at,
            "exp": issued_at.saturating_add_unsigned(settings.access_token_ttl_secs),
            "appid": CLIENT_ID,
            "uti": Uuid::new_v4(),
            "ver": "1.0",
        });
        if !app_only {
            if settings.amr {
                claims["amr"] = if settings.mfa {
                    json!(["pwd", "mfa"])
                } else {
                    json!(["pwd"])
                };
            }
            claims["scp"] = "user_impersonation".into();
            claims["upn"] = "admin@partner.example".into();
        }
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(&json!({ "typ": "JWT", "alg": "none" }));
        let token = format!("{header}.{}.unsigned", part(&claims));
        // Long-expired tokens need not be told from unknown ones.
        let day = Duration::from_hours(24);
        self.access_tokens
            .retain(|_, access| access.until + day > now);
        let access = Access {
            until: now + ttl.min(day * 365),
            app_only,
        };
        self.access_tokens.insert(token.clone(), access);
        token
    }

    fn next_refresh_token(&mut self) -> String {
        self.issued += 1;
        let token = format!("sim-refresh-{}", self.issued);
        self.refresh_tokens.insert(token.clone());
        token
    }

    fn refresh(&mut self, settings: &Settings, form: &Form) -> Result<(), Refusal> {
        let spent = field(form, "refresh_token")?;
        if self.revoked.contains(spent) {
            return Err(refusal(50_173));
        }
        if !self.refresh_tokens.contains(spent) {
            return Err(refusal(9_002_313));
        }
        if settings.single_use_refresh_tokens {
            self.refresh_tokens.remove(spent);
        }
        Ok(())
    }
}

/// Answers `POST /{tenant}/oauth2/v2.0/token`.
pub(crate) fn token(
    simulator: &Simulator,
    settings: &Settings,
    tenant: &str,
    request: &Request,
) -> Response {
    grant(simulator, settings, tenant, request).unwrap_or_else(|refusal| refusal.response())
}

fn grant(
    simulator: &Simulator,
    settings: &Settings,
    tenant: &str,
    request: &Request,
) -> Result<Response, Refusal> {
    let form = application::admit(settings, tenant, request)?;
    let grant_type = field(&form, "grant_type")?;
    let app_only = grant_type == "client_credentials";
    let proved = application::authenticate(settings, &form, tenant, request, app_only)?;
    let mut authority = lock(&simulator.authority);
    // What an OpenID client wants to find again in its token.
    let mut nonce = None;
    let scope = match grant_type {
        "refresh_token" => {
            authority.refresh(settings, &form)?;
            form.get("scope").cloned().unwrap_or_default()
        }
        DEVICE_CODE_GRANT => authority.device_codes.redeem(settings, &form)?,
        "authorization_code" => {
            let (scope, asked) = authority.codes.redeem(&form, proved)?;
            nonce = asked;
            scope
        }
        "client_credentials" => field(&form, "scope")?.to_owned(),
        _ => return Err(refusal(70_003)),
    };
    let audience = audience(&scope);
    let access_token = authority.issue(settings, &audience, app_only);
    let mut body = json!({
        "token_type": "Bearer",
        "expires_in": settings.access_token_ttl_secs,
        "ext_expires_in": settings.access_token_ttl_secs,
        "access_token": access_token,
    });
    if !app_only {
        body["scope"] = format!("{audience}/user_impersonation").into();
        body["refresh_token"] = authority.next_refresh_token().into();
        if let Some(ttl) = settings.refresh_token_ttl_secs {
            body["refresh_token_expires_in"] = ttl.into();
        }
    }
    // Making the key of an ID token takes a while, which other sign-ins need not wait for.
    drop(authority);
    if !app_only {
        for_openid(&mut body, &scope, &form, || {
            openid::id_token(&request.origin(), tenant, nonce.as_deref())
        });
    }
    Ok(uncached(Response::json(200, &body)))
}

/// Adds what only clients get that ask for it: who signed in, as a signed token and in short.
fn for_openid(body: &mut Value, scope: &str, form: &Form, id_token: impl FnOnce() -> String) {
    let asked = form.get("scope").map_or("", String::as_str).split(' ');
    if scope.split(' ').chain(asked).any(|part| part == "openid") {
        body["id_token"] = tokio::task::block_in_place(id_token).into();
    }
    if form.get("client_info").is_some_and(|value| value == "1") {
        body["client_info"] = openid::client_info().into();
    }
}

pub(crate) fn field<'a>(form: &'a Form, name: &str) -> Result<&'a str, Refusal> {
    let value = form.get(name).filter(|value| !value.is_empty());
    value.map(String::as_str).ok_or_else(|| missing(name))
}

/// The resource that a scope such as `https://host/.default offline_access` is of.
fn audience(scope: &str) -> String {
    let resource = scope
        .split(' ')
        .filter_map(|part| part.rsplit_once('/'))
        .map(|(resource, _)| resource.trim_end_matches('/'))
        .find(|resource| resource.starts_with("http"));
    resource.unwrap_or(RESOURCE).to_owned()
}

pub(crate) fn uncached(response: Response) -> Response {
    response
        .with("Cache-Control", "no-store, no-cache")
        .with("Pragma", "no-cache")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(token: &str) -> Form {
        Form::from([("refresh_token".to_owned(), token.to_owned())])
    }

    #[test]
    fn an_old_refresh_token_stays_good_unless_they_are_single_use() {
        let mut settings = Settings::default();
        let mut authority = Authority::new();
        let first = form(FIRST_REFRESH_TOKEN);
        assert_eq!(authority.refresh(&settings, &first), Ok(()));
        assert_eq!(authority.refresh(&settings, &first), Ok(()));
        let next = authority.next_refresh_token();
        settings.single_use_refresh_tokens = true;
        assert_eq!(authority.refresh(&settings, &form(&next)), Ok(()));
        assert_eq!(
            authority.refresh(&settings, &form(&next)),
            Err(refusal(9_002_313))
        );
    }

    #[test]
    fn an_access_token_is_good_until_it_expires() {
        let mut authority = Authority::new();
        let token = authority.issue(&Settings::default(), RESOURCE, false);
        let now = Instant::now();
        assert_eq!(authority.bearer(&token, now), Bearer::User);
        let later = now + Duration::from_secs(3601);
        assert_eq!(authority.bearer(&token, later), Bearer::Expired);
        authority.revoke_access_tokens();
        assert_eq!(authority.bearer(&token, now), Bearer::Unknown);
    }

    #[test]
    fn the_audience_is_the_resource_of_the_scope() {
        assert_eq!(
            audience("http://127.0.0.1:9/.default offline_access"),
            "http://127.0.0.1:9"
        );
        assert_eq!(audience("offline_access"), RESOURCE);
    }
}
