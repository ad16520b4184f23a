//! Bytes at random: whatever an export holds, an audit ends with a report or with an error that names file and line.

use serde_json::Value;
use turnstone_auditor::code::Code;
use turnstone_auditor::export::ExportError;
use turnstone_auditor::row::Row;
use turnstone_auditor::{Export, audit, to_json, to_text};

use crate::sound::evening;
use crate::world::*;

/// SplitMix64, so that a failure can be had again.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Dice(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

/// Flips, cuts, doubles or overwrites a few bytes.
fn spoil(bytes: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.below(3) {
        let at = dice.below(bytes.len() as u64) as usize;
        match dice.below(5) {
            0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << dice.below(8)),
            1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = dice.next() as u8),
            2 => bytes.truncate(at),
            3 => bytes.insert(at, dice.next() as u8),
            _ => {
                let end = (at + dice.below(40) as usize).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
}

fn read_and_audit(text: &[u8]) {
    let mut export = Export::default();
    match export.read("fuzz", text) {
        Ok(()) => {}
        Err(ExportError::Line { line, .. }) => return assert!(line >= 1),
        Err(other) => panic!("{other}"),
    }
    if let Ok(report) = audit(&export, None) {
        let _ = (to_text(&report), to_json(&report));
    }
}

#[test]
fn spoilt_text_never_panics() {
    let text = to_lines(&evening().export()).into_bytes();
    let mut dice = Dice::new(1);
    for _ in 0..300 {
        let mut spoilt = text.clone();
        spoil(&mut spoilt, &mut dice);
        read_and_audit(&spoilt);
    }
}

#[test]
fn spoilt_bytes_within_lines_never_panic() {
    let lines = evening().export();
    let mut dice = Dice::new(2);
    for _ in 0..60 {
        let mut spoilt = lines.clone();
        for _ in 0..=dice.below(4) {
            let at = dice.below(spoilt.len() as u64) as usize;
            if let Some(value) = spoilt[at].get("bytes").cloned() {
                let mut bytes = unb64(&value);
                spoil(&mut bytes, &mut dice);
                spoilt[at]["bytes"] = Value::from(b64(&bytes));
            }
        }
        let report = audited(&spoilt);
        let _ = (to_text(&report), to_json(&report));
    }
}

/// A certified device may sign anything: what is in its rows must do no harm either.
#[test]
fn rows_that_a_certified_device_made_up_never_panic() {
    let mut dice = Dice::new(3);
    for _ in 0..60 {
        let mut world = evening();
        for _ in 0..=dice.below(6) {
            let nth = dice.below(3) as usize;
            let device = &mut world.devices[nth];
            let at = dice.below(device.rows.len() as u64) as usize;
            device.rewrite(at, |body| match dice.below(16) {
                0 => body.at_ms = [i64::MIN, i64::MAX, 0, -1][dice.below(4) as usize],
                1 => body.uncertainty_ms = u32::MAX,
                2 => body.guests = 255,
                3 => body.of = Some(dice.next() >> dice.below(64)),
                4 => body.seq = (dice.next() >> 1 >> dice.below(63)).max(1),
                5 => body.act = 1 + dice.below(6) as u8,
                6 => body.direction = 1 + dice.below(2) as u8,
                7 => body.outcome = 1 + dice.below(3) as u8,
                8 => body.ticket = None,
                9 => body.serial = None,
                10 => body.class = None,
                11 => body.code = Some("T1F".to_owned() + &"%".repeat(302)),
                12 => body.grant = Some(dice.next().to_be_bytes().repeat(12)),
                13 => body.policy_version = dice.next(),
                14 => body.event = ticket_signer::EventId(dice.next() as u32),
                _ => body.staff = None,
            });
        }
        let report = audited(&world.export_as_it_is());
        let _ = (to_text(&report), to_json(&report));
    }
}

#[test]
fn spoilt_rows_and_codes_read_or_do_not() {
    let world = evening();
    let rows: Vec<Vec<u8>> =
        world.devices.iter().flat_map(|device| device.rows.iter().map(|row| row.row.bytes.clone())).collect();
    let mut dice = Dice::new(4);
    for _ in 0..20_000 {
        let mut bytes = rows[dice.below(rows.len() as u64) as usize].clone();
        spoil(&mut bytes, &mut dice);
        let mine = Row::read(&bytes);
        let theirs = gate_core::RowBody::from_bytes(&bytes);
        // One more rule of the auditor's: a serial is never 0 or 255.
        let serial =
            theirs.as_ref().ok().and_then(|row| row.serial).is_none_or(|serial| (1..=254).contains(&serial.get()));
        assert_eq!(mine.is_ok(), theirs.is_ok() && serial, "{bytes:02x?}: {mine:?} {theirs:?}");
    }
    let codes = [world.short(1), world.full(5, ONE), world.printed(30)];
    for _ in 0..20_000 {
        let mut bytes = codes[dice.below(3) as usize].clone().into_bytes();
        spoil(&mut bytes, &mut dice);
        let text = String::from_utf8_lossy(&bytes);
        let theirs = ticket_signer::code::parse(&text);
        assert_eq!(
            Code::parse(&text).map_err(|fault| fault.name()).err(),
            theirs.map_err(|error| error.reason()).err()
        );
    }
}
