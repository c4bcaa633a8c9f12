//! What an answer that is not the hoped-for one means.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, HeaderMap};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use tokio::time::Instant;

use crate::adapter::http::scrub;
use crate::model::Digest;
use crate::port::{Exchange, Fault, RegistryError};

/// Most bytes of an error that are read. Proxies answer with whole pages.
pub(super) const ERROR_LIMIT: u64 = 64 << 10;

/// What a host says went wrong (distribution-spec, "Error Codes").
#[derive(Debug, Default, Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<OneError>,
}

#[derive(Debug, Deserialize)]
struct OneError {
    #[serde(default)]
    code: serde_json::Value,
    #[serde(default)]
    message: serde_json::Value,
    #[serde(default)]
    detail: serde_json::Value,
}

/// A refusal that was read: what it means, and what it named.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) fault: Fault,
    pub(super) code: String,
    message: String,
    /// Digests that are said to be missing.
    pub(super) missing: Vec<Digest>,
}

impl Refusal {
    /// Reads status and body of an answer.
    pub(super) fn read(status: StatusCode, body: &[u8]) -> Self {
        let errors = serde_json::from_slice::<Errors>(body).unwrap_or_default().errors;
        let text = |value: &serde_json::Value| value.as_str().map(scrub).unwrap_or_default();
        let code: String =
            errors.first().map(|error| text(&error.code)).unwrap_or_default().chars().take(64).collect();
        let mut missing = Vec::new();
        for error in errors.iter().filter(|error| UNKNOWN.contains(&text(&error.code).as_str())) {
            collect_digests(&error.detail, 0, &mut missing);
        }
        missing.sort();
        missing.dedup();
        let message = errors.first().map(|error| text(&error.message)).unwrap_or_default();
        Self { fault: fault(status, &code, &message), code, message, missing }
    }

    /// The error it is for the caller.
    pub(super) fn into_error(self, mut exchange: Exchange, status: StatusCode) -> RegistryError {
        exchange.status = Some(status.as_u16());
        exchange.code = Some(self.code).filter(|code| !code.is_empty());
        exchange.message = Some(self.message).filter(|message| !message.is_empty());
        RegistryError::Answered { fault: self.fault, exchange: Box::new(exchange) }
    }
}

/// Codes of manifests that name something the host does not have.
const UNKNOWN: &[&str] = &["MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"];

fn fault(status: StatusCode, code: &str, message: &str) -> Fault {
    let immutable = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.contains("immutable") || text.contains("already exists") || text.contains("alreadyexists")
    };
    match status.as_u16() {
        // 407 is of a proxy on the way.
        401 | 403 | 407 => Fault::Denied,
        404 => Fault::Missing,
        409 | 412 => Fault::Conflict,
        501 | 505 => Fault::Refused,
        408 | 425 | 429 | 500.. => Fault::Transient,
        _ if code == "TOOMANYREQUESTS" => Fault::Transient,
        _ if immutable(code) || immutable(message) => Fault::Conflict,
        _ => Fault::Refused,
    }
}

/// Digests anywhere in the detail of an error: hosts put them in different places.
fn collect_digests(value: &serde_json::Value, depth: usize, into: &mut Vec<Digest>) {
    if depth > 4 || into.len() >= 4096 {
        return;
    }
    match value {
        serde_json::Value::String(text) => into.extend(text.parse::<Digest>().ok()),
        serde_json::Value::Array(values) => {
            values.iter().for_each(|value| collect_digests(value, depth + 1, into));
        }
        serde_json::Value::Object(fields) => {
            fields.values().for_each(|value| collect_digests(value, depth + 1, into));
        }
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

/// Why a body could not be read.
#[derive(Debug)]
pub(super) enum BodyError {
    TooLarge,
    Broken(String),
}

/// Bytes that have to arrive, or leave, within one [`Patience::idle`](crate::adapter::http::Patience); what ends sooner
/// may have fewer. With a minute that is 273 bytes a second: nobody releases over a slower line, and a host that drips to
/// keep somebody waiting is left.
pub(super) const LEAST: u64 = 16 << 10;

/// Whether a body comes fast enough.
pub(super) struct Pace {
    idle: Duration,
    /// When the next [`LEAST`] bytes have to be there.
    end: Instant,
    /// How many of them are.
    bytes: u64,
}

impl Pace {
    pub(super) fn new(idle: Duration) -> Self {
        Self { idle, end: Instant::now() + idle, bytes: 0 }
    }

    /// The next piece of a body; an error is one that breaks, or comes too slowly.
    pub(super) async fn piece(&mut self, response: &mut Response) -> Result<Option<Bytes>, String> {
        let piece = tokio::time::timeout_at(self.end, response.chunk())
            .await
            .map_err(|_| format!("{} bytes came in {:?}", self.bytes, self.idle))?
            .map_err(|error| crate::adapter::http::reason(&error))?;
        self.bytes += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        if self.bytes >= LEAST {
            *self = Self::new(self.idle);
        }
        Ok(piece)
    }

    /// Time that nothing was asked for does not count.
    pub(super) fn rested(&mut self, time: Duration) {
        self.end += time;
    }
}

/// A body of at most `limit` bytes; one that announces more is not even begun.
pub(super) async fn body(response: &mut Response, limit: u64, idle: Duration) -> Result<Bytes, BodyError> {
    if length(response.headers()).is_some_and(|length| length > limit) {
        return Err(BodyError::TooLarge);
    }
    let mut whole: Vec<u8> = Vec::new();
    let mut pace = Pace::new(idle);
    loop {
        let piece = pace.piece(response).await.map_err(BodyError::Broken)?;
        let Some(piece) = piece else { return Ok(whole.into()) };
        if (whole.len() + piece.len()) as u64 > limit {
            return Err(BodyError::TooLarge);
        }
        whole.extend_from_slice(&piece);
    }
}

/// `Content-Length`.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    text(headers, CONTENT_LENGTH.as_str())?.parse().ok()
}

/// A header as text; one that is not visible ASCII is as good as absent.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_of_an_answer() {
        for (status, body, expected) in [
            (401, "", Fault::Denied),
            (403, "{}", Fault::Denied),
            (407, "", Fault::Denied),
            (404, "404 page not found", Fault::Missing),
            (409, "", Fault::Conflict),
            (429, "", Fault::Transient),
            (502, "<html>unicorn</html>", Fault::Transient),
            (501, "", Fault::Refused),
            (400, r#"{"errors":[{"code":"TOOMANYREQUESTS"}]}"#, Fault::Transient),
            (400, r#"{"errors":[{"code":"ImageTagAlreadyExistsException"}]}"#, Fault::Conflict),
            (400, r#"{"errors":[{"code":"DENIED","message":"tag is immutable"}]}"#, Fault::Conflict),
            (400, r#"{"errors":[{"code":7,"message":[]}]}"#, Fault::Refused),
            (413, "", Fault::Refused),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(Refusal::read(status, body.as_bytes()).fault, expected, "{status} {body}");
        }
    }

    #[test]
    fn missing_digests_are_found_where_hosts_put_them() {
        let [one, two] = [Digest::of(b"1"), Digest::of(b"2")];
        let body = format!(
            r#"{{"errors":[{{"code":"MANIFEST_BLOB_UNKNOWN","detail":{{"Digest":"{two}"}}}},
                {{"code":"MANIFEST_BLOB_UNKNOWN","detail":"{one}"}},{{"code":"OTHER","detail":"{}"}}]}}"#,
            Digest::of(b"3")
        );
        let mut expected = vec![one, two];
        expected.sort();
        assert_eq!(Refusal::read(StatusCode::BAD_REQUEST, body.as_bytes()).missing, expected);
    }
}
