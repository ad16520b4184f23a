//! The decision alone: signature check and rules, everything in memory, nothing recorded.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use gate_core::chain::ChainHead;
use gate_core::decide::Asked;
use gate_core::{GateView, Outcome, Reach, TicketView, decide};
use ticket_signer::{
    DeviceId, HolderAlgorithm, HolderKey, ListedTicket, Role, UntrustedCode, VerifiedCode, VerifyContext, verify,
};

use crate::machine;
use crate::report::{Samples, Section, Unit};
use crate::site::{self, Guest, NOW_S};

/// Decisions measured of each kind, and made before, to warm up.
const COUNT: usize = 10_000;
const WARM_UP: usize = 500;
const GOAL: Duration = Duration::from_millis(2);

/// One ticket at the gate: what was read, and what the gate knows.
struct Case {
    code: UntrustedCode,
    entry: ListedTicket,
    view: TicketView,
}

pub fn run(guests: &[Guest]) -> Result<Section> {
    let mut section = Section::new("Decision alone (signatures and rules, in memory, warm)");
    let queue = site::queue(guests, 2);
    let issuer = site::key(Role::Issue);
    let of = |algorithm| queue.iter().copied().filter(move |guest| guest.algorithm() == algorithm);
    let ed25519 = cases(of(HolderAlgorithm::Ed25519), |guest| guest.short(NOW_S))?;
    let p256 = cases(of(HolderAlgorithm::P256), |guest| guest.short(NOW_S))?;
    let ed25519_full = cases(of(HolderAlgorithm::Ed25519), |guest| guest.full(&issuer, NOW_S))?;
    let p256_full = cases(of(HolderAlgorithm::P256), |guest| guest.full(&issuer, NOW_S))?;
    let gate = Gate::new()?;
    for (name, cases) in [
        ("short code, Ed25519: verify + decide", &ed25519),
        ("short code, P-256: verify + decide", &p256),
        ("full code, issuer + Ed25519: verify + decide", &ed25519_full),
        ("full code, issuer + P-256: verify + decide", &p256_full),
    ] {
        let (wall, processor) = gate.measure(cases)?;
        section.spread(name, Unit::Microseconds, &wall, Some(GOAL));
        section.spread("  processor time of this thread", Unit::Microseconds, &processor, None);
    }
    section.spread("rules alone, no cryptography: decide", Unit::Microseconds, &gate.rules_alone(&p256)?, Some(GOAL));
    for (name, cases) in [("Ed25519", &ed25519), ("P-256", &p256)] {
        let samples = keys_alone(cases)?;
        section.spread(
            format!("{name} key from its stored bytes (paid on each look-up)"),
            Unit::Microseconds,
            &samples,
            None,
        );
    }
    section.note(
        "Elapsed time includes whatever else the machine ran meanwhile; the thread's own processor time does not.",
    );
    section.note(format!("Distinct tickets and keys; {WARM_UP} decisions of each kind before the first that counts."));
    Ok(section)
}

fn cases<'a>(
    guests: impl Iterator<Item = &'a Guest>,
    code: impl Fn(&Guest) -> Result<UntrustedCode>,
) -> Result<Vec<Case>> {
    guests
        .take(COUNT + WARM_UP)
        .map(|guest| {
            let entry = guest.listed.clone();
            let view = TicketView { entry: Some(entry.clone()), ..TicketView::default() };
            Ok(Case { code: code(guest)?, entry, view })
        })
        .collect()
}

/// A lane that is ready and hears nobody.
struct Gate {
    trust: ticket_signer::TrustStore,
    policy: gate_core::Policy,
    view: GateView,
    now: gate_core::ClockReading,
}

impl Gate {
    fn new() -> Result<Self> {
        let view = GateView {
            list_version: Some(1),
            list_expires_at_s: NOW_S + 3600,
            cursor: 0,
            lease_until_ms: (NOW_S + 3600) * 1000,
            classes: site::classes(),
        };
        Ok(Gate { trust: site::trust()?, policy: site::policy(), view, now: site::clock(NOW_S) })
    }

    fn verify(&self, case: &Case) -> Result<VerifiedCode, ticket_signer::Rejection> {
        let context = VerifyContext {
            event: site::EVENT,
            trust: &self.trust,
            entry: Some(&case.entry),
            now_s: NOW_S,
            freshness_steps: self.policy.freshness_steps,
        };
        verify(&case.code, &context)
    }

    fn decide(
        &self,
        verified: Result<&VerifiedCode, &ticket_signer::Rejection>,
        view: &TicketView,
    ) -> gate_core::Decision {
        let asked = Asked {
            device: DeviceId(1),
            lane: site::LANE,
            policy: Some(&self.policy),
            reach: Reach::Alone,
            head: ChainHead::start(1),
            grant: None,
            guests: 1,
        };
        decide(verified, view, &self.view, &asked, &self.now)
    }

    /// Elapsed time and processor time of each decision.
    fn measure(&self, cases: &[Case]) -> Result<(Samples, Samples)> {
        let (mut wall, mut processor) = (Samples::default(), Samples::default());
        for (at, case) in cases.iter().enumerate() {
            let used = machine::thread_time();
            let began = Instant::now();
            let verified = self.verify(black_box(case));
            let decision = black_box(self.decide(verified.as_ref(), &case.view));
            let took = began.elapsed();
            let used = machine::thread_time() - used;
            ensure!(decision.outcome == Outcome::Admit, "a good ticket was not admitted: {:?}", decision.reason);
            if at >= WARM_UP {
                wall.push(took);
                processor.push(used);
            }
        }
        Ok((wall, processor))
    }

    fn rules_alone(&self, cases: &[Case]) -> Result<Samples> {
        let mut samples = Samples::default();
        for (at, case) in cases.iter().enumerate() {
            let verified = self.verify(case);
            let began = Instant::now();
            let decision = black_box(self.decide(black_box(verified.as_ref()), &case.view));
            let took = began.elapsed();
            ensure!(decision.outcome == Outcome::Admit, "a good ticket was not admitted: {:?}", decision.reason);
            if at >= WARM_UP {
                samples.push(took);
            }
        }
        Ok(samples)
    }
}

/// Decompressing a point: a list's entry holds bytes, and each look-up makes a key of them.
fn keys_alone(cases: &[Case]) -> Result<Samples> {
    let mut samples = Samples::default();
    for (at, case) in cases.iter().enumerate() {
        let Some(holder) = &case.entry.holder else { continue };
        let (algorithm, slot) = (holder.algorithm(), holder.to_slot());
        let began = Instant::now();
        let key = black_box(HolderKey::from_slot(algorithm, black_box(&slot))?);
        let took = began.elapsed();
        ensure!(key.as_ref() == Some(holder), "a key came back as another one");
        if at >= WARM_UP {
            samples.push(took);
        }
    }
    Ok(samples)
}
