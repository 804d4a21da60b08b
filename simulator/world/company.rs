//! Invented companies: a believable name, and a domain that cannot be registered (`.example` is
//! reserved). Pure: a draw in, text out.

use super::draw::Draw;

#[rustfmt::skip]
const STEMS: [&str; 56] = [
    "Aldermoor", "Brackwater", "Brynfelt", "Calderholt", "Castrello", "Corvalen", "Dravik",
    "Dunmarrow", "Eastvale", "Elmbridge", "Fennworth", "Fjordane", "Fosterlund", "Galdivar",
    "Glenharrow", "Grauwald", "Hallströmer", "Hartwell", "Hollenbeek", "Ironmere", "Jadvik",
    "Kaltenbrook", "Kestrelby", "Kirkhaven", "Lindqvarn", "Lowenthorpe", "Marisol", "Marlinspike",
    "Mistralle", "Montferro", "Nordhamn", "Oakhurst", "Ormelund", "Ostrava Nova", "Pellworth",
    "Pinewater", "Quillan", "Ravensholm", "Redgrove", "Rosendale", "Sablecroft", "Saltmarsh",
    "Silverbeck", "Solvang", "Stonebrae", "Tarnwick", "Thornfeld", "Ulverston", "Valbruna",
    "Vesterøy", "Wexmere", "Whitcombe", "Wintergreen", "Yarrowdale", "Zandhoven", "Zellerton",
];

#[rustfmt::skip]
const TRADES: [&str; 36] = [
    "Accountants", "Architects", "Bakeries", "Biotech", "Builders", "Clinics", "Components",
    "Consulting", "Cooperative", "Dental Care", "Distribution", "Electrical", "Energy",
    "Engineering", "Estates", "Fisheries", "Foods", "Foundation", "Furniture", "Hotels",
    "Instruments", "Insurance", "Law", "Logistics", "Marine", "Media", "Motors",
    "Municipal Works", "Packaging", "Precision Tools", "Property", "Publishing", "Schools",
    "Textiles", "Timber", "Travel",
];

const FORMS: [&str; 10] = [
    "Ltd", "AB", "GmbH", "Inc.", "LLC", "BV", "AS", "Group", "Oy", "S.A.",
];

/// The company's name, e.g. `Kestrelby & Hartwell Logistics AB`.
pub(crate) fn name(draw: Draw) -> String {
    let first = draw.on(0).pick(&STEMS);
    let trade = draw.on(1).pick(&TRADES);
    let form = draw.on(2).pick(&FORMS);
    let second = draw.on(3).pick(&STEMS);
    if draw.on(4).chance(0.15) && first != second {
        format!("{first} & {second} {trade} {form}")
    } else if draw.on(5).chance(0.12) {
        format!("{first} {trade}")
    } else {
        format!("{first} {trade} {form}")
    }
}

/// The company's domain. The number makes it unique.
pub(crate) fn domain(draw: Draw, number: u32) -> String {
    let first = draw.on(0).pick(&STEMS);
    let trade = draw.on(1).pick(&TRADES);
    let label: String = first
        .chars()
        .chain(trade.chars())
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    if draw.on(6).chance(0.6) {
        format!("{label}{number}.onmicrosoft.example")
    } else {
        format!("{label}{number}.example")
    }
}
