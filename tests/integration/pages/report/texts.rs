//! Names do no harm, and texts are those of the language that was asked for.

use std::fs;

use super::workbook::unpacked;
use super::{files, is_page, newest_month, out, world};
use crate::support::root;

#[tokio::test]
async fn hostile_names_are_text_in_reports_and_nothing_in_paths() {
    let world = world().await;
    let names = [
        "<script>alert(1)</script>",
        "../../etc/passwd",
        "\u{202e}lmth.tseb",
        "=cmd|' /C calc'!A0",
        "</style><img src=x onerror=y>\"\\",
        "CON",
        "con",
        "\u{2067}\u{200b}",
    ];
    let long = "🏢".repeat(512);
    let names = names.into_iter().chain([long.as_str()]);
    for (number, name) in [1, 2, 3, 5, 7, 10, 18, 19, 20].into_iter().zip(names) {
        let update =
            sqlx::query("update customer set customer_name = $1 where customer_id = customer($2)");
        update
            .bind(name)
            .bind(number)
            .execute(&world.pool)
            .await
            .unwrap();
    }
    let month = newest_month(&world).await;
    let (folder, path) = out(&world, "reports/");
    let arguments = [
        "report", "--from", &month, "--to", &month, "--xlsx", "--out", &path,
    ];
    world.run(&arguments).await.assert_code(0);
    let found = files(&folder);
    for file in &found {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
        assert!(file.chars().all(is_plain) && file.len() < 90, "{file}");
        if is_page(file) {
            let html = fs::read_to_string(folder.join(file)).unwrap();
            assert!(
                !html.contains("<script") && !html.contains("onerror=y>"),
                "{file}"
            );
            // The name of the language of lines is no address.
            let links = html.replace("http://www.w3.org/2000/svg", "");
            // One style element, which the head of the printed pages does not end.
            assert_eq!(html.matches("</style>").count(), 1, "{file}");
            // Also not as a number in the style sheet.
            for turn in ["\u{202e}", "\u{2067}", "\\202e", "\\2067"] {
                assert!(!html.contains(turn), "{file} has {turn:?}");
            }
            // The head has room for some of a long name.
            let head = html.split_once("content: \"").unwrap().1;
            let head = head.split_once("\";").unwrap().0;
            assert!(head.matches("\\1f3e2").count() <= 70, "{head}");
            assert!(
                !links.contains("http://") && !links.contains("https://"),
                "{file}"
            );
        }
    }
    let index = fs::read_to_string(folder.join("index.html")).unwrap();
    assert!(
        index.contains("<bdi>Customer without a name</bdi>"),
        "{index}"
    );
    let links = index.matches("<a href=\"").count();
    let reports = found.iter().filter(|name| is_page(name)).count() - 1;
    assert_eq!(links, reports);
    assert_eq!(
        found.iter().filter(|name| name.starts_with("con-")).count(),
        4
    );
    let calculated = found
        .iter()
        .find(|name| name.starts_with("cmd-c-calc") && name.ends_with("xlsx"));
    let book = unpacked(&folder.join(calculated.unwrap()));
    assert!(book["xl/sharedStrings.xml"].contains("=cmd|' /C calc'!A0"));
    assert!(book.values().all(|xml| !xml.contains("<f>")));
}

#[tokio::test]
async fn a_report_is_in_the_language_of_a_file_with_the_partners_name_and_logo() {
    let world = world().await;
    let german = root().join("docs/languages/de.toml");
    let logo = world.write(
        "logo",
        "<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
    );
    let customer: String = world.value("select customer(1)::text").await;
    let (file, path) = out(&world, "bericht.html");
    let made = world
        .run(&[
            "report",
            "--customer",
            &customer,
            "--language",
            german.to_str().unwrap(),
            "--partner",
            "Müller & <Söhne>",
            "--logo",
            &logo,
            "--out",
            &path,
        ])
        .await;
    made.assert_code(0);
    let html = fs::read_to_string(file).unwrap();
    for text in [
        "<html lang=\"de\" dir=\"ltr\">",
        "Bericht zur Lizenznutzung",
        "Erstellt von Müller &#38; &#60;Söhne&#62;",
        "<img src=\"data:image/svg+xml;base64,",
    ] {
        assert!(html.contains(text), "{text} in {html}");
    }
    assert!(!html.contains("Licence usage"), "{html}");
}

#[tokio::test]
async fn a_language_from_right_to_left_turns_the_report_and_its_workbook() {
    let world = world().await;
    let hebrew = world.write("he.toml", "tag = \"he\"\ndirection = \"rtl\"");
    let month = newest_month(&world).await;
    let customer: String = world.value("select customer(1)::text").await;
    let (folder, path) = out(&world, "reports/");
    let arguments = [
        "report",
        "--customer",
        &customer,
        "--language",
        &hebrew,
        "--xlsx",
        "--from",
        &month,
        "--to",
        &month,
        "--out",
        &path,
    ];
    world.run(&arguments).await.assert_code(0);
    let found = files(&folder);
    for file in found.iter().filter(|file| is_page(file)) {
        let html = fs::read_to_string(folder.join(file)).unwrap();
        assert!(html.contains("<html lang=\"he\" dir=\"rtl\">"), "{html}");
    }
    let book = found.iter().find(|file| !is_page(file)).unwrap();
    let book = unpacked(&folder.join(book));
    let sheets = book
        .iter()
        .filter(|(name, _)| name.starts_with("xl/worksheets/sheet"));
    for (name, sheet) in sheets {
        assert!(sheet.contains("rightToLeft=\"1\""), "{name}: {sheet}");
    }
}
