//! What this handheld tells of itself, and what it makes of the server's answer.

use std::sync::atomic::Ordering;

use crate::core::sync_plan::Cursors;
use crate::shell::http::Server;

use super::*;

/// Writes a row of a code that nobody knows.
fn scan(world: &World) {
    let mut gate = world.talk.settings.database.connect().unwrap();
    let scan =
        gate_core::record::Scan { text: b"menu".to_vec(), verified: Err(ticket_signer::ParseError::Foreign.into()) };
    let policy = world.organiser.policy(1);
    let station = gate_core::record::Station {
        device: DEVICE,
        key: &world.key,
        event: EVENT,
        lane: LANE,
        policy: Some(&policy),
        reach: gate_core::Reach::Alone,
        now: world.talk.settings.clock.read(),
    };
    gate_core::record(gate.begin(EVENT).unwrap(), &scan, None, &station).unwrap();
}

/// Tells it to a server that answers so; returns the result, the cursors and what was asked.
fn tell(world: &mut World, answer: &'static [u8]) -> (Result<(), SyncError>, Cursors, String) {
    let (base, pin, asked) = crate::shell::http::tests::serve(answer, 1);
    let signer = Signer { device: DEVICE, key: Arc::new(SecretKey::from_bytes(&[9; 32])) };
    let server = Server::new(&base, pin, Some(signer)).unwrap();
    let shared = Arc::new(Mutex::new(Arc::clone(&world.station)));
    let mut cursors = Cursors { tells: true, status_changed: true, ..Cursors::default() };
    let done = world.talk.step_status(&server, &shared, &mut cursors);
    (done, cursors, asked.join().unwrap().remove(0))
}

#[test]
fn it_tells_what_waits_what_it_goes_by_and_whom_it_hears() {
    let mut world = world();
    let shared: Shared = Arc::new(Mutex::new(Arc::clone(&world.station)));
    let status = |world: &World| world.talk.status(&shared, &world.talk.journal.progress().unwrap()).unwrap();
    let told = status(&world);
    assert_eq!((told.waiting_rows, told.list, told.policy_version, told.cut_off_s), (0, None, 1, None));
    assert!(!told.clock.in_doubt && told.clock.offset_ms != 0, "{:?}", told.clock);
    world.list(&world.organiser.list(4, 0, &[active(1)])).unwrap();
    scan(&world);
    scan(&world);
    world.talk.heard_ms.store(boot_ms() - 90_000, Ordering::Relaxed);
    let told = status(&world);
    assert_eq!((told.waiting_rows, told.list.map(|list| list.version)), (2, Some(4)));
    assert!((90..100).contains(&told.cut_off_s.unwrap()), "{told:?}");
}

#[test]
fn a_change_is_told_at_once_and_an_older_server_is_left_alone() {
    let mut world = world();
    scan(&world);
    let (done, cursors, asked) = tell(&mut world, b"HTTP/1.1 204 No Content\r\n\r\n");
    done.unwrap();
    assert!(asked.starts_with("POST /gate/v1/events/7/status HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("turnstone-device: "), "{asked}");
    assert!(!cursors.status_changed && cursors.status_at_ms.is_some());
    assert_eq!(world.talk.told.as_ref().map(|told| told.waiting_rows), Some(1));
    let shared: Shared = Arc::new(Mutex::new(Arc::clone(&world.station)));
    let look = |world: &World| {
        let mut cursors = Cursors::default();
        world.talk.look_at_self(&shared, &world.talk.journal.progress().unwrap(), &mut cursors).unwrap();
        cursors.status_changed
    };
    assert!(!look(&world));
    world.list(&world.organiser.list(4, 0, &[active(1)])).unwrap();
    assert!(look(&world), "another list is in use");

    let unknown = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    let (done, cursors, _) = tell(&mut world, unknown);
    done.unwrap();
    assert!(cursors.status_not_before_ms > boot_ms() + 500_000, "asked again much later");
    assert_eq!(world.talk.told.as_ref().and_then(|told| told.list), None, "it was not told");

    let (done, cursors, _) = tell(&mut world, b"");
    assert!(matches!(done, Err(SyncError::Http(error)) if error.status().is_none()));
    assert!(cursors.status_not_before_ms > boot_ms() + 10_000, "the rows go first when the server is back");
}
