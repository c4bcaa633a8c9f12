//! Carries out one action.

use std::io::{self, Read as _};
use std::path::Path;

use super::diff::Action;
use super::stored::stored;
use super::{Job, Memory, PublishError, World, observe};
use crate::format::oci::MANIFEST_LIMIT;
use crate::format::release_manifest;
use crate::image::{self, Held, Referrer};
use crate::model::{AssetName, Digest, Hasher, ImageEntry, ReleaseAsset, ReleaseManifest};
use crate::port::{BlobReader, FilesError, Hold, ReleaseId};

/// A bundle that is attached to an image.
const MAX_BUNDLE: u64 = 32 << 20;

/// Does it, once. Whether it worked is seen by the next observation.
pub(super) async fn act(
    world: &World<'_>,
    job: &Job<'_>,
    memory: &mut Memory,
    action: &Action,
) -> Result<(), PublishError> {
    match action {
        Action::DropDuplicate(id) => world.forge.delete_draft(id).await?,
        Action::Attach(at, referrer) => attach(world, job, *at, *referrer).await?,
        Action::CreateDraft => create_draft(world, job).await?,
        Action::RemoveAsset(id, name) => {
            world.forge.delete_asset(id, name).await?;
            memory.spoilt.remove(&(id.clone(), name.clone()));
            memory.read_back.remove(&(id.clone(), name.clone()));
        }
        Action::Upload(id, asset) => {
            let content = content(job, asset)?;
            world.forge.upload(id, &asset.name, asset.size, content).await?;
            world.progress.finished("Uploaded", &format!("{} ({})", asset.name, size(asset.size)));
        }
        Action::Describe(id, body) => world.forge.edit(id, body, job.manifest.prerelease).await?,
        Action::ReadBack(id, asset) => read_back(world, memory, id, asset).await?,
        Action::TagVersion(at, tag) => {
            let _hold = hold(world, job, *at, tag).await?;
            tag_image(world, job, *at, tag).await?;
        }
        Action::TagRolling(at, tag) => tag_image(world, job, *at, tag).await?,
        Action::Publish(id) => {
            world.forge.publish(id).await?;
            world.progress.finished("Published", &format!("{} in {}", job.manifest.tag, world.forge.place()));
        }
        Action::SetLatest(id) => {
            world.forge.set_latest(id).await?;
            world.progress.finished("Latest", &format!("is now {}", job.manifest.tag));
        }
    }
    Ok(())
}

async fn create_draft(world: &World<'_>, job: &Job<'_>) -> Result<(), PublishError> {
    let draft = job.draft(&release_manifest::nonce(job.nonce, job.rid));
    world.forge.create_draft(&draft).await?;
    world.progress.finished("Drafted", &format!("{} in {}", draft.tag, world.forge.place()));
    Ok(())
}

/// The bytes of an asset, refused before anything is sent when they are not the planned ones.
fn content(job: &Job<'_>, asset: &ReleaseAsset) -> Result<BlobReader, PublishError> {
    if asset.name.as_str() == ReleaseManifest::ASSET {
        return Ok(Box::new(io::Cursor::new(job.manifest_bytes.to_vec())));
    }
    let Some(dist) = job.dist else {
        let missing = vec![(asset.name.to_string(), asset.digest)];
        return Err(PublishError::Missing { tag: job.manifest.tag.clone(), missing });
    };
    let path = Path::new(asset.name.as_str());
    let failed = |source| PublishError::Dist { name: asset.name.clone(), source };
    let (found, _) = dist.digest(path).map_err(failed)?;
    if found != asset.digest {
        return Err(PublishError::Changed { name: asset.name.clone(), expected: asset.digest, found });
    }
    dist.open(path).map_err(failed)
}

/// Reads what the forge stores and remembers whether it is what was planned.
async fn read_back(
    world: &World<'_>,
    memory: &mut Memory,
    id: &ReleaseId,
    asset: &ReleaseAsset,
) -> Result<(), PublishError> {
    let mut reader = world.forge.download(id, &asset.name).await?.take(asset.size.saturating_add(1));
    let mut hasher = Hasher::default();
    io::copy(&mut reader, &mut hasher).map_err(|source| PublishError::Dist {
        name: asset.name.clone(),
        source: FilesError::io("read", Path::new(asset.name.as_str()), source),
    })?;
    let key = (id.clone(), asset.name.clone());
    if hasher.finish() == (asset.digest, asset.size) {
        memory.read_back.insert(key);
    } else {
        memory.spoilt.insert(key);
    }
    Ok(())
}

/// Attaches a bundle to an image: its blobs first, then the manifest that names them.
async fn attach(world: &World<'_>, job: &Job<'_>, at: usize, referrer: usize) -> Result<(), PublishError> {
    let image = &job.manifest.images[at];
    let made = attachment(world, job, at, referrer).await?;
    let failed = |source| PublishError::Registry { repository: image.repository.clone(), source };
    made.package.put(observe::registry(world, image)?).await.map_err(failed)?;
    let entry = &image.referrers[referrer];
    let platform = image.platforms.iter().find(|platform| platform.digest == entry.subject);
    let subject = platform.map_or_else(|| "the index".to_owned(), |platform| platform.platform.to_string());
    world.progress.finished("Attached", &format!("{} to {subject} of {}", entry.asset, image.repository));
    Ok(())
}

/// What attaches a bundle to an image: positions of the image and of the referrer in the manifest. Other bytes than
/// planned are an error.
pub async fn attachment(
    world: &World<'_>,
    job: &Job<'_>,
    at: usize,
    referrer: usize,
) -> Result<Referrer, PublishError> {
    let image = &job.manifest.images[at];
    let entry = &image.referrers[referrer];
    let failed = |source| PublishError::Registry { repository: image.repository.clone(), source };
    let bundle = staged_bundle(world, job, &entry.asset).await?;
    let registry = observe::registry(world, image)?;
    let Some(index) = registry.manifest(&image.digest, MANIFEST_LIMIT).await.map_err(failed)? else {
        let missing = vec![(image.repository.to_string(), image.digest)];
        return Err(PublishError::Missing { tag: job.manifest.tag.clone(), missing });
    };
    let made = image::attachment(&index.bytes, &entry.subject, &bundle, job.manifest.created).ok().flatten();
    match made {
        Some(made) if made.descriptor.digest == entry.digest => Ok(made),
        other => {
            let found = other.map_or_else(|| Digest::of(&bundle), |made| made.descriptor.digest);
            Err(PublishError::Changed { name: entry.asset.clone(), expected: entry.digest, found })
        }
    }
}

/// A bundle from dist, else from the draft or the release that stages it.
async fn staged_bundle(world: &World<'_>, job: &Job<'_>, name: &AssetName) -> Result<Vec<u8>, PublishError> {
    let unread = |source| PublishError::Dist { name: name.clone(), source };
    if let Some(dist) = job.dist {
        return dist.read(Path::new(name.as_str()), MAX_BUNDLE).map_err(unread);
    }
    for release in world.forge.releases(&job.manifest.tag).await? {
        if let Some(bytes) = stored(world.forge, &release, name.as_str(), MAX_BUNDLE).await? {
            return Ok(bytes);
        }
    }
    let digest = job.manifest.asset(name).map_or(job.rid.0, |asset| asset.digest);
    Err(PublishError::Missing { tag: job.manifest.tag.clone(), missing: vec![(name.to_string(), digest)] })
}

/// Keeps a tag that never moves to ourselves, where the store can do that, and looks at it once more.
async fn hold(world: &World<'_>, job: &Job<'_>, at: usize, tag: &str) -> Result<Option<Hold>, PublishError> {
    let ImageEntry { repository, digest, .. } = &job.manifest.images[at];
    let registry = observe::registry(world, &job.manifest.images[at])?;
    let failed = |source| PublishError::Registry { repository: repository.clone(), source };
    match image::hold_fixed(registry, digest, &[tag]).await.map_err(failed)? {
        Held::Ours(hold) => Ok(hold),
        Held::Taken { tag, found } => Err(PublishError::TagTaken {
            repository: repository.clone(),
            image_tag: tag,
            expected: *digest,
            found,
        }),
    }
}

async fn tag_image(world: &World<'_>, job: &Job<'_>, at: usize, tag: &str) -> Result<(), PublishError> {
    let image: &ImageEntry = &job.manifest.images[at];
    let registry = observe::registry(world, image)?;
    registry
        .tag(tag, &image.digest)
        .await
        .map_err(|source| PublishError::Registry { repository: image.repository.clone(), source })?;
    world.progress.finished("Tagged", &format!("{}:{tag}", image.repository));
    Ok(())
}

/// Bytes in the unit a person reads.
fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}
