//! Checks the section `[notify]`. The addresses are secrets: whoever knows one can report in the
//! program's name.

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{Secret, check_unbroken, placeholder};
use crate::config::fault::ConfigFault;
use crate::config::keys;
use crate::config::reader::{Checked, SettingsReader};
use crate::config::sections::secure_address;
use crate::config::settings::{NotifySettings, NotifyUrl, Webhook};
use crate::config::sources::BaseDirs;

const PING_URL: Secret = Secret {
    direct: keys::PING_URL,
    file: Some(keys::PING_URL_FILE),
    credential: "ping_url",
    check: check_address,
};

const WEBHOOK_URL: Secret = Secret {
    direct: keys::WEBHOOK_URL,
    file: Some(keys::WEBHOOK_URL_FILE),
    credential: "webhook_url",
    check: check_address,
};

const WEBHOOK_SECRET: Secret = Secret {
    direct: keys::WEBHOOK_SECRET,
    file: Some(keys::WEBHOOK_SECRET_FILE),
    credential: "webhook_secret",
    check: check_unbroken,
};

pub(in crate::config) fn notify(
    reader: &mut SettingsReader,
    dirs: &BaseDirs,
) -> Checked<NotifySettings> {
    let ping = PING_URL.optional(reader, dirs);
    let url = WEBHOOK_URL.optional(reader, dirs);
    let secret = WEBHOOK_SECRET.optional(reader, dirs);
    let webhook = match (url?, secret?) {
        (None, None) => None,
        (Some(url), Some(secret)) => Some(Webhook {
            url: address(&url),
            secret,
        }),
        (Some(_), None) => {
            let why = "; the webhook's receiver checks by it who sent the message";
            return Err(WEBHOOK_SECRET.report_missing(reader, why));
        }
        (None, Some(_)) => {
            let problem = "is missing, and notify.webhook_secret is of no use without it";
            return Err(reader.report(ConfigFault::new(keys::WEBHOOK_URL.path, problem)));
        }
    };
    Ok(NotifySettings {
        ping: ping?.as_ref().map(address),
        webhook,
    })
}

fn check_address(text: &str) -> Result<(), String> {
    let url = secure_address(text)?;
    if url.fragment().is_some() {
        return Err("must not contain #".to_owned());
    }
    if placeholder::is_placeholder_address(text)
        || url
            .path_segments()
            .is_some_and(|mut all| all.any(placeholder::is_placeholder))
    {
        return Err(placeholder::PROBLEM.to_owned());
    }
    Ok(())
}

fn address(text: &SecretString) -> NotifyUrl {
    let url = Url::parse(text.expose_secret()).expect("the address was checked when it was read");
    NotifyUrl::new(url)
}

#[cfg(test)]
mod tests {
    use super::check_address;

    #[test]
    fn an_address_must_be_safe_and_filled_in() {
        for right in [
            "https://hc-ping.com/6d1f3d1e-5a6b-4d9d-8f52-6a9c1f6f0d10",
            "https://monitor.example/ping/key/name?create=1",
            "http://127.0.0.1:8000/ping/x",
        ] {
            assert_eq!(check_address(right), Ok(()), "{right}");
        }
        for wrong in [
            "http://hc-ping.com/x",
            "hc-ping.com/x",
            "https://user:password@hc-ping.com/x",
            "https://hc-ping.com/PLACEHOLDER",
            "https://hc-ping.com/<uuid>",
            "https://hc-ping.com/00000000-0000-0000-0000-000000000000",
            "https://hc-ping.com/x#y",
            "ftp://hc-ping.com/x",
        ] {
            assert!(check_address(wrong).is_err(), "{wrong}");
        }
    }
}
