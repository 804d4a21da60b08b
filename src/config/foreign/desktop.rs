//! The environment of a browser that the program opens: what a desktop needs, and nothing that
//! could hold a secret. It is a list of allowed names, because secrets can be under any name.

use std::collections::{BTreeMap, HashMap};

use url::Url;

const NAMES: [&str; 17] = [
    "BROWSER",
    "DBUS_SESSION_BUS_ADDRESS",
    "DESKTOP_SESSION",
    "DISPLAY",
    "HOME",
    "LANG",
    "LANGUAGE",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TMPDIR",
    "TZ",
    "USER",
    "WAYLAND_DISPLAY",
    "WSL_DISTRO_NAME",
    "WSL_INTEROP",
    "XAUTHORITY",
];

const PREFIXES: [&str; 4] = ["LC_", "XDG_", "KDE_", "GNOME_"];

const PROXIES: [&str; 4] = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"];

/// None if there is no display to show a browser on.
pub(in crate::config) fn browser_environment(
    environment: &HashMap<String, String>,
) -> Option<BTreeMap<String, String>> {
    let has = |name: &str| environment.get(name).is_some_and(|value| !value.is_empty());
    (has("DISPLAY") || has("WAYLAND_DISPLAY")).then(|| {
        let allowed = environment.iter().filter(|(name, value)| {
            NAMES.contains(&name.as_str())
                || PREFIXES.iter().any(|start| name.starts_with(start))
                || (PROXIES.contains(&name.to_ascii_lowercase().as_str()) && has_no_password(value))
        });
        allowed
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    })
}

/// Whether a proxy's address or a list of hosts contains no password.
fn has_no_password(value: &str) -> bool {
    let has_password = Url::parse(value).is_ok_and(|url| url.password().is_some());
    !has_password && !value.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_what_a_desktop_needs_and_no_secret() {
        let through = [
            ("DISPLAY", ":0"),
            ("PATH", "/usr/bin"),
            ("XDG_RUNTIME_DIR", "/run/user/1"),
            ("LC_ALL", "C"),
            ("https_proxy", "http://proxy.example:3128"),
            ("NO_PROXY", "localhost,.example"),
        ];
        let kept_back = [
            ("SEATLEDGER__AUTH__CLIENT_SECRET", "a"),
            ("CREDENTIALS_DIRECTORY", "/run/credentials/x"),
            ("PGPASSWORD", "a"),
            ("DATABASE_URL", "postgres://u:p@h/d"),
            ("HTTPS_PROXY", "http://u:p@proxy.example:3128"),
            ("ALL_PROXY", "u:p@proxy.example:3128"),
            ("STATE_DIRECTORY", "/var/lib/x"),
            ("LD_PRELOAD", "/x.so"),
            ("GITHUB_TOKEN", "a"),
        ];
        let environment = through.iter().chain(&kept_back);
        let environment: HashMap<_, _> = environment
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let given = browser_environment(&environment).unwrap();
        let names: Vec<_> = given.keys().map(String::as_str).collect();
        let mut expected: Vec<_> = through.iter().map(|(name, _)| *name).collect();
        expected.sort_unstable();
        assert_eq!(names, expected);
        assert_eq!(browser_environment(&HashMap::new()), None);
    }
}
