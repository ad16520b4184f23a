//! The credential: what the issuer says of a ticket, 131 bytes in one layout.

use crate::bytes::Cursor;
use crate::fault::Fault;
use crate::ids::{ClassId, EventId, KeyId, Serial, TicketId};
use crate::keys::{Algorithm, HolderKey, PublicKey, SIGNATURE};

const FORMAT: u8 = 1;
const DOMAIN: &[u8] = b"turnstone.credential.v1\0";
/// Staff check an entitlement by eye: the one flag that has a meaning.
pub const FLAG_CHECK_ENTITLEMENT: u8 = 1;
/// What the issuer's signature covers, after the domain string.
const SIGNED: usize = 67;

/// A credential as it was read; [`Credential::verify`] says whether its issuer signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    pub issuer: KeyId,
    pub event: EventId,
    pub ticket: TicketId,
    pub serial: Serial,
    pub flags: u8,
    pub class: ClassId,
    pub valid_from_s: u32,
    pub valid_until_s: u32,
    /// `None` is the printed class.
    pub holder: Option<HolderKey>,
    signed: [u8; SIGNED],
    signature: [u8; SIGNATURE],
}

impl Credential {
    pub const LENGTH: usize = SIGNED + SIGNATURE;

    pub fn read(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.len() != Self::LENGTH {
            return Err(Fault::WrongLength);
        }
        let mut parts = Cursor::new(bytes);
        let (signed, signature) = (parts.array::<SIGNED>()?, parts.array::<SIGNATURE>()?);
        let mut cursor = Cursor::new(&signed);
        if cursor.u8()? != FORMAT {
            return Err(Fault::UnknownFormat);
        }
        let algorithm = Algorithm::from_byte(cursor.u8()?)?;
        let issuer = KeyId(cursor.array()?);
        let event = cursor.u32()?;
        let ticket = TicketId(cursor.u64()?);
        let serial = serial(cursor.u8()?)?;
        let flags = cursor.u8()?;
        if flags & !FLAG_CHECK_ENTITLEMENT != 0 {
            return Err(Fault::ReservedFlag);
        }
        let class = cursor.u16()?;
        let (valid_from_s, valid_until_s) = (cursor.u32()?, cursor.u32()?);
        if valid_from_s >= valid_until_s {
            return Err(Fault::ValidityInverted);
        }
        let holder = HolderKey::from_slot(algorithm, &cursor.array()?)?;
        cursor.end()?;
        Ok(Credential {
            issuer,
            event,
            ticket,
            serial,
            flags,
            class,
            valid_from_s,
            valid_until_s,
            holder,
            signed,
            signature,
        })
    }

    /// Whether `key`, whose id must be the one named, signed this.
    pub fn verify(&self, key: &PublicKey) -> Result<(), Fault> {
        if key.id() != self.issuer {
            return Err(Fault::BadSignature);
        }
        key.verify(DOMAIN, &self.signed, &self.signature)
    }

    /// Everything that the issuer vouches for: two credentials of one ticket and serial must agree in it.
    pub fn vouched(&self) -> &[u8; SIGNED] {
        &self.signed
    }
}

/// 0 never was, and 255 would end the ticket.
pub(crate) fn serial(byte: u8) -> Result<Serial, Fault> {
    if (1..=254).contains(&byte) { Ok(byte) } else { Err(Fault::SerialOutOfRange) }
}
