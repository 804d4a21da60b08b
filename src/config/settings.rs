//! Gives the merged values one by one, in the type that is asked for, and gathers the faults on the
//! way.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use ::config::{Value, ValueKind};

use super::fault::{ConfigError, Fault, Place, quoted};
use super::keys::Key;
use super::layers::{Layers, shown};
use crate::text::trimmed;

/// So many entries of a list are named when they are wrong.
const MAX_ENTRIES_NAMED: usize = 5;

/// There is no value, and the report says why.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reported;

/// A value, or a fault in the report.
pub(super) type Read<T> = Result<T, Reported>;

/// All values, and what is wrong with them so far.
pub(super) struct Settings {
    layers: Layers,
    file: String,
    faults: Vec<Fault>,
    warnings: Vec<String>,
    is_guessed: bool,
}

impl Settings {
    pub(super) fn new(layers: Layers, file: String, faults: Vec<Fault>) -> Self {
        Self {
            layers,
            file,
            faults,
            warnings: Vec::new(),
            is_guessed: false,
        }
    }

    /// Adds to the report; the same words only once.
    pub(super) fn note(&mut self, fault: Fault) -> Reported {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
        Reported
    }

    /// Adds what is not wrong, but should be known; the same words only once.
    pub(super) fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// What is not wrong, but should be known.
    pub(super) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Notes that the file is no Unicode from `line` on.
    pub(super) fn mark_guessed(&mut self, line: usize) {
        self.is_guessed = true;
        self.warn(format!(
            "line {line} of {} is not UTF-8 and was read as Windows-1252; save the file as UTF-8",
            self.file
        ));
    }

    /// Whether letters beyond ASCII in what was given at `place` are guesses.
    pub(super) fn is_guessed(&self, place: &Place) -> bool {
        self.is_guessed && matches!(place, Place::File(_))
    }

    /// Notes that what was given for `key` does not do.
    pub(super) fn refuse(&mut self, key: &Key, problem: impl Into<String>) -> Reported {
        let fault = self.fault(key, problem);
        self.note(fault)
    }

    /// What was given for `key` does not do. Shows the value if that is safe.
    pub(super) fn fault(&self, key: &Key, problem: impl Into<String>) -> Fault {
        let fault = Fault::new(key.path, problem);
        match self.layers.get(key, &self.file) {
            Some((value, place)) => match (shown(&value), value) {
                (Some(text), _) if !key.hidden => fault.showing(text),
                // A list is too long to show; what is wrong with it names the entry.
                (None, ValueKind::Array(_)) if !key.hidden => fault,
                _ => fault.hiding(),
            }
            .at(place),
            None => fault,
        }
    }

    /// Notes that `key` must be given.
    fn miss(&mut self, key: &Key) -> Reported {
        let problem = format!(
            "is missing; set it in {} or as {}",
            self.file,
            key.variable()
        );
        self.note(Fault::new(key.path, problem))
    }

    /// The path of the configuration file.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// Where `key` was given; none for a default.
    pub(super) fn given_at(&self, key: &Key) -> Option<Place> {
        self.layers
            .get(key, &self.file)
            .map(|(_, place)| place)
            .filter(|place| *place != Place::Default)
    }

    /// The text that was given for `key`, of whatever worth.
    pub(super) fn text_at(&self, key: &Key) -> Option<String> {
        match self.layers.get(key, &self.file)?.0 {
            ValueKind::String(text) => Some(text),
            _ => None,
        }
    }

    /// What was given for `key`, or its default.
    pub(super) fn optional<T>(
        &mut self,
        key: &Key,
        convert: impl FnOnce(&Given) -> Result<T, String>,
    ) -> Read<Option<T>> {
        let Some((kind, place)) = self.layers.get(key, &self.file) else {
            return Ok(None);
        };
        let given = Given {
            kind,
            in_words: !matches!(place, Place::File(_)),
        };
        convert(&given)
            .map(Some)
            .map_err(|problem| self.refuse(key, problem))
    }

    /// As [`Settings::optional`], but there must be a value.
    pub(super) fn required<T>(
        &mut self,
        key: &Key,
        convert: impl FnOnce(&Given) -> Result<T, String>,
    ) -> Read<T> {
        self.optional(key, convert)?.ok_or_else(|| self.miss(key))
    }

    /// `value` if nothing at all was wrong.
    pub(super) fn finish<T>(self, value: Read<T>) -> Result<T, ConfigError> {
        match value {
            Ok(value) if self.faults.is_empty() => Ok(value),
            _ => Err(ConfigError::new(self.faults)),
        }
    }
}

/// One value as it was written. The errors of its methods say what would be right and never repeat
/// the value.
pub(super) struct Given {
    kind: ValueKind,
    /// Environment and defaults know text only, so numbers and lists are read from it.
    in_words: bool,
}

impl Given {
    /// Text, not blank.
    pub(super) fn text(&self) -> Result<&str, String> {
        match self.text_or_empty()? {
            "" => Err("is empty".to_owned()),
            text => Ok(text),
        }
    }

    /// Text, blank or not, without blanks and invisible characters at its ends: values that come
    /// from a file by way of the environment have them.
    pub(super) fn text_or_empty(&self) -> Result<&str, String> {
        match &self.kind {
            ValueKind::String(text) => Ok(trimmed(text)),
            _ => Err(self.must_be("text in quotes")),
        }
    }

    pub(super) fn switch(&self) -> Result<bool, String> {
        match &self.kind {
            ValueKind::Boolean(value) => Ok(*value),
            ValueKind::String(text) if self.in_words => text
                .trim()
                .to_ascii_lowercase()
                .parse()
                .map_err(|_| "must be true or false".to_owned()),
            _ => Err(self.must_be("true or false")),
        }
    }

    pub(super) fn whole<T>(&self, range: RangeInclusive<T>) -> Result<T, String>
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let right = format!("a whole number from {} to {}", range.start(), range.end());
        let number = match &self.kind {
            ValueKind::I64(number) => Some(*number),
            ValueKind::String(text) if self.in_words => text.trim().parse().ok(),
            _ => return Err(self.must_be(&right)),
        };
        number
            .and_then(|number| T::try_from(number).ok())
            .filter(|number| range.contains(number))
            .ok_or_else(|| format!("must be {right}"))
    }

    pub(super) fn number(&self, range: RangeInclusive<f64>) -> Result<f64, String> {
        let right = format!("a number from {} to {}", range.start(), range.end());
        let number = match &self.kind {
            // As text, because not every whole number is a float; one too large is refused below.
            ValueKind::I64(number) => number.to_string().parse().ok(),
            ValueKind::Float(number) => Some(*number),
            ValueKind::String(text) if self.in_words => text.trim().parse().ok(),
            _ => return Err(self.must_be(&right)),
        };
        number
            .filter(|number| range.contains(number))
            .ok_or_else(|| format!("must be {right}"))
    }

    pub(super) fn duration(&self, range: RangeInclusive<Duration>) -> Result<Duration, String> {
        let text = match &self.kind {
            ValueKind::String(text) => text.trim().to_owned(),
            ValueKind::I64(_) | ValueKind::Float(_) => self.kind.to_string(),
            _ => return Err(self.must_be("a duration in quotes, such as \"30s\" or \"15m\"")),
        };
        if text.starts_with(|c: char| c.is_ascii_digit())
            && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.'))
        {
            return Err(format!(
                "has no unit; write \"{text}s\" if seconds are meant"
            ));
        }
        let [least, most] =
            [range.start(), range.end()].map(|end| humantime::format_duration(*end));
        match humantime::parse_duration(&text) {
            Ok(duration) if range.contains(&duration) => Ok(duration),
            Ok(_) => Err(format!("must be from {least} to {most}")),
            Err(_) => Err("must be a duration such as \"30s\", \"15m\" or \"1h 30m\"".to_owned()),
        }
    }

    /// One of the names, which mean the values beside them.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, String> {
        let text = self.text()?;
        choices
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, value)| *value)
            .ok_or_else(|| {
                let names: Vec<_> = choices.iter().map(|(name, _)| quoted(name)).collect();
                format!("must be one of {}", names.join(", "))
            })
    }

    /// Each entry through `convert`; the problem names entries by their position from 1.
    pub(super) fn list<T>(
        &self,
        convert: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        let entries: Vec<Value> = match &self.kind {
            ValueKind::Array(entries) => entries.clone(),
            // Written with commas, line by line as a file has it, or as it would be in the
            // configuration file.
            ValueKind::String(text) if self.in_words => text
                .trim()
                .trim_start_matches('[')
                .trim_end_matches(']')
                .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'))
                .map(|entry| entry.trim().trim_matches(['"', '\'']))
                .filter(|entry| !entry.is_empty())
                .map(Value::from)
                .collect(),
            _ => return Err(self.must_be("a list of texts, such as [\"…\", \"…\"]")),
        };
        let mut converted = Vec::with_capacity(entries.len());
        let mut problems = Vec::new();
        for (position, entry) in (1..).zip(entries) {
            match &entry.kind {
                ValueKind::String(text) => match convert(text) {
                    Ok(value) => converted.push(value),
                    Err(problem) => {
                        problems.push(format!("entry {position}, {}, {problem}", quoted(text)));
                    }
                },
                other => problems.push(format!(
                    "entry {position} must be text in quotes, not {}",
                    described(other)
                )),
            }
        }
        if problems.is_empty() {
            return Ok(converted);
        }
        let further = problems.len().saturating_sub(MAX_ENTRIES_NAMED);
        problems.truncate(MAX_ENTRIES_NAMED);
        if further > 0 {
            problems.push(format!("and {further} more"));
        }
        Err(problems.join("; "))
    }

    fn must_be(&self, right: &str) -> String {
        format!("must be {right}, not {}", described(&self.kind))
    }
}

fn described(kind: &ValueKind) -> &'static str {
    match kind {
        ValueKind::Nil => "nothing",
        ValueKind::Boolean(_) => "true or false",
        ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => {
            "a whole number"
        }
        ValueKind::Float(_) => "a number with a fraction",
        ValueKind::String(_) => "text in quotes",
        ValueKind::Table(_) => "a section",
        ValueKind::Array(_) => "a list",
    }
}
