//! Commits as the notes and the evidence see them.

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasherDefault;
use std::str::FromStr;

use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::Tag;

/// The object id of a commit: 40 lower-case hexadecimal digits (SHA-1 repositories).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CommitId([u8; 20]);

impl std::hash::Hash for CommitId {
    /// An id is the digest of something: eight bytes of it tell ids apart as well as all of them.
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        state.write_u64(u64::from_ne_bytes([a, b, c, d, e, f, g, h]));
    }
}

/// A map by commit. Ids are digests of something, so that they need not be mixed again: bits of theirs tell places apart.
pub type CommitMap<V> = HashMap<CommitId, V, BuildHasherDefault<IdHasher>>;

/// The hasher of [`CommitMap`].
#[derive(Debug, Clone, Copy, Default)]
pub struct IdHasher(u64);

impl std::hash::Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = id;
    }
}

impl CommitId {
    /// Wraps the 20 bytes of an object id.
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The 20 bytes of the object id.
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// The first seven hexadecimal digits, for people.
    pub fn short(&self) -> String {
        self.to_string()[..7].to_owned()
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 40];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CommitId {
    type Err = InvalidCommitId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidCommitId { found: text.escape_debug().take(80).collect() };
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        if text.len() != 40 {
            return Err(invalid());
        }
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = digit(pair[0]).ok_or_else(invalid)? * 16 + digit(pair[1]).ok_or_else(invalid)?;
        }
        Ok(Self(bytes))
    }
}

impl From<CommitId> for String {
    fn from(id: CommitId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for CommitId {
    type Error = InvalidCommitId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Text that is not 40 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a commit id of 40 hexadecimal digits")]
pub struct InvalidCommitId {
    /// The refused text.
    pub found: String,
}

/// A name and an e-mail address as git recorded them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The address, without angle brackets.
    pub email: String,
}

/// One commit: header fields and the message, decoded to UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The object id.
    pub id: CommitId,
    /// The object id of the tree.
    pub tree: CommitId,
    /// Parents in the order of the header.
    pub parents: Vec<CommitId>,
    /// Who wrote the change.
    pub author: Person,
    /// When the change was written; a cherry-pick keeps it.
    pub authored: Timestamp,
    /// When it was committed.
    pub time: Timestamp,
    /// The whole message.
    pub message: String,
    /// Whether it has a signature.
    pub signed: bool,
}

/// A commit with its signature taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCommit {
    /// The bytes that were signed.
    pub payload: Vec<u8>,
    /// The signature, armored.
    pub signature: Vec<u8>,
    /// Whether it is the only one.
    pub single: bool,
}

/// A release tag and what it points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagFacts {
    /// The name.
    pub tag: Tag,
    /// The version in the name.
    pub version: Version,
    /// The commit, annotated and nested tags peeled.
    pub commit: CommitId,
    /// What the reference points to: the tag object, or the commit itself.
    pub object: CommitId,
}
