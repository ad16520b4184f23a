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
    #[error("it ends too early")]
    Short,
    #[error("it is no CBOR from byte {at} on")]
    Syntax { at: usize },
    #[error("it is nested too deeply")]
    Nesting,
    /// A field is missing or of another type: in the words of the type, which name the field.
    #[error("it is not what this version expects ({0})")]
    Shape(String),
    #[error("it cannot be written ({0})")]
    Unwritable(String),
    #[error("more bytes follow it")]
    Trailing,
}

pub fn to_cbor<T: Serialize>(message: &T) -> Result<Vec<u8>, WireError> {
    let mut bytes = Vec::new();
    ciborium::into_writer(message, &mut bytes).map_err(|error| WireError::Unwritable(error.to_string()))?;
    Ok(bytes)
}

pub fn from_cbor<T: DeserializeOwned>(mut bytes: &[u8]) -> Result<T, WireError> {
    let message = ciborium::de::from_reader_with_recursion_limit(&mut bytes, 16).map_err(|error| match error {
        // Reading from memory fails by its end alone.
        ciborium::de::Error::Io(_) => WireError::Short,
        ciborium::de::Error::Syntax(at) => WireError::Syntax { at },
        ciborium::de::Error::Semantic(_, text) => WireError::Shape(text),
        ciborium::de::Error::RecursionLimitExceeded => WireError::Nesting,
    })?;
    if bytes.is_empty() { Ok(message) } else { Err(WireError::Trailing) }
}

#[cfg(test)]
mod tests {
    use super::v1::ListAnswer;
    use super::*;

    #[test]
    fn what_cannot_be_read_is_said_without_the_readers_words() {
        let read = |bytes: &[u8]| from_cbor::<ListAnswer>(bytes).unwrap_err();
        let mut whole = to_cbor(&ListAnswer::UpToDate).expect("a message of ours can be written");
        assert_eq!(read(&whole[..whole.len() - 1]), WireError::Short);
        assert_eq!(read(&[]), WireError::Short);
        assert!(matches!(read(&[0xff; 4]), WireError::Syntax { .. } | WireError::Shape(_)));
        assert_eq!(
            from_cbor::<Vec<u8>>(&[0xff, 0xff]),
            Err(WireError::Shape("invalid type: break, expected array".to_owned()))
        );
        whole.push(0);
        assert_eq!(read(&whole), WireError::Trailing);
    }
}
