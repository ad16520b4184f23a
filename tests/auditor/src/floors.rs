//! Issues of a ticket that a device knew to be retired: once it has read a credential with a higher serial, it lets nobody in
//! on a lower one. What lists and other lanes told it is in no journal, and is not held against it.

use std::collections::BTreeMap;

use crate::finding::{Finding, Findings, Kind};
use crate::ids::{DeviceId, EventId, Serial, TicketId};
use crate::intake::{Entry, Journals};
use crate::row::{Act, Direction, Row};

/// One journal's ticket of one event.
type Key = (DeviceId, u64, EventId, TicketId);

/// The serials that credentials showed, by the row that read them.
#[derive(Debug, Default)]
pub(crate) struct Floors {
    shown: BTreeMap<Key, BTreeMap<u64, Serial>>,
}

impl Floors {
    /// This row's code verified, and its credential has this serial.
    pub(crate) fn raise(&mut self, row: &Row, ticket: TicketId, serial: Serial) {
        let shown = self.shown.entry(key(row, ticket)).or_default();
        let highest = shown.entry(row.id.seq).or_insert(serial);
        *highest = serial.max(*highest);
    }

    /// The highest serial that an earlier row of this journal showed.
    fn before(&self, row: &Row, ticket: TicketId) -> Option<Serial> {
        self.shown.get(&key(row, ticket))?.range(..row.id.seq).map(|(_, serial)| *serial).max()
    }

    /// Checks every admission that the gate itself decided on.
    pub(crate) fn check(&self, journals: &Journals, findings: &mut Findings) {
        for Entry { row, .. } in journals.entries() {
            let decided = row.passed() && row.direction == Direction::In && row.act != Act::Override;
            let (Some(ticket), Some(serial)) = (row.ticket.filter(|_| decided), row.serial) else { continue };
            if let Some(floor) = self.before(row, ticket).filter(|floor| *floor > serial) {
                let says = format!("it let a guest in on serial {serial}, after this device had read serial {floor}.");
                findings.add(Finding::at(Kind::RetiredAdmitted, row, says));
            }
        }
    }
}

fn key(row: &Row, ticket: TicketId) -> Key {
    (row.id.device, row.id.epoch, row.event, ticket)
}
