//! Merges defaults, file and environment. Keeps known keys and reports unknown ones.

pub(super) mod describe;

use std::collections::HashMap;
use std::fmt;

use ::config::{Config as Merged, ConfigError as Unmergeable, Map, Source, Value, ValueKind};

use super::fault::{ConfigFault, Origin, quoted};
use super::keys::{self, ConfigKey};

const PREFIX: &str = "SEATLEDGER_";

/// The origin that marks a default. The other origins here are names of variables, all of which
/// begin with [`PREFIX`] in some letter case, so none is equal to this.
const DEFAULT: &str = "default";

/// Known keys and their values, from one origin.
#[derive(Clone, Default)]
pub(super) struct Layer(Map<String, Value>);

// The values may be secrets.
impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, Unmergeable> {
        Ok(self.0.clone())
    }
}

/// The merged layers: for each known key the value that takes precedence.
pub(super) struct Layers(Map<String, Value>);

impl Layers {
    pub(super) fn new(file: Layer, environment: Layer) -> Self {
        let origin = DEFAULT.to_owned();
        let defaults = keys::ALL
            .iter()
            .filter_map(|key| Some((key.path.to_owned(), Value::new(Some(&origin), key.default?))))
            .collect();
        let merged = Merged::builder()
            .add_source(Layer(defaults))
            .add_source(file)
            .add_source(environment)
            .build()
            .expect("layers hold plain values under known keys");
        Self(table(merged.cache))
    }

    /// The value of `key`, and its origin.
    pub(super) fn get(&self, key: &ConfigKey, file: &str) -> Option<(ValueKind, Origin)> {
        let ValueKind::Table(section) = &self.0.get(key.section())?.kind else {
            return None;
        };
        let value = section.get(key.name())?;
        let origin = match value.origin() {
            None => Origin::File(file.to_owned()),
            Some(DEFAULT) => Origin::Default,
            Some(variable) => Origin::Variable(variable.to_owned()),
        };
        Some((value.kind.clone(), origin))
    }
}

fn table(value: Value) -> Map<String, Value> {
    match value.kind {
        ValueKind::Table(table) => table,
        _ => Map::new(),
    }
}

/// Sorts the top level of the file into known keys and faults.
pub(super) fn from_file(top: Map<String, Value>, origin: &Origin) -> (Layer, Vec<ConfigFault>) {
    let mut layer = Layer::default();
    let mut faults = Vec::new();
    for (section, value) in sorted(top) {
        let known = keys::sections().contains(&section.as_str());
        match value.kind {
            ValueKind::Table(entries) if known => {
                for (name, value) in sorted(entries) {
                    let path = format!("{section}.{name}");
                    if keys::find(&path).is_some() {
                        layer.0.insert(path, value);
                    } else {
                        faults.push(unknown_key(&path, &value.kind).at(origin.clone()));
                    }
                }
            }
            _ if known => faults.push(
                ConfigFault::new(&section, format!("must be a section, headed [{section}]"))
                    .hiding()
                    .at(origin.clone()),
            ),
            kind => faults.push(unknown_section(&section, &kind).at(origin.clone())),
        }
    }
    (layer, faults)
}

/// Sorts the program's own environment variables into known keys and faults.
pub(super) fn from_environment(environment: &HashMap<String, String>) -> (Layer, Vec<ConfigFault>) {
    let mut layer = Layer::default();
    let mut faults = Vec::new();
    for (name, value) in sorted(environment.iter()) {
        let upper = name.to_ascii_uppercase();
        let Some(rest) = upper.strip_prefix(PREFIX) else {
            continue;
        };
        let path = rest
            .strip_prefix('_')
            .map(|path| path.to_ascii_lowercase().replace("__", "."));
        match (path.as_deref().and_then(keys::find), path) {
            (Some(key), _) => {
                let path = key.path.to_owned();
                let text = Value::new(Some(name), value.as_str());
                if value.contains(char::REPLACEMENT_CHARACTER) {
                    faults.push(ConfigFault::new(name, "is not UTF-8 text").hiding());
                }
                if layer.0.insert(path, text).is_some() {
                    let problem = "is set twice, in different letter case; keep one";
                    faults.push(ConfigFault::new(name, problem).hiding());
                }
            }
            (None, path) => {
                if let Some(key) = keys::find_run_together(rest) {
                    let problem = format!(
                        "is not read; write it {}, with two underscores before the section and \
                         before the key",
                        key.variable()
                    );
                    faults.push(ConfigFault::new(name, problem).hiding());
                } else if let Some(path) = path {
                    let advice = keys::nearest(&path).map_or_else(
                        || "variables are named SEATLEDGER__SECTION__KEY".to_owned(),
                        |key| format!("did you mean {}?", key.variable()),
                    );
                    faults.push(
                        ConfigFault::new(name, format!("sets no known key; {advice}")).hiding(),
                    );
                }
                // Other names with our prefix are ignored: container platforms set such variables
                // for services.
            }
        }
    }
    (layer, faults)
}

/// Sorts by key, so that a report lists its faults in a fixed order.
fn sorted<K: Ord, V>(entries: impl IntoIterator<Item = (K, V)>) -> Vec<(K, V)> {
    let mut entries: Vec<_> = entries.into_iter().collect();
    entries.sort_by(|(left, _), (right, _)| left.cmp(right));
    entries
}

fn unknown_key(path: &str, value: &ValueKind) -> ConfigFault {
    let section = path.split_once('.').map_or("", |(section, _)| section);
    let Some(nearest) = keys::nearest(path) else {
        let known: Vec<_> = keys::of_section(section).map(ConfigKey::name).collect();
        let problem = format!("unknown key; [{section}] has {}", known.join(", "));
        return ConfigFault::new(path, problem).hiding();
    };
    let fault = ConfigFault::new(path, format!("unknown key; did you mean {}?", nearest.path));
    // The value is shown only if it cannot be a misplaced secret.
    let is_harmless = !nearest.hidden
        && nearest.section() == section
        && keys::of_section(section).all(|key| !key.hidden);
    match displayed(value) {
        Some(value) if is_harmless => fault.showing(value),
        _ => fault.hiding(),
    }
}

fn unknown_section(name: &str, value: &ValueKind) -> ConfigFault {
    let is_section = matches!(value, ValueKind::Table(_));
    let what = if is_section { "section" } else { "key" };
    let advice = match (keys::nearest_section(name), keys::nearest(name)) {
        (Some(section), _) if is_section => format!("did you mean [{section}]?"),
        (_, Some(key)) if !is_section => {
            format!(
                "did you mean {}, in the section [{}]?",
                key.path,
                key.section()
            )
        }
        _ => format!("the sections are {}", keys::sections().join(", ")),
    };
    let fault = ConfigFault::new(name, format!("unknown {what}; {advice}"));
    if is_section { fault } else { fault.hiding() }
}

/// A single value as a report may show it; none for lists, tables and URLs with a user.
pub(super) fn displayed(value: &ValueKind) -> Option<String> {
    match value {
        ValueKind::String(text) if text.contains("://") && text.contains('@') => None,
        ValueKind::String(text) => Some(quoted(text)),
        ValueKind::Nil | ValueKind::Table(_) | ValueKind::Array(_) => None,
        ValueKind::Boolean(_)
        | ValueKind::I64(_)
        | ValueKind::I128(_)
        | ValueKind::U64(_)
        | ValueKind::U128(_)
        | ValueKind::Float(_) => Some(value.to_string()),
    }
}
