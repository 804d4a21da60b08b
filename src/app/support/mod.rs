//! `seatledger support`: writes one file that tells somebody else what is wrong here, without
//! secrets and without naming customers. Works with the database away and with a faulty
//! configuration.

mod redactor;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde_json::{Value, json};

use super::{complain, say};
use crate::causes::with_causes;
use crate::clock::Clock;
use crate::config::{Config, ConfigError, Described, Host, Sources, describe};
use crate::lifecycle::Exit;
use crate::store::Store;
use redactor::BundleRedactor;

/// What a reader should know first.
const ABOUT: &str = "A support bundle of seatledger. Read it before you send it. Secrets, host \
    names, ids of tenant and application, and the names and domains of customers are left out; \
    customer-1 and the like stand for the same customer, host-1 for the same host, throughout. \
    MS ids are those of requests, by which Microsoft's support finds a call.";

#[derive(Serialize)]
struct Bundle {
    about: &'static str,
    made_at: String,
    program: Value,
    machine: Value,
    configuration: Value,
    database: Value,
    ledger: BTreeMap<&'static str, Value>,
}

/// Writes the bundle to `out`, which must not exist.
pub(super) async fn run(
    out: &Path,
    sources: &Sources,
    config: Result<&Config, &ConfigError>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Exit> {
    if out.exists() {
        bail!(
            "{} exists already, and is not overwritten; name another file",
            out.display()
        );
    }
    let described = describe(sources, config.err());
    let mut redactor = BundleRedactor::new(&described.secrets);
    if let Ok(config) = config {
        redactor.learn_words(words_of(config));
    }
    let store = config.ok().map(|config| Store::new(&config.database));
    let (database, mut ledger) = match store {
        None => (
            json!("not read: the configuration is faulty"),
            BTreeMap::new(),
        ),
        Some(Err(error)) => (json!({ "fault": with_causes(&error) }), BTreeMap::new()),
        Some(Ok(store)) => {
            let read = read(&store, &mut redactor).await;
            store.close().await;
            read
        }
    };
    for section in ledger.values_mut() {
        redactor.clean(section);
    }
    let mut rest = json!([configuration(&described, config), database]);
    redactor.clean(&mut rest);
    let [configuration, database] = [0, 1].map(|at| rest[at].take());
    let bundle = Bundle {
        about: ABOUT,
        made_at: clock.now().to_rfc3339(),
        program: program(),
        machine: machine(),
        configuration,
        database,
        ledger,
    };
    let mut text = serde_json::to_string_pretty(&bundle).context("the bundle cannot be written")?;
    text.push('\n');
    save(out, &text)?;
    if config.is_err() {
        complain("the configuration is faulty, so that the bundle has nothing of the ledger");
    }
    say(&format!(
        "Wrote {}. Read it before you send it",
        out.display()
    ))?;
    Ok(Exit::Success)
}

/// What the database shows, and the sections of the ledger.
async fn read(
    store: &Store,
    redactor: &mut BundleRedactor,
) -> (Value, BTreeMap<&'static str, Value>) {
    if let Err(error) = store.reach().await {
        let fault = json!({ "fault": with_causes(&error) });
        return (fault, BTreeMap::new());
    }
    // Without the names nothing that others have written may be shown.
    match store.load_all_names().await {
        Ok(names) => redactor.learn_names(names),
        Err(_) => redactor.hide_details(),
    }
    let missing = store.load_missing_migrations().await;
    let missing = missing.map_or_else(|error| json!(with_causes(&error)), |count| json!(count));
    let database = json!({ "answers": true, "missing_migrations": missing });
    let sections = store.load_support().await.into_iter();
    let ledger = sections.map(|(name, rows)| {
        let rows = rows.unwrap_or_else(|error| json!({ "detail": with_causes(&error) }));
        (name, rows)
    });
    (database, ledger.collect())
}

fn configuration(described: &Described, config: Result<&Config, &ConfigError>) -> Value {
    let settings = described.settings.iter().map(|setting| {
        let value = match setting.origin.as_str() {
            "" => setting.value.clone(),
            origin => format!("{} ({origin})", setting.value),
        };
        (setting.key.to_owned(), Value::String(value))
    });
    json!({
        "faults": described.faults,
        "warnings": config.map(|config| config.warnings.clone()).unwrap_or_default(),
        "settings": settings.collect::<serde_json::Map<_, _>>(),
        "database_reached_over": config.map_or_else(|_| Value::Null, reached_over),
    })
}

/// What errors of the database may say of it.
fn words_of(config: &Config) -> Vec<String> {
    let address = &config.database.address;
    let hosts = address.hosts.iter().filter(|host| !host.is_local());
    let hosts = hosts.filter_map(|host| match host {
        Host::Tcp(name, _) => Some(name.clone()),
        Host::Socket(..) => None,
    });
    let own = [&address.database, &address.user].into_iter().cloned();
    // These say nothing, and are in other words.
    let own = own.filter(|name| !matches!(name.as_str(), "seatledger" | "postgres"));
    hosts.chain(own).collect()
}

/// How the database is reached, without its name.
fn reached_over(config: &Config) -> Value {
    let address = &config.database.address;
    let hosts = address.hosts.iter().map(|host| match host {
        Host::Socket(..) => json!("socket"),
        Host::Tcp(..) if host.is_local() => json!("loopback"),
        Host::Tcp(..) => json!(format!(
            "another host, sslmode {:?}",
            address.tls.mode_for(host)
        )),
    });
    hosts.collect()
}

fn program() -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "target": format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        "is_debug_build": cfg!(debug_assertions),
        "has_simulator": cfg!(feature = "simulator"),
    })
}

fn machine() -> Value {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map(|name| name.trim_matches('"').to_owned());
    let kernel = rustix::system::uname();
    json!({
        "system": name,
        "kernel": kernel.release().to_string_lossy(),
        "processors": std::thread::available_parallelism().map(usize::from).unwrap_or_default(),
    })
}

/// Writes the whole file or none, readable by its owner alone.
fn save(out: &Path, text: &str) -> anyhow::Result<()> {
    let folder = match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let write = || {
        // Made with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist_noclobber(out)?;
        anyhow::Ok(())
    };
    write().with_context(|| format!("{} cannot be written", out.display()))
}
