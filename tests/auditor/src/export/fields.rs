//! The fields of one line, each taken once; what is left over does not belong there.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::LineProblem;

pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn read(text: &str) -> Result<Self, LineProblem> {
        serde_json::from_str(text).map(Fields).map_err(|error| LineProblem::NotJson(error.to_string()))
    }

    fn take(&mut self, field: &'static str) -> Result<Value, LineProblem> {
        self.0.remove(field).ok_or(LineProblem::Missing(field))
    }

    pub(super) fn text(&mut self, field: &'static str) -> Result<String, LineProblem> {
        match self.take(field)? {
            Value::String(text) => Ok(text),
            _ => Err(LineProblem::Wrong { field, expected: "a text" }),
        }
    }

    pub(super) fn int<T: TryFrom<u64>>(
        &mut self,
        field: &'static str,
        expected: &'static str,
    ) -> Result<T, LineProblem> {
        let number = self.take(field)?.as_u64().and_then(|number| T::try_from(number).ok());
        number.ok_or(LineProblem::Wrong { field, expected })
    }

    pub(super) fn bytes(&mut self, field: &'static str) -> Result<Vec<u8>, LineProblem> {
        let wrong = LineProblem::Wrong { field, expected: "bytes in base64url without padding" };
        let text = self.text(field)?;
        URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong)
    }

    pub(super) fn bytes_or_none(&mut self, field: &'static str) -> Result<Option<Vec<u8>>, LineProblem> {
        match self.0.get(field) {
            None => Ok(None),
            Some(Value::Null) => {
                self.0.remove(field);
                Ok(None)
            }
            Some(_) => self.bytes(field).map(Some),
        }
    }

    pub(super) fn array<const N: usize>(
        &mut self,
        field: &'static str,
        expected: &'static str,
    ) -> Result<[u8; N], LineProblem> {
        self.bytes(field)?.try_into().map_err(|_| LineProblem::Wrong { field, expected })
    }

    pub(super) fn end(&self) -> Result<(), LineProblem> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(field) => Err(LineProblem::Unexpected(field.chars().take(40).collect())),
        }
    }
}
