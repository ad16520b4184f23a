//! What to say to the server next: cursors in, one step out. Pure; the shell does the step and asks again.
//!
//! Order: the bundle first (it brings time, keys and the lease), then rows up, then lists down. Waiting is bounded: the
//! longest pause between two tries is [`Backoff::LONGEST_MS`].

use ticket_signer::{EventId, ListManifest};

/// Everything the plan looks at. Times are milliseconds of a steady clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursors {
    pub head_seq: u64,
    pub receipted_seq: u64,
    /// Rows up to this were sent and the server did not receipt them (quarantine, incident): not sent again until later.
    pub withheld_seq: u64,
    pub withheld_until_ms: i64,
    pub bundle_at_ms: Option<i64>,
    /// The feed said that certificates, revocations or the policy changed.
    pub bundle_wanted: bool,
    pub list_version: Option<u64>,
    /// The newest version that the feed has told of.
    pub list_announced: u64,
    pub list_at_ms: Option<i64>,
    /// A list could not be taken: not asked for again until then.
    pub list_not_before_ms: i64,
    /// This handheld tells how it is.
    pub tells: bool,
    /// When it told so last.
    pub status_at_ms: Option<i64>,
    /// Something of it has changed that the page should know at once.
    pub status_changed: bool,
    /// It is not told before then.
    pub status_not_before_ms: i64,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    FetchBundle,
    /// Say how this handheld is.
    TellStatus,
    /// Send rows after `after`, at most `count`.
    PushRows {
        after: u64,
        count: usize,
    },
    /// Ask for what changed since this version; 0 for all of it.
    FetchList {
        cursor: u64,
    },
    /// Nothing before then, unless something happens.
    Wait {
        until_ms: i64,
    },
}

/// A bundle is fetched anew after this long: it renews the lease and the signed time.
pub const BUNDLE_EVERY_MS: i64 = 120_000;
/// A list is asked for after this long even if the feed says nothing.
pub const LIST_EVERY_MS: i64 = 60_000;
/// How this handheld is, is told after this long even if nothing changed.
pub const STATUS_EVERY_MS: i64 = 15_000;
/// How long what the server would not take is left alone.
pub const WITHHELD_MS: i64 = 30_000;
/// Rows in one upload: an upload that is cut in the middle loses no more work than this.
pub const PUSH_ROWS: usize = 200;

/// The next step.
pub fn plan(cursors: &Cursors, now_ms: i64) -> Step {
    let due = |last: Option<i64>, every: i64| last.is_none_or(|last| now_ms - last >= every);
    if cursors.bundle_wanted || due(cursors.bundle_at_ms, BUNDLE_EVERY_MS) {
        return Step::FetchBundle;
    }
    // Before the rows, which may be many after a cut: how many wait is what the page wants to know then.
    let status_due_ms = status_due_ms(cursors, now_ms);
    if status_due_ms.is_some_and(|due_ms| now_ms >= due_ms) {
        return Step::TellStatus;
    }
    let sent = if now_ms < cursors.withheld_until_ms { cursors.withheld_seq } else { 0 };
    let after = cursors.receipted_seq.max(sent);
    if cursors.head_seq > after {
        return Step::PushRows { after, count: PUSH_ROWS };
    }
    let version = cursors.list_version.unwrap_or(0);
    let wanted = cursors.list_announced > version || due(cursors.list_at_ms, LIST_EVERY_MS);
    if wanted && now_ms >= cursors.list_not_before_ms {
        return Step::FetchList { cursor: version };
    }
    let next = |last: Option<i64>, every: i64| last.map_or(now_ms, |last| last + every);
    let mut until_ms = next(cursors.bundle_at_ms, BUNDLE_EVERY_MS)
        .min(next(cursors.list_at_ms, LIST_EVERY_MS).max(cursors.list_not_before_ms))
        .min(status_due_ms.unwrap_or(i64::MAX));
    if cursors.head_seq > cursors.receipted_seq {
        // What was withheld is offered again then.
        until_ms = until_ms.min(cursors.withheld_until_ms);
    }
    Step::Wait { until_ms: until_ms.max(now_ms + 1) }
}

/// When this handheld says next how it is.
fn status_due_ms(cursors: &Cursors, now_ms: i64) -> Option<i64> {
    let turn_ms = cursors.status_at_ms.filter(|_| !cursors.status_changed).map_or(now_ms, |at| at + STATUS_EVERY_MS);
    cursors.tells.then_some(turn_ms.max(cursors.status_not_before_ms))
}

/// The pause after a failure: doubles up to a bound, with a jitter so that lanes do not come back as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    const SHORTEST_MS: u64 = 500;
    pub const LONGEST_MS: u64 = 8_000;

    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// How long to wait after one more failure. `jitter` is any random number.
    pub fn failed(&mut self, jitter: u64) -> u64 {
        let pause = (Self::SHORTEST_MS << self.failures.min(5)).min(Self::LONGEST_MS);
        self.failures = self.failures.saturating_add(1);
        pause / 2 + jitter % (pause / 2 + 1)
    }
}

/// How a checked manifest is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// In place of the live list.
    Full,
    /// On top of the live list.
    Delta,
    /// The version is live: only its expiry is later.
    Renewal,
}

/// Why a list was not taken. The live one stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListRefusal {
    #[error("the list is for event {found}, and this gate admits to event {expected}")]
    OtherEvent { expected: EventId, found: EventId },
    #[error("the list has version {found}, and this gate has {known} already")]
    Older { known: u64, found: u64 },
    #[error("the list has version {found}, and this gate takes none below {minimum}")]
    BelowMinimum { minimum: u64, found: u64 },
    #[error("the list builds on version {base}, and this gate has {known}")]
    OtherBase { base: u64, known: u64 },
    #[error("the list expired before it came")]
    Expired,
    #[error("the list calls itself version {0}, which this gate has, and names another number of tickets")]
    Contradiction(u64),
}

/// What is live, as far as taking a list looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live {
    pub version: u64,
    pub tickets: u64,
}

/// Judges a manifest whose signature was checked.
pub fn take(
    manifest: &ListManifest,
    event: EventId,
    live: Option<Live>,
    minimum: u64,
    now_s: i64,
) -> Result<Take, ListRefusal> {
    let found = manifest.version;
    if manifest.event != event {
        return Err(ListRefusal::OtherEvent { expected: event, found: manifest.event });
    }
    if found < minimum {
        return Err(ListRefusal::BelowMinimum { minimum, found });
    }
    if i64::from(manifest.expires_at_s) <= now_s {
        return Err(ListRefusal::Expired);
    }
    match live {
        Some(live) if found < live.version => Err(ListRefusal::Older { known: live.version, found }),
        Some(live) if found == live.version && u64::from(manifest.tickets) != live.tickets => {
            Err(ListRefusal::Contradiction(found))
        }
        Some(live) if found == live.version => Ok(Take::Renewal),
        _ if manifest.base == 0 => Ok(Take::Full),
        Some(live) if manifest.base == live.version => Ok(Take::Delta),
        live => Err(ListRefusal::OtherBase { base: manifest.base, known: live.map_or(0, |live| live.version) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DONE: Cursors = Cursors {
        head_seq: 5,
        receipted_seq: 5,
        withheld_seq: 0,
        withheld_until_ms: 0,
        bundle_at_ms: Some(1_000),
        bundle_wanted: false,
        list_version: Some(7),
        list_announced: 7,
        list_at_ms: Some(1_000),
        list_not_before_ms: 0,
        tells: false,
        status_at_ms: None,
        status_changed: false,
        status_not_before_ms: 0,
    };

    #[test]
    fn bundle_then_rows_then_list_then_rest() {
        assert_eq!(plan(&Cursors::default(), 0), Step::FetchBundle);
        assert_eq!(plan(&DONE, 2_000), Step::Wait { until_ms: 61_000 });
        assert_eq!(plan(&Cursors { bundle_wanted: true, head_seq: 9, ..DONE }, 2_000), Step::FetchBundle);
        let rows = Cursors { head_seq: 9, list_announced: 8, ..DONE };
        assert_eq!(plan(&rows, 2_000), Step::PushRows { after: 5, count: PUSH_ROWS });
        assert_eq!(plan(&Cursors { list_announced: 8, ..DONE }, 2_000), Step::FetchList { cursor: 7 });
        assert_eq!(plan(&Cursors { list_version: None, ..DONE }, 2_000), Step::FetchList { cursor: 0 });
        assert_eq!(plan(&DONE, 61_000), Step::FetchList { cursor: 7 });
    }

    #[test]
    fn what_the_server_would_not_take_waits() {
        let withheld = Cursors { head_seq: 9, withheld_seq: 9, withheld_until_ms: 32_000, ..DONE };
        assert_eq!(plan(&withheld, 2_000), Step::Wait { until_ms: 32_000 });
        assert_eq!(plan(&withheld, 32_000), Step::PushRows { after: 5, count: PUSH_ROWS });
        let more = Cursors { head_seq: 10, ..withheld };
        assert_eq!(plan(&more, 2_000), Step::PushRows { after: 9, count: PUSH_ROWS });
        let list = Cursors { list_announced: 8, list_not_before_ms: 9_000, ..DONE };
        assert_eq!(plan(&list, 2_000), Step::Wait { until_ms: 61_000 });
        assert_eq!(plan(&list, 9_000), Step::FetchList { cursor: 7 });
    }

    #[test]
    fn how_it_is_goes_before_rows_each_quarter_minute_and_at_once_when_it_changes() {
        let told = Cursors { tells: true, status_at_ms: Some(2_000), status_not_before_ms: 4_000, ..DONE };
        assert_eq!(plan(&told, 3_000), Step::Wait { until_ms: 17_000 });
        assert_eq!(plan(&Cursors { head_seq: 9, ..told }, 17_000), Step::TellStatus);
        assert_eq!(plan(&Cursors { bundle_wanted: true, ..told }, 17_000), Step::FetchBundle, "it brings the time");
        let changed = Cursors { status_changed: true, ..told };
        assert_eq!(plan(&changed, 3_000), Step::Wait { until_ms: 4_000 }, "not in every breath");
        assert_eq!(plan(&changed, 4_000), Step::TellStatus);
        assert_eq!(plan(&Cursors { status_at_ms: None, ..told }, 4_000), Step::TellStatus);
        // An older server has no place for it: everything else goes on.
        let unknown = Cursors { status_not_before_ms: 600_000, head_seq: 9, ..told };
        assert_eq!(plan(&unknown, 17_000), Step::PushRows { after: 5, count: PUSH_ROWS });
        assert_eq!(plan(&Cursors { tells: false, ..changed }, 17_000), Step::Wait { until_ms: 61_000 });
    }

    fn manifest(version: u64, base: u64, tickets: u32) -> ListManifest {
        ListManifest {
            event: EventId(1),
            version,
            base,
            issued_at_s: 10,
            expires_at_s: 1_000,
            tickets,
            classes: Vec::new(),
            chunks: Vec::new(),
        }
    }

    #[test]
    fn a_list_is_taken_only_upwards_and_on_its_own_base() {
        let live = Some(Live { version: 7, tickets: 3 });
        let judge = |manifest: &ListManifest, live, minimum| take(manifest, EventId(1), live, minimum, 100);
        assert_eq!(judge(&manifest(7, 0, 3), None, 0), Ok(Take::Full));
        assert_eq!(judge(&manifest(8, 0, 3), live, 0), Ok(Take::Full));
        assert_eq!(judge(&manifest(8, 7, 3), live, 0), Ok(Take::Delta));
        assert_eq!(judge(&manifest(7, 0, 3), live, 0), Ok(Take::Renewal));
        assert_eq!(judge(&manifest(7, 0, 2), live, 0), Err(ListRefusal::Contradiction(7)));
        assert_eq!(judge(&manifest(6, 0, 3), live, 0), Err(ListRefusal::Older { known: 7, found: 6 }));
        assert_eq!(judge(&manifest(9, 6, 3), live, 0), Err(ListRefusal::OtherBase { base: 6, known: 7 }));
        assert_eq!(judge(&manifest(9, 6, 3), None, 0), Err(ListRefusal::OtherBase { base: 6, known: 0 }));
        assert_eq!(judge(&manifest(7, 0, 3), None, 8), Err(ListRefusal::BelowMinimum { minimum: 8, found: 7 }));
        assert_eq!(take(&manifest(8, 0, 3), EventId(1), live, 0, 1_000), Err(ListRefusal::Expired));
        assert!(take(&manifest(8, 0, 3), EventId(2), live, 0, 100).is_err());
    }

    proptest! {
        #[test]
        fn pauses_grow_and_stay_bounded(jitters in proptest::collection::vec(any::<u64>(), 1..50)) {
            let mut backoff = Backoff::default();
            for jitter in jitters {
                let pause = backoff.failed(jitter);
                prop_assert!((Backoff::SHORTEST_MS / 2..=Backoff::LONGEST_MS).contains(&pause));
            }
        }

        /// Whatever the cursors say, a plan never rests while something can be done, and never rests for longer than a list's turn.
        #[test]
        fn rest_is_bounded(head in 0u64..20, receipted in 0u64..20, bundle in 0i64..200_000, list in 0i64..200_000, now in 0i64..200_000) {
            let cursors = Cursors {
                head_seq: head.max(receipted), receipted_seq: receipted, bundle_at_ms: Some(bundle.min(now)),
                list_at_ms: Some(list.min(now)), ..DONE
            };
            if let Step::Wait { until_ms } = plan(&cursors, now) {
                prop_assert_eq!(cursors.head_seq, cursors.receipted_seq);
                prop_assert!(until_ms > now && until_ms <= now + BUNDLE_EVERY_MS);
            }
        }
    }
}
