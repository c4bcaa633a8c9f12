//! The executables of an image with their bytes, for who wants to know what is in them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use super::error::ImageError;
use super::inspect::{InspectedPlatform, View, beside, inspect};
use super::scan::{LayerFacts, scan};
use super::unpack::{LayerError, LayerLimits, Unpacked};
use super::walk::{parts, walk};
use crate::format::oci::Descriptor;
use crate::model::{Digest, DigestAlgorithm, Platform};
use crate::port::{BlobReader, Manifest, Registry, RegistryError};

/// The most bytes of executables of one image.
const MAX_PROGRAMS: u64 = 2 << 30;

/// One executable of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The platform it is in.
    pub platform: Platform,
    /// Digest of the manifest of that platform.
    pub manifest: Digest,
    /// Where it is, without a leading slash.
    pub path: String,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Every ELF executable of an image as a container sees it: what a later layer hides is not there. By platform and path.
pub async fn programs(
    registry: &dyn Registry,
    root: Manifest,
    platform: Option<&Platform>,
    limits: LayerLimits,
) -> Result<Vec<Program>, ImageError> {
    let view = View { platform: platform.cloned(), referrers: false };
    let inspected = inspect(registry, root, &view).await?;
    let mut found = Vec::new();
    let mut left = MAX_PROGRAMS;
    for platform in &inspected.platforms {
        for (path, bytes) in of_platform(registry, platform, limits, &mut left).await? {
            let (platform, manifest) = (platform.platform.clone(), platform.digest);
            found.push(Program { platform, manifest, path, bytes });
        }
    }
    found.sort_by(|left, right| (&left.platform, &left.path).cmp(&(&right.platform, &right.path)));
    Ok(found)
}

/// Reads the layers twice: from the base upwards to know what is left in the end, then downwards for its bytes, because
/// the file a container sees is that of the highest layer that has it.
async fn of_platform(
    registry: &dyn Registry,
    platform: &InspectedPlatform,
    limits: LayerLimits,
    left: &mut u64,
) -> Result<BTreeMap<String, Vec<u8>>, ImageError> {
    let mut facts = LayerFacts::default();
    for layer in &platform.layers {
        let (media_type, reader) = open(registry, layer).await?;
        let mut below = std::mem::take(&mut facts);
        facts = beside(move || {
            scan(reader, &media_type, DigestAlgorithm::Sha256, limits, &mut below)?;
            Ok(below)
        })
        .await?;
    }
    let elf = facts.programs.iter().filter(|(_, architecture)| architecture.is_some());
    let mut wanted: BTreeSet<String> = elf.map(|(path, _)| path.clone()).collect();
    let mut found = BTreeMap::new();
    for layer in platform.layers.iter().rev() {
        if wanted.is_empty() {
            break;
        }
        let (media_type, reader) = open(registry, layer).await?;
        let (paths, most) = (wanted.clone(), *left);
        let taken = beside(move || {
            let mut plain = Unpacked::new(reader, &media_type, limits)?;
            Ok(take(&mut plain, &paths, most, limits)?)
        })
        .await?;
        for (path, bytes) in taken {
            *left = left.saturating_sub(bytes.len() as u64);
            wanted.remove(&path);
            found.insert(path, bytes);
        }
    }
    Ok(found)
}

/// The files of a layer that are wanted; of a name that stands there twice the last.
fn take(
    plain: &mut Unpacked,
    wanted: &BTreeSet<String>,
    most: u64,
    limits: LayerLimits,
) -> Result<BTreeMap<String, Vec<u8>>, LayerError> {
    let mut taken: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut used = 0;
    walk(plain, limits, &mut |item, content| {
        let path = parts(&item.name).join("/");
        if !item.header.entry_type().is_file() || !wanted.contains(&path) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        let left = most.saturating_sub(used);
        content.take(left.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > left {
            return Err(LayerError::TooLarge { limit: MAX_PROGRAMS });
        }
        used += bytes.len() as u64;
        if let Some(replaced) = taken.insert(path, bytes) {
            used -= replaced.len() as u64;
        }
        Ok(())
    })?;
    Ok(taken)
}

async fn open(registry: &dyn Registry, layer: &Descriptor) -> Result<(String, BlobReader), ImageError> {
    let reader = registry.blob(layer).await?;
    let reader = reader.ok_or(RegistryError::NotStored { digest: layer.digest })?;
    Ok((layer.media_type.clone(), reader))
}
