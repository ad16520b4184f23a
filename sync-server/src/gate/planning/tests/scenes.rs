//! Small scenes at a few gates, worked out by hand.

use super::super::arrivals::Guest;
use super::super::model::{ClassSet, NEVER_MS};
use super::super::queue::{Gate, play};
use super::*;

const BOTH: [Discipline; 2] = [Discipline::LaneQueues, Discipline::SharedQueue];

fn gate(classes: &[usize], open_s: i64, close_s: Option<i64>) -> Gate {
    Gate {
        takes: classes.iter().copied().fold(ClassSet::NONE, ClassSet::with),
        open_ms: open_s * 1_000,
        close_ms: close_s.map_or(NEVER_MS, |close_s| close_s * 1_000),
    }
}

/// Guests who need 10 s each: when they come, and their class.
fn guests(come: &[(i32, u8)]) -> Vec<Guest> {
    let guest = |&(at_s, class)| Guest { at_ms: at_s * 1_000, service_ms: 10_000, choice: 0, class };
    come.iter().map(guest).collect()
}

/// Each guest's gate and the second in which service begins.
fn seen(how: Discipline, gates: &[Gate], come: &[(i32, u8)]) -> Vec<Option<(usize, i64)>> {
    let passages = play(how, gates, &guests(come));
    passages.into_iter().map(|passage| passage.map(|passage| (passage.gate, passage.start_ms / 1_000))).collect()
}

fn all(starts: &[(usize, i64)]) -> Vec<Option<(usize, i64)>> {
    starts.iter().copied().map(Some).collect()
}

#[test]
fn of_equal_gates_the_first_is_taken() {
    let gates = [gate(&[0], 0, None); 3];
    let come = [(0, 0), (0, 0), (0, 0), (1, 0), (2, 0)];
    for how in BOTH {
        assert_eq!(seen(how, &gates, &come), all(&[(0, 0), (1, 0), (2, 0), (0, 10), (1, 10)]), "{how:?}");
    }
}

#[test]
fn the_shortest_queue_counts_who_is_being_served() {
    let gates = [gate(&[0, 1], 0, None), gate(&[0], 0, None)];
    // The second and third may go to the first gate alone; the fourth finds three there and one at the other.
    let come = [(0, 0), (1, 1), (2, 1), (3, 0), (4, 0)];
    let expected = [(0, 0), (0, 10), (0, 20), (1, 3), (1, 13)];
    for how in BOTH {
        assert_eq!(seen(how, &gates, &come), all(&expected), "{how:?}");
    }
}

#[test]
fn a_gate_that_opens_levels_the_queues_in_the_order_of_coming() {
    let gates = [gate(&[0], 0, None), gate(&[0], 5, None)];
    let come = [(0, 0), (1, 0), (2, 0), (3, 0)];
    for how in BOTH {
        assert_eq!(seen(how, &gates, &come), all(&[(0, 0), (1, 5), (0, 10), (1, 15)]), "{how:?}");
    }
}

#[test]
fn a_gate_that_closes_finishes_its_guest_and_sends_the_others_on() {
    let gates = [gate(&[0], 0, None), gate(&[0], 0, Some(5))];
    let come = [(0, 0), (0, 0), (1, 0), (1, 0), (6, 0)];
    for how in BOTH {
        assert_eq!(seen(how, &gates, &come), all(&[(0, 0), (1, 0), (0, 10), (0, 20), (0, 30)]), "{how:?}");
    }
}

#[test]
fn guests_wait_in_front_of_gates_that_open_and_stay_outside_of_gates_that_do_not() {
    let gates = [gate(&[0], 20, Some(35)), gate(&[1], 0, None)];
    let come = [(-5, 0), (0, 0), (10, 1), (30, 0), (40, 0)];
    for how in BOTH {
        assert_eq!(seen(how, &gates, &come), [Some((0, 20)), Some((0, 30)), Some((1, 10)), None, None], "{how:?}");
    }
}

#[test]
fn a_free_gate_calls_the_first_whom_it_takes() {
    let gates = [gate(&[0], 0, None), gate(&[0, 1], 0, None)];
    // Class 1 waits for the second gate; who comes later and may go to the first passes them there.
    let come = [(0, 0), (0, 1), (1, 1), (2, 0), (3, 0), (4, 1)];
    // At second 20 both gates are free: the first calls the fifth guest, the second the sixth.
    let expected = [(0, 0), (1, 0), (1, 10), (0, 10), (0, 20), (1, 20)];
    assert_eq!(seen(Discipline::SharedQueue, &gates, &come), all(&expected));
}
