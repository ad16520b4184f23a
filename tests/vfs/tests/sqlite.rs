//! SQLite on the disk: what a power cut may take by SQLite's own documentation it does take here, and nothing else.

use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use turnstone_test_vfs::{Chance, Disk, Failure, Fault, Loss, Op};

const FILE: &str = "/rows.db";

fn open(disk: &Disk, journal_mode: &str, synchronous: &str) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags_and_vfs(FILE, flags, disk.vfs())?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", journal_mode)?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    // Small, so that a short run passes through many checkpoints.
    connection.pragma_update(None, "wal_autocheckpoint", 8)?;
    connection.execute_batch("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, text BLOB NOT NULL)")?;
    Ok(connection)
}

fn text(id: i64) -> Vec<u8> {
    let length = Chance::new(id as u64).below(3_000) as usize;
    vec![id as u8; length]
}

/// Adds rows, two in each transaction, until the power goes. Returns how many were acknowledged.
fn work(disk: &Disk, journal_mode: &str, synchronous: &str, from: i64) -> i64 {
    let mut done = from;
    let run = (|| -> rusqlite::Result<()> {
        let connection = open(disk, journal_mode, synchronous)?;
        for id in (from..from + 60).step_by(2) {
            connection.execute_batch("BEGIN IMMEDIATE")?;
            for id in [id + 1, id + 2] {
                connection.execute("INSERT INTO rows VALUES (?1, ?2)", params![id, text(id)])?;
            }
            connection.execute_batch("COMMIT")?;
            done = id + 2;
        }
        Ok(())
    })();
    assert!(run.is_ok() || !disk.is_on(), "{run:?}");
    done
}

/// What is wrong with the rows that are found after a cut.
fn examine(disk: &Disk, acknowledged: i64) -> Result<i64, String> {
    disk.power_on();
    let told = |error: rusqlite::Error| format!("unusable: {error}");
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = Connection::open_with_flags_and_vfs(FILE, flags, disk.vfs()).map_err(told)?;
    let checked: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).map_err(told)?;
    if checked != "ok" {
        return Err(format!("damaged: {checked}"));
    }
    let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    if tables.map_err(told)? == 0 {
        return if acknowledged == 0 { Ok(0) } else { Err(format!("all of {acknowledged} lost")) };
    }
    let mut statement = connection.prepare("SELECT id, text FROM rows ORDER BY id").map_err(told)?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))).map_err(told)?;
    let mut found = 0;
    for row in rows {
        let (id, bytes) = row.map_err(told)?;
        if id != found + 1 || bytes != text(id) {
            return Err(format!("row {id} after {found}"));
        }
        found = id;
    }
    if found % 2 == 1 {
        return Err(format!("half a transaction: {found}"));
    }
    if found < acknowledged { Err(format!("{found} of {acknowledged}")) } else { Ok(found) }
}

/// Runs and cuts, twice on each disk so that recovery is cut as well; the faults found, and how many rows survived.
fn campaign(seeds: u64, journal_mode: &str, synchronous: &str) -> (Vec<String>, i64) {
    let (mut faults, mut rows) = (Vec::new(), 0);
    for seed in 0..seeds {
        let disk = Disk::new();
        let mut chance = Chance::new(seed);
        let mut found = 0;
        for _ in 0..3 {
            let loss = if chance.once_in(3) { Loss::Everything } else { Loss::Torn(chance.number()) };
            disk.cut_after(chance.below(400), loss);
            let acknowledged = work(&disk, journal_mode, synchronous, found);
            disk.power_cut(loss);
            match examine(&disk, acknowledged) {
                Ok(rows) => found = rows,
                Err(fault) => {
                    faults.push(format!("seed {seed}: {fault}"));
                    break;
                }
            }
        }
        rows += found;
    }
    (faults, rows)
}

#[test]
fn a_log_that_is_synced_loses_nothing() {
    let (faults, rows) = campaign(400, "WAL", "FULL");
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(rows > 10_000, "the cuts left little to find: {rows}");
}

#[test]
fn a_log_that_is_not_synced_loses_acknowledged_rows_and_is_not_damaged() {
    let (faults, _) = campaign(100, "WAL", "NORMAL");
    assert!(faults.len() > 30, "NORMAL acknowledges before the sync: {faults:#?}");
    assert!(faults.iter().all(|fault| !fault.contains("damaged") && !fault.contains("unusable")), "{faults:#?}");
}

#[test]
fn without_any_sync_even_the_file_is_damaged() {
    let (faults, _) = campaign(100, "WAL", "OFF");
    assert!(faults.len() > 50, "{faults:#?}");
    let ruined = faults.iter().filter(|fault| fault.contains("damaged") || fault.contains("unusable")).count();
    assert!(ruined > 5, "torn checkpoints were not noticed: {faults:#?}");
}

#[test]
fn a_rollback_journal_needs_its_directory_synced() {
    let (faults, rows) = campaign(200, "DELETE", "EXTRA");
    assert!(faults.is_empty() && rows > 1_000, "{rows}: {faults:#?}");
    // The journal's removal is the commit; FULL leaves it to the directory's next sync.
    let (faults, _) = campaign(200, "DELETE", "FULL");
    assert!(faults.len() > 20, "a removal without a sync of its directory was durable: {faults:#?}");
}

#[test]
fn connections_see_each_others_work_and_wait_for_each_other() {
    let disk = Disk::new();
    let (name, rows) = (disk.vfs().to_owned(), 200);
    open(&disk, "WAL", "FULL").unwrap();
    std::thread::scope(|scope| {
        for start in [0, 1] {
            let disk = &disk;
            scope.spawn(move || {
                let connection = open(disk, "WAL", "FULL").unwrap();
                for id in (start..rows).step_by(2) {
                    connection.execute("INSERT INTO rows VALUES (?1, ?2)", params![id + 1, text(id + 1)]).unwrap();
                }
            });
        }
    });
    assert_eq!(examine(&disk, rows), Ok(rows));
    drop(disk);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    assert!(Connection::open_with_flags_and_vfs(FILE, flags, name.as_str()).is_err(), "its name went with it");
}

#[test]
fn a_write_or_a_sync_that_fails_is_an_error_and_the_next_one_may_succeed() {
    for (op, failure, wanted) in [
        (Op::Write, Failure::Full, ErrorCode::DiskFull),
        (Op::Write, Failure::Io, ErrorCode::SystemIoFailure),
        (Op::Sync, Failure::Io, ErrorCode::SystemIoFailure),
    ] {
        for after in 0..12 {
            let disk = Disk::new();
            let connection = open(&disk, "WAL", "FULL").unwrap();
            let insert = |id: i64| connection.execute("INSERT INTO rows VALUES (?1, ?2)", params![id, text(id)]);
            insert(1).unwrap();
            disk.fail(Fault { op, after, failure, lasting: true });
            let mut id = 1;
            let error = loop {
                match insert(id + 1) {
                    Ok(_) => id += 1,
                    Err(error) => break error,
                }
            };
            assert_eq!(error.sqlite_error_code(), Some(wanted), "{op:?} {after}: {error}");
            disk.mend();
            let next = id + 1;
            assert!(insert(next).is_ok(), "{op:?} {after}: it works again");
            disk.power_cut(Loss::Everything);
            drop(connection);
            disk.power_on();
            let connection = open(&disk, "WAL", "FULL").unwrap();
            let count: i64 = connection.query_row("SELECT count(*) FROM rows", [], |row| row.get(0)).unwrap();
            assert_eq!(count, next, "{op:?} {after}: nothing acknowledged was lost");
        }
    }
}
