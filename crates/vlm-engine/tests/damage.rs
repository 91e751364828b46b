//! A database that was changed behind our back is never opened as if nothing had happened.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tempfile::TempDir;
use vlm_engine::{
    Dirs, Engine, OpenError,
    runs::{EventBody, RunEvent, RunKind, RunStatus},
    ssh::link::Remote,
    store::{Error, ImageRow, LabState, LabToSave, MachineRow, Store},
};

/// How many databases are damaged, a seed each.
const CORRUPTIONS: u64 = 200;

/// A database with rows in every table.
fn fill(store: &Store, labs: u32) {
    for n in 0..labs {
        let name = format!("lab-{n}");
        let remote = Remote {
            address: format!("10.0.0.{n}"),
            port: 22,
            user: "ada".into(),
            identity: None,
            host_key: Some(format!("SHA256:{n:043}")),
        };
        store.add_host(&format!("host-{n}"), &remote).unwrap();
        let image = ImageRow {
            name: format!("image-{n}"),
            digest: format!("{n:064x}"),
            source: "file /srv/image.qcow2".into(),
            virtual_bytes: 2 << 30,
            file_bytes: 300 << 20,
            added_at_ms: 1_700_000_000_000,
        };
        store.save_image(&image).unwrap();
        for revision in 0..3 {
            let document = format!("version: 1\nname: {name}\n# revision {revision}\n{}", "# what it is for\n".repeat(60));
            let lab = LabToSave {
                name: &name,
                document: &document,
                dir: "/home/ada/labs",
                machine_count: 2,
                hosts: "local",
                description: None,
            };
            store.save_lab(&lab, None).unwrap();
        }
        let run = store.begin_run(&name, RunKind::Deploy, 3).unwrap();
        let events: Vec<RunEvent> = (1..150)
            .map(|seq| RunEvent {
                run,
                seq,
                at_ms: 1_700_000_000_000 + i64::from(seq),
                machine: Some("web".into()),
                body: EventBody::step(format!("step {seq} of {name}")),
            })
            .collect();
        store.append_events(&events).unwrap();
        store.journal(run, "apply/local", vlm_engine::journal::StepState::Begun).unwrap();
        store.journal(run, "apply/local", vlm_engine::journal::StepState::Done).unwrap();
        let id = store.lab(&name).unwrap().unwrap().id;
        for machine in ["web", "db"] {
            let row = MachineRow {
                name: machine.into(),
                host: "local".into(),
                address: Some(format!("10.77.{n}.5")),
                configured: Some("abc".into()),
                ready: true,
            };
            store.save_machine(id, &row).unwrap();
        }
        store.set_lab_state(&name, LabState::Deployed).unwrap();
        store.end_run(run, RunStatus::Done, "all machines are ready").unwrap();
    }
    store.save_host_fact("local", "kvm", "kernel 6.1", "{\"kvm\":true}").unwrap();
}

/// Every row of every table, as SQLite quotes its values.
fn content(database: &Path) -> BTreeMap<String, Vec<String>> {
    let connection = rusqlite::Connection::open(database).unwrap();
    let names = |sql: &str| -> Vec<String> {
        connection.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let mut content = BTreeMap::new();
    for table in names("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'sums'") {
        let columns = names(&format!("SELECT name FROM pragma_table_info('{table}')"));
        let row = columns.iter().map(|column| format!("quote({column})")).collect::<Vec<_>>().join(" || ', ' || ");
        content.insert(table.clone(), names(&format!("SELECT {row} FROM {table} ORDER BY 1")));
    }
    content.insert("schema".into(), names("SELECT coalesce(sql, '') FROM sqlite_schema ORDER BY 1"));
    content
}

/// The files of a database, copied to a folder of their own: the database, its journal, its seal.
fn copy_to(from: &Path, to: &Path) -> PathBuf {
    for end in ["", "-wal", ".seal"] {
        let name = format!("vlm.sqlite3{end}");
        let source = from.join(&name);
        if source.exists() {
            fs::copy(source, to.join(&name)).unwrap();
        }
    }
    to.join("vlm.sqlite3")
}

/// Damages one of the files; says what was done.
fn corrupt(database: &Path, random: &mut StdRng) -> String {
    let wal = database.with_file_name("vlm.sqlite3-wal");
    let path = if wal.exists() && random.random_bool(0.5) { wal } else { database.to_owned() };
    let file = fs::File::options().read(true).write(true).open(&path).unwrap();
    let length = file.metadata().unwrap().len();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let at = random.random_range(0..length);
    let page = at / 4096 * 4096;
    let bytes = |random: &mut StdRng, n: u64| -> Vec<u8> { (0..n).map(|_| random.random()).collect() };
    match random.random_range(0..8) {
        0 => {
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            let bit = random.random_range(0..8);
            file.write_all_at(&[byte[0] ^ (1 << bit)], at).unwrap();
            format!("bit {bit} at {at} of {name} flipped")
        }
        1 => {
            let at = random.random_range(0..length.min(100)); // the header
            let byte = random.random();
            file.write_all_at(&[byte], at).unwrap();
            format!("byte {at} of {name} set to {byte}")
        }
        2 => {
            let n = random.random_range(1..64).min(length - at);
            file.write_all_at(&vec![0; n as usize], at).unwrap();
            format!("{n} bytes at {at} of {name} zeroed")
        }
        3 => {
            let n = random.random_range(1..64).min(length - at);
            let bytes = bytes(random, n);
            file.write_all_at(&bytes, at).unwrap();
            format!("{n} bytes at {at} of {name} overwritten")
        }
        4 => {
            file.write_all_at(&vec![0; 4096.min(length - page) as usize], page).unwrap();
            format!("page at {page} of {name} zeroed")
        }
        5 => {
            let bytes = bytes(random, 4096.min(length - page));
            file.write_all_at(&bytes, page).unwrap();
            format!("page at {page} of {name} overwritten")
        }
        6 => {
            let to = if random.random_bool(0.3) { 0 } else { at };
            file.set_len(to).unwrap();
            format!("{name} cut to {to} of {length} bytes")
        }
        _ => {
            let from = random.random_range(0..length) / 4096 * 4096;
            let n = 4096.min(length - from).min(length - page) as usize;
            let mut other = vec![0; n];
            file.read_exact_at(&mut other, from).unwrap();
            file.write_all_at(&other, page).unwrap();
            format!("page at {from} of {name} written over that at {page}")
        }
    }
}

#[test]
fn no_corruption_is_opened_silently() {
    let closed = tempfile::tempdir().unwrap();
    let path = closed.path().join("vlm.sqlite3");
    {
        let store = Store::open(&path).unwrap();
        fill(&store, 8);
    }
    // As after a kill: the newest changes are in the journal only.
    let killed = tempfile::tempdir().unwrap();
    {
        let live = tempfile::tempdir().unwrap();
        let store = Store::open(&copy_to(closed.path(), live.path())).unwrap();
        for n in 0..30 {
            store.audit("note", &format!("object {n}"), "written after the last clean end").unwrap();
        }
        copy_to(live.path(), killed.path());
    }
    assert!(killed.path().join("vlm.sqlite3-wal").metadata().unwrap().len() > 4096, "the journal is not empty");

    let (mut refused, mut harmless) = (0, 0);
    for seed in 0..CORRUPTIONS {
        let mut random = StdRng::seed_from_u64(seed);
        let source = if seed % 2 == 0 { closed.path() } else { killed.path() };
        let whole = tempfile::tempdir().unwrap();
        let expected = content(&copy_to(source, whole.path()));
        let torn = tempfile::tempdir().unwrap();
        let path = copy_to(source, torn.path());
        let what = corrupt(&path, &mut random);
        match Store::open(&path) {
            Ok(store) => {
                drop(store);
                assert!(content(&path) == expected, "seed {seed}: {what}: opened with other content");
                harmless += 1;
            }
            Err(Error::Damaged { .. }) => refused += 1,
            Err(error) => panic!("seed {seed}: {what}: refused for another reason: {error:?}"),
        }
    }
    println!("{refused} refused, {harmless} harmless");
    assert!(refused > CORRUPTIONS / 2, "only {refused} of {CORRUPTIONS} were found: do the corruptions reach the rows?");
}

fn dirs(home: &TempDir) -> Dirs {
    Dirs { data: home.path().join("data"), config: home.path().join("config"), state: home.path().join("state") }
}

#[test]
fn a_damaged_database_is_named_and_its_last_good_copy_offered() {
    let home = tempfile::tempdir().unwrap();
    let dirs = dirs(&home);
    let path = dirs.database();
    {
        let engine = Engine::open(dirs.clone()).unwrap();
        fill(&Store::open(&path).unwrap(), 2);
        engine.backup(None).unwrap();
    }
    {
        let store = Store::open(&path).unwrap();
        let lab = LabToSave {
            name: "newer",
            document: "version: 1\nname: newer\n",
            dir: "/",
            machine_count: 0,
            hosts: "",
            description: None,
        };
        store.save_lab(&lab, None).unwrap();
    }
    // A letter inside a text: no structure is torn by it.
    let bytes = fs::read(&path).unwrap();
    let at = bytes.windows(14).position(|window| window == b"/home/ada/labs").unwrap();
    fs::File::options().write(true).open(&path).unwrap().write_all_at(b"X", at as u64 + 6).unwrap();
    let torn = fs::read(&path).unwrap();
    let Err(error) = Engine::open(dirs) else { panic!("opened silently") };
    let text = error.to_string();
    let OpenError::Damaged { path: named, what, copy: Some(copy) } = error else { panic!("no copy offered: {text}") };
    assert_eq!(named, path);
    assert_eq!(what, "table `labs` does not hold what was written to it");
    assert_eq!((copy.1.labs.as_slice(), copy.1.revisions, copy.1.audit_lines), (["newer".to_owned()].as_slice(), 1, 1));
    assert!(text.contains("vlm restore last") && text.contains("lab newer, 1 revision, 1 line of the audit"), "{text}");
    assert!(fs::read(&path).unwrap() == torn, "a damaged database is left as it is");
}

#[test]
fn several_who_write_and_come_and_go_damage_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vlm.sqlite3");
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path = &path;
            scope.spawn(move || {
                for round in 0..8 {
                    let store = Store::open(path).unwrap_or_else(|error| panic!("round {round}: {error:?}"));
                    (0..5).for_each(|n| store.audit("note", &format!("{writer}/{round}/{n}"), "").unwrap());
                }
            });
        }
    });
    let store = Store::open(&path).unwrap();
    assert_eq!(store.audit_rows(None, "", 1000).unwrap().len(), 4 * 8 * 5);
    drop(store);
    // Read as a whole: a touched file is not trusted.
    fs::File::options()
        .append(true)
        .open(&path)
        .unwrap()
        .set_times(fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH))
        .unwrap();
    Store::open(&path).unwrap();
}

/// Writes until it is killed, and says each time what is on the disk.
#[test]
#[ignore = "started by what_a_killed_writer_said_is_there"]
fn write_until_killed() {
    let store = Store::open(Path::new(&std::env::var_os("VLM_TEST_DATABASE").unwrap())).unwrap();
    for n in 0.. {
        store.audit("note", &format!("{n}"), "").unwrap();
        println!("\nwritten");
    }
}

#[test]
fn what_a_killed_writer_said_is_there() {
    use std::io::BufRead;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vlm.sqlite3");
    let mut before = 0;
    for round in 0..12 {
        let mut writer = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "write_until_killed", "--ignored", "--nocapture"])
            .env("VLM_TEST_DATABASE", &path)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let lines = std::io::BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut said = lines.filter(|line| line == "written");
        let mut count = said.by_ref().take(1 + 7 * round).count();
        writer.kill().unwrap();
        writer.wait().unwrap();
        count += said.count(); // what it still said in the meantime
        let store = Store::open(&path).unwrap_or_else(|error| panic!("round {round}: {error:?}"));
        let there = store.audit_rows(None, "", 10_000).unwrap().len();
        // One more may be there whose writer did not come to say so.
        assert!(
            (before + count..=before + count + 1).contains(&there),
            "round {round}: {there} lines, {before} + {count} were said"
        );
        before = there;
    }
}
