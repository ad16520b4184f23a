//! Compression of list chunks: zstd, unpacked only after the hash fits, and only into a stated size.

use ticket_signer::list::{ChunkRef, ListError, ListLine, MAX_CHUNK_TICKETS, lines_from_bytes, lines_to_bytes};

/// The compression level: a list is made once and fetched by every gate.
const LEVEL: i32 = 9;

/// Why a chunk was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    #[error(transparent)]
    List(#[from] ListError),
    #[error("the chunk does not unpack to the size that was signed for")]
    Unpack,
}

/// A compressed chunk and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedChunk {
    pub named: ChunkRef,
    pub bytes: Vec<u8>,
}

/// Packs lines, which ascend by id, into as many chunks as they need.
pub fn pack(lines: &[ListLine]) -> std::io::Result<Vec<PackedChunk>> {
    lines
        .chunks(MAX_CHUNK_TICKETS)
        .map(|part| {
            let plain = lines_to_bytes(part);
            let bytes = zstd::bulk::compress(&plain, LEVEL)?;
            Ok(PackedChunk { named: ChunkRef::of(&bytes, plain.len()), bytes })
        })
        .collect()
}

/// Checks, unpacks and reads a chunk. `named` comes from a manifest whose signature was checked.
pub fn open(named: &ChunkRef, bytes: &[u8]) -> Result<Vec<ListLine>, PackError> {
    named.check(bytes)?;
    let plain = zstd::bulk::decompress(bytes, named.unpacked as usize).map_err(|_| PackError::Unpack)?;
    if plain.len() != named.unpacked as usize {
        return Err(PackError::Unpack);
    }
    Ok(lines_from_bytes(&plain)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ticket_signer::list::TicketStatus;
    use ticket_signer::{ClassId, HolderAlgorithm, Serial, TicketId};

    fn tickets(count: u64) -> Vec<ListLine> {
        let one = |id| ListLine {
            ticket: TicketId(id * 7),
            serial: Serial::FIRST,
            class: ClassId(1),
            status: TicketStatus::Active,
            algorithm: HolderAlgorithm::None,
            slot: [0; 33],
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn what_was_packed_is_what_is_opened() {
        let tickets = tickets(MAX_CHUNK_TICKETS as u64 + 1);
        let packed = pack(&tickets).unwrap();
        assert_eq!(packed.len(), 2);
        let opened: Vec<_> = packed.iter().flat_map(|chunk| open(&chunk.named, &chunk.bytes).unwrap()).collect();
        assert_eq!(opened, tickets);
    }

    #[test]
    fn changed_bytes_are_refused_before_they_are_unpacked() {
        let chunk = pack(&tickets(3)).unwrap().remove(0);
        let mut bytes = chunk.bytes.clone();
        bytes[5] ^= 1;
        assert_eq!(open(&chunk.named, &bytes), Err(PackError::List(ListError::Hash)));
    }

    #[test]
    fn a_bomb_unpacks_into_the_stated_size_only() {
        let bytes = zstd::bulk::compress(&vec![0; 50_000_000], 19).unwrap();
        assert!(bytes.len() < 10_000, "a small body that would unpack to 50 MB");
        let named = ChunkRef::of(&bytes, 1_000);
        assert_eq!(open(&named, &bytes), Err(PackError::Unpack));
    }
}
