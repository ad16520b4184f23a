//! Staff of an event at its lanes: what each role may do, how a PIN is checked, how long wrong ones make a handheld wait, and
//! how the list of staff comes to a device.
//!
//! A member of staff types a number and a PIN. The number says whose verifier is looked at: one slow hash for a try, and a
//! guess meets one PIN instead of everybody's. A list is sealed to one device's key and signed with the `policy` key; names
//! stay on the server. What the verifiers are worth to a thief is in `docs/security.md`.
//!
//! Invariant: a list is taken only by the device and for the event that it names, and never below the version that is known.

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};
use ticket_signer::sealed::{self, SealedError};
use ticket_signer::{DeviceId, EnvelopeError, EventId, PublicKey, Purpose, SecretKey, TrustStore, envelope};

use crate::wire::{from_cbor, to_cbor};

/// What a member of staff is at a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Lets the rest of a group in.
    Steward,
    /// Decides reviews, overrides refusals, lets guests in without a code, sets the clock; and all that a steward does.
    Supervisor,
}

impl Role {
    pub fn is_supervisor(self) -> bool {
        self == Role::Supervisor
    }
}

/// A PIN as it was typed: six to eight digits. Six, because a verifier that was stolen with its device's key can be tried
/// without end, and each digit makes that ten times dearer; eight, because more is not remembered.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(zeroize::Zeroizing<String>);

/// Why a PIN is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    #[error("a PIN has six to eight digits")]
    Length,
    #[error("a PIN has digits only")]
    Digits,
    #[error("this PIN is among the first that anybody tries: take digits that do not repeat or count")]
    Guessable,
}

impl Pin {
    pub const DIGITS_MIN: usize = 6;
    pub const DIGITS_MAX: usize = 8;

    pub fn parse(text: &str) -> Result<Self, PinError> {
        if !text.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(PinError::Digits);
        }
        if !(Self::DIGITS_MIN..=Self::DIGITS_MAX).contains(&text.len()) {
            return Err(PinError::Length);
        }
        Ok(Pin(zeroize::Zeroizing::new(text.to_owned())))
    }

    /// As [`parse`](Self::parse), for a new PIN: one that is not the first guess.
    pub fn choose(text: &str) -> Result<Self, PinError> {
        let pin = Self::parse(text)?;
        let digits = pin.0.as_bytes();
        let step =
            |by: i16| digits.windows(2).all(|pair| (i16::from(pair[1]) - i16::from(pair[0])).rem_euclid(10) == by);
        let repeats = |of: usize| digits.chunks(of).all(|part| digits.starts_with(part));
        let guessable = step(1) || step(9) || [1, 2, 3].into_iter().any(repeats);
        if guessable { Err(PinError::Guessable) } else { Ok(pin) }
    }
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pin")
    }
}

/// What a PIN is checked with: Argon2id with its salt and cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinVerifier {
    pub salt: ByteArray<16>,
    pub hash: ByteArray<32>,
    pub memory_kib: u32,
    pub passes: u32,
}

/// The cost of one try is beyond what a handheld does in a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("checking this PIN would cost more than a handheld has")]
pub struct TooCostly;

impl PinVerifier {
    /// 32 MiB and 3 passes: 60 ms on a laptop's core, half a second on a Cortex-A53, which a person with a glove does not
    /// notice and a scan does not wait for.
    pub const MEMORY_KIB: u32 = 32 * 1024;
    pub const PASSES: u32 = 3;
    const MEMORY_KIB_MAX: u32 = 64 * 1024;
    const PASSES_MAX: u32 = 6;

    /// A verifier of `pin`. `salt` is from a cryptographic random source. Takes its time and its memory.
    pub fn new(pin: &Pin, salt: [u8; 16]) -> Result<Self, TooCostly> {
        let verifier =
            PinVerifier { salt: salt.into(), hash: [0; 32].into(), memory_kib: Self::MEMORY_KIB, passes: Self::PASSES };
        Ok(PinVerifier { hash: verifier.hash_of(pin)?.into(), ..verifier })
    }

    /// Whether this is the PIN. Takes as long for a wrong one.
    pub fn fits(&self, pin: &Pin) -> Result<bool, TooCostly> {
        let found = self.hash_of(pin)?;
        Ok(std::iter::zip(found, self.hash.into_array()).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0)
    }

    fn hash_of(&self, pin: &Pin) -> Result<[u8; 32], TooCostly> {
        if self.memory_kib > Self::MEMORY_KIB_MAX || self.passes > Self::PASSES_MAX {
            return Err(TooCostly);
        }
        let params = Params::new(self.memory_kib, self.passes, 1, Some(32)).map_err(|_| TooCostly)?;
        let mut hash = [0; 32];
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon.hash_password_into(pin.0.as_bytes(), &*self.salt, &mut hash).map_err(|_| TooCostly)?;
        Ok(hash)
    }
}

/// One member of staff, as a device knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub number: u16,
    pub role: Role,
    pub verifier: PinVerifier,
}

/// Wrong PINs in a row that cost nothing but the time to type them.
pub const FREE_TRIES: u32 = 5;
/// The first wait after them; each wrong PIN more doubles it.
const FIRST_WAIT_MS: i64 = 30_000;
/// The longest wait.
const LONGEST_WAIT_MS: i64 = 3_600_000;

/// How long a handheld takes no PIN, after so many wrong ones in a row.
pub fn wait_ms(failures: u32) -> i64 {
    match failures.checked_sub(FREE_TRIES) {
        None => 0,
        Some(more) => FIRST_WAIT_MS.checked_shl(more.min(16)).unwrap_or(LONGEST_WAIT_MS).min(LONGEST_WAIT_MS),
    }
}

/// Why a list of staff was not taken or not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StaffError {
    #[error("it is not to be believed: {0}")]
    Envelope(#[from] EnvelopeError),
    #[error("it is not written as this version expects")]
    Encoding,
    #[error("it is for another device or event")]
    OtherDevice,
    #[error("it has version {found}, and version {known} is here already")]
    Older { known: u64, found: u64 },
    #[error("{0}")]
    Sealed(#[from] SealedError),
}

/// What is signed.
#[derive(Serialize, Deserialize)]
struct Letter {
    event: u32,
    device: u64,
    version: u64,
    sealed: ByteBuf,
}

/// An event's staff for one device, its signature checked and still sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedStaff {
    event: EventId,
    device: DeviceId,
    version: u64,
    sealed: Vec<u8>,
}

impl SealedStaff {
    /// The most members of staff of an event.
    pub const MAX_MEMBERS: usize = 500;

    /// Seals `members` to the device's key and signs them with the `policy` key. `ephemeral`: as for [`sealed::seal`].
    pub fn seal(
        members: &[Member],
        (event, device, version): (EventId, DeviceId, u64),
        device_key: &PublicKey,
        ephemeral: &[u8; 32],
        key: &SecretKey,
    ) -> Result<Vec<u8>, StaffError> {
        let content = to_cbor(&members).map_err(|_| StaffError::Encoding)?;
        let sealed = sealed::seal(&content, device_key, &context(event, device, version), ephemeral)?;
        let letter = Letter { event: event.0, device: device.0, version, sealed: ByteBuf::from(sealed) };
        let payload = to_cbor(&letter).map_err(|_| StaffError::Encoding)?;
        Ok(envelope::seal(Purpose::Staff, &payload, key))
    }

    /// Checks signature, role, event, time, device and version. `known`: the version that is here already, 0 for none.
    pub fn open(
        bytes: &[u8],
        trust: &TrustStore,
        (event, device, known): (EventId, DeviceId, u64),
        now_s: i64,
    ) -> Result<Self, StaffError> {
        let this = Self::read(envelope::open(Purpose::Staff, bytes, trust, event, now_s)?, event, device)?;
        if this.version < known {
            return Err(StaffError::Older { known, found: this.version });
        }
        Ok(this)
    }

    /// As [`open`](Self::open), for the list that a device took before and kept: it holds until a newer one comes.
    pub fn open_kept(bytes: &[u8], trust: &TrustStore, event: EventId, device: DeviceId) -> Result<Self, StaffError> {
        Self::read(envelope::open_kept(Purpose::Staff, bytes, trust, event)?, event, device)
    }

    fn read(payload: &[u8], event: EventId, device: DeviceId) -> Result<Self, StaffError> {
        let letter: Letter = from_cbor(payload).map_err(|_| StaffError::Encoding)?;
        if (letter.event, letter.device) != (event.0, device.0) {
            return Err(StaffError::OtherDevice);
        }
        Ok(SealedStaff { event, device, version: letter.version, sealed: letter.sealed.into_vec() })
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    /// The members, for whoever has the device's key.
    pub fn unseal(&self, key: &SecretKey) -> Result<Vec<Member>, StaffError> {
        let content = sealed::open(&self.sealed, key, &context(self.event, self.device, self.version))?;
        let mut members: Vec<Member> = from_cbor(&content).map_err(|_| StaffError::Encoding)?;
        if members.len() > Self::MAX_MEMBERS {
            return Err(StaffError::Encoding);
        }
        members.sort_by_key(|member| member.number);
        members.dedup_by_key(|member| member.number);
        Ok(members)
    }
}

/// A box opens only as what it was sealed as.
fn context(event: EventId, device: DeviceId, version: u64) -> Vec<u8> {
    let domain = ticket_signer::domain::STAFF;
    [domain, &event.0.to_be_bytes(), &device.0.to_be_bytes(), &version.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use ticket_signer::certificate::{CertificateFields, EventRange};
    use ticket_signer::{AuthorityError, Certificate};

    use super::*;
    use crate::fixture::EVENT;

    const DEVICE: DeviceId = DeviceId(4);

    fn secret(seed: u8) -> SecretKey {
        SecretKey::from_bytes(&[seed; 32])
    }

    fn trust() -> TrustStore {
        let root = secret(1);
        let mut trust = TrustStore::new(root.public(), "Organiser");
        for (role, key) in [(ticket_signer::Role::Policy, 13), (ticket_signer::Role::Time, 14)] {
            let fields = CertificateFields {
                role,
                key: secret(key).public(),
                organiser: "Organiser".to_owned(),
                events: vec![EventRange { first: EVENT, last: EVENT }],
                not_before_s: 0,
                not_after_s: 1_000,
            };
            trust.add_certificate(&Certificate::issue(fields, &root).unwrap().to_bytes()).unwrap();
        }
        trust
    }

    fn member(number: u16, role: Role) -> Member {
        let verifier = PinVerifier { salt: [number as u8; 16].into(), hash: [9; 32].into(), memory_kib: 8, passes: 1 };
        Member { number, role, verifier }
    }

    fn letter(device: DeviceId, version: u64, signer: u8) -> Vec<u8> {
        let staff = [member(7, Role::Supervisor), member(3, Role::Steward)];
        SealedStaff::seal(&staff, (EVENT, device, version), &secret(20).public(), &[5; 32], &secret(signer)).unwrap()
    }

    fn take(bytes: &[u8], known: u64) -> Result<SealedStaff, StaffError> {
        SealedStaff::open(bytes, &trust(), (EVENT, DEVICE, known), 500)
    }

    #[test]
    fn staff_come_to_their_device_and_to_no_other() {
        let bytes = letter(DEVICE, 6, 13);
        let taken = take(&bytes, 6).unwrap();
        let numbers: Vec<u16> = taken.unseal(&secret(20)).unwrap().iter().map(|member| member.number).collect();
        assert_eq!((taken.version(), numbers), (6, vec![3, 7]));
        assert_eq!(taken.unseal(&secret(21)), Err(StaffError::Sealed(SealedError::NotForThisKey)));
        assert_eq!(take(&letter(DeviceId(5), 6, 13), 0), Err(StaffError::OtherDevice), "another device's letter");
        assert_eq!(take(&bytes, 7), Err(StaffError::Older { known: 7, found: 6 }));
        let unsigned = EnvelopeError::Authority(AuthorityError::UnknownKey(secret(15).public().key_id()));
        assert_eq!(take(&letter(DEVICE, 6, 15), 0), Err(StaffError::Envelope(unsigned)));
        let wrong_role = take(&letter(DEVICE, 6, 14), 0).unwrap_err();
        assert!(matches!(wrong_role, StaffError::Envelope(EnvelopeError::Authority(AuthorityError::WrongRole { .. }))));
        let late = SealedStaff::open(&bytes, &trust(), (EVENT, DEVICE, 0), 2_000);
        assert!(late.is_err() && SealedStaff::open_kept(&bytes, &trust(), EVENT, DEVICE).is_ok());
    }

    /// A policy key signs policies and grants as well: neither is a list of staff, nor the other way round.
    #[test]
    fn another_signature_of_the_same_key_is_no_list_of_staff() {
        let as_policy = envelope::seal(Purpose::Policy, b"x", &secret(13));
        assert_eq!(take(&as_policy, 0), Err(StaffError::Envelope(EnvelopeError::Signature)));
        for at in 0..letter(DEVICE, 6, 13).len() {
            let mut changed = letter(DEVICE, 6, 13);
            changed[at] ^= 1;
            assert!(take(&changed, 0).is_err(), "byte {at}");
        }
    }

    /// Whoever can sign cannot pass one box off as another's or as a newer one.
    #[test]
    fn a_box_opens_as_what_it_was_sealed_as() {
        let taken = take(&letter(DEVICE, 6, 13), 0).unwrap();
        for other in [
            SealedStaff { version: 7, ..taken.clone() },
            SealedStaff { device: DeviceId(5), ..taken.clone() },
            SealedStaff { event: EventId(8), ..taken.clone() },
        ] {
            assert_eq!(other.unseal(&secret(20)), Err(StaffError::Sealed(SealedError::NotForThisKey)));
        }
    }

    #[test]
    fn pins_have_six_to_eight_digits_and_are_not_the_first_guess() {
        let table = [
            ("482915", None),
            ("48291537", None),
            ("48291", Some(PinError::Length)),
            ("482915370", Some(PinError::Length)),
            ("48291a", Some(PinError::Digits)),
            ("\u{0664}82915", Some(PinError::Digits)),
            ("", Some(PinError::Length)),
            ("000000", Some(PinError::Guessable)),
            ("123456", Some(PinError::Guessable)),
            ("34567890", Some(PinError::Guessable)),
            ("987654", Some(PinError::Guessable)),
            ("121212", Some(PinError::Guessable)),
            ("1231231", Some(PinError::Guessable)),
            ("123457", None),
        ];
        for (text, error) in table {
            assert_eq!(Pin::choose(text).err(), error, "{text:?}");
        }
        assert!(Pin::parse("000000").is_ok(), "what is typed is only compared");
        assert_eq!(format!("{:?}", Pin::parse("482915").unwrap()), "Pin");
    }

    #[test]
    fn a_verifier_knows_its_pin() {
        let (right, wrong) = (Pin::choose("482915").unwrap(), Pin::choose("482916").unwrap());
        let verifier = PinVerifier::new(&right, [3; 16]).unwrap();
        assert_eq!((verifier.fits(&right), verifier.fits(&wrong)), (Ok(true), Ok(false)));
        let salted = PinVerifier::new(&right, [4; 16]).unwrap();
        assert_ne!(salted.hash, verifier.hash, "equal PINs do not look equal");
        for costly in [PinVerifier { memory_kib: 1 << 20, ..verifier.clone() }, PinVerifier { passes: 99, ..verifier }]
        {
            assert_eq!(costly.fits(&right), Err(TooCostly), "it would stop the handheld");
        }
    }

    #[test]
    fn five_tries_are_free_and_then_waits_double_up_to_an_hour() {
        let waits: Vec<i64> = (0..14).map(|failures| wait_ms(failures) / 1000).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
        assert_eq!(wait_ms(u32::MAX), LONGEST_WAIT_MS);
    }
}
