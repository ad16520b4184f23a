//! Keys: Ed25519 for everyone who vouches for others, Ed25519 or P-256 for a guest's phone.
//!
//! Signatures are checked strictly (`verify_strict`, low-S only), and a key that would let anybody sign is never accepted.

use ed25519_dalek::Signer as _;
use sha2::{Digest as _, Sha256};

use crate::domain;
use crate::ids::KeyId;

/// Length of every signature here, Ed25519 or P-256 (r || s).
pub const SIGNATURE_LENGTH: usize = 64;
/// Length of the slot that holds a holder's public key in a credential.
pub const SLOT_LENGTH: usize = 33;

/// Why a key was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("these bytes are no public key of the stated algorithm")]
    NotAKey,
    #[error("this key is of small order: anybody could sign for it")]
    SmallOrder,
    #[error("the key slot is not written the one accepted way")]
    NotCanonical,
    #[error("unknown holder algorithm {0}: 0 is none, 1 Ed25519, 2 P-256")]
    UnknownAlgorithm(u8),
    #[error("these bytes are no private key of the stated algorithm")]
    NotASecret,
}

/// The signature does not fit the key and the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not fit")]
pub struct BadSignature;

/// An Ed25519 public key of a root, an authority or a device. Small-order keys cannot be made into one.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

impl PublicKey {
    pub const LENGTH: usize = 32;

    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotAKey)?;
        if key.is_weak() {
            return Err(KeyError::SmallOrder);
        }
        // A point has other encodings (y above the field's prime); one is accepted.
        if key.to_edwards().compress().as_bytes() != bytes {
            return Err(KeyError::NotCanonical);
        }
        Ok(PublicKey(key))
    }

    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    pub fn key_id(&self) -> KeyId {
        let hash = Sha256::new().chain_update(domain::KEY_ID).chain_update(self.0.as_bytes()).finalize();
        let mut id = [0; 8];
        id.copy_from_slice(&hash[..8]);
        KeyId(id)
    }

    /// SHA-256 of the key under its own domain string: what an enrolment code pins.
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::new().chain_update(domain::FINGERPRINT).chain_update(self.0.as_bytes()).finalize().into()
    }

    /// The fingerprint's first 80 bits for people to compare: `XXXX-XXXX-XXXX-XXXX` in Crockford's base32
    /// (no I, L, O or U, which are misread).
    pub fn spoken_fingerprint(&self) -> String {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let mut bits = [0u8; 16];
        bits[6..].copy_from_slice(&self.fingerprint()[..10]);
        let value = u128::from_be_bytes(bits);
        let mut text = String::with_capacity(19);
        for at in 0..16 {
            if at > 0 && at % 4 == 0 {
                text.push('-');
            }
            text.push(char::from(ALPHABET[(value >> (75 - 5 * at)) as usize & 31]));
        }
        text
    }

    /// The same key on the Montgomery curve: where a sealed box is addressed to.
    pub(crate) fn montgomery(&self) -> curve25519_dalek::MontgomeryPoint {
        self.0.to_montgomery()
    }

    pub fn verify(&self, domain: &[u8], message: &[u8], signature: &[u8; 64]) -> Result<(), BadSignature> {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.0.verify_strict(&joined(domain, message), &signature).map_err(|_| BadSignature)
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({})", self.key_id())
    }
}

/// An Ed25519 private key of a root, an authority or a device; wiped from memory when dropped, never printed.
pub struct SecretKey(ed25519_dalek::SigningKey);

impl SecretKey {
    /// Any 32 bytes are a key; whoever calls takes them from a cryptographic random source.
    pub fn from_bytes(seed: &[u8; 32]) -> Self {
        SecretKey(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The seed, for the one who stores it (a file with mode 0600).
    pub fn to_bytes(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.0.to_bytes())
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub fn sign(&self, domain: &[u8], message: &[u8]) -> [u8; 64] {
        self.0.sign(&joined(domain, message)).to_bytes()
    }

    /// The X25519 secret that goes with [`PublicKey::montgomery`].
    pub(crate) fn agreement_secret(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.0.to_scalar_bytes())
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey(of {})", self.public().key_id())
    }
}

/// What kind of key the holder's phone has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HolderAlgorithm {
    /// None: a printed ticket.
    None,
    Ed25519,
    P256,
}

impl HolderAlgorithm {
    pub fn to_byte(self) -> u8 {
        match self {
            HolderAlgorithm::None => 0,
            HolderAlgorithm::Ed25519 => 1,
            HolderAlgorithm::P256 => 2,
        }
    }

    pub fn from_byte(byte: u8) -> Result<Self, KeyError> {
        match byte {
            0 => Ok(HolderAlgorithm::None),
            1 => Ok(HolderAlgorithm::Ed25519),
            2 => Ok(HolderAlgorithm::P256),
            other => Err(KeyError::UnknownAlgorithm(other)),
        }
    }

    /// The name used in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            HolderAlgorithm::None => "none",
            HolderAlgorithm::Ed25519 => "ed25519",
            HolderAlgorithm::P256 => "p256",
        }
    }
}

/// The public key of a guest's phone, checked when it was made: a valid point, not of small order.
#[derive(Clone, PartialEq, Eq)]
pub enum HolderKey {
    Ed25519(PublicKey),
    P256(p256::ecdsa::VerifyingKey),
}

impl HolderKey {
    pub fn algorithm(&self) -> HolderAlgorithm {
        match self {
            HolderKey::Ed25519(_) => HolderAlgorithm::Ed25519,
            HolderKey::P256(_) => HolderAlgorithm::P256,
        }
    }

    /// From the bytes a phone sends: 32 for Ed25519, 33 (compressed point) for P-256.
    pub fn from_public_bytes(algorithm: HolderAlgorithm, bytes: &[u8]) -> Result<Self, KeyError> {
        match algorithm {
            HolderAlgorithm::None => Err(KeyError::NotAKey),
            HolderAlgorithm::Ed25519 => {
                let bytes = <&[u8; 32]>::try_from(bytes).map_err(|_| KeyError::NotAKey)?;
                PublicKey::from_bytes(bytes).map(HolderKey::Ed25519)
            }
            HolderAlgorithm::P256 => {
                if bytes.len() != SLOT_LENGTH || !matches!(bytes[0], 2 | 3) {
                    return Err(KeyError::NotAKey);
                }
                p256::ecdsa::VerifyingKey::from_sec1_bytes(bytes).map(HolderKey::P256).map_err(|_| KeyError::NotAKey)
            }
        }
    }

    /// Reads a credential's key slot; algorithm `None` has a slot of zeros and no key.
    pub fn from_slot(algorithm: HolderAlgorithm, slot: &[u8; SLOT_LENGTH]) -> Result<Option<Self>, KeyError> {
        match algorithm {
            HolderAlgorithm::None if slot.iter().all(|b| *b == 0) => Ok(None),
            HolderAlgorithm::None => Err(KeyError::NotCanonical),
            HolderAlgorithm::Ed25519 if slot[0] != 0 => Err(KeyError::NotCanonical),
            HolderAlgorithm::Ed25519 => Self::from_public_bytes(algorithm, &slot[1..]).map(Some),
            HolderAlgorithm::P256 => Self::from_public_bytes(algorithm, slot).map(Some),
        }
    }

    /// The key as a credential holds it: `00` and 32 bytes, or a compressed point of 33.
    pub fn to_slot(&self) -> [u8; SLOT_LENGTH] {
        let mut slot = [0; SLOT_LENGTH];
        match self {
            HolderKey::Ed25519(key) => slot[1..].copy_from_slice(&key.to_bytes()),
            HolderKey::P256(key) => slot.copy_from_slice(key.to_sec1_point(true).as_bytes()),
        }
        slot
    }

    pub fn verify(&self, domain: &[u8], message: &[u8], signature: &[u8; 64]) -> Result<(), BadSignature> {
        match self {
            HolderKey::Ed25519(key) => key.verify(domain, message, signature),
            HolderKey::P256(key) => {
                use p256::ecdsa::signature::Verifier as _;
                let signature = p256::ecdsa::Signature::from_slice(signature).map_err(|_| BadSignature)?;
                if signature.normalize_s() != signature {
                    return Err(BadSignature);
                }
                key.verify(&joined(domain, message), &signature).map_err(|_| BadSignature)
            }
        }
    }
}

impl std::fmt::Debug for HolderKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HolderKey({})", self.algorithm().name())
    }
}

/// The private key of a guest's phone. Phones keep theirs in WebCrypto; this one serves tests, demos and the command line.
pub enum HolderSecret {
    Ed25519(SecretKey),
    P256(p256::ecdsa::SigningKey),
}

impl HolderSecret {
    /// A private key from 32 random bytes. For P-256 a vanishing few are no key; ask again with others.
    pub fn from_bytes(algorithm: HolderAlgorithm, seed: &[u8; 32]) -> Result<Self, KeyError> {
        match algorithm {
            HolderAlgorithm::None => Err(KeyError::NotASecret),
            HolderAlgorithm::Ed25519 => Ok(HolderSecret::Ed25519(SecretKey::from_bytes(seed))),
            HolderAlgorithm::P256 => {
                p256::ecdsa::SigningKey::from_slice(seed).map(HolderSecret::P256).map_err(|_| KeyError::NotASecret)
            }
        }
    }

    pub fn to_bytes(&self) -> zeroize::Zeroizing<[u8; 32]> {
        match self {
            HolderSecret::Ed25519(key) => key.to_bytes(),
            HolderSecret::P256(key) => zeroize::Zeroizing::new(key.to_bytes().into()),
        }
    }

    pub fn public(&self) -> HolderKey {
        match self {
            HolderSecret::Ed25519(key) => HolderKey::Ed25519(key.public()),
            HolderSecret::P256(key) => HolderKey::P256(*key.verifying_key()),
        }
    }

    /// Deterministic for both algorithms (RFC 8032, RFC 6979); P-256 signatures come out low-S.
    pub fn sign(&self, domain: &[u8], message: &[u8]) -> [u8; 64] {
        match self {
            HolderSecret::Ed25519(key) => key.sign(domain, message),
            HolderSecret::P256(key) => {
                use p256::ecdsa::signature::Signer as _;
                let signature: p256::ecdsa::Signature = key.sign(&joined(domain, message));
                signature.normalize_s().to_bytes().into()
            }
        }
    }
}

impl std::fmt::Debug for HolderSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HolderSecret({})", self.public().algorithm().name())
    }
}

fn joined(domain: &[u8], message: &[u8]) -> Vec<u8> {
    debug_assert_eq!(domain.last(), Some(&0), "a domain string ends with a zero byte");
    [domain, message].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_order_keys_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(PublicKey::from_bytes(&identity), Err(KeyError::SmallOrder));
        assert_eq!(PublicKey::from_bytes(&[0; 32]), Err(KeyError::SmallOrder));
    }

    /// With the key A = identity and R = S*B, the lax equation holds for any message; the strict one refuses it at the key.
    #[test]
    fn a_second_encoding_of_a_point_is_refused() {
        // y = p + 1 encodes the same point as y = 1.
        let mut high = [0xff; 32];
        high[0] = 0xee;
        high[31] = 0x7f;
        assert!(PublicKey::from_bytes(&high).is_err());
    }

    /// A signature whose R is of small order passes the lax check and must not pass ours.
    #[test]
    fn verification_is_strict() {
        use ed25519_dalek::Verifier as _;
        let secret = SecretKey::from_bytes(&[7; 32]);
        // R = identity: then S = k*a satisfies S*B = R + k*A for k = H(R || A || M).
        let mut hash = sha2::Sha512::new();
        let mut identity = [0u8; 32];
        identity[0] = 1;
        let message = joined(domain::TIME, b"now");
        hash.update(identity);
        hash.update(secret.public().to_bytes());
        hash.update(&message);
        let k = curve_scalar(hash.finalize().into());
        let s = k * secret.0.to_scalar();
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&identity);
        signature[32..].copy_from_slice(&s.to_bytes());
        let lax = secret.0.verifying_key().verify(&message, &ed25519_dalek::Signature::from_bytes(&signature));
        assert!(lax.is_ok(), "the forged signature must satisfy the lax equation, or this test shows nothing");
        assert_eq!(secret.public().verify(domain::TIME, b"now", &signature), Err(BadSignature));
    }

    fn curve_scalar(wide: [u8; 64]) -> curve25519_dalek::Scalar {
        curve25519_dalek::Scalar::from_bytes_mod_order_wide(&wide)
    }

    #[test]
    fn high_s_is_refused_for_p256() {
        let secret = HolderSecret::from_bytes(HolderAlgorithm::P256, &[9; 32]).unwrap();
        let good = secret.sign(domain::PRESENTATION, b"m");
        assert_eq!(secret.public().verify(domain::PRESENTATION, b"m", &good), Ok(()));
        let signature = p256::ecdsa::Signature::from_slice(&good).unwrap();
        let (r, s) = signature.split_scalars();
        let high = p256::ecdsa::Signature::from_scalars(r.to_bytes(), (-*s).to_bytes()).unwrap().to_bytes();
        assert_eq!(secret.public().verify(domain::PRESENTATION, b"m", &high.into()), Err(BadSignature));
    }

    #[test]
    fn a_signature_serves_in_its_own_domain_only() {
        let secret = SecretKey::from_bytes(&[3; 32]);
        let signature = secret.sign(domain::TIME, b"x");
        assert_eq!(secret.public().verify(domain::TIME, b"x", &signature), Ok(()));
        assert_eq!(secret.public().verify(domain::RECEIPT, b"x", &signature), Err(BadSignature));
    }

    #[test]
    fn secrets_are_not_printed() {
        let secret = SecretKey::from_bytes(&[0xAB; 32]);
        assert!(!format!("{secret:?}").to_lowercase().contains("abab"));
    }

    #[test]
    fn the_spoken_fingerprint_has_four_groups() {
        let text = SecretKey::from_bytes(&[1; 32]).public().spoken_fingerprint();
        assert_eq!(text.len(), 19);
        assert!(text.split('-').all(|group| group.len() == 4));
    }
}
