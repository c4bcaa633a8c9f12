//! Content on its way: streams that are checked while they are read, and content that can be opened again.

use std::io::{self, Cursor, Read};

use bytes::Bytes;

use super::{Registry, RegistryError};
use crate::format::oci::Descriptor;
use crate::model::{Digest, Hasher};

/// A stream of a blob's bytes. The receiver counts and hashes unless the source promises to have done it.
///
/// Reading may block until the runtime has made progress elsewhere, so it is read in `spawn_blocking` and never to the
/// end into memory unless its size is known to be small.
pub type BlobReader = Box<dyn Read + Send>;

/// Opens content behind an offset.
type Opener<'a> = Box<dyn Fn(u64) -> io::Result<BlobReader> + 'a>;

/// A blob that is to be stored, as often and from wherever a transfer needs it: a broken upload goes on where the host
/// has stopped listening.
pub struct Content<'a> {
    digest: Digest,
    size: u64,
    source: Source<'a>,
}

enum Source<'a> {
    Bytes(Bytes),
    Opener(Opener<'a>),
    Registry(&'a dyn Registry, Box<Descriptor>),
}

impl<'a> Content<'a> {
    /// Content that is in memory.
    pub fn bytes(digest: Digest, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { digest, size: bytes.len() as u64, source: Source::Bytes(bytes) }
    }

    /// Content that a function opens behind an offset: a file, an entry of an archive.
    pub fn opened(digest: Digest, size: u64, open: impl Fn(u64) -> io::Result<BlobReader> + 'a) -> Self {
        Self { digest, size, source: Source::Opener(Box::new(open)) }
    }

    /// A blob of another store.
    pub fn stored(registry: &'a dyn Registry, descriptor: &Descriptor) -> Self {
        let (digest, size) = (descriptor.digest, descriptor.size);
        Self { digest, size, source: Source::Registry(registry, Box::new(descriptor.clone())) }
    }

    /// The digest it is stored under.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The content behind the first `offset` bytes. From 0 the reader fails instead of handing out the last bytes when
    /// digest or size are not the announced ones, so the receiver need not hash; from elsewhere only the size is
    /// checked.
    pub async fn open(&self, offset: u64) -> Result<BlobReader, RegistryError> {
        let offset = offset.min(self.size);
        let reader: BlobReader = match &self.source {
            Source::Registry(registry, descriptor) => {
                let reader = registry.blob_from(descriptor, offset).await?;
                return reader.ok_or(RegistryError::NotStored { digest: self.digest });
            }
            Source::Bytes(bytes) => {
                let start = usize::try_from(offset).map_or(bytes.len(), |offset| offset.min(bytes.len()));
                Box::new(Cursor::new(bytes.slice(start..)))
            }
            Source::Opener(open) => {
                open(offset).map_err(|source| RegistryError::of_read(source, &self.digest.to_string()))?
            }
        };
        Ok(match offset {
            0 => Box::new(Checked::new(reader, self.digest, self.size)),
            offset => Box::new(Checked::tail(reader, self.digest, self.size - offset)),
        })
    }
}

/// A stream that is checked against its descriptor while it is read: hands out at most `size` bytes, and the last of
/// them only when the digest of all is right. Nothing behind them is read, so an endless source does no harm.
pub struct Checked<R> {
    inner: R,
    expected: Digest,
    size: u64,
    seen: u64,
    /// `None` once the digest was found right, or when there is nothing to compare it with.
    hasher: Option<Hasher>,
}

impl<R: Read> Checked<R> {
    /// Wraps a stream that should have this digest and size.
    pub fn new(inner: R, expected: Digest, size: u64) -> Self {
        let hasher = Some(Hasher::new(expected.algorithm()));
        Self { inner, expected, size, seen: 0, hasher }
    }

    /// Wraps the last `size` bytes of a blob, whose digest cannot be checked alone.
    pub fn tail(inner: R, of: Digest, size: u64) -> Self {
        Self { inner, expected: of, size, seen: 0, hasher: None }
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

    #[tokio::test]
    async fn content_opens_again_behind_an_offset() {
        let digest = Digest::of(b"abcdef");
        let opened = Content::opened(digest, 6, |offset| {
            Ok(Box::new(Cursor::new(b"abcdef"[usize::try_from(offset).unwrap()..].to_vec())))
        });
        for content in [Content::bytes(digest, &b"abcdef"[..]), opened] {
            for (offset, expected) in [(0, "abcdef"), (4, "ef"), (6, ""), (9, "")] {
                let mut text = String::new();
                content.open(offset).await.unwrap().read_to_string(&mut text).unwrap();
                assert_eq!(text, expected);
            }
        }
        let wrong = Content::bytes(digest, &b"abcdeX"[..]);
        assert!(wrong.open(0).await.unwrap().read_to_end(&mut Vec::new()).is_err());
        let short = Content::opened(digest, 6, |_| Ok(Box::new(Cursor::new(b"a"))));
        assert!(short.open(4).await.unwrap().read_to_end(&mut Vec::new()).is_err());
    }
}
