//! A workbook has what its report has, for calculating.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use super::{newest_month, out, world};

#[tokio::test]
async fn a_workbook_has_the_figures_as_numbers() {
    let world = world().await;
    let month = newest_month(&world).await;
    let customer: String = world.value("select customer(1)::text").await;
    let (_, path) = out(&world, "one.html");
    let arguments = [
        "report",
        "--customer",
        &customer,
        "--xlsx",
        "--from",
        &month,
        "--to",
    ];
    world
        .run(&[&arguments[..], &[&month, "--out", &path]].concat())
        .await
        .assert_code(0);
    let book = unpacked(&world.folder.path().join("one.xlsx"));
    let seats = &book["xl/worksheets/sheet2.xml"];
    // Sold, qualified, active, unused: of the product with most paid seats.
    for (cell, value) in [("C2", "110"), ("E2", "100"), ("F2", "60"), ("G2", "50")] {
        let start = format!("<c r=\"{cell}\" s=");
        let (_, rest) = seats
            .split_once(&start)
            .unwrap_or_else(|| panic!("{cell} in {seats}"));
        let found = rest
            .split_once("<v>")
            .unwrap()
            .1
            .split_once("</v>")
            .unwrap()
            .0;
        assert_eq!(found, value, "{cell}");
    }
    assert!(seats.contains("state=\"frozen\""), "{seats}");
}

/// The files of a ZIP archive.
pub(super) fn unpacked(path: &Path) -> BTreeMap<String, String> {
    let bytes = fs::read(path).unwrap();
    let number = |at: usize, size: usize| {
        let digits = bytes[at..at + size].iter().rev();
        digits.fold(0, |number, byte| number << 8 | usize::from(*byte))
    };
    // The central directory has the sizes; its place is in the last record.
    let end = bytes
        .windows(4)
        .rposition(|it| it == b"PK\x05\x06")
        .unwrap();
    let mut at = number(end + 16, 4);
    let mut files = BTreeMap::new();
    for _ in 0..number(end + 10, 2) {
        let (size, name_length) = (number(at + 20, 4), number(at + 28, 2));
        let name = String::from_utf8(bytes[at + 46..at + 46 + name_length].to_vec()).unwrap();
        let local = number(at + 42, 4);
        let content = local + 30 + number(local + 26, 2) + number(local + 28, 2);
        let mut text = String::new();
        flate2::read::DeflateDecoder::new(&bytes[content..content + size])
            .read_to_string(&mut text)
            .unwrap();
        files.insert(name, text);
        at += 46 + name_length + number(at + 30, 2) + number(at + 32, 2);
    }
    files
}
