//! `seatledger report`: its figures are those of the views, it appears whole or not at all, and no
//! name of a customer does any harm.

/// Its figures are those of the views.
mod figures;
/// Where files go, and what is said of places and arguments that cannot be used.
mod places;
/// What a stop, a kill and a full disk leave: nothing.
mod stops;
/// Names that come from outside, and texts in other languages.
mod texts;
/// The workbook beside a report.
mod workbook;

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::World;

/// A small ledger with every case; day 58 is the newest.
const LEDGER: &str = include_str!("../../ledger/views/customers/ledger.sql");

pub(super) async fn world() -> World {
    let world = World::new().await;
    world.execute(LEDGER).await;
    world
}

fn out(world: &World, name: &str) -> (PathBuf, String) {
    let path = world.folder.path().join(name);
    let text = path.to_str().unwrap().to_owned();
    (path, text)
}

/// The months of the newest figures.
async fn newest_month(world: &World) -> String {
    let newest = "select to_char(max(processed_date), 'YYYY-MM') from service_date";
    world.value(newest).await
}

/// The rows of the table under a heading, as the text of their cells.
pub(super) fn table(html: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, rest) = html.split_once(&format!(">{heading}</h2>")).unwrap();
    let body = rest.split_once("<tbody>").unwrap().1;
    let body = body.split_once("</table>").unwrap().0;
    let rows = body.split("<tr").skip(1);
    rows.map(|row| {
        let cells = row.split_inclusive("</th>");
        let cells = cells.flat_map(|cell| cell.split_inclusive("</td>"));
        let texts = cells.map(text_of).filter(|text| text != ">");
        texts.filter(|text| !text.is_empty()).collect()
    })
    .collect()
}

/// The text between the tags.
fn text_of(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<') {
        text.push_str(part.split_once('>').map_or(part, |(_, rest)| rest));
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn is_page(file: &str) -> bool {
    file.rsplit_once('.')
        .is_some_and(|(_, extension)| extension == "html")
}
