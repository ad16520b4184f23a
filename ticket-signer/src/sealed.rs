//! Sealed boxes: bytes that only the holder of one Ed25519 key can read, made by anybody who knows its public half.
//!
//! The recipient's key is taken over to X25519 by the birational map (RFC 7748, section 4.1), as libsodium does, so that a
//! device needs no second key. An ephemeral key agrees with it; HKDF-SHA256 makes the key and the nonce of a
//! ChaCha20-Poly1305 out of what was agreed, both public keys and the context. One ephemeral key seals one box, so that key
//! and nonce are never used twice. A box says nothing about who made it: whoever needs that signs it ([`crate::envelope`]).
//!
//! Layout: format 1 | ephemeral public key 32 | ciphertext and tag (message + 16).

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use curve25519_dalek::MontgomeryPoint;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::domain;
use crate::keys::{PublicKey, SecretKey};

const FORMAT: u8 = 1;
const HEADER: usize = 33;
/// How much longer than its message a box is.
pub const OVERHEAD: usize = HEADER + 16;

/// Why a box was not made or not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealedError {
    #[error("this is no sealed box of a format that this version knows")]
    Format,
    #[error("the two keys agree on nothing: one of them is of small order")]
    SmallOrder,
    #[error("the box is for another key or another use, or its bytes were changed")]
    NotForThisKey,
}

/// Seals `message` to `recipient`. `context` says what the box is for and is needed to open it; it is not in the box.
/// `ephemeral` is 32 bytes from a cryptographic random source, used for this box alone.
pub fn seal(
    message: &[u8],
    recipient: &PublicKey,
    context: &[u8],
    ephemeral: &[u8; 32],
) -> Result<Vec<u8>, SealedError> {
    let own = MontgomeryPoint::mul_base_clamped(*ephemeral);
    let shared = agreed(recipient.montgomery(), ephemeral)?;
    let (cipher, nonce) = derived(&shared, &own, recipient, context);
    let payload = Payload { msg: message, aad: context };
    // Fails only on messages of more than 256 GiB.
    let secret = cipher.encrypt(&nonce, payload).map_err(|_| SealedError::Format)?;
    let mut bytes = Vec::with_capacity(HEADER + secret.len());
    bytes.push(FORMAT);
    bytes.extend_from_slice(own.as_bytes());
    bytes.extend_from_slice(&secret);
    Ok(bytes)
}

/// Opens a box that was sealed to `key` for `context`.
pub fn open(bytes: &[u8], key: &SecretKey, context: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealedError> {
    let Some((&FORMAT, rest)) = bytes.split_first() else { return Err(SealedError::Format) };
    let Some((ephemeral, secret)) = rest.split_first_chunk::<32>() else { return Err(SealedError::Format) };
    let ephemeral = MontgomeryPoint(*ephemeral);
    let shared = agreed(ephemeral, &key.agreement_secret())?;
    let (cipher, nonce) = derived(&shared, &ephemeral, &key.public(), context);
    let payload = Payload { msg: secret, aad: context };
    cipher.decrypt(&nonce, payload).map(Zeroizing::new).map_err(|_| SealedError::NotForThisKey)
}

/// What both sides can compute. Zeros come of a point of small order, with which every secret agrees.
fn agreed(point: MontgomeryPoint, secret: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, SealedError> {
    let shared = Zeroizing::new(point.mul_clamped(*secret).to_bytes());
    if *shared == [0; 32] { Err(SealedError::SmallOrder) } else { Ok(shared) }
}

fn derived(
    shared: &[u8; 32],
    ephemeral: &MontgomeryPoint,
    recipient: &PublicKey,
    context: &[u8],
) -> (ChaCha20Poly1305, Nonce) {
    let hkdf = Hkdf::<Sha256>::new(Some(domain::SEALED_BOX), shared);
    let mut okm = Zeroizing::new([0; 44]);
    let info: [&[u8]; 3] = [ephemeral.as_bytes(), &recipient.to_bytes(), context];
    // HKDF gives up to 8,160 bytes; these are 44.
    let expanded = hkdf.expand_multi_info(&info, &mut *okm);
    debug_assert!(expanded.is_ok(), "44 bytes are within what HKDF gives");
    let (mut key, mut nonce) = (Key::default(), Nonce::default());
    key.copy_from_slice(&okm[..32]);
    nonce.copy_from_slice(&okm[32..]);
    let cipher = ChaCha20Poly1305::new(&key);
    zeroize::Zeroize::zeroize(&mut key[..]);
    (cipher, nonce)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(seed: u8) -> SecretKey {
        SecretKey::from_bytes(&[seed; 32])
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_box_is_these_bytes_for_ever() {
        let bytes = seal(b"staff", &key(7).public(), b"context", &[9; 32]).unwrap();
        assert_eq!(hex(&bytes), FROZEN);
        assert_eq!(&*open(&bytes, &key(7), b"context").unwrap(), b"staff");
        assert_eq!(bytes.len(), 5 + OVERHEAD);
    }

    /// The same bytes come of the construction written anew with OpenSSL's X25519, HKDF and ChaCha20-Poly1305.
    const FROZEN: &str = "0157db4b359f23ae5e146e4e2512056704722506348c150c14753d0c933d04d42111bddf467b76597d3f8a6f721e3a6737\
                          79cc468c18";

    /// The map of an Ed25519 key to its X25519 key: both halves of one pair stay a pair.
    #[test]
    fn a_signing_pair_is_an_agreement_pair() {
        for seed in 1..20 {
            let secret = key(seed).agreement_secret();
            assert_eq!(MontgomeryPoint::mul_base_clamped(*secret), key(seed).public().montgomery());
        }
    }

    #[test]
    fn a_box_opens_for_its_key_and_its_use_alone() {
        let bytes = seal(b"staff", &key(7).public(), b"device 1", &[9; 32]).unwrap();
        assert_eq!(open(&bytes, &key(8), b"device 1"), Err(SealedError::NotForThisKey));
        assert_eq!(open(&bytes, &key(7), b"device 2"), Err(SealedError::NotForThisKey));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(open(&changed, &key(7), b"device 1").is_err(), "byte {at}");
            assert!(open(&bytes[..at], &key(7), b"device 1").is_err(), "cut at {at}");
        }
    }

    #[test]
    fn points_that_agree_with_everybody_are_refused() {
        for low in [[0; 32], std::array::from_fn(|at| u8::from(at == 0))] {
            let mut bytes = vec![FORMAT];
            bytes.extend_from_slice(&low);
            bytes.extend_from_slice(&[0; 20]);
            assert_eq!(open(&bytes, &key(7), b""), Err(SealedError::SmallOrder));
        }
    }

    proptest! {
        #[test]
        fn every_message_comes_back(
            message in proptest::collection::vec(any::<u8>(), 0..300), seed in 0u8..255, ephemeral in any::<[u8; 32]>(),
        ) {
            let bytes = seal(&message, &key(seed).public(), b"c", &ephemeral).unwrap();
            let opened = open(&bytes, &key(seed), b"c").unwrap();
            prop_assert_eq!(&*opened, &message);
        }

        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            prop_assert!(open(&bytes, &key(7), b"").is_err());
        }
    }
}
