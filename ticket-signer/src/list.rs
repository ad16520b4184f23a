//! Signed lists: what a gate must know of every ticket. A manifest (signed) names chunks by the hash of their compressed bytes.
//!
//! Compression is the caller's: this module makes and reads the bytes before compression and after it, and checks the hash
//! of what travels, so that nothing is unpacked that was not signed for. Columns, not rows: zstd finds more in them.

use sha2::{Digest as _, Sha256};

use crate::ids::{ClassId, EventId, Serial, TicketId};
use crate::keys::{HolderAlgorithm, HolderKey, KeyError, SLOT_LENGTH};

/// The most tickets that a chunk holds; with [`MAX_CHUNK_BYTES`] it bounds what unpacking may cost.
pub const MAX_CHUNK_TICKETS: usize = 8192;
/// The most bytes that a chunk may unpack to.
pub const MAX_CHUNK_BYTES: usize = MAX_CHUNK_TICKETS * (8 + 1 + 2 + 1 + 1 + SLOT_LENGTH) + 64;
/// The most chunks that a manifest names: 4 million tickets.
pub const MAX_CHUNKS: usize = 512;

/// Whether a listed ticket may still be admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TicketStatus {
    Active,
    /// Revoked up to and including its serial; a later serial (a re-issue) is another matter.
    Revoked,
}

impl TicketStatus {
    pub fn to_byte(self) -> u8 {
        match self {
            TicketStatus::Active => 1,
            TicketStatus::Revoked => 2,
        }
    }

    pub fn from_byte(byte: u8) -> Option<Self> {
        [TicketStatus::Active, TicketStatus::Revoked].into_iter().find(|status| status.to_byte() == byte)
    }
}

/// One ticket as a gate's list knows it. Validity and flags are its class's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTicket {
    pub ticket: TicketId,
    pub serial: Serial,
    pub class: ClassId,
    pub status: TicketStatus,
    /// `None` is the printed class.
    pub holder: Option<HolderKey>,
}

/// Why a manifest or chunk could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    #[error("the list is not written as this version expects: {0}")]
    Encoding(&'static str),
    #[error("the chunk's bytes are not those that the manifest was signed for")]
    Hash,
    #[error("a ticket's key in the list is not valid: {0}")]
    Key(#[from] KeyError),
}

/// A class of tickets: the event's table that every gate has.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(array)]
pub struct ClassEntry {
    #[n(0)]
    pub class: ClassId,
    #[n(1)]
    pub name: String,
    /// Unix seconds.
    #[n(2)]
    pub valid_from_s: u32,
    /// Unix seconds.
    #[n(3)]
    pub valid_until_s: u32,
    /// How often a ticket of this class may be admitted; an exit scan gives one back.
    #[n(4)]
    pub admissions: u8,
    /// As in a credential.
    #[n(5)]
    pub flags: u8,
}

/// A chunk as the manifest names it.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(array)]
pub struct ChunkRef {
    /// SHA-256 of the compressed bytes.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub hash: [u8; 32],
    /// Length of the compressed bytes.
    #[n(1)]
    pub compressed: u32,
    /// Length after unpacking: what to reserve, and the bound on unpacking.
    #[n(2)]
    pub unpacked: u32,
}

/// The signed description of a list: full (`base` 0), a delta from version `base`, or a renewal (`base` is `version`, and no
/// chunks) that says that the list of this version is still the newest. A renewal names its own version as the base, so that
/// it can never be passed off as a full list without tickets.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(array)]
pub struct ListManifest {
    #[n(0)]
    pub event: EventId,
    /// Rises with every change of a ticket or class; a gate never lowers its own.
    #[n(1)]
    pub version: u64,
    /// The version that this builds on; 0 for a full list.
    #[n(2)]
    pub base: u64,
    /// Unix seconds.
    #[n(3)]
    pub issued_at_s: u32,
    /// Unix seconds; after it a gate sends guests to a supervisor.
    #[n(4)]
    pub expires_at_s: u32,
    /// How many tickets the list has in all once this is applied.
    #[n(5)]
    pub tickets: u32,
    #[n(6)]
    pub classes: Vec<ClassEntry>,
    #[n(7)]
    pub chunks: Vec<ChunkRef>,
}

impl ListManifest {
    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).unwrap_or_else(|never: minicbor::encode::Error<std::convert::Infallible>| {
            unreachable!("writing to memory does not fail: {never}")
        })
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ListError> {
        let mut decoder = minicbor::Decoder::new(bytes);
        let manifest: ListManifest =
            decoder.decode().map_err(|_| ListError::Encoding("the manifest is cut or not CBOR"))?;
        if decoder.position() != bytes.len() {
            return Err(ListError::Encoding("bytes follow the manifest"));
        }
        if manifest.chunks.len() > MAX_CHUNKS {
            return Err(ListError::Encoding("the manifest names too many chunks"));
        }
        if manifest.chunks.iter().any(|chunk| chunk.unpacked as usize > MAX_CHUNK_BYTES) {
            return Err(ListError::Encoding("a chunk would unpack to more than a chunk may hold"));
        }
        let renews = manifest.base == manifest.version && manifest.chunks.is_empty();
        if manifest.version == 0 || (manifest.base >= manifest.version && !renews) {
            return Err(ListError::Encoding("the list's version is not above the one it builds on"));
        }
        if manifest.to_bytes() != bytes {
            return Err(ListError::Encoding("the manifest is not written the one accepted way"));
        }
        Ok(manifest)
    }
}

impl ChunkRef {
    /// Names `compressed`, which unpacks to `unpacked` bytes.
    pub fn of(compressed: &[u8], unpacked: usize) -> Self {
        ChunkRef {
            hash: Sha256::digest(compressed).into(),
            compressed: compressed.len() as u32,
            unpacked: unpacked as u32,
        }
    }

    /// Whether these are the bytes that were signed for. Call it before unpacking them.
    pub fn check(&self, compressed: &[u8]) -> Result<(), ListError> {
        let fits = compressed.len() == self.compressed as usize && Sha256::digest(compressed)[..] == self.hash;
        if fits { Ok(()) } else { Err(ListError::Hash) }
    }
}

/// One ticket as a list's bytes have it: its key's slot is not looked into. Making points of a hundred thousand keys takes
/// seconds, so whoever only carries a list (a server, a gate that stages it) works with lines, and a key is checked when its
/// ticket is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListLine {
    pub ticket: TicketId,
    pub serial: Serial,
    pub class: ClassId,
    pub status: TicketStatus,
    pub algorithm: HolderAlgorithm,
    /// Zeros for [`HolderAlgorithm::None`].
    pub slot: [u8; SLOT_LENGTH],
}

impl ListLine {
    /// The ticket, its key checked.
    pub fn open(&self) -> Result<ListedTicket, KeyError> {
        Ok(ListedTicket {
            ticket: self.ticket,
            serial: self.serial,
            class: self.class,
            status: self.status,
            holder: HolderKey::from_slot(self.algorithm, &self.slot)?,
        })
    }
}

impl From<&ListedTicket> for ListLine {
    fn from(ticket: &ListedTicket) -> Self {
        ListLine {
            ticket: ticket.ticket,
            serial: ticket.serial,
            class: ticket.class,
            status: ticket.status,
            algorithm: ticket.holder.as_ref().map_or(HolderAlgorithm::None, HolderKey::algorithm),
            slot: ticket.holder.as_ref().map_or([0; SLOT_LENGTH], HolderKey::to_slot),
        }
    }
}

/// A chunk's bytes before compression. `lines` must ascend by id; a chunk that does not is refused by every gate.
pub fn lines_to_bytes(lines: &[ListLine]) -> Vec<u8> {
    let keyed = || lines.iter().filter(|line| line.algorithm != HolderAlgorithm::None);
    let columns: [Vec<u8>; 7] = [
        lines.iter().flat_map(|line| line.ticket.0.to_be_bytes()).collect(),
        lines.iter().map(|line| line.serial.get()).collect(),
        lines.iter().flat_map(|line| line.class.0.to_be_bytes()).collect(),
        lines.iter().map(|line| line.status.to_byte()).collect(),
        lines.iter().map(|line| line.algorithm.to_byte()).collect(),
        keyed().map(|line| line.slot[0]).collect(),
        keyed().flat_map(|line| line.slot[1..].iter().copied()).collect(),
    ];
    let mut encoder = minicbor::Encoder::new(Vec::new());
    let written = (|| {
        encoder.array(columns.len() as u64)?;
        columns.iter().try_for_each(|column| encoder.bytes(column).map(|_| ()))
    })();
    written.unwrap_or_else(|never: minicbor::encode::Error<std::convert::Infallible>| {
        unreachable!("writing to memory does not fail: {never}")
    });
    encoder.into_writer()
}

/// Reads a chunk's bytes: at most [`MAX_CHUNK_TICKETS`] lines in ascending order of id, in the one accepted spelling.
pub fn lines_from_bytes(bytes: &[u8]) -> Result<Vec<ListLine>, ListError> {
    let cut = |_| ListError::Encoding("the chunk is cut or not CBOR");
    let mut decoder = minicbor::Decoder::new(bytes);
    if decoder.array().map_err(cut)? != Some(7) {
        return Err(ListError::Encoding("the chunk does not have seven columns"));
    }
    let mut column = || decoder.bytes().map_err(cut);
    let (ids, serials, classes) = (column()?, column()?, column()?);
    let (statuses, algorithms, prefixes, points) = (column()?, column()?, column()?, column()?);
    let count = serials.len();
    let keys = algorithms.iter().filter(|algorithm| **algorithm != 0).count();
    let lengths_fit = count <= MAX_CHUNK_TICKETS
        && ids.len() == count * 8
        && classes.len() == count * 2
        && statuses.len() == count
        && algorithms.len() == count
        && prefixes.len() == keys
        && points.len() == keys * 32;
    if !lengths_fit || decoder.position() != bytes.len() {
        return Err(ListError::Encoding("the chunk's columns have different lengths"));
    }
    let mut slots = prefixes.iter().zip(points.chunks_exact(32));
    let mut lines: Vec<ListLine> = Vec::with_capacity(count);
    for at in 0..count {
        let algorithm = HolderAlgorithm::from_byte(algorithms[at])?;
        let mut slot = [0; SLOT_LENGTH];
        if algorithm != HolderAlgorithm::None
            && let Some((prefix, point)) = slots.next()
        {
            slot[0] = *prefix;
            slot[1..].copy_from_slice(point);
        }
        let id = ids[at * 8..at * 8 + 8].iter().fold(0, |id, byte| id << 8 | u64::from(*byte));
        let line = ListLine {
            ticket: TicketId(id),
            serial: Serial::new(serials[at]).ok_or(ListError::Encoding("a serial is outside 1 to 254"))?,
            class: ClassId(u16::from_be_bytes([classes[at * 2], classes[at * 2 + 1]])),
            status: TicketStatus::from_byte(statuses[at]).ok_or(ListError::Encoding("a status is unknown"))?,
            algorithm,
            slot,
        };
        if lines.last().is_some_and(|last| last.ticket >= line.ticket) {
            return Err(ListError::Encoding("the chunk's tickets do not ascend by id"));
        }
        lines.push(line);
    }
    if lines_to_bytes(&lines) != bytes {
        return Err(ListError::Encoding("the chunk is not written the one accepted way"));
    }
    Ok(lines)
}

/// A chunk whose every key is looked into: for checking a list as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListChunk {
    pub tickets: Vec<ListedTicket>,
}

impl ListChunk {
    /// As [`lines_to_bytes`].
    pub fn to_bytes(&self) -> Vec<u8> {
        lines_to_bytes(&self.tickets.iter().map(ListLine::from).collect::<Vec<_>>())
    }

    /// As [`lines_from_bytes`], and checks each key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ListError> {
        let tickets = lines_from_bytes(bytes)?.iter().map(ListLine::open).collect::<Result<_, _>>()?;
        Ok(ListChunk { tickets })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> ListManifest {
        ListManifest {
            event: EventId(7),
            version: 2,
            base: 1,
            issued_at_s: 1,
            expires_at_s: 2,
            tickets: 0,
            classes: Vec::new(),
            chunks: Vec::new(),
        }
    }

    fn ticket(id: u64) -> ListedTicket {
        let (serial, class, status) = (Serial::FIRST, ClassId(1), TicketStatus::Active);
        ListedTicket { ticket: TicketId(id), serial, class, status, holder: None }
    }

    #[test]
    fn a_manifest_has_one_spelling() {
        let bytes = manifest().to_bytes();
        assert_eq!(ListManifest::from_bytes(&bytes), Ok(manifest()));
        // Event 7 in two bytes, where one does; an array without its length; a field more.
        let longer = [&bytes[..1], &[0x18, 7], &bytes[2..]].concat();
        let endless = [&[0x9f], &bytes[1..], &[0xff]].concat();
        let more = [&[0x89], &bytes[1..], &[0]].concat();
        for wrong in [longer, endless, more] {
            assert!(matches!(ListManifest::from_bytes(&wrong), Err(ListError::Encoding(_))), "{wrong:x?}");
        }
    }

    #[test]
    fn a_manifest_is_bounded() {
        let chunk = |unpacked| ChunkRef::of(&[], unpacked);
        let refused = |manifest: ListManifest| ListManifest::from_bytes(&manifest.to_bytes()).is_err();
        assert!(!refused(ListManifest { chunks: vec![chunk(MAX_CHUNK_BYTES); MAX_CHUNKS], ..manifest() }));
        assert!(refused(ListManifest { chunks: vec![chunk(0); MAX_CHUNKS + 1], ..manifest() }));
        assert!(refused(ListManifest { chunks: vec![chunk(MAX_CHUNK_BYTES + 1)], ..manifest() }));
        assert!(
            refused(ListManifest { base: 2, chunks: vec![chunk(1)], ..manifest() }),
            "a delta leads to a higher version"
        );
        assert!(!refused(ListManifest { base: 2, ..manifest() }), "a renewal leads nowhere");
        assert!(refused(ListManifest { base: 3, ..manifest() }));
        assert!(refused(ListManifest { version: 0, base: 0, ..manifest() }));
    }

    #[test]
    fn a_chunk_has_one_spelling_and_a_bound() {
        let bytes = ListChunk { tickets: vec![ticket(1)] }.to_bytes();
        assert_eq!(bytes[..2], [0x87, 0x48], "seven columns, the first of eight bytes");
        assert!(ListChunk::from_bytes(&bytes).is_ok());
        let longer = [&[0x87, 0x58, 8], &bytes[2..]].concat();
        assert!(ListChunk::from_bytes(&longer).is_err());
        let full: Vec<ListedTicket> = (0..MAX_CHUNK_TICKETS as u64 + 1).map(ticket).collect();
        assert!(ListChunk::from_bytes(&ListChunk { tickets: full[1..].to_vec() }.to_bytes()).is_ok());
        assert!(ListChunk::from_bytes(&ListChunk { tickets: full }.to_bytes()).is_err());
        let twice = ListChunk { tickets: vec![ticket(1), ticket(1)] };
        assert!(ListChunk::from_bytes(&twice.to_bytes()).is_err());
    }
}
