//! Public keys and the signatures made with them: Ed25519 for authorities, devices and phones, P-256 for some phones.
//!
//! Checked as docs/ticket-format.md says: Ed25519 strictly and in one encoding, P-256 with a low `s`. Nothing here signs.

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::bytes::hex;
use crate::fault::Fault;
use crate::ids::KeyId;

/// Bytes of every signature.
pub const SIGNATURE: usize = 64;

/// Half of P-256's group order, rounded down: the highest `s` that is accepted.
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xde, 0x73, 0x7d,
    0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8,
];

/// An Ed25519 public key that is a point, not of small order, and in its one encoding.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Fault> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| Fault::NotAKey)?;
        if key.is_weak() {
            return Err(Fault::SmallOrderKey);
        }
        if below_p(bytes) { Ok(PublicKey(key)) } else { Err(Fault::NotCanonical) }
    }

    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    pub fn id(&self) -> KeyId {
        let digest: [u8; 32] = hash(b"turnstone.key-id.v1\0", self.0.as_bytes());
        let mut id = [0; 8];
        id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        KeyId(id)
    }

    pub fn fingerprint(&self) -> [u8; 32] {
        hash(b"turnstone.fingerprint.v1\0", self.0.as_bytes())
    }

    /// The fingerprint as people compare it: 16 characters of Crockford's base32 in four groups.
    pub fn spoken_fingerprint(&self) -> String {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let mut text = String::with_capacity(19);
        let (mut waiting, mut bits, mut written) = (0u32, 0u32, 0u32);
        for byte in self.fingerprint().into_iter().take(10) {
            waiting = (waiting << 8) | u32::from(byte);
            bits += 8;
            while bits >= 5 {
                bits -= 5;
                if written > 0 && written.is_multiple_of(4) {
                    text.push('-');
                }
                let at = (waiting >> bits) & 31;
                text.push(char::from(ALPHABET.get(at as usize).copied().unwrap_or(b'?')));
                written += 1;
            }
            waiting &= (1 << bits) - 1;
        }
        text
    }

    pub fn verify(&self, domain: &[u8], message: &[u8], signature: &[u8; SIGNATURE]) -> Result<(), Fault> {
        let signed = [domain, message].concat();
        self.0.verify_strict(&signed, &Signature::from_bytes(signature)).map_err(|_| Fault::BadSignature)
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({})", hex(self.0.as_bytes()))
    }
}

/// Whether the point's y, which the bytes are in little-endian order without the top bit, is below p = 2^255 - 19.
fn below_p(bytes: &[u8; 32]) -> bool {
    let [first, middle @ .., last] = bytes;
    *first < 0xed || last & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff)
}

fn hash(domain: &[u8], bytes: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(domain).chain_update(bytes).finalize().into()
}

/// What kind of key a holder's phone has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// No key: a printed ticket.
    None,
    Ed25519,
    P256,
}

impl Algorithm {
    pub fn from_byte(byte: u8) -> Result<Self, Fault> {
        match byte {
            0 => Ok(Algorithm::None),
            1 => Ok(Algorithm::Ed25519),
            2 => Ok(Algorithm::P256),
            _ => Err(Fault::UnknownAlgorithm),
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Algorithm::None, Algorithm::Ed25519, Algorithm::P256].into_iter().find(|algorithm| algorithm.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Algorithm::None => "none",
            Algorithm::Ed25519 => "ed25519",
            Algorithm::P256 => "p256",
        }
    }
}

/// The key of a holder's phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HolderKey {
    Ed25519(PublicKey),
    P256(p256::ecdsa::VerifyingKey),
}

impl HolderKey {
    /// From 32 bytes (Ed25519) or the 33 of a compressed point (P-256).
    pub fn from_public(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, Fault> {
        match (algorithm, bytes) {
            (Algorithm::Ed25519, bytes) => {
                let bytes = <&[u8; 32]>::try_from(bytes).map_err(|_| Fault::NotAKey)?;
                PublicKey::from_bytes(bytes).map(HolderKey::Ed25519)
            }
            (Algorithm::P256, [2 | 3, x @ ..]) if x.len() == 32 => {
                p256::ecdsa::VerifyingKey::from_sec1_bytes(bytes).map(HolderKey::P256).map_err(|_| Fault::NotAKey)
            }
            _ => Err(Fault::NotAKey),
        }
    }

    /// From the 33 bytes of a credential's slot.
    pub fn from_slot(algorithm: Algorithm, slot: &[u8; 33]) -> Result<Option<Self>, Fault> {
        let [first, rest @ ..] = slot;
        match algorithm {
            Algorithm::None if slot.iter().all(|byte| *byte == 0) => Ok(None),
            Algorithm::Ed25519 if *first == 0 => Self::from_public(algorithm, rest).map(Some),
            Algorithm::P256 => Self::from_public(algorithm, slot).map(Some),
            Algorithm::None | Algorithm::Ed25519 => Err(Fault::NotCanonical),
        }
    }

    pub fn algorithm(&self) -> Algorithm {
        match self {
            HolderKey::Ed25519(_) => Algorithm::Ed25519,
            HolderKey::P256(_) => Algorithm::P256,
        }
    }

    /// 32 or 33 bytes.
    pub fn to_public(&self) -> Vec<u8> {
        match self {
            HolderKey::Ed25519(key) => key.to_bytes().to_vec(),
            HolderKey::P256(key) => key.to_sec1_point(true).as_bytes().to_vec(),
        }
    }

    pub fn verify(&self, domain: &[u8], message: &[u8], signature: &[u8; SIGNATURE]) -> Result<(), Fault> {
        match self {
            HolderKey::Ed25519(key) => key.verify(domain, message, signature),
            HolderKey::P256(key) => {
                use p256::ecdsa::signature::Verifier as _;
                let (_, s) = signature.split_at(32);
                if s > HALF_ORDER.as_slice() {
                    return Err(Fault::BadSignature);
                }
                let signature = p256::ecdsa::Signature::from_slice(signature).map_err(|_| Fault::BadSignature)?;
                key.verify(&[domain, message].concat(), &signature).map_err(|_| Fault::BadSignature)
            }
        }
    }
}
