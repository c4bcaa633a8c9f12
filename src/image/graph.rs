//! Everything an image consists of: its manifests, what they name, and what is attached to them.
//!
//! Reading is bounded in depth, in the number of manifests and in their bytes, and comes to nothing twice, whatever the
//! source says. Bytes are kept as they were read; a document of a type nobody here knows is taken as it is.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ImageError;
use super::together::side_by_side;
use crate::format::oci::{Descriptor, Document, MANIFEST_LIMIT, annotation, media_type};
use crate::model::{Digest, Platform};
use crate::port::{Manifest, Registry, RegistryError};

/// How far an image is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GraphLimits {
    /// Deepest nesting of indexes, and of things attached to attached things.
    pub depth: usize,
    /// Most manifests.
    pub manifests: usize,
    /// Most bytes of all manifests together; they are held in memory.
    pub bytes: u64,
    /// Most blobs.
    pub blobs: usize,
}

impl Default for GraphLimits {
    fn default() -> Self {
        Self { depth: 8, manifests: 4096, bytes: 32 << 20, blobs: 32_768 }
    }
}

/// Whether what is attached to an image is part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attachments {
    /// Only what its indexes name.
    Left,
    /// What refers to the image and its platforms as well.
    Taken,
}

/// A manifest of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its media type, digest and bytes.
    pub manifest: Manifest,
    /// The manifest it is attached to, when it was found as a referrer.
    pub subject: Option<Digest>,
    /// The manifests it names.
    children: Vec<Digest>,
}

/// Something about an image that a person should know although it can be handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// A layer that its publisher does not want to be passed on; it stays where it is.
    Foreign {
        /// The layer.
        digest: Digest,
        /// Its media type.
        media_type: String,
    },
    /// An index names a platform more than once; who pulls gets the first.
    DuplicatePlatform {
        /// The index.
        index: Digest,
        /// The platform.
        platform: Platform,
    },
    /// The source lists something as attached that is attached to something else.
    NotAttached {
        /// What is listed.
        digest: Digest,
        /// What it should be attached to.
        subject: Digest,
    },
}

/// Everything an image consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// The index or manifest that is meant.
    pub root: Digest,
    /// The blobs its manifests name, each once, in the order in which they are named.
    pub blobs: Vec<Descriptor>,
    /// What a person should know.
    pub remarks: Vec<Remark>,
    nodes: BTreeMap<Digest, Node>,
    /// How many steps lie between a manifest and its blobs.
    heights: BTreeMap<Digest, usize>,
}

impl Graph {
    /// The manifest that is meant.
    pub fn root(&self) -> &Manifest {
        &self.nodes[&self.root].manifest
    }

    /// The manifests below the root and what is attached to them, in steps: what a manifest names, and what it is
    /// attached to, is in an earlier step. The root itself is in none.
    pub fn below(&self) -> Vec<Vec<&Node>> {
        let named = self.named();
        let below = self.nodes.values().filter(|node| node.manifest.digest != self.root);
        self.steps(below.filter(|node| named.contains(&node.manifest.digest)))
    }

    /// What is attached to the root and to what is below it, with the manifests it names, in steps like
    /// [`Graph::below`].
    pub fn attached(&self) -> Vec<Vec<&Node>> {
        let named = self.named();
        self.steps(self.nodes.values().filter(|node| !named.contains(&node.manifest.digest)))
    }

    /// Every manifest that something is attached to, with the digests of what is attached.
    pub fn subjects(&self) -> BTreeMap<Digest, BTreeSet<Digest>> {
        let mut subjects: BTreeMap<Digest, BTreeSet<Digest>> = BTreeMap::new();
        for (digest, node) in &self.nodes {
            if let Some(subject) = node.subject {
                subjects.entry(subject).or_default().insert(*digest);
            }
        }
        subjects
    }

    /// What the root leads to, itself included.
    fn named(&self) -> BTreeSet<Digest> {
        let mut open = vec![self.root];
        let mut seen = BTreeSet::new();
        while let Some(next) = open.pop() {
            if seen.insert(next) {
                open.extend(self.nodes.get(&next).into_iter().flat_map(|node| node.children.iter().copied()));
            }
        }
        seen
    }

    fn steps<'a>(&'a self, nodes: impl Iterator<Item = &'a Node>) -> Vec<Vec<&'a Node>> {
        let mut steps: BTreeMap<usize, Vec<&Node>> = BTreeMap::new();
        for node in nodes {
            steps.entry(self.heights[&node.manifest.digest]).or_default().push(node);
        }
        steps.into_values().collect()
    }
}

/// Reads everything below a manifest from its store in rounds: the manifests of a round are read side by side, and while
/// that happens the store is asked what is attached to those whose digests are known.
pub async fn gather(
    source: &dyn Registry,
    root: Manifest,
    attachments: Attachments,
    jobs: usize,
    limits: GraphLimits,
) -> Result<Graph, ImageError> {
    let mut walk = Walk {
        graph: Graph {
            root: root.digest,
            blobs: Vec::new(),
            remarks: Vec::new(),
            nodes: BTreeMap::new(),
            heights: BTreeMap::new(),
        },
        blobs: BTreeMap::new(),
        asked: BTreeSet::new(),
        bytes: 0,
        limits,
    };
    let mut subjects = BTreeSet::from([root.digest]);
    let mut level = walk.take(root, None)?;
    let mut depth = 0;
    loop {
        subjects.extend(level.iter().filter(|wanted| wanted.may_be_subject()).map(|one| one.entry.digest));
        let asked: Vec<Digest> = match attachments {
            Attachments::Left => Vec::new(),
            Attachments::Taken => subjects.iter().filter(|one| walk.asked.insert(**one)).copied().collect(),
        };
        subjects.clear();
        if level.is_empty() && asked.is_empty() {
            break;
        }
        if !level.is_empty() {
            depth += 1;
            if depth > limits.depth {
                return Err(ImageError::TooMuch { what: "levels of manifests", limit: limits.depth as u64 });
            }
        }
        let listing = side_by_side(jobs, asked.iter().map(|subject| source.referrers(subject, None)));
        let (found, listed) = tokio::join!(read(source, &level, jobs), listing);
        let (found, listed) = (found?, listed?);
        let mut next = Vec::new();
        for (wanted, found) in level.into_iter().zip(found) {
            let Wanted { entry, subject } = wanted;
            match found {
                Some(manifest) => {
                    if !is_attestation(&entry) {
                        subjects.insert(manifest.digest);
                    }
                    next.extend(walk.take(manifest, subject)?);
                }
                None => walk.blob(&entry)?,
            }
        }
        for (subject, listed) in asked.into_iter().zip(listed) {
            next.extend(listed.into_iter().map(|entry| Wanted { entry, subject: Some(subject) }));
        }
        next.retain(|wanted| !walk.graph.nodes.contains_key(&wanted.entry.digest));
        // What an index names and a list of referrers too is taken for what the index says.
        next.sort_by_key(|wanted| (wanted.entry.digest, wanted.subject));
        next.dedup_by_key(|wanted| wanted.entry.digest);
        walk.room(next.len())?;
        level = next;
    }
    walk.measure()?;
    walk.graph.blobs.retain(|blob| !walk.graph.nodes.contains_key(&blob.digest));
    Ok(walk.graph)
}

/// Attestations that stand in an index beside their platform say nothing that others sign.
fn is_attestation(entry: &Descriptor) -> bool {
    entry.annotations.contains_key(annotation::DOCKER_REFERENCE_TYPE)
}

/// A manifest that is to be read.
struct Wanted {
    entry: Descriptor,
    subject: Option<Digest>,
}

impl Wanted {
    /// Whether it can be asked what is attached to it before it is read.
    fn may_be_subject(&self) -> bool {
        is_document(&self.entry.media_type) && !is_attestation(&self.entry)
    }
}

struct Walk {
    graph: Graph,
    /// Sizes of the blobs seen.
    blobs: BTreeMap<Digest, u64>,
    /// What the store was asked for the referrers of.
    asked: BTreeSet<Digest>,
    bytes: u64,
    limits: GraphLimits,
}

impl Walk {
    /// Takes a manifest in; answers what has to be read next.
    fn take(&mut self, manifest: Manifest, listed_for: Option<Digest>) -> Result<Vec<Wanted>, ImageError> {
        self.bytes += manifest.bytes.len() as u64;
        if self.bytes > self.limits.bytes {
            return Err(ImageError::TooMuch { what: "bytes of manifests", limit: self.limits.bytes });
        }
        let digest = manifest.digest;
        if !is_document(&manifest.media_type) {
            let node = Node { manifest, subject: listed_for, children: Vec::new() };
            self.graph.nodes.insert(digest, node);
            return Ok(Vec::new());
        }
        let document = Document::parse(&manifest.bytes, Some(&manifest.media_type))
            .map_err(|source| ImageError::Document { digest, source })?;
        let subject = document.subject().map(|subject| subject.digest);
        if let Some(wanted) = listed_for.filter(|wanted| subject != Some(*wanted)) {
            self.graph.remarks.push(Remark::NotAttached { digest, subject: wanted });
            return Ok(Vec::new());
        }
        let (mut children, mut next) = (Vec::new(), Vec::new());
        match &document {
            Document::Index(index) => {
                self.remark_duplicates(digest, &index.manifests);
                for entry in &index.manifests {
                    children.push(entry.digest);
                    if !self.graph.nodes.contains_key(&entry.digest) {
                        next.push(Wanted { entry: entry.clone(), subject: None });
                    }
                }
                next.sort_by_key(|wanted| wanted.entry.digest);
                next.dedup_by_key(|wanted| wanted.entry.digest);
            }
            Document::Manifest(_) => {
                for entry in document.named() {
                    if media_type::is_foreign(&entry.media_type) {
                        let media_type = entry.media_type.clone();
                        let remark = Remark::Foreign { digest: entry.digest, media_type };
                        if !self.graph.remarks.contains(&remark) {
                            self.graph.remarks.push(remark);
                        }
                    } else {
                        self.blob(entry)?;
                    }
                }
            }
        }
        self.graph.nodes.insert(digest, Node { manifest, subject: listed_for, children });
        self.room(next.len())?;
        Ok(next)
    }

    /// Takes a blob in; one digest has one size.
    fn blob(&mut self, entry: &Descriptor) -> Result<(), ImageError> {
        match self.blobs.insert(entry.digest, entry.size) {
            None if self.blobs.len() > self.limits.blobs => {
                Err(ImageError::TooMuch { what: "blobs", limit: self.limits.blobs as u64 })
            }
            None => {
                let plain = Descriptor {
                    artifact_type: None,
                    platform: None,
                    annotations: BTreeMap::new(),
                    ..entry.clone()
                };
                self.graph.blobs.push(plain);
                Ok(())
            }
            Some(size) if size != entry.size => Err(RegistryError::SizeMismatch {
                what: entry.digest.to_string(),
                expected: size,
                found: entry.size,
            }
            .into()),
            Some(_) => Ok(()),
        }
    }

    /// Refuses more manifests than are followed, before they are asked for.
    fn room(&self, more: usize) -> Result<(), ImageError> {
        if self.graph.nodes.len() + more > self.limits.manifests {
            return Err(ImageError::TooMuch { what: "manifests", limit: self.limits.manifests as u64 });
        }
        Ok(())
    }

    fn remark_duplicates(&mut self, index: Digest, entries: &[Descriptor]) {
        let mut seen: BTreeMap<Platform, Digest> = BTreeMap::new();
        for entry in entries {
            let Some(platform) = entry.runnable() else { continue };
            match seen.get(&platform) {
                Some(first) if *first != entry.digest => {
                    self.graph.remarks.push(Remark::DuplicatePlatform { index, platform });
                }
                Some(_) => {}
                None => drop(seen.insert(platform, entry.digest)),
            }
        }
    }

    /// Heights: a manifest stands above everything it names and above what it is attached to.
    fn measure(&mut self) -> Result<(), ImageError> {
        let nodes = &self.graph.nodes;
        let mut heights: BTreeMap<Digest, usize> = nodes.keys().map(|digest| (*digest, 0)).collect();
        let rounds = 2 * self.limits.depth + 2;
        for _ in 0..=rounds {
            let mut changed = false;
            for (digest, node) in nodes {
                let below = node.children.iter().chain(&node.subject).filter_map(|below| heights.get(below));
                let height = below.max().map_or(0, |below| below + 1);
                if height > heights[digest] {
                    heights.insert(*digest, height);
                    changed = true;
                }
            }
            if !changed {
                self.graph.heights = heights;
                return Ok(());
            }
        }
        Err(ImageError::TooMuch { what: "levels of manifests", limit: self.limits.depth as u64 })
    }
}

/// Whether the type is one of an index or manifest.
fn is_document(kind: &str) -> bool {
    media_type::is_index(kind) || media_type::is_manifest(kind)
}

/// The manifests of one step, `None` for an entry of an unknown type that is stored as a blob.
async fn read(
    source: &dyn Registry,
    wanted: &[Wanted],
    jobs: usize,
) -> Result<Vec<Option<Manifest>>, ImageError> {
    let reading = wanted.iter().map(|Wanted { entry, .. }| async move {
        if entry.size > MANIFEST_LIMIT {
            let what = entry.digest.to_string();
            return Err(ImageError::from(RegistryError::TooLarge { what, limit: MANIFEST_LIMIT }));
        }
        let known = is_document(&entry.media_type);
        match source.manifest(&entry.digest, MANIFEST_LIMIT).await {
            Ok(Some(manifest)) if known && manifest.media_type != entry.media_type => {
                let (expected, found) = (entry.media_type.clone(), manifest.media_type);
                let source = crate::format::oci::OciError::MediaType { expected, found };
                Err(ImageError::Document { digest: entry.digest, source })
            }
            Ok(Some(manifest)) if manifest.bytes.len() as u64 != entry.size => {
                let (what, found) = (entry.digest.to_string(), manifest.bytes.len() as u64);
                Err(RegistryError::SizeMismatch { what, expected: entry.size, found }.into())
            }
            Ok(Some(manifest)) => Ok(Some(manifest)),
            Ok(None) if known => Err(RegistryError::NotStored { digest: entry.digest }.into()),
            // A store that keeps manifests and blobs in one place tells them apart by their type.
            Ok(None) => Ok(None),
            Err(RegistryError::Invalid { .. }) if !known => Ok(None),
            Err(error) => Err(error.into()),
        }
    });
    side_by_side(jobs, reading).await
}
