//! Commits as the notes and the evidence see them.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::BuildHasherDefault;
use std::str::FromStr;
use std::sync::Arc;

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

/// A set of commits, see [`CommitMap`].
pub type CommitSet = HashSet<CommitId, BuildHasherDefault<IdHasher>>;

/// What is known about people, by the place where they are in memory. Who is asked about must stay there as long.
pub type PersonMap<V> = HashMap<*const Person, V, BuildHasherDefault<IdHasher>>;

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

    /// Numbers are no digests: they are mixed.
    fn write_usize(&mut self, number: usize) {
        let mixed = (self.0 ^ number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
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

    /// Whether text may stand for an id: 7 to 40 hexadecimal digits of either case.
    pub fn is_named_by(text: &str) -> bool {
        (7..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    /// Reads 40 lower-case hexadecimal digits; `None` for anything else.
    pub fn from_digits(digits: &[u8]) -> Option<Self> {
        let (pairs, rest) = digits.as_chunks::<2>();
        let pairs: &[[u8; 2]; 20] = pairs.try_into().ok()?;
        let (mut bytes, mut wrong) = ([0; 20], rest.len());
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let (high, low) = (VALUES[usize::from(*high)], VALUES[usize::from(*low)]);
            wrong |= usize::from((high | low) & NO_DIGIT);
            *byte = (high << 4) | (low & 15);
        }
        (wrong == 0).then_some(Self(bytes))
    }

    /// The 40 digits as bytes of ASCII.
    pub fn digits(&self) -> [u8; 40] {
        let mut text = [0; 40];
        for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *pair = PAIRS[usize::from(byte)];
        }
        text
    }
}

/// What is no digit has this bit.
const NO_DIGIT: u8 = 0x80;
/// The values of lower-case digits.
static VALUES: [u8; 256] = {
    let mut table = [NO_DIGIT; 256];
    let mut value = 0u8;
    while value < 16 {
        table[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    table
};
/// The digits of each byte.
static PAIRS: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
};

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.digits()).unwrap_or_default())
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
        Self::from_digits(text.as_bytes()).ok_or_else(invalid)
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
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    /// Who wrote the change; the same person is the same value where commits were read together.
    pub author: Arc<Person>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_there_and_back() {
        let text = "0123456789abcdef0123456789abcdef01234567";
        let id: CommitId = text.parse().unwrap();
        assert_eq!((id.as_bytes()[0], id.as_bytes()[4], id.as_bytes()[19]), (0x01, 0x89, 0x67));
        assert_eq!((id.to_string().as_str(), id.digits().as_slice()), (text, text.as_bytes()));
        for wrong in ["", &text[1..], &format!("{text}0"), &text.replace('a', "A"), &text.replace('f', "g")] {
            assert_eq!(CommitId::from_digits(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(CommitId::from_digits(&[0xff; 40]), None);
        assert!([&text[..7], "0123ABC", text].into_iter().all(CommitId::is_named_by));
        assert!(!["", "012345", "012345g", &format!("{text}0")].into_iter().any(CommitId::is_named_by));
    }
}
