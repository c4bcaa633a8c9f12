//! What an image is: digest, platforms, sizes, how it is run, what is attached.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;

use super::error::ImageError;
use crate::format::oci::{
    CONFIG_LIMIT, Descriptor, Document, ImageConfig, ImageManifest, MANIFEST_LIMIT, OciError, media_type,
};
use crate::model::{Digest, Platform};
use crate::port::{Registry, RegistryError};

/// An image as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// Digest of the index or manifest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its exact bytes.
    pub bytes: Vec<u8>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// The platforms that can be run, in the order of the index.
    pub platforms: Vec<InspectedPlatform>,
    /// What is attached to the index and its platforms; empty unless asked for.
    pub referrers: Vec<Attached>,
}

/// One platform of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedPlatform {
    /// The platform the index names; of a single manifest the one in its config.
    pub platform: Platform,
    /// Digest of the manifest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Bytes of the manifest.
    pub size: u64,
    /// Bytes a consumer pulls: config and layers as stored.
    pub compressed_size: u64,
    /// How it is run.
    pub run: Run,
    /// The layers, base first.
    pub layers: Vec<Descriptor>,
    /// The config.
    pub config: ImageConfig,
    /// The descriptor of the config.
    pub config_descriptor: Descriptor,
}

/// How an image is run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    /// `User` of the config; `None` or empty is root.
    pub user: Option<String>,
    /// `Entrypoint`.
    pub entrypoint: Vec<String>,
    /// `Labels`.
    pub labels: BTreeMap<String, String>,
}

/// Something attached to the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// The manifest it is attached to.
    pub subject: Digest,
    /// Describes it, with `artifactType` and annotations.
    pub descriptor: Descriptor,
}

/// Reads an image: the index, its platform manifests and their configs, and what is attached when asked for.
pub async fn inspect(
    registry: &dyn Registry,
    digest: &Digest,
    referrers: bool,
) -> Result<Inspected, ImageError> {
    let (bytes, document) = document(registry, digest).await?;
    let mut platforms = Vec::new();
    match &document {
        Document::Index(index) => {
            for entry in &index.manifests {
                if let Some(platform) = entry.runnable() {
                    platforms.push(inspect_platform(registry, &entry.digest, Some(platform)).await?);
                }
            }
        }
        Document::Manifest(_) => platforms.push(inspect_platform(registry, digest, None).await?),
    }
    let mut attached = Vec::new();
    if referrers {
        let mut subjects = vec![*digest];
        subjects.extend(platforms.iter().map(|platform| platform.digest).filter(|child| child != digest));
        for subject in subjects {
            let found = registry.referrers(&subject, None).await?;
            attached.extend(found.into_iter().map(|descriptor| Attached { subject, descriptor }));
        }
    }
    Ok(Inspected {
        digest: *digest,
        media_type: document.media_type().to_owned(),
        annotations: document.annotations().clone(),
        bytes,
        platforms,
        referrers: attached,
    })
}

impl Inspected {
    /// The same image with one platform only.
    pub fn only(mut self, platform: &Platform) -> Result<Self, ImageError> {
        let platform = platform.clone().normalised();
        let mut available: Vec<Platform> = self.platforms.iter().map(|one| one.platform.clone()).collect();
        self.platforms.retain(|one| one.platform == platform);
        if self.platforms.is_empty() {
            available.sort();
            return Err(ImageError::NoPlatform { platform, available });
        }
        let kept: Vec<Digest> = self.platforms.iter().map(|one| one.digest).chain([self.digest]).collect();
        self.referrers.retain(|attached| kept.contains(&attached.subject));
        Ok(self)
    }
}

/// The text of `image-digests.txt`: `DIGEST REPO[:TAG] [OS/ARCH]`, the index first.
pub fn digest_lines(name: &str, digest: &Digest, platforms: &[(Platform, Digest)]) -> String {
    let mut text = format!("{digest} {name}\n");
    for (platform, digest) in platforms {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{digest} {name} {platform}");
    }
    text
}

async fn document(registry: &dyn Registry, digest: &Digest) -> Result<(Vec<u8>, Document), ImageError> {
    let manifest = registry
        .manifest(digest, MANIFEST_LIMIT)
        .await?
        .ok_or_else(|| ImageError::NotFound { what: digest.to_string() })?;
    let document = Document::parse(&manifest.bytes, Some(&manifest.media_type))
        .map_err(|source| ImageError::Document { digest: *digest, source })?;
    Ok((manifest.bytes, document))
}

async fn inspect_platform(
    registry: &dyn Registry,
    digest: &Digest,
    platform: Option<Platform>,
) -> Result<InspectedPlatform, ImageError> {
    let (bytes, document) = document(registry, digest).await?;
    let invalid = |source| ImageError::Document { digest: *digest, source };
    let Document::Manifest(ImageManifest { media_type, config, layers, .. }) = document else {
        let found = document.media_type().to_owned();
        let expected = media_type::MANIFEST.to_owned();
        return Err(invalid(OciError::MediaType { expected, found }));
    };
    let missing = OciError::Missing { field: "config" };
    let config_descriptor = config.ok_or_else(|| invalid(missing))?;
    let config = small_blob(registry, &config_descriptor, CONFIG_LIMIT).await?;
    let config = ImageConfig::parse(&config)
        .map_err(|source| ImageError::Document { digest: config_descriptor.digest, source })?;
    let platform = platform.or_else(|| config.platform()).ok_or_else(|| ImageError::Document {
        digest: config_descriptor.digest,
        source: OciError::Missing { field: "os" },
    })?;
    let execution = config.config.clone().unwrap_or_default();
    let sizes = layers.iter().map(|layer| layer.size).chain([config_descriptor.size]);
    Ok(InspectedPlatform {
        platform,
        digest: *digest,
        media_type,
        size: bytes.len() as u64,
        compressed_size: sizes.fold(0, u64::saturating_add),
        run: Run {
            user: execution.user,
            entrypoint: execution.entrypoint.unwrap_or_default(),
            labels: execution.labels.unwrap_or_default(),
        },
        layers,
        config,
        config_descriptor,
    })
}

/// A blob that fits into memory.
async fn small_blob(
    registry: &dyn Registry,
    descriptor: &Descriptor,
    limit: u64,
) -> Result<Vec<u8>, ImageError> {
    let what = descriptor.digest.to_string();
    if descriptor.size > limit {
        return Err(RegistryError::TooLarge { what, limit }.into());
    }
    let reader = registry.blob(descriptor).await?;
    let mut reader = reader.ok_or(RegistryError::NotStored { digest: descriptor.digest })?;
    beside(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(|source| RegistryError::of_read(source, &what))?;
        Ok(bytes)
    })
    .await
}

/// Reads a stream beside the runtime, as [`BlobReader`](crate::port::BlobReader) asks for.
pub(super) async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ImageError> + Send + 'static,
) -> Result<T, ImageError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => {
                Err(RegistryError::Read { what: "the blob".to_owned(), source: error.into() }.into())
            }
        },
    }
}
