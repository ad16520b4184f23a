//! The texts that phones show: real tickets of a seeded organiser, signed, in the two kinds that a phone can show.

use anyhow::{Result, ensure};
use qrcodegen::QrCode;
use ticket_signer::{HolderAlgorithm, Role};
use turnstone_tests::painter::{Random, symbol};

use super::dice::Dice;
use crate::site::{self, Guest, NOW_S};

/// What kind of code a phone shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The usual one: 122 characters, version 5-M.
    Short,
    /// For a ticket that the gate may not know: 311 characters, version 10-M.
    Full,
}

impl Kind {
    /// Modules along a side.
    pub fn modules(self) -> usize {
        match self {
            Kind::Short => 37,
            Kind::Full => 57,
        }
    }
}

/// A freshly signed code and its symbol.
pub fn draw(kind: Kind, dice: &mut Dice) -> Result<(String, QrCode)> {
    let algorithm = if dice.chance(0.5) { HolderAlgorithm::Ed25519 } else { HolderAlgorithm::P256 };
    let guest = Guest::draw(dice.next_u64(), algorithm, &mut Random(dice.next_u64()))?;
    let text = match kind {
        Kind::Short => guest.short(NOW_S)?.to_text(),
        Kind::Full => guest.full(&site::key(Role::Issue), NOW_S)?.to_text(),
    };
    let symbol = symbol(&text)?;
    ensure!(symbol.size() as usize == kind.modules(), "a {kind:?} code has {} modules a side", symbol.size());
    Ok((text, symbol))
}
