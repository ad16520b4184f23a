//! Signed messages in CBOR maps with text keys: a look-up that refuses a key named twice and ignores keys of newer versions.

use ciborium::Value;

use crate::fault::Fault;

/// Nesting that a policy needs, and some.
const DEPTH: usize = 16;

/// One map of a message.
pub(crate) struct Map(Vec<(Value, Value)>);

impl Map {
    /// Reads a whole message, which nothing may follow.
    pub(crate) fn read(mut bytes: &[u8]) -> Result<Self, Fault> {
        let value: Value =
            ciborium::de::from_reader_with_recursion_limit(&mut bytes, DEPTH).map_err(|_| Fault::Payload)?;
        if bytes.is_empty() { Map::of(value) } else { Err(Fault::Payload) }
    }

    pub(crate) fn of(value: Value) -> Result<Self, Fault> {
        value.into_map().map(Map).map_err(|_| Fault::Payload)
    }

    /// The value of a key, if it is there once; null is as good as nothing.
    pub(crate) fn find(&mut self, key: &str) -> Result<Option<Value>, Fault> {
        let mut found = None;
        let mut twice = false;
        for (name, value) in &mut self.0 {
            if name.as_text() == Some(key) {
                twice |= found.is_some();
                found = Some(std::mem::replace(value, Value::Null));
            }
        }
        if twice { Err(Fault::Payload) } else { Ok(found.filter(|value| !value.is_null())) }
    }

    pub(crate) fn need(&mut self, key: &str) -> Result<Value, Fault> {
        self.find(key)?.ok_or(Fault::Payload)
    }

    /// An integer of the wanted width.
    pub(crate) fn int<T: TryFrom<i128>>(&mut self, key: &str) -> Result<T, Fault> {
        int(&self.need(key)?)
    }

    pub(crate) fn int_or<T: TryFrom<i128>>(&mut self, key: &str, default: T) -> Result<T, Fault> {
        self.find(key)?.map_or(Ok(default), |value| int(&value))
    }

    pub(crate) fn bool_or(&mut self, key: &str, default: bool) -> Result<bool, Fault> {
        self.find(key)?.map_or(Ok(default), |value| value.into_bool().map_err(|_| Fault::Payload))
    }

    pub(crate) fn bytes(&mut self, key: &str) -> Result<Vec<u8>, Fault> {
        self.need(key)?.into_bytes().map_err(|_| Fault::Payload)
    }

    /// The entries of a list, none where it is left out.
    pub(crate) fn list(&mut self, key: &str) -> Result<Vec<Value>, Fault> {
        self.find(key)?.map_or(Ok(Vec::new()), |value| value.into_array().map_err(|_| Fault::Payload))
    }

    /// The single entry of a map that says by its key which kind of value it is.
    pub(crate) fn single(self) -> Result<(String, Value), Fault> {
        let mut entries = self.0.into_iter();
        match (entries.next(), entries.next()) {
            (Some((Value::Text(name), value)), None) => Ok((name, value)),
            _ => Err(Fault::Payload),
        }
    }
}

pub(crate) fn int<T: TryFrom<i128>>(value: &Value) -> Result<T, Fault> {
    let integer = value.as_integer().ok_or(Fault::Payload)?;
    T::try_from(i128::from(integer)).map_err(|_| Fault::Payload)
}

pub(crate) fn ints<T: TryFrom<i128>>(values: &[Value]) -> Result<Vec<T>, Fault> {
    values.iter().map(int).collect()
}
