//! The texts, numbers and dates of a customer's page and report, in English or as a file says.

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use thiserror::Error;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const ENGLISH: &str = include_str!("en.toml");

/// How different a key may be to be taken for a slip of the pen.
const LIKELY: f64 = 0.7;

/// Why a file of texts is of no use.
#[derive(Debug, Error)]
pub(crate) enum LanguageError {
    #[error("it is no TOML: {0}")]
    Syntax(String),
    #[error("{key} is not a text in quotation marks")]
    NoText { key: String },
    #[error("there is no text {key}{}", nearest.map_or_else(
        || ", see docs/languages/en.toml for all of them".to_owned(),
        |known| format!("; did you mean {known}?")
    ))]
    Unknown {
        key: String,
        nearest: Option<&'static str>,
    },
    #[error(
        "{key} has the word {{{word}}} in braces, which nothing fills in; the English text is \
             {english:?}"
    )]
    Placeholder {
        key: String,
        word: String,
        english: String,
    },
    #[error("{key} leaves out the word {{{word}}} in braces; the English text is {english:?}")]
    LeftOut {
        key: String,
        word: String,
        english: String,
    },
    #[error("direction is \"ltr\" or \"rtl\", and not {found:?}")]
    Direction { found: String },
    #[error("{key} needs {needed} names with commas between them, and has {found}")]
    Names {
        key: &'static str,
        needed: usize,
        found: usize,
    },
}

/// Makes a field, a key and an entry of each text.
macro_rules! texts {
    ($($key:ident)+) => {
        /// The texts, each under its key in the file.
        #[derive(Debug, Clone, Default)]
        pub(crate) struct Language {
            $(pub(crate) $key: String,)+
        }

        const KEYS: &[&str] = &[$(stringify!($key)),+];

        impl Language {
            fn text_mut(&mut self, key: &str) -> Option<&mut String> {
                match key {
                    $(stringify!($key) => Some(&mut self.$key),)+
                    _ => None,
                }
            }
        }
    };
}

texts! {
    tag direction thousands decimal date date_short month month_names weekday_names percent
    report_title period_of_one_month period_of_months prepared_by figures_of made_on without_name
    summary_title summary summary_all_used summary_without_seats sold assigned active unused used
    of_sold_seats active_note
    seats_title seats_caption product kind kind_free kind_trial no_products total_of_paid
    uses_title uses_caption workload qualified now days_ago no_longer
    lines_title lines_caption_days lines_caption_weeks line_alternative at_first at_last line
    days_title days_caption week_of day_stored day_empty day_no_relationship day_denied
    day_throttled day_failed day_missed day_none
    restatements_title restatements_caption corrected_on date_of_figures active_before
    qualified_before no_restatements
    holdings_title holdings_caption first_seen last_seen status since_before held new ended replaces
    notes_title note_active note_workloads note_unused note_other_sellers
    index_title index_caption customer
}

impl Language {
    pub(crate) fn english() -> Self {
        Self::default()
            .with(ENGLISH)
            .expect("the English texts are in order, which a test checks")
    }

    /// The language of a file: what it leaves out is English.
    pub(crate) fn from_file(text: &str) -> Result<Self, LanguageError> {
        Self::english().with(text)
    }

    fn with(mut self, file: &str) -> Result<Self, LanguageError> {
        let table = DeTable::parse(file);
        let table = table.map_err(|error| LanguageError::Syntax(error.to_string()))?;
        for (key, value) in table.get_ref() {
            self.set(key.get_ref(), value)?;
        }
        for (key, needed, names) in [
            ("month_names", 12, &self.month_names),
            ("weekday_names", 7, &self.weekday_names),
        ] {
            let found = names.split(',').count();
            if found != needed {
                return Err(LanguageError::Names { key, needed, found });
            }
        }
        match &*self.direction {
            "ltr" | "rtl" => Ok(self),
            _ => Err(LanguageError::Direction {
                found: self.direction,
            }),
        }
    }

    fn set(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<(), LanguageError> {
        let Some(text) = self.text_mut(key) else {
            let known = KEYS.iter();
            let near = known.map(|known| (strsim::jaro_winkler(known, key), *known));
            let nearest = near.max_by(|a, b| a.0.total_cmp(&b.0));
            return Err(LanguageError::Unknown {
                key: key.to_owned(),
                nearest: nearest.filter(|it| it.0 > LIKELY).map(|it| it.1),
            });
        };
        let DeValue::String(new) = value.get_ref() else {
            return Err(LanguageError::NoText {
                key: key.to_owned(),
            });
        };
        // The English text, which is set first, says what is filled in.
        if !text.is_empty() {
            let words = |text| -> Vec<&str> { placeholders(text).collect() };
            let (known, used) = (words(text), words(new));
            let is_date = is_form_of_date(key);
            let is_known = |word| known.contains(word) || (is_date && DATE_WORDS.contains(word));
            if let Some(word) = used.iter().find(|word| !is_known(word)) {
                return Err(LanguageError::Placeholder {
                    key: key.to_owned(),
                    word: (*word).to_owned(),
                    english: text.clone(),
                });
            }
            let mut left_out = known.iter().filter(|word| !used.contains(word));
            if let Some(word) = left_out.next().filter(|_| !is_date) {
                return Err(LanguageError::LeftOut {
                    key: key.to_owned(),
                    word: (*word).to_owned(),
                    english: text.clone(),
                });
            }
        }
        text.clear();
        text.push_str(new);
        Ok(())
    }

    /// Whether its script runs from right to left.
    pub(crate) fn is_right_to_left(&self) -> bool {
        self.direction == "rtl"
    }

    /// A sign that stands before the digits after it. Among texts from right to left it would stand
    /// behind them without a mark of the digits' direction.
    fn sign(&self, sign: char) -> String {
        let mark = self.is_right_to_left().then_some('\u{200e}');
        mark.into_iter().chain([sign]).collect()
    }

    /// A count with its thousands apart: "12,345".
    pub(crate) fn count(&self, number: i64) -> String {
        let digits = number.unsigned_abs().to_string();
        let mut shown = if number < 0 {
            self.sign('−')
        } else {
            String::new()
        };
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                shown.push_str(&self.thousands);
            }
            shown.push(digit);
        }
        shown
    }

    /// A change with its sign; nothing if there is none.
    pub(crate) fn change(&self, change: i64) -> String {
        match change {
            0 => String::new(),
            1.. => self.sign('+') + &self.count(change),
            _ => self.count(change),
        }
    }

    /// A part of the whole: "78.1 %". None of nothing.
    #[expect(
        clippy::cast_precision_loss,
        reason = "the last digit of a percentage does not matter"
    )]
    pub(crate) fn percent_of(&self, part: i64, whole: i64) -> Option<String> {
        let percent = 100.0 * part as f64 / whole as f64;
        let number = format!("{percent:.1}").replace('.', &self.decimal);
        (whole > 0).then(|| fill(&self.percent, &[("number", &number)]))
    }

    /// A date in words.
    pub(crate) fn day(&self, date: NaiveDate) -> String {
        self.dated(&self.date, date)
    }

    /// A date in digits.
    pub(crate) fn day_short(&self, date: NaiveDate) -> String {
        self.dated(&self.date_short, date)
    }

    /// A moment's date (UTC) in digits.
    pub(crate) fn moment(&self, moment: DateTime<Utc>) -> String {
        self.day_short(moment.date_naive())
    }

    /// A month in words.
    pub(crate) fn month_of(&self, date: NaiveDate) -> String {
        self.dated(&self.month, date)
    }

    pub(crate) fn weekdays(&self) -> impl Iterator<Item = &str> {
        self.weekday_names.split(',').map(str::trim)
    }

    fn dated(&self, form: &str, date: NaiveDate) -> String {
        let mut names = self.month_names.split(',').map(str::trim);
        let name = names.nth(date.month0() as usize).unwrap_or_default();
        fill(
            form,
            &[
                ("day", &date.day().to_string()),
                ("day_2", &format!("{:02}", date.day())),
                ("month", name),
                ("month_2", &format!("{:02}", date.month())),
                ("year", &date.year().to_string()),
            ],
        )
    }
}

const DATE_WORDS: [&str; 5] = ["day", "day_2", "month", "month_2", "year"];

/// Forms of dates may name any part of a date, whatever the English ones have.
fn is_form_of_date(key: &str) -> bool {
    matches!(key, "date" | "date_short" | "month")
}

/// The words in braces.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    let after = text.split('{').skip(1);
    after.filter_map(|rest| rest.split_once('}').map(|(word, _)| word))
}

/// Puts values in the place of words in braces. A value with braces stays as it is.
pub(crate) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        rest = after;
        if let Some((word, after)) = after.split_once('}')
            && let Some((_, value)) = values.iter().find(|(name, _)| *name == word)
        {
            filled.push_str(value);
            rest = after;
        } else {
            filled.push('{');
        }
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn english_has_a_text_for_each_key() {
        let english = DeTable::parse(ENGLISH).unwrap();
        let mut found: Vec<&str> = english
            .get_ref()
            .keys()
            .map(|key| key.get_ref().as_ref())
            .collect();
        let mut keys = KEYS.to_vec();
        found.sort_unstable();
        keys.sort_unstable();
        assert_eq!(found, keys);
    }

    #[test]
    fn the_languages_in_the_documentation_are_those_of_this_version() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/languages");
        let english = fs::read_to_string(folder.join("en.toml")).unwrap();
        assert_eq!(
            english, ENGLISH,
            "cp src/pages/languages/en.toml docs/languages"
        );
        let german = fs::read_to_string(folder.join("de.toml")).unwrap();
        let language = Language::from_file(&german).unwrap();
        let day = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
        assert_eq!(language.day(day), "1. März 2026");
        assert_eq!(language.day_short(day), "01.03.2026");
        assert_eq!(language.count(-1_234_567), "−1.234.567");
        assert_eq!(language.percent_of(1, 3).as_deref(), Some("33,3 %"));
        let table = DeTable::parse(&german).unwrap();
        assert_eq!(table.get_ref().len(), KEYS.len(), "German has all texts");
    }

    #[test]
    fn what_a_file_leaves_out_is_english() {
        let language = Language::from_file("sold = \"Verkauft\"").unwrap();
        assert_eq!(language.sold, "Verkauft");
        assert_eq!(language.unused, "Unused");
    }

    #[test]
    fn a_sign_stands_before_its_digits_in_both_directions() {
        let signs = |language: &Language| [language.count(-12), language.change(12)];
        assert_eq!(signs(&Language::english()), ["−12", "+12"]);
        let hebrew = Language::from_file("direction = \"rtl\"").unwrap();
        assert_eq!(signs(&hebrew), ["\u{200e}−12", "\u{200e}+12"]);
    }

    #[test]
    fn a_mistake_in_a_file_is_named() {
        for (file, said) in [
            ("solt = \"x\"", "there is no text solt; did you mean sold?"),
            (
                "qqqq = \"x\"",
                "there is no text qqqq, see docs/languages/en.toml for all of them",
            ),
            ("sold = 3", "sold is not a text in quotation marks"),
            (
                "made_on = \"am {datum}\"",
                "made_on has the word {datum} in braces, which nothing fills in; the English text \
                 is \"Made on {date}\"",
            ),
            (
                "of_sold_seats = \"von {seats verkauften\"",
                "of_sold_seats leaves out the word {seats} in braces; the English text is \"of \
                 {seats} sold\"",
            ),
            (
                "direction = \"right\"",
                "direction is \"ltr\" or \"rtl\", and not \"right\"",
            ),
            (
                "weekday_names = \"Mo, Di\"",
                "weekday_names needs 7 names with commas between them, and has 2",
            ),
        ] {
            let error = Language::from_file(file).unwrap_err();
            assert_eq!(error.to_string(), said);
        }
        let syntax = Language::from_file("sold = \"").unwrap_err().to_string();
        assert!(syntax.starts_with("it is no TOML: "), "{syntax}");
    }

    #[test]
    fn a_value_with_braces_is_not_filled_in_again() {
        let filled = fill("{a} and {b}{", &[("a", "{b}"), ("b", "2")]);
        assert_eq!(filled, "{b} and 2{");
    }
}
