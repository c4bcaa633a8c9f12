//! The bytes of a layer as they were before compression, as far as the limits go.
//!
//! Stops bombs: a stream that unpacks to too many bytes, or to too many times its own size, ends in an error; a zstd frame
//! that asks for a large window, or for a dictionary, is refused before anything is reserved for it.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::format::oci::media_type;
use crate::model::Hasher;
use crate::port::BlobReader;

/// The largest window of a zstd frame: what every decoder is asked to have (RFC 8878, section 3.1.1.1.2).
const WINDOW: u64 = 8 << 20;

/// Below this many bytes no stream is a bomb, however small it was.
const RATIO_FROM: u64 = 64 << 20;

/// How much of a layer is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerLimits {
    /// Most bytes after decompression.
    pub bytes: u64,
    /// Most bytes after decompression for one byte before it; a stream of 64 MiB or less is never too many.
    pub ratio: u64,
    /// Most entries.
    pub entries: u64,
    /// Most bytes of a long name or a set of extended headers.
    pub name: u64,
    /// Most bytes of names that are kept, of all layers together.
    pub kept: usize,
}

impl Default for LayerLimits {
    fn default() -> Self {
        Self { bytes: 4 << 30, ratio: 200, entries: 200_000, name: 64 << 10, kept: 8 << 20 }
    }
}

/// A layer, decompressed while it is read.
pub(super) struct Unpacked {
    decoder: Decoder,
    limits: LayerLimits,
    seen: u64,
}

enum Decoder {
    Plain(Counted),
    Gzip(Box<MultiGzDecoder<Counted>>),
    Zstd(Box<Zstd>),
}

impl Unpacked {
    /// Reads a layer of this media type (image-spec, "Image Layer Filesystem Changeset"; Docker's twins).
    pub(super) fn new(
        content: BlobReader,
        media_type: &str,
        limits: LayerLimits,
    ) -> Result<Self, LayerError> {
        let content = Counted { inner: content, seen: 0 };
        let plain = media_type.replace(".nondistributable.", ".").replace(".foreign.", ".");
        let decoder = match plain.as_str() {
            media_type::LAYER | media_type::DOCKER_LAYER => Decoder::Plain(content),
            media_type::LAYER_GZIP | media_type::DOCKER_LAYER_GZIP => {
                Decoder::Gzip(Box::new(MultiGzDecoder::new(content)))
            }
            media_type::LAYER_ZSTD | media_type::DOCKER_LAYER_ZSTD => {
                Decoder::Zstd(Box::new(Zstd::new(content)))
            }
            _ => return Err(LayerError::MediaType { found: media_type.to_owned() }),
        };
        Ok(Self { decoder, limits, seen: 0 })
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.decoder {
            Decoder::Plain(content) => content.read(buffer)?,
            Decoder::Gzip(content) => content.read(buffer)?,
            Decoder::Zstd(content) => content.read(buffer)?,
        };
        self.seen += read as u64;
        let packed = match &self.decoder {
            Decoder::Plain(content) => content.seen,
            Decoder::Gzip(content) => content.get_ref().seen,
            Decoder::Zstd(content) => content.source.seen,
        };
        let LayerLimits { bytes, ratio, .. } = self.limits;
        if self.seen > bytes {
            return Err(too_large(LayerError::TooLarge { limit: bytes }));
        }
        if self.seen > RATIO_FROM && self.seen / ratio > packed {
            return Err(too_large(LayerError::Bomb { limit: ratio }));
        }
        Ok(read)
    }
}

fn too_large(error: LayerError) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, error)
}

struct Counted {
    inner: BlobReader,
    seen: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.seen += read as u64;
        Ok(read)
    }
}

/// Frames one after the other, with what may be skipped between them (RFC 8878, section 3.1): tables of contents are
/// written that way.
struct Zstd {
    source: Counted,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl Zstd {
    fn new(source: Counted) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(WINDOW);
        Self { source, decoder, in_frame: false }
    }

    /// Goes to the next frame; `false` at the end of the stream.
    fn next_frame(&mut self) -> io::Result<bool> {
        loop {
            let mut first = [0];
            if self.source.read(&mut first)? == 0 {
                return Ok(false);
            }
            match self.decoder.init((&first[..]).chain(&mut self.source)) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    if io::copy(&mut self.source.by_ref().take(length), &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(FrameDecoderError::WindowSizeTooBig { requested, max }) => {
                    return Err(too_large(LayerError::Window { limit: max, found: requested }));
                }
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
        }
    }
}

impl Read for Zstd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.in_frame {
                let read = self.decoder.read(buffer)?;
                if read > 0 {
                    return Ok(read);
                }
                if !self.decoder.is_finished() {
                    let one = BlockDecodingStrategy::UptoBlocks(1);
                    self.decoder
                        .decode_blocks(&mut self.source, one)
                        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                    continue;
                }
            }
            self.in_frame = self.next_frame()?;
            if !self.in_frame {
                return Ok(0);
            }
        }
    }
}

/// Hashes what passes through.
pub(super) struct Tee<T> {
    pub(super) inner: T,
    pub(super) hasher: Hasher,
}

impl<W: io::Write> io::Write for Tee<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

/// Why a layer could not be packed or looked at.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// Not a tar layer, or compressed in a way this tool does not read.
    #[error("`{}` is not a layer this tool reads", found.escape_debug())]
    MediaType {
        /// The media type.
        found: String,
    },
    /// More bytes after decompression than are looked at.
    #[error("it unpacks to more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// Many times more bytes after decompression than before.
    #[error("it unpacks to more than {limit} times its size")]
    Bomb {
        /// The limit.
        limit: u64,
    },
    /// A zstd frame asks for more memory than is given.
    #[error("it asks for a window of {found} bytes, at most {limit} are given")]
    Window {
        /// The limit in bytes.
        limit: u64,
        /// What it asks for.
        found: u64,
    },
    /// More entries than are looked at.
    #[error("it has more than {limit} entries")]
    TooManyEntries {
        /// The limit.
        limit: u64,
    },
    /// A longer name than is looked at.
    #[error("it has a name of more than {limit} bytes")]
    NameTooLong {
        /// The limit in bytes.
        limit: u64,
    },
    /// More names than are kept.
    #[error("the names of its programs and links have more than {limit} bytes")]
    TooManyNames {
        /// The limit in bytes.
        limit: usize,
    },
    /// The stream failed, or is neither compressed as it says nor tar.
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A frame of one raw block, its content size in four bytes (RFC 8878, section 3.1.1).
    fn frame(content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd, 0b1010_0000];
        bytes.extend((content.len() as u32).to_le_bytes());
        bytes.extend(&((content.len() as u32) << 3 | 1).to_le_bytes()[..3]);
        bytes.extend(content);
        bytes
    }

    fn unpack(bytes: Vec<u8>) -> io::Result<String> {
        let reader = Box::new(Cursor::new(bytes));
        let mut text = String::new();
        let limits = LayerLimits::default();
        Unpacked::new(reader, media_type::LAYER_ZSTD, limits).unwrap().read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn frames_follow_each_other() {
        let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"toc"].concat();
        let bytes = [frame(b"one "), skipped.clone(), frame(b""), frame(b"two"), skipped.clone()].concat();
        assert_eq!(unpack(bytes.clone()).unwrap(), "one two");
        assert_eq!(unpack(Vec::new()).unwrap(), "");
        assert!(unpack(bytes[..bytes.len() - 1].to_vec()).is_err(), "a cut skippable frame");
        assert!(unpack(frame(b"cut")[..12].to_vec()).is_err(), "a cut frame");
        assert!(unpack(b"no zstd".to_vec()).is_err());
    }

    #[test]
    fn a_large_window_is_refused_before_it_is_reserved() {
        // Window descriptor 0x98: 2^(10 + 19) bytes.
        let error = unpack(vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0x98, 1, 0, 0]).unwrap_err();
        assert_eq!(error.to_string(), "it asks for a window of 536870912 bytes, at most 8388608 are given");
    }

    #[test]
    fn types() {
        let limits = LayerLimits::default();
        let open = |kind: &str| Unpacked::new(Box::new(io::empty()), kind, limits).is_ok();
        assert!(open("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"));
        assert!(open("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"));
        assert!(!open("application/vnd.oci.image.layer.v1.tar+br"));
        assert!(!open("application/vnd.in-toto+json"));
    }
}
