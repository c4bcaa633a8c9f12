//! A stream that is checked against its descriptor while it is read.

use std::io::{self, Read};

use crate::model::{Digest, Hasher};
use crate::port::RegistryError;

/// Hands out at most `size` bytes, and the last of them only when the digest of all is right. Nothing behind them is
/// read, so an endless source does no harm.
pub(super) struct Checked<R> {
    inner: R,
    expected: Digest,
    size: u64,
    seen: u64,
    /// `None` once the digest was found right.
    hasher: Option<Hasher>,
}

impl<R: Read> Checked<R> {
    /// Wraps a stream that should have this digest and size.
    pub(super) fn new(inner: R, expected: Digest, size: u64) -> Self {
        Self { inner, expected, size, seen: 0, hasher: Some(Hasher::default()) }
    }

    fn check(&mut self) -> io::Result<()> {
        let Some(hasher) = &self.hasher else { return Ok(()) };
        let (found, _) = hasher.clone().finish();
        if found == self.expected {
            self.hasher = None;
            return Ok(());
        }
        Err(invalid(RegistryError::DigestMismatch {
            what: "the blob".to_owned(),
            expected: self.expected,
            found,
        }))
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.size - self.seen;
        if left == 0 || buffer.is_empty() {
            if left == 0 {
                self.check()?;
            }
            return Ok(0);
        }
        let most = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let read = self.inner.read(&mut buffer[..most])?;
        if read == 0 {
            let what = self.expected.to_string();
            return Err(invalid(RegistryError::SizeMismatch { what, expected: self.size, found: self.seen }));
        }
        self.seen += read as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..read]);
        }
        if self.seen == self.size {
            self.check()?;
        }
        Ok(read)
    }
}

fn invalid(error: RegistryError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hands_out_what_is_right_and_stops_at_the_size() {
        let digest = Digest::of(b"abc");
        let mut text = String::new();
        Checked::new(&b"abcdef"[..], digest, 3).read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
        assert_eq!(Checked::new(io::repeat(0), Digest::of(b""), 0).read_to_end(&mut Vec::new()).unwrap(), 0);
    }

    #[test]
    fn never_hands_out_the_end_of_something_else() {
        let digest = Digest::of(b"abc");
        for (bytes, size) in [(&b"abd"[..], 3), (b"ab", 3), (b"abc", 4), (b"abcd", 4), (b"", 3), (b"abc", 0)]
        {
            let mut seen = Vec::new();
            let error = Checked::new(bytes, digest, size).read_to_end(&mut seen).unwrap_err();
            let error = RegistryError::of_read(error, "the blob");
            assert!(
                matches!(error, RegistryError::DigestMismatch { .. } | RegistryError::SizeMismatch { .. }),
                "{error}"
            );
        }
    }
}
