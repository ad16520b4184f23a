//! What holds for any lanes and any crowd.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::arrivals::Guest;
use super::super::lanes::fewest;
use super::super::model::{ClassSet, NEVER_MS};
use super::super::queue::{Gate, Passage, play};
use super::super::{EntranceFacts, Facts, compare};
use super::*;

const CLASSES: usize = 3;

fn gate() -> impl Strategy<Value = Gate> {
    let hours = (-20_000_i64..60_000, prop_oneof![Just(None), (1_i64..60_000).prop_map(Some)]);
    (1_u8..8, hours).prop_map(|(takes, (open_ms, length_ms))| Gate {
        takes: (0..CLASSES).filter(|class| takes >> class & 1 == 1).fold(ClassSet::NONE, ClassSet::with),
        open_ms,
        close_ms: length_ms.map_or(NEVER_MS, |length_ms| open_ms + length_ms),
    })
}

fn crowd() -> impl Strategy<Value = Vec<Guest>> {
    // Coarse times, so that many things happen at one moment.
    let guest = (-10_i32..60, 1_u32..8, 0..3_u8).prop_map(|(at_s, service_s, class)| Guest {
        at_ms: at_s * 1_000,
        service_ms: service_s * 1_000,
        choice: 0,
        class,
    });
    proptest::collection::vec(guest, 0..60).prop_map(|mut guests| {
        guests.sort_by_key(|guest| guest.at_ms);
        guests
    })
}

fn disciplines() -> impl Strategy<Value = Discipline> {
    prop_oneof![Just(Discipline::LaneQueues), Just(Discipline::SharedQueue)]
}

fn gates() -> impl Strategy<Value = Vec<Gate>> {
    proptest::collection::vec(gate(), 1..5)
}

/// Right or wrong.
fn written_lane() -> impl Strategy<Value = LaneInput> {
    let hours = (-40.0..60.0_f64, proptest::option::of(-20.0..90.0_f64));
    let written = (0_u32..4, 0_u32..3, proptest::collection::vec(0_u16..3, 0..3), hours);
    written.prop_map(|(id, entrance_id, takes, (open_from_min, open_until_min))| LaneInput {
        takes,
        open_from_min,
        open_until_min,
        ..lane(id, entrance_id)
    })
}

/// Admitted by minute, and seen waiting.
fn said() -> impl Strategy<Value = (Vec<u32>, Option<u32>)> {
    (proptest::collection::vec(0_u32..40, 0..60), proptest::option::of(0_u32..300))
}

fn open(gate: &Gate, at_ms: i64) -> bool {
    gate.open_ms <= at_ms && at_ms < gate.close_ms
}

proptest! {
    /// Everybody is served once, at an open lane that takes them, after they came and for as long as they need; or a
    /// lane that takes them and stays open is not there.
    #[test]
    fn everybody_is_served_once(gates in gates(), guests in crowd(), how in disciplines()) {
        let passages = play(how, &gates, &guests);
        prop_assert_eq!(passages.len(), guests.len());
        let mut by_gate: BTreeMap<usize, Vec<(usize, Passage)>> = BTreeMap::new();
        for (at, (guest, passage)) in guests.iter().zip(&passages).enumerate() {
            let class = usize::from(guest.class);
            let Some(passage) = passage else {
                let stays = gates.iter().any(|gate| gate.takes.has(class) && gate.close_ms == NEVER_MS);
                prop_assert!(!stays, "guest {} is left outside", at);
                continue;
            };
            let gate = gates[passage.gate];
            prop_assert!(gate.takes.has(class) && open(&gate, passage.start_ms));
            prop_assert!(passage.start_ms >= i64::from(guest.at_ms));
            prop_assert_eq!(passage.end_ms - passage.start_ms, i64::from(guest.service_ms));
            by_gate.entry(passage.gate).or_default().push((at, *passage));
        }
        for served in by_gate.values_mut() {
            served.sort_by_key(|(_, passage)| passage.start_ms);
            for pair in served.windows(2) {
                prop_assert!(pair[0].1.end_ms <= pair[1].1.start_ms, "two at once");
            }
        }
    }

    /// Nobody overtakes: in one queue nobody of the same class; at a lane with its own queue nobody at all, unless the
    /// queues are levelled, which may put someone behind a guest who came later and had a shorter queue.
    #[test]
    fn first_come_first_served(gates in gates(), guests in crowd(), how in disciplines()) {
        let always = |gate: Gate| Gate { open_ms: i64::MIN, close_ms: NEVER_MS, ..gate };
        let gates: Vec<Gate> = match how {
            Discipline::LaneQueues => gates.into_iter().map(always).collect(),
            Discipline::SharedQueue => gates,
        };
        let passages = play(how, &gates, &guests);
        let mut last: BTreeMap<usize, i64> = BTreeMap::new();
        for (guest, passage) in guests.iter().zip(&passages) {
            let Some(passage) = passage else { continue };
            let queue = if how == Discipline::LaneQueues { passage.gate } else { usize::from(guest.class) };
            let before = last.insert(queue, passage.start_ms).unwrap_or(i64::MIN);
            prop_assert!(before <= passage.start_ms);
        }
    }

    /// In one queue no lane stands idle while somebody waits whom it takes.
    #[test]
    fn one_queue_leaves_no_lane_idle(gates in gates(), guests in crowd()) {
        let passages = play(Discipline::SharedQueue, &gates, &guests);
        let moments = passages.iter().flatten().flat_map(|passage| [passage.start_ms, passage.end_ms]);
        for now_ms in moments {
            for (at, gate) in gates.iter().enumerate().filter(|(_, gate)| open(gate, now_ms)) {
                let during = |passage: &Passage| passage.start_ms <= now_ms && now_ms < passage.end_ms;
                if passages.iter().flatten().any(|passage| passage.gate == at && during(passage)) {
                    continue;
                }
                let waits = |(guest, passage): (&Guest, &Option<Passage>)| {
                    gate.takes.has(usize::from(guest.class))
                        && i64::from(guest.at_ms) <= now_ms
                        && passage.is_none_or(|passage| passage.start_ms > now_ms)
                };
                prop_assert!(!guests.iter().zip(&passages).any(waits), "gate {} is idle at {}", at, now_ms);
            }
        }
    }

    /// With lanes that are alike and open, who comes never waits longer in one queue with one lane more.
    #[test]
    fn one_lane_more_never_hurts_in_one_queue(guests in crowd(), lanes in 1_usize..6) {
        let gate = Gate { takes: ClassSet::first(CLASSES), open_ms: 0, close_ms: NEVER_MS };
        let starts = |lanes: usize| {
            let passages = play(Discipline::SharedQueue, &vec![gate; lanes], &guests);
            passages.into_iter().map(|passage| passage.map(|passage| passage.start_ms)).collect::<Vec<_>>()
        };
        for (few, many) in starts(lanes).into_iter().zip(starts(lanes + 1)) {
            prop_assert!(many <= few);
        }
    }

    #[test]
    fn the_fewest_is_found(enough in 0_u32..80, most in 0_u32..70) {
        let mut tried = 0;
        let found = fewest(most, |count| {
            tried += 1;
            count >= enough
        });
        prop_assert_eq!(found, (enough <= most).then_some(enough));
        prop_assert!(tried <= 16);
    }

    /// No plan that is written by chance makes planning panic, and what is found without a mistake can be played.
    #[test]
    fn any_plan_is_refused_or_played(
        guests in -5_i64..300,
        points in proptest::collection::vec((-30.0..90.0_f64, -0.2..3.0_f64), 0..5),
        lanes in proptest::collection::vec(written_lane(), 0..5),
        cumulative in any::<bool>(),
        mean_s in 0.0..60.0_f64,
    ) {
        let mut input = issue(&[1, 1]);
        input.classes.push(class(2, guests, &[]));
        input.classes[0].guests = 100;
        let arrivals = if cumulative { ArrivalsInput::Arrived } else { ArrivalsInput::Density };
        input.classes[1].arrivals = arrivals(points);
        input.service = ServiceInput::Lognormal { mean_s, p95_s: mean_s * 2.0 };
        input.evenings = 2;
        input.lanes.extend(lanes);
        if let Ok(plan) = check(&input) {
            let outlook = simulate(&plan, 1).outlook;
            let came: f64 = outlook.entrances.iter().map(|entrance| entrance.guests).sum();
            prop_assert!((came - 100.0 - guests as f64).abs() < 1e-6);
        }
    }

    /// Whatever is said of a night, it is refused or told, and every warning is about the future.
    #[test]
    fn any_night_is_told(
        now_min in -100.0..200.0_f64,
        said in proptest::collection::vec(said(), 2),
        gap_s in 0.5..30.0_f64,
        gaps in 0_usize..60,
        down in proptest::collection::vec(prop_oneof![Just(101_u32), Just(102), Just(201), Just(202)], 0..4),
    ) {
        let mut input = PlanInput { evenings: 2, p95_wait_s: 120.0, ..issue(&[2, 2]) };
        input.classes[0].guests = 600;
        let now = now_min.floor() as i64;
        let entrances = (1..).zip(said).map(|(entrance_id, (admitted, waiting))| EntranceFacts {
            entrance_id,
            admitted: (now - 59..=now).zip(admitted).collect(),
            waiting,
        });
        let facts = Facts { now_min, entrances: entrances.collect(), gaps_s: vec![gap_s; gaps], lanes_down: down };
        let told = compare(&plan(&input), &facts, 3).expect("facts without mistakes");
        prop_assert_eq!(told.entrances.len(), 2);
        for warning in &told.warnings {
            prop_assert!(warning.at_minute >= now);
            prop_assert!(warning.expected_p95_wait_s.is_none_or(|wait_s| wait_s > 120.0));
        }
    }
}
