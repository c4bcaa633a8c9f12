//! Local repositories, read only. Nothing of the library underneath is seen outside of this folder, and no command of
//! git is run here.

mod change;
mod commit;
mod error;
mod history;
mod packs;
mod partial;
mod paths;
mod range;
mod references;
mod shallow;
mod tree;

pub use error::GitError;
pub use history::SKEW;
pub use paths::{InvalidPattern, PathFilter, Paths};
pub use tree::{FileKind, TreeFile};

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Once;

use git2::{ErrorCode, ObjectType, Oid};
use jiff::Timestamp;

use crate::adapter::fs::Scratch;
use crate::model::{CommitId, Origin, Tag, TagFacts, TagPattern};

/// A repository on disk.
pub struct Repository {
    inner: git2::Repository,
    /// What [`partial`] made, and the git directory it stands for.
    copy: Option<(Scratch, PathBuf)>,
    packs: OnceCell<RefCell<packs::Packs>>,
    people: RefCell<commit::People>,
    changes: RefCell<change::Changes>,
}

/// Tags that point to tags are followed this far.
const MAX_TAG_DEPTH: usize = 8;

impl Repository {
    /// The repository a directory is in, found upwards.
    pub fn discover(directory: &Path) -> Result<Self, GitError> {
        static CACHE: Once = Once::new();
        // Every object is read once; keeping them costs memory and saves nothing.
        CACHE.call_once(|| git2::opts::enable_caching(false));
        match git2::Repository::discover(directory) {
            Ok(inner) => Ok(Self::new(inner, None)),
            Err(error) if error.message().to_ascii_lowercase().contains("partialclone") => {
                let (inner, scratch, home) = partial::open(directory)?;
                Ok(Self::new(inner, Some((scratch, home))))
            }
            Err(error) => Err(GitError::open(directory.to_owned(), error)),
        }
    }

    fn new(inner: git2::Repository, copy: Option<(Scratch, PathBuf)>) -> Self {
        Self { inner, copy, packs: OnceCell::new(), people: RefCell::default(), changes: RefCell::default() }
    }

    /// The top of the work tree; of a bare repository its own directory.
    pub fn root(&self) -> PathBuf {
        self.inner.workdir().unwrap_or_else(|| self.directory()).to_owned()
    }

    /// Its git directory; of a linked work tree the one of that.
    pub fn directory(&self) -> &Path {
        self.copy.as_ref().map_or_else(|| self.inner.path(), |(_, home)| home)
    }

    /// Whether it has no work tree.
    pub fn is_bare(&self) -> bool {
        self.inner.workdir().is_none() && self.copy.is_none()
    }

    /// The commit of HEAD.
    pub fn head(&self) -> Result<CommitId, GitError> {
        let head = self.inner.head().map_err(|error| match error.code() {
            ErrorCode::UnbornBranch | ErrorCode::NotFound => GitError::Empty,
            _ => GitError::read("read HEAD", error),
        })?;
        let commit = head.peel(ObjectType::Commit).map_err(|error| GitError::read("read HEAD", error))?;
        Ok(commit_id(commit.id()))
    }

    /// The commit a revision names: a branch, a tag, an id, `HEAD~2`.
    pub fn resolve(&self, revision: &str) -> Result<CommitId, GitError> {
        let unknown = |_| GitError::NoRevision { revision: revision.escape_debug().take(200).collect() };
        let object = self.inner.revparse_single(revision).map_err(unknown)?;
        Ok(commit_id(object.peel(ObjectType::Commit).map_err(unknown)?.id()))
    }

    /// Whether an object of this name is there.
    pub fn has(&self, id: CommitId) -> bool {
        self.inner.find_commit(oid(id)).is_ok()
    }

    /// Whether one commit can be reached from another.
    pub fn is_ancestor(&self, ancestor: CommitId, of: CommitId) -> Result<bool, GitError> {
        let found = self.inner.graph_descendant_of(oid(of), oid(ancestor));
        Ok(ancestor == of || found.map_err(|error| self.object_error(oid(of), error))?)
    }

    /// When a commit was committed.
    pub fn commit_time(&self, id: CommitId) -> Result<Timestamp, GitError> {
        Ok(self.read_commit(&self.odb()?, id)?.time)
    }

    /// When the commit was committed whose id starts with some digits; `None` where no object, several, or something
    /// else has such an id.
    pub fn time_of(&self, digits: &str) -> Option<Timestamp> {
        // Whoever asks reads the history where this is not known.
        let id = self.inner.odb().ok()?.exists_prefix(Oid::from_str(digits).ok()?, digits.len()).ok()?;
        self.commit_time(commit_id(id)).ok()
    }

    /// The release tags, sorted by version, then name. Tags that do not point to a commit are none.
    pub fn tags(&self, pattern: &TagPattern) -> Result<Vec<TagFacts>, GitError> {
        Ok(self.tags_and_others(pattern)?.0)
    }

    /// The same, and the names of all other tags, sorted.
    pub fn tags_and_others(&self, pattern: &TagPattern) -> Result<(Vec<TagFacts>, Vec<String>), GitError> {
        let odb = self.odb()?;
        let (mut tags, mut others) = (Vec::new(), Vec::new());
        let references = match references::tags(self.inner.commondir()) {
            Some(references) => references,
            None => self.tag_references()?,
        };
        if let (true, Some(remote)) = (references.is_empty(), self.leaves_tags_out()) {
            return Err(GitError::NoTags { remote });
        }
        for (name, target) in references {
            let Some(version) = pattern.version(&name) else {
                others.push(name);
                continue;
            };
            let name: Tag = name.parse()?;
            // References in one file are stored with what they peel to.
            match target.peeled.map(|peeled| (peeled, self.kind(&odb, oid(peeled)))) {
                Some((commit, Ok(ObjectType::Commit))) => {
                    tags.push(TagFacts { tag: name, version, commit, object: target.object });
                }
                _ => tags.extend(self.facts(name, version, oid(target.object))?),
            }
        }
        tags.sort_by(|left, right| (&left.version, &left.tag).cmp(&(&right.version, &right.tag)));
        Ok((tags, others))
    }

    /// The commits that git shows with other parents, messages or files than they were made with: those that
    /// `refs/replace` and `info/grafts` name. Here commits are what they were made as.
    pub fn replaced(&self) -> Vec<CommitId> {
        let ignored = self.setting("core.useReplaceRefs").is_some_and(|value| value == "false");
        references::replaced(self.inner.commondir(), ignored)
    }

    /// The tags as the library reads them.
    fn tag_references(&self) -> Result<BTreeMap<String, references::Target>, GitError> {
        let failed = |error| GitError::read("list the tags", error);
        let mut tags = BTreeMap::new();
        for reference in self.inner.references_glob("refs/tags/*").map_err(failed)? {
            let reference = reference.map_err(failed)?;
            let Some(name) = std::str::from_utf8(reference.name_bytes()).ok() else { continue };
            let Some(object) = reference.target().map(commit_id) else { continue };
            let peeled = reference.target_peel().map(commit_id);
            let name = name.strip_prefix("refs/tags/").unwrap_or(name);
            tags.insert(name.to_owned(), references::Target { object, peeled });
        }
        Ok(tags)
    }

    /// The remote that is configured to bring no tags, as `git clone --no-tags` leaves it.
    fn leaves_tags_out(&self) -> Option<String> {
        let config = self.inner.config().ok()?;
        let mut entries = config.entries(Some(r"remote\..*\.tagopt")).ok()?;
        while let Some(Ok(entry)) = entries.next() {
            if entry.value().is_ok_and(|value| value == "--no-tags") {
                let name = entry.name().ok()?.strip_prefix("remote.")?.strip_suffix(".tagopt")?;
                return Some(name.to_owned());
            }
        }
        None
    }

    /// One tag by name. Its version is read with the pattern.
    pub fn tag(&self, tag: &Tag, pattern: &TagPattern) -> Result<TagFacts, GitError> {
        let missing = || GitError::NoTag { tag: tag.to_string() };
        let version = pattern
            .version(tag.as_str())
            .ok_or_else(|| GitError::NotARelease { tag: tag.to_string(), pattern: pattern.to_string() })?;
        let target = match self.inner.refname_to_id(&format!("refs/tags/{tag}")) {
            Ok(target) => target,
            // What was cut off may have taken the tag along.
            Err(error) if error.code() == ErrorCode::NotFound && self.is_shallow() => {
                return Err(GitError::Shallow);
            }
            Err(error) if error.code() == ErrorCode::NotFound => return Err(missing()),
            Err(error) => return Err(GitError::read("read the tag", error)),
        };
        self.facts(tag.clone(), version, target)?.ok_or_else(missing)
    }

    /// When a release was tagged; for a lightweight tag the time of its commit.
    pub fn tag_time(&self, tag: &TagFacts) -> Result<Timestamp, GitError> {
        let odb = self.odb()?;
        let mut id = oid(tag.object);
        for _ in 0..MAX_TAG_DEPTH {
            let read = |kind, bytes: &[u8]| (kind == ObjectType::Tag).then(|| tag_object(bytes)).flatten();
            match self.object(&odb, id, read)? {
                Some((_, Some(time))) => return Ok(time),
                Some((next, None)) => id = next,
                None => break,
            }
        }
        self.commit_time(tag.commit)
    }

    /// Peels a tag. `None` when a blob or a tree is at its end.
    fn facts(&self, tag: Tag, version: semver::Version, target: Oid) -> Result<Option<TagFacts>, GitError> {
        let odb = self.odb()?;
        let object = commit_id(target);
        let mut id = target;
        for _ in 0..MAX_TAG_DEPTH {
            match self.kind(&odb, id)? {
                ObjectType::Commit => {
                    return Ok(Some(TagFacts { tag, version, commit: commit_id(id), object }));
                }
                ObjectType::Tag => {
                    let next = self.object(&odb, id, |_, bytes| tag_object(bytes))?;
                    id = next.map_or(Oid::ZERO_SHA1, |(next, _)| next);
                }
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The tracked files that differ from HEAD, sorted; files git does not know are none of them. Empty for a bare
    /// repository.
    pub fn changed_files(&self) -> Result<Vec<String>, GitError> {
        if self.inner.is_bare() {
            return Ok(Vec::new());
        }
        let mut options = git2::StatusOptions::new();
        options.include_untracked(false).include_ignored(false).exclude_submodules(true);
        let failed = |error| GitError::read("compare the work tree with HEAD", error);
        let statuses = self.inner.statuses(Some(&mut options)).map_err(failed)?;
        let mut paths: Vec<String> =
            statuses.iter().map(|entry| String::from_utf8_lossy(entry.path_bytes()).into_owned()).collect();
        paths.sort();
        Ok(paths)
    }

    /// Where the remote `origin` is, when its URL is one of a forge.
    pub fn origin(&self) -> Option<Origin> {
        let remote = self.inner.find_remote("origin").ok()?;
        Origin::from_url(std::str::from_utf8(remote.url_bytes()).ok()?)
    }

    fn packs(&self) -> &RefCell<packs::Packs> {
        let open = || RefCell::new(packs::Packs::open(&self.inner.commondir().join("objects")));
        self.packs.get_or_init(open)
    }

    /// What an object is.
    fn kind(&self, odb: &git2::Odb<'_>, id: Oid) -> Result<ObjectType, GitError> {
        match self.packs().borrow_mut().kind(commit_id(id)) {
            Some(kind) => Ok(kind),
            None => Ok(odb.read_header(id).map_err(|error| self.object_error(id, error))?.1),
        }
    }

    /// Reads an object, whose bytes have the id that is asked for.
    fn object<T>(
        &self,
        odb: &git2::Odb<'_>,
        id: Oid,
        read: impl FnOnce(ObjectType, &[u8]) -> T,
    ) -> Result<T, GitError> {
        if let Some((kind, bytes)) = self.packs().borrow_mut().read(commit_id(id)) {
            return Ok(read(kind, bytes));
        }
        let object = odb.read(id).map_err(|error| self.object_error(id, error))?;
        Ok(read(object.kind(), object.data()))
    }

    fn odb(&self) -> Result<git2::Odb<'_>, GitError> {
        self.inner.odb().map_err(|error| GitError::read("open the objects", error))
    }

    /// A missing object is told by what the clone left out.
    fn object_error(&self, id: Oid, error: git2::Error) -> GitError {
        if error.code() != ErrorCode::NotFound {
            return GitError::read("read an object", error);
        }
        let promised = self.inner.config().and_then(|config| {
            let mut entries = config.entries(Some(r"remote\..*\.promisor"))?;
            Ok(entries.next().is_some())
        });
        let id = id.to_string();
        match promised {
            Ok(true) => GitError::Partial { id },
            _ if self.is_shallow() => GitError::Shallow,
            _ => GitError::Missing { id },
        }
    }
}

/// The target and the time of a tag object.
fn tag_object(bytes: &[u8]) -> Option<(Oid, Option<Timestamp>)> {
    let mut target = None;
    let mut time = None;
    for line in bytes.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty()) {
        if let Some(id) = line.strip_prefix(b"object ") {
            target = Oid::from_str(std::str::from_utf8(id).ok()?).ok();
        } else if let Some(tagger) = line.strip_prefix(b"tagger ") {
            time = commit::signature(tagger, None).map(|(_, time)| time);
        }
    }
    Some((target?, time))
}

fn commit_id(id: Oid) -> CommitId {
    let mut bytes = [0; 20];
    bytes.copy_from_slice(&id.as_bytes()[..20]);
    CommitId::from_bytes(bytes)
}

fn oid(id: CommitId) -> Oid {
    Oid::from_bytes(id.as_bytes()).unwrap_or(Oid::ZERO_SHA1)
}
