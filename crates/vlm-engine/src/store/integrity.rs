//! How we know that the database holds what was written to it. See docs/decisions/17-store.md.
//!
//! SQLite notices a torn structure, and nothing of a changed byte inside a text. So each table has a line in `sums`: how many
//! rows it has, and the sum of their hashes. Triggers keep them in the transaction of the change, so they are right after any
//! crash; reading everything and adding up again finds whatever changed since. The audit is a chain of hashes as well, and the
//! same function that sums rows notices a change that came without its line there.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rusqlite::{Connection, functions::FunctionFlags, types::ValueRef};
use sha2::{Digest, Sha256};

use super::{
    Error,
    schema::{KNOWN, SUMS_SINCE},
    seal::Seal,
};

/// Tables that nobody changes without a line in the audit, in the same transaction. What is not here is a run's own record
/// (events, journal, what became of machines), a measurement, or where a canvas has its nodes; the run itself has its lines.
const AUDITED: &[&str] = &["labs", "lab_revisions", "runs", "images", "hosts", "passphrase"];

/// The hash before the first line of the audit.
pub(super) const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What the transaction at work has done, and whether one was committed.
#[derive(Debug, Default)]
pub(super) struct Watch {
    changed: AtomicBool,
    audited: AtomicBool,
    committed: AtomicBool,
}

impl Watch {
    /// Whether something was committed since this was last asked.
    pub(super) fn take_committed(&self) -> bool {
        self.committed.swap(false, Ordering::Relaxed)
    }

    fn end(&self) -> bool {
        self.changed.store(false, Ordering::Relaxed);
        self.audited.swap(false, Ordering::Relaxed)
    }
}

/// Gives a connection the function that the triggers call, and refuses to commit what the audit does not know.
pub(super) fn attach(connection: &mut Connection) -> Result<Arc<Watch>, Error> {
    let watch = Arc::new(Watch::default());
    let noted = watch.clone();
    // sum_with(SUM, SIGN, TABLE, VALUES…)
    connection.create_scalar_function("sum_with", -1, FunctionFlags::SQLITE_UTF8, move |context| {
        let (sum, sign): (i64, i64) = (context.get(0)?, context.get(1)?);
        let table = context.get_raw(2).as_str()?;
        if table == "audit" {
            noted.audited.store(true, Ordering::Relaxed);
        } else if AUDITED.contains(&table) {
            noted.changed.store(true, Ordering::Relaxed);
        }
        let hash = row_hash(table, (3..context.len()).map(|index| context.get_raw(index)));
        Ok(sum.wrapping_add(sign.wrapping_mul(hash)))
    })?;
    let (at_commit, at_rollback) = (watch.clone(), watch.clone());
    connection.commit_hook(Some(move || {
        let changed = at_commit.changed.load(Ordering::Relaxed);
        let refuse = !at_commit.end() && changed;
        at_commit.committed.fetch_or(!refuse, Ordering::Relaxed);
        refuse
    }))?;
    connection.rollback_hook(Some(move || {
        at_rollback.end();
    }))?;
    Ok(watch)
}

/// Makes triggers for all tables as they are now, and adds everything up: after a migration.
pub(super) fn add_up(connection: &Connection, version: u32) -> Result<(), Error> {
    drop_triggers(connection)?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS sums (
            name TEXT PRIMARY KEY, count INTEGER NOT NULL, sum INTEGER NOT NULL, changes INTEGER NOT NULL
         ) STRICT, WITHOUT ROWID;",
    )?;
    for table in tables(connection)? {
        let columns = columns(connection, &table)?;
        let values = |row: &str| columns.iter().map(|column| format!(", {row}.{column}")).collect::<String>();
        let (old, new) = (values("OLD"), values("NEW"));
        connection.execute_batch(&format!(
            "CREATE TRIGGER sum_{table}_insert AFTER INSERT ON {table} BEGIN
                UPDATE sums SET count = count + 1, changes = changes + 1, sum = sum_with(sum, 1, '{table}'{new}) WHERE name = '{table}';
             END;
             CREATE TRIGGER sum_{table}_delete AFTER DELETE ON {table} BEGIN
                UPDATE sums SET count = count - 1, changes = changes + 1, sum = sum_with(sum, -1, '{table}'{old}) WHERE name = '{table}';
             END;
             CREATE TRIGGER sum_{table}_update AFTER UPDATE ON {table} BEGIN
                UPDATE sums SET changes = changes + 1, sum = sum_with(sum_with(sum, -1, '{table}'{old}), 1, '{table}'{new}) WHERE name = '{table}';
             END;"
        ))?;
        let (count, sum) = sum_of(connection, &table)?;
        connection.execute(
            "INSERT INTO sums (name, count, sum, changes) VALUES (?1, ?2, ?3, ?2)
             ON CONFLICT (name) DO UPDATE SET count = excluded.count, sum = excluded.sum, changes = changes + 1",
            (&table, count, sum),
        )?;
    }
    connection.execute_batch(
        "CREATE TRIGGER audit_keeps_lines BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
         CREATE TRIGGER audit_keeps_words BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;",
    )?;
    // Last: the schema has the triggers in it.
    connection.execute(
        "INSERT OR REPLACE INTO sums (name, count, sum, changes) VALUES ('schema', ?1, ?2, 0)",
        (version, schema_sum(connection)?),
    )?;
    Ok(())
}

/// Takes the triggers away, for a migration to work in peace.
pub(super) fn drop_triggers(connection: &Connection) -> Result<(), Error> {
    let mut statement = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")?;
    let triggers: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for trigger in triggers {
        connection.execute_batch(&format!("DROP TRIGGER \"{trigger}\""))?;
    }
    Ok(())
}

/// How many changes the database has seen; it never counts down. None before there were sums.
pub(super) fn changes(connection: &Connection) -> Result<Option<i64>, Error> {
    if !has_sums(connection)? {
        return Ok(None);
    }
    Ok(connection.query_row("SELECT sum(changes) FROM sums", [], |row| row.get(0))?)
}

/// The newest line of the audit: its number and hash.
pub(super) fn head(connection: &Connection) -> Result<(i64, String), Error> {
    let mut statement = connection.prepare_cached("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1")?;
    let mut rows = statement.query([])?;
    Ok(match rows.next()? {
        Some(row) => (row.get(0)?, row.get(1)?),
        None => (0, NO_HASH.to_owned()),
    })
}

/// Says what the seal knows of and the database has no more; none when it has all.
pub(super) fn cut_off(connection: &Connection, seal: &Seal) -> Result<Option<String>, Error> {
    let Some(changes) = changes(connection)? else { return Ok(Some("its sums are gone".into())) };
    if changes < seal.changes {
        return Ok(Some(format!("its newest changes are gone: it knows {changes} of {}", seal.changes)));
    }
    let mut statement = connection.prepare("SELECT hash FROM audit WHERE id = ?1")?;
    let mut rows = statement.query([seal.line])?;
    let hash: Option<String> = rows.next()?.map(|row| row.get(0)).transpose()?;
    if seal.line > 0 && hash.as_ref() != Some(&seal.head) {
        return Ok(Some(format!("line {} of the audit is gone or another one", seal.line)));
    }
    Ok(None)
}

/// Reads everything and says what does not fit; none when all does. Writes nothing.
pub(super) fn damage(connection: &Connection) -> Result<Option<String>, Error> {
    match look(connection) {
        Err(Error::Sqlite(error)) if is_damage(&error) => Ok(Some(error.to_string())),
        looked => looked,
    }
}

/// Whether an error of SQLite tells of what is in the file, and not of its circumstances.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::*;
    match error {
        rusqlite::Error::SqliteFailure(code, _) => !matches!(
            code.code,
            DatabaseBusy | DatabaseLocked | CannotOpen | DiskFull | OutOfMemory | PermissionDenied | FileLockingProtocolFailed
        ),
        // The content has another type than the schema says, or is no text.
        _ => true,
    }
}

fn look(connection: &Connection) -> Result<Option<String>, Error> {
    // One transaction: another process may write meanwhile.
    let tx = connection.unchecked_transaction()?;
    let checked: String = tx.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if checked != "ok" {
        return Ok(Some(checked.trim_start_matches("*** in database main ***\n").replace('\n', "; ")));
    }
    let version: u32 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if !has_sums(&tx)? {
        // Older than sums are: it gets them when it is migrated.
        return match version {
            0 if !tables(&tx)?.is_empty() => Ok(Some("it has tables and no version".into())),
            SUMS_SINCE..=KNOWN => Ok(Some("its sums are gone".into())),
            _ => Ok(None),
        };
    }
    let (sealed_version, schema): (u32, i64) =
        tx.query_row("SELECT count, sum FROM sums WHERE name = 'schema'", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if version != sealed_version {
        return Ok(Some(format!("it says that it is of version {version} and was sealed as version {sealed_version}")));
    }
    if version > KNOWN {
        return Err(Error::TooNew { found: version, known: KNOWN }); // how it is checked is for that version to know
    }
    if schema != schema_sum(&tx)? {
        return Ok(Some("its schema is not the one that was written".into()));
    }
    for table in tables(&tx)? {
        let (count, sum, changes): (i64, i64, i64) =
            tx.query_row("SELECT count, sum, changes FROM sums WHERE name = ?1", [&table], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        if (count, sum) != sum_of(&tx, &table)? || !(0..1 << 53).contains(&changes) {
            return Ok(Some(format!("table `{table}` does not hold what was written to it")));
        }
    }
    Ok(first_misfit(&tx)?.map(|misfit| misfit.to_string()))
}

/// A line of the audit that does not follow from the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Its number.
    pub id: i64,
    /// What is wrong with it.
    pub what: String,
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {} of the audit {}", self.id, self.what)
    }
}

/// Follows the chain of the audit from its first line.
pub(super) fn first_misfit(connection: &Connection) -> Result<Option<Misfit>, Error> {
    let mut statement = connection.prepare("SELECT id, at, who, action, object, detail, hash FROM audit ORDER BY id")?;
    let mut rows = statement.query([])?;
    let (mut before, mut expected) = (NO_HASH.to_owned(), 1);
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        if id != expected {
            return Ok(Some(Misfit { id, what: format!("does not follow line {}", expected - 1) }));
        }
        let text = |index| row.get::<_, String>(index);
        let hash = line_hash(&before, id, row.get(1)?, [&text(2)?, &text(3)?, &text(4)?, &text(5)?]);
        if hash != text(6)? {
            return Ok(Some(Misfit {
                id,
                what: "is not as it was written, or not after the line it was written after".into(),
            }));
        }
        (before, expected) = (hash, id + 1);
    }
    Ok(None)
}

/// Gives hashes to the lines of an audit that has none yet.
pub(super) fn chain_old_lines(connection: &Connection) -> Result<(), Error> {
    let mut statement = connection.prepare("SELECT id, at, who, action, object, detail FROM audit ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut before = NO_HASH.to_owned();
    let mut number = 0;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        number += 1;
        let text = |index| row.get::<_, String>(index);
        before = line_hash(&before, number, row.get(1)?, [&text(2)?, &text(3)?, &text(4)?, &text(5)?]);
        // Numbers without a gap from now on; there was none as long as nobody deleted lines.
        connection.execute("UPDATE audit SET id = ?2, hash = ?3 WHERE id = ?1", (id, number, &before))?;
    }
    Ok(())
}

/// The hash of a line of the audit: of the hash before it, and of its fields.
pub(super) fn line_hash(before: &str, id: i64, at: i64, texts: [&str; 4]) -> String {
    let mut hash = Sha256::new();
    hash.update(before.as_bytes());
    hash.update(id.to_be_bytes());
    hash.update(at.to_be_bytes());
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hex(&hash.finalize())
}

/// Bytes in hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn has_sums(connection: &Connection) -> Result<bool, Error> {
    Ok(connection.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'sums'", [], |row| row.get::<_, i64>(0))? == 1)
}

/// Tables with rows of ours.
pub(super) fn tables(connection: &Connection) -> Result<Vec<String>, Error> {
    let mut statement = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'sums' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

fn columns(connection: &Connection, table: &str) -> Result<Vec<String>, Error> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1) ORDER BY cid")?;
    Ok(statement.query_map([table], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

fn sum_of(connection: &Connection, table: &str) -> Result<(i64, i64), Error> {
    let columns = columns(connection, table)?;
    let mut statement = connection.prepare(&format!("SELECT {} FROM {table}", columns.join(", ")))?;
    let mut rows = statement.query([])?;
    let (mut count, mut sum) = (0, 0i64);
    while let Some(row) = rows.next()? {
        let values = (0..columns.len()).map(|index| row.get_ref(index)).collect::<Result<Vec<_>, _>>()?;
        sum = sum.wrapping_add(row_hash(table, values.into_iter()));
        count += 1;
    }
    Ok((count, sum))
}

fn schema_sum(connection: &Connection) -> Result<i64, Error> {
    let mut statement = connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")?;
    let mut rows = statement.query([])?;
    let mut sum = 0i64;
    while let Some(row) = rows.next()? {
        let values = [row.get_ref(0)?, row.get_ref(1)?, row.get_ref(2)?, row.get_ref(3)?];
        sum = sum.wrapping_add(row_hash("sqlite_schema", values.into_iter()));
    }
    Ok(sum)
}

/// The first 64 bits of the SHA-256 of a row: of its table, and of its values with their types and lengths.
fn row_hash<'a>(table: &str, values: impl Iterator<Item = ValueRef<'a>>) -> i64 {
    let mut hash = Sha256::new();
    let mut add = |kind: u8, bytes: &[u8]| {
        hash.update([kind]);
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    add(b't', table.as_bytes());
    for value in values {
        match value {
            ValueRef::Null => add(0, &[]),
            ValueRef::Integer(number) => add(1, &number.to_be_bytes()),
            ValueRef::Real(number) => add(2, &number.to_bits().to_be_bytes()),
            ValueRef::Text(text) => add(3, text),
            ValueRef::Blob(bytes) => add(4, bytes),
        }
    }
    i64::from_be_bytes(hash.finalize()[..8].try_into().expect("a hash has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use crate::store::{Error, LabToSave, Store};

    /// The one place that can reach behind the store's methods.
    #[test]
    fn no_change_is_committed_without_its_line() {
        let store = Store::in_memory().unwrap();
        let lab = LabToSave { name: "one", document: "1", dir: "/", machine_count: 1, hosts: "local", description: None };
        store.save_lab(&lab, None).unwrap();
        for sql in [
            "UPDATE labs SET document = '2'",
            "DELETE FROM labs",
            "DELETE FROM lab_revisions",
            "INSERT INTO hosts (name, added_at) VALUES ('x', 0)",
            "INSERT INTO images VALUES ('x', 'y', 'z', 1, 1, 1)",
            "INSERT INTO runs (lab, kind, status, revision, pid, started_at) VALUES ('one', 'deploy', 'running', 1, 1, 1)",
            "INSERT INTO passphrase VALUES (1, 'x', NULL)",
        ] {
            let refused = store.with(|connection| Ok(connection.execute(sql, [])?)).unwrap_err();
            assert!(matches!(refused, Error::Unaudited), "{sql}: {refused:?}");
            // A line of an earlier transaction does not count.
            store.audit("note", "x", "").unwrap();
        }
        for sql in ["UPDATE audit SET who = 'eve'", "DELETE FROM audit"] {
            let refused = store.with(|connection| Ok(connection.execute(sql, [])?)).unwrap_err();
            assert!(crate::chain(&refused).contains("the audit is only added to"), "{sql}: {refused:?}");
        }
        assert_eq!(store.lab("one").unwrap().unwrap().document, "1");
        assert_eq!(store.audit_rows(None, "", 100).unwrap().len(), 8);
    }
}
