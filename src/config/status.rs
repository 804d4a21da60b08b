//! Checks the section `status`.

use url::Host;

use super::keys;
use super::reader::{Checked, RawSetting, SettingsReader};
use super::settings::StatusSettings;

pub(super) fn settings(reader: &mut SettingsReader) -> Checked<StatusSettings> {
    let listen = reader.required(keys::LISTEN, |raw| match raw.text_or_empty()?.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            "must be an IP address with a port, such as \"127.0.0.1:9464\" or \"[::]:9464\", \
             or empty to switch it off"
                .to_owned()
        }),
    });
    let path_prefix = reader.required(keys::PATH_PREFIX, |raw| path_prefix(raw.text_or_empty()?));
    let pages = reader.optional(keys::STATUS_PAGES, RawSetting::switch);
    let hosts = reader.required(keys::STATUS_HOSTS, |raw| raw.list(host_name));
    let listen = listen?;
    Ok(StatusSettings {
        listen,
        path_prefix: path_prefix?,
        has_pages: pages?.unwrap_or_else(|| {
            // Canonical, because ::ffff:127.0.0.1 is loopback too.
            listen.is_some_and(|address| address.ip().to_canonical().is_loopback())
        }),
        hosts: hosts?,
    })
}

/// A path that can stand before the path of each page without an escape.
fn path_prefix(text: &str) -> Result<String, String> {
    let is_segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    let is_path = |path: &str| path.split('/').all(is_segment);
    if text.is_empty() || text.strip_prefix('/').is_some_and(is_path) {
        Ok(text.to_owned())
    } else {
        Err(
            "must be empty, or a path such as \"/seatledger\": with a slash at its beginning, none \
             at its end, and between slashes letters, digits, hyphens, dots, underscores and tildes"
                .to_owned(),
        )
    }
}

/// The host name of a `Host` header: in lower case, without a port and without a final dot.
fn host_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    match Host::parse(name) {
        Ok(Host::Domain(name)) if name.chars().all(is_plain) => Ok(name),
        Ok(Host::Ipv4(address)) => Ok(address.to_string()),
        Ok(Host::Ipv6(address)) => Ok(address.to_string()),
        Ok(Host::Domain(_)) | Err(_) => Err(
            "must be the full name of a host, such as \"status.example.com\", without scheme, \
             port and path"
                .to_owned(),
        ),
    }
}
