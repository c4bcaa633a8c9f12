//! What an image is: digest, platforms, sizes, how it is run, what vouches for it, what is attached.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Read as _;

use super::error::ImageError;
use super::together::{AT_ONCE, together};
use crate::format::oci::{
    CONFIG_LIMIT, Descriptor, Document, ImageConfig, ImageIndex, ImageManifest, MANIFEST_LIMIT, OciError,
    annotation, embedded, media_type,
};
use crate::model::{Digest, Platform};
use crate::port::{Manifest, Registry, RegistryError};

/// Deepest nesting of indexes that is followed.
const INDEX_DEPTH: usize = 8;

/// Most entries of all nested indexes together that are looked at.
const ENTRIES: usize = 1024;

/// An image as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// Digest of the index or manifest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// What it is when it is no image.
    pub artifact_type: Option<String>,
    /// Its exact bytes.
    pub bytes: Vec<u8>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// The platforms that can be run, in the order of the index; those of nested indexes last.
    pub platforms: Vec<InspectedPlatform>,
    /// The entries of the index that state something about another entry, in its order.
    pub attestations: Vec<Attestation>,
    /// Entries of the index that are neither.
    pub others: Vec<Descriptor>,
    /// What is attached to the index and its platforms; empty unless asked for.
    pub referrers: Vec<Attached>,
}

/// One platform of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedPlatform {
    /// The platform the index names; else the one in the config.
    pub platform: Platform,
    /// Digest of the manifest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Bytes of the manifest.
    pub size: u64,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// Bytes a consumer pulls: config and layers as stored.
    pub compressed_size: u64,
    /// How it is run.
    pub run: Run,
    /// The layers, base first.
    pub layers: Vec<Descriptor>,
    /// The config.
    pub config: ImageConfig,
    /// Its exact bytes.
    pub config_bytes: Vec<u8>,
    /// The descriptor of the config.
    pub config_descriptor: Descriptor,
}

/// How an image is run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    /// `User` of the config; `None` or empty is root.
    pub user: Option<String>,
    /// `Env`.
    pub env: Vec<String>,
    /// `Entrypoint`.
    pub entrypoint: Vec<String>,
    /// `Cmd`.
    pub cmd: Vec<String>,
    /// `WorkingDir`.
    pub working_dir: Option<String>,
    /// `Labels`.
    pub labels: BTreeMap<String, String>,
}

/// An entry of an index that states something about another entry, as BuildKit writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// The entry, with its annotations.
    pub descriptor: Descriptor,
    /// What it is about; `None` when it does not say so.
    pub subject: Option<Digest>,
    /// What it states; empty unless referrers were asked for.
    pub predicate_types: Vec<String>,
}

/// Something attached to the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// The manifest it is attached to.
    pub subject: Digest,
    /// Describes it, with `artifactType` and annotations.
    pub descriptor: Descriptor,
}

/// What of an image is looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// Only this platform; every one when `None`.
    pub platform: Option<Platform>,
    /// Whether what is attached is looked for, and what attestations state.
    pub referrers: bool,
}

/// An image, and what of it could not be read.
pub(super) struct Looked {
    pub(super) inspected: Inspected,
    pub(super) broken: Vec<(Digest, Option<Platform>, ImageError)>,
}

/// Reads an image whose index or manifest is at hand: its platform manifests side by side, each followed by its config.
/// One request for each of them, two more for each manifest that may have something attached where the host has no
/// referrers API. Something that is no image has no platforms.
pub async fn inspect(registry: &dyn Registry, root: Manifest, view: &View) -> Result<Inspected, ImageError> {
    let Looked { inspected, mut broken } = look(registry, root, view).await?;
    match broken.pop() {
        Some((_, _, error)) => Err(error),
        None => Ok(inspected),
    }
}

/// The index or manifest under a digest.
pub async fn fetch(registry: &dyn Registry, digest: &Digest) -> Result<Manifest, ImageError> {
    let manifest = registry.manifest(digest, MANIFEST_LIMIT).await?;
    Ok(manifest.ok_or(RegistryError::NotStored { digest: *digest })?)
}

/// The manifest of one platform of an image whose index or manifest is at hand. One request where the index says which.
pub async fn platform_manifest(
    registry: &dyn Registry,
    root: Manifest,
    platform: &Platform,
) -> Result<Manifest, ImageError> {
    let wanted = platform.clone().normalised();
    let named = match parse(&root)? {
        Document::Index(index) => index
            .manifests
            .iter()
            .find(|entry| entry.runnable().as_ref() == Some(&wanted))
            .map(|entry| entry.digest),
        Document::Manifest(_) => None,
    };
    let digest = match named {
        Some(digest) => digest,
        None => {
            let view = View { platform: Some(wanted.clone()), referrers: false };
            let found = inspect(registry, root, &view).await?;
            found
                .platforms
                .first()
                .map(|one| one.digest)
                .ok_or(ImageError::NoPlatform { platform: wanted, available: Vec::new() })?
        }
    };
    fetch(registry, &digest).await
}

/// Like [`inspect`], but what cannot be read is told beside what can.
pub(super) async fn look(registry: &dyn Registry, root: Manifest, view: &View) -> Result<Looked, ImageError> {
    let document = parse(&root)?;
    let wanted = view.platform.clone().map(Platform::normalised);
    let entries = match &document {
        Document::Index(index) => walk(registry, root.digest, index).await?,
        Document::Manifest(_) => Entries::default(),
    };
    let candidates: Vec<(Digest, Option<Platform>)> = match &document {
        Document::Manifest(_) => vec![(root.digest, None)],
        Document::Index(_) => entries
            .platforms
            .iter()
            .map(|entry| (entry.digest, entry.runnable()))
            .filter(|(_, platform)| platform.is_none() || wanted.is_none() || *platform == wanted)
            .collect(),
    };
    let artifact_type = match &document {
        Document::Index(index) => index.artifact_type.clone(),
        Document::Manifest(manifest) => artifact_of(manifest),
    };
    let mut inspected = Inspected {
        digest: root.digest,
        media_type: document.media_type().to_owned(),
        artifact_type,
        annotations: document.annotations().clone(),
        bytes: root.bytes.clone(),
        platforms: Vec::new(),
        attestations: entries.attestations,
        others: entries.others,
        referrers: Vec::new(),
    };
    let root = &root;
    let platforms = together(
        AT_ONCE,
        candidates.iter().map(|(digest, platform)| async move {
            let manifest =
                if *digest == root.digest { root.clone() } else { fetch(registry, digest).await? };
            inspect_platform(registry, &manifest, platform.clone()).await
        }),
    );
    let attached =
        async { if view.referrers { attached_to(registry, root.digest).await } else { Ok(Vec::new()) } };
    let (platforms, attached) = tokio::join!(platforms, attached);
    inspected.referrers = attached?;
    let mut broken = Vec::new();
    for ((digest, platform), answer) in candidates.into_iter().zip(platforms) {
        match answer {
            Ok(Some(found)) => inspected.platforms.push(found),
            Ok(None) => {
                inspected.others.extend(entries.platforms.iter().find(|one| one.digest == digest).cloned());
            }
            Err(error) => broken.push((digest, platform, error)),
        }
    }
    if let Some(wanted) = wanted {
        inspected.only(&wanted, &entries.platforms, &broken)?;
    }
    if view.referrers {
        add_attached(registry, &mut inspected).await?;
    }
    Ok(Looked { inspected, broken })
}

/// `None` for what is run, and for what does not say what it is.
fn artifact_of(manifest: &ImageManifest) -> Option<String> {
    let kind = manifest.artifact_type.as_deref();
    let kind = kind.or(manifest.config.as_ref().map(|config| config.media_type.as_str()))?;
    (!media_type::is_config(kind)).then(|| kind.to_owned())
}

/// What is attached to the platforms, and what the attestations state.
async fn add_attached(registry: &dyn Registry, inspected: &mut Inspected) -> Result<(), ImageError> {
    let root = inspected.digest;
    let children: BTreeSet<Digest> =
        inspected.platforms.iter().map(|one| one.digest).filter(|digest| *digest != root).collect();
    let attached = together(AT_ONCE, children.into_iter().map(|child| attached_to(registry, child)));
    let stated = together(
        AT_ONCE,
        inspected.attestations.iter().map(|attestation| async move {
            let document = parse(&fetch(registry, &attestation.descriptor.digest).await?)?;
            Ok::<_, ImageError>(predicate_types(&document))
        }),
    );
    let (attached, stated) = tokio::join!(attached, stated);
    for found in attached {
        inspected.referrers.extend(found?);
    }
    for (attestation, types) in inspected.attestations.iter_mut().zip(stated) {
        attestation.predicate_types = types?;
    }
    Ok(())
}

fn predicate_types(document: &Document) -> Vec<String> {
    let types = document.named().filter_map(|layer| layer.annotations.get(annotation::PREDICATE_TYPE));
    types.cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

async fn attached_to(registry: &dyn Registry, subject: Digest) -> Result<Vec<Attached>, ImageError> {
    let found = registry.referrers(&subject, None).await?;
    Ok(found.into_iter().map(|descriptor| Attached { subject, descriptor }).collect())
}

impl Inspected {
    /// Name and digest of the base, as the annotations of the image have them, or those of its first platform that names
    /// one.
    pub fn base_name(&self) -> Option<(&str, Option<&str>)> {
        let children = self.platforms.iter().map(|platform| &platform.annotations);
        std::iter::once(&self.annotations).chain(children).find_map(|annotations| {
            let name = annotations.get(annotation::BASE_NAME)?;
            Some((name.as_str(), annotations.get(annotation::BASE_DIGEST).map(String::as_str)))
        })
    }

    /// Keeps one platform and what is about it.
    fn only(
        &mut self,
        wanted: &Platform,
        entries: &[Descriptor],
        broken: &[(Digest, Option<Platform>, ImageError)],
    ) -> Result<(), ImageError> {
        let mut available: BTreeSet<Platform> = entries.iter().filter_map(Descriptor::runnable).collect();
        available.extend(self.platforms.iter().map(|one| one.platform.clone()));
        self.platforms.retain(|one| one.platform == *wanted);
        if self.platforms.is_empty() && broken.is_empty() {
            let available = available.into_iter().collect();
            return Err(ImageError::NoPlatform { platform: wanted.clone(), available });
        }
        let kept: BTreeSet<Digest> = self.platforms.iter().map(|one| one.digest).collect();
        self.attestations.retain(|one| one.subject.is_some_and(|subject| kept.contains(&subject)));
        self.others.clear();
        Ok(())
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

/// The entries of an index and of the indexes in it.
#[derive(Default)]
struct Entries {
    /// What may be run; without a platform only the config can tell.
    platforms: Vec<Descriptor>,
    attestations: Vec<Attestation>,
    others: Vec<Descriptor>,
}

/// Sorts the entries of an index by what they are. A cycle is followed once around.
async fn walk(registry: &dyn Registry, digest: Digest, index: &ImageIndex) -> Result<Entries, ImageError> {
    let mut entries = Entries::default();
    let mut seen = BTreeSet::from([digest]);
    let mut level = vec![index.clone()];
    let mut count = 0;
    for _ in 0..INDEX_DEPTH {
        let mut nested = Vec::new();
        for entry in level.iter().flat_map(|index| &index.manifests) {
            count += 1;
            if count > ENTRIES {
                let source = OciError::TooMany { limit: ENTRIES, found: count };
                return Err(ImageError::Document { digest, source });
            }
            let is_image = entry.artifact_type.as_deref().is_none_or(media_type::is_config);
            if entry.annotations.contains_key(annotation::DOCKER_REFERENCE_TYPE) {
                let subject = entry.annotations.get(annotation::DOCKER_REFERENCE_DIGEST);
                entries.attestations.push(Attestation {
                    descriptor: entry.clone(),
                    // A digest that cannot be read is the digest of nothing here.
                    subject: subject.and_then(|subject| subject.parse().ok()),
                    predicate_types: Vec::new(),
                });
            } else if media_type::is_index(&entry.media_type) && is_image {
                if seen.insert(entry.digest) {
                    nested.push(entry.digest);
                }
            } else if media_type::is_manifest(&entry.media_type)
                && is_image
                && (entry.platform.is_none() || entry.runnable().is_some())
            {
                entries.platforms.push(entry.clone());
            } else {
                entries.others.push(entry.clone());
            }
        }
        if nested.is_empty() {
            return Ok(entries);
        }
        let fetched = together(
            AT_ONCE,
            nested.iter().map(|digest| async move { parse(&fetch(registry, digest).await?) }),
        );
        level = Vec::new();
        for document in fetched.await {
            if let Document::Index(index) = document? {
                level.push(index);
            }
        }
    }
    Err(ImageError::Document { digest, source: OciError::TooDeep { limit: INDEX_DEPTH } })
}

pub(super) fn parse(manifest: &Manifest) -> Result<Document, ImageError> {
    Document::parse(&manifest.bytes, Some(&manifest.media_type))
        .map_err(|source| ImageError::Document { digest: manifest.digest, source })
}

/// One platform; `None` when the manifest is that of something else than an image.
async fn inspect_platform(
    registry: &dyn Registry,
    manifest: &Manifest,
    platform: Option<Platform>,
) -> Result<Option<InspectedPlatform>, ImageError> {
    let Manifest { digest, bytes, .. } = manifest;
    let invalid = |source| ImageError::Document { digest: *digest, source };
    let ImageManifest { media_type, config, layers, annotations, .. } = match parse(manifest)? {
        Document::Manifest(found) if artifact_of(&found).is_some() => return Ok(None),
        Document::Manifest(found) => found,
        Document::Index(index) => {
            let expected = media_type::MANIFEST.to_owned();
            return Err(invalid(OciError::MediaType { expected, found: index.media_type }));
        }
    };
    let config_descriptor = config.ok_or_else(|| invalid(OciError::Missing { field: "config" }))?;
    let config_bytes = match embedded(bytes, &config_descriptor.digest) {
        Some(bytes) => bytes,
        None => small_blob(registry, &config_descriptor, CONFIG_LIMIT).await?,
    };
    let config = ImageConfig::parse(&config_bytes)
        .map_err(|source| ImageError::Document { digest: config_descriptor.digest, source })?;
    let platform = platform.or_else(|| config.platform()).ok_or_else(|| ImageError::Document {
        digest: config_descriptor.digest,
        source: OciError::Missing { field: "os" },
    })?;
    let execution = config.config.clone().unwrap_or_default();
    let sizes = layers.iter().map(|layer| layer.size).chain([config_descriptor.size]);
    Ok(Some(InspectedPlatform {
        platform,
        digest: *digest,
        media_type,
        size: bytes.len() as u64,
        annotations,
        compressed_size: sizes.fold(0, u64::saturating_add),
        run: Run {
            user: execution.user,
            env: execution.env.unwrap_or_default(),
            entrypoint: execution.entrypoint.unwrap_or_default(),
            cmd: execution.cmd.unwrap_or_default(),
            working_dir: execution.working_dir,
            labels: execution.labels.unwrap_or_default(),
        },
        layers,
        config,
        config_bytes,
        config_descriptor,
    }))
}

/// A blob that fits into memory.
pub(super) async fn small_blob(
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
