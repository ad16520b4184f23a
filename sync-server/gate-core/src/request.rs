//! How a handheld signs its requests, so that a server knows the device before it reads the body.
//!
//! `Turnstone-Device: <device>;<unix ms>;<signature>`. The time is for the log: a gate's clock may be wrong, so it is not
//! compared. A replay of a whole request is harmless, since every message is idempotent, and TLS keeps others from reading one.

use sha2::{Digest as _, Sha256};
use ticket_signer::{DeviceId, PublicKey, SecretKey, domain};

/// The header's name.
pub const HEADER: &str = "Turnstone-Device";

/// Why a request was not taken for the device's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error("the Turnstone-Device header is missing or not `device;unix-ms;signature`")]
    Malformed,
    #[error("the request's signature is not the device's")]
    Signature,
}

/// A header that was read and not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub device: DeviceId,
    pub at_ms: i64,
    signature: [u8; 64],
}

/// The header's value for a request.
pub fn sign(key: &SecretKey, device: DeviceId, method: &str, target: &str, at_ms: i64, body: &[u8]) -> String {
    let signature = key.sign(domain::REQUEST, &message(method, target, at_ms, body));
    let hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{device};{at_ms};{hex}")
}

/// Reads the header; [`Claim::verify`] then checks it with the device's key.
pub fn parse(header: &str) -> Result<Claim, RequestError> {
    let mut parts = header.split(';');
    let (Some(device), Some(at), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(RequestError::Malformed);
    };
    if signature.len() != 128 || !signature.is_ascii() {
        return Err(RequestError::Malformed);
    }
    let mut bytes = [0; 64];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&signature[at * 2..at * 2 + 2], 16).map_err(|_| RequestError::Malformed)?;
    }
    Ok(Claim {
        device: device.parse().map_err(|_| RequestError::Malformed)?,
        at_ms: at.parse().map_err(|_| RequestError::Malformed)?,
        signature: bytes,
    })
}

impl Claim {
    /// `target` is path and query as they stand in the request line.
    pub fn verify(&self, key: &PublicKey, method: &str, target: &str, body: &[u8]) -> Result<(), RequestError> {
        key.verify(domain::REQUEST, &message(method, target, self.at_ms, body), &self.signature)
            .map_err(|_| RequestError::Signature)
    }
}

fn message(method: &str, target: &str, at_ms: i64, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method}\n{target}\n{at_ms}\n").into_bytes();
    bytes.extend_from_slice(&Sha256::digest(body));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_request_is_bound_to_all_of_it() {
        let key = SecretKey::from_bytes(&[5; 32]);
        let header = sign(&key, DeviceId(9), "POST", "/gate/v1/scans", 1_000, b"body");
        let claim = parse(&header).unwrap();
        assert_eq!((claim.device, claim.at_ms), (DeviceId(9), 1_000));
        assert_eq!(claim.verify(&key.public(), "POST", "/gate/v1/scans", b"body"), Ok(()));
        assert!(claim.verify(&key.public(), "GET", "/gate/v1/scans", b"body").is_err());
        assert!(claim.verify(&key.public(), "POST", "/gate/v1/scans?x", b"body").is_err());
        assert!(claim.verify(&key.public(), "POST", "/gate/v1/scans", b"bodY").is_err());
    }

    #[test]
    fn nonsense_is_malformed() {
        for header in ["", ";;", "0000000000000009;5;zz", "9;5;00", "0000000000000009;x;00", "a;b;c;d", "é;é;é"] {
            assert_eq!(parse(header), Err(RequestError::Malformed), "{header}");
        }
        let wide = format!("0000000000000009;5;{}", "é".repeat(64));
        assert_eq!(parse(&wide), Err(RequestError::Malformed));
    }
}
