use std::os::unix::fs::symlink;

use super::*;

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    (folder, path)
}

fn replace(path: &Path, content: &str) {
    let reservation = reserve(path, 1024, true).unwrap();
    reservation.commit(content.as_bytes()).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_symbolic_link_is_kept_and_its_target_replaced() {
    let (folder, path) = folder();
    let volume = tempfile::tempdir().unwrap();
    let [end, middle] = ["end", "middle"].map(|name| volume.path().join(name));
    symlink("end", &middle).unwrap();
    symlink(&middle, &path).unwrap();
    // At first the target does not exist.
    for content in ["first", "the second one", "3"] {
        replace(&path, content);
        assert_eq!(std::fs::read_to_string(&end).unwrap(), content);
    }
    assert!(path.is_symlink() && middle.is_symlink() && !end.is_symlink());
    assert_eq!(names(folder.path()), ["token"]);
    assert_eq!(names(volume.path()), ["end", "middle"]);
    let mode = std::fs::metadata(&end).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn every_hard_link_has_the_new_content() {
    let (folder, path) = folder();
    let other = folder.path().join("other");
    std::fs::write(&path, "the old one, which is longer").unwrap();
    std::fs::hard_link(&path, &other).unwrap();
    for content in ["new", "one that is longer than the old one was before it"] {
        replace(&path, content);
        for name in [&path, &other] {
            assert_eq!(std::fs::read_to_string(name).unwrap(), content);
        }
    }
    assert_eq!(names(folder.path()), ["other", "token"]);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn reserved_space_that_is_not_used_is_released() {
    for has_other_name in [false, true] {
        let (folder, path) = folder();
        std::fs::write(&path, "old").unwrap();
        if has_other_name {
            std::fs::hard_link(&path, folder.path().join("other")).unwrap();
        }
        drop(reserve(&path, 1024, true).unwrap());
        drop(reserve(&path, 1024, false).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        let count = 1 + usize::from(has_other_name);
        assert_eq!(names(folder.path()).len(), count);
    }
}

#[test]
fn a_dropped_reservation_leaves_no_file() {
    let (folder, path) = folder();
    drop(reserve(&path, 1024, true).unwrap());
    assert_eq!(names(folder.path()).len(), 0);
}

#[test]
fn a_path_that_cannot_be_a_regular_file_is_refused() {
    let (folder, path) = folder();
    let refused = |path: &Path| reserve(path, 1024, true).unwrap_err();
    symlink("token", &path).unwrap();
    assert_eq!(refused(&path).raw_os_error(), Some(40));
    std::fs::remove_file(&path).unwrap();
    symlink("missing/token", &path).unwrap();
    assert_eq!(refused(&path).kind(), ErrorKind::NotFound);
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(refused(&path).kind(), ErrorKind::IsADirectory);
    assert!(
        refused(Path::new("/dev/null"))
            .to_string()
            .contains("device")
    );
    let below_a_file = folder.path().join("file").join("token");
    std::fs::write(folder.path().join("file"), "").unwrap();
    assert_eq!(refused(&below_a_file).kind(), ErrorKind::NotADirectory);
}

#[test]
fn content_is_saved_although_the_temporary_file_is_gone() {
    let (folder, path) = folder();
    std::fs::write(&path, "old").unwrap();
    let reservation = reserve(&path, 1024, true).unwrap();
    // The temporary file is deleted, as a clean-up job might do.
    for name in names(folder.path()) {
        if name != "token" {
            std::fs::remove_file(folder.path().join(name)).unwrap();
        }
    }
    reservation.commit(b"new").unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
}
