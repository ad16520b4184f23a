//! The queues of one entrance on one evening, played guest by guest.
//!
//! Rules of both disciplines: first come, first served; a lane takes whom it is given while it is open, and finishes
//! with the guest it has when it closes; nobody gives up waiting. When a lane opens or closes, the staff level the
//! queues: all who wait line up anew in the order in which they came. Otherwise nobody changes queues. Who finds no
//! open lane waits in front of the entrance until one opens.
//!
//! At one moment lanes become free first, then lanes open or close, then guests come.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::arrivals::Guest;
use super::input::Discipline;
use super::model::{ClassSet, Lane};

/// A lane as its queue knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gate {
    pub takes: ClassSet,
    pub open_ms: i64,
    pub close_ms: i64,
}

impl Gate {
    pub(super) fn of(lane: &Lane) -> Self {
        Self { takes: lane.takes, open_ms: lane.open_ms, close_ms: lane.close_ms }
    }

    fn is_open(&self, at_ms: i64) -> bool {
        self.open_ms <= at_ms && at_ms < self.close_ms
    }
}

/// How a guest got in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passage {
    /// The gate's place among the entrance's.
    pub gate: usize,
    pub start_ms: i64,
    pub end_ms: i64,
}

/// Each guest's passage, in the order of `guests`, who are sorted by when they come; none for a guest who is still
/// outside when the last gate that would take them has closed.
pub(super) fn play(discipline: Discipline, gates: &[Gate], guests: &[Guest]) -> Vec<Option<Passage>> {
    match discipline {
        Discipline::LaneQueues => run(gates, guests, LaneQueues::new(gates, guests)),
        Discipline::SharedQueue => run(gates, guests, SharedQueue::new(gates, guests)),
    }
}

trait Queues {
    /// A guest comes. Never earlier than the last event.
    fn arrive(&mut self, guest: usize, now_ms: i64);
    /// Gates have opened or closed at this moment.
    fn turn(&mut self, now_ms: i64);
    fn finish(self) -> Vec<Option<Passage>>;
}

fn run(gates: &[Gate], guests: &[Guest], mut queues: impl Queues) -> Vec<Option<Passage>> {
    let mut turns: Vec<i64> = gates.iter().flat_map(|gate| [gate.open_ms, gate.close_ms]).collect();
    turns.sort_unstable();
    turns.dedup();
    let mut turns = turns.into_iter().filter(|at_ms| *at_ms < i64::MAX).peekable();
    for (index, guest) in guests.iter().enumerate() {
        let now_ms = i64::from(guest.at_ms);
        while let Some(turn_ms) = turns.next_if(|turn_ms| *turn_ms <= now_ms) {
            queues.turn(turn_ms);
        }
        queues.arrive(index, now_ms);
    }
    turns.for_each(|turn_ms| queues.turn(turn_ms));
    queues.finish()
}

/// One who stands at a gate, or is being served.
#[derive(Debug, Clone, Copy)]
struct Place {
    guest: usize,
    start_ms: i64,
    end_ms: i64,
}

/// A queue at each gate. Since nobody overtakes, a guest's turn is known on joining, until the next levelling.
struct LaneQueues<'a> {
    gates: &'a [Gate],
    guests: &'a [Guest],
    lines: Vec<VecDeque<Place>>,
    /// Those in front of the entrance, in the order in which they came.
    outside: Vec<usize>,
    passages: Vec<Option<Passage>>,
}

impl<'a> LaneQueues<'a> {
    fn new(gates: &'a [Gate], guests: &'a [Guest]) -> Self {
        let lines = vec![VecDeque::new(); gates.len()];
        Self { gates, guests, lines, outside: Vec::new(), passages: vec![None; guests.len()] }
    }

    fn join(&mut self, guest: usize, now_ms: i64) {
        let Guest { class, service_ms, .. } = self.guests[guest];
        let mut shortest: Option<(usize, usize)> = None;
        for (at, gate) in self.gates.iter().enumerate() {
            if gate.is_open(now_ms) && gate.takes.has(usize::from(class)) {
                let line = &mut self.lines[at];
                while line.front().is_some_and(|place| place.end_ms <= now_ms) {
                    line.pop_front();
                }
                if shortest.is_none_or(|(_, length)| line.len() < length) {
                    shortest = Some((at, line.len()));
                }
            }
        }
        let Some((gate, _)) = shortest else {
            self.outside.push(guest);
            self.passages[guest] = None;
            return;
        };
        let start_ms = self.lines[gate].back().map_or(now_ms, |last| last.end_ms.max(now_ms));
        let place = Place { guest, start_ms, end_ms: start_ms + i64::from(service_ms) };
        self.lines[gate].push_back(place);
        self.passages[guest] = Some(Passage { gate, start_ms, end_ms: place.end_ms });
    }
}

impl Queues for LaneQueues<'_> {
    fn arrive(&mut self, guest: usize, now_ms: i64) {
        self.join(guest, now_ms);
    }

    fn turn(&mut self, now_ms: i64) {
        let mut waiting = std::mem::take(&mut self.outside);
        for line in &mut self.lines {
            let begun = line.partition_point(|place| place.start_ms < now_ms);
            waiting.extend(line.drain(begun..).map(|place| place.guest));
        }
        waiting.sort_unstable();
        for guest in waiting {
            self.join(guest, now_ms);
        }
    }

    fn finish(self) -> Vec<Option<Passage>> {
        self.passages
    }
}

/// One queue for all gates.
struct SharedQueue<'a> {
    gates: &'a [Gate],
    guests: &'a [Guest],
    /// By class, so that a gate finds the first whom it takes without walking past the others.
    waiting: Vec<VecDeque<usize>>,
    busy: Vec<bool>,
    /// When busy gates become free.
    ends: BinaryHeap<Reverse<(i64, usize)>>,
    passages: Vec<Option<Passage>>,
}

impl<'a> SharedQueue<'a> {
    fn new(gates: &'a [Gate], guests: &'a [Guest]) -> Self {
        Self {
            gates,
            guests,
            waiting: vec![VecDeque::new(); ClassSet::MOST],
            busy: vec![false; gates.len()],
            ends: BinaryHeap::new(),
            passages: vec![None; guests.len()],
        }
    }

    /// Lets all gates that become free up to this moment go on.
    fn settle(&mut self, now_ms: i64) {
        while let Some(&Reverse((end_ms, gate))) = self.ends.peek()
            && end_ms <= now_ms
        {
            self.ends.pop();
            self.busy[gate] = false;
            self.call(gate, end_ms);
        }
    }

    /// A free gate calls the first whom it takes.
    fn call(&mut self, gate: usize, now_ms: i64) {
        if !self.gates[gate].is_open(now_ms) {
            return;
        }
        let takes = self.gates[gate].takes;
        let first = takes.iter().filter_map(|class| self.waiting[class].front().map(|guest| (*guest, class))).min();
        if let Some((guest, class)) = first {
            self.waiting[class].pop_front();
            self.serve(guest, gate, now_ms);
        }
    }

    fn serve(&mut self, guest: usize, gate: usize, now_ms: i64) {
        let end_ms = now_ms + i64::from(self.guests[guest].service_ms);
        self.passages[guest] = Some(Passage { gate, start_ms: now_ms, end_ms });
        self.busy[gate] = true;
        self.ends.push(Reverse((end_ms, gate)));
    }
}

impl Queues for SharedQueue<'_> {
    fn arrive(&mut self, guest: usize, now_ms: i64) {
        self.settle(now_ms);
        let class = usize::from(self.guests[guest].class);
        // A gate that is free has found nobody whom it takes, so no one is overtaken.
        let free = |(at, gate): (usize, &Gate)| !self.busy[at] && gate.is_open(now_ms) && gate.takes.has(class);
        match self.gates.iter().enumerate().position(free) {
            Some(gate) => self.serve(guest, gate, now_ms),
            None => self.waiting[class].push_back(guest),
        }
    }

    fn turn(&mut self, now_ms: i64) {
        self.settle(now_ms);
        for gate in 0..self.gates.len() {
            if !self.busy[gate] {
                self.call(gate, now_ms);
            }
        }
    }

    fn finish(mut self) -> Vec<Option<Passage>> {
        self.settle(i64::MAX);
        self.passages
    }
}
