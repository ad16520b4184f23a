//! The credential: what the issuer signs about a ticket. 131 bytes, one layout, one spelling.

use crate::bytes::{Reader, Short};
use crate::domain;
use crate::ids::{ClassId, EventId, KeyId, Serial, TicketId};
use crate::keys::{BadSignature, HolderAlgorithm, HolderKey, KeyError, PublicKey, SIGNATURE_LENGTH, SecretKey};

/// Why bytes are not one of our formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error("the bytes have the wrong length")]
    Length,
    #[error("format {0} is not known to this version")]
    UnknownFormat(u8),
    #[error("role {0} is not known to this version")]
    UnknownRole(u8),
    #[error("serial {0} is outside 1 to 254")]
    Serial(u8),
    #[error("a reserved flag is set")]
    Flags,
    #[error("the validity ends before it begins")]
    Validity,
    #[error("challenge {0} is above 9999")]
    Challenge(u16),
    #[error("the organiser's name must be 1 to 64 bytes of UTF-8 without control characters")]
    Organiser,
    #[error("event ranges must be 1 to 16, ascending and apart")]
    EventRanges,
    #[error("{0}")]
    Key(#[from] KeyError),
}

impl From<Short> for FormatError {
    fn from(_: Short) -> Self {
        FormatError::Length
    }
}

/// The flag that asks staff to check an entitlement (a child's, a concession's) by eye.
pub const FLAG_CHECK_ENTITLEMENT: u8 = 1;
const KNOWN_FLAGS: u8 = FLAG_CHECK_ENTITLEMENT;

/// What a credential says, before anybody has signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialFields {
    pub event: EventId,
    pub ticket: TicketId,
    pub serial: Serial,
    /// Bits: see [`FLAG_CHECK_ENTITLEMENT`]; the others are reserved and zero.
    pub flags: u8,
    pub class: ClassId,
    /// Unix seconds.
    pub valid_from_s: u32,
    /// Unix seconds; later than `valid_from_s`.
    pub valid_until_s: u32,
    /// `None` is the printed class: nobody's phone signs for it.
    pub holder: Option<HolderKey>,
}

/// A credential: its fields, its issuer's key id and signature. The signature is checked by [`Credential::verify`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    fields: CredentialFields,
    issuer: KeyId,
    signature: [u8; SIGNATURE_LENGTH],
}

impl Credential {
    pub const LENGTH: usize = 131;
    pub const FORMAT: u8 = 1;
    const SIGNED: usize = Self::LENGTH - SIGNATURE_LENGTH;

    /// Signs `fields` with an `issue` key.
    pub fn issue(fields: CredentialFields, key: &SecretKey) -> Result<Self, FormatError> {
        check(&fields)?;
        let mut credential = Credential { fields, issuer: key.public().key_id(), signature: [0; SIGNATURE_LENGTH] };
        credential.signature = key.sign(domain::CREDENTIAL, &credential.signed_bytes());
        Ok(credential)
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        if bytes.len() != Self::LENGTH {
            return Err(FormatError::Length);
        }
        let mut reader = Reader::new(bytes);
        let format = reader.u8()?;
        if format != Self::FORMAT {
            return Err(FormatError::UnknownFormat(format));
        }
        let algorithm = HolderAlgorithm::from_byte(reader.u8()?)?;
        let issuer = KeyId(reader.array()?);
        let event = EventId(reader.u32()?);
        let ticket = TicketId(reader.u64()?);
        let serial = reader.u8()?;
        let serial = Serial::new(serial).ok_or(FormatError::Serial(serial))?;
        let flags = reader.u8()?;
        let class = ClassId(reader.u16()?);
        let valid_from_s = reader.u32()?;
        let valid_until_s = reader.u32()?;
        let holder = HolderKey::from_slot(algorithm, &reader.array()?)?;
        let signature = reader.array()?;
        let fields = CredentialFields { event, ticket, serial, flags, class, valid_from_s, valid_until_s, holder };
        check(&fields)?;
        Ok(Credential { fields, issuer, signature })
    }

    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..Self::SIGNED].copy_from_slice(&self.signed_bytes());
        bytes[Self::SIGNED..].copy_from_slice(&self.signature);
        bytes
    }

    pub fn fields(&self) -> &CredentialFields {
        &self.fields
    }

    pub fn issuer(&self) -> KeyId {
        self.issuer
    }

    /// Whether `key`, whose id must be the one named, signed this. Says nothing about who `key` is: see `TrustStore`.
    pub fn verify(&self, key: &PublicKey) -> Result<(), BadSignature> {
        if key.key_id() != self.issuer {
            return Err(BadSignature);
        }
        key.verify(domain::CREDENTIAL, &self.signed_bytes(), &self.signature)
    }

    fn signed_bytes(&self) -> [u8; Self::SIGNED] {
        let fields = &self.fields;
        let algorithm = fields.holder.as_ref().map_or(HolderAlgorithm::None, HolderKey::algorithm);
        let mut bytes = [0; Self::SIGNED];
        bytes[0] = Self::FORMAT;
        bytes[1] = algorithm.to_byte();
        bytes[2..10].copy_from_slice(&self.issuer.0);
        bytes[10..14].copy_from_slice(&fields.event.0.to_be_bytes());
        bytes[14..22].copy_from_slice(&fields.ticket.0.to_be_bytes());
        bytes[22] = fields.serial.get();
        bytes[23] = fields.flags;
        bytes[24..26].copy_from_slice(&fields.class.0.to_be_bytes());
        bytes[26..30].copy_from_slice(&fields.valid_from_s.to_be_bytes());
        bytes[30..34].copy_from_slice(&fields.valid_until_s.to_be_bytes());
        if let Some(holder) = &fields.holder {
            bytes[34..67].copy_from_slice(&holder.to_slot());
        }
        bytes
    }
}

fn check(fields: &CredentialFields) -> Result<(), FormatError> {
    if fields.flags & !KNOWN_FLAGS != 0 {
        return Err(FormatError::Flags);
    }
    if fields.valid_from_s >= fields.valid_until_s {
        return Err(FormatError::Validity);
    }
    Ok(())
}
