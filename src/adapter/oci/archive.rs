//! An OCI image layout in a tar file (`oci-archive:`), read in place and written whole or not at all.
//!
//! The same content gives the same bytes: entries are sorted, everything is dated 1970 and belongs to nobody. Two who add
//! to one archive at the same time do not lose each other's images: the second finds another file than it has read, writes
//! nothing and says so.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fault::{blocking, failed, invalid, of_files};
use super::listing::Listing;
use super::memory::{Held, Memory};
use super::place::{Place, Shared};
use super::tarball::{Links, places};
use crate::adapter::fs as files;
use crate::format::oci::{
    Descriptor, Document, LayoutFile, MANIFEST_LIMIT, OciError, annotation, media_type,
};
use crate::model::{Digest, DigestAlgorithm};
use crate::port::{Checked, RegistryError};

/// Deepest nesting of indexes that is followed.
const INDEX_DEPTH: usize = 8;

/// Most manifests of one archive that are looked at.
const MANIFESTS: usize = 10_000;

/// An image layout in a tar file.
#[derive(Clone)]
pub struct Archive {
    path: PathBuf,
    registry: Memory,
    /// What was at the path when it was opened.
    base: Option<Arc<File>>,
}

impl Archive {
    /// Opens an archive to read from it.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, RegistryError> {
        let (path, registry) = (path.into(), Memory::new());
        let base = Some(Arc::new(files::open(&path).map_err(of_files)?));
        read(&path, &registry)?;
        Ok(Self { path, registry, base })
    }

    /// Opens an archive to add to it; where there is none it begins empty. Nothing is written before
    /// [`Archive::write`].
    pub fn extend(path: impl Into<PathBuf>) -> Result<Self, RegistryError> {
        let path = path.into();
        let directory = files::parent_of(&path);
        files::create_dir(directory).map_err(of_files)?;
        // The system removes it when this process ends, however it ends.
        let spill = tempfile::tempfile_in(directory).map_err(|source| failed("write", &path, source))?;
        let registry = Memory::over(Shared::new(spill, &path));
        let mut base = None;
        if files::exists(&path) {
            base = Some(Arc::new(files::open(&path).map_err(of_files)?));
            read(&path, &registry)?;
        }
        Ok(Self { path, registry, base })
    }

    /// What it holds and what was added.
    pub fn registry(&self) -> &Memory {
        &self.registry
    }

    /// Writes what was added; nothing when nothing was.
    pub async fn write(&self) -> Result<(), RegistryError> {
        if !self.registry.is_changed() {
            return Ok(());
        }
        let (index, contents) = (self.registry.index()?, self.registry.contents());
        let (path, base) = (self.path.clone(), self.base.clone());
        blocking(move || pack(&path, base.as_deref(), contents, &index)).await
    }
}

/// Takes in everything an archive leads to.
fn read(path: &Path, into: &Memory) -> Result<(), RegistryError> {
    let places = places(path, Links::Refused)?;
    let missing = |name: &str| RegistryError::Invalid {
        what: path.display().to_string(),
        reason: format!("it holds no file `{name}`"),
    };
    let file = |name: &str, limit| -> Result<Vec<u8>, RegistryError> {
        places.get(name).ok_or_else(|| missing(name))?.read(name, limit)
    };
    LayoutFile::parse(&file("oci-layout", 4096)?).map_err(|error| invalid("oci-layout", &error))?;
    let listing = Listing::parse(&file("index.json", MANIFEST_LIMIT)?)
        .map_err(|error| invalid("index.json", &error))?;
    for (name, place) in &places {
        let Some((algorithm, hex)) = name.strip_prefix("blobs/").and_then(|name| name.split_once('/')) else {
            continue;
        };
        if !DigestAlgorithm::ALL.iter().any(|known| known.name() == algorithm) {
            continue;
        }
        let digest = format!("{algorithm}:{hex}").parse::<Digest>().map_err(|_| RegistryError::Invalid {
            what: path.display().to_string(),
            reason: format!("`{}` is not the name of a blob", name.escape_debug()),
        })?;
        into.hold(digest, place.clone());
    }
    for entry in listing.entries() {
        if let Some(tag) = entry.annotations.get(annotation::REF_NAME) {
            if listing.tagged(tag).len() > 1 {
                let reason = format!("several manifests have the tag `{}`", tag.escape_debug());
                return Err(RegistryError::Invalid { what: "index.json".to_owned(), reason });
            }
            into.hold_tag(tag, entry.digest);
        }
    }
    walk(listing.entries().cloned().collect(), &places, into)
}

/// Where content is in a layout.
fn name_of(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

/// Tells manifests from blobs: what the listing names, and what indexes name.
fn walk(
    mut level: Vec<Descriptor>,
    places: &BTreeMap<String, Place>,
    into: &Memory,
) -> Result<(), RegistryError> {
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..=INDEX_DEPTH {
        let mut next = Vec::new();
        for entry in level {
            let index = media_type::is_index(&entry.media_type);
            if !(index || media_type::is_manifest(&entry.media_type)) || !seen.insert(entry.digest) {
                continue;
            }
            if seen.len() > MANIFESTS {
                let error = OciError::TooMany { limit: MANIFESTS, found: seen.len() };
                return Err(invalid("index.json", &error));
            }
            let name = name_of(&entry.digest);
            // A layout may name content it does not hold; who asks for it is told.
            let Some(place) = places.get(&name) else { continue };
            into.hold_manifest(entry.digest, &entry.media_type);
            if index {
                let bytes = place.read(&name, MANIFEST_LIMIT)?;
                let (expected, found) = (entry.digest, entry.digest.algorithm().digest(&bytes));
                if found != expected {
                    return Err(RegistryError::DigestMismatch { what: name, expected, found });
                }
                let document = Document::parse(&bytes, Some(&entry.media_type))
                    .map_err(|error| invalid(&entry.digest.to_string(), &error))?;
                next.extend(document.named().cloned());
            }
        }
        if next.is_empty() {
            return Ok(());
        }
        level = next;
    }
    Err(invalid("index.json", &OciError::TooDeep { limit: INDEX_DEPTH }))
}

/// Writes the tar file beside its name and renames it, unless somebody else has written there meanwhile.
fn pack(
    path: &Path,
    base: Option<&File>,
    contents: Vec<(Digest, Held)>,
    index: &[u8],
) -> Result<(), RegistryError> {
    let directory = files::parent_of(path);
    let writing = |source| failed("write", path, source);
    let mut file = files::temporary_in(directory).map_err(writing)?;
    let mut builder = tar::Builder::new(BufWriter::with_capacity(128 << 10, file.as_file_mut()));
    for (digest, held) in contents {
        let name = name_of(&digest);
        let reader = Checked::new(held.open(0), digest, held.size());
        append(&mut builder, &name, held.size(), reader).map_err(|source| {
            match RegistryError::of_read(source, &name) {
                RegistryError::Read { source, .. } => writing(source),
                error => error,
            }
        })?;
    }
    append(&mut builder, "index.json", index.len() as u64, index).map_err(writing)?;
    let layout = format!("{{\"imageLayoutVersion\":\"{}\"}}", LayoutFile::VERSION);
    append(&mut builder, "oci-layout", layout.len() as u64, layout.as_bytes()).map_err(writing)?;
    builder.into_inner().and_then(|mut writer| writer.flush()).map_err(writing)?;
    let changed = || RegistryError::Changed { path: path.to_owned() };
    let Some(base) = base else {
        return files::finish_new(file, path, 0o644).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => changed(),
            _ => writing(source),
        });
    };
    // Held by whoever replaces this file: the next in the line finds that it is not the one under the name any more.
    let locking = |source| failed("lock", path, source);
    base.lock().map_err(locking)?;
    let finished = match files::is_still_at(base, path) {
        true => files::finish(file, path, 0o644).map_err(writing),
        false => Err(changed()),
    };
    base.unlock().map_err(locking)?;
    finished
}

fn append(
    builder: &mut tar::Builder<impl io::Write>,
    name: &str,
    size: u64,
    content: impl io::Read,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    // The name of a SHA-512 is longer than the field for it; it comes in an entry before then.
    builder.append_data(&mut header, name, content)
}
