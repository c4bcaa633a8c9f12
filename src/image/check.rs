//! Facts of an image that gates decide on, and what is wrong with it whatever the policy says.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use super::error::ImageError;
use super::inspect::{Inspected, InspectedPlatform, beside, inspect};
use super::layer::{LayerFacts, LayerLimits, scan};
use crate::diag::{Diagnostic, Severity};
use crate::format::oci::{Descriptor, Document, MANIFEST_LIMIT, annotation};
use crate::model::{Digest, Platform};
use crate::port::{Registry, RegistryError};

/// What is known about an image. Every byte of it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// Digest of the index or manifest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// The image it was built on, when the annotations name it.
    pub base: Option<BaseFacts>,
    /// Whether everything the image names is stored and has the right digest.
    pub complete: bool,
    /// The platforms that can be run, in the order of the index.
    pub platforms: Vec<PlatformFacts>,
    /// What is wrong whatever the policy says.
    pub problems: Vec<Problem>,
}

/// The image another one was built on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseFacts {
    /// `org.opencontainers.image.base.name`.
    pub name: String,
    /// `org.opencontainers.image.base.digest`.
    pub digest: Option<String>,
}

/// What is known about one platform of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformFacts {
    /// The platform the index names.
    pub platform: Platform,
    /// Digest of the manifest.
    pub digest: Digest,
    /// The platform the config names; `None` when it names none.
    pub config_platform: Option<Platform>,
    /// Bytes a consumer pulls: config and layers as stored.
    pub compressed_size: u64,
    /// Bytes of the layers after decompression.
    pub uncompressed_size: u64,
    /// `User` of the config.
    pub user: Option<String>,
    /// The number in `user`; `None` for a name, 0 when there is no user.
    pub uid: Option<u32>,
    /// Paths of shells, sorted.
    pub shells: Vec<String>,
    /// Paths of files that run as somebody else, sorted.
    pub setuid: Vec<String>,
    /// Whether every layer was looked at; without it an empty list says nothing.
    pub scanned: bool,
}

/// Something that is wrong with an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable, in kebab case.
    pub code: String,
    /// Whether it makes the answer no.
    pub severity: Severity,
    /// One line, lower case, no period.
    pub message: String,
    /// The platform it is about; `None` for the whole image.
    pub platform: Option<Platform>,
}

impl From<&Problem> for Diagnostic {
    fn from(problem: &Problem) -> Self {
        let Problem { code, severity, message, platform } = problem;
        let place = platform.as_ref().map(|platform| format!("{platform}: ")).unwrap_or_default();
        Self::new(*severity, code, format!("{place}{message}"))
    }
}

/// Reads every byte of an image and says what it is. An image whose index, manifests or configs cannot be read is an
/// error; a layer that is missing or damaged is a problem.
pub async fn check(
    registry: &dyn Registry,
    digest: &Digest,
    limits: LayerLimits,
) -> Result<ImageFacts, ImageError> {
    let Inspected { digest, media_type, bytes, annotations, platforms, .. } =
        inspect(registry, digest, false).await?;
    let mut facts = ImageFacts {
        digest,
        media_type,
        base: annotations.get(annotation::BASE_NAME).map(|name| BaseFacts {
            name: name.clone(),
            digest: annotations.get(annotation::BASE_DIGEST).cloned(),
        }),
        annotations,
        complete: true,
        platforms: Vec::new(),
        problems: Vec::new(),
    };
    for key in [annotation::CREATED, annotation::REVISION, annotation::SOURCE, annotation::VERSION] {
        if !facts.annotations.contains_key(key) {
            facts.report(
                None,
                Severity::Warning,
                "image-annotation",
                format!("there is no annotation {key}"),
            );
        }
    }
    if platforms.is_empty() {
        let message = "it has no platform that can be run".to_owned();
        facts.report(None, Severity::Error, "image-no-platform", message);
    }
    for platform in &platforms {
        if facts.platforms.iter().any(|seen| seen.platform == platform.platform) {
            let message = "the index names it more than once".to_owned();
            facts.report(Some(platform), Severity::Error, "image-duplicate-platform", message);
        }
        check_platform(registry, platform, limits, &mut facts).await?;
    }
    let index = Document::parse(&bytes, Some(&facts.media_type))
        .map_err(|source| ImageError::Document { digest, source })?;
    if let Document::Index(index) = index {
        for entry in index.manifests.iter().filter(|entry| entry.runnable().is_none()) {
            if let Err(error) = read_all(registry, entry).await {
                facts.complete = false;
                let message = format!("{} cannot be read: {error}", entry.digest);
                facts.report(None, Severity::Error, "image-incomplete", message);
            }
        }
    }
    Ok(facts)
}

/// Reads an entry of an index that nobody runs, such as an attestation, and everything it names.
async fn read_all(registry: &dyn Registry, entry: &Descriptor) -> Result<(), ImageError> {
    let missing = |digest| RegistryError::NotStored { digest };
    let manifest = registry.manifest(&entry.digest, MANIFEST_LIMIT).await?;
    let manifest = manifest.ok_or_else(|| missing(entry.digest))?;
    let document = Document::parse(&manifest.bytes, Some(&entry.media_type))
        .map_err(|source| ImageError::Document { digest: entry.digest, source })?;
    for named in document.named() {
        let mut reader = registry.blob(named).await?.ok_or_else(|| missing(named.digest))?;
        let what = named.digest.to_string();
        beside(move || {
            io::copy(&mut reader, &mut io::sink())
                .map_err(|source| RegistryError::of_read(source, &what).into())
        })
        .await?;
    }
    Ok(())
}

impl ImageFacts {
    fn report(&mut self, of: Option<&InspectedPlatform>, severity: Severity, code: &str, message: String) {
        let platform = of.map(|platform| platform.platform.clone());
        self.problems.push(Problem { code: code.to_owned(), severity, message, platform });
    }

    /// Whether nothing is wrong with it whatever the policy says.
    pub fn is_sound(&self) -> bool {
        self.problems.iter().all(|problem| problem.severity != Severity::Error)
    }
}

async fn check_platform(
    registry: &dyn Registry,
    platform: &InspectedPlatform,
    limits: LayerLimits,
    facts: &mut ImageFacts,
) -> Result<(), ImageError> {
    let mut files = LayerFacts::default();
    let mut scanned = true;
    let diff_ids = &platform.config.rootfs.diff_ids;
    if diff_ids.len() != platform.layers.len() {
        let message =
            format!("its config names {} layers, its manifest {}", diff_ids.len(), platform.layers.len());
        facts.report(Some(platform), Severity::Error, "image-layers", message);
    }
    for (position, layer) in platform.layers.iter().enumerate() {
        match scan_layer(registry, layer, limits, &mut files).await? {
            Ok(found) => {
                if let Some(expected) = diff_ids.get(position).filter(|expected| **expected != found) {
                    let message =
                        format!("layer {} unpacks to {found}, the config says {expected}", layer.digest);
                    facts.report(Some(platform), Severity::Error, "image-diff-id", message);
                }
            }
            Err(reason) => {
                scanned = false;
                facts.complete = false;
                let message = format!("layer {}: {reason}", layer.digest);
                facts.report(Some(platform), Severity::Error, "image-layer", message);
            }
        }
    }
    let uid = user_id(platform.run.user.as_deref());
    let config_platform = platform.config.platform();
    if config_platform.as_ref() != Some(&platform.platform) {
        let found = config_platform.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
        let message = format!("the index says {}, the config says {found}", platform.platform);
        facts.report(Some(platform), Severity::Error, "image-platform", message);
    }
    match (uid, &platform.run.user) {
        (Some(0), _) => {
            facts.report(Some(platform), Severity::Error, "image-root", "it runs as root".to_owned());
        }
        (None, Some(name)) => {
            let message = format!("the user `{}` is not a number", name.escape_debug());
            facts.report(Some(platform), Severity::Warning, "image-user-name", message);
        }
        _ => {}
    }
    for path in &files.outside {
        let message = format!("a layer names `{}`, outside of the image", path.escape_debug());
        facts.report(Some(platform), Severity::Error, "image-path", message);
    }
    let (shells, setuid): (Vec<_>, Vec<_>) =
        (files.shells.into_keys().collect(), files.setuid.into_keys().collect());
    for (code, what, paths) in
        [("image-shell", "a shell", &shells), ("image-setuid", "a setuid file", &setuid)]
    {
        if let Some(first) = paths.first() {
            let more = if paths.len() > 1 { format!(" and {} more", paths.len() - 1) } else { String::new() };
            let message = format!("it holds {what}: {}{more}", first.escape_debug());
            facts.report(Some(platform), Severity::Warning, code, message);
        }
    }
    facts.platforms.push(PlatformFacts {
        platform: platform.platform.clone(),
        digest: platform.digest,
        config_platform,
        compressed_size: platform.compressed_size,
        uncompressed_size: files.size,
        user: platform.run.user.clone(),
        uid,
        shells,
        setuid,
        scanned,
    });
    Ok(())
}

/// Reads one layer. What is wrong with the layer is told as text; the facts of the layers below stay as they were.
async fn scan_layer(
    registry: &dyn Registry,
    layer: &Descriptor,
    limits: LayerLimits,
    files: &mut LayerFacts,
) -> Result<Result<Digest, String>, ImageError> {
    let reader = match registry.blob(layer).await {
        Ok(Some(reader)) => reader,
        Ok(None) => return Ok(Err("it is not stored".to_owned())),
        Err(error) => return Ok(Err(error.to_string())),
    };
    let (media_type, before) = (layer.media_type.clone(), files.clone());
    let (answer, after) = beside(move || {
        let mut facts = before;
        let answer = scan(reader, &media_type, limits, &mut facts);
        Ok((answer, facts))
    })
    .await?;
    Ok(match answer {
        Ok(digest) => {
            *files = after;
            Ok(digest)
        }
        Err(error) => Err(error.to_string()),
    })
}

/// The number a container runs as; nothing is root.
fn user_id(user: Option<&str>) -> Option<u32> {
    match user.unwrap_or_default() {
        "" => Some(0),
        user => user.split(':').next()?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users() {
        for (user, uid) in [
            (None, Some(0)),
            (Some(""), Some(0)),
            (Some("65532:1"), Some(65532)),
            (Some("root"), None),
            (Some("00"), Some(0)),
        ] {
            assert_eq!(user_id(user), uid, "{user:?}");
        }
    }
}
