//! What the root and the `device` keys sign about other keys: certificates, device certificates, key revocations.
//!
//! Reading checks the spelling alone; whose signature it must be is [`crate::trust`]'s to know.

use crate::bytes::Cursor;
use crate::fault::Fault;
use crate::ids::{DeviceId, EventId, KeyId};
use crate::keys::{PublicKey, SIGNATURE};

const FORMAT: u8 = 1;
const CERTIFICATE: &[u8] = b"turnstone.certificate.v1\0";
const DEVICE_CERTIFICATE: &[u8] = b"turnstone.device-certificate.v1\0";
const KEY_REVOCATION: &[u8] = b"turnstone.key-revocation.v1\0";
/// Of the longest certificate.
const LONGEST: usize = 308;

/// What an authority's key may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    Issue,
    List,
    Policy,
    Time,
    Receipt,
    Device,
}

impl Role {
    const ALL: [Role; 6] = [Role::Issue, Role::List, Role::Policy, Role::Time, Role::Receipt, Role::Device];

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

/// A certificate of an authority's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    pub role: Role,
    pub root: KeyId,
    pub key: PublicKey,
    /// Unix seconds, inclusive.
    pub not_before_s: u32,
    /// Unix seconds, exclusive.
    pub not_after_s: u32,
    pub organiser: String,
    /// First and last event, both inclusive.
    pub events: Vec<(EventId, EventId)>,
    signed: Signed,
}

/// The bytes that a signature covers, without their domain string, and the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Signed {
    bytes: Vec<u8>,
    signature: [u8; SIGNATURE],
}

impl Signed {
    fn verify(&self, key: &PublicKey, domain: &[u8]) -> Result<(), Fault> {
        key.verify(domain, &self.bytes, &self.signature)
    }
}

fn format(cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    if cursor.u8()? == FORMAT { Ok(()) } else { Err(Fault::UnknownFormat) }
}

/// Splits the signature off the end.
fn split(bytes: &[u8]) -> Result<Signed, Fault> {
    let (signed, signature) = bytes.split_last_chunk::<SIGNATURE>().ok_or(Fault::WrongLength)?;
    Ok(Signed { bytes: signed.to_vec(), signature: *signature })
}

impl Certificate {
    pub fn read(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.len() > LONGEST {
            return Err(Fault::WrongLength);
        }
        let mut cursor = Cursor::new(bytes);
        format(&mut cursor)?;
        let role = cursor.u8()?;
        let role = Role::ALL.into_iter().find(|known| known.to_byte() == role).ok_or(Fault::UnknownRole)?;
        let root = KeyId(cursor.array()?);
        let key = PublicKey::from_bytes(&cursor.array()?)?;
        let (not_before_s, not_after_s) = (cursor.u32()?, cursor.u32()?);
        let length = cursor.u8()?;
        let organiser = cursor.slice(usize::from(length))?;
        let count = cursor.u8()?;
        let mut events = Vec::new();
        for _ in 0..count {
            events.push((cursor.u32()?, cursor.u32()?));
        }
        let _signature: [u8; SIGNATURE] = cursor.array()?;
        cursor.end()?;
        if not_before_s >= not_after_s {
            return Err(Fault::ValidityInverted);
        }
        let organiser = std::str::from_utf8(organiser).map_err(|_| Fault::OrganiserInvalid)?.to_owned();
        if !(1..=64).contains(&length) || organiser.chars().any(char::is_control) {
            return Err(Fault::OrganiserInvalid);
        }
        if !(1..=16).contains(&count) || !ascending_and_apart(&events) {
            return Err(Fault::EventRangesInvalid);
        }
        Ok(Certificate { role, root, key, not_before_s, not_after_s, organiser, events, signed: split(bytes)? })
    }

    /// Whether `root` signed this.
    pub fn verify(&self, root: &PublicKey) -> Result<(), Fault> {
        if root.id() != self.root {
            return Err(Fault::NotFromRoot);
        }
        self.signed.verify(root, CERTIFICATE).map_err(|_| Fault::NotFromRoot)
    }

    pub fn names(&self, event: EventId) -> bool {
        self.events.iter().any(|(first, last)| (first..=last).contains(&&event))
    }
}

fn ascending_and_apart(events: &[(EventId, EventId)]) -> bool {
    // The end of the range before; one that touches it would be a second spelling of one range.
    let mut before: Option<EventId> = None;
    events.iter().all(|(first, last)| {
        let apart = before.is_none_or(|end| first.checked_sub(end).is_some_and(|gap| gap > 1));
        before = Some(*last);
        apart && first <= last
    })
}

/// That a handheld takes part in an event, until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCertificate {
    pub authority: KeyId,
    pub device: DeviceId,
    pub key: PublicKey,
    pub event: EventId,
    /// Unix seconds, inclusive.
    pub not_before_s: u32,
    /// Unix seconds, exclusive: the lease's end.
    pub not_after_s: u32,
    signed: Signed,
}

impl DeviceCertificate {
    const LENGTH: usize = 125;

    pub fn read(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.len() != Self::LENGTH {
            return Err(Fault::WrongLength);
        }
        let mut cursor = Cursor::new(bytes);
        format(&mut cursor)?;
        let read = DeviceCertificate {
            authority: KeyId(cursor.array()?),
            device: DeviceId(cursor.u64()?),
            key: PublicKey::from_bytes(&cursor.array()?)?,
            event: cursor.u32()?,
            not_before_s: cursor.u32()?,
            not_after_s: cursor.u32()?,
            signed: split(bytes)?,
        };
        if read.not_before_s < read.not_after_s { Ok(read) } else { Err(Fault::ValidityInverted) }
    }

    pub fn verify(&self, authority: &PublicKey) -> Result<(), Fault> {
        self.signed.verify(authority, DEVICE_CERTIFICATE)
    }
}

/// That a key is not believed any more, for good and for all times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRevocation {
    pub root: KeyId,
    pub key: KeyId,
    /// Unix seconds; for people, it limits nothing.
    pub revoked_at_s: u32,
    signed: Signed,
}

impl KeyRevocation {
    const LENGTH: usize = 85;

    pub fn read(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.len() != Self::LENGTH {
            return Err(Fault::WrongLength);
        }
        let mut cursor = Cursor::new(bytes);
        format(&mut cursor)?;
        Ok(KeyRevocation {
            root: KeyId(cursor.array()?),
            key: KeyId(cursor.array()?),
            revoked_at_s: cursor.u32()?,
            signed: split(bytes)?,
        })
    }

    pub fn verify(&self, root: &PublicKey) -> Result<(), Fault> {
        if root.id() != self.root {
            return Err(Fault::NotFromRoot);
        }
        self.signed.verify(root, KEY_REVOCATION).map_err(|_| Fault::NotFromRoot)
    }
}
