//! The store's promises, against real files.

use std::path::Path;

use rusqlite::Connection;

use super::migrate::{Migration, run};
use super::*;

const NOW_MS: i64 = 1_790_000_000_000;

async fn scratch() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open_sqlite(&directory.path().join("t.db"), NOW_MS).await.unwrap();
    let mut tx = store.write().await.unwrap();
    tx.execute_script("CREATE TABLE things (id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, data BLOB)")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    (directory, store)
}

async fn count(store: &Store) -> i64 {
    let (count,) = store.read().await.unwrap().query_one("SELECT COUNT(*) FROM things", params![]).await.unwrap();
    count
}

#[tokio::test]
async fn every_connection_is_durable_and_checks_references() {
    let (_directory, store) = scratch().await;
    // As many readers as the pool has, all open at once, so that each is a connection of its own.
    let mut open = vec![store.write().await.unwrap()];
    for _ in 0..8 {
        open.push(store.read().await.unwrap());
    }
    for tx in &mut open {
        for (pragma, wanted) in [
            ("synchronous", Value::Integer(2)),
            ("foreign_keys", Value::Integer(1)),
            ("journal_mode", Value::Text("wal".into())),
        ] {
            let (found,): (Value,) = tx.query_one(&format!("PRAGMA {pragma}"), params![]).await.unwrap();
            assert_eq!(found, wanted, "{pragma}");
        }
    }
    assert!(matches!(
        open[1].execute("INSERT INTO things VALUES (1, 'a', NULL)", params![]).await,
        Err(StoreError::ReadOnly { .. })
    ));
}

#[tokio::test]
async fn parameters_are_numbered_not_named() {
    let (_directory, store) = scratch().await;
    let mut tx = store.write().await.unwrap();
    let found: (String, i64, String, i64) =
        tx.query_one("SELECT $2, $1, '$2', $1 + 1 /*LOCK*/", params![7, "seven"]).await.unwrap();
    assert_eq!(found, ("seven".into(), 7, "$2".into(), 8));
    assert!(tx.query::<(i64,)>("SELECT $2", params![1]).await.is_err(), "a missing parameter is no NULL");
}

#[tokio::test]
async fn values_come_back_as_they_went() {
    let (_directory, store) = scratch().await;
    let mut tx = store.write().await.unwrap();
    let back: (u64, Option<i64>, [u8; 3], bool, Vec<u8>) = tx
        .query_one("SELECT $1, $2, $3, $4, $5", params![u64::MAX, None::<i64>, [1u8, 2, 3], true, vec![9u8]])
        .await
        .unwrap();
    assert_eq!(back, (u64::MAX, None, [1, 2, 3], true, vec![9]));
    for (wrong, sql) in [
        (true, "SELECT 65536"),
        (true, "SELECT 'a'"),
        (true, "SELECT -1"),
        (true, "SELECT NULL"),
        (false, "SELECT 65535"),
    ] {
        assert_eq!(tx.query_one::<(u16,)>(sql, params![]).await.is_err(), wrong, "{sql}");
    }
    assert!(tx.query_one::<(i64,)>("SELECT 1, 2", params![]).await.is_err());
    assert!(tx.query_one::<(i64,)>("SELECT 1 UNION SELECT 2", params![]).await.is_err());
    assert!(tx.query_one::<(i64,)>("SELECT 1 WHERE 1 = 2", params![]).await.is_err());
    assert!(tx.query::<(i64,)>("SELECT 1.5", params![]).await.is_err(), "floating point is outside the common subset");
}

#[tokio::test]
async fn what_is_not_committed_is_not_there() {
    let (_directory, store) = scratch().await;
    let insert = "INSERT INTO things (id, name) VALUES ($1, $2)";
    let mut tx = store.write().await.unwrap();
    tx.execute(insert, params![1, "a"]).await.unwrap();
    drop(tx);
    assert_eq!(count(&store).await, 0);
    let mut tx = store.write().await.unwrap();
    assert_eq!(tx.execute_each(insert, &[params![1, "a"].to_vec(), params![2, "b"].to_vec()]).await.unwrap(), 2);
    assert_eq!(count(&store).await, 0, "a reader sees nothing before the commit");
    tx.commit().await.unwrap();
    assert_eq!(count(&store).await, 2);
    let mut tx = store.write().await.unwrap();
    let twice = tx.execute(insert, params![3, "a"]).await.unwrap_err();
    assert!(twice.is_unique("things.name") && !twice.is_transient(), "{twice:?}");
    assert!(matches!(
        tx.execute("INSERT INTO things (id) VALUES (4)", params![]).await,
        Err(StoreError::Constraint { .. })
    ));
}

#[tokio::test]
async fn a_reader_sees_one_moment() {
    let (_directory, store) = scratch().await;
    let mut reader = store.read().await.unwrap();
    let before: (i64,) = reader.query_one("SELECT COUNT(*) FROM things", params![]).await.unwrap();
    let mut tx = store.write().await.unwrap();
    tx.execute("INSERT INTO things (id, name) VALUES (1, 'a')", params![]).await.unwrap();
    tx.commit().await.unwrap();
    let after: (i64,) = reader.query_one("SELECT COUNT(*) FROM things", params![]).await.unwrap();
    assert_eq!((before, after), ((0,), (0,)));
    drop(reader);
    assert_eq!(count(&store).await, 1);
}

#[tokio::test]
async fn sequences_count_from_one_without_gaps_from_rollbacks() {
    let (_directory, store) = scratch().await;
    let mut tx = store.write().await.unwrap();
    assert_eq!(tx.next_number("lane").await.unwrap(), 1);
    drop(tx);
    let mut tx = store.write().await.unwrap();
    assert_eq!(
        (
            tx.next_number("lane").await.unwrap(),
            tx.next_number("lane").await.unwrap(),
            tx.next_number("venue").await.unwrap()
        ),
        (1, 2, 1)
    );
}

fn migration(number: i64, sql: &str) -> Migration {
    Migration { number, name: format!("m{number}"), sql: sql.into() }
}

#[tokio::test]
async fn migrations_apply_once_and_never_change() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::new(SqliteEngine::open(&directory.path().join("t.db")).unwrap());
    let first = migration(1, "CREATE TABLE a (x BIGINT)");
    let second = migration(2, "CREATE TABLE b (x BIGINT); CREATE TABLE c (x BIGINT)");
    let report = run(&store, &[first.clone(), second.clone()], NOW_MS).await.unwrap();
    assert_eq!((report.applied.len(), report.present), (2, 0));
    let report = run(&store, &[first.clone(), second.clone()], NOW_MS).await.unwrap();
    assert_eq!((report.applied.len(), report.present), (0, 2));
    let changed = migration(2, "CREATE TABLE b (y BIGINT)");
    assert!(matches!(
        run(&store, &[first.clone(), changed], NOW_MS).await,
        Err(StoreError::ChangedMigration { number: 2 })
    ));
    assert!(matches!(
        run(&store, std::slice::from_ref(&first), NOW_MS).await,
        Err(StoreError::NewerSchema { found: 2, known: 1 })
    ));
    let (newer, older) = (migration(9, "CREATE TABLE d (x BIGINT)"), migration(5, "SELECT 1"));
    run(&store, &[first.clone(), second.clone(), newer.clone()], NOW_MS).await.unwrap();
    assert!(matches!(
        run(&store, &[first, second, older, newer], NOW_MS).await,
        Err(StoreError::MigrationOrder { number: 5, applied: 9 })
    ));
}

#[tokio::test]
async fn a_failing_migration_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::new(SqliteEngine::open(&directory.path().join("t.db")).unwrap());
    assert!(
        run(&store, &[migration(1, "CREATE TABLE a (x BIGINT); CREATE TABLE a (x BIGINT)")], NOW_MS).await.is_err()
    );
    let report = run(&store, &[migration(1, "CREATE TABLE a (x BIGINT)")], NOW_MS).await.unwrap();
    assert_eq!(report.applied, ["0001_m1"]);
}

#[tokio::test]
async fn embedded_migrations_are_in_the_common_subset() {
    let embedded = migrate::embedded().unwrap();
    assert!(!embedded.is_empty());
    for migration in embedded {
        let code: String =
            migration.sql.lines().filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join("\n");
        for word in [
            "AUTOINCREMENT",
            "WITHOUT ROWID",
            "STRICT",
            "INTEGER",
            "REAL",
            "BOOLEAN",
            "DATETIME",
            "JSON",
            "PRAGMA",
            "STORED",
        ] {
            let found = code.to_uppercase().split(|c: char| !c.is_alphanumeric()).any(|w| w == word)
                || code.to_uppercase().contains(&format!("{word} ROWID"));
            assert!(!found, "{word} in migration {}", migration.number);
        }
    }
}

async fn open_error(path: &Path) -> String {
    match Store::open_sqlite(path, NOW_MS).await {
        Ok(_) => panic!("opened"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn files_that_are_not_ours_say_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let garbage = directory.path().join("garbage.db");
    std::fs::write(&garbage, vec![b'x'; 8192]).unwrap();
    assert!(open_error(&garbage).await.contains("restore the latest backup"));

    let foreign = directory.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE songs (x)").unwrap();
    assert!(open_error(&foreign).await.contains("is not a Turnstone server's database"));

    let newer = directory.path().join("newer.db");
    drop(Store::open_sqlite(&newer, NOW_MS).await.unwrap());
    Connection::open(&newer)
        .unwrap()
        .execute("INSERT INTO schema_migrations VALUES (9999, 'future', x'00', 0)", [])
        .unwrap();
    assert!(open_error(&newer).await.contains("newer version (migration 9999"));

    assert!(open_error(&directory.path().join("no/such/dir/t.db")).await.contains("check that the directory exists"));
}

#[tokio::test]
async fn damage_is_found() {
    let (directory, store) = scratch().await;
    let mut tx = store.write().await.unwrap();
    let rows: Vec<_> = (0..2_000i64).map(|id| params![id, format!("thing {id}"), vec![7u8; 100]].to_vec()).collect();
    tx.execute_each("INSERT INTO things VALUES ($1, $2, $3)", &rows).await.unwrap();
    tx.commit().await.unwrap();
    assert!(store.integrity_check().await.unwrap().is_empty());
    drop(store);
    let path = directory.path().join("t.db");
    let mut bytes = std::fs::read(&path).unwrap();
    // A page full of rows.
    let row = bytes.windows(100).rposition(|bytes| bytes == [7u8; 100]).unwrap();
    let page = row / 4096 * 4096;
    bytes[page..page + 4096].fill(0xAA);
    std::fs::write(&path, bytes).unwrap();
    let store = Store::open_sqlite(&path, NOW_MS).await.unwrap();
    let found = store.integrity_check().await;
    assert!(!matches!(&found, Ok(findings) if findings.is_empty()), "{found:?}");
    let read = store
        .read()
        .await
        .unwrap()
        .query::<(i64, String, Vec<u8>)>("SELECT * FROM things ORDER BY name", params![])
        .await;
    assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{:?}", read.map(|rows| rows.len()));
    assert!(read.unwrap_err().to_string().contains("restore the latest backup"));
}

#[tokio::test]
async fn a_full_disk_is_said_and_survived() {
    let (_directory, store) = scratch().await;
    let mut tx = store.write().await.unwrap();
    // The engine's own limit gives the same error as the file system's.
    let (_,): (i64,) = tx.query_one("PRAGMA max_page_count = 40", params![]).await.unwrap();
    let mut full = None;
    for id in 0..1_000i64 {
        if let Err(error) =
            tx.execute("INSERT INTO things VALUES ($1, $2, $3)", params![id, id.to_string(), vec![1u8; 3000]]).await
        {
            full = Some(error);
            break;
        }
    }
    let full = full.unwrap();
    assert!(
        matches!(full, StoreError::DiskFull) && full.is_transient() && full.to_string().contains("free some space")
    );
    drop(tx);
    assert_eq!(count(&store).await, 0);
    let mut tx = store.write().await.unwrap();
    let (_,): (i64,) = tx.query_one("PRAGMA max_page_count = 4000", params![]).await.unwrap();
    tx.execute("INSERT INTO things VALUES (1, 'a', NULL)", params![]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(count(&store).await, 1);
}

#[tokio::test]
async fn a_backup_is_whole_and_overwrites_nothing() {
    let (directory, store) = scratch().await;
    assert_eq!(store.incarnation(u64::MAX).await.unwrap(), u64::MAX);
    let mut tx = store.write().await.unwrap();
    tx.execute("INSERT INTO things VALUES (1, 'a', NULL)", params![]).await.unwrap();
    tx.commit().await.unwrap();
    let mut open = store.write().await.unwrap();
    open.execute("INSERT INTO things VALUES (2, 'b', NULL)", params![]).await.unwrap();
    let copy = directory.path().join("copy.db");
    store.backup(&copy).await.unwrap();
    drop(open);
    let restored = Store::open_sqlite(&copy, NOW_MS).await.unwrap();
    assert_eq!(count(&restored).await, 1);
    assert_eq!(restored.incarnation(10).await.unwrap(), 10, "another life than the database that it is a copy of");
    assert_eq!(restored.incarnation(11).await.unwrap(), 10);
    assert_eq!(store.incarnation(12).await.unwrap(), u64::MAX);
    let names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().contains("partial")), "{names:?}");
    let again = store.backup(&copy).await.unwrap_err();
    assert!(again.to_string().contains("never overwrites"), "{again}");
}
