//! Commands and their terminal: what they print on one, on a closed pipe and on a full disk, and
//! the signals that end them.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tokio::net::TcpListener;

use crate::support::{World, send_signal, spawn};

/// Signals that stop a command, and its exit code then. Without SIGHUP if that is ignored here, as
/// under `nohup`, since programs inherit it.
fn stops() -> Vec<(&'static str, i32)> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = u64::from_str_radix(ignored.unwrap().trim(), 16).unwrap();
    let mut stops = vec![("INT", 130), ("TERM", 143)];
    if ignored & 1 == 0 {
        stops.push(("HUP", 129));
    }
    stops
}

/// Runs the program to its end with standard output and standard error as given.
async fn run(
    world: &World,
    arguments: &[&str],
    out: impl Into<Stdio>,
    err: impl Into<Stdio>,
) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seatledger"));
    command
        .env_clear()
        .envs(world.environment())
        .arg("--config")
        .arg(world.config_path())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err);
    finish(command).await
}

async fn finish(mut command: Command) -> Output {
    let output = tokio::task::spawn_blocking(move || command.output());
    output.await.unwrap().unwrap()
}

/// What the program writes to standard error when that is the journal.
async fn said_to_journal(world: &mut World, arguments: &[&str]) -> (Option<i32>, String) {
    let path = world.folder.path().join("journal");
    let journal = File::create(&path).unwrap();
    let stream = journal.metadata().unwrap();
    let id = format!("{}:{}", stream.dev(), stream.ino());
    world.set_variable("JOURNAL_STREAM", &id);
    let output = run(world, arguments, Stdio::null(), journal).await;
    (output.status.code(), std::fs::read_to_string(path).unwrap())
}

#[tokio::test]
async fn each_line_of_why_the_program_could_not_run_is_an_error_in_the_journal() {
    let mut world = World::new().await;
    world.set("schedule.cron", "every day");
    world.set("schedule.timezone", "Mars");
    for (arguments, code) in [(&[][..], 78), (&["--from", "yesterday"], 2)] {
        let (exit, said) = said_to_journal(&mut world, arguments).await;
        assert_eq!(exit, Some(code), "{said}");
        assert!(said.lines().count() > 1, "{said}");
        assert!(said.lines().all(|line| line.starts_with("<3>")), "{said}");
    }
    let (exit, said) = said_to_journal(&mut world, &["--help"]).await;
    assert_eq!((exit, said.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn each_line_of_a_text_or_json_log_has_its_priority_in_the_journal() {
    let mut world = World::new().await;
    world.set("notify.ping_url", "http://127.0.0.1:9/");
    for (format, told) in [("text", "  WARN "), ("json", "{\"timestamp\"")] {
        world.set("log.format", format);
        let (exit, said) = said_to_journal(&mut world, &["--backfill"]).await;
        assert_eq!(exit, Some(0), "{said}");
        let is_marked = |line: &str| line.starts_with('<') && line.get(2..3) == Some(">");
        assert!(said.lines().all(is_marked), "{said}");
        let warned = said.lines().find(|line| line.starts_with("<4>"));
        assert!(warned.is_some_and(|line| line.contains(told)), "{said}");
        assert!(said.contains("<5>"), "{said}");
    }
}

#[tokio::test]
async fn a_program_under_nohup_goes_on_when_its_terminal_is_closed() {
    let world = World::new().await;
    world.simulator.hold_after("usage", 0).await;
    let program = env!("CARGO_BIN_EXE_seatledger");
    let mut command = Command::new("sh");
    command
        .env_clear()
        .envs(world.environment())
        .args(["-c", "trap '' HUP; echo $$ >\"$0\"; exec \"$@\""])
        .arg(world.folder.path().join("pid"))
        .args([program, "--config"])
        .arg(world.config_path())
        .arg("--backfill")
        .stdin(Stdio::null());
    let running = spawn(finish(command));
    world.simulator.received("usage", 1).await;
    let pid = std::fs::read_to_string(world.folder.path().join("pid")).unwrap();
    assert!(send_signal("HUP", pid.trim()));
    world.simulator.unscript().await;
    let output = running.await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[tokio::test]
async fn a_command_that_waits_for_the_database_ends_with_the_code_of_the_signal() {
    let mut world = World::new().await;
    let [report, bundle] =
        ["report.html", "bundle.json"].map(|name| world.folder.path().join(name));
    let [report, bundle] = [&report, &bundle].map(|path| path.to_str().unwrap());
    let commands: [&[&str]; 11] = [
        &["status"],
        &["status", "--json"],
        &["status", "--check"],
        &["check"],
        &["export", "license_product"],
        &["report", "--out", report],
        &["support", "--out", bundle],
        &["verify"],
        &["migrate"],
        &["grants", "--bi-role", "bi"],
        &["--backfill"],
    ];
    for arguments in commands {
        let mut running = Vec::new();
        for (signal, code) in stops() {
            // It takes connections, and never answers.
            let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = server.local_addr().unwrap();
            world.set(
                "database.url",
                &format!("postgres://seatledger@{address}/none"),
            );
            let command = world.start(arguments);
            let connection = server.accept().await.unwrap();
            command.signal(signal);
            running.push((command, code, server, connection));
        }
        for (command, code, _server, _connection) in running {
            let ended = command.finish().await;
            if arguments.contains(&"--check") {
                ended.assert_code(3);
                assert_eq!(ended.stdout, "SEATLEDGER UNKNOWN - stopped by a signal\n");
            } else {
                ended.assert_code(code);
                assert!(
                    !ended.stderr.contains("seatledger: "),
                    "{arguments:?}: {ended:?}"
                );
            }
        }
    }
    let left = world.folder.path().read_dir().unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["config.toml"]);
}

#[tokio::test]
async fn a_command_that_waits_for_an_answer_or_a_person_ends_with_the_code_of_the_signal() {
    let world = World::new().await;
    world.backfill().await.assert_code(0);
    world.simulator.hold_after("usage", 0).await;
    for (signal, code) in stops() {
        world.simulator.forget_requests().await;
        let verify = world.start(&["verify"]);
        world.simulator.received("usage", 1).await;
        verify.signal(signal);
        verify.finish().await.assert_code(code);
    }
    world.simulator.unscript().await;
    let settings = serde_json::json!({ "device_code_polls": 1_000 });
    world.simulator.patch(settings).await;
    for arguments in [&["login"][..], &["login", "--device-code"]] {
        for (signal, code) in stops() {
            let login = world.start(arguments);
            login.prints("Open ").await;
            login.signal(signal);
            login.finish().await.assert_code(code);
        }
    }
    world.simulator.hold_after("token", 0).await;
    for arguments in [&["check"][..], &["--backfill"]] {
        for (signal, code) in stops() {
            world.simulator.forget_requests().await;
            let command = world.start(arguments);
            world.simulator.received("token", 1).await;
            command.signal(signal);
            command.says("Stopping").await;
            command.signal("TERM");
            command.finish().await.assert_code(code);
        }
    }
}

#[tokio::test]
async fn check_prints_what_is_ready_while_it_waits_for_the_rest() {
    let world = World::new().await;
    world.simulator.hold_after("token", 0).await;
    let check = world.start(&["check"]);
    check.prints("ok    rights").await;
    check.prints("ok    schedule").await;
    world.simulator.received("token", 1).await;
    world.simulator.unscript().await;
    let ended = check.finish().await;
    ended.assert_code(0);
    assert!(!ended.stderr.contains("trying"), "no terminal: {ended:?}");
}

/// A pipe without a reader.
fn deaf() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

const COMMANDS: [&[&str]; 12] = [
    &["--backfill"],
    &["--backfill", "--json"],
    &["verify"],
    &["export", "license_product"],
    &["status"],
    &["status", "--json"],
    &["status", "--check"],
    &["check"],
    &["check", "--json"],
    &["migrate"],
    &["--help"],
    &["--version"],
];

#[tokio::test]
async fn a_closed_pipe_on_standard_output_is_no_fault() {
    let world = World::new().await;
    for arguments in COMMANDS {
        let output = run(&world, arguments, deaf(), Stdio::piped()).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
        assert!(!said.contains("seatledger: "), "{arguments:?}: {said}");
    }
    assert_eq!(world.value::<i64>("select count(*) from sync_run").await, 2);
}

#[tokio::test]
async fn a_full_disk_under_standard_output_is_reported() {
    let world = World::new().await;
    for arguments in COMMANDS {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = run(&world, arguments, full, Stdio::piped()).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        let told = "seatledger: standard output cannot be written to: No space left on device";
        assert!(said.contains(told), "{arguments:?}: {said}");
    }
    let stored = "select count(*) from sync_run where outcome = 'succeeded'";
    assert_eq!(world.value::<i64>(stored).await, 2);
}

#[tokio::test]
async fn a_closed_standard_error_costs_no_run() {
    let mut world = World::new().await;
    for format in ["json", "text"] {
        world.set("log.format", format);
        let output = run(&world, &["--backfill", "--json"], Stdio::piped(), deaf()).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = run(&world, &["--backfill", "--json"], Stdio::piped(), full).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
}

#[tokio::test]
async fn customers_are_named_at_a_terminal_and_in_status_but_in_no_log() {
    let world = World::new().await;
    world.run(&["--backfill"]).await.assert_code(0);
    let bad = world.simulator.customers().await[2].clone();
    let of_it = format!("where customer_id = '{bad}'");
    // Control characters of a name are not printed.
    let rename = "update customer set customer_name = E'Contoso \\x1b[31mRed\\u202e & Söhne'";
    world.execute(&format!("{rename} {of_it}")).await;
    let named = format!("{bad} (Contoso  [31mRed & Söhne)");
    let forbidden = serde_json::json!([{ "status": 403 }]);
    world.simulator.script_for_ever(&bad, forbidden).await;

    // It fails once, and then needs a person.
    world.run(&["--backfill"]).await.assert_code(3);
    let status = world.run(&["status"]).await;
    let mut lines = status.assert_code(0).stdout.lines();
    let line = lines.find(|line| line.contains(&bad)).unwrap_or_default();
    assert!(line.starts_with("  Contoso  [31mRed & Söhne "), "{line}");

    // The output of a pipe may be stored in a log.
    let piped = world.run(&["--backfill"]).await;
    piped.assert_code(3);
    assert!(piped.stdout.contains(&bad), "{}", piped.stdout);
    for text in [&piped.stdout, &piped.stderr] {
        assert!(!text.contains("Contoso"), "{text}");
    }

    let log = world.folder.path().join("log");
    for arguments in ["--backfill", "verify"] {
        let (code, shown) = at_a_terminal(&world, arguments, &log).await;
        assert_eq!(code, Some(3), "{shown}");
        assert!(shown.contains(&named), "{shown}");
        let log = std::fs::read_to_string(&log).unwrap();
        assert!(log.contains(&bad) && !log.contains("Contoso"), "{log}");
    }
}

/// Runs the program with a terminal as standard output, and standard error in a file. Returns the
/// exit code and what the terminal got.
async fn at_a_terminal(world: &World, arguments: &str, log: &Path) -> (Option<i32>, String) {
    let mut command = Command::new("script");
    let program = env!("CARGO_BIN_EXE_seatledger");
    let config = world.config_path();
    let line = format!(
        "{program} --config {} {arguments} 2>{}",
        config.display(),
        log.display()
    );
    command
        .env_clear()
        .envs(world.environment())
        .env("PATH", "/usr/bin:/bin")
        .args(["-qec", &line, "/dev/null"])
        .stdin(Stdio::null());
    let output = finish(command).await;
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

#[tokio::test]
async fn a_terminal_shows_the_phase_a_pause_with_its_end_and_what_is_left() {
    let mut world = World::with_customers(8).await;
    world.set("retry.max_elapsed_time", "2m");
    let limit = serde_json::json!({ "rate_limit": 0.5, "burst": 1 });
    world.simulator.patch(limit).await;
    let program = env!("CARGO_BIN_EXE_seatledger");
    let config = world.config_path();
    let line = format!("{program} --config {} --backfill", config.display());
    let mut command = Command::new("script");
    command
        .env_clear()
        .envs(world.environment())
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "xterm")
        .args(["-qec", &line, "/dev/null"])
        .stdin(Stdio::null());
    let output = finish(command).await;
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{shown}");
    for said in [
        "fetching, paused by Partner Center until ",
        "/8 customers, ? a second, ? left",
        " a minute, ",
        " seconds left",
    ] {
        assert!(shown.contains(said), "{said}: {shown:?}");
    }
}
