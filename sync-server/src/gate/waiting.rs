//! How long somebody waits who joins the queue at an entrance now. Pure.
//!
//! Nobody counts who arrives, so the queue is what the plan says should have come by now, less who is in. That is a guess,
//! and one side of it is checked: lanes that guests queue for have no pauses ([`super::gaps`]). Where plan and lanes
//! contradict each other, nothing is said: a wrong figure is worse than none. The wait is the queue over the throughput of
//! the last minutes (Little's law, with the throughput taken to stay as it is).

/// Over how many whole minutes the throughput is taken.
pub(super) const RECENT_MIN: i64 = 5;

/// What is known of an entrance now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Entrance<'a> {
    /// Guests who should have come by now and are not in.
    pub waiting: f64,
    /// Guests who came in a minute, lately.
    pub per_minute: f64,
    /// What the scans say of each of its lanes: whether guests queue there.
    pub queues: &'a [Option<bool>],
}

/// The wait in seconds; none where it is not known.
pub(super) fn wait_s(entrance: &Entrance<'_>) -> Option<f64> {
    let says = |wanted: bool| entrance.queues.iter().flatten().any(|queue| *queue == wanted);
    match (says(true), says(false)) {
        (true, _) if entrance.waiting >= 1.0 && entrance.per_minute > 0.0 => {
            Some(entrance.waiting / entrance.per_minute * 60.0)
        }
        // The lanes see a queue that the plan does not.
        (true, _) => None,
        // Some lane waits for guests, and no lane is known to have a queue.
        (false, true) => Some(0.0),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_said_where_plan_and_lanes_agree() {
        let (yes, no, unknown) = (Some(true), Some(false), None);
        for (waiting, per_minute, queues, wait) in [
            (120.0, 40.0, &[yes, yes][..], Some(180.0)),
            (120.0, 40.0, &[yes, no, unknown], Some(180.0)),
            (120.0, 0.0, &[yes], None),
            (0.0, 40.0, &[yes], None),
            (120.0, 40.0, &[no, unknown], Some(0.0)),
            (0.0, 0.0, &[no], Some(0.0)),
            (120.0, 40.0, &[unknown, unknown], None),
            (120.0, 40.0, &[], None),
        ] {
            assert_eq!(wait_s(&Entrance { waiting, per_minute, queues }), wait, "{waiting} {per_minute} {queues:?}");
        }
    }
}
