//! An OCI layout directory as a closed world: nothing is in it that no release names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::report::{Reason, Report};
use crate::format::oci::{Document, ImageIndex, MANIFEST_LIMIT};
use crate::model::{Digest, DigestAlgorithm};
use crate::port::{EntryKind, Files, FilesError};

/// The exact content of `oci-layout` as this tool writes it (image-spec, "oci-layout file").
const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// Checks every file of a layout: the two fixed files are as they are written, every blob has the digest of its
/// name, and every blob is reached from an entry of `index.json`. `canonical` gives the bytes an index is written in.
pub fn closed(layout: &dyn Files, canonical: &dyn Fn(&ImageIndex) -> Option<Vec<u8>>, report: &mut Report) {
    if let Err(error) = walk(layout, canonical, report) {
        report.fail(Reason::CouldNotCheck, "verify-unreadable", "registry", error.to_string());
    }
}

fn walk(
    layout: &dyn Files,
    canonical: &dyn Fn(&ImageIndex) -> Option<Vec<u8>>,
    report: &mut Report,
) -> Result<(), FilesError> {
    for entry in layout.list(Path::new("."))? {
        let expected = match entry.name.as_str() {
            "oci-layout" | "index.json" => EntryKind::File,
            "blobs" => EntryKind::Directory,
            _ => {
                extra(report, &entry.name);
                continue;
            }
        };
        if entry.kind != expected {
            extra(report, &entry.name);
        }
    }
    if layout.read(Path::new("oci-layout"), MANIFEST_LIMIT)? != LAYOUT {
        report.fail(Reason::Tampered, "verify-layout", "registry/oci-layout", "it is not as it was written");
    }
    let place = "registry/index.json";
    let bytes = layout.read(Path::new("index.json"), MANIFEST_LIMIT)?;
    let index = match Document::parse(&bytes, None) {
        Ok(Document::Index(index)) => index,
        Ok(Document::Manifest(_)) | Err(_) => {
            report.fail(Reason::Tampered, "verify-layout", place, "it is no index");
            return Ok(());
        }
    };
    if canonical(&index).as_deref() != Some(&bytes) {
        report.fail(Reason::Tampered, "verify-layout", place, "it is not as it was written");
    }
    let reached = reach(layout, &index, report);
    blobs(layout, &reached, report)
}

fn extra(report: &mut Report, name: &str) {
    report.fail(Reason::Tampered, "verify-extra", &format!("registry/{name}"), "no release names it");
}

/// Digests reached from the entries, each entry checked against what it points to.
fn reach(layout: &dyn Files, index: &ImageIndex, report: &mut Report) -> BTreeSet<Digest> {
    let mut reached = BTreeSet::new();
    let mut open = index.manifests.clone();
    while let Some(descriptor) = open.pop() {
        let path = blob_path(&descriptor.digest);
        let bytes = layout.read(&path, MANIFEST_LIMIT).unwrap_or_default();
        if bytes.len() as u64 != descriptor.size {
            let message = format!("{} has another size than {} names", path.display(), descriptor.size);
            report.fail(Reason::Tampered, "verify-layout", "registry/index.json", message);
        }
        if !reached.insert(descriptor.digest) {
            continue;
        }
        match Document::parse(&bytes, Some(&descriptor.media_type)) {
            Ok(Document::Index(index)) => open.extend(index.manifests),
            Ok(Document::Manifest(manifest)) => {
                reached.extend(
                    manifest.config.iter().chain(&manifest.layers).map(|descriptor| descriptor.digest),
                );
            }
            Err(error) => {
                let place = format!("registry/{}", path.display());
                report.fail(Reason::Tampered, "verify-layout", &place, error.to_string());
            }
        }
    }
    reached
}

fn blobs(layout: &dyn Files, reached: &BTreeSet<Digest>, report: &mut Report) -> Result<(), FilesError> {
    for entry in layout.list(Path::new("blobs"))? {
        let algorithm = DigestAlgorithm::ALL.iter().find(|algorithm| algorithm.name() == entry.name);
        match algorithm.filter(|_| entry.kind == EntryKind::Directory) {
            Some(algorithm) => named(layout, *algorithm, reached, report)?,
            None => extra(report, &format!("blobs/{}", entry.name)),
        }
    }
    Ok(())
}

/// The blobs that are named by one algorithm.
fn named(
    layout: &dyn Files,
    algorithm: DigestAlgorithm,
    reached: &BTreeSet<Digest>,
    report: &mut Report,
) -> Result<(), FilesError> {
    let directory = format!("blobs/{algorithm}");
    for entry in layout.list(Path::new(&directory))? {
        let name = format!("{directory}/{}", entry.name);
        let named = algorithm.from_hex(&entry.name).ok().filter(|digest| digest.hex() == entry.name);
        let Some(named) = named.filter(|digest| entry.kind == EntryKind::File && reached.contains(digest))
        else {
            extra(report, &name);
            continue;
        };
        let hashed = algorithm.digest_stream(&mut layout.open(Path::new(&name))?);
        let (found, _) = hashed.map_err(|source| FilesError::io("read", Path::new(&name), source))?;
        if found != named {
            let message = format!("its content has the digest {found}");
            report.fail(Reason::Tampered, "verify-digest", &format!("registry/{name}"), message);
        }
    }
    Ok(())
}

fn blob_path(digest: &Digest) -> PathBuf {
    Path::new("blobs").join(digest.algorithm().name()).join(digest.hex())
}
