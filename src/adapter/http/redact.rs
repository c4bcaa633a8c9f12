//! What may be told of requests: never a query, never a credential.

use std::error::Error as _;

use url::Url;

use crate::model::is_steering;

/// Words before a value that is nobody's business, in lower case.
const SECRETS: &[&str] = &[
    "authorization:",
    "bearer ",
    "basic ",
    "x-amz-",
    "sig=",
    "signature=",
    "token=",
    "access_token",
    "refresh_token",
    "identitytoken",
    "password",
    "secret",
    "ghp_",
    "ghs_",
    "github_pat_",
];

/// What stands before the name of an upload session (distribution-spec, "Pushing Blobs").
const SESSIONS: &str = "/blobs/uploads/";

/// Most characters of a path that are shown. Digests are in them, twice at most.
const LONGEST: usize = 400;

/// Scheme, host and path of a URL: queries hold signatures and tokens, user information is one. The name of an upload
/// session is left out as well: who knows it may go on with the upload at some hosts.
pub fn shown(url: &Url) -> String {
    let path = match url.path().split_once(SESSIONS) {
        Some((before, session)) if !session.is_empty() => format!("{before}{SESSIONS}…"),
        _ => url.path().to_owned(),
    };
    let more = if path.len() > LONGEST { "…" } else { "" };
    // A path of a URL is ASCII, but for the sign above.
    let path: String = path.chars().take(LONGEST).collect();
    format!("{}://{}{path}{more}", url.scheme(), host_of(url))
}

/// The host with its port, where that is not the usual one.
pub fn host_of(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap_or_default())
}

/// Why a request failed, without its URL: the cause that stands behind all others.
pub fn reason(error: &reqwest::Error) -> String {
    scrub(&cause(error))
}

/// The same in full. It may hold text of the other side.
pub fn cause(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut source = error.source();
    while let Some(cause) = source {
        text = cause.to_string();
        source = cause.source();
    }
    if text.is_empty() {
        text = if error.is_timeout() { "timed out" } else { "the request failed" }.to_owned();
    }
    text
}

/// Foreign text that may be shown: what steers a terminal escaped, at most 200 characters, and nothing behind a word that
/// announces a secret.
pub fn scrub(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let end = SECRETS.iter().filter_map(|word| lower.find(word)).min();
    let (text, cut) = match end {
        Some(end) => (&text[..end], "[redacted]"),
        None => (text, ""),
    };
    let written = |c: char| match is_steering(c) && !c.is_control() {
        true => c.escape_unicode().collect::<String>(),
        false => c.escape_debug().collect(),
    };
    let shown: String = text.chars().map(written).collect::<String>().chars().take(200).collect();
    // Quotes are no danger, and most answers are full of them.
    shown.replace("\\\"", "\"").replace("\\'", "'") + cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        let url = "https://u:p@cdn.example:8443/a/b?X-Amz-Signature=abc&sig=def#f".parse().unwrap();
        assert_eq!(shown(&url), "https://cdn.example:8443/a/b");
        assert_eq!(scrub("a\u{202e}b"), "a\\u{202e}b");
        let session = "https://ghcr.io/v2/a/blobs/uploads/cafe?_state=x".parse().unwrap();
        assert_eq!(shown(&session), "https://ghcr.io/v2/a/blobs/uploads/…");
        let long: Url = format!("https://ghcr.io/{}", "x".repeat(9000)).parse().unwrap();
        assert_eq!(shown(&long), format!("https://ghcr.io/{}…", "x".repeat(399)));
        assert_eq!(scrub("denied: \"x\"\u{1b}[2J"), "denied: \"x\"\\u{1b}[2J");
        for text in [
            "got Authorization: Basic dXNlcjpwYXNz",
            "url https://x/?X-Amz-Credential=AKIA&X-Amz-Signature=dXNlcjpwYXNz",
            "?sig=dXNlcjpwYXNz",
            "{\"password\":\"dXNlcjpwYXNz\"}",
            "BEARER dXNlcjpwYXNz",
        ] {
            let shown = scrub(text);
            assert!(shown.ends_with("[redacted]") && !shown.contains("dXNlcjpwYXNz"), "{shown}");
        }
        assert_eq!(scrub(&"é".repeat(300)).chars().count(), 200);
    }
}
