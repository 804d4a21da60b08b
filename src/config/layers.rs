//! Lays defaults, file and environment over each other. Keeps what is known, reports what is not.

use std::collections::HashMap;
use std::fmt;

use ::config::{Config as Merged, ConfigError as Unmergeable, Map, Source, Value, ValueKind};

use super::fault::{Fault, Place, quoted};
use super::keys::{self, Key};

const PREFIX: &str = "SEATLEDGER_";

/// The origin of a value that nobody gave. No environment variable of ours has this name.
const DEFAULT: &str = "default";

/// Known keys and their values, from one place.
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

/// All layers in one: for each known key the value that wins.
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

    /// What was given for `key`, and where.
    pub(super) fn get(&self, key: &Key, file: &str) -> Option<(ValueKind, Place)> {
        let ValueKind::Table(section) = &self.0.get(key.section())?.kind else {
            return None;
        };
        let value = section.get(key.name())?;
        let place = match value.origin() {
            None => Place::File(file.to_owned()),
            Some(DEFAULT) => Place::Default,
            Some(variable) => Place::Variable(variable.to_owned()),
        };
        Some((value.kind.clone(), place))
    }
}

fn table(value: Value) -> Map<String, Value> {
    match value.kind {
        ValueKind::Table(table) => table,
        _ => Map::new(),
    }
}

/// Sorts the top level of the file into known keys and faults.
pub(super) fn from_file(top: Map<String, Value>, place: &Place) -> (Layer, Vec<Fault>) {
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
                        faults.push(unknown_key(&path, &value.kind).at(place.clone()));
                    }
                }
            }
            _ if known => faults.push(
                Fault::new(&section, format!("must be a section, headed [{section}]"))
                    .hiding()
                    .at(place.clone()),
            ),
            kind => faults.push(unknown_section(&section, &kind).at(place.clone())),
        }
    }
    (layer, faults)
}

/// Sorts the program's own environment variables into known keys and faults.
pub(super) fn from_environment(environment: &HashMap<String, String>) -> (Layer, Vec<Fault>) {
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
                    faults.push(Fault::new(name, "is not UTF-8 text").hiding());
                }
                if layer.0.insert(path, text).is_some() {
                    let problem = "is set twice, in different letter case; keep one";
                    faults.push(Fault::new(name, problem).hiding());
                }
            }
            (None, path) => {
                if let Some(key) = keys::find_run_together(rest) {
                    let problem = format!(
                        "is not read; write it {}, with two underscores before the section and \
                         before the key",
                        key.variable()
                    );
                    faults.push(Fault::new(name, problem).hiding());
                } else if let Some(path) = path {
                    let advice = keys::nearest(&path).map_or_else(
                        || "variables are named SEATLEDGER__SECTION__KEY".to_owned(),
                        |key| format!("did you mean {}?", key.variable()),
                    );
                    faults.push(Fault::new(name, format!("sets no known key; {advice}")).hiding());
                }
                // Anything else with our prefix is none of ours: container platforms set such names
                // for services.
            }
        }
    }
    (layer, faults)
}

/// Hash maps have no order, but a report should.
fn sorted<K: Ord, V>(entries: impl IntoIterator<Item = (K, V)>) -> Vec<(K, V)> {
    let mut entries: Vec<_> = entries.into_iter().collect();
    entries.sort_by(|(left, _), (right, _)| left.cmp(right));
    entries
}

fn unknown_key(path: &str, value: &ValueKind) -> Fault {
    let section = path.split_once('.').map_or("", |(section, _)| section);
    let Some(nearest) = keys::nearest(path) else {
        let known: Vec<_> = keys::of_section(section).map(Key::name).collect();
        let problem = format!("unknown key; [{section}] has {}", known.join(", "));
        return Fault::new(path, problem).hiding();
    };
    let fault = Fault::new(path, format!("unknown key; did you mean {}?", nearest.path));
    // Only the slip of a harmless key is shown: anything else may be a secret in the wrong place.
    let harmless = !nearest.hidden
        && nearest.section() == section
        && keys::of_section(section).all(|key| !key.hidden);
    match shown(value) {
        Some(value) if harmless => fault.showing(value),
        _ => fault.hiding(),
    }
}

fn unknown_section(name: &str, value: &ValueKind) -> Fault {
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
    let fault = Fault::new(name, format!("unknown {what}; {advice}"));
    if is_section { fault } else { fault.hiding() }
}

/// A single value as a report may show it; none for lists and tables.
pub(super) fn shown(value: &ValueKind) -> Option<String> {
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
