//! Runs of bytes in a file that several readers share.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::fault::failed;
use crate::port::RegistryError;

/// A file with one handle for everybody. Who reads or writes says where.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    handle: Arc<Mutex<File>>,
    path: Arc<PathBuf>,
}

impl Shared {
    /// Shares a file; the path is for messages.
    pub(super) fn new(file: File, path: &Path) -> Self {
        Self { handle: Arc::new(Mutex::new(file)), path: Arc::new(path.to_owned()) }
    }

    /// How messages call it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes all bytes at an offset.
    pub(super) fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        // A holder that panicked left the handle somewhere; everybody seeks first.
        let mut file = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        file.read(buffer)
    }
}

/// A run of bytes in a file.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The file.
    pub(super) file: Shared,
    /// Where it starts.
    pub(super) offset: u64,
    /// How many bytes it has.
    pub(super) size: u64,
}

impl Place {
    /// The bytes behind the first `skip`.
    pub(super) fn open(&self, skip: u64) -> PlaceReader {
        PlaceReader { place: self.clone(), at: skip.min(self.size) }
    }

    /// All bytes, at most `limit`.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, RegistryError> {
        if self.size > limit {
            return Err(RegistryError::TooLarge { what: name.to_owned(), limit });
        }
        let mut bytes = Vec::new();
        self.open(0).read_to_end(&mut bytes).map_err(|source| failed("read", self.file.path(), source))?;
        Ok(bytes)
    }
}

/// Reads a run of bytes.
pub(super) struct PlaceReader {
    place: Place,
    at: u64,
}

impl Read for PlaceReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.place.size - self.at;
        let most = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let read = self.place.file.read_at(self.place.offset + self.at, &mut buffer[..most])?;
        self.at += read as u64;
        Ok(read)
    }
}
