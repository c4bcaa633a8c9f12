//! Images from one store to others: push, copy, mirrors.
//!
//! Order is everything. Blobs side by side, then the manifests that name them by digest, then what is attached; tags
//! last, and only when every place that must have the image has all of it. So a run that ends anywhere leaves nothing
//! half under a tag, and the next run finds what is there and sends the rest.
//!
//! A tag that never moves is looked at before anything is sent. When a blob had to be sent, time has passed: it is looked
//! at once more beside the last thing that is stored below it, and read back before any other tag moves.

use std::collections::{BTreeMap, BTreeSet};

use super::arrived::{Arrived, Mode, Sent};
use super::error::ImageError;
use super::graph::{Attachments, Graph, GraphLimits, Node, Remark, gather};
use super::point::{ReadBack, point, read_meant};
use super::tags::{Facts, Meant, Move, TagPolicy, Wanted, decide, look_up, plan_moves, unsettled};
use super::together::{side_by_side, unless_stopped};
use crate::format::oci::{Descriptor, Document, MANIFEST_LIMIT};
use crate::model::{Digest, Platform};
use crate::port::{Content, Manifest, Progress, Registry, RegistryError, Stored, Unlisted};

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
    /// How far the image is followed.
    pub limits: GraphLimits,
    /// Listens.
    pub progress: &'a dyn Progress,
}

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

/// Transfers an image. An error means that no tag was moved, unless it is one of moving tags.
pub async fn transfer(transfer: &Transfer<'_>) -> Result<Transferred, ImageError> {
    let first = transfer.wanted.first();
    let looking =
        side_by_side(transfer.places.len(), transfer.places.iter().map(|place| look(place.registry, first)));
    let beginning = async {
        let (root, looks) = tokio::join!(read_root(transfer), looking);
        Ok((root?, looks?))
    };
    let (root, looks) = unless_stopped(transfer.progress, beginning).await?;
    let digest = root.digest;
    if let Some(expected) = transfer.expected.filter(|expected| *expected != digest) {
        let what = "the image".to_owned();
        return Err(RegistryError::DigestMismatch { what, expected, found: digest }.into());
    }
    let mut arrived = Vec::new();
    for (place, look) in transfer.places.iter().zip(looks) {
        let mut one = Arrived::new(&place.name, place.mode);
        if let (Some(look), Some(tag)) = (look, first) {
            let called = match look {
                Ok(found) => place.registry.called(tag, found, digest.algorithm()).await,
                Err(error) => Err(error),
            };
            match called {
                Ok(found) => drop(one.looked.insert(tag.to_owned(), found)),
                Err(error) => one.fail(transfer.at(place, error.into()))?,
            }
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
    let mut graph = None;
    if idle && transfer.source.repository().is_some() {
        // What is below the image is known to be there, and looking at the source again would say nothing new.
        for one in &mut arrived {
            one.skipped.push(digest);
        }
    } else {
        let (from, root) = (transfer.source, root.clone());
        let gathering = gather(from, root, transfer.attachments, transfer.jobs, transfer.limits);
        let graph = graph.insert(unless_stopped(transfer.progress, gathering).await?);
        let sending =
            transfer.places.iter().zip(&mut arrived).zip(complete).map(|((place, one), complete)| {
                let graph = &*graph;
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
        // Nothing of this is under a tag, so it may end anywhere; tags are not left half-way.
        unless_stopped(transfer.progress, side_by_side(transfer.places.len(), sending)).await?;
    }
    set_tags(transfer, &root, graph.as_ref(), &mut arrived).await?;
    let shared = |one: &&mut Arrived| one.was_there && one.failure.is_none();
    for (one, place) in arrived.iter_mut().zip(&transfer.places).filter(|(one, _)| shared(one)) {
        if let Err(error) = place.registry.hold_lists().await {
            one.fail(transfer.at(place, error.into()))?;
        }
    }
    let remarks = graph.map(|graph| graph.remarks).unwrap_or_default();
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
            Ok(found) => {
                one.was_there = found.is_some();
                Ok(one.was_there && transfer.attachments == Attachments::Left)
            }
            Err(error) => one.fail(error).map(|()| false),
        };
    };
    if one.looked.get(first) != Some(&Some(*digest)) {
        return Ok(false);
    }
    one.was_there = true;
    let others = transfer.wanted.tags.iter().filter(|tag| *tag != first);
    let looking = others
        .map(|tag| async move { Ok((tag.clone(), registry.resolve_as(tag, digest.algorithm()).await?)) });
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
            Stored::Uploaded => one.uploaded.push(blob.digest),
        }
    }
    let mut unlisted = Vec::new();
    let (below, attached) = (graph.below(), graph.attached());
    let alone = transfer.places.len() == 1 && attached.is_empty() && !transfer.wanted.tags.is_empty();
    let (last, earlier) = match below.split_last() {
        Some((last, earlier)) if alone => (last.as_slice(), earlier),
        _ => (&[][..], below.as_slice()),
    };
    for step in earlier {
        unlisted.extend(one.took(put_step(transfer, graph, registry, step).await?));
    }
    if alone {
        let (put, facts) = tokio::join!(
            put_step(transfer, graph, registry, last),
            look_once_more(transfer, &graph.root, place, one)
        );
        unlisted.extend(one.took(put?));
        one.facts = facts?;
        if unlisted.is_empty() {
            return Ok(());
        }
    } else {
        let root = graph.root();
        let put = registry.put(root, &[]).await?;
        one.manifests.push(root.digest);
        unlisted.extend(put.unlisted);
    }
    for step in &attached {
        unlisted.extend(one.took(put_step(transfer, graph, registry, step).await?));
        one.attached.extend(step.iter().map(|node| node.manifest.digest));
    }
    let (listed, facts) = tokio::join!(
        list(transfer, graph, place, unlisted),
        look_once_more(transfer, &graph.root, place, one)
    );
    listed?;
    one.facts = facts?;
    Ok(())
}

/// What decides about the tags, asked while the last of an image is stored. A look that was made before blobs were sent
/// counts no more. With several places it is asked later, when all of them have the image.
async fn look_once_more(
    transfer: &Transfer<'_>,
    digest: &Digest,
    place: &Place<'_>,
    one: &Arrived,
) -> Result<Option<Facts>, ImageError> {
    if transfer.places.len() > 1 {
        return Ok(None);
    }
    let looked = one.still_good(digest);
    let left = unsettled(&transfer.wanted, digest, &looked);
    look_up(place.registry, &Wanted { tags: &left, ..transfer.wanted }, &looked).await.map(Some)
}

/// Stores the manifests of one step.
async fn put_step(
    transfer: &Transfer<'_>,
    graph: &Graph,
    registry: &dyn Registry,
    step: &[&Node],
) -> Result<Vec<Sent>, ImageError> {
    if transfer.progress.stop_requested() {
        return Err(ImageError::Stopped);
    }
    let putting = step.iter().map(|node| async {
        match registry.put(&node.manifest, &[]).await {
            Err(RegistryError::NamedNotStored { missing, .. }) => {
                let again = send_again(transfer, graph, registry, &missing).await?;
                let put = registry.put(&node.manifest, &[]).await?;
                Ok(Sent { put, again })
            }
            put => Ok(Sent { put: put?, again: Vec::new() }),
        }
    });
    side_by_side(transfer.jobs, putting).await
}

/// Sends blobs that the host said to have and did not, this time without asking.
async fn send_again(
    transfer: &Transfer<'_>,
    graph: &Graph,
    registry: &dyn Registry,
    missing: &[Digest],
) -> Result<Vec<Digest>, ImageError> {
    let blobs = graph.blobs.iter().filter(|blob| missing.contains(&blob.digest));
    let sending = blobs.map(|blob| async move {
        registry.put_blob(&Content::stored(transfer.source, blob), None).await?;
        Ok(blob.digest)
    });
    side_by_side(transfer.jobs, sending).await
}

/// Lists what a place does not list itself, the lists of all subjects side by side, and asks the place for what is
/// attached elsewhere: everything that was brought must be listed. Lists that were just written were read back.
async fn list(
    transfer: &Transfer<'_>,
    graph: &Graph,
    place: &Place<'_>,
    unlisted: Vec<Unlisted>,
) -> Result<(), ImageError> {
    let mut lists: BTreeMap<Digest, Vec<Unlisted>> = BTreeMap::new();
    for one in unlisted {
        lists.entry(one.subject).or_default().push(one);
    }
    let subjects = graph.subjects();
    let asked = subjects.keys().filter(|subject| !lists.contains_key(*subject));
    let all: Vec<Digest> = lists.keys().chain(asked).copied().collect();
    let working = all.iter().map(|subject| async {
        if let Some(unlisted) = lists.get(subject) {
            return Ok(place.registry.list_referrers(unlisted).await?);
        }
        let listed = place.registry.referrers(subject, None).await?;
        let listed: BTreeSet<Digest> = listed.into_iter().map(|entry| entry.digest).collect();
        let missing: Vec<Digest> = subjects
            .get(subject)
            .into_iter()
            .flatten()
            .filter(|one| !listed.contains(one))
            .copied()
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(ImageError::Unlisted { place: place.name.clone(), subject: *subject, missing })
    });
    side_by_side(transfer.jobs, working).await.map(drop)
}

/// Sets the tags at every place that has the image. What each of them comes to is known everywhere before the first is
/// set anywhere.
async fn set_tags(
    transfer: &Transfer<'_>,
    root: &Manifest,
    graph: Option<&Graph>,
    arrived: &mut [Arrived],
) -> Result<(), ImageError> {
    let planning = transfer.places.iter().zip(arrived.iter_mut()).map(|(place, one)| async move {
        if one.failure.is_some() {
            return Ok(());
        }
        let (registry, wanted) = (place.registry, &transfer.wanted);
        let planned = match one.facts.take() {
            Some(facts) => decide(registry, &root.digest, wanted, facts).await,
            None => plan_moves(registry, &root.digest, wanted, &one.still_good(&root.digest)).await,
        };
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
            match point_whole(transfer, root, graph, place, &moves, one).await {
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

/// Points tags to the image. An image of one manifest is stored with its first tag, so here too the host may find that
/// it has not what it said to have.
async fn point_whole(
    transfer: &Transfer<'_>,
    root: &Manifest,
    graph: Option<&Graph>,
    place: &Place<'_>,
    moves: &[Move],
    one: &mut Arrived,
) -> Result<(), ImageError> {
    let read_back = one.read_back();
    match (point(place.registry, root, moves, read_back).await, graph) {
        (Err(ImageError::Registry(RegistryError::NamedNotStored { missing, .. })), Some(graph)) => {
            let again = send_again(transfer, graph, place.registry, &missing).await?;
            one.sent_again(&again);
            point(place.registry, root, moves, ReadBack::Again).await
        }
        (pointed, _) => pointed,
    }
}
