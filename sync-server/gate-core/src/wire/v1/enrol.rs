//! Enrolment: from the QR code on the supervisor's page to a confirmed device.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;
use ticket_signer::{PublicKey, SecretKey, code::decode_base45, domain, keys::BadSignature};

use super::station::StationBundle;

/// What the supervisor's QR code says, as text `T1E` and base45:
/// 01 | one-time code 16 | SHA-256 of the server's TLS key (SPKI) 32 | fingerprint of the root key 32 | https URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentCode {
    /// Single use, two minutes.
    pub one_time: [u8; 16],
    pub tls_pin: [u8; 32],
    pub root_fingerprint: [u8; 32],
    /// `https://host[:port]`, no path.
    pub server: String,
}

/// Why a text is no enrolment code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentCodeError {
    #[error("this is not an enrolment code: it does not begin with T1E")]
    Foreign,
    #[error("the enrolment code is damaged; show it again on the supervisor's page")]
    Damaged,
    #[error("the enrolment code is from a newer version; update this handheld")]
    Newer,
}

impl EnrolmentCode {
    pub const PREFIX: &str = "T1E";
    const FORMAT: u8 = 1;
    const FIXED: usize = 1 + 16 + 32 + 32;
    const MAX_SERVER: usize = 200;

    pub fn to_text(&self) -> String {
        let mut bytes = vec![Self::FORMAT];
        bytes.extend_from_slice(&self.one_time);
        bytes.extend_from_slice(&self.tls_pin);
        bytes.extend_from_slice(&self.root_fingerprint);
        bytes.extend_from_slice(self.server.as_bytes());
        format!("{}{}", Self::PREFIX, ticket_signer::code::encode_base45(&bytes))
    }

    pub fn parse(text: &str) -> Result<Self, EnrolmentCodeError> {
        let body = text.strip_prefix(Self::PREFIX).ok_or(EnrolmentCodeError::Foreign)?;
        if body.len() > (Self::FIXED + Self::MAX_SERVER) * 3 / 2 + 2 {
            return Err(EnrolmentCodeError::Damaged);
        }
        let bytes = decode_base45(body).map_err(|_| EnrolmentCodeError::Damaged)?;
        if bytes.first().is_some_and(|format| *format != Self::FORMAT) {
            return Err(EnrolmentCodeError::Newer);
        }
        let fixed = bytes.first_chunk::<{ Self::FIXED }>().ok_or(EnrolmentCodeError::Damaged)?;
        let server = std::str::from_utf8(&bytes[Self::FIXED..]).map_err(|_| EnrolmentCodeError::Damaged)?;
        let plain = server.bytes().all(|byte| byte.is_ascii_graphic());
        if !server.starts_with("https://") || !plain || server.len() > Self::MAX_SERVER {
            return Err(EnrolmentCodeError::Damaged);
        }
        let part = |from: usize| fixed[from..].first_chunk().copied();
        let (Some(one_time), Some(tls_pin), Some(root_fingerprint)) =
            (fixed[1..].first_chunk().copied(), part(17), part(49))
        else {
            return Err(EnrolmentCodeError::Damaged);
        };
        Ok(EnrolmentCode { one_time, tls_pin, root_fingerprint, server: server.to_owned() })
    }
}

/// `POST /gate/v1/enrol`: a handheld that read an enrolment code presents its key. The same request again gets the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolRequest {
    /// The one-time code.
    pub code: ByteArray<16>,
    /// The device's public key.
    pub key: ByteArray<32>,
    /// What staff call the handheld; 1 to 40 characters.
    pub name: String,
    /// The software's version.
    pub version: String,
    /// The device key's signature over code and key: it has the private half.
    pub proof: ByteArray<64>,
}

impl EnrolRequest {
    pub fn new(code: [u8; 16], key: &SecretKey, name: String, version: String) -> Self {
        let public = key.public().to_bytes();
        let proof = key.sign(domain::ENROLMENT, &Self::message(&code, &public));
        EnrolRequest { code: code.into(), key: public.into(), name, version, proof: proof.into() }
    }

    /// Checks that the sender has the private half of `key`, and returns the public one.
    pub fn verify(&self) -> Result<PublicKey, BadSignature> {
        let key = PublicKey::from_bytes(&self.key).map_err(|_| BadSignature)?;
        key.verify(domain::ENROLMENT, &Self::message(&self.code, &self.key), &self.proof)?;
        Ok(key)
    }

    fn message(code: &[u8; 16], key: &[u8; 32]) -> [u8; 48] {
        let mut bytes = [0; 48];
        bytes[..16].copy_from_slice(code);
        bytes[16..].copy_from_slice(key);
        bytes
    }
}

/// The answer to an [`EnrolRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolAnswer {
    pub device: u64,
    /// What the supervisor compares with the handheld's screen; the handheld shows its own computation, not this.
    pub fingerprint: String,
}

/// `GET /gate/v1/enrolment` (device-signed): whether the supervisor has confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnrolmentStatus {
    Pending,
    Confirmed(Box<StationBundle>),
    Refused,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> EnrolmentCode {
        EnrolmentCode {
            one_time: [1; 16],
            tls_pin: [2; 32],
            root_fingerprint: [3; 32],
            server: "https://gate.example:8443".to_owned(),
        }
    }

    #[test]
    fn a_code_reads_back_and_nothing_else_does() {
        assert_eq!(EnrolmentCode::parse(&code().to_text()), Ok(code()));
        assert_eq!(EnrolmentCode::parse("T1S000"), Err(EnrolmentCodeError::Foreign));
        assert_eq!(EnrolmentCode::parse("T1E"), Err(EnrolmentCodeError::Damaged));
        let plain = EnrolmentCode { server: "http://gate.example".to_owned(), ..code() };
        assert_eq!(EnrolmentCode::parse(&plain.to_text()), Err(EnrolmentCodeError::Damaged));
        let long = "T1E".to_owned() + &"0".repeat(100_000);
        assert_eq!(EnrolmentCode::parse(&long), Err(EnrolmentCodeError::Damaged));
    }

    #[test]
    fn the_proof_binds_code_and_key() {
        let key = SecretKey::from_bytes(&[8; 32]);
        let request = EnrolRequest::new([1; 16], &key, "Lane 1".to_owned(), "0.1.0".to_owned());
        assert_eq!(request.verify(), Ok(key.public()));
        let other = EnrolRequest { code: [2; 16].into(), ..request };
        assert!(other.verify().is_err());
    }
}
