//! The auditor's count against the gates', on passages of every kind: two formulas, one number.

use gate_core::passage::usage;
use ticket_signer::{DeviceId as GateDevice, LaneId};
use turnstone_auditor::ids::{DeviceId, RowId};
use turnstone_auditor::passage::{Passage, in_order, possibly_inside, surely_inside};
use turnstone_auditor::row::Direction;

use crate::fuzz::Dice;

#[test]
fn two_counts_agree() {
    let mut dice = Dice::new(7);
    for _ in 0..20_000 {
        let count = dice.below(12);
        let mut mine = Vec::new();
        let mut theirs = Vec::new();
        for seq in 0..count {
            let (at_ms, uncertainty_ms) = (dice.below(40) as i64, dice.below(15) as u32);
            let (device, out, guests) = (dice.below(3), dice.below(2) == 1, 1 + dice.below(3) as u8);
            mine.push(Passage {
                row: RowId { device: DeviceId(device), epoch: 1, seq },
                lane: 1,
                at_ms,
                uncertainty_ms,
                direction: if out { Direction::Out } else { Direction::In },
                guests,
                by_override: false,
            });
            theirs.push(gate_core::Passage {
                at_ms,
                uncertainty_ms,
                device: GateDevice(device),
                lane: LaneId(1),
                epoch: 1,
                seq,
                direction: if out { gate_core::Direction::Out } else { gate_core::Direction::In },
                guests,
            });
        }
        in_order(&mut mine);
        let usage = usage(&theirs);
        assert_eq!(possibly_inside(&mine), (i64::from(usage.inside), i64::from(usage.most_inside)), "{theirs:?}");
        // Whatever the clocks were, at least so many were inside.
        let surely = surely_inside(&mine);
        for passage in &mut mine {
            let (earliest, latest) = passage.span_ms();
            passage.at_ms = earliest + dice.below((latest - earliest) as u64 + 1) as i64;
            passage.uncertainty_ms = 0;
        }
        in_order(&mut mine);
        assert!(surely <= possibly_inside(&mine).1, "{theirs:?}");
    }
}
