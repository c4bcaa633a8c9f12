//! A commit object: header lines, an empty line, the message.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{Commit, CommitId, Person, SignedCommit};

/// The longest message that is kept; a longer one is cut, since nobody reads it in notes.
const MAX_MESSAGE: usize = 1 << 20;

/// The authors of commits that were read, each once, by what commits say about them: name and address.
#[derive(Default)]
pub(super) struct People {
    known: HashMap<Box<[u8]>, Arc<Person>>,
}

impl People {
    /// Who is behind a name and an address, `Name <address>`.
    fn person(&mut self, line: &Line<'_>, encoding: Option<&[u8]>) -> Arc<Person> {
        if encoding.is_some() {
            return Arc::new(line.person(encoding));
        }
        if let Some(known) = self.known.get(line.who) {
            return Arc::clone(known);
        }
        let person = Arc::new(line.person(None));
        self.known.insert(line.who.into(), Arc::clone(&person));
        person
    }
}

/// Reads the bytes of a commit object. `None` when they are not one.
pub(super) fn read(id: CommitId, bytes: &[u8], people: &mut People) -> Option<Commit> {
    let mut rest = bytes;
    let (mut parents, mut author, mut time, mut encoding) = (Vec::new(), None, None, None);
    let mut tree = None;
    let mut signed = false;
    loop {
        let end = memchr::memchr(b'\n', rest)?;
        let line = &rest[..end];
        rest = &rest[end + 1..];
        if line.is_empty() {
            break;
        }
        // Signatures are long; their lines go on with a space.
        if line[0] == b' ' {
            continue;
        }
        let Some(space) = line.iter().take(12).position(|byte| *byte == b' ') else { continue };
        let value = &line[space + 1..];
        match &line[..space] {
            b"tree" if tree.is_none() => tree = CommitId::from_digits(value),
            b"parent" => {
                // Nearly every commit has one.
                parents.reserve_exact(1);
                parents.push(CommitId::from_digits(value)?);
            }
            b"author" if author.is_none() => author = Some(value),
            b"committer" if time.is_none() => time = Some(Line::of(value)?.when()),
            b"encoding" => encoding = Some(value),
            b"gpgsig" => signed = true,
            // mergetag, and what nobody knows.
            _ => {}
        }
        if rest.is_empty() {
            break;
        }
    }
    let message = decode(&rest[..rest.len().min(MAX_MESSAGE)], encoding);
    // Names are in the encoding of the message, which is told behind them.
    let line = Line::of(author?)?;
    let (author, authored) = (people.person(&line, encoding), line.when());
    // A tree that cannot be read is missed where it is looked for.
    let tree = tree.unwrap_or(CommitId::from_bytes([0; 20]));
    Some(Commit { id, tree, parents, author, authored, time: time?, message, signed })
}

/// Takes the signature out of a commit object, as git does before it checks it: the header `gpgsig` with the lines that
/// go on with a space, and the same with another algorithm in its name, which is not looked at. `None` without one.
pub(super) fn unsign(bytes: &[u8]) -> Option<SignedCommit> {
    #[derive(Clone, Copy, PartialEq)]
    enum In {
        Signature,
        Other,
        Header,
    }
    let (mut payload, mut signature, mut count) = (Vec::with_capacity(bytes.len()), Vec::new(), 0);
    let mut place = In::Header;
    let mut rest = bytes;
    while !rest.is_empty() && rest[0] != b'\n' {
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at(end);
        rest = after;
        if line[0] != b' ' {
            place = match line.strip_prefix(b"gpgsig") {
                Some([b' ', ..]) => In::Signature,
                Some(_) => In::Other,
                None => In::Header,
            };
            count += usize::from(place == In::Signature);
        }
        match place {
            In::Signature => signature.extend(line.strip_prefix(b"gpgsig ").unwrap_or(&line[1..])),
            In::Other => {}
            In::Header => payload.extend(line),
        }
    }
    payload.extend(rest);
    (count > 0).then_some(SignedCommit { payload, signature, single: count == 1 })
}

/// `Name <address> seconds zone`. Names are taken as they are; a time that is out of range becomes the epoch.
pub(super) fn signature(line: &[u8], encoding: Option<&[u8]>) -> Option<(Person, Timestamp)> {
    let line = Line::of(line)?;
    Some((line.person(encoding), line.when()))
}

/// The parts of `Name <address> seconds zone`.
struct Line<'a> {
    /// `Name <address>`
    who: &'a [u8],
    /// Where the address begins.
    open: usize,
    rest: &'a [u8],
}

impl<'a> Line<'a> {
    fn of(line: &'a [u8]) -> Option<Self> {
        let close = memchr::memrchr(b'>', line)?;
        let open = memchr::memchr(b'<', &line[..close])?;
        Some(Self { who: &line[..=close], open, rest: &line[close + 1..] })
    }

    fn person(&self, encoding: Option<&[u8]>) -> Person {
        let text = |bytes: &[u8]| decode(bytes.trim_ascii(), encoding);
        Person {
            name: text(&self.who[..self.open]),
            email: text(&self.who[self.open + 1..self.who.len() - 1]),
        }
    }

    fn when(&self) -> Timestamp {
        let seconds = self.seconds().or_else(|| {
            let seconds = std::str::from_utf8(self.rest).ok()?.split_whitespace().next();
            seconds.and_then(|seconds| seconds.parse().ok())
        });
        Timestamp::from_second(seconds.unwrap_or(0)).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// The number as nearly everybody writes it: a blank, digits, a blank.
    fn seconds(&self) -> Option<i64> {
        let digits = self.rest.strip_prefix(b" ")?;
        let end = memchr::memchr(b' ', digits).filter(|end| (1..=18).contains(end))?;
        digits[..end]
            .iter()
            .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
    }
}

/// UTF-8, or Latin-1 where the commit says so, or UTF-8 with replacement characters.
fn decode(bytes: &[u8], encoding: Option<&[u8]>) -> String {
    let latin = encoding.is_some_and(|name| {
        [b"iso-8859-1".as_slice(), b"iso8859-1", b"latin1", b"latin-1"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
    });
    if latin {
        bytes.iter().copied().map(char::from).collect()
    } else {
        std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes).into_owned(), str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: CommitId = CommitId::from_bytes([7; 20]);

    fn commit(bytes: &[u8]) -> Option<Commit> {
        read(ID, bytes, &mut People::default())
    }

    #[test]
    fn reads_headers_and_message() {
        let bytes = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\
            parent 0101010101010101010101010101010101010101\n\
            author Ad\xe4 <a@x> 1700000000 +0100\ncommitter B <b@x> 1700000060 -0500\n\
            gpgsig -----BEGIN\n author Mallory <m@x> 1 +0000\n -----END\nencoding ISO-8859-1\n\nfeat: \xe4\n";
        let commit = commit(bytes).unwrap();
        assert_eq!(commit.parents, ["0101010101010101010101010101010101010101".parse().unwrap()]);
        assert_eq!(*commit.author, Person { name: "Ad\u{e4}".into(), email: "a@x".into() });
        assert_eq!(commit.time.as_second(), 1_700_000_060);
        assert_eq!(commit.message, "feat: ä\n");
    }

    #[test]
    fn a_signature_is_taken_out_and_nothing_else() {
        let bytes = b"tree 4b\nauthor A <a> 1 +0000\ngpgsig -----BEGIN\n a\n \n b\n -----END\nmergetag object\n gpgsig x\ngpgsig-sha256 other\n more\nencoding x\n\ngpgsig no\n no\n";
        let commit = unsign(bytes).unwrap();
        assert_eq!(commit.signature, b"-----BEGIN\na\n\nb\n-----END\n");
        assert_eq!(
            String::from_utf8_lossy(&commit.payload),
            "tree 4b\nauthor A <a> 1 +0000\nmergetag object\n gpgsig x\nencoding x\n\ngpgsig no\n no\n"
        );
        assert!(commit.single);
        assert!(!unsign(b"gpgsig a\ngpgsig b\n\n").unwrap().single);
        assert_eq!(unsign(b"tree 4b\n\ngpgsig a\n"), None);
    }

    #[test]
    fn an_empty_message_and_strange_times() {
        let read = commit(b"tree 4b\nauthor <> 99999999999999999999 +0000\ncommitter  <> -5 x\n\n").unwrap();
        assert_eq!((read.author.name.as_str(), read.time.as_second()), ("", -5));
        assert_eq!(read.message, "");
        assert_eq!(commit(b"author A <a> 1 +0000\ncommitter B\n\nx"), None);
    }

    #[test]
    fn times_as_they_are_written() {
        let time =
            |rest: &str| signature(format!("A <a>{rest}").as_bytes(), None).map(|(_, time)| time.as_second());
        for (rest, seconds) in [
            (" 1700000000 +0100", 1_700_000_000),
            (" 17", 17),
            ("  17  +0000", 17),
            ("\t17 x", 17),
            (" +17 x", 17),
            (" -17 x", -17),
            (" 1x +0000", 0),
            (" 999999999999999999 +0000", 0),
            ("", 0),
        ] {
            assert_eq!(time(rest), Some(seconds), "{rest:?}");
        }
        assert_eq!(time("> 5 +0000"), Some(5));
    }

    #[test]
    fn one_person_is_one_value() {
        let mut people = People::default();
        let mut author = |who: &str, more: &str| {
            let text = format!("tree 4b\nauthor {who} 1 +0000\ncommitter C <c> 2 +0000\n{more}\nx");
            read(ID, text.as_bytes(), &mut people).unwrap().author
        };
        let (one, same, other) = (author("A <a>", ""), author("A <a>", ""), author("A <b>", ""));
        assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
        assert_eq!(*author("A <a>", "encoding latin1\n"), *one);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            commit(&bytes);
            unsign(&bytes);
        }
    }
}
