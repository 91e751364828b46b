//! Copies of the database, what is put back of them, and the audit's chain.

use std::{fs, path::Path};

use tempfile::TempDir;
use vlm_engine::store::{
    Error, LabToSave, Store,
    backups::{self, Reason, Restore},
};

fn save(store: &Store, name: &str, document: &str) {
    let lab = LabToSave { name, document, dir: "/labs", machine_count: 1, hosts: "local", description: None };
    store.save_lab(&lab, None).unwrap();
}

fn names(store: &Store) -> Vec<String> {
    store.labs().unwrap().into_iter().map(|lab| lab.name).collect()
}

/// A folder, and where the database lies in it.
fn place() -> (TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vlm.sqlite3");
    (dir, path)
}

fn mode(path: &Path) -> u32 {
    std::os::unix::fs::MetadataExt::mode(&fs::metadata(path).unwrap()) & 0o777
}

/// What `Restore::prepare` refuses with.
fn refused(restored: Result<Restore, Error>) -> Error {
    match restored {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error,
    }
}

#[test]
fn the_first_change_of_a_day_makes_a_copy_and_looking_makes_none() {
    let (_dir, path) = place();
    let store = Store::open(&path).unwrap();
    assert_eq!(names(&store), [""; 0]);
    assert_eq!(backups::list(&path).unwrap(), []);
    save(&store, "one", "1");
    save(&store, "two", "2");
    let copies = backups::list(&path).unwrap();
    assert_eq!(copies.len(), 1, "one a day: {copies:?}");
    assert_eq!((copies[0].reason, copies[0].audit_line, mode(&copies[0].path)), (Some(Reason::Daily), 1, 0o600));
    drop(store);
    save(&Store::open(&path).unwrap(), "three", "3");
    assert_eq!(backups::list(&path).unwrap().len(), 1, "another process finds it");
}

#[test]
fn old_copies_go_by_number_and_age_and_those_that_were_asked_for_stay() {
    let (_dir, path) = place();
    let store = Store::open(&path).unwrap();
    save(&store, "one", "1");
    let daily = backups::list(&path).unwrap().remove(0).path;
    let now = vlm_engine::store::now_ms();
    let hour = 60 * 60 * 1000;
    // Two a day for forty days, in the middle of the day; and one that somebody asked for, a year ago.
    let midday = now / (24 * hour) * (24 * hour) - 12 * hour;
    for n in 0..40 {
        for made in [midday - n * 24 * hour, midday - n * 24 * hour - hour] {
            fs::copy(&daily, daily.with_file_name(format!("vlm-{made}-daily-v5-1-0000000000000000.sqlite3"))).unwrap();
        }
    }
    let manual = daily.with_file_name(format!("vlm-{}-manual-v5-1-0000000000000000.sqlite3", now - 365 * 24 * hour));
    fs::copy(&daily, &manual).unwrap();
    store.copy(None).unwrap();
    let left = backups::list(&path).unwrap();
    let daily: Vec<_> = left.iter().filter(|copy| copy.reason == Some(Reason::Daily)).collect();
    // The newest ten, of five and a half days; then one a day up to the fourteenth.
    assert!((18..=20).contains(&daily.len()), "{} left: {daily:#?}", daily.len());
    assert_eq!(left.iter().filter(|copy| copy.reason == Some(Reason::Manual)).count(), 2);
    assert!(manual.exists());
}

#[test]
fn a_restore_says_what_is_lost_and_keeps_what_was_there() {
    let (_dir, path) = place();
    let store = Store::open(&path).unwrap();
    save(&store, "one", "1");
    let copy = store.copy(None).unwrap();
    save(&store, "one", "1, changed");
    save(&store, "two", "2");
    store.begin_run("two", vlm_engine::runs::RunKind::Deploy, 1).unwrap();

    let busy = refused(Restore::prepare(&path, None)).to_string();
    assert!(busy.contains(&format!("process {}", std::process::id())), "{busy}");
    drop(store);

    let restore = Restore::prepare(&path, Some(&copy.path)).unwrap();
    assert_eq!(restore.loss.to_string(), "lab two, 2 revisions, 1 run, 3 lines of the audit");
    match Store::open(&path) {
        Err(Error::Lock(error)) => {
            assert_eq!(error.to_string(), "the database is being restored by another process; wait for it")
        }
        other => panic!("opened while it is restored: {:?}", other.err()),
    }
    let kept = restore.carry_out().unwrap().expect("a database was there");
    let store = Store::open(&path).unwrap();
    assert_eq!(names(&store), ["one"]);
    assert_eq!(store.lab("one").unwrap().unwrap().document, "1");
    assert_eq!(store.audit_rows(None, "", 1).unwrap()[0].action, "restore");
    assert_eq!(backups::check_audit(&path).unwrap().misfit, None, "what a restore left behind is no misfit");
    drop(store);

    // What was kept is a copy like any other.
    let back = Restore::prepare(&path, Some(&kept)).unwrap();
    back.carry_out().unwrap();
    assert_eq!(names(&Store::open(&path).unwrap()), ["one", "two"]);
}

#[test]
fn only_a_good_copy_is_put_back() {
    let (dir, path) = place();
    let store = Store::open(&path).unwrap();
    save(&store, "one", "a document that is found in the file");
    let copy = store.copy(None).unwrap();
    drop(store);
    let mut bytes = fs::read(&copy.path).unwrap();
    let at = bytes.windows(10).position(|window| window == b"a document").unwrap();
    bytes[at] = b'A';
    let torn = dir.path().join("torn.sqlite3");
    fs::write(&torn, bytes).unwrap();
    for (name, text) in [("empty", ""), ("words", "version: 1\nname: a-lab-file\n")] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    rusqlite::Connection::open(dir.path().join("other")).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    for (name, expected) in [
        ("torn.sqlite3", "the database is damaged: table `lab"),
        ("empty", "the database is damaged: the file is empty"),
        ("words", "the database is damaged: file is not a database"),
        ("other", "the database is damaged: it has tables and no version"),
        ("nowhere", "could not use the copy"),
    ] {
        let error = refused(Restore::prepare(&path, Some(&dir.path().join(name))));
        assert!(error.to_string().starts_with(expected), "{name}: {error:?}");
    }
    assert_eq!(names(&Store::open(&path).unwrap()), ["one"]);
}

#[test]
fn an_older_database_is_copied_before_it_is_brought_up_to_date() {
    let (_dir, path) = place();
    rusqlite::Connection::open(&path).unwrap().execute_batch(include_str!("../fixtures/store/version-3.sql")).unwrap();
    let store = Store::open(&path).unwrap();
    assert_eq!(store.lab("hello").unwrap().unwrap().revision, 2);
    let lines: Vec<String> = store
        .audit_rows(None, "", 9)
        .unwrap()
        .into_iter()
        .map(|row| format!("{} {} {}", row.line, row.action, row.detail))
        .collect();
    assert_eq!(
        lines,
        [
            "5 migrate version 3 to 6",
            "4 done 2 machines are ready",
            "3 deploy run 1",
            "2 save_lab revision 2",
            "1 save_lab revision 1"
        ]
    );
    let check = backups::check_audit(&path).unwrap();
    assert_eq!((check.lines, check.misfit), (5, None));
    let copies = backups::list(&path).unwrap();
    assert_eq!(copies.iter().map(|copy| (copy.reason, copy.version)).collect::<Vec<_>>(), [(Some(Reason::Migration), 3)]);
    drop(store);
    // Back to the old version, and up again.
    let restore = Restore::prepare(&path, None).unwrap();
    assert_eq!(restore.loss.to_string(), "1 line of the audit");
    restore.carry_out().unwrap();
    assert_eq!(Store::open(&path).unwrap().audit_rows(None, "", 1).unwrap()[0].action, "restore");
}

#[test]
fn a_migration_that_cannot_be_copied_before_is_not_begun() {
    let (dir, path) = place();
    rusqlite::Connection::open(&path).unwrap().execute_batch(include_str!("../fixtures/store/version-3.sql")).unwrap();
    fs::write(dir.path().join("backups"), "a file where the folder should be").unwrap();
    let Err(error) = Store::open(&path) else { panic!("it was migrated without a copy") };
    assert!(matches!(error, Error::NoCopy { .. }), "{error:?}");
    let version: u32 =
        rusqlite::Connection::open(&path).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 3);
}

#[test]
fn a_newer_database_is_refused_and_left_alone() {
    let (_dir, path) = place();
    drop(Store::open(&path).unwrap());
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(
            "CREATE TABLE of_tomorrow (a); PRAGMA user_version = 99; UPDATE sums SET count = 99 WHERE name = 'schema';",
        )
        .unwrap();
    let before = fs::read(&path).unwrap();
    let Err(error) = Store::open(&path) else { panic!("it was opened") };
    assert_eq!(error.to_string(), "the database is of version 99, this build knows 6: use a newer vlm");
    assert!(fs::read(&path).unwrap() == before);
}

#[test]
fn an_older_state_put_in_place_is_noticed_by_the_seal() {
    let (dir, path) = place();
    let store = Store::open(&path).unwrap();
    save(&store, "one", "1");
    drop(store);
    let old = dir.path().join("old");
    fs::copy(&path, &old).unwrap();
    save(&Store::open(&path).unwrap(), "two", "2");
    fs::copy(&old, &path).unwrap();
    match Store::open(&path) {
        Err(Error::Damaged { what }) => {
            assert!(what.starts_with("its newest changes are gone") && what.contains("`vlm restore"), "{what}")
        }
        other => panic!("opened: {:?}", other.err()),
    }
    // Who wants just that says so: the file is whole in itself.
    let restore = Restore::prepare(&path, Some(&path)).unwrap();
    assert!(!restore.loss.known, "what is gone cannot be counted");
    restore.carry_out().unwrap();
    assert_eq!(names(&Store::open(&path).unwrap()), ["one"]);
    // The database gone altogether is no invitation to begin anew.
    fs::remove_file(&path).unwrap();
    match Store::open(&path) {
        Err(Error::Damaged { what }) => assert!(what.starts_with("it is gone (to begin anew, delete "), "{what}"),
        other => panic!("opened: {:?}", other.err()),
    }
}

#[test]
fn a_line_of_the_audit_that_was_changed_or_cut_is_named() {
    let (_dir, path) = place();
    let store = Store::open(&path).unwrap();
    for n in 1..6 {
        save(&store, "one", &n.to_string());
    }
    store.copy(None).unwrap();
    drop(store);
    let check = |expected: Option<&str>| {
        let misfit = backups::check_audit(&path).unwrap().misfit.map(|misfit| misfit.to_string());
        match (misfit, expected) {
            (Some(misfit), Some(expected)) => assert!(misfit.starts_with(expected), "{misfit}"),
            (misfit, expected) => assert_eq!(misfit.as_deref(), expected),
        }
    };
    check(None);
    // As somebody with SQLite at hand would go about it.
    let forge = |sql: &str| {
        let other = path.with_file_name("forged.sqlite3");
        fs::copy(&path, &other).unwrap();
        fs::copy(path.with_file_name("vlm.sqlite3.seal"), path.with_file_name("forged.sqlite3.seal")).unwrap();
        let connection = rusqlite::Connection::open(&other).unwrap();
        let refused = connection.execute_batch(sql).unwrap_err().to_string();
        assert!(refused.contains("the audit is only added to") || refused.contains("sum_with"), "{refused}");
        connection
            .execute_batch("DROP TRIGGER audit_keeps_lines; DROP TRIGGER audit_keeps_words; DROP TRIGGER sum_audit_update; DROP TRIGGER sum_audit_delete")
            .unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        backups::check_audit(&other).unwrap().misfit.expect("it is noticed").to_string()
    };
    assert_eq!(
        forge("UPDATE audit SET who = 'eve' WHERE id = 3"),
        "line 3 of the audit is not as it was written, or not after the line it was written after"
    );
    assert_eq!(forge("DELETE FROM audit WHERE id = 3"), "line 4 of the audit does not follow line 2");
    assert_eq!(forge("DELETE FROM audit WHERE id > 3"), "line 5 of the audit is gone; the seal beside the database knows it");
}
