//! A wipe takes everything but what waits for a receipt, and then that.

use super::retain::receipt;
use super::*;

fn counts(world: &World) -> Vec<(&'static str, i64)> {
    let tables = ["listed", "list", "class", "floor", "revocation", "passage", "received", "journal", "station"];
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table}");
        world.journal.connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    tables.into_iter().map(|table| (table, count(table))).filter(|(_, count)| *count > 0).collect()
}

#[test]
fn after_a_wipe_nobody_is_admitted_and_rows_wait_for_their_receipts() {
    let tickets: Vec<_> = (1..=1_200).map(active).collect();
    let mut world = world(&tickets);
    assert_eq!(world.reasons(&[short(1, 2, NOW_S), short(2, 2, NOW_S)]), [Reason::Admitted; 2]);
    receipt(&mut world, 1);
    world.journal.wipe(b"signed", NOW_MS).unwrap();
    assert_eq!(world.reasons(&[full(&world.organiser, 3, 2, NOW_S)]), [Reason::NotReady]);
    assert_eq!(world.journal.wiped().unwrap(), Some(false));
    // The power goes here: what is left to do is done at any later time.
    world.database = Database::open(world.folder.path(), None, 88).unwrap();
    world.journal = world.database.connect(Use::Background).unwrap();
    assert!(matches!(crate::shell::places::load(&world.journal).unwrap(), crate::shell::places::Standing::Wiped(..)));
    assert!(!world.journal.finish_wipe(91).unwrap(), "a row waits for its receipt");
    assert_eq!(counts(&world), [("floor", 1), ("journal", 3), ("station", 1)], "the last scan left one after the wipe");
    assert!(world.journal.listed(EVENT, TicketId(5)).unwrap().is_none());
    receipt(&mut world, 3);
    assert!(world.journal.finish_wipe(91).unwrap());
    assert_eq!(counts(&world), []);
    assert_eq!(world.journal.wiped().unwrap(), Some(true));
    assert_eq!(world.journal.head().unwrap(), gate_core::chain::ChainHead::start(91), "another chain");

    world.settle(&[active(7)]);
    assert_eq!(world.journal.wiped().unwrap(), None, "enrolled anew");
    assert_eq!(world.reasons(&[short(7, 2, NOW_S)]), [Reason::Admitted]);
}

#[test]
fn what_was_wiped_is_not_left_in_the_file() {
    let tickets: Vec<_> = (1..=300).map(active).collect();
    let mut world = world(&tickets);
    let wanted = crate::testkit::phone(150).public();
    let needle = &wanted.to_slot()[1..];
    let holds = |world: &World| {
        let path = world.database.path();
        let log = path.with_extension("db-wal");
        [path, &log].into_iter().any(|file| {
            let bytes = std::fs::read(file).unwrap_or_default();
            bytes.windows(needle.len()).any(|window| window == needle)
        })
    };
    assert!(holds(&world));
    world.journal.wipe(b"signed", NOW_MS).unwrap();
    assert!(world.journal.finish_wipe(91).unwrap());
    assert!(!holds(&world), "a holder's key is still in the file");
}
