//! Values that both engines know - 64-bit integer, text, blob, null - and their way to and from Rust types.
//!
//! Invariant: nothing else crosses the store's border. Times are `i64` unix milliseconds, flags are 0 or 1, and a `u64` id
//! keeps its bits in an `i64` (so ids compare for equality only; never order by one and expect unsigned order).

use super::StoreError;

/// One SQL value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Null,
    Integer(i64),
    Text(String),
    Blob(Vec<u8>),
}

macro_rules! value_from {
    ($($from:ty => $name:ident => $make:expr;)*) => {
        $(impl From<$from> for Value {
            fn from($name: $from) -> Self {
                $make
            }
        })*
    };
}

value_from! {
    i64 => v => Self::Integer(v);
    i32 => v => Self::Integer(v.into());
    u64 => v => Self::Integer(v.cast_signed());
    u32 => v => Self::Integer(v.into());
    u16 => v => Self::Integer(v.into());
    u8 => v => Self::Integer(v.into());
    bool => v => Self::Integer(v.into());
    &str => v => Self::Text(v.to_owned());
    &String => v => Self::Text(v.clone());
    String => v => Self::Text(v);
    &[u8] => v => Self::Blob(v.to_vec());
    &Vec<u8> => v => Self::Blob(v.clone());
    Vec<u8> => v => Self::Blob(v);
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(bytes: [u8; N]) -> Self {
        Self::Blob(bytes.to_vec())
    }
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(bytes: &[u8; N]) -> Self {
        Self::Blob(bytes.to_vec())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A Rust type that a [`Value`] can become. Out-of-range integers are an error, never a wrap-around (but for `u64`, whose
/// bits are kept).
pub trait FromValue: Sized {
    /// # Errors
    /// [`StoreError::Shape`] when the value is of another type or does not fit.
    fn from_value(value: Value) -> Result<Self, StoreError>;
}

fn shape(wanted: &str, found: &Value) -> StoreError {
    let found = match found {
        Value::Null => "null",
        Value::Integer(_) => "an integer out of its range or of the wrong type",
        Value::Text(_) => "text",
        Value::Blob(_) => "a blob of the wrong type or length",
    };
    StoreError::Shape { detail: format!("wanted {wanted}, found {found}") }
}

impl FromValue for Value {
    fn from_value(value: Value) -> Result<Self, StoreError> {
        Ok(value)
    }
}

impl FromValue for i64 {
    fn from_value(value: Value) -> Result<Self, StoreError> {
        match value {
            Value::Integer(integer) => Ok(integer),
            other => Err(shape("i64", &other)),
        }
    }
}

impl FromValue for u64 {
    fn from_value(value: Value) -> Result<Self, StoreError> {
        i64::from_value(value).map(i64::cast_unsigned)
    }
}

macro_rules! small_integer {
    ($($small:ty),*) => {
        $(impl FromValue for $small {
            fn from_value(value: Value) -> Result<Self, StoreError> {
                match value {
                    Value::Integer(integer) => {
                        Self::try_from(integer).map_err(|_| shape(stringify!($small), &Value::Integer(integer)))
                    }
                    other => Err(shape(stringify!($small), &other)),
                }
            }
        })*
    };
}

small_integer!(i32, u32, u16, u8);

impl FromValue for bool {
    fn from_value(value: Value) -> Result<Self, StoreError> {
        match value {
            Value::Integer(0) => Ok(false),
            Value::Integer(1) => Ok(true),
            other => Err(shape("0 or 1", &other)),
        }
    }
}

impl FromValue for String {
    fn from_value(value: Value) -> Result<Self, StoreError> {
        match value {
            Value::Text(text) => Ok(text),
            other => Err(shape("text", &other)),
        }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value) -> Result<Self, StoreError> {
        match value {
            Value::Blob(bytes) => Ok(bytes),
            other => Err(shape("blob", &other)),
        }
    }
}

impl<const N: usize> FromValue for [u8; N] {
    fn from_value(value: Value) -> Result<Self, StoreError> {
        match value {
            Value::Blob(bytes) => {
                Self::try_from(bytes.as_slice()).map_err(|_| shape("a blob of fixed length", &Value::Blob(bytes)))
            }
            other => Err(shape("a blob of fixed length", &other)),
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Result<Self, StoreError> {
        match value {
            Value::Null => Ok(None),
            other => T::from_value(other).map(Some),
        }
    }
}

/// One row of an answer, its columns in the order of the SELECT (or RETURNING) list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row(Vec<Value>);

impl Row {
    #[must_use]
    pub fn new(values: Vec<Value>) -> Self {
        Self(values)
    }

    /// The value of column `index`, counted from 0.
    ///
    /// # Errors
    /// [`StoreError::Shape`] when there is no such column or it is of another type.
    pub fn get<T: FromValue>(&self, index: usize) -> Result<T, StoreError> {
        let value = self.0.get(index).ok_or_else(|| StoreError::Shape { detail: format!("no column {index}") })?;
        T::from_value(value.clone())
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A Rust type that a whole row can become: tuples of up to sixteen columns, or a type of a context's own.
pub trait FromRow: Sized {
    /// # Errors
    /// [`StoreError::Shape`] when the number of columns or a column's type differs.
    fn from_row(row: Row) -> Result<Self, StoreError>;
}

impl FromRow for Row {
    fn from_row(row: Row) -> Result<Self, StoreError> {
        Ok(row)
    }
}

macro_rules! tuple_from_row {
    ($($column:ident)+) => {
        impl<$($column: FromValue),+> FromRow for ($($column,)+) {
            fn from_row(row: Row) -> Result<Self, StoreError> {
                const WANTED: usize = [$(stringify!($column)),+].len();
                if row.len() != WANTED {
                    return Err(StoreError::Shape { detail: format!("wanted {WANTED} columns, found {}", row.len()) });
                }
                let mut values = row.0.into_iter();
                Ok(($($column::from_value(values.next().unwrap_or(Value::Null))?,)+))
            }
        }
    };
}

tuple_from_row!(A);
tuple_from_row!(A B);
tuple_from_row!(A B C);
tuple_from_row!(A B C D);
tuple_from_row!(A B C D E);
tuple_from_row!(A B C D E F);
tuple_from_row!(A B C D E F G);
tuple_from_row!(A B C D E F G H);
tuple_from_row!(A B C D E F G H I);
tuple_from_row!(A B C D E F G H I J);
tuple_from_row!(A B C D E F G H I J K);
tuple_from_row!(A B C D E F G H I J K L);
tuple_from_row!(A B C D E F G H I J K L M);
tuple_from_row!(A B C D E F G H I J K L M N);
tuple_from_row!(A B C D E F G H I J K L M N O);
tuple_from_row!(A B C D E F G H I J K L M N O P);

/// The parameters of one statement: `params![event_id, name]` becomes a slice of [`Value`]s bound to `$1`, `$2`...
#[macro_export]
macro_rules! params {
    () => { &[] as &[$crate::platform::store::Value] };
    ($($value:expr),+ $(,)?) => { &[$($crate::platform::store::Value::from($value)),+] as &[$crate::platform::store::Value] };
}
pub use crate::params;
