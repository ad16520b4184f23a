//! The domain strings: every signed or hashed thing begins with its own, ended by a zero byte.
//!
//! A signature over one kind of thing can therefore never be passed off as a signature over another.

/// A ticket's credential, signed by an `issue` key.
pub const CREDENTIAL: &[u8] = b"turnstone.credential.v1\0";
/// A moment, signed by the holder's key.
pub const PRESENTATION: &[u8] = b"turnstone.presentation.v1\0";
/// Proof that the one who binds a ticket has the key, signed by the holder's key.
pub const BINDING: &[u8] = b"turnstone.binding.v1\0";
/// A certificate of an authority key, signed by the root.
pub const CERTIFICATE: &[u8] = b"turnstone.certificate.v1\0";
/// The end of an authority key, signed by the root.
pub const KEY_REVOCATION: &[u8] = b"turnstone.key-revocation.v1\0";
/// A handheld's certificate, signed by a `device` key.
pub const DEVICE_CERTIFICATE: &[u8] = b"turnstone.device-certificate.v1\0";
/// A list's manifest, signed by a `list` key.
pub const LIST: &[u8] = b"turnstone.list.v1\0";
/// A policy, signed by a `policy` key.
pub const POLICY: &[u8] = b"turnstone.policy.v1\0";
/// The server's time, signed by a `time` key.
pub const TIME: &[u8] = b"turnstone.time.v1\0";
/// A receipt for journal rows, signed by a `receipt` key.
pub const RECEIPT: &[u8] = b"turnstone.receipt.v1\0";
/// An owner's grant of one admission, signed by a `policy` key.
pub const GRANT: &[u8] = b"turnstone.grant.v1\0";
/// The order that one device forgets its lists and place, signed by a `device` key.
pub const WIPE: &[u8] = b"turnstone.wipe.v1\0";
/// An event's staff for one device, signed by a `policy` key.
pub const STAFF: &[u8] = b"turnstone.staff.v1\0";
/// The key of a sealed box (a derivation).
pub const SEALED_BOX: &[u8] = b"turnstone.sealed-box.v1\0";
/// A journal row, signed by the device that wrote it.
pub const ROW: &[u8] = b"turnstone.row.v1\0";
/// The link from one journal row to the next (a hash).
pub const ROW_CHAIN: &[u8] = b"turnstone.row-chain.v1\0";
/// A request of a handheld to its server, signed by the device.
pub const REQUEST: &[u8] = b"turnstone.request.v1\0";
/// Proof that the handheld that enrols has its key, signed by the device.
pub const ENROLMENT: &[u8] = b"turnstone.enrolment.v1\0";
/// A key's id (a hash).
pub const KEY_ID: &[u8] = b"turnstone.key-id.v1\0";
/// A key's fingerprint (a hash).
pub const FINGERPRINT: &[u8] = b"turnstone.fingerprint.v1\0";
