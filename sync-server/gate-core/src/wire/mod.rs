//! The messages between gate and server: CBOR by serde, versioned by module.
//!
//! Reading is bounded: the body's size by the HTTP layer, nesting by the reader, and nothing may follow the message. Fields
//! that a newer version adds are ignored by an older one, so additions need no new version.

pub mod v1;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The media type of every message.
pub const MEDIA_TYPE: &str = "application/cbor";

/// Why a message was not read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("the message is not written as this version expects: {0}")]
    Encoding(String),
    #[error("bytes follow the message")]
    Trailing,
}

pub fn to_cbor<T: Serialize>(message: &T) -> Result<Vec<u8>, WireError> {
    let mut bytes = Vec::new();
    ciborium::into_writer(message, &mut bytes).map_err(|error| WireError::Encoding(error.to_string()))?;
    Ok(bytes)
}

pub fn from_cbor<T: DeserializeOwned>(mut bytes: &[u8]) -> Result<T, WireError> {
    let message = ciborium::de::from_reader_with_recursion_limit(&mut bytes, 16)
        .map_err(|error| WireError::Encoding(error.to_string()))?;
    if bytes.is_empty() { Ok(message) } else { Err(WireError::Trailing) }
}
