//! Every code that a row carries, verified again: its form, its signatures, its ticket and its moment.
//!
//! Short codes say neither class nor key. Those come from the export's `listed` lines, or from a full code of the same issue
//! of the ticket that stands in any row and verifies; where there is neither, the code is not checkable.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::{Code, Listed, fresh, issued};
use crate::fault::Fault;
use crate::finding::{Finding, Findings, Kind};
use crate::floors::Floors;
use crate::ids::{EventId, Serial, TicketId};
use crate::intake::{Entry, Journals};
use crate::material::Material;
use crate::policy::MOST_FRESHNESS_STEPS;
use crate::row::{Act, Outcome, Row};

/// A code is looked at before its row is written: that much earlier, at most.
const LOOKED_BEFORE_MS: i64 = 1_000;

/// What was checked.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Checked {
    /// Codes whose signatures and moment were verified.
    pub(crate) codes: u64,
    /// Short codes whose holder's key no export tells.
    pub(crate) not_checkable: u64,
    /// Codes whose moment was held against the widest rule, since their policy is in no export.
    pub(crate) without_policy: u64,
}

type Issue = (EventId, TicketId, Serial);

/// Credentials that verified: by them short codes can be checked, and there is one for each issue of a ticket.
struct Credentials {
    known: BTreeMap<Issue, (Vec<u8>, Listed)>,
    told: BTreeSet<Issue>,
}

/// Checks the codes of all rows.
pub(crate) fn check(journals: &Journals, material: &Material, findings: &mut Findings) -> Checked {
    let mut checked = Checked::default();
    let mut credentials = Credentials { known: BTreeMap::new(), told: BTreeSet::new() };
    let scans = || journals.entries().filter(|entry| entry.row.act == Act::Scan);
    for Entry { row, .. } in scans() {
        if let Some(Ok(code)) = row.code.as_deref().map(Code::parse) {
            credentials.gather(&code, row, material, findings);
        }
    }
    let mut floors = Floors::default();
    for Entry { row, .. } in scans() {
        one(row, &credentials, material, &mut checked, &mut floors, findings);
    }
    floors.check(journals, findings);
    checked
}

impl Credentials {
    fn gather(&mut self, code: &Code, row: &Row, material: &Material, findings: &mut Findings) {
        let Some(credential) = code.credential() else { return };
        if issued(credential, row.event, &material.trust, row.at_s()).is_err() {
            return;
        }
        let issue = (row.event, credential.ticket, credential.serial);
        let listed = Listed {
            ticket: credential.ticket,
            serial: credential.serial,
            class: credential.class,
            holder: credential.holder.clone(),
        };
        let says = match (self.known.get(&issue), material.listed.get(&issue)) {
            (Some((vouched, _)), _) if vouched != credential.vouched() => {
                "this issue of the ticket has another credential in another row: there may be one."
            }
            (None, Some(entry)) if *entry != listed => "its credential names another class or phone than the list.",
            _ => "",
        };
        if !says.is_empty() && self.told.insert(issue) {
            findings.add(Finding::at(Kind::CredentialTwice, row, says));
        }
        self.known.entry(issue).or_insert_with(|| (credential.vouched().to_vec(), listed));
    }

    fn listed<'a>(&'a self, issue: Issue, material: &'a Material) -> Option<&'a Listed> {
        material.listed.get(&issue).or_else(|| self.known.get(&issue).map(|(_, listed)| listed))
    }
}

fn one(
    row: &Row,
    credentials: &Credentials,
    material: &Material,
    checked: &mut Checked,
    floors: &mut Floors,
    findings: &mut Findings,
) {
    let Some(text) = &row.code else {
        if row.serial.is_some() || row.outcome == Outcome::Admit {
            let says = "it says that a code was verified, and has none.";
            findings.add(Finding::at(Kind::CodeDoesNotVerify, row, says));
        }
        return;
    };
    let code = match Code::parse(text) {
        Ok(code) => code,
        Err(fault) => {
            let says = format!("its code is no ticket's: {fault}.");
            findings.add(Finding::at(Kind::CodeDoesNotVerify, row, says));
            return;
        }
    };
    if row.ticket != Some(code.ticket()) {
        let says = format!("its code is of ticket {}.", code.ticket());
        findings.add(Finding::at(Kind::CodeOfOtherTicket, row, says));
        return;
    }
    let issue = (row.event, code.ticket(), code.serial());
    let listed = credentials.listed(issue, material);
    match row.serial {
        Some(serial) if serial != code.serial() => {
            let says = format!("its code is of serial {}, and the row's is {serial}.", code.serial());
            findings.add(Finding::at(Kind::CodeOfOtherTicket, row, says));
        }
        Some(_) => {
            if verified(row, &code, listed, material, checked, findings) && code.credential().is_some() {
                floors.raise(row, code.ticket(), code.serial());
            }
        }
        None if row.outcome == Outcome::Admit => {
            let says = "it let a guest in on a code that it does not say was verified.";
            findings.add(Finding::at(Kind::CodeDoesNotVerify, row, says));
        }
        None => refused(row, &code, listed, material, findings),
    }
}

/// The gate says that this code verified. Returns whether it did.
fn verified(
    row: &Row,
    code: &Code,
    listed: Option<&Listed>,
    material: &Material,
    checked: &mut Checked,
    findings: &mut Findings,
) -> bool {
    if matches!(code, Code::Short { .. }) && listed.is_none() {
        checked.not_checkable += 1;
        return false;
    }
    let vouched = match code.verify(row.event, &material.trust, row.at_s(), listed) {
        Ok(vouched) => vouched,
        Err(fault) => {
            findings.add(Finding::at(Kind::CodeDoesNotVerify, row, format!("its code does not verify: {fault}.")));
            return false;
        }
    };
    if row.class != Some(vouched.class) {
        let says = format!("its code is of class {}, and the row's is another.", vouched.class);
        findings.add(Finding::at(Kind::CodeOfOtherTicket, row, says));
    }
    if let Err(fault) = in_time(row, code, material, checked) {
        let says = format!("its code does not verify: {fault}.");
        findings.add(Finding::at(Kind::CodeDoesNotVerify, row, says));
        return false;
    }
    checked.codes += 1;
    true
}

/// Whether the signed moment was fresh, by the row's policy and clock.
fn in_time(row: &Row, code: &Code, material: &Material, checked: &mut Checked) -> Result<(), Fault> {
    let Some(moment) = code.moment() else { return Ok(()) };
    let steps = match material.policies.get(&(row.event, row.policy_version)) {
        Some(policy) => policy.at(row.at_ms).freshness_steps,
        None => {
            checked.without_policy += 1;
            MOST_FRESHNESS_STEPS
        }
    };
    let (earliest_ms, latest_ms) = row.span_ms();
    let earliest_s = earliest_ms.saturating_sub(LOOKED_BEFORE_MS).div_euclid(1000);
    fresh(moment.step, earliest_s, latest_ms.div_euclid(1000), steps)
}

/// The gate refused this code before it was verified. Where it said why in a way that can be checked, it must be so.
fn refused(row: &Row, code: &Code, listed: Option<&Listed>, material: &Material, findings: &mut Findings) {
    let by_code_alone = matches!(row.reason.as_str(), "presentation_missing" | "not_bound" | "wrong_event");
    let short = matches!(code, Code::Short { .. });
    let says_so = row.reason == "bad_signature" || (by_code_alone && !short);
    if !says_so || code.verify(row.event, &material.trust, row.at_s(), listed).is_err() {
        return;
    }
    let says = format!("it refused a code as `{}` that is sound.", row.reason);
    findings.add(Finding::at(Kind::RefusedInError, row, says));
}
