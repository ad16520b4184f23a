//! Honest evenings at random: lanes that hear each other late or never, clocks that are off within their doubt, groups, exits
//! and overrides. Whatever happens, gates that follow their rules are not accused.

use gate_core::Reach;
use gate_core::record::StaffAct;
use turnstone_auditor::to_text;

use crate::fuzz::Dice;
use crate::world::*;

const TICKETS: u64 = 6;

fn evening(seed: u64) -> World {
    let mut dice = Dice::new(seed);
    let mut world = World::new();
    for ticket in 1..=TICKETS {
        world.list(ticket, if ticket > TICKETS / 2 { FOUR } else { ONE });
    }
    world.uncertainty_ms = [0, 50, 3_000, 10_000][dice.below(4) as usize];
    let doubt = i64::from(world.uncertainty_ms);
    let skew: Vec<i64> = (0..3).map(|_| dice.below(2 * doubt as u64 + 1) as i64 - doubt).collect();
    for _ in 0..50 {
        world.now_ms += dice.below(25_000) as i64;
        let nth = 1 + dice.below(3) as usize;
        let ticket = 1 + dice.below(TICKETS);
        let code = if dice.below(3) == 0 {
            world.full(ticket, if ticket > TICKETS / 2 { FOUR } else { ONE })
        } else {
            world.short(ticket)
        };
        // The phone's clock is right, and the gate's is off.
        let right_ms = world.now_ms;
        world.now_ms += skew[nth - 1];
        world.devices[nth - 1].reach = if dice.below(2) == 0 { Reach::Alone } else { Reach::Server };
        let last = world.devices[nth - 1].rows.last().map(|row| (row.body.seq, row.body.outcome, row.body.serial));
        match (dice.below(8), last) {
            (0, Some((of, 1, Some(_)))) => drop(world.act(nth, StaffAct::More { of, guests: 1 + dice.below(3) as u8 })),
            (1, Some((of, outcome, _))) if outcome != 1 => {
                let guests = 1 + dice.below(2) as u8;
                world.act(nth, StaffAct::Override { of: Some(of), guests, staff: 5, note: "known".to_owned() });
            }
            (2, _) => world.hear(nth),
            _ => drop(world.scan(nth, &code)),
        }
        world.now_ms = right_ms;
    }
    world
}

#[test]
fn honest_gates_are_not_accused() {
    let (mut conflicts, mut admitted, mut overrides) = (0, 0, 0);
    for seed in 0..60 {
        let world = evening(seed);
        let report = audited(&world.export());
        assert!(report.is_sound(), "seed {seed}\n{}", to_text(&report));
        assert!(
            report.notes.iter().all(|note| note.name != "exits_without_entry"),
            "seed {seed}\n{}",
            to_text(&report)
        );
        conflicts += report.totals.conflicts;
        admitted += report.totals.admitted;
        overrides += report.totals.overrides;
        same_conflicts(&world, &report);
    }
    assert!(conflicts > 20 && admitted > 400 && overrides > 20, "{conflicts} {admitted} {overrides}");
}

/// The gates' own rule finds the same tickets, with the same number inside.
fn same_conflicts(world: &World, report: &turnstone_auditor::Report) {
    let passages: Vec<_> = world.devices.iter().flat_map(|device| &device.rows).filter_map(|row| row.passage).collect();
    let mut theirs = Vec::new();
    for ticket in 1..=TICKETS {
        let own: Vec<_> = passages.iter().filter(|(of, _)| of.0 == ticket).map(|(_, passage)| *passage).collect();
        let allowed = if ticket > TICKETS / 2 { 4 } else { 1 };
        theirs.extend(gate_core::conflict::conflict(ticket_signer::TicketId(ticket), allowed, &own));
    }
    let theirs: Vec<_> = theirs.iter().map(|found| (found.ticket.0, i64::from(found.most_inside))).collect();
    let mine: Vec<_> = report.conflicts.iter().map(|found| (found.ticket.0, found.most_inside)).collect();
    assert_eq!(mine, theirs);
}
