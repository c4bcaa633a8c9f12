//! ASCII armor (RFC 4880, section 6). The checksum is not looked at: signatures prove more than it does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::PgpError;

/// The bytes of every armored block of a kind; the bytes as they are when they are not armored at all.
pub(super) fn blocks(bytes: &[u8], kind: &str) -> Result<Vec<Vec<u8>>, PgpError> {
    let refuse = |reason| PgpError::Data { reason };
    let start = bytes.trim_ascii_start();
    // A packet has the highest bit set, text has not.
    if start.is_empty() || start[0] & 0x80 != 0 {
        return Ok(vec![bytes.to_vec()]);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| refuse("it is neither armored nor binary"))?;
    let (first, last) = (format!("-----BEGIN PGP {kind}-----"), format!("-----END PGP {kind}-----"));
    let mut found = Vec::new();
    let mut lines = text.lines().map(str::trim_end);
    while let Some(line) = lines.next() {
        if line.starts_with("-----BEGIN PGP PRIVATE KEY") {
            return Err(refuse("it holds secret keys"));
        }
        if line != first {
            continue;
        }
        // Headers such as `Version: …`, then a blank line.
        let mut packed = String::new();
        let mut headers = true;
        let mut closed = false;
        for line in lines.by_ref() {
            if line == last {
                closed = true;
                break;
            }
            if headers && (line.is_empty() || line.contains(": ")) {
                headers = !line.is_empty();
            } else if !(line.starts_with('=') && line.len() == 5) {
                headers = false;
                packed.push_str(line.trim());
            }
        }
        if !closed {
            return Err(refuse("an armored block does not end"));
        }
        found.push(STANDARD.decode(packed).map_err(|_| refuse("an armored block is not base64"))?);
    }
    if found.is_empty() {
        return Err(refuse("it is neither armored nor binary"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn armored_and_plain() {
        let text = "words\n-----BEGIN PGP SIGNATURE-----\nVersion: x\n\niQ==\n=abcd\n-----END PGP SIGNATURE-----\n\n-----BEGIN PGP SIGNATURE-----\n\niQ\n==\n-----END PGP SIGNATURE-----\n";
        assert_eq!(blocks(text.as_bytes(), "SIGNATURE").unwrap(), [[0x89], [0x89]]);
        assert_eq!(blocks(&[0x89, 1], "SIGNATURE").unwrap(), [[0x89, 1]]);
        for text in
            ["x", "-----BEGIN PGP SIGNATURE-----\n\niQ==\n", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n"]
        {
            assert!(blocks(text.as_bytes(), "SIGNATURE").is_err(), "{text}");
        }
    }
}
