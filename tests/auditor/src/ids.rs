//! The names of devices, tickets and keys, and the widths of the smaller ones.

use std::fmt;

use crate::bytes::hex;
use crate::fault::Fault;

/// An event, a lane: u32. A class: u16. A serial: u8, 1 to 254.
pub type EventId = u32;
pub type LaneId = u32;
pub type ClassId = u16;
pub type Serial = u8;

/// A ticket, for life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TicketId(pub u64);

/// An enrolled handheld.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub u64);

/// The first 8 bytes of a hash over a public key: it names a key and proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 8]);

/// One row of one journal: the device, its journal (epoch) and the row's number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId {
    pub device: DeviceId,
    pub epoch: u64,
    pub seq: u64,
}

impl fmt::Display for TicketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// Reads 16 lower-case hex digits: the one spelling of a ticket's and a device's id.
pub fn id_from_text(text: &str) -> Result<u64, Fault> {
    let plain = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !plain {
        return Err(Fault::NotAnId);
    }
    u64::from_str_radix(text, 16).map_err(|_| Fault::NotAnId)
}
