//! One index over images that were built apart.
//!
//! What is named may be an image of one platform or an index: of an index the entries are taken as they are written, with
//! fields nobody here knows, and its attestations come along behind the images. No entry is converted.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::arrived::{Arrived, Mode};
use super::error::ImageError;
use super::graph::{Attachments, GraphLimits};
use super::inspect::small_blob;
use super::point::{point, read_meant};
use super::tags::{Looked, Meant, TagState, Wanted, plan_moves};
use super::together::side_by_side;
use super::transfer::{Place, Transfer, Transferred, transfer};
use crate::format::oci::{
    CONFIG_LIMIT, Descriptor, Document, ImageConfig, MANIFEST_LIMIT, OciError, PlatformFields, media_type,
};
use crate::model::{Digest, Platform};
use crate::port::{Manifest, Progress, Registry};

/// An image that becomes part of an index.
pub struct Part<'a> {
    /// Where it is.
    pub source: &'a dyn Registry,
    /// How a person calls it.
    pub name: String,
    /// What in it is meant.
    pub meant: Meant,
}

/// An index that was made, and what has to be stored before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// The index.
    pub index: Manifest,
    /// What it names: the position of the part, and the digest of a manifest in its store.
    pub named: Vec<(usize, Digest)>,
    /// The images that can be run, in the order of the index.
    pub platforms: Vec<(Platform, Digest)>,
}

/// An entry of the index that is made.
struct Entry {
    part: usize,
    digest: Digest,
    /// The platform of an image; `None` for what nobody runs.
    platform: Option<Platform>,
    written: Value,
}

/// Makes an index over images, in their order, what nobody runs behind them. One platform twice is refused unless it is
/// the same image. The same arguments give the same bytes.
pub async fn compose(
    parts: &[Part<'_>],
    annotations: &BTreeMap<String, String>,
    jobs: usize,
) -> Result<Composed, ImageError> {
    let reading = parts.iter().enumerate().map(|(position, part)| entries(position, part));
    let (mut images, mut others): (Vec<Entry>, Vec<Entry>) = (Vec::new(), Vec::new());
    for entry in side_by_side(jobs, reading).await?.into_iter().flatten() {
        let known = images.iter().chain(&others).any(|other| other.digest == entry.digest);
        let same = images.iter().find(|other| entry.platform.is_some() && other.platform == entry.platform);
        match (same, &entry.platform) {
            (Some(other), Some(platform)) if other.digest != entry.digest => {
                let (platform, first, second) = (platform.clone(), other.digest, entry.digest);
                return Err(ImageError::TwoImages { platform, first, second });
            }
            _ if known => {}
            (_, Some(_)) => images.push(entry),
            (_, None) => others.push(entry),
        }
    }
    let platforms = images.iter().filter_map(|entry| Some((entry.platform.clone()?, entry.digest))).collect();
    images.append(&mut others);
    let named = images.iter().map(|entry| (entry.part, entry.digest)).collect();
    let mut document = Map::new();
    document.insert("schemaVersion".to_owned(), 2.into());
    document.insert("mediaType".to_owned(), media_type::INDEX.into());
    document.insert("manifests".to_owned(), images.into_iter().map(|entry| entry.written).collect());
    if !annotations.is_empty() {
        let annotations = annotations.iter().map(|(key, value)| (key.clone(), value.clone().into()));
        document.insert("annotations".to_owned(), Value::Object(annotations.collect()));
    }
    let bytes = serde_json::to_vec(&document).map_err(|source| ImageError::Unwritable { source })?;
    let digest = Digest::of(&bytes);
    if bytes.len() as u64 > MANIFEST_LIMIT {
        return Err(ImageError::TooMuch { what: "bytes of an index", limit: MANIFEST_LIMIT });
    }
    let index = Manifest { media_type: media_type::INDEX.to_owned(), digest, bytes };
    Ok(Composed { index, named, platforms })
}

/// The entries a part gives.
async fn entries(position: usize, part: &Part<'_>) -> Result<Vec<Entry>, ImageError> {
    let Part { source, name, meant } = part;
    let manifest = read_meant(*source, meant, name).await?;
    let invalid = |source: OciError| ImageError::Document { digest: manifest.digest, source };
    match Document::parse(&manifest.bytes, Some(&manifest.media_type)).map_err(invalid)? {
        Document::Index(index) => {
            let document: Value =
                serde_json::from_slice(&manifest.bytes).map_err(|source| invalid(source.into()))?;
            let written = document["manifests"].as_array().cloned().unwrap_or_default();
            let taken = index.manifests.iter().zip(written);
            Ok(taken
                .map(|(entry, written)| Entry {
                    part: position,
                    digest: entry.digest,
                    platform: entry.runnable(),
                    written,
                })
                .collect())
        }
        Document::Manifest(document) => {
            let config = document.config.filter(|config| media_type::is_config(&config.media_type));
            let platform = match config {
                Some(config) => platform_of(*source, &config).await?,
                None => None,
            };
            let platform = platform.ok_or(ImageError::NoPlatformSaid { digest: manifest.digest })?;
            let mut entry = manifest.descriptor();
            entry.platform = Some(PlatformFields::from(&platform));
            let written = serde_json::to_value(&entry).map_err(|source| ImageError::Unwritable { source })?;
            Ok(vec![Entry { part: position, digest: entry.digest, platform: Some(platform), written }])
        }
    }
}

/// The platform a config says; `unknown` is none.
async fn platform_of(source: &dyn Registry, config: &Descriptor) -> Result<Option<Platform>, ImageError> {
    let bytes = small_blob(source, config, CONFIG_LIMIT).await?;
    let config = ImageConfig::parse(&bytes)
        .map_err(|source| ImageError::Document { digest: config.digest, source })?;
    Ok(config.platform().filter(|platform| platform.os() != "unknown"))
}

/// An index on its way to a place.
pub struct Creation<'a> {
    /// What it is made of.
    pub parts: &'a [Part<'a>],
    /// The index.
    pub composed: &'a Composed,
    /// Where it goes.
    pub registry: &'a dyn Registry,
    /// How a person calls the place.
    pub name: &'a str,
    /// The tags it gets.
    pub wanted: Wanted<'a>,
    /// Whether what refers to the images goes along.
    pub attachments: Attachments,
    /// Most things that are done side by side.
    pub jobs: usize,
    /// Listens.
    pub progress: &'a dyn Progress,
}

/// Brings the images of an index to a place, then the index, its tags last. That a tag may not move is told before
/// anything is stored.
pub async fn create(creation: &Creation<'_>) -> Result<Transferred, ImageError> {
    let Creation { parts, composed, registry, wanted, .. } = creation;
    let index = &composed.index;
    let mut moves = plan_moves(*registry, &index.digest, wanted, &Looked::new()).await?;
    let whole = !moves.is_empty() && moves.iter().all(|one| one.state == TagState::Unchanged);
    let mut arrived = Arrived::new(creation.name, Mode::Required);
    let mut remarks = Vec::new();
    let left = composed.named.iter().filter(|_| !whole || creation.attachments == Attachments::Taken);
    for (position, digest) in left {
        let job = Transfer {
            source: parts[*position].source,
            from: parts[*position].name.clone(),
            meant: Meant::Digest(*digest),
            platform: None,
            expected: None,
            places: vec![Place { name: creation.name.to_owned(), registry: *registry, mode: Mode::Required }],
            wanted: Wanted::default(),
            attachments: creation.attachments,
            jobs: creation.jobs,
            limits: GraphLimits::default(),
            progress: creation.progress,
        };
        let done = transfer(&job).await?;
        remarks.extend(done.remarks);
        for one in done.places {
            arrived.merge(one);
        }
    }
    if creation.progress.stop_requested() {
        return Err(ImageError::Stopped);
    }
    if moves.is_empty() {
        // An index that was made here has no subject, so nothing has to list it.
        let put = registry.put(index, &[]).await?;
        arrived.manifests.push(put.digest);
    }
    if !arrived.uploaded.is_empty() {
        // Time has passed since the first look.
        moves = plan_moves(*registry, &index.digest, wanted, &Looked::new()).await?;
    }
    point(*registry, index, &moves, arrived.read_back()).await?;
    if moves.iter().any(|one| one.state.is_written()) {
        arrived.manifests.push(index.digest);
    }
    arrived.moves = moves;
    let media_type = index.media_type.clone();
    Ok(Transferred { digest: index.digest, media_type, places: vec![arrived], remarks })
}
