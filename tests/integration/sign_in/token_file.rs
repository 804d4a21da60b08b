//! The refresh token's file when it is not a plain file in a folder of our own: behind links,
//! mounted by itself, on a full or read-only file system, in a folder of another user. Tests that
//! need mounts make them in a namespace of their own, which works without root.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;

use crate::support::World;

const FIRST: &str = "sim-refresh-0";

/// A world whose token is in the file only. Each refresh token can be spent once.
async fn world() -> World {
    let mut world = World::with_customers(2).await;
    world.unset("auth.refresh_token");
    let settings = json!({ "single_use_refresh_tokens": true });
    world.simulator.patch(settings).await;
    world
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

async fn asked(world: &World) -> usize {
    world.simulator.requests("token").await.len()
}

/// A folder that stands for a volume, and the token's path in the world's own folder.
fn places(world: &World) -> (PathBuf, PathBuf) {
    let volume = world.folder.path().join("volume");
    std::fs::create_dir(&volume).unwrap();
    (volume, world.refresh_token_path())
}

/// The result of a script. In it, `run` is one `--backfill`, `login` a sign-in by device code, and
/// `unprivileged COMMAND` runs a command that is subject to file modes even as root.
struct Done {
    code: i32,
    said: String,
}

impl Done {
    #[track_caller]
    fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{}", self.said);
        self
    }

    #[track_caller]
    fn assert_says(&self, parts: &[&str]) -> &Self {
        for part in parts {
            assert!(self.said.contains(part), "{part}: {}", self.said);
        }
        assert!(!self.said.contains("panicked"), "{}", self.said);
        self
    }
}

/// Runs a script in the world's folder. The script may mount file systems there.
async fn with_mounts(world: &World, script: &str) -> Done {
    let prelude = r#"
        set -eu
        cd "$FOLDER"
        run() { "$PROGRAM" --config "$CONFIG" --backfill --json; }
        login() { "$PROGRAM" --config "$CONFIG" login --device-code; }
        unprivileged() {
            setpriv --bounding-set=-dac_override,-dac_read_search,-fowner,-chown "$@"
        }
    "#;
    // An ordinary user becomes root in a user namespace of its own, which allows mounting.
    let namespaces = r#"
        if [ "$(id -u)" = 0 ]; then exec unshare --mount sh -c "$1"; fi
        exec unshare --mount --map-root-user sh -c "$1"
    "#;
    let output = Command::new("sh")
        .args(["-c", namespaces, "sh", &format!("{prelude}\n{script}")])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("PROGRAM", env!("CARGO_BIN_EXE_seatledger"))
        .env("CONFIG", world.config_path())
        .env("FOLDER", world.folder.path())
        .envs(world.environment())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
    Done {
        code: output.status.code().unwrap(),
        said: format!("{stdout}\n{stderr}"),
    }
}

#[tokio::test]
async fn a_link_stays_and_the_volume_behind_it_gets_the_new_token() {
    let world = world().await;
    let (volume, path) = places(&world);
    let [token, middle] = ["token", "middle"].map(|name| volume.join(name));
    symlink("token", &middle).unwrap();
    symlink(&middle, &path).unwrap();
    std::fs::write(&token, FIRST).unwrap();
    for renewed in ["sim-refresh-1", "sim-refresh-2"] {
        world.backfill().await.assert_code(0);
        assert_eq!(text(&token), renewed);
    }
    assert!(path.is_symlink() && middle.is_symlink() && !token.is_symlink());
    assert_eq!(
        names(world.folder.path()),
        ["config.toml", "refresh_token", "volume"]
    );
    assert_eq!(names(&volume), ["middle", "token", "token.consent"]);
    assert_eq!(
        (mode(&token), mode(&volume.join("token.consent"))),
        (0o600, 0o600)
    );
}

#[tokio::test]
async fn a_sign_in_creates_the_file_that_a_dangling_link_names() {
    let world = world().await;
    let (volume, path) = places(&world);
    symlink("volume/token", &path).unwrap();
    let settings = json!({ "device_code_polls": 0 });
    world.simulator.patch(settings).await;
    world.run(&["login", "--device-code"]).await.assert_code(0);
    assert!(path.is_symlink());
    assert_eq!(text(&volume.join("token")), "sim-refresh-1");
    assert_eq!(mode(&volume.join("token")), 0o600);
    world.backfill().await.assert_code(0);
    assert_eq!(text(&volume.join("token")), "sim-refresh-2");
}

#[tokio::test]
async fn a_link_that_leads_nowhere_is_named_and_nothing_is_spent() {
    let mut world = world().await;
    world.set("auth.refresh_token", FIRST);
    let (volume, path) = places(&world);
    for (to, said) in [
        (volume.join("missing").join("token"), "missing/token"),
        (path.clone(), "refresh_token"),
        ("/dev/null".into(), "/dev/null"),
    ] {
        symlink(&to, &path).unwrap();
        let finished = world.backfill().await;
        finished.assert_code(4);
        assert!(finished.stderr.contains(said), "{}", finished.stderr);
        assert!(path.is_symlink());
        std::fs::remove_file(&path).unwrap();
    }
    assert_eq!(asked(&world).await, 0);
}

#[tokio::test]
async fn all_names_of_a_file_have_the_new_token() {
    let world = world().await;
    let (volume, path) = places(&world);
    let other = volume.join("token");
    std::fs::write(&other, format!("{FIRST}\n")).unwrap();
    std::fs::hard_link(&other, &path).unwrap();
    for renewed in ["sim-refresh-1", "sim-refresh-2"] {
        world.backfill().await.assert_code(0);
        assert_eq!(
            (text(&path), text(&other)),
            (renewed.to_owned(), renewed.to_owned())
        );
    }
    assert_eq!(mode(&other), 0o600);
    assert_eq!(names(&volume), ["token"]);
}

#[tokio::test]
async fn programs_that_share_one_file_under_several_names_renew_one_after_another() {
    let mut world = world().await;
    let paths = ["one", "two"].map(|name| {
        let folder = world.folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        folder.join("token")
    });
    std::fs::write(&paths[0], FIRST).unwrap();
    std::fs::hard_link(&paths[0], &paths[1]).unwrap();
    for _ in 0..3 {
        let mut running = Vec::new();
        for path in paths.iter().cycle().take(4) {
            world.set("auth.refresh_token_file", path.to_str().unwrap());
            running.push(world.start(&["check"]));
        }
        for running in running {
            let finished = running.finish().await;
            assert!(
                finished.stdout.contains("ok    sign-in"),
                "{}",
                finished.stdout
            );
        }
    }
    assert_eq!(text(&paths[0]), text(&paths[1]));
}

#[tokio::test]
async fn a_kill_at_any_moment_of_a_renewal_in_place_loses_no_token() {
    let world = world().await;
    let settings = json!({ "single_use_refresh_tokens": false });
    world.simulator.patch(settings).await;
    let (volume, path) = places(&world);
    std::fs::write(&path, FIRST).unwrap();
    std::fs::hard_link(&path, volume.join("token")).unwrap();
    for _ in 0..20 {
        let running = world.start(&["--backfill"]);
        let before = asked(&world).await;
        world.simulator.received("token", before + 1).await;
        running.signal("KILL");
        running.finish().await;
        let kept = text(&path);
        assert!(kept.trim().starts_with("sim-refresh-"), "{kept:?}");
        assert!(kept.trim().len() <= "sim-refresh-99".len(), "{kept:?}");
    }
    world.backfill().await.assert_code(0);
    assert_eq!(text(&path).trim(), text(&path));
}

#[tokio::test]
async fn a_file_that_is_a_mount_of_its_own_gets_the_new_token() {
    let world = world().await;
    let (volume, path) = places(&world);
    std::fs::write(&path, "").unwrap();
    std::fs::write(volume.join("token"), FIRST).unwrap();
    let twice = with_mounts(&world, "mount --bind volume/token refresh_token; run; run").await;
    twice.assert_code(0);
    assert_eq!(text(&volume.join("token")), "sim-refresh-2");
    assert_eq!(mode(&volume.join("token")), 0o600);
    // The folder around it is read-only, as in a container whose root file system is.
    let script = r"
        mkdir root; mount -t tmpfs tmpfs root; : >root/token; mount -o remount,ro root
        mount --bind volume/token root/token
        export SEATLEDGER__AUTH__REFRESH_TOKEN_FILE=$FOLDER/root/token; run";
    with_mounts(&world, script).await.assert_code(0);
    assert_eq!(text(&volume.join("token")), "sim-refresh-3");
    assert_eq!(names(&volume), ["token"]);
}

#[tokio::test]
async fn no_token_is_spent_if_the_file_system_could_not_store_the_next_one() {
    let world = world().await;
    let (volume, path) = places(&world);
    symlink("volume/token", &path).unwrap();
    std::fs::write(volume.join("mounted"), FIRST).unwrap();
    let named = [path.to_str().unwrap(), "volume/token"];
    let begin = "mount -t tmpfs -o size=32k tmpfs volume; printf sim-refresh-0 >volume/token";
    let end = r#"|| code=$?; [ "$(cat volume/token)" = sim-refresh-0 ] || exit 99
        [ "$(ls -A volume | grep -v filler)" = token ] || exit 98; exit "${code-0}""#;
    for (between, reason) in [
        (
            "cat /dev/zero >volume/filler 2>/dev/null || true",
            "free space",
        ),
        ("mount -o remount,ro volume", "read-only"),
    ] {
        for command in ["run", "login"] {
            let script = format!("{begin}; {between}; {command} {end}");
            let done = with_mounts(&world, &script).await;
            done.assert_code(4)
                .assert_says(&named)
                .assert_says(&[reason]);
        }
    }
    let script = r"
        mount --bind volume/mounted volume/mounted; mount -o remount,ro,bind volume/mounted
        export SEATLEDGER__AUTH__REFRESH_TOKEN_FILE=$FOLDER/volume/mounted; run";
    let done = with_mounts(&world, script).await;
    done.assert_code(4)
        .assert_says(&["volume/mounted", "read-only"]);
    assert_eq!(asked(&world).await, 0);
    assert!(world.simulator.requests("devicecode").await.is_empty());
}

#[tokio::test]
async fn write_access_to_the_token_file_or_to_its_folder_is_enough() {
    let world = world().await;
    let settings = json!({ "device_code_polls": 0 });
    world.simulator.patch(settings).await;
    let (volume, path) = places(&world);
    let token = volume.join("token");
    symlink("volume/token", &path).unwrap();
    std::fs::write(&token, FIRST).unwrap();
    // A sign-in, because it needs no database: an unprivileged user may not reach the socket.
    let sign_in = r#"unprivileged "$PROGRAM" --config "$CONFIG" login --device-code"#;
    let script = format!("chmod 0555 volume; {sign_in}");
    with_mounts(&world, &script).await.assert_code(0);
    assert_eq!(text(&token), "sim-refresh-1");
    let before = world.simulator.requests("devicecode").await.len();
    let script = format!("chmod 0555 volume; chmod 0400 volume/token; {sign_in}");
    let done = with_mounts(&world, &script).await;
    done.assert_code(4)
        .assert_says(&[path.to_str().unwrap(), "volume/token", "Permission denied"]);
    assert_eq!(world.simulator.requests("devicecode").await.len(), before);
    assert_eq!(text(&token), "sim-refresh-1");
    // Write access to the folder alone is enough, too.
    let script = format!("chmod 0755 volume; chmod 0400 volume/token; {sign_in}");
    with_mounts(&world, &script).await.assert_code(0);
    assert_eq!(text(&token), "sim-refresh-2");
    assert_eq!(mode(&token), 0o600);
}
