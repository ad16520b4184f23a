//! What a row can be held against without knowing what its gate had heard: lease, class times, policy, grants, the strict rule.

use crate::code::Code;
use crate::finding::{Finding, Findings, Kind};
use crate::grant::Grant;
use crate::ids::{ClassId, TicketId};
use crate::intake::{Entry, Journals};
use crate::material::{Lease, Material};
use crate::moment::utc;
use crate::policy::{Owner, Partition, Policy, UnlistedPrinted};
use crate::row::{Act, Direction, Row, marks};

/// What could not be held against anything.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Unruled {
    /// Admissions whose policy is in no export.
    pub(crate) without_policy: u64,
    /// Rows after a lease's end that let nobody through: as it should be.
    pub(crate) after_lease: u64,
}

/// Checks every row.
pub(crate) fn check(journals: &Journals, material: &Material, findings: &mut Findings) -> Unruled {
    let mut unruled = Unruled::default();
    for entry in journals.entries() {
        let row = &entry.row;
        lease(entry, &mut unruled, findings);
        let grant = row.grant.as_ref().and_then(|bytes| grant(bytes, row, material, findings));
        if !row.passed() || row.act == Act::Override {
            continue;
        }
        let (Some(ticket), Some(class)) = (row.verified_ticket(), row.class) else { continue };
        class_times(row, class, material, findings);
        let Some(policy) = material.policies.get(&(row.event, row.policy_version)) else {
            if row.policy_version == 0 {
                let says = "it let a guest through without a policy, which no gate does.";
                findings.add(Finding::at(Kind::AgainstPolicy, row, says));
            } else {
                unruled.without_policy += 1;
            }
            continue;
        };
        let policy = policy.at(row.at_ms);
        if let Some(says) = against(row, class, &policy, material) {
            findings.add(Finding::at(Kind::AgainstPolicy, row, says));
        }
        if let Some(says) = strictly(row, ticket, class, grant.as_ref(), &policy) {
            findings.add(Finding::at(Kind::StrictWithoutRight, row, says));
        }
    }
    unruled
}

fn lease(entry: &Entry, unruled: &mut Unruled, findings: &mut Findings) {
    let row = &entry.row;
    let seconds = |s: u32| utc(i64::from(s) * 1000);
    match entry.lease {
        Lease::Within => {}
        Lease::Over { .. } | Lease::NotBegun { .. } if !row.passed() => unruled.after_lease += 1,
        Lease::Over { ended_s } => {
            let says = format!("the device's lease had ended at {}.", seconds(ended_s));
            findings.add(Finding::at(Kind::LeaseOver, row, says));
        }
        Lease::NotBegun { begins_s } => {
            let says = format!("the device's lease began only at {}.", seconds(begins_s));
            findings.add(Finding::at(Kind::LeaseNotBegun, row, says));
        }
    }
}

/// Opens the row's grant and holds it against the row.
fn grant(bytes: &[u8], row: &Row, material: &Material, findings: &mut Findings) -> Option<Grant> {
    let grant = match Grant::open(bytes, &material.trust, row.event, row.at_s()) {
        Ok(grant) => grant,
        Err(fault) => {
            findings.add(Finding::at(Kind::GrantRefused, row, format!("its grant counts for nothing: {fault}.")));
            return None;
        }
    };
    let other = if grant.event != row.event {
        "for another event"
    } else if grant.row.device != row.id.device {
        "for another device"
    } else if grant.row != row.id {
        "for another row of this device"
    } else if row.verified_ticket() != Some(grant.ticket) {
        "for another ticket"
    } else if grant.guests < row.guests {
        "for fewer guests"
    } else if row.span_ms().1 >= grant.until_ms {
        "for an earlier time"
    } else {
        return Some(grant);
    };
    findings.add(Finding::at(Kind::GrantForOtherRow, row, format!("the grant that it used is {other}.")));
    None
}

fn class_times(row: &Row, class: ClassId, material: &Material, findings: &mut Findings) {
    let states = material.class(row.event, class);
    let within = |from_s: u32, until_s: u32| (i64::from(from_s) * 1000..i64::from(until_s) * 1000).contains(&row.at_ms);
    let outside = !states.is_empty() && !states.iter().any(|state| within(state.valid_from_s, state.valid_until_s));
    if outside && row.direction == Direction::In {
        let says = format!("tickets of class {class} were not valid at that time.");
        findings.add(Finding::at(Kind::OutsideClassTimes, row, says));
    }
}

/// What the policy of that moment says against an admission, if it does.
fn against(row: &Row, class: ClassId, policy: &Policy, material: &Material) -> Option<&'static str> {
    let lane = policy.lane(row.lane);
    if lane.map_or(Direction::In, |lane| lane.direction) != row.direction {
        return Some("guests did not go this way at this lane.");
    }
    if row.marked(marks::FLAGGED) && policy.partition_of(class) != Partition::Open {
        return Some("it is marked as admitted under the open rule, which did not hold.");
    }
    if row.direction == Direction::Out {
        return None;
    }
    if row.list_version == 0 {
        return Some("it let a guest in without a list, which no gate does.");
    }
    let Some(lane) = lane else { return Some("the policy does not name this lane.") };
    if lane.closed {
        return Some("this lane was closed.");
    }
    if !lane.classes.is_empty() && !lane.classes.contains(&class) {
        return Some("tickets of this class did not enter at this lane.");
    }
    if row.marked(marks::CLOCK_IN_DOUBT) {
        return Some("the gate was in doubt about the time, and a supervisor decides then.");
    }
    let checks = material.class(row.event, class);
    let all_check = checks.iter().all(|state| state.flags & crate::credential::FLAG_CHECK_ENTITLEMENT != 0);
    if !checks.is_empty() && all_check && !row.marked(marks::CHECK_ENTITLEMENT) {
        return Some("staff were not asked to check the entitlement that this class needs.");
    }
    let printed = matches!(row.code.as_deref().map(Code::parse), Some(Ok(Code::Printed { .. })));
    if printed && !policy.printed_classes.contains(&class) {
        return Some("tickets of this class were not accepted on paper.");
    }
    let unlisted = row.marked(marks::UNLISTED) && policy.unlisted_printed != UnlistedPrinted::Admit;
    (printed && unlisted).then_some("printed tickets that the list does not have were not admitted by themselves.")
}

/// What the strict rule says against an admission, if it does.
fn strictly(
    row: &Row,
    ticket: TicketId,
    class: ClassId,
    grant: Option<&Grant>,
    policy: &Policy,
) -> Option<&'static str> {
    if row.direction == Direction::Out || policy.partition_of(class) != Partition::Strict {
        return None;
    }
    let own = policy.ownership(class, ticket);
    if own.suspended {
        return Some("under the strict rule nobody might decide about this ticket without a supervisor.");
    }
    match own.owner {
        Owner::Device(device) if device != row.id.device => {
            Some("under the strict rule another lane owned this ticket.")
        }
        Owner::Device(_) if row.span_ms().1 >= own.until_ms => Some("this lane's ownership of the ticket had run out."),
        Owner::Device(_) => None,
        Owner::Node => match grant {
            Some(grant) if grant.epoch == own.epoch => None,
            Some(_) => Some("its grant is of another ownership than the policy's."),
            None => Some("under the strict rule it needed the owner's grant, and has none that holds."),
        },
    }
}
