//! The admission rules: pure, one place, the same for handheld, simulator and audit.
//!
//! The order is fixed, because it is what staff are told first: the code itself (checked before, in `ticket-signer`), then
//! revoked or retired, class against lane and time, printed, guests inside, the partition rule, and last what makes the
//! gate itself unsure (clock, list age). The device's lease comes before everything.
//!
//! On the way out only the code and whether anybody is inside count: nobody is kept in by a rule.

use ticket_signer::{
    ClassEntry, ClassId, CodeKind, DeviceId, EventId, HolderKey, LaneId, ParseError, Rejection, Serial, TicketId,
    TicketStatus, VerifiedCode,
};

use crate::chain::ChainHead;
use crate::clock::ClockReading;
use crate::grant::Grant;
use crate::mutant::{Mutant, planted};
use crate::ownership::Standing;
use crate::passage::{Direction, Passage, usage};
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
    /// With this, `nth` guests of `of` are inside.
    #[n(6)]
    Count {
        #[n(0)]
        nth: u8,
        #[n(1)]
        of: u8,
    },
    /// So many guests may still come in.
    #[n(7)]
    Left {
        #[n(0)]
        guests: u8,
    },
}

/// What is asked: by whom, where, under which policy, for how many guests.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub device: DeviceId,
    pub lane: LaneId,
    /// The policy as it holds now ([`Policy::at`]).
    pub policy: Option<&'a Policy>,
    pub reach: Reach,
    /// The journal before the row that the decision becomes.
    pub head: ChainHead,
    pub grant: Option<&'a Grant>,
    pub guests: u8,
}

/// A ticket whose code was verified, now or in the row that this act follows.
#[derive(Debug, Clone, Copy)]
struct Shown<'a> {
    ticket: TicketId,
    serial: Serial,
    class: ClassId,
    /// `None` for a row that this act follows: its code was looked at then.
    code: Option<(CodeKind, Option<&'a HolderKey>)>,
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
    pub direction: Direction,
    /// How many guests the decision is about.
    pub guests: u8,
    /// Admitted while cut off under the open rule: two lanes may have done the same.
    pub flagged: bool,
    /// Staff check an entitlement by eye.
    pub check_entitlement: bool,
    /// A valid credential showed a serial above every one known: lower ones are retired from now on.
    pub raise_floor: Option<Serial>,
}

impl Decision {
    /// About no ticket.
    pub(crate) fn plain(outcome: Outcome, reason: Reason) -> Self {
        Decision {
            outcome,
            reason,
            detail: None,
            ticket: None,
            serial: None,
            class: None,
            unlisted: false,
            direction: Direction::In,
            guests: 1,
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
    asked: &Asked<'_>,
    now: &ClockReading,
) -> Decision {
    let decision = match code {
        Ok(code) => {
            let shown = Shown {
                ticket: code.ticket(),
                serial: code.serial(),
                class: code.class(),
                code: Some((code.kind(), code.holder())),
            };
            let listed = view.entry.as_ref().map(|entry| entry.serial);
            let known = listed.max(view.floor);
            Decision {
                unlisted: listed != Some(shown.serial),
                // Only a credential vouches for its serial; a short code's serial is the list's own.
                raise_floor: code
                    .issuer()
                    .filter(|_| known.is_none_or(|known| shown.serial > known))
                    .map(|_| shown.serial),
                ..decide_shown(&shown, view, gate, asked, now)
            }
        }
        Err(rejection) => decide_rejected(rejection, now),
    };
    bounded(decision, gate, asked, now)
}

/// Decides whether `asked.guests` more guests of a group come in on a ticket that this lane has just admitted.
pub fn decide_more(
    (ticket, serial, class): (TicketId, Serial, ClassId),
    view: &TicketView,
    gate: &GateView,
    asked: &Asked<'_>,
    now: &ClockReading,
) -> Decision {
    let shown = Shown { ticket, serial, class, code: None };
    bounded(decide_shown(&shown, view, gate, asked, now), gate, asked, now)
}

/// What comes before everything: a gate that is not ready, or has no lease, decides nothing else.
fn bounded(mut decision: Decision, gate: &GateView, asked: &Asked<'_>, now: &ClockReading) -> Decision {
    decision.direction = asked.direction();
    decision.guests = asked.guests;
    if asked.policy.is_none() || gate.list_version.is_none() {
        decision = Decision { outcome: Outcome::Refuse, reason: Reason::NotReady, detail: None, ..decision };
    } else if now.now_ms >= gate.lease_until_ms && !planted(Mutant::LeaseIgnored) {
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
    Decision { detail, ticket: rejection.claimed_ticket(), ..Decision::plain(outcome, reason) }
}

fn decide_shown(
    shown: &Shown<'_>,
    view: &TicketView,
    gate: &GateView,
    asked: &Asked<'_>,
    now: &ClockReading,
) -> Decision {
    let class = gate.classes.iter().find(|class| class.class == shown.class);
    let mut decision = Decision {
        ticket: Some(shown.ticket),
        serial: Some(shown.serial),
        class: Some(shown.class),
        check_entitlement: class
            .is_some_and(|class| class.flags & ticket_signer::credential::FLAG_CHECK_ENTITLEMENT != 0),
        ..Decision::plain(Outcome::Refuse, Reason::NotReady)
    };
    let Some(policy) = asked.policy else { return decision };
    let verdict = match asked.direction() {
        Direction::In => way_in(shown, view, gate, class, policy, asked, now),
        Direction::Out => way_out(view, asked),
    };
    (decision.outcome, decision.reason, decision.detail) = verdict;
    decision.flagged = decision.reason == Reason::Admitted
        && asked.reach == Reach::Alone
        && policy.partition_of(shown.class) == Partition::Open;
    decision
}

impl Asked<'_> {
    /// Which way the lane's guests go.
    pub fn direction(&self) -> Direction {
        self.policy.and_then(|policy| policy.lane(self.lane)).map(|lane| lane.direction).unwrap_or_default()
    }
}

/// An exit gives back what an entry took, and only where the entry is known.
fn way_out(view: &TicketView, asked: &Asked<'_>) -> Verdict {
    let inside = usage(&view.passages).inside;
    if inside < u32::from(asked.guests) && !planted(Mutant::ExitFromNowhere) {
        return (Outcome::Refuse, Reason::NotInside, None);
    }
    (Outcome::Admit, Reason::Exited, None)
}

fn way_in(
    shown: &Shown<'_>,
    view: &TicketView,
    gate: &GateView,
    class: Option<&ClassEntry>,
    policy: &Policy,
    asked: &Asked<'_>,
    now: &ClockReading,
) -> Verdict {
    let refuse = |reason, detail| (Outcome::Refuse, reason, detail);
    if let Some(verdict) = standing(shown, view) {
        return verdict;
    }
    let Some(class) = class else { return (Outcome::Review, Reason::ClassUnknown, None) };
    let own = policy.lane(asked.lane);
    let elsewhere = |reason| {
        let other = policy.lanes_for(class.class).find(|other| other.lane != asked.lane.0);
        refuse(reason, other.map(|other| Detail::GoTo { lane: LaneId(other.lane) }))
    };
    if own.is_some_and(|own| own.closed) && !planted(Mutant::ClosedLaneIgnored) {
        return elsewhere(Reason::LaneClosed);
    }
    if !own.is_some_and(|own| own.admits(class.class)) && !planted(Mutant::MovedClassIgnored) {
        return elsewhere(Reason::WrongLane);
    }
    if now.now_ms < i64::from(class.valid_from_s) * 1000 {
        return refuse(Reason::NotYetValid, Some(Detail::Window { edge_s: class.valid_from_s }));
    }
    if now.now_ms >= i64::from(class.valid_until_s) * 1000 {
        return refuse(Reason::NoLongerValid, Some(Detail::Window { edge_s: class.valid_until_s }));
    }
    if shown.code.is_some_and(|(kind, _)| kind == CodeKind::Printed)
        && let Some(verdict) = printed(class.class, shown.serial, view, policy)
    {
        return verdict;
    }
    let inside = if planted(Mutant::UsedIgnored) { 0 } else { usage(&view.passages).inside };
    let left = u32::from(class.admissions).saturating_sub(inside);
    if left == 0 {
        return refuse(Reason::Used, last_entry(&view.passages));
    }
    if left < u32::from(asked.guests) {
        let guests = u8::try_from(left).unwrap_or(u8::MAX);
        return refuse(Reason::TooManyGuests, Some(Detail::Left { guests }));
    }
    if let Some(verdict) = partitioned(shown, gate, policy, asked, now) {
        return verdict;
    }
    if now.in_doubt {
        return (Outcome::Review, Reason::ClockInDoubt, None);
    }
    if now.now_ms >= gate.list_expires_at_s.saturating_mul(1000) {
        return (Outcome::Review, Reason::ListExpired, None);
    }
    let nth = u8::try_from(inside + u32::from(asked.guests)).unwrap_or(u8::MAX);
    let count = (class.admissions > 1).then_some(Detail::Count { nth, of: class.admissions });
    (Outcome::Admit, Reason::Admitted, count)
}

fn last_entry(passages: &[Passage]) -> Option<Detail> {
    let entries = passages.iter().filter(|passage| passage.direction == Direction::In);
    entries.max().map(|last| Detail::UsedAt { at_ms: last.at_ms, lane: last.lane })
}

/// Whether this issue of the ticket still stands, as the transaction sees it. The code was checked against an entry that
/// was read before the transaction; where the two differ, the code must be read again.
fn standing(shown: &Shown<'_>, view: &TicketView) -> Option<Verdict> {
    let refuse = |reason| Some((Outcome::Refuse, reason, None));
    let serial = shown.serial;
    if view.revoked_to.is_some_and(|revoked| serial <= revoked) && !planted(Mutant::RevocationIgnored) {
        return refuse(Reason::Revoked);
    }
    if view.floor.is_some_and(|floor| serial < floor) && !planted(Mutant::FloorIgnored) {
        return refuse(Reason::Retired);
    }
    match &view.entry {
        Some(entry) if serial < entry.serial && !planted(Mutant::RetiredByListIgnored) => {
            return refuse(Reason::Retired);
        }
        Some(entry) if serial == entry.serial && entry.status == TicketStatus::Revoked => {
            return refuse(Reason::Revoked);
        }
        _ => {}
    }
    let (kind, holder) = shown.code?;
    match &view.entry {
        Some(entry) if serial == entry.serial && entry.holder.as_ref() != holder => match kind {
            CodeKind::Short => refuse(Reason::ListChanged),
            CodeKind::Full | CodeKind::Printed => refuse(Reason::KeyMismatch),
        },
        Some(entry) if serial == entry.serial && entry.class != shown.class => refuse(Reason::ListChanged),
        Some(entry) if serial > entry.serial && kind == CodeKind::Short => refuse(Reason::ListChanged),
        None if kind == CodeKind::Short => refuse(Reason::ListChanged),
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

fn partitioned(
    shown: &Shown<'_>,
    gate: &GateView,
    policy: &Policy,
    asked: &Asked<'_>,
    now: &ClockReading,
) -> Option<Verdict> {
    let review = |reason, detail| Some((Outcome::Review, reason, detail));
    let home = policy.home_group(shown.class, shown.ticket);
    match policy.partition_of(shown.class) {
        Partition::Open => None,
        Partition::Bounded if asked.reach == Reach::Server || planted(Mutant::BoundedAnywhere) => None,
        Partition::Bounded => {
            if policy.lane(asked.lane).is_some_and(|own| own.group == home) {
                return None;
            }
            let other = policy.lanes_for(shown.class).find(|lane| lane.group == home);
            review(Reason::OtherGroup, other.map(|other| Detail::GoTo { lane: LaneId(other.lane) }))
        }
        Partition::Strict => match policy.ownership(home).standing(asked.device, gate.cursor, now) {
            Standing::Owner => None,
            Standing::Ask { epoch } => match asked.grant {
                Some(grant) if granted(grant, epoch, shown.ticket, asked, now) => None,
                _ if planted(Mutant::StrictWithoutGrant) => None,
                _ => review(Reason::NoGrant, None),
            },
            Standing::Elsewhere { lane } => review(Reason::OwnedElsewhere, Some(Detail::GoTo { lane })),
            Standing::Nobody => review(Reason::OwnerUnsure, None),
        },
    }
}

/// Whether a grant is for this ticket, this row and this moment.
fn granted(grant: &Grant, epoch: u64, ticket: TicketId, asked: &Asked<'_>, now: &ClockReading) -> bool {
    grant.ticket == ticket
        && grant.device == asked.device
        && ((grant.chain, grant.seq) == (asked.head.epoch, asked.head.seq + 1) || planted(Mutant::GrantForAnyRow))
        && grant.guests >= asked.guests
        && grant.epoch == epoch
        && now.now_ms.saturating_add(i64::from(now.uncertainty_ms)) < grant.until_ms
}

/// Whether a scan of this ticket must ask a server for a grant first; for the engine, before the transaction.
pub fn must_ask(ticket: TicketId, class: ClassId, device: DeviceId, policy: &Policy, now: &ClockReading) -> bool {
    let strict = policy.partition_of(class) == Partition::Strict;
    let standing = || policy.ownership(policy.home_group(class, ticket)).standing(device, u64::MAX, now);
    strict && matches!(standing(), Standing::Ask { .. })
}

#[cfg(test)]
mod tests;
