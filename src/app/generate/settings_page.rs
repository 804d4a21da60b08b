//! The manual page of the configuration file, from the comments of `config.example.toml`: its head
//! becomes the description, each section a heading, each key an entry with its comment.

use clap_mangen::roff::{Roff, bold, roman};

/// The page in the format of man.
pub(super) fn render(example: &str, source: &str, manual: &str) -> String {
    let mut page = Roff::new();
    page.control("TH", ["SEATLEDGER.TOML", "5", "", source, manual]);
    page.control("SH", ["NAME"]);
    page.text([roman("seatledger.toml - configuration of seatledger(8)")]);
    page.control("SH", ["SYNOPSIS"]);
    page.text([roman("/etc/seatledger/config.toml, or --config FILE")]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(
        "A file in TOML. Under each key stands what it does; its line shows the default, or an \
         example where there is none.",
    )]);
    let mut comment = Vec::new();
    // Keys that share one comment follow each other without another comment between them.
    let mut entries: Vec<&str> = Vec::new();
    for line in example.lines() {
        let (body, is_comment) = match line.strip_prefix('#') {
            Some(body) => (body.trim_start(), true),
            None => (line, false),
        };
        if let Some(section) = body.strip_prefix('[').filter(|_| !is_comment) {
            flush(&mut page, &mut entries, &mut comment);
            page.control(
                "SH",
                [format!("[{}]", section.trim_end_matches(']')).as_str()],
            );
        } else if is_key(body) {
            entries.push(body);
        } else if is_comment {
            if !entries.is_empty() {
                flush(&mut page, &mut entries, &mut comment);
            }
            comment.push(body);
        } else {
            flush(&mut page, &mut entries, &mut comment);
        }
    }
    flush(&mut page, &mut entries, &mut comment);
    page.control("SH", ["SEE ALSO"]);
    page.text([roman(
        "seatledger(8), seatledger-check(8), /usr/share/doc/seatledger/docs/configuration.md",
    )]);
    page.render()
}

/// `name = value`, and not prose that has an equals sign in it.
fn is_key(body: &str) -> bool {
    body.split_once(" = ").is_some_and(|(key, _)| {
        !key.is_empty()
            && key
                .chars()
                .all(|one| one.is_ascii_lowercase() || one == '_')
    })
}

/// Writes the keys seen with their comment, or a comment without a key as paragraphs.
fn flush(page: &mut Roff, entries: &mut Vec<&str>, comment: &mut Vec<&str>) {
    if entries.is_empty() {
        for paragraph in paragraphs(comment) {
            page.control("PP", []);
            page.text([roman(paragraph)]);
        }
    } else {
        for (index, entry) in entries.iter().enumerate() {
            page.control(if index == 0 { "TP" } else { "TQ" }, []);
            page.text([bold(*entry)]);
        }
        page.text([roman(comment.join(" "))]);
    }
    entries.clear();
    comment.clear();
}

/// Joins lines; one that begins with a dash begins a paragraph.
fn paragraphs(lines: &[&str]) -> Vec<String> {
    let mut paragraphs: Vec<String> = Vec::new();
    for line in lines {
        match paragraphs.last_mut() {
            Some(last) if !line.starts_with("- ") => {
                last.push(' ');
                last.push_str(line);
            }
            _ => paragraphs.push(line.trim_start_matches("- ").to_owned()),
        }
    }
    paragraphs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_become_headings_and_keys_entries_with_their_comments() {
        let example = "# Head.\n# - First\n#   item.\n# - Second.\n\n[auth]\n# Of both, a = sign.\n\
                       # tenant = \"x\"\nclient = \"y\"\n# Alone.\n# scope = 5\n";
        let page = render(example, "seatledger 1", "Seatledger");
        let body = page.split_once("none.\n").unwrap().1;
        insta::assert_snapshot!(body, @r#"
        .PP
        Head.
        .PP
        First item.
        .PP
        Second.
        .SH [auth]
        .TP
        \fBtenant = "x"\fR
        .TQ
        \fBclient = "y"\fR
        Of both, a = sign.
        .TP
        \fBscope = 5\fR
        Alone.
        .SH "SEE ALSO"
        seatledger(8), seatledger\-check(8), /usr/share/doc/seatledger/docs/configuration.md
        "#);
    }
}
