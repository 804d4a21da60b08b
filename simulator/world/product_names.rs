//! What a product is called in an answer: its name in the caller's language if names are localized,
//! and its new name once it has been renamed. Its id stays the same.

use chrono::NaiveDate;

use super::{catalog::Product, variety};
use crate::settings::SimulatorSettings;

/// English, German, Swedish. Other products have the same name in every language.
static TRANSLATIONS: [(&str, &str, &str); 10] = [
    (
        "Microsoft 365 Business Basic",
        "Microsoft 365 Unternehmen Basis",
        "Microsoft 365 Företag Bas",
    ),
    (
        "Microsoft 365 Business Standard",
        "Microsoft 365 Unternehmen Standard",
        "Microsoft 365 Företag Standard",
    ),
    (
        "Microsoft 365 Business Premium",
        "Microsoft 365 Unternehmen Premium",
        "Microsoft 365 Företag Premium",
    ),
    (
        "Exchange Online (Plan 1)",
        "Exchange Online (Tarif 1)",
        "Exchange Online (abonnemang 1)",
    ),
    (
        "Exchange Online (Plan 2)",
        "Exchange Online (Tarif 2)",
        "Exchange Online (abonnemang 2)",
    ),
    (
        "Exchange Online Archiving for Exchange Online",
        "Exchange Online-Archivierung für Exchange Online",
        "Exchange Online-arkivering för Exchange Online",
    ),
    (
        "SharePoint Online (Plan 1)",
        "SharePoint Online (Tarif 1)",
        "SharePoint Online (abonnemang 1)",
    ),
    (
        "Microsoft 365 Apps for business",
        "Microsoft 365 Apps für Unternehmen",
        "Microsoft 365-appar för företag",
    ),
    (
        "Skype for Business Online (Plan 2)",
        "Skype for Business Online (Tarif 2)",
        "Skype för företag – Online (abonnemang 2)",
    ),
    (
        "Dynamics 365 Team Members",
        "Dynamics 365 Teammitglieder",
        "Dynamics 365 Teammedlemmar",
    ),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Language {
    English,
    German,
    Swedish,
}

/// The names of products in one answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProductNames<'a> {
    language: Language,
    /// The old name and the new one of each renamed product.
    renamed: [Option<(&'a str, &'a str)>; 3],
}

impl<'a> ProductNames<'a> {
    pub(crate) fn new(
        settings: &'a SimulatorSettings,
        locale: Option<&str>,
        today: NaiveDate,
    ) -> Self {
        let is = |wanted: &str| locale.is_some_and(|given| given.eq_ignore_ascii_case(wanted));
        let language = match settings.localized_names {
            true if is("de-DE") => Language::German,
            true if is("sv-SE") => Language::Swedish,
            _ => Language::English,
        };
        let is_renamed = settings.renamed_from.is_some_and(|from| today >= from);
        let own = is_renamed.then_some((&*settings.renamed_product, &*settings.renamed_to));
        let varied = settings.varied_from.into_iter();
        let mut varied = varied.flat_map(|from| variety::renamed(from, today));
        Self {
            language,
            renamed: [own, varied.next(), varied.next()],
        }
    }

    pub(crate) fn of(&self, product: &'static Product) -> &'a str {
        let mut renamed = self.renamed.iter().flatten();
        if let Some((_, new)) = renamed.find(|(old, _)| *old == product.name) {
            return new;
        }
        let known = TRANSLATIONS.iter().find(|(name, ..)| *name == product.name);
        match (self.language, known) {
            (Language::German, Some((_, german, _))) => german,
            (Language::Swedish, Some((_, _, swedish))) => swedish,
            _ => product.name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::catalog::{EXTRAS, SUITES};

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_translated_only_if_they_are_localized() {
        let name = |localized_names, locale| {
            let settings = SimulatorSettings {
                localized_names,
                ..SimulatorSettings::default()
            };
            let names = ProductNames::new(&settings, locale, date("2026-05-04"));
            names.of(&SUITES[0]).to_owned()
        };
        assert_eq!(name(false, Some("de-DE")), SUITES[0].name);
        assert_eq!(name(true, Some("de-DE")), "Microsoft 365 Unternehmen Basis");
        assert_eq!(name(true, Some("sv-se")), "Microsoft 365 Företag Bas");
        assert_eq!(name(true, Some("fr-FR")), SUITES[0].name);
        assert_eq!(name(true, None), SUITES[0].name);
    }

    #[test]
    fn every_translation_is_of_a_product_in_the_catalogue() {
        for (name, ..) in &TRANSLATIONS {
            let mut products = SUITES.iter().chain(&EXTRAS);
            assert!(products.any(|product| product.name == *name), "{name}");
        }
    }

    #[test]
    fn a_renamed_product_has_its_new_name_from_that_day_on() {
        let settings = SimulatorSettings {
            renamed_from: Some(date("2026-05-04")),
            renamed_product: SUITES[3].name.to_owned(),
            renamed_to: "Office 365 E1 (no Teams)".to_owned(),
            ..SimulatorSettings::default()
        };
        let name = |today, place: usize| {
            let names = ProductNames::new(&settings, None, date(today));
            names.of(&SUITES[place]).to_owned()
        };
        assert_eq!(name("2026-05-03", 3), "Office 365 E1");
        assert_eq!(name("2026-05-04", 3), "Office 365 E1 (no Teams)");
        assert_eq!(name("2026-05-04", 4), "Office 365 E3");
    }
}
