//! A commit object: header lines, an empty line, the message.

use jiff::Timestamp;

use crate::model::{Commit, CommitId, Person, SignedCommit};

/// The longest message that is kept; a longer one is cut, since nobody reads it in notes.
const MAX_MESSAGE: usize = 1 << 20;

/// Reads the bytes of a commit object. `None` when they are not one.
pub(super) fn read(id: CommitId, bytes: &[u8]) -> Option<Commit> {
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
        let Some(space) = line.iter().take(12).position(|byte| *byte == b' ') else { continue };
        let value = &line[space + 1..];
        match &line[..space] {
            b"tree" if tree.is_none() => tree = std::str::from_utf8(value).ok()?.parse().ok(),
            b"parent" => parents.push(std::str::from_utf8(value).ok()?.parse().ok()?),
            b"author" if author.is_none() => author = Some(value),
            b"committer" if time.is_none() => time = Some(when(value)?),
            b"encoding" => encoding = Some(value),
            b"gpgsig" => signed = true,
            // mergetag, and the lines that go on with a space.
            _ => {}
        }
        if rest.is_empty() {
            break;
        }
    }
    let message = decode(&rest[..rest.len().min(MAX_MESSAGE)], encoding);
    // Names are in the encoding of the message, which is told behind them.
    let (author, authored) = signature(author?, encoding)?;
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
    let close = line.iter().rposition(|byte| *byte == b'>')?;
    let open = line[..close].iter().position(|byte| *byte == b'<')?;
    let text = |bytes: &[u8]| decode(bytes.trim_ascii(), encoding);
    Some((Person { name: text(&line[..open]), email: text(&line[open + 1..close]) }, when(line)?))
}

/// The time of a signature line.
fn when(line: &[u8]) -> Option<Timestamp> {
    let close = line.iter().rposition(|byte| *byte == b'>')?;
    line[..close].contains(&b'<').then_some(())?;
    let seconds = std::str::from_utf8(&line[close + 1..]).ok()?.split_whitespace().next();
    let seconds = seconds.and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
    Some(Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH))
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

    #[test]
    fn reads_headers_and_message() {
        let bytes = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\
            parent 0101010101010101010101010101010101010101\n\
            author Ad\xe4 <a@x> 1700000000 +0100\ncommitter B <b@x> 1700000060 -0500\n\
            gpgsig -----BEGIN\n author Mallory <m@x> 1 +0000\n -----END\nencoding ISO-8859-1\n\nfeat: \xe4\n";
        let commit = read(ID, bytes).unwrap();
        assert_eq!(commit.parents, ["0101010101010101010101010101010101010101".parse().unwrap()]);
        assert_eq!(commit.author, Person { name: "Ad\u{e4}".into(), email: "a@x".into() });
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
        let commit =
            read(ID, b"tree 4b\nauthor <> 99999999999999999999 +0000\ncommitter  <> -5 x\n\n").unwrap();
        assert_eq!((commit.author.name.as_str(), commit.time.as_second()), ("", -5));
        assert_eq!(commit.message, "");
        assert_eq!(read(ID, b"author A <a> 1 +0000\ncommitter B\n\nx"), None);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            read(ID, &bytes);
            unsign(&bytes);
        }
    }
}
