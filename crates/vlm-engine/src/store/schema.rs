//! The database's schema, as the list of steps that lead to it. A step that has been released is never edited: a change is a
//! new step at the end.

use rusqlite::Connection;

use super::{Error, audit, integrity};

const STEPS: &[&str] = &[
    // 1: labs, runs, images, hosts
    "CREATE TABLE labs (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, document TEXT NOT NULL, dir TEXT NOT NULL,
        machine_count INTEGER NOT NULL, hosts TEXT NOT NULL, state TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
     ) STRICT;
     CREATE TABLE lab_revisions (
        lab_id INTEGER NOT NULL REFERENCES labs ON DELETE CASCADE, revision INTEGER NOT NULL, document TEXT NOT NULL,
        saved_at INTEGER NOT NULL, PRIMARY KEY (lab_id, revision)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE machines (
        lab_id INTEGER NOT NULL REFERENCES labs ON DELETE CASCADE, name TEXT NOT NULL, host TEXT NOT NULL, address TEXT,
        configured TEXT, updated_at INTEGER NOT NULL, PRIMARY KEY (lab_id, name)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE runs (
        id INTEGER PRIMARY KEY, lab TEXT NOT NULL, kind TEXT NOT NULL, status TEXT NOT NULL, sentence TEXT NOT NULL DEFAULT '',
        revision INTEGER NOT NULL, pid INTEGER NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER
     ) STRICT;
     CREATE INDEX runs_by_lab ON runs (lab, id);
     CREATE TABLE run_events (
        run_id INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, machine TEXT, body TEXT NOT NULL,
        PRIMARY KEY (run_id, seq)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE journal (
        id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL, step TEXT NOT NULL, state TEXT NOT NULL, at INTEGER NOT NULL
     ) STRICT;
     CREATE INDEX journal_by_run ON journal (run_id, id);
     CREATE TABLE images (
        name TEXT PRIMARY KEY, digest TEXT NOT NULL, source TEXT NOT NULL, virtual_bytes INTEGER NOT NULL,
        file_bytes INTEGER NOT NULL, added_at INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE hosts (name TEXT PRIMARY KEY, added_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
     INSERT INTO hosts VALUES ('local', 0);
     CREATE TABLE host_facts (
        host TEXT NOT NULL REFERENCES hosts ON DELETE CASCADE, fact TEXT NOT NULL, basis TEXT NOT NULL, value TEXT NOT NULL,
        at INTEGER NOT NULL, PRIMARY KEY (host, fact)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE audit (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL, detail TEXT NOT NULL
     ) STRICT;",
    // 2: hosts that are reached by SSH; `local` has no address
    "ALTER TABLE hosts ADD COLUMN address TEXT;
     ALTER TABLE hosts ADD COLUMN port INTEGER;
     ALTER TABLE hosts ADD COLUMN user TEXT;
     ALTER TABLE hosts ADD COLUMN identity TEXT;
     ALTER TABLE hosts ADD COLUMN host_key TEXT;",
    // 3: whether a machine was ready after its last start
    "ALTER TABLE machines ADD COLUMN ready INTEGER NOT NULL DEFAULT 0;",
    // 4: labs on other hosts: where each machine stands (JSON, host by machine), and our ports that lead to their SSH servers
    "ALTER TABLE labs ADD COLUMN placement TEXT NOT NULL DEFAULT '{}';
     CREATE TABLE ssh_ports (
        port INTEGER PRIMARY KEY, lab_id INTEGER NOT NULL REFERENCES labs ON DELETE CASCADE, machine TEXT NOT NULL,
        UNIQUE (lab_id, machine)
     ) STRICT;",
    // 5: the audit as a chain of hashes, filled in below. The sums of integrity.rs are made anew after every migration
    "ALTER TABLE audit ADD COLUMN hash TEXT NOT NULL DEFAULT '';",
    // 6: what lists and the canvas show of labs; the passphrase that opens windows, as Argon2's text
    "ALTER TABLE labs ADD COLUMN description TEXT;
     CREATE TABLE layouts (lab_id INTEGER PRIMARY KEY REFERENCES labs ON DELETE CASCADE, layout TEXT NOT NULL) STRICT;
     CREATE TABLE passphrase (
        id INTEGER PRIMARY KEY CHECK (id = 1), hash TEXT NOT NULL, idle_minutes INTEGER
     ) STRICT;",
];

/// The newest version that this build knows.
pub(super) const KNOWN: u32 = STEPS.len() as u32;
/// The version since which a database has sums, and its audit hashes.
pub(super) const SUMS_SINCE: u32 = 5;
/// The version since which labs have their descriptions beside them.
const DESCRIPTIONS_SINCE: u32 = 6;

/// Brings the database to the newest version, all steps in one transaction; `copy` is asked for a copy before.
pub(super) fn migrate(connection: &mut Connection, copy: impl FnOnce(&Connection) -> Result<(), Error>) -> Result<(), Error> {
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > KNOWN {
        return Err(Error::TooNew { found, known: KNOWN });
    }
    if found == KNOWN {
        return Ok(());
    }
    if found > 0 {
        copy(connection)?;
    }
    // IMMEDIATE: two processes that start at once migrate one after the other, and the second finds nothing to do.
    let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found: u32 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found == KNOWN {
        return Ok(());
    }
    integrity::drop_triggers(&tx)?;
    for step in &STEPS[found as usize..] {
        tx.execute_batch(step)?;
    }
    if found < SUMS_SINCE {
        integrity::chain_old_lines(&tx)?;
    }
    if found < DESCRIPTIONS_SINCE {
        describe_labs(&tx)?;
    }
    tx.pragma_update(None, "user_version", KNOWN)?;
    integrity::add_up(&tx, KNOWN)?;
    if found > 0 {
        audit(&tx, "migrate", "database", &format!("version {found} to {KNOWN}"))?;
    }
    Ok(tx.commit()?)
}

/// Writes the descriptions of labs beside their documents, as far as these can be read.
fn describe_labs(connection: &Connection) -> Result<(), Error> {
    let mut statement = connection.prepare("SELECT id, document FROM labs")?;
    let labs: Vec<(i64, String)> = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    for (id, document) in labs {
        if let Ok(vlm_lab::Lab { description: Some(description), .. }) = vlm_lab::file::read(&document) {
            connection.execute("UPDATE labs SET description = ?2 WHERE id = ?1", (id, description))?;
        }
    }
    Ok(())
}
