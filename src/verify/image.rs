//! The image of a release: what the files say of it, and what the registry holds.

use std::io::Read as _;
use std::path::Path;

use semver::Version;

use super::report::{Reason, Report};
use crate::format::oci::{Descriptor, Document, MANIFEST_LIMIT};
use crate::model::{Digest, ImageEntry, ReleaseManifest, RollingScope};
use crate::port::{Files, Registry, RegistryError};

/// `image-manifest.json` is the index, and its platforms are those of the manifest.
pub(super) fn described(assets: &dyn Files, manifest: &ReleaseManifest, report: &mut Report) {
    let name = "image-manifest.json";
    for image in &manifest.images {
        let Ok(bytes) = assets.read(Path::new(name), MANIFEST_LIMIT) else {
            report.fail(
                Reason::Tampered,
                "verify-missing",
                name,
                "the release has an image and not its index",
            );
            continue;
        };
        let found = Digest::of(&bytes);
        if found != image.digest {
            let message = format!("expected the index {}, found {found}", image.digest);
            report.fail(Reason::Tampered, "verify-index", name, message);
            continue;
        }
        platforms(&bytes, image, name, report);
    }
}

fn platforms(bytes: &[u8], image: &ImageEntry, place: &str, report: &mut Report) -> Option<Document> {
    let document = match Document::parse(bytes, None) {
        Ok(document) => document,
        Err(error) => {
            report.fail(Reason::Tampered, "verify-index", place, error.to_string());
            return None;
        }
    };
    let mut found: Vec<_> =
        document.named().filter_map(|descriptor| Some((descriptor.runnable()?, descriptor.digest))).collect();
    found.sort();
    let expected: Vec<_> =
        image.platforms.iter().map(|entry| (entry.platform.clone(), entry.digest)).collect();
    if found != expected {
        report.fail(
            Reason::Tampered,
            "verify-platforms",
            place,
            "its platforms are not those of the release",
        );
    }
    Some(document)
}

/// Index, platforms, layers, referrers and version tags are in the registry, every byte of them.
pub(super) async fn stored(registry: &dyn Registry, image: &ImageEntry, report: &mut Report) {
    let name = image.repository.to_string();
    for digest in std::iter::once(image.digest)
        .chain(image.platforms.iter().map(|platform| platform.digest))
        .chain(image.referrers.iter().map(|referrer| referrer.digest))
    {
        if let Err(error) = whole(registry, &digest).await {
            let reason = if matches!(error, RegistryError::Io { .. }) {
                Reason::CouldNotCheck
            } else {
                Reason::Tampered
            };
            report.fail(reason, "verify-image", &name, format!("{digest}: {error}"));
        }
    }
    for referrer in &image.referrers {
        let attached = registry.referrers(&referrer.subject, None).await.unwrap_or_default();
        if !attached.iter().any(|descriptor| descriptor.digest == referrer.digest) {
            let message = format!("{} is not attached to {}", referrer.asset, referrer.subject);
            report.fail(Reason::Tampered, "verify-referrer", &name, message);
        }
    }
    for tag in &image.tags {
        let found = registry.resolve_as(tag, image.digest.algorithm()).await;
        if !matches!(&found, Ok(Some(digest)) if *digest == image.digest) {
            let found =
                found.ok().flatten().map_or_else(|| "nothing".to_owned(), |digest| digest.to_string());
            let message = format!("tag {tag}: expected {}, found {found}", image.digest);
            report.fail(Reason::Tampered, "verify-tag", &name, message);
        }
    }
}

/// Every rolling tag that no newer stable release speaks for leads to this image. Where a newer one does, it only has
/// to be there: which image it leads to is a matter of that release.
pub(super) async fn rolled(
    registry: &dyn Registry,
    image: &ImageEntry,
    newer: &[Version],
    report: &mut Report,
) {
    for tag in &image.rolling {
        let theirs = newer.iter().any(|version| RollingScope::of(tag).holds(version));
        let message = match registry.resolve_as(tag, image.digest.algorithm()).await {
            Ok(Some(digest)) if theirs || digest == image.digest => continue,
            Ok(Some(digest)) => format!("tag {tag}: expected {}, found {digest}", image.digest),
            Ok(None) => format!("tag {tag} does not exist"),
            Err(error) => {
                let message = format!("tag {tag}: {error}");
                report.fail(Reason::CouldNotCheck, "verify-tag", &image.repository.to_string(), message);
                continue;
            }
        };
        report.fail(Reason::Tampered, "verify-tag", &image.repository.to_string(), message);
    }
}

/// A manifest and every blob it names, read to the end.
async fn whole(registry: &dyn Registry, digest: &Digest) -> Result<(), RegistryError> {
    let Some(manifest) = registry.manifest(digest, MANIFEST_LIMIT).await? else {
        return Err(RegistryError::NotStored { digest: *digest });
    };
    let document = Document::parse(&manifest.bytes, Some(&manifest.media_type))
        .map_err(|error| RegistryError::Invalid { what: digest.to_string(), reason: error.to_string() })?;
    if let Document::Manifest(manifest) = &document {
        for descriptor in manifest.config.iter().chain(&manifest.layers) {
            blob(registry, descriptor).await?;
        }
    }
    Ok(())
}

async fn blob(registry: &dyn Registry, descriptor: &Descriptor) -> Result<(), RegistryError> {
    let Some(reader) = registry.blob(descriptor).await? else {
        return Err(RegistryError::NotStored { digest: descriptor.digest });
    };
    let (size, algorithm) = (descriptor.size, descriptor.digest.algorithm());
    let read = tokio::task::spawn_blocking(move || {
        algorithm.digest_stream(&mut reader.take(size.saturating_add(1)))
    });
    let hashed = read
        .await
        .map_err(|error| RegistryError::Read { what: descriptor.digest.to_string(), source: error.into() })?;
    let what = format!("blob {}", descriptor.digest);
    match hashed {
        Err(error) => Err(RegistryError::Invalid { what, reason: error.to_string() }),
        Ok((_, size)) if size != descriptor.size => {
            Err(RegistryError::SizeMismatch { what, expected: descriptor.size, found: size })
        }
        Ok((found, _)) if found != descriptor.digest => {
            Err(RegistryError::DigestMismatch { what, expected: descriptor.digest, found })
        }
        Ok(_) => Ok(()),
    }
}
