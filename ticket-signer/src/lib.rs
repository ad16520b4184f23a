//! The bytes of a Turnstone ticket, and who vouches for them.
//!
//! Two layers of signature: the issuer vouches for the ticket (a [`Credential`]), the holder's phone vouches for the moment
//! (a presentation). What a gate needs to check both is public, so a stolen handheld can forge nothing.
//!
//! Invariants of this crate:
//! - Cryptography and bytes only: no clock, no file, no network, no random source, no serde on its own types. `now` and key
//!   material are arguments. (The `ticket-signer` command behind feature `cli` is the only place that does I/O.)
//! - One accepted spelling: what [`code::parse`] and the `from_bytes` constructors accept, they write back byte for byte.
//! - An [`UntrustedCode`] becomes a [`VerifiedCode`] only in [`verify::verify`].
//! - Every signed thing has its own domain string ([`domain`]), so a signature never serves in another place.
//!
//! The layouts with offsets and widths are in `docs/ticket-format.md`; `vectors/` holds frozen accept and reject cases.

mod bytes;
pub mod certificate;
pub mod code;
pub mod credential;
pub mod domain;
pub mod envelope;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
pub mod ids;
pub mod keyfile;
pub mod keys;
pub mod list;
pub mod presentation;
mod reason;
pub mod sealed;
pub mod trust;
pub mod verify;

pub use certificate::{Certificate, DeviceCertificate, EventRange, KeyRevocation, Role};
pub use code::{CodeKind, ParseError, UntrustedCode};
pub use credential::{Credential, CredentialFields, FormatError};
pub use envelope::{EnvelopeError, Purpose};
pub use ids::{Challenge, ClassId, DeviceId, EventId, KeyId, LaneId, Serial, TicketId, TimeStep};
pub use keys::{HolderAlgorithm, HolderKey, HolderSecret, KeyError, PublicKey, SecretKey};
pub use list::{ClassEntry, ListChunk, ListManifest, ListedTicket, TicketStatus};
pub use trust::{AuthorityError, TrustStore};
pub use verify::{Rejection, VerifiedCode, VerifyContext, verify};
