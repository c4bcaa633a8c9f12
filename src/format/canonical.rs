//! Canonical JSON (RFC 8785) for documents that are identified by their digest.
//!
//! Keys are sorted by UTF-16 code units, there is no white space, and numbers are integers: a document with a
//! fraction is refused, so the number rules of RFC 8785 section 3.2.2.3 never apply.

use std::fmt;

use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Why a value has no canonical form.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// The value is not JSON.
    #[error("the value has no JSON form")]
    Json(#[from] serde_json::Error),
    /// A number is not an integer of 53 bits.
    #[error("{found} is not an integer of at most 53 bits")]
    Number {
        /// The number.
        found: serde_json::Number,
    },
}

/// The canonical bytes of a value.
pub fn to_vec<T: Serialize>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::new();
    write(&serde_json::to_value(value)?, &mut out)?;
    Ok(out)
}

fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => serde_json::to_writer(out, value)?,
        Value::Number(number) => {
            let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            if magnitude.is_none_or(|magnitude| magnitude > (1 << 53) - 1) {
                return Err(CanonicalError::Number { found: number.clone() });
            }
            serde_json::to_writer(out, number)?;
        }
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|(left, _), (right, _)| left.encode_utf16().cmp(right.encode_utf16()));
            out.push(b'{');
            for (index, (key, item)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                serde_json::to_writer(&mut *out, key)?;
                out.push(b':');
                write(item, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

/// A JSON value in which no key stands twice: two readers cannot see two documents in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Strict(
    /// The value.
    pub Value,
);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, Strict(value))) = entries.next_entry::<String, Strict>()? {
            if map.insert(key.clone(), value).is_some() {
                return Err(A::Error::custom(format_args!("key `{key}` stands twice")));
            }
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_keys_and_drops_space() {
        let value =
            serde_json::json!({"b": [1, -2, "\u{20ac}\n"], "a": {"\u{1f600}": null, "\u{fb33}": true}});
        let bytes = to_vec(&value).unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "{\"a\":{\"\u{1f600}\":null,\"\u{fb33}\":true},\"b\":[1,-2,\"\u{20ac}\\n\"]}"
        );
    }

    #[test]
    fn a_key_stands_once_at_any_depth() {
        let read = |text: &str| serde_json::from_str::<Strict>(text);
        let good = r#"{"a":[{"b":1.5,"c":null}],"b":-1}"#;
        assert_eq!(read(good).unwrap().0, serde_json::from_str::<Value>(good).unwrap());
        for text in [r#"{"a":1,"a":1}"#, r#"[{"x":{"a":1,"b":2,"a":3}}]"#] {
            assert!(read(text).unwrap_err().to_string().starts_with("key `a` stands twice"), "{text}");
        }
    }

    #[test]
    fn refuses_fractions_and_large_numbers() {
        assert!(to_vec(&serde_json::json!(1.5)).is_err());
        assert!(to_vec(&serde_json::json!(1_u64 << 53)).is_err());
    }
}
