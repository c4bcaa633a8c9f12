//! Who may sign, and whose keys were taken back.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::{MAX_BYTES, MAX_KEY, Reader, SshError, string};

/// One line of a file of allowed signers (ssh-keygen, ALLOWED SIGNERS).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedSigner {
    /// Who the key belongs to, as it stands in the file: patterns separated by commas.
    pub principals: String,
    /// Whether the key signs certificates; it signs nothing else then.
    pub cert_authority: bool,
    /// What it may sign; `None` = anything.
    pub namespaces: Option<String>,
    /// Not before.
    pub valid_after: Option<Timestamp>,
    /// Not after.
    pub valid_before: Option<Timestamp>,
    /// The public key.
    pub key: Vec<u8>,
}

impl AllowedSigner {
    /// Whether the key of this line may sign for a namespace at a time.
    pub fn may_sign(&self, namespace: &str, time: Timestamp) -> bool {
        !self.cert_authority
            && self.namespaces.as_deref().is_none_or(|list| in_list(namespace, list))
            && self.valid_after.is_none_or(|after| time >= after)
            && self.valid_before.is_none_or(|before| time <= before)
    }
}

/// Reads a file of allowed signers. A line that cannot be read is an error: a limit that is not understood would be no
/// limit.
pub fn allowed_signers(bytes: &[u8]) -> Result<Vec<AllowedSigner>, SshError> {
    let mut signers = Vec::new();
    for (number, line) in lines(bytes)? {
        signers.push(allowed_signer(line).map_err(|reason| SshError::Line { line: number, reason })?);
    }
    Ok(signers)
}

/// The lines that are neither empty nor comments, with their numbers.
fn lines(bytes: &[u8]) -> Result<Vec<(usize, &str)>, SshError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(SshError::TooLarge { found: bytes.len() });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| SshError::NotText)?;
    let lines = (1..).zip(text.lines().map(str::trim));
    Ok(lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).collect())
}

fn allowed_signer(line: &str) -> Result<AllowedSigner, &'static str> {
    let (principals, rest) = field(line)?;
    if principals.is_empty() {
        return Err("it names nobody");
    }
    let mut signer = AllowedSigner {
        principals,
        cert_authority: false,
        namespaces: None,
        valid_after: None,
        valid_before: None,
        key: Vec::new(),
    };
    let mut rest = rest;
    if !is_key_type(rest.split_ascii_whitespace().next().unwrap_or_default()) {
        let (options, after) = raw_field(rest)?;
        for option in split_options(options)? {
            take_option(&option, &mut signer)?;
        }
        rest = after;
    }
    signer.key = key_of(rest)?;
    Ok(signer)
}

fn take_option(option: &str, signer: &mut AllowedSigner) -> Result<(), &'static str> {
    let (name, value) = match option.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (option, None),
    };
    let time = || {
        time_of(value.ok_or("an option has no value")?).ok_or("a time has not the form YYYYMMDD[HHMM[SS]][Z]")
    };
    match (name.to_ascii_lowercase().as_str(), value) {
        ("cert-authority", None) => signer.cert_authority = true,
        ("namespaces", Some(list)) if signer.namespaces.is_none() && !list.is_empty() => {
            signer.namespaces = Some(list.to_owned());
        }
        ("valid-after", _) if signer.valid_after.is_none() => signer.valid_after = Some(time()?),
        ("valid-before", _) if signer.valid_before.is_none() => signer.valid_before = Some(time()?),
        _ => return Err("it has an option that is unknown, given twice, or without its value"),
    }
    Ok(())
}

fn is_key_type(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-", "rsa-sha2-", "webauthn-"]
        .iter()
        .any(|start| word.starts_with(start))
}

/// `TYPE BASE64 [COMMENT]` to the bytes of the key, whose type is the one that is named.
fn key_of(text: &str) -> Result<Vec<u8>, &'static str> {
    let mut words = text.split_ascii_whitespace();
    let (kind, packed) = (words.next().ok_or("it has no key")?, words.next().ok_or("it has no key")?);
    if packed.len() > 2 * MAX_KEY {
        return Err("its key is too long");
    }
    let key = STANDARD.decode(packed).map_err(|_| "its key is not base64")?;
    match string(&key) {
        Some((named, _)) if named == kind.as_bytes() => Ok(key),
        _ => Err("its key is not of the type that is named"),
    }
}

/// The first field without its quotes, and the rest of the line.
fn field(line: &str) -> Result<(String, &str), &'static str> {
    let (raw, rest) = raw_field(line)?;
    Ok((raw.replace('"', ""), rest))
}

/// The first field: blanks between quotes belong to it.
fn raw_field(line: &str) -> Result<(&str, &str), &'static str> {
    let mut quoted = false;
    for (at, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => return Ok((&line[..at], line[at..].trim_start())),
            _ => {}
        }
    }
    Err(if quoted { "a quote is not closed" } else { "it has no key" })
}

/// Options at commas outside of quotes, without their quotes.
fn split_options(options: &str) -> Result<Vec<String>, &'static str> {
    let mut found = vec![String::new()];
    let mut quoted = false;
    for c in options.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => found.push(String::new()),
            _ => found.last_mut().ok_or("it has no options")?.push(c),
        }
    }
    Ok(found)
}

/// `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`, with or without `Z`; UTC in any case, so that the answer does not
/// depend on the machine.
fn time_of(text: &str) -> Option<Timestamp> {
    let digits = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to)?.parse::<i8>().ok();
    let (hour, minute, second) = match digits.len() {
        8 => (0, 0, 0),
        12 => (part(8, 10)?, part(10, 12)?, 0),
        14 => (part(8, 10)?, part(10, 12)?, part(12, 14)?),
        _ => return None,
    };
    let year = digits.get(..4)?.parse::<i16>().ok()?;
    let time = DateTime::new(year, part(4, 6)?, part(6, 8)?, hour, minute, second, 0).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// Patterns separated by commas, with `*` and `?`; `!` takes out (ssh_config, PATTERNS).
fn in_list(name: &str, list: &str) -> bool {
    let mut found = false;
    for pattern in list.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if glob(pattern.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => found |= glob(pattern.as_bytes(), name.as_bytes()),
        }
    }
    found
}

/// Whether a pattern with `*` and `?` is a name.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, n) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

/// Keys that sign nothing any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revoked {
    keys: BTreeSet<Vec<u8>>,
    /// SHA-1 of keys.
    sha1: BTreeSet<Vec<u8>>,
    /// SHA-256 of keys.
    sha256: BTreeSet<Vec<u8>>,
}

impl Revoked {
    /// Reads a list of public keys, one a line, or a binary list (`PROTOCOL.krl`). Of a binary list everything is
    /// understood that is about plain keys; what is about certificates is passed over.
    pub fn parse(bytes: &[u8]) -> Result<Self, SshError> {
        if bytes.starts_with(KRL_MAGIC) {
            if bytes.len() as u64 > MAX_BYTES {
                return Err(SshError::TooLarge { found: bytes.len() });
            }
            return krl(&bytes[KRL_MAGIC.len()..]).ok_or(SshError::Revocations);
        }
        let mut revoked = Self::default();
        for (number, line) in lines(bytes)? {
            let key = key_of(line).map_err(|reason| SshError::Line { line: number, reason })?;
            revoked.keys.insert(key);
        }
        Ok(revoked)
    }

    /// Whether a key is in the list. `digests` gives its SHA-1 and SHA-256.
    pub fn has(&self, key: &[u8], digests: (&[u8], &[u8])) -> bool {
        self.keys.contains(key) || self.sha1.contains(digests.0) || self.sha256.contains(digests.1)
    }
}

const KRL_MAGIC: &[u8] = b"SSHKRL\n\0";

fn krl(bytes: &[u8]) -> Option<Revoked> {
    let mut reader = Reader(bytes);
    if reader.number()? != 1 {
        return None;
    }
    // Version, date and flags, eight bytes each; then something reserved and a comment.
    reader.take(24)?;
    reader.string()?;
    reader.string()?;
    let mut revoked = Revoked::default();
    while !reader.0.is_empty() {
        let kind = *reader.take(1)?.first()?;
        let mut section = Reader(reader.string()?);
        let into = match kind {
            // Certificates, and signatures of the list itself.
            1 | 4 => continue,
            2 => &mut revoked.keys,
            3 => &mut revoked.sha1,
            5 => &mut revoked.sha256,
            _ => return None,
        };
        while !section.0.is_empty() {
            into.insert(section.string()?.to_vec());
        }
    }
    Some(revoked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Hint as _;

    /// Made with `ssh-keygen -t ed25519`.
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGKZhq1H1i0LbcJZ2m3nIQpJG5s8z5pW0m3m3z0f0m0A";

    fn signers(text: &str) -> Result<Vec<AllowedSigner>, SshError> {
        allowed_signers(text.as_bytes())
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn lines_of_allowed_signers() {
        let text = format!(
            "# comment\n\n*@example.com,ada namespaces=\"git,file\",valid-after=\"20260101\",valid-before=\"202602011200Z\" {KEY} a comment\nca cert-authority {KEY}\n\"a b\" {KEY}\n"
        );
        let found = signers(&text).unwrap();
        assert_eq!(found.len(), 3);
        let first = &found[0];
        assert_eq!(first.principals, "*@example.com,ada");
        assert!(first.may_sign("git", time("2026-01-01T00:00:00Z")));
        assert!(first.may_sign("file", time("2026-02-01T12:00:00Z")));
        assert!(!first.may_sign("git", time("2026-02-01T12:00:01Z")));
        assert!(!first.may_sign("git", time("2025-12-31T23:59:59Z")));
        assert!(!first.may_sign("mail", time("2026-01-15T00:00:00Z")));
        assert!(!found[1].may_sign("git", time("2026-01-15T00:00:00Z")), "it signs certificates only");
        assert_eq!(found[2].principals, "a b");
        assert!(found[2].may_sign("anything", Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn lines_that_are_not_understood_are_refused() {
        for (line, reason) in [
            ("ada", "it has no key"),
            ("ada ssh-ed25519", "it has no key"),
            ("ada ssh-ed25519 !!", "its key is not base64"),
            ("ada ssh-rsa AAAAC3NzaC1lZDI1NTE5", "its key is not of the type that is named"),
            ("ada valid-before=\"soon\" ssh-ed25519 AAAA", "a time has not the form YYYYMMDD[HHMM[SS]][Z]"),
            (
                "ada valid-before=\"20261301\" ssh-ed25519 AAAA",
                "a time has not the form YYYYMMDD[HHMM[SS]][Z]",
            ),
            (
                "ada not-yet=\"x\" ssh-ed25519 AAAA",
                "it has an option that is unknown, given twice, or without its value",
            ),
            ("ada namespaces=\"git ssh-ed25519 AAAA", "a quote is not closed"),
        ] {
            assert_eq!(signers(&format!("\n{line}\n")), Err(SshError::Line { line: 2, reason }), "{line}");
        }
        assert_eq!(signers("\u{fffd}").unwrap_err().code(), "ssh-keys");
        assert_eq!(allowed_signers(b"\xff"), Err(SshError::NotText));
    }

    #[test]
    fn patterns() {
        for (list, name, expected) in [
            ("git", "git", true),
            ("git", "github", false),
            ("g?t,x", "git", true),
            ("*", "git", true),
            ("*,!git", "git", false),
            ("!mail", "git", false),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXbX", false),
        ] {
            assert_eq!(in_list(name, list), expected, "{list} {name}");
        }
    }

    #[test]
    fn revoked_keys() {
        let revoked = Revoked::parse(format!("{KEY}\n").as_bytes()).unwrap();
        let key = key_of(KEY).unwrap();
        assert!(revoked.has(&key, (b"", b"")) && !revoked.has(b"other", (b"", b"")));
        let mut binary = KRL_MAGIC.to_vec();
        binary.extend(1u32.to_be_bytes());
        binary.extend([0; 24]);
        binary.extend([0; 8]);
        binary.push(5);
        binary.extend(36u32.to_be_bytes());
        binary.extend(32u32.to_be_bytes());
        binary.extend([7; 32]);
        let revoked = Revoked::parse(&binary).unwrap();
        assert!(revoked.has(&key, (b"", &[7; 32])) && !revoked.has(&key, (&[7; 32], b"")));
        for end in KRL_MAGIC.len()..binary.len() {
            // Cut inside a section, or in the header.
            if end != binary.len() - 41 {
                assert_eq!(Revoked::parse(&binary[..end]), Err(SshError::Revocations), "{end}");
            }
        }
        binary[KRL_MAGIC.len() + 36] = 255;
        assert_eq!(Revoked::parse(&binary), Err(SshError::Revocations));
    }
}
