//! Files and variables as editors, shells and consoles leave them.

use super::*;

fn wide(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn a_configuration_is_read_in_every_common_encoding() {
    let text = format!("# f\u{fc}r Contoso\n{MINIMAL}\tmax_connections = 7 # \u{e4}\n");
    let marked = format!("\u{feff}{text}");
    let code_page: Vec<u8> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    for bytes in [
        text.clone().into_bytes(),
        marked.clone().into_bytes(),
        text.replace('\n', "\r\n").into_bytes(),
        text.replace('\n', "\r").into_bytes(),
        format!("{text}\u{1a}").into_bytes(),
        wide(&text, u16::to_le_bytes),
        wide(&marked, u16::to_le_bytes),
        wide(&marked, u16::to_be_bytes),
        code_page.clone(),
    ] {
        let world = World::new("");
        world.write("config.toml", &bytes);
        assert_eq!(world.loaded().database.max_connections, 7);
    }
    let world = World::new("");
    world.write("config.toml", code_page);
    let [warning] = &world.loaded().warnings[..] else {
        panic!("one warning is wanted");
    };
    assert!(warning.starts_with("line 1 of ") && warning.ends_with("save the file as UTF-8"));
}

#[test]
fn a_fault_has_its_line_in_every_encoding() {
    let text = MINIMAL.replace("[customers]", "\u{e4}\r\n[customers]");
    for bytes in [
        text.clone().into_bytes(),
        wide(&format!("\u{feff}{text}"), u16::to_le_bytes),
        text.replace(['\r', '\n'], "\r").into_bytes(),
    ] {
        let world = World::new("");
        world.write("config.toml", bytes);
        let report = world.report();
        assert!(report.contains("is not TOML at line "), "{report}");
    }
}

#[test]
fn an_easily_overlooked_cause_of_a_syntax_error_is_named() {
    for (line, instead, told) in [
        (
            "url = \"",
            "url = \u{201c}",
            "typographic quote at column 7",
        ),
        (
            "discover = true",
            "\u{a0}discover = true",
            "column 1 that does not belong there, U+00A0",
        ),
        (
            "discover",
            "dis\u{200b}cover",
            "column 4 that does not belong there, U+200B",
        ),
        (
            "contoso.onmicrosoft.com",
            "C:\\data",
            "in double quotes a backslash is written twice",
        ),
    ] {
        let report = World::minimal_but(line, instead).report();
        assert!(report.contains(told), "{instead}: {report}");
    }
    let json = World::new("{ \"auth\": {} }").report();
    assert!(json.contains("this is JSON"), "{json}");
}

#[test]
fn a_secret_with_letters_of_unknown_encoding_is_refused() {
    let world = World::new("");
    let mut toml = MINIMAL
        .replace("[customers]", "client_secret = \"hunter~\"\n[customers]")
        .into_bytes();
    let at = toml.iter().position(|byte| *byte == b'~').unwrap();
    toml[at] = 0xe4;
    world.write("config.toml", toml);
    insta::assert_snapshot!(folded(&world.report()), @"
    the configuration has a fault:
      auth.client_secret = (not shown): holds letters beyond ASCII and is not Unicode, so
          that they are ambiguous; save it as UTF-8 (in [folder]/config.toml)
    ");
    let world = World::new(MINIMAL).set("SEATLEDGER__AUTH__CLIENT_SECRET_FILE", "secret");
    world.write("secret", b"hunter\xe4");
    insta::assert_snapshot!(folded(&world.report()), @r#"
    the configuration has a fault:
      auth.client_secret_file = "secret": holds letters beyond ASCII and is not Unicode, so
          that they are ambiguous; save it as UTF-8 (from the environment,
          SEATLEDGER__AUTH__CLIENT_SECRET_FILE)
    "#);
    world.write("secret", b"abc~\xa0\r\n");
    world.loaded();
}

#[test]
fn characters_that_saving_added_to_a_secret_are_removed() {
    let wanted = "abc~D.e_f";
    let secret = |world: &World| match world.loaded().auth.method {
        Method::RefreshToken { app, .. } => match app.credential {
            Some(ClientCredential::Secret(secret)) => secret.expose_secret().to_owned(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    let saved = [
        format!("{wanted}\r\n\r\n"),
        format!("{wanted}  \t"),
        format!("\u{feff}{wanted}\n"),
        format!("\u{200b}{wanted}\u{a0}"),
        format!("\"{wanted}\"\n"),
        format!("'{wanted}'"),
    ];
    for text in &saved {
        let world = World::new(MINIMAL).set("SEATLEDGER__AUTH__CLIENT_SECRET", text);
        assert_eq!(secret(&world), wanted, "{text:?}");
        let world = World::new(MINIMAL).set_path("CREDENTIALS_DIRECTORY", "credentials");
        for bytes in [
            text.clone().into_bytes(),
            wide(&format!("\u{feff}{text}"), u16::to_le_bytes),
        ] {
            world.write("credentials/client_secret", bytes);
            assert_eq!(secret(&world), wanted, "{text:?}");
        }
        let world = World::new(MINIMAL)
            .set("SEATLEDGER__AUTH__CLIENT_SECRET_FILE", "saved")
            .set(
                "SEATLEDGER__AUTH__CLIENT_ID",
                " 2c0a7a1e-8a3f-4f0e-9f5e-0d6d3f0b7a11\n",
            );
        world.write("saved", text);
        assert_eq!(secret(&world), wanted, "{text:?}");
    }
}

#[test]
fn text_that_cannot_be_a_secret_is_reported_without_being_shown() {
    let world = World::new(MINIMAL).set("SEATLEDGER__AUTH__CLIENT_SECRET_FILE", "saved");
    let told: Vec<String> = [
        "hunter2\nhunter2",
        "hunter2 hunter2",
        "hunter2\u{200b}hunter2",
        "CLIENT_SECRET=hunter2",
        "{\"client_secret\": \"hunter2\"}",
        "<!DOCTYPE html><html>hunter2</html>",
        "PK\u{3}\u{4}hunter2",
        "",
        "\0\0\0\0",
    ]
    .iter()
    .map(|text| {
        world.write("saved", text);
        let report = world.report();
        let (_, fault) = report
            .split_once("auth.client_secret_file = \"saved\": ")
            .unwrap();
        let (fault, _) = fault.split_once(" (from the environment").unwrap();
        fault.to_owned()
    })
    .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    holds a line break; it must hold the secret alone, in one line
    holds white space; it must hold the secret alone
    holds an invisible character, as text copied from a page may; copy it again
    holds a name before the secret, as lines of .env files do; it must hold the secret alone
    holds JSON; it must hold the secret alone
    holds a web page, and not a secret
    is not a text file but a ZIP archive, as Excel workbooks (.xlsx) and Word documents are
    is empty
    holds only zero bytes, as a file does that was being written when the power failed
    ");
    assert!(!told.join("").contains("hunter2"));
}

#[test]
fn a_folder_or_device_in_place_of_a_file_is_reported_at_once() {
    let world = World::new(MINIMAL).set("SEATLEDGER__AUTH__CLIENT_SECRET_FILE", "saved");
    std::fs::create_dir(world.folder.path().join("saved")).unwrap();
    let world = world.set("SEATLEDGER__AUTH__REFRESH_TOKEN", "x");
    let report = world.report();
    assert!(
        report.contains("\"saved\": must be a file, but is a folder"),
        "{report}"
    );
    let world = World::minimal_but("discover = true", "file = \"/dev\"");
    assert!(world.report().contains("must be a file, but is a folder"));
    let world = World::new(MINIMAL).set("SEATLEDGER__AUTH__CLIENT_SECRET_FILE", "/dev/zero");
    assert!(world.report().contains("is larger than 64 KiB"));
}
