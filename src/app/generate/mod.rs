//! `seatledger generate`: the man pages and shell completions, made for the package from the
//! command line's own definition and from the commented configuration.

mod settings_page;

use std::fs;
use std::io;
use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap::builder::Resettable;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::cli::Cli;
use crate::lifecycle::Exit;

/// The commands are for administrators, which is section 8 of the manual.
const SECTION: &str = "8";

/// Shown at the top of each page.
const MANUAL: &str = "Seatledger";

const EXAMPLE: &str = include_str!("../../../config.example.toml");

/// Writes the files into `dir`, which is made if it is missing.
pub(super) fn run(dir: &Path) -> anyhow::Result<Exit> {
    write(dir).with_context(|| format!("the files cannot be written to {}", dir.display()))?;
    Ok(Exit::Success)
}

fn write(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut cli = Cli::command().disable_help_subcommand(true);
    // The completions would offer hidden commands, too.
    let shown = cli.get_subcommands().filter(|one| !one.is_hide_set());
    let mut offered = clap::Command::new("seatledger")
        .args(cli.get_arguments().cloned())
        .subcommands(shown.cloned());
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut offered, "seatledger", dir)?;
    }
    let version = cli.get_version().unwrap_or_default().to_owned();
    let source = format!("seatledger {version}");
    cli.build();
    page(cli.clone(), &source, dir)?;
    for command in cli.get_subcommands().filter(|one| !one.is_hide_set()) {
        page(command.clone(), &source, dir)?;
    }
    fs::write(
        dir.join("seatledger.toml.5"),
        settings_page::render(EXAMPLE, &source, MANUAL),
    )
}

fn page(command: clap::Command, source: &str, dir: &Path) -> io::Result<()> {
    let blocks = [command.get_before_help(), command.get_after_help()];
    let blocks: Vec<String> = blocks
        .into_iter()
        .flatten()
        .map(ToString::to_string)
        .collect();
    // The library's own leaves out the values of options.
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    let man = Man::new(command.override_usage(usage).after_help(Resettable::Reset))
        .section(SECTION)
        .source(source)
        .manual(MANUAL);
    let mut page = Vec::new();
    man.render(&mut page)?;
    for block in blocks {
        add_sections(&block).to_writer(&mut page)?;
    }
    fs::write(dir.join(man.get_filename()), page)
}

/// Sections of a manual page from a text around the help: a line that ends with a colon is the
/// heading of the lines below it, which keep their columns.
fn add_sections(text: &str) -> Roff {
    let mut page = Roff::new();
    for block in text.split("\n\n") {
        let lines: Vec<&str> = block.lines().collect();
        match lines.split_first() {
            Some((heading, rest)) if heading.ends_with(':') && !rest.is_empty() => {
                page.control(
                    "SH",
                    [heading.trim_end_matches(':').to_uppercase().as_str()],
                );
                page.control("nf", []);
                for line in rest {
                    page.text([roman(*line)]);
                }
                page.control("fi", []);
            }
            _ => {
                page.control("PP", []);
                page.text([roman(lines.join("\n").trim_start())]);
            }
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_a_page_and_the_hidden_one_appears_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path()).unwrap();
        let mut commands = Cli::command();
        commands.build();
        for command in commands.get_subcommands() {
            let page = dir
                .path()
                .join(format!("seatledger-{}.8", command.get_name()));
            let shown = !command.is_hide_set() && command.get_name() != "help";
            assert_eq!(page.exists(), shown, "{}", page.display());
        }
        for file in fs::read_dir(dir.path()).unwrap() {
            let path = file.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            assert!(!text.contains("generate"), "{}", path.display());
        }
    }

    #[test]
    fn a_synopsis_names_the_value_of_an_option() {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path()).unwrap();
        let report = fs::read_to_string(dir.path().join("seatledger-report.8")).unwrap();
        assert!(report.contains("[OPTIONS] \\-\\-out <PATH>"), "{report}");
    }
}
