//! Whose turn it is to write: the gate's before everybody else's.
//!
//! SQLite has one writer, and who loses the race for it waits in steps of milliseconds. A list that is being stored takes
//! its turn again as soon as it has given it back, so a scan could wait for hundreds of steps; here it waits for one.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::open::Use;

#[derive(Debug, Default)]
struct State {
    taken: bool,
    gates_waiting: usize,
}

/// The turns of one database, shared by its connections.
#[derive(Debug, Default)]
pub(super) struct Turns {
    state: Mutex<State>,
    changed: Condvar,
}

/// A turn: it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Turn(Arc<Turns>);

impl Turns {
    /// Waits for a turn. Background work gives way to every gate that waits.
    pub(super) fn take(self: &Arc<Self>, who: Use) -> Turn {
        let mut state = self.lock();
        match who {
            Use::Gate => {
                state.gates_waiting += 1;
                while state.taken {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                state.gates_waiting -= 1;
            }
            Use::Background => {
                while state.taken || state.gates_waiting > 0 {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
        state.taken = true;
        drop(state);
        Turn(Arc::clone(self))
    }

    /// Two words that are never left half changed, so a panic elsewhere does not spoil them.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.lock().taken = false;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// While background work holds the turn, another background and then a gate ask for it: the gate is served first.
    #[test]
    fn a_gate_that_waits_comes_before_background_work() {
        let turns: Arc<Turns> = Arc::default();
        let held = turns.take(Use::Background);
        let (sender, served) = channel();
        let mut waiting = Vec::new();
        for (who, name) in [(Use::Background, "list"), (Use::Gate, "gate")] {
            let (turns, sender) = (Arc::clone(&turns), sender.clone());
            waiting.push(std::thread::spawn(move || {
                let turn = turns.take(who);
                sender.send(name).unwrap();
                drop(turn);
            }));
        }
        while turns.lock().gates_waiting == 0 {
            std::thread::yield_now();
        }
        drop(held);
        assert_eq!(served.recv(), Ok("gate"));
        assert_eq!(served.recv(), Ok("list"));
        for thread in waiting {
            thread.join().unwrap();
        }
    }
}
