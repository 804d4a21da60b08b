//! Checks the section `auth`. What another method than the chosen one would need may stand there
//! all the same.

use url::Url;

use super::Surroundings;
use super::check::{address, fit_for_a_path};
use super::keys;
use super::placeholder;
use super::secrets;
use super::settings::{Given, Read, Settings};
use super::valid::{App, Auth, ClientCredential, Method, PartnerCenter};

#[derive(Clone, Copy)]
enum Grant {
    RefreshToken,
    ClientCredentials,
    AccessToken,
}

pub(super) fn auth(
    settings: &mut Settings,
    surroundings: &Surroundings,
    partner_center: Read<&PartnerCenter>,
) -> Read<Auth> {
    let cloud = partner_center.map(|section| section.cloud.authority());
    let base_url = partner_center.map(|section| &section.base_url);
    let authority = address(settings, keys::AUTHORITY, cloud);
    let grant = settings.required(keys::METHOD, |given| {
        given.choice(&[
            ("refresh_token", Grant::RefreshToken),
            ("client_credentials", Grant::ClientCredentials),
            ("access_token", Grant::AccessToken),
        ])
    });
    // Ignored is what another method needs, but not that somebody wrote a number there.
    for key in keys::of_section("auth") {
        let _reported = settings.optional(key, |given| given.text().map(|_| ()));
    }
    let method = match grant? {
        Grant::RefreshToken => {
            let app = app(settings, surroundings, false);
            let scope = scope(settings, base_url, "/.default offline_access");
            let initial = secrets::REFRESH_TOKEN.optional(settings, surroundings);
            let file = secrets::refresh_token_file(settings, surroundings);
            Method::RefreshToken {
                app: app?,
                scope: scope?,
                initial: initial?,
                file: file?,
            }
        }
        Grant::ClientCredentials => {
            let app = app(settings, surroundings, true);
            let scope = scope(settings, base_url, "/.default");
            Method::ClientCredentials {
                app: app?,
                scope: scope?,
            }
        }
        Grant::AccessToken => {
            Method::AccessToken(secrets::ACCESS_TOKEN.required(settings, surroundings)?)
        }
    };
    Ok(Auth {
        authority: authority?,
        method,
    })
}

fn app(settings: &mut Settings, surroundings: &Surroundings, needs_credential: bool) -> Read<App> {
    let filled_in = |text: &str, what: &str| {
        if placeholder::is_placeholder(text) {
            return Err(format!("{}; it must be {what}", placeholder::PROBLEM));
        }
        fit_for_a_path(text, what)
    };
    let tenant_id = settings.required(keys::TENANT_ID, |given| {
        let what =
            "the partner's tenant, its GUID or a domain name such as contoso.onmicrosoft.com";
        filled_in(given.text()?, what)
    });
    let client_id = settings.required(keys::CLIENT_ID, |given| {
        filled_in(given.text()?, "the application's id, a GUID")
    });
    let credential = credential(settings, surroundings, needs_credential);
    let credential_place = match &credential {
        Ok(Some(ClientCredential::Secret(_))) => {
            Some(secrets::CLIENT_SECRET.place_in_words(settings, surroundings))
        }
        Ok(Some(ClientCredential::CertificateFile(path))) => {
            Some(secrets::certificate_in_words(settings, path))
        }
        Ok(None) | Err(_) => None,
    };
    Ok(App {
        tenant_id: tenant_id?,
        client_id: client_id?,
        credential: credential?,
        credential_place,
    })
}

fn credential(
    settings: &mut Settings,
    surroundings: &Surroundings,
    needed: bool,
) -> Read<Option<ClientCredential>> {
    let secret = secrets::CLIENT_SECRET.optional(settings, surroundings);
    let certificate = secrets::client_certificate_file(settings, surroundings);
    let other = keys::CLIENT_CERTIFICATE_FILE.path;
    match (secret?, certificate?) {
        (Some(_), Some(_)) => {
            let problem = format!("is given together with {other}; keep one of them");
            Err(settings.refuse(keys::CLIENT_SECRET, problem))
        }
        (Some(secret), None) => Ok(Some(ClientCredential::Secret(secret))),
        (None, Some(path)) => Ok(Some(ClientCredential::CertificateFile(path))),
        (None, None) if needed => {
            Err(secrets::CLIENT_SECRET.missing(settings, &format!("; or set {other}")))
        }
        (None, None) => Ok(None),
    }
}

/// What was asked for, or all that the application was granted at `base_url`.
fn scope(settings: &mut Settings, base_url: Read<&Url>, all: &str) -> Read<String> {
    let plain = |given: &Given| match given.text()? {
        text if text.chars().any(char::is_control) => {
            Err("must not hold a line break or another control character".to_owned())
        }
        text => Ok(text.to_owned()),
    };
    match settings.optional(keys::SCOPE, plain)? {
        Some(scope) => Ok(scope),
        None => Ok(format!("{}{all}", base_url?.as_str().trim_end_matches('/'))),
    }
}
