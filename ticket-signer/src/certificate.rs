//! Who may sign what: certificates that the root signs for authority keys, and that a `device` key signs for handhelds.
//!
//! A certificate names organiser, role, events and validity; [`crate::trust::TrustStore`] checks all four on everything.

use crate::bytes::Reader;
use crate::credential::FormatError;
use crate::domain;
use crate::ids::{DeviceId, EventId, KeyId};
use crate::keys::{BadSignature, PublicKey, SIGNATURE_LENGTH, SecretKey};

/// What an authority key may sign. A role that this version does not know is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Credentials.
    Issue,
    /// Lists of tickets: forging power, never on an edge.
    List,
    /// Policies.
    Policy,
    /// The server's time.
    Time,
    /// Receipts for journal rows.
    Receipt,
    /// Device certificates and wipes.
    Device,
}

impl Role {
    pub const ALL: [Role; 6] = [Role::Issue, Role::List, Role::Policy, Role::Time, Role::Receipt, Role::Device];

    pub fn to_byte(self) -> u8 {
        match self {
            Role::Issue => 1,
            Role::List => 2,
            Role::Policy => 3,
            Role::Time => 4,
            Role::Receipt => 5,
            Role::Device => 6,
        }
    }

    pub fn from_byte(byte: u8) -> Result<Self, FormatError> {
        Role::ALL.into_iter().find(|role| role.to_byte() == byte).ok_or(FormatError::UnknownRole(byte))
    }

    /// The name on the command line and in files: `issue`, `list`, `policy`, `time`, `receipt`, `device`.
    pub fn name(self) -> &'static str {
        match self {
            Role::Issue => "issue",
            Role::List => "list",
            Role::Policy => "policy",
            Role::Time => "time",
            Role::Receipt => "receipt",
            Role::Device => "device",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// An inclusive range of event ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRange {
    pub first: EventId,
    pub last: EventId,
}

impl EventRange {
    pub fn contains(&self, event: EventId) -> bool {
        (self.first..=self.last).contains(&event)
    }
}

/// What a certificate says, before the root has signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFields {
    pub role: Role,
    pub key: PublicKey,
    /// 1 to 64 bytes of UTF-8.
    pub organiser: String,
    /// 1 to 16 ranges, ascending, with a gap between one and the next.
    pub events: Vec<EventRange>,
    /// Unix seconds, inclusive.
    pub not_before_s: u32,
    /// Unix seconds, exclusive.
    pub not_after_s: u32,
}

/// A root-signed certificate of an authority key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    fields: CertificateFields,
    root: KeyId,
    signature: [u8; SIGNATURE_LENGTH],
}

impl Certificate {
    pub const FORMAT: u8 = 1;
    pub const MAX_LENGTH: usize = 50 + 1 + 64 + 1 + 16 * 8 + SIGNATURE_LENGTH;

    pub fn issue(fields: CertificateFields, root: &SecretKey) -> Result<Self, FormatError> {
        check(&fields)?;
        let mut certificate = Certificate { fields, root: root.public().key_id(), signature: [0; SIGNATURE_LENGTH] };
        certificate.signature = root.sign(domain::CERTIFICATE, &certificate.signed_bytes());
        Ok(certificate)
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        if bytes.len() > Self::MAX_LENGTH {
            return Err(FormatError::Length);
        }
        let mut reader = Reader::new(bytes);
        let format = reader.u8()?;
        if format != Self::FORMAT {
            return Err(FormatError::UnknownFormat(format));
        }
        let role = Role::from_byte(reader.u8()?)?;
        let root = KeyId(reader.array()?);
        let key = PublicKey::from_bytes(&reader.array()?)?;
        let not_before_s = reader.u32()?;
        let not_after_s = reader.u32()?;
        let length = usize::from(reader.u8()?);
        let organiser = std::str::from_utf8(reader.take(length)?).map_err(|_| FormatError::Organiser)?.to_owned();
        let count = reader.u8()?;
        let mut events = Vec::new();
        for _ in 0..count {
            events.push(EventRange { first: EventId(reader.u32()?), last: EventId(reader.u32()?) });
        }
        let signature = reader.array()?;
        if !reader.is_empty() {
            return Err(FormatError::Length);
        }
        let fields = CertificateFields { role, key, organiser, events, not_before_s, not_after_s };
        check(&fields)?;
        Ok(Certificate { fields, root, signature })
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.signed_bytes();
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    pub fn fields(&self) -> &CertificateFields {
        &self.fields
    }

    pub fn names_event(&self, event: EventId) -> bool {
        self.fields.events.iter().any(|range| range.contains(event))
    }

    pub fn verify(&self, root: &PublicKey) -> Result<(), BadSignature> {
        if root.key_id() != self.root {
            return Err(BadSignature);
        }
        root.verify(domain::CERTIFICATE, &self.signed_bytes(), &self.signature)
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let fields = &self.fields;
        let mut bytes = Vec::with_capacity(Self::MAX_LENGTH);
        bytes.push(Self::FORMAT);
        bytes.push(fields.role.to_byte());
        bytes.extend_from_slice(&self.root.0);
        bytes.extend_from_slice(&fields.key.to_bytes());
        bytes.extend_from_slice(&fields.not_before_s.to_be_bytes());
        bytes.extend_from_slice(&fields.not_after_s.to_be_bytes());
        bytes.push(fields.organiser.len() as u8);
        bytes.extend_from_slice(fields.organiser.as_bytes());
        bytes.push(fields.events.len() as u8);
        for range in &fields.events {
            bytes.extend_from_slice(&range.first.0.to_be_bytes());
            bytes.extend_from_slice(&range.last.0.to_be_bytes());
        }
        bytes
    }
}

fn check(fields: &CertificateFields) -> Result<(), FormatError> {
    if fields.not_before_s >= fields.not_after_s {
        return Err(FormatError::Validity);
    }
    if !(1..=64).contains(&fields.organiser.len()) || fields.organiser.chars().any(char::is_control) {
        return Err(FormatError::Organiser);
    }
    if !(1..=16).contains(&fields.events.len()) || fields.events.iter().any(|range| range.first > range.last) {
        return Err(FormatError::EventRanges);
    }
    // Ranges that touch would be a second spelling of one range.
    let apart = fields.events.windows(2).all(|pair| u64::from(pair[0].last.0) + 1 < u64::from(pair[1].first.0));
    if apart { Ok(()) } else { Err(FormatError::EventRanges) }
}

/// A root-signed statement that a key is no longer to be believed, whatever its certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRevocation {
    key: KeyId,
    revoked_at_s: u32,
    root: KeyId,
    signature: [u8; SIGNATURE_LENGTH],
}

impl KeyRevocation {
    pub const LENGTH: usize = 85;
    pub const FORMAT: u8 = 1;

    pub fn issue(key: KeyId, revoked_at_s: u32, root: &SecretKey) -> Self {
        let mut this =
            KeyRevocation { key, revoked_at_s, root: root.public().key_id(), signature: [0; SIGNATURE_LENGTH] };
        this.signature = root.sign(domain::KEY_REVOCATION, &this.signed_bytes());
        this
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
        Ok(KeyRevocation {
            root: KeyId(reader.array()?),
            key: KeyId(reader.array()?),
            revoked_at_s: reader.u32()?,
            signature: reader.array()?,
        })
    }

    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..21].copy_from_slice(&self.signed_bytes());
        bytes[21..].copy_from_slice(&self.signature);
        bytes
    }

    /// The key that is no longer to be believed.
    pub fn key(&self) -> KeyId {
        self.key
    }

    pub fn revoked_at_s(&self) -> u32 {
        self.revoked_at_s
    }

    pub fn verify(&self, root: &PublicKey) -> Result<(), BadSignature> {
        if root.key_id() != self.root {
            return Err(BadSignature);
        }
        root.verify(domain::KEY_REVOCATION, &self.signed_bytes(), &self.signature)
    }

    fn signed_bytes(&self) -> [u8; 21] {
        let mut bytes = [0; 21];
        bytes[0] = Self::FORMAT;
        bytes[1..9].copy_from_slice(&self.root.0);
        bytes[9..17].copy_from_slice(&self.key.0);
        bytes[17..21].copy_from_slice(&self.revoked_at_s.to_be_bytes());
        bytes
    }
}

/// What a device certificate says: this handheld takes part in this event, for the length of its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCertificateFields {
    pub device: DeviceId,
    pub key: PublicKey,
    pub event: EventId,
    /// Unix seconds, inclusive.
    pub not_before_s: u32,
    /// Unix seconds, exclusive: the end of the lease.
    pub not_after_s: u32,
}

/// A handheld's certificate, signed by a `device` key. A journal row counts only with its device's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCertificate {
    fields: DeviceCertificateFields,
    authority: KeyId,
    signature: [u8; SIGNATURE_LENGTH],
}

impl DeviceCertificate {
    pub const LENGTH: usize = 125;
    pub const FORMAT: u8 = 1;

    pub fn issue(fields: DeviceCertificateFields, authority: &SecretKey) -> Result<Self, FormatError> {
        if fields.not_before_s >= fields.not_after_s {
            return Err(FormatError::Validity);
        }
        let mut this =
            DeviceCertificate { fields, authority: authority.public().key_id(), signature: [0; SIGNATURE_LENGTH] };
        this.signature = authority.sign(domain::DEVICE_CERTIFICATE, &this.signed_bytes());
        Ok(this)
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
        let authority = KeyId(reader.array()?);
        let fields = DeviceCertificateFields {
            device: DeviceId(reader.u64()?),
            key: PublicKey::from_bytes(&reader.array()?)?,
            event: EventId(reader.u32()?),
            not_before_s: reader.u32()?,
            not_after_s: reader.u32()?,
        };
        if fields.not_before_s >= fields.not_after_s {
            return Err(FormatError::Validity);
        }
        Ok(DeviceCertificate { fields, authority, signature: reader.array()? })
    }

    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..61].copy_from_slice(&self.signed_bytes());
        bytes[61..].copy_from_slice(&self.signature);
        bytes
    }

    pub fn fields(&self) -> &DeviceCertificateFields {
        &self.fields
    }

    /// The `device` key that signed this.
    pub fn authority(&self) -> KeyId {
        self.authority
    }

    pub fn verify(&self, authority: &PublicKey) -> Result<(), BadSignature> {
        if authority.key_id() != self.authority {
            return Err(BadSignature);
        }
        authority.verify(domain::DEVICE_CERTIFICATE, &self.signed_bytes(), &self.signature)
    }

    fn signed_bytes(&self) -> [u8; 61] {
        let fields = &self.fields;
        let mut bytes = [0; 61];
        bytes[0] = Self::FORMAT;
        bytes[1..9].copy_from_slice(&self.authority.0);
        bytes[9..17].copy_from_slice(&fields.device.0.to_be_bytes());
        bytes[17..49].copy_from_slice(&fields.key.to_bytes());
        bytes[49..53].copy_from_slice(&fields.event.0.to_be_bytes());
        bytes[53..57].copy_from_slice(&fields.not_before_s.to_be_bytes());
        bytes[57..61].copy_from_slice(&fields.not_after_s.to_be_bytes());
        bytes
    }
}
