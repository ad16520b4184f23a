//! Signed messages that are no tickets: policies, receipts and grants, each under its own domain string.

use crate::bytes::Cursor;
use crate::certificate::Role;
use crate::fault::Fault;
use crate::ids::{EventId, KeyId};
use crate::keys::SIGNATURE;
use crate::trust::Trust;

const FORMAT: u8 = 1;

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Policy,
    Receipt,
    /// An owner's word that one row may admit a ticket. A `policy` key signs it.
    Grant,
}

impl Purpose {
    fn role(self) -> Role {
        match self {
            Purpose::Policy | Purpose::Grant => Role::Policy,
            Purpose::Receipt => Role::Receipt,
        }
    }

    fn domain(self) -> &'static [u8] {
        match self {
            Purpose::Policy => b"turnstone.policy.v1\0",
            Purpose::Receipt => b"turnstone.receipt.v1\0",
            Purpose::Grant => b"turnstone.grant.v1\0",
        }
    }
}

/// An envelope that was taken apart; its signature is not checked yet.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    purpose: Purpose,
    pub signer: KeyId,
    signature: [u8; SIGNATURE],
    /// Not to be believed before [`Envelope::verify`].
    pub payload: &'a [u8],
}

impl<'a> Envelope<'a> {
    pub fn read(purpose: Purpose, bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut cursor = Cursor::new(bytes);
        let read =
            |cursor: &mut Cursor<'a>| Ok::<_, Fault>((cursor.u8()?, cursor.u8()?, cursor.array()?, cursor.array()?));
        match read(&mut cursor) {
            Ok((FORMAT, role, signer, signature)) if role == purpose.role().to_byte() => {
                Ok(Envelope { purpose, signer: KeyId(signer), signature, payload: cursor.rest() })
            }
            _ => Err(Fault::NotThisEnvelope),
        }
    }

    /// Whether a key signed this that might do so for `event`, at `at_s` where it is given.
    pub fn verify(&self, trust: &Trust, event: EventId, at_s: Option<i64>) -> Result<(), Fault> {
        let authority = trust.authority(self.signer, self.purpose.role(), event, at_s)?;
        authority.verify(self.purpose.domain(), self.payload, &self.signature)
    }
}
