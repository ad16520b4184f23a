//! The admission rules: pure, one place, the same for handheld, simulator and audit.
//!
//! The order is fixed, because it is what staff are told first: the code itself (checked before, in `ticket-signer`), then
//! revoked or retired, class against lane and time, printed, admissions used, the partition rule, and last what makes the
//! gate itself unsure (clock, list age). The device's lease comes before everything.

use ticket_signer::{
    ClassEntry, ClassId, CodeKind, EventId, LaneId, ParseError, Rejection, Serial, TicketId, TicketStatus, VerifiedCode,
};

use crate::clock::ClockReading;
use crate::conflict::Admission;
use crate::policy::{Partition, Policy, UnlistedPrinted};
use crate::reason::Reason;
use crate::view::{GateView, Reach, TicketView};

/// What the gate does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    Admit,
    Refuse,
    /// A supervisor decides.
    Review,
}

impl Outcome {
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Admit => "admit",
            Outcome::Refuse => "refuse",
            Outcome::Review => "review",
        }
    }

    pub fn to_byte(self) -> u8 {
        match self {
            Outcome::Admit => 1,
            Outcome::Refuse => 2,
            Outcome::Review => 3,
        }
    }

    pub fn from_byte(byte: u8) -> Option<Self> {
        [Outcome::Admit, Outcome::Refuse, Outcome::Review].into_iter().find(|outcome| outcome.to_byte() == byte)
    }
}

/// The fact behind a reason, for the screen's second line. Kept in the journal row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub enum Detail {
    /// The earlier admission that used the ticket up.
    #[n(1)]
    UsedAt {
        #[n(0)]
        at_ms: i64,
        #[n(1)]
        lane: LaneId,
    },
    /// The event that the code is for.
    #[n(2)]
    OtherEvent {
        #[n(0)]
        event: EventId,
    },
    /// The time that the ticket is valid from or was valid until, unix seconds.
    #[n(3)]
    Window {
        #[n(0)]
        edge_s: u32,
    },
    /// A lane that the guest can go to.
    #[n(4)]
    GoTo {
        #[n(0)]
        lane: LaneId,
    },
    /// How far the code's moment is from now, in seconds; negative is the past.
    #[n(5)]
    Skew {
        #[n(0)]
        seconds: i64,
    },
    /// This is admission `nth` of `of`.
    #[n(6)]
    Count {
        #[n(0)]
        nth: u8,
        #[n(1)]
        of: u8,
    },
}

/// What was decided, why, and what the journal must remember of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub outcome: Outcome,
    pub reason: Reason,
    pub detail: Option<Detail>,
    /// Verified, or merely claimed where the code was refused before its signature was checked.
    pub ticket: Option<TicketId>,
    pub serial: Option<Serial>,
    pub class: Option<ClassId>,
    /// The list did not have this ticket (or this issue of it).
    pub unlisted: bool,
    /// Admitted while cut off under the open rule: two lanes may have done the same.
    pub flagged: bool,
    /// Staff check an entitlement by eye.
    pub check_entitlement: bool,
    /// A valid credential showed a serial above every one known: lower ones are retired from now on.
    pub raise_floor: Option<Serial>,
}

impl Decision {
    fn new(outcome: Outcome, reason: Reason) -> Self {
        Decision {
            outcome,
            reason,
            detail: None,
            ticket: None,
            serial: None,
            class: None,
            unlisted: false,
            flagged: false,
            check_entitlement: false,
            raise_floor: None,
        }
    }
}

/// A verdict under construction: outcome, reason and detail.
type Verdict = (Outcome, Reason, Option<Detail>);

/// Decides about one scan. `now` is the gate's clock at the scan.
pub fn decide(
    code: Result<&VerifiedCode, &Rejection>,
    view: &TicketView,
    gate: &GateView,
    lane: LaneId,
    policy: Option<&Policy>,
    reach: Reach,
    now: &ClockReading,
) -> Decision {
    let mut decision = match code {
        Ok(code) => decide_verified(code, view, gate, lane, policy, reach, now),
        Err(rejection) => decide_rejected(rejection, now),
    };
    let Some(_) = policy.filter(|_| gate.list_version.is_some()) else {
        return Decision { outcome: Outcome::Refuse, reason: Reason::NotReady, detail: None, ..decision };
    };
    if now.now_ms >= gate.lease_until_ms {
        decision = Decision { outcome: Outcome::Refuse, reason: Reason::LeaseExpired, detail: None, ..decision };
    }
    if decision.outcome != Outcome::Admit {
        decision.flagged = false;
    }
    decision
}

fn decide_rejected(rejection: &Rejection, now: &ClockReading) -> Decision {
    let (reason, detail) = match rejection {
        Rejection::Unreadable(ParseError::Foreign) => (Reason::NotATicket, None),
        Rejection::Unreadable(_) => (Reason::Damaged, None),
        Rejection::Unknown { .. } => (Reason::Unknown, None),
        Rejection::NewerThanList { .. } => (Reason::NewerThanList, None),
        Rejection::Retired { .. } => (Reason::Retired, None),
        Rejection::Issuer { .. } => (Reason::IssuerUntrusted, None),
        Rejection::WrongEvent { event, .. } => (Reason::WrongEvent, Some(Detail::OtherEvent { event: *event })),
        Rejection::Signature { .. } => (Reason::BadSignature, None),
        Rejection::PresentationMissing { .. } => (Reason::PresentationMissing, None),
        Rejection::NotBound { .. } => (Reason::NotBound, None),
        Rejection::Stale { shown, now, .. } => {
            let seconds = shown.starts_at_s() - now.starts_at_s();
            let reason = if seconds < 0 { Reason::Stale } else { Reason::Early };
            (reason, Some(Detail::Skew { seconds }))
        }
    };
    // A gate that doubts its own clock does not accuse the guest's.
    let doubted = now.in_doubt && matches!(reason, Reason::Stale | Reason::Early);
    let (outcome, reason) = if doubted { (Outcome::Review, Reason::ClockInDoubt) } else { (Outcome::Refuse, reason) };
    Decision { detail, ticket: rejection.claimed_ticket(), ..Decision::new(outcome, reason) }
}

fn decide_verified(
    code: &VerifiedCode,
    view: &TicketView,
    gate: &GateView,
    lane: LaneId,
    policy: Option<&Policy>,
    reach: Reach,
    now: &ClockReading,
) -> Decision {
    let serial = code.serial();
    let listed = view.entry.as_ref().map(|entry| entry.serial);
    let known = listed.max(view.floor);
    let class = gate.classes.iter().find(|class| class.class == code.class());
    let mut decision = Decision {
        ticket: Some(code.ticket()),
        serial: Some(serial),
        class: Some(code.class()),
        unlisted: listed != Some(serial),
        check_entitlement: class
            .is_some_and(|class| class.flags & ticket_signer::credential::FLAG_CHECK_ENTITLEMENT != 0),
        // Only a credential vouches for its serial; a short code's serial is the list's own.
        raise_floor: code.issuer().filter(|_| known.is_none_or(|known| serial > known)).map(|_| serial),
        ..Decision::new(Outcome::Refuse, Reason::NotReady)
    };
    let Some(policy) = policy else { return decision };
    let (outcome, reason, detail) = rules(code, view, gate, class, lane, policy, reach, now);
    decision.outcome = outcome;
    decision.reason = reason;
    decision.detail = detail;
    decision.flagged =
        outcome == Outcome::Admit && reach == Reach::Alone && policy.partition_of(code.class()) == Partition::Open;
    decision
}

#[expect(clippy::too_many_arguments, reason = "the rules look at all of this, and at nothing else")]
fn rules(
    code: &VerifiedCode,
    view: &TicketView,
    gate: &GateView,
    class: Option<&ClassEntry>,
    lane: LaneId,
    policy: &Policy,
    reach: Reach,
    now: &ClockReading,
) -> Verdict {
    let refuse = |reason, detail| (Outcome::Refuse, reason, detail);
    if let Some(verdict) = standing(code, view) {
        return verdict;
    }
    let Some(class) = class else { return (Outcome::Review, Reason::ClassUnknown, None) };
    if !policy.lane(lane).is_some_and(|own| own.admits(class.class)) {
        let other = policy.lanes_for(class.class).next();
        return refuse(Reason::WrongLane, other.map(|other| Detail::GoTo { lane: LaneId(other.lane) }));
    }
    if now.now_ms < i64::from(class.valid_from_s) * 1000 {
        return refuse(Reason::NotYetValid, Some(Detail::Window { edge_s: class.valid_from_s }));
    }
    if now.now_ms >= i64::from(class.valid_until_s) * 1000 {
        return refuse(Reason::NoLongerValid, Some(Detail::Window { edge_s: class.valid_until_s }));
    }
    if code.kind() == CodeKind::Printed
        && let Some(verdict) = printed(class.class, code.serial(), view, policy)
    {
        return verdict;
    }
    if view.admissions.len() >= usize::from(class.admissions) {
        let last = view.admissions.iter().max();
        return refuse(
            Reason::Used,
            last.map(|Admission { at_ms, lane, .. }| Detail::UsedAt { at_ms: *at_ms, lane: *lane }),
        );
    }
    if let Some(verdict) = partitioned(code, lane, policy, reach) {
        return verdict;
    }
    if now.in_doubt {
        return (Outcome::Review, Reason::ClockInDoubt, None);
    }
    if now.now_ms >= gate.list_expires_at_s.saturating_mul(1000) {
        return (Outcome::Review, Reason::ListExpired, None);
    }
    let nth = view.admissions.len() as u8 + 1;
    let count = (class.admissions > 1).then_some(Detail::Count { nth, of: class.admissions });
    (Outcome::Admit, Reason::Admitted, count)
}

/// Whether this issue of the ticket still stands, as the transaction sees it. The code was checked against an entry that
/// was read before the transaction; where the two differ, the code must be read again.
fn standing(code: &VerifiedCode, view: &TicketView) -> Option<Verdict> {
    let refuse = |reason| Some((Outcome::Refuse, reason, None));
    let serial = code.serial();
    if view.revoked_to.is_some_and(|revoked| serial <= revoked) {
        return refuse(Reason::Revoked);
    }
    if view.floor.is_some_and(|floor| serial < floor) {
        return refuse(Reason::Retired);
    }
    match &view.entry {
        Some(entry) if serial < entry.serial => refuse(Reason::Retired),
        Some(entry) if serial == entry.serial && entry.status == TicketStatus::Revoked => refuse(Reason::Revoked),
        Some(entry) if serial == entry.serial && entry.holder.as_ref() != code.holder() => match code.kind() {
            CodeKind::Short => refuse(Reason::ListChanged),
            CodeKind::Full | CodeKind::Printed => refuse(Reason::KeyMismatch),
        },
        Some(entry) if serial == entry.serial && entry.class != code.class() => refuse(Reason::ListChanged),
        Some(entry) if serial > entry.serial && code.kind() == CodeKind::Short => refuse(Reason::ListChanged),
        None if code.kind() == CodeKind::Short => refuse(Reason::ListChanged),
        _ => None,
    }
}

fn printed(class: ClassId, shown: Serial, view: &TicketView, policy: &Policy) -> Option<Verdict> {
    if !policy.accepts_printed(class) {
        return Some((Outcome::Refuse, Reason::PrintedNotAccepted, None));
    }
    match policy.unlisted_printed {
        _ if view.entry.as_ref().is_some_and(|entry| entry.serial == shown) => None,
        UnlistedPrinted::Admit => None,
        UnlistedPrinted::Refuse => Some((Outcome::Refuse, Reason::PrintedUnlisted, None)),
        UnlistedPrinted::Review => Some((Outcome::Review, Reason::PrintedUnlisted, None)),
    }
}

fn partitioned(code: &VerifiedCode, lane: LaneId, policy: &Policy, reach: Reach) -> Option<Verdict> {
    let review = |reason, detail| Some((Outcome::Review, reason, detail));
    match policy.partition_of(code.class()) {
        Partition::Open => None,
        // Grants come with ownership; until a lane can hold one, nobody is admitted under this rule without a supervisor.
        Partition::Strict => review(Reason::NoGrant, None),
        Partition::Bounded if reach == Reach::Server => None,
        Partition::Bounded => {
            let home = policy.home_group(code.class(), code.ticket());
            if policy.lane(lane).is_some_and(|own| own.group == home) {
                return None;
            }
            let other = policy.lanes_for(code.class()).find(|lane| lane.group == home);
            review(Reason::OtherGroup, other.map(|other| Detail::GoTo { lane: LaneId(other.lane) }))
        }
    }
}

#[cfg(test)]
mod tests;
