//! Canonical JSON (RFC 8785) for documents that are identified by their digest.
//!
//! Keys are sorted by UTF-16 code units, there is no white space, and numbers are integers: a document with a
//! fraction is refused, so the number rules of RFC 8785 section 3.2.2.3 never apply.

use serde::Serialize;
use serde_json::Value;

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
    fn refuses_fractions_and_large_numbers() {
        assert!(to_vec(&serde_json::json!(1.5)).is_err());
        assert!(to_vec(&serde_json::json!(1_u64 << 53)).is_err());
    }
}
