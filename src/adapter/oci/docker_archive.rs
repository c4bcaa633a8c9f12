//! What `docker save` writes (`docker-archive:`), read as a registry of OCI images.
//!
//! Docker keeps no manifests in such a file, so they are made here: config and layers stay byte for byte what they are,
//! and the same file gives the same manifests. Nothing is written in this format.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use super::fault::invalid;
use super::memory::Memory;
use super::place::Place;
use super::tarball::{Links, places};
use crate::format::docker_archive::{self, MANIFEST_LIMIT, SavedImage};
use crate::format::oci::{CONFIG_LIMIT, Descriptor, ImageConfig, ImageManifest, media_type};
use crate::model::{Digest, DigestAlgorithm, is_image_tag};
use crate::port::RegistryError;

/// Reads an archive. Every layer is hashed; one that is not what the config says is refused.
pub fn import(path: &Path) -> Result<Memory, RegistryError> {
    let places = places(path, Links::Aliases)?;
    let what = path.display().to_string();
    let refuse = |reason: String| RegistryError::Invalid { what: what.clone(), reason };
    let manifest =
        places.get("manifest.json").ok_or_else(|| refuse("it holds no file `manifest.json`".to_owned()))?;
    let images = docker_archive::read(&manifest.read("manifest.json", MANIFEST_LIMIT)?)
        .map_err(|error| refuse(format!("manifest.json is not valid: {error}")))?;
    let registry = Memory::new();
    let mut import = Import { places: &places, hashed: BTreeMap::new(), registry: &registry, what: &what };
    let mut tags: BTreeMap<&str, Digest> = BTreeMap::new();
    for image in &images {
        let digest = import.image(image)?;
        for tag in image.tags().into_iter().filter(|tag| is_image_tag(tag)) {
            if tags.insert(tag, digest).is_some_and(|other| other != digest) {
                return Err(refuse(format!("several images have the tag `{tag}`")));
            }
        }
    }
    for (tag, digest) in tags {
        registry.hold_tag(tag, digest);
    }
    Ok(registry)
}

struct Import<'a> {
    places: &'a BTreeMap<String, Place>,
    /// Digests by offset: layers occur more than once.
    hashed: BTreeMap<u64, Digest>,
    registry: &'a Memory,
    what: &'a str,
}

impl Import<'_> {
    /// Takes an image in; answers the digest of the manifest that was made for it.
    fn image(&mut self, image: &SavedImage) -> Result<Digest, RegistryError> {
        let config_place = self.place(&image.config)?;
        let bytes = config_place.read(&image.config, CONFIG_LIMIT)?;
        let config = ImageConfig::parse(&bytes).map_err(|error| invalid(&image.config, &error))?;
        let config_descriptor = Descriptor::of(media_type::CONFIG, &bytes);
        self.registry.hold(config_descriptor.digest, config_place);
        let diff_ids = &config.rootfs.diff_ids;
        if diff_ids.len() != image.layers.len() {
            let reason = format!("{} names {} layers, {}", image.config, diff_ids.len(), image.layers.len());
            return Err(self.refuse(format!("{reason} are listed")));
        }
        let mut layers = Vec::new();
        for (name, diff_id) in image.layers.iter().zip(diff_ids) {
            layers.push(self.layer(name, diff_id)?);
        }
        let manifest = ImageManifest {
            schema_version: 2,
            media_type: media_type::MANIFEST.to_owned(),
            artifact_type: None,
            config: Some(config_descriptor),
            layers,
            subject: None,
            annotations: BTreeMap::new(),
        };
        let bytes = serde_json::to_vec(&manifest).map_err(|error| self.refuse(error.to_string()))?;
        Ok(self.registry.hold_made(media_type::MANIFEST, bytes))
    }

    /// The layer under a name; one that is not compressed must be what the config says.
    fn layer(&mut self, name: &str, diff_id: &Digest) -> Result<Descriptor, RegistryError> {
        let place = self.place(name)?;
        let mut magic = [0; 4];
        let read = read_up_to(&place, &mut magic)?;
        let kind = match &magic[..read] {
            [0x1f, 0x8b, ..] => media_type::LAYER_GZIP,
            [0x28, 0xb5, 0x2f, 0xfd] => media_type::LAYER_ZSTD,
            _ => media_type::LAYER,
        };
        let digest = match self.hashed.get(&place.offset) {
            Some(digest) => *digest,
            None => {
                let digest = hash(name, &place, DigestAlgorithm::Sha256)?;
                self.hashed.insert(place.offset, digest);
                digest
            }
        };
        if kind == media_type::LAYER && digest != *diff_id {
            let found = match diff_id.algorithm() {
                DigestAlgorithm::Sha256 => digest,
                other @ DigestAlgorithm::Sha512 => hash(name, &place, other)?,
            };
            if found != *diff_id {
                let (what, expected) = (name.to_owned(), *diff_id);
                return Err(RegistryError::DigestMismatch { what, expected, found });
            }
        }
        let size = place.size;
        self.registry.hold(digest, place);
        Ok(Descriptor {
            media_type: kind.to_owned(),
            digest,
            size,
            artifact_type: None,
            platform: None,
            annotations: BTreeMap::new(),
        })
    }

    fn place(&self, name: &str) -> Result<Place, RegistryError> {
        let found = self.places.get(name).cloned();
        found.ok_or_else(|| self.refuse(format!("it holds no file `{}`", name.escape_debug())))
    }

    fn refuse(&self, reason: String) -> RegistryError {
        RegistryError::Invalid { what: self.what.to_owned(), reason }
    }
}

fn hash(name: &str, place: &Place, algorithm: DigestAlgorithm) -> Result<Digest, RegistryError> {
    let read = algorithm.digest_stream(&mut place.open(0));
    Ok(read.map_err(|source| RegistryError::Read { what: name.to_owned(), source })?.0)
}

fn read_up_to(place: &Place, buffer: &mut [u8]) -> Result<usize, RegistryError> {
    let mut bytes = Vec::new();
    place
        .open(0)
        .take(buffer.len() as u64)
        .read_to_end(&mut bytes)
        .map_err(|source| RegistryError::Read { what: "a layer".to_owned(), source })?;
    buffer[..bytes.len()].copy_from_slice(&bytes);
    Ok(bytes.len())
}
