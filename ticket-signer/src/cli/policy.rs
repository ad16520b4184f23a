//! `policy`: signs a policy given as JSON. What a policy may say is the gates' to judge; here it becomes a CBOR map.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use ticket_signer::{Purpose, envelope};

use super::failure::{Failure, Result};
use super::files;
use super::output::Output;

#[derive(Debug, Args)]
pub struct Policy {
    /// The policy, a JSON object with at least `event`, `version` and `lanes`; `-` for standard input
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// The private key of an authority that is certified for policies
    #[arg(long, value_name = "FILE", env = "TURNSTONE_POLICY_KEY")]
    key: PathBuf,
    /// File for the signed policy
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Policy {
    pub fn run(self, output: &Output) -> Result<()> {
        let key = files::secret_key(&self.key, output)?;
        let wrong = |error: &dyn std::fmt::Display| Failure::content(&self.input, error);
        let policy: Value = serde_json::from_str(&files::read_text(&self.input)?).map_err(|error| wrong(&error))?;
        let event = policy["event"].as_u64().filter(|event| u32::try_from(*event).is_ok());
        let event = event.ok_or_else(|| wrong(&"a policy must name its `event` (0 to 4294967295)"))?;
        let version = policy["version"].as_u64().ok_or_else(|| wrong(&"a policy must have a `version` (a number)"))?;
        let payload = to_cbor(&policy).map_err(|what| wrong(&what))?;
        let bytes = envelope::seal(Purpose::Policy, &payload, &key);
        files::write_new(&self.out, &bytes)?;
        let text = format!("{}: policy version {version} of event {event}, {} bytes", self.out.display(), bytes.len());
        output.say(&text, &json!({ "policy_file": self.out, "event": event, "version": version, "bytes": bytes.len() }))
    }
}

fn to_cbor(value: &Value) -> Result<Vec<u8>, &'static str> {
    let mut bytes = Vec::new();
    ciborium::into_writer(&cbor_value(value)?, &mut bytes).map_err(|_| "it cannot be written as CBOR")?;
    Ok(bytes)
}

fn cbor_value(value: &Value) -> Result<ciborium::Value, &'static str> {
    Ok(match value {
        Value::Null => ciborium::Value::Null,
        Value::Bool(truth) => ciborium::Value::Bool(*truth),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => number.into(),
            (None, Some(number)) => number.into(),
            (None, None) => return Err("a policy has whole numbers only"),
        },
        Value::String(text) => ciborium::Value::Text(text.clone()),
        Value::Array(items) => ciborium::Value::Array(items.iter().map(cbor_value).collect::<Result<_, _>>()?),
        Value::Object(entries) => {
            let entry =
                |(name, value): (&String, &Value)| Ok((ciborium::Value::Text(name.clone()), cbor_value(value)?));
            ciborium::Value::Map(entries.iter().map(entry).collect::<Result<_, &'static str>>()?)
        }
    })
}

/// CBOR as JSON, to look at: bytes as hex. Nesting is bounded by the reader.
pub fn cbor_to_json(mut bytes: &[u8]) -> Option<Value> {
    let value: ciborium::Value = ciborium::de::from_reader_with_recursion_limit(&mut bytes, 16).ok()?;
    bytes.is_empty().then(|| json_value(&value))
}

fn json_value(value: &ciborium::Value) -> Value {
    match value {
        ciborium::Value::Null => Value::Null,
        ciborium::Value::Bool(truth) => (*truth).into(),
        ciborium::Value::Integer(number) => {
            let number = i128::from(*number);
            match (u64::try_from(number), i64::try_from(number)) {
                (Ok(number), _) => number.into(),
                (_, Ok(number)) => number.into(),
                _ => number.to_string().into(),
            }
        }
        ciborium::Value::Float(number) => (*number).into(),
        ciborium::Value::Bytes(bytes) => super::parse::hex(bytes).into(),
        ciborium::Value::Text(text) => text.clone().into(),
        ciborium::Value::Array(items) => items.iter().map(json_value).collect(),
        ciborium::Value::Map(entries) => {
            let name = |name: &ciborium::Value| match json_value(name) {
                Value::String(text) => text,
                other => other.to_string(),
            };
            Value::Object(entries.iter().map(|(key, value)| (name(key), json_value(value))).collect())
        }
        ciborium::Value::Tag(_, inner) => json_value(inner),
        _ => Value::Null,
    }
}
