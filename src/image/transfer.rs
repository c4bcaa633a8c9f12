//! Images from one store to others: push, copy, mirrors.
//!
//! Order is everything. Blobs side by side, then the manifests that name them by digest, then what is attached; tags
//! last, and only when every place that must have the image has all of it. So a run that ends anywhere leaves nothing
//! half under a tag, and the next run finds what is there and sends the rest.

use std::collections::BTreeSet;

use super::error::ImageError;
use super::graph::{Attachments, Graph, GraphLimits, Node, Remark, gather};
use super::point::{ReadBack, point, read_meant};
use super::tags::{Looked, Meant, Move, TagPolicy, TagState, Wanted, plan_moves};
use super::together::side_by_side;
use crate::format::oci::{Descriptor, Document, MANIFEST_LIMIT};
use crate::model::{Digest, Platform};
use crate::port::{Content, Manifest, Progress, Registry, RegistryError, Stored};

/// Whether the image must be at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Without it nothing is tagged anywhere.
    Required,
    /// Without it the rest goes on, and it is told.
    BestEffort,
}

/// Where an image goes.
pub struct Place<'a> {
    /// How a person calls it.
    pub name: String,
    /// The store.
    pub registry: &'a dyn Registry,
    /// Whether the image must be there.
    pub mode: Mode,
}

/// What is to be transferred, and where to.
pub struct Transfer<'a> {
    /// Where the image is.
    pub source: &'a dyn Registry,
    /// How a person calls it.
    pub from: String,
    /// What in it is meant.
    pub meant: Meant,
    /// One platform of it only.
    pub platform: Option<Platform>,
    /// The digest it must have.
    pub expected: Option<Digest>,
    /// Where it goes: the destination, then its mirrors.
    pub places: Vec<Place<'a>>,
    /// The tags it gets at every place.
    pub wanted: Wanted<'a>,
    /// Whether what refers to it goes along.
    pub attachments: Attachments,
    /// Most things that are done side by side at one place.
    pub jobs: usize,
    /// Tags that never move are looked at again when more bytes than this were sent since the first look.
    pub look_again_after: u64,
    /// How far the image is followed.
    pub limits: GraphLimits,
    /// Listens.
    pub progress: &'a dyn Progress,
}

/// Bytes that are sent so fast that nobody else has set a tag meanwhile.
pub const LOOK_AGAIN_AFTER: u64 = 1 << 20;

/// What a transfer came to.
#[derive(Debug)]
pub struct Transferred {
    /// The digest of the image.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// The places, in the order they were given.
    pub places: Vec<Arrived>,
    /// What a person should know about the image.
    pub remarks: Vec<Remark>,
}

/// What came of one place.
#[derive(Debug)]
pub struct Arrived {
    /// How a person calls it.
    pub name: String,
    /// Whether the image must be there.
    pub mode: Mode,
    /// The tags.
    pub moves: Vec<Move>,
    /// Blobs that were sent.
    pub uploaded: Vec<Digest>,
    /// Blobs that the host linked from another repository.
    pub mounted: Vec<Digest>,
    /// Blobs that were there.
    pub skipped: Vec<Digest>,
    /// Manifests that were sent.
    pub manifests: Vec<Digest>,
    /// Those of them that are attached to the image.
    pub attached: Vec<Digest>,
    /// Why the image is not there although that was tried.
    pub failure: Option<ImageError>,
    sent: u64,
    looked: Looked,
}

/// Transfers an image. An error means that no tag was moved, unless it is one of moving tags.
pub async fn transfer(transfer: &Transfer<'_>) -> Result<Transferred, ImageError> {
    let first = transfer.wanted.first();
    let (root, looks) = tokio::join!(
        read_root(transfer),
        side_by_side(transfer.places.len(), transfer.places.iter().map(|place| look(place.registry, first)))
    );
    let (root, looks) = (root?, looks?);
    let digest = root.digest;
    if let Some(expected) = transfer.expected.filter(|expected| *expected != digest) {
        let what = "the image".to_owned();
        return Err(RegistryError::DigestMismatch { what, expected, found: digest }.into());
    }
    let mut arrived = Vec::new();
    for (place, look) in transfer.places.iter().zip(looks) {
        let mut one = Arrived::new(&place.name, place.mode);
        match (look, first) {
            (Some(Ok(found)), Some(tag)) => drop(one.looked.insert(tag.to_owned(), found)),
            (Some(Err(error)), _) => one.fail(transfer.at(place, error.into()))?,
            _ => {}
        }
        arrived.push(one);
    }
    let complete = side_by_side(
        transfer.places.len(),
        transfer
            .places
            .iter()
            .zip(&mut arrived)
            .map(|(place, one)| is_complete(transfer, place, one, &digest)),
    )
    .await?;
    let idle = complete.iter().zip(&arrived).all(|(complete, one)| *complete || one.failure.is_some());
    let mut remarks = Vec::new();
    if idle && transfer.source.repository().is_some() {
        // What is below the image is known to be there, and looking at the source again would say nothing new.
        for one in &mut arrived {
            one.skipped.push(digest);
        }
    } else {
        let graph =
            gather(transfer.source, root.clone(), transfer.attachments, transfer.jobs, transfer.limits)
                .await?;
        let sending =
            transfer.places.iter().zip(&mut arrived).zip(complete).map(|((place, one), complete)| {
                let graph = &graph;
                async move {
                    if complete {
                        one.skipped.extend(graph.blobs.iter().map(|blob| blob.digest));
                        return Ok(());
                    }
                    if one.failure.is_some() {
                        return Ok(());
                    }
                    match send(transfer, graph, place, one).await {
                        Ok(()) => Ok(()),
                        Err(error) => one.fail(error),
                    }
                }
            });
        side_by_side(transfer.places.len(), sending).await?;
        remarks = graph.remarks;
    }
    set_tags(transfer, &root, &mut arrived).await?;
    Ok(Transferred { digest, media_type: root.media_type, places: arrived, remarks })
}

/// Where the tag that stands for the rest points. An error is kept: whether it counts depends on the place.
async fn look(
    registry: &dyn Registry,
    first: Option<&str>,
) -> Result<Option<Result<Option<Digest>, RegistryError>>, ImageError> {
    Ok(match first {
        Some(tag) => Some(registry.resolve(tag).await),
        None => None,
    })
}

impl Arrived {
    pub(super) fn new(name: &str, mode: Mode) -> Self {
        Self {
            name: name.to_owned(),
            mode,
            moves: Vec::new(),
            uploaded: Vec::new(),
            mounted: Vec::new(),
            skipped: Vec::new(),
            manifests: Vec::new(),
            attached: Vec::new(),
            failure: None,
            sent: 0,
            looked: Looked::new(),
        }
    }

    /// Adds what came of another transfer to the same place. What one sent was there for the other.
    pub(super) fn merge(&mut self, other: Self) {
        for (mine, theirs) in [
            (&mut self.uploaded, other.uploaded),
            (&mut self.mounted, other.mounted),
            (&mut self.manifests, other.manifests),
            (&mut self.attached, other.attached),
            (&mut self.skipped, other.skipped),
        ] {
            mine.extend(theirs);
        }
        let sent: BTreeSet<Digest> = self.uploaded.iter().chain(&self.mounted).copied().collect();
        let mut seen = BTreeSet::new();
        self.skipped.retain(|digest| !sent.contains(digest) && seen.insert(*digest));
    }

    /// Remembers why the place does not get the image, or ends the transfer where it must have it.
    fn fail(&mut self, error: ImageError) -> Result<(), ImageError> {
        match (self.mode, error) {
            (_, ImageError::Stopped) => Err(ImageError::Stopped),
            (Mode::Required, error) => Err(error),
            (Mode::BestEffort, error) => {
                self.failure = Some(error);
                Ok(())
            }
        }
    }
}

impl Transfer<'_> {
    /// Names the place in an error where there are several.
    fn at(&self, place: &Place<'_>, error: ImageError) -> ImageError {
        if self.places.len() == 1 || matches!(error, ImageError::Stopped) {
            return error;
        }
        ImageError::Place { place: place.name.clone(), source: Box::new(error) }
    }
}

/// The manifest that is meant; with a platform the one of that platform.
async fn read_root(transfer: &Transfer<'_>) -> Result<Manifest, ImageError> {
    let Transfer { source, from, meant, platform, .. } = transfer;
    let root = read_meant(*source, meant, from).await?;
    let Some(platform) = platform else { return Ok(root) };
    let platform = platform.clone().normalised();
    let document = Document::parse(&root.bytes, Some(&root.media_type))
        .map_err(|source| ImageError::Document { digest: root.digest, source })?;
    let entries: Vec<Descriptor> = document.named().cloned().collect();
    let Some(entry) = entries.iter().find(|entry| entry.runnable().as_ref() == Some(&platform)) else {
        let mut available: Vec<Platform> = entries.iter().filter_map(Descriptor::runnable).collect();
        available.sort();
        return Err(ImageError::NoPlatform { platform, available });
    };
    let child = source.manifest(&entry.digest, MANIFEST_LIMIT).await?;
    Ok(child.ok_or(RegistryError::NotStored { digest: entry.digest })?)
}

/// Whether a place has the image under every tag it should have. An image under a tag is whole: whoever set the tag saw
/// to that, and `image check` proves it. What is attached to it comes and goes, so it is always looked at.
async fn is_complete(
    transfer: &Transfer<'_>,
    place: &Place<'_>,
    one: &mut Arrived,
    digest: &Digest,
) -> Result<bool, ImageError> {
    let registry = place.registry;
    if one.failure.is_some() {
        return Ok(false);
    }
    let Some(first) = transfer.wanted.first() else {
        let found = registry.stat(digest).await.map_err(|error| transfer.at(place, error.into()));
        return match found {
            Ok(found) => Ok(found.is_some() && transfer.attachments == Attachments::Left),
            Err(error) => one.fail(error).map(|()| false),
        };
    };
    if one.looked.get(first) != Some(&Some(*digest)) {
        return Ok(false);
    }
    let others = transfer.wanted.tags.iter().filter(|tag| *tag != first);
    let looking = others.map(|tag| async move { Ok((tag.clone(), registry.resolve(tag).await?)) });
    match side_by_side(transfer.jobs, looking).await {
        Ok(looked) => one.looked.extend(looked),
        Err(error) => return one.fail(transfer.at(place, error)).map(|()| false),
    }
    Ok(transfer.attachments == Attachments::Left)
}

/// Brings everything but the tags to a place.
async fn send(
    transfer: &Transfer<'_>,
    graph: &Graph,
    place: &Place<'_>,
    one: &mut Arrived,
) -> Result<(), ImageError> {
    let sent = send_content(transfer, graph, place, one).await;
    sent.map_err(|error| transfer.at(place, error))
}

async fn send_content(
    transfer: &Transfer<'_>,
    graph: &Graph,
    place: &Place<'_>,
    one: &mut Arrived,
) -> Result<(), ImageError> {
    let registry = place.registry;
    let (from, to) = (transfer.source.repository(), registry.repository());
    if from.is_some() && from == to {
        one.skipped.extend(graph.blobs.iter().map(|blob| blob.digest));
        return Ok(());
    }
    let mount = from.filter(|from| to.is_some_and(|to| to.host() == from.host()));
    // The largest first: it is the one everything else waits for.
    let mut blobs: Vec<&Descriptor> = graph.blobs.iter().collect();
    blobs.sort_by_key(|blob| (std::cmp::Reverse(blob.size), blob.digest));
    let storing = blobs.iter().map(|blob| async {
        if transfer.progress.stop_requested() {
            return Err(ImageError::Stopped);
        }
        transfer.progress.working(&format!(
            "{} ({} bytes) to {}",
            blob.digest.short(),
            blob.size,
            place.name
        ));
        Ok(registry.put_blob(&Content::stored(transfer.source, blob), mount).await?)
    });
    let stored = side_by_side(transfer.jobs, storing).await?;
    for (blob, stored) in blobs.into_iter().zip(stored) {
        match stored {
            Stored::Already => one.skipped.push(blob.digest),
            Stored::Mounted => one.mounted.push(blob.digest),
            Stored::Uploaded => {
                one.sent = one.sent.saturating_add(blob.size);
                one.uploaded.push(blob.digest);
            }
        }
    }
    let mut unlisted = Vec::new();
    for step in graph.below() {
        unlisted.extend(put_step(transfer, graph, registry, &step, one).await?);
    }
    let attached = graph.attached();
    let alone = transfer.places.len() == 1 && attached.is_empty() && !transfer.wanted.tags.is_empty();
    if !alone {
        let root = graph.root();
        let put = registry.put_manifest(&root.media_type, &root.bytes, &[]).await?;
        one.manifests.push(root.digest);
        unlisted.extend(put.unlisted);
    }
    for step in &attached {
        unlisted.extend(put_step(transfer, graph, registry, step, one).await?);
        one.attached.extend(step.iter().map(|node| node.manifest.digest));
    }
    if !unlisted.is_empty() {
        registry.list_referrers(&unlisted).await?;
    }
    let proven: BTreeSet<Digest> = unlisted.iter().map(|one| one.subject).collect();
    prove(transfer, graph, place, &proven).await
}

/// Stores the manifests of one step; answers those whose store does not list them.
async fn put_step(
    transfer: &Transfer<'_>,
    graph: &Graph,
    registry: &dyn Registry,
    step: &[&Node],
    one: &mut Arrived,
) -> Result<Vec<crate::port::Unlisted>, ImageError> {
    if transfer.progress.stop_requested() {
        return Err(ImageError::Stopped);
    }
    let putting = step.iter().map(|node| async {
        let Manifest { media_type, bytes, .. } = &node.manifest;
        let put = match registry.put_manifest(media_type, bytes, &[]).await {
            // The host said to have them and does not: once more, without asking.
            Err(RegistryError::NamedNotStored { missing, .. }) => {
                for blob in graph.blobs.iter().filter(|blob| missing.contains(&blob.digest)) {
                    registry.put_blob(&Content::stored(transfer.source, blob), None).await?;
                }
                registry.put_manifest(media_type, bytes, &[]).await
            }
            put => put,
        };
        Ok::<_, ImageError>(put?)
    });
    let put = side_by_side(transfer.jobs, putting).await?;
    one.manifests.extend(put.iter().map(|put| put.digest));
    Ok(put.into_iter().filter_map(|put| put.unlisted).collect())
}

/// Asks a place for what is attached: everything that was brought must be listed. Lists that were just written and read
/// back are not asked for again.
async fn prove(
    transfer: &Transfer<'_>,
    graph: &Graph,
    place: &Place<'_>,
    proven: &BTreeSet<Digest>,
) -> Result<(), ImageError> {
    let subjects = graph.subjects();
    let asking = subjects.iter().filter(|(subject, _)| !proven.contains(*subject));
    let asking = asking.map(|(subject, expected)| async move {
        let listed: BTreeSet<Digest> =
            place.registry.referrers(subject, None).await?.into_iter().map(|entry| entry.digest).collect();
        let missing: Vec<Digest> = expected.difference(&listed).copied().collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(ImageError::Unlisted { place: place.name.clone(), subject: *subject, missing })
    });
    side_by_side(transfer.jobs, asking).await.map(drop)
}

/// Sets the tags at every place that has the image. What each of them comes to is known everywhere before the first is
/// set anywhere.
async fn set_tags(
    transfer: &Transfer<'_>,
    root: &Manifest,
    arrived: &mut [Arrived],
) -> Result<(), ImageError> {
    let planning = transfer.places.iter().zip(arrived.iter_mut()).map(|(place, one)| async move {
        if one.failure.is_some() {
            return Ok(());
        }
        let late = one.sent > transfer.look_again_after;
        let mut looked = one.looked.clone();
        looked.retain(|_, found| !late || *found == Some(root.digest));
        let planned = plan_moves(place.registry, &root.digest, &transfer.wanted, &looked).await;
        match planned {
            Ok(moves) => {
                one.moves = moves;
                Ok(())
            }
            Err(error) => one.fail(transfer.at(place, error)),
        }
    });
    side_by_side(transfer.places.len(), planning).await?;
    if transfer.progress.stop_requested() {
        return Err(ImageError::Stopped);
    }
    for policy in [TagPolicy::Immutable, TagPolicy::Rolling] {
        let together = transfer.places.len() == 1;
        if together && policy == TagPolicy::Rolling {
            break;
        }
        let pointing = transfer.places.iter().zip(arrived.iter_mut()).map(|(place, one)| async move {
            if one.failure.is_some() {
                return Ok(());
            }
            let moves: Vec<Move> =
                one.moves.iter().filter(|change| together || change.policy == policy).cloned().collect();
            let late = one.sent > transfer.look_again_after;
            let read_back = if late { ReadBack::Again } else { ReadBack::Answer };
            match point(place.registry, root, &moves, read_back).await {
                Ok(()) => {
                    let written = moves.iter().any(|change| change.state.is_written());
                    if written && !one.manifests.contains(&root.digest) {
                        one.manifests.push(root.digest);
                    }
                    Ok(())
                }
                Err(error) => one.fail(transfer.at(place, error)),
            }
        });
        side_by_side(transfer.places.len(), pointing).await?;
    }
    Ok(())
}

impl Arrived {
    /// The tags that point to the image now.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.moves.iter().filter(|one| one.state != TagState::Kept).map(|one| one.tag.as_str())
    }
}
