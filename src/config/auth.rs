//! Checks the section `auth`. It may hold settings that only another method needs.

use url::Url;

use super::keys;
use super::reader::{Checked, RawSetting, SettingsReader};
use super::secrets::{self, placeholder};
use super::sections::{address, path_segment};
use super::settings::{App, Auth, ClientCredential, Method, PartnerCenter};
use super::sources::BaseDirs;

/// The value of `auth.method`.
#[derive(Clone, Copy)]
enum MethodName {
    RefreshToken,
    ClientCredentials,
    AccessToken,
}

pub(super) fn auth(
    reader: &mut SettingsReader,
    dirs: &BaseDirs,
    partner_center: Checked<&PartnerCenter>,
) -> Checked<Auth> {
    let cloud = partner_center.map(|section| section.cloud.authority());
    let base_url = partner_center.map(|section| &section.base_url);
    let authority = address(reader, keys::AUTHORITY, cloud);
    let name = reader.required(keys::METHOD, |raw| {
        raw.choice(&[
            ("refresh_token", MethodName::RefreshToken),
            ("client_credentials", MethodName::ClientCredentials),
            ("access_token", MethodName::AccessToken),
        ])
    });
    // The settings of other methods are ignored, but they must be text.
    for key in keys::of_section("auth") {
        let _reported = reader.optional(key, |raw| raw.text().map(|_| ()));
    }
    let method = match name? {
        MethodName::RefreshToken => {
            let app = app(reader, dirs, false);
            let scope = scope(reader, base_url, "/.default offline_access");
            let initial = secrets::REFRESH_TOKEN.optional(reader, dirs);
            let file = secrets::refresh_token_file(reader, dirs);
            Method::RefreshToken {
                app: app?,
                scope: scope?,
                initial: initial?,
                file: file?,
            }
        }
        MethodName::ClientCredentials => {
            let app = app(reader, dirs, true);
            let scope = scope(reader, base_url, "/.default");
            Method::ClientCredentials {
                app: app?,
                scope: scope?,
            }
        }
        MethodName::AccessToken => {
            Method::AccessToken(secrets::ACCESS_TOKEN.required(reader, dirs)?)
        }
    };
    Ok(Auth {
        authority: authority?,
        method,
    })
}

fn app(reader: &mut SettingsReader, dirs: &BaseDirs, needs_credential: bool) -> Checked<App> {
    let filled_in = |text: &str, expected: &str| {
        if placeholder::is_placeholder(text) {
            return Err(format!("{}; it must be {expected}", placeholder::PROBLEM));
        }
        path_segment(text, expected)
    };
    let tenant_id = reader.required(keys::TENANT_ID, |raw| {
        let expected =
            "the partner's tenant, its GUID or a domain name such as contoso.onmicrosoft.com";
        filled_in(raw.text()?, expected)
    });
    let client_id = reader.required(keys::CLIENT_ID, |raw| {
        filled_in(raw.text()?, "the application's ID, a GUID")
    });
    let credential = credential(reader, dirs, needs_credential);
    let credential_place = match &credential {
        Ok(Some(ClientCredential::Secret(_))) => {
            Some(secrets::CLIENT_SECRET.place_to_edit(reader, dirs))
        }
        Ok(Some(ClientCredential::CertificateFile(path))) => {
            Some(secrets::certificate_place(reader, path))
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
    reader: &mut SettingsReader,
    dirs: &BaseDirs,
    needed: bool,
) -> Checked<Option<ClientCredential>> {
    let secret = secrets::CLIENT_SECRET.optional(reader, dirs);
    let certificate = secrets::client_certificate_file(reader, dirs);
    let other = keys::CLIENT_CERTIFICATE_FILE.path;
    match (secret?, certificate?) {
        (Some(_), Some(_)) => {
            let problem = format!("is given together with {other}; keep one of them");
            Err(reader.refuse(keys::CLIENT_SECRET, problem))
        }
        (Some(secret), None) => Ok(Some(ClientCredential::Secret(secret))),
        (None, Some(path)) => Ok(Some(ClientCredential::CertificateFile(path))),
        (None, None) if needed => {
            Err(secrets::CLIENT_SECRET.report_missing(reader, &format!("; or set {other}")))
        }
        (None, None) => Ok(None),
    }
}

/// The configured scope, or `default`, which is relative to `base_url`.
fn scope(reader: &mut SettingsReader, base_url: Checked<&Url>, default: &str) -> Checked<String> {
    let plain = |raw: &RawSetting| match raw.text()? {
        text if text.chars().any(char::is_control) => {
            Err("must not contain a line break or another control character".to_owned())
        }
        text => Ok(text.to_owned()),
    };
    match reader.optional(keys::SCOPE, plain)? {
        Some(scope) => Ok(scope),
        None => Ok(format!(
            "{}{default}",
            base_url?.as_str().trim_end_matches('/')
        )),
    }
}
