//! Which orders to wipe a handheld believes, and what it is afterwards.

use gate_core::wire::v1::{Wipe, WipeError, WipePayload};

use super::*;

fn sealed(device: DeviceId, at_ms: i64, key: &SecretKey) -> Wipe {
    Wipe::seal(&WipePayload { device: device.0, event: EVENT.0, at_ms }, key).unwrap()
}

/// The place as the database has it, with its confirmation.
fn placed(world: &World) -> StationRecord {
    let Standing::Placed(record, _) = places::load(&world.talk.journal).unwrap() else { panic!("no place") };
    record
}

#[test]
fn only_the_device_keys_word_for_this_device_wipes_it() {
    let mut world = world();
    world.list(&world.organiser.list(1, 0, &[active(1)])).unwrap();
    let (record, station) = (placed(&world), Arc::clone(&world.station));
    let device_key = world.organiser.key(Role::Device);
    let rogue = SecretKey::from_bytes(&[66; 32]);
    let mut taken = |wipe: Wipe| world.talk.take_wipe(&wipe, &record, &station);
    for (wipe, why) in [
        (sealed(DEVICE, NOW_MS, &rogue), "nobody's key"),
        (sealed(DEVICE, NOW_MS, &Organiser::default().key(Role::Policy)), "another role's key"),
        (sealed(DeviceId(0xEE), NOW_MS, &device_key), "another device's"),
    ] {
        assert!(matches!(taken(wipe), Err(SyncError::Wipe(_))), "{why}");
    }
    let old = sealed(DEVICE, 0, &device_key);
    assert!(matches!(taken(old), Err(SyncError::Wipe(WipeError::Older))), "older than the enrolment");
    assert_eq!(world.version(), 1, "nothing was wiped");
    assert!(world.talk.journal.wiped().unwrap().is_none());
}

#[test]
fn a_wiped_handheld_is_as_if_it_had_never_been_enrolled_and_an_old_order_does_nothing_to_the_next() {
    let mut world = world();
    world.list(&world.organiser.list(1, 0, &[active(1)])).unwrap();
    keystore::read_or_make(&world.talk.settings.folder).unwrap();
    let wipe = sealed(DEVICE, NOW_MS, &world.organiser.key(Role::Device));
    let over = Arc::clone(&world.talk.over);
    let (record, station) = (placed(&world), Arc::clone(&world.station));
    world.talk.take_wipe(&wipe, &record, &station).unwrap();
    assert!(over.load(std::sync::atomic::Ordering::Relaxed), "the feed's threads end");
    let Standing::Wiped(record, station) = places::load(&world.talk.journal).unwrap() else { panic!("not wiped") };
    assert_eq!((station.policy_version(), station.lease_until_ms, world.version()), (0, 0, 0));

    world.talk.hand_in(&record, station).unwrap();
    assert!(matches!(places::load(&world.talk.journal).unwrap(), Standing::Nowhere));
    assert!(keystore::read(&world.talk.settings.folder).unwrap().is_none(), "its key is gone");

    // Enrolled anew it is another device.
    let again = DeviceId(0xD1);
    let record = StationRecord { device: again, confirmed: None, ..record };
    world.talk.journal.keep_pending(&record).unwrap();
    let bundle = world.organiser.bundle(again, &world.key, Some(&world.organiser.policy(1)), NOW_MS);
    let sent = world.talk.settings.clock.device();
    let station = world.talk.take_bundle(&bundle, sent, &record, &world.key, None).unwrap();
    let record = placed(&world);
    let replayed = world.talk.take_wipe(&wipe, &record, &station);
    assert!(matches!(replayed, Err(SyncError::Wipe(WipeError::OtherDevice))));
    assert!(matches!(places::load(&world.talk.journal).unwrap(), Standing::Placed(..)));
}
