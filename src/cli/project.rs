//! The repository and its `release.yaml`, as the commands that make things open them.

use std::path::{Path, PathBuf};

use semver::Version;

use super::context::Context;
use super::error::CliError;
use crate::adapter::fs;
use crate::adapter::git::Repository;
use crate::config::Config;
use crate::diag::Kind;
use crate::format::yaml;
use crate::gate::Policy;
use crate::model::{CommitId, Tag};
use crate::plan::Facts;

/// The policy file where `release.yaml` names none.
const POLICY: &str = "policies/release.yaml";
/// The configuration of a repository.
const CONFIG: &str = "release.yaml";

/// A repository and what its releases are.
pub(super) struct Project {
    pub(super) repository: Repository,
    pub(super) config: Config,
}

/// `release.yaml` for commands that need no repository: the one of `--config`, else the nearest one inside the work tree
/// the command stands in, else the one beside it. What lies above a work tree is somebody else's.
pub(super) fn nearby(context: &Context) -> Result<Option<Config>, CliError> {
    let found = match &context.config {
        Some(path) => Some(context.path(path)),
        None => {
            let ancestors: Vec<&Path> = context.directory.ancestors().collect();
            let top = ancestors.iter().position(|directory| fs::exists(&directory.join(".git")));
            let inside = ancestors.iter().take(top.unwrap_or(0) + 1);
            inside.map(|directory| directory.join(CONFIG)).find(|path| fs::exists(path))
        }
    };
    let Some(path) = found else { return Ok(None) };
    let shown = path.strip_prefix(&context.directory).unwrap_or(&path).display().to_string();
    Ok(Some(Config::load(&fs::read(&path, yaml::MAX_BYTES)?, &shown)?))
}

/// The name of the repository the command stands in, where no `release.yaml` says one.
pub(super) fn usual_name(context: &Context) -> Option<String> {
    // Outside of a repository there is no usual name, which is no error.
    let repository = Repository::discover(&context.directory).ok()?;
    let root = repository.root();
    Some(default_name(&repository, &root))
}

impl Project {
    /// Opens the repository the command stands in, and `release.yaml`: the one of `--config`, else the one found
    /// upwards to the top of the work tree, else the name of the repository.
    pub(super) fn open(context: &Context) -> Result<Self, CliError> {
        Self::around(context, Repository::discover(&context.directory)?)
    }

    /// Like [`Project::open`], as a tag has it: the `release.yaml` of its commit counts, on whatever commit the work tree
    /// stands; the one of the work tree only where the commit has none.
    pub(super) fn at(context: &Context, tag: &Tag) -> Result<Self, CliError> {
        let repository = Repository::discover(&context.directory)?;
        match tagged(context, &repository, tag)? {
            Some(config) => Ok(Self { repository, config }),
            None => Self::around(context, repository),
        }
    }

    fn around(context: &Context, repository: Repository) -> Result<Self, CliError> {
        let root = repository.root();
        let found = match &context.config {
            Some(path) => Some(context.path(path)),
            None => context
                .directory
                .ancestors()
                .take_while(|directory| directory.starts_with(&root) || **directory == root)
                .map(|directory| directory.join(CONFIG))
                .find(|path| fs::exists(path)),
        };
        let config = match found {
            Some(path) => {
                let bytes = fs::read(&path, yaml::MAX_BYTES)?;
                Config::load(&bytes, &path.strip_prefix(&root).unwrap_or(&path).display().to_string())?
            }
            None => match committed(&repository)? {
                Some(config) => config,
                None => Config::named(&default_name(&repository, &root))?,
            },
        };
        Ok(Self { repository, config })
    }

    /// The top of the work tree.
    pub(super) fn root(&self) -> PathBuf {
        self.repository.root()
    }

    /// A path of `release.yaml`, seen from the top of the work tree.
    pub(super) fn path(&self, path: &Path) -> PathBuf {
        self.root().join(path)
    }

    /// A file of a release: as a commit has it, else, where it is made and not committed, as the work tree has it. With
    /// `None` for the commit the work tree alone counts.
    pub(super) fn file(
        &self,
        commit: Option<CommitId>,
        path: &Path,
        limit: u64,
    ) -> Result<Vec<u8>, CliError> {
        if let Some(commit) = commit
            && let Some(bytes) = self.repository.read_file(commit, &path.display().to_string(), limit)?
        {
            return Ok(bytes);
        }
        Ok(fs::read(&self.path(path), limit)?)
    }

    /// The facts of a tag that exists.
    pub(super) fn facts(&self, tag: &Tag) -> Result<Facts, CliError> {
        let found = self.repository.tag(tag, &self.config.tag)?;
        let time = self.repository.tag_time(&found)?;
        Ok(self.facts_of(found.tag, found.version, found.commit, time))
    }

    /// The facts of a tag that may not exist yet.
    pub(super) fn facts_of(
        &self,
        tag: Tag,
        version: Version,
        commit: CommitId,
        created: jiff::Timestamp,
    ) -> Facts {
        Facts {
            name: self.config.name.to_string(),
            tag,
            version,
            commit,
            created,
            rolling: self.config.image.rolling.clone(),
        }
    }

    /// The policy at a commit; `None` when there is none. A policy that is named and missing is an error.
    pub(super) fn policy(&self, commit: CommitId) -> Result<Option<Policy>, CliError> {
        let path = self
            .config
            .policy
            .as_deref()
            .map_or_else(|| POLICY.to_owned(), |path| path.display().to_string());
        match self.repository.read_file(commit, &path, yaml::MAX_BYTES)? {
            Some(bytes) => Ok(Some(Policy::load(&bytes, &path)?)),
            None if self.config.policy.is_some() => Err(CliError::new(
                Kind::Usage,
                "policy-missing",
                format!("{path} is not in commit {}", commit.short()),
            )
            .hinted(format!("commit it, or take `policy: {path}` out of release.yaml"))),
            None => Ok(None),
        }
    }
}

/// The `release.yaml` of the commit of a tag, nearest to where the command stands; `None` where there is no such tag or
/// file, and where `--config` names another.
fn tagged(context: &Context, repository: &Repository, tag: &Tag) -> Result<Option<Config>, CliError> {
    if context.config.is_some() {
        return Ok(None);
    }
    let Ok(commit) = repository.resolve(&format!("refs/tags/{tag}")) else {
        // Whoever asks for the tag next says what is wrong with it.
        return Ok(None);
    };
    let root = repository.root();
    let below = context.directory.strip_prefix(&root).unwrap_or(Path::new(""));
    for directory in below.ancestors() {
        let path = directory.join(CONFIG).display().to_string();
        if let Some(bytes) = repository.read_file(commit, &path, yaml::MAX_BYTES)? {
            return Ok(Some(Config::load(&bytes, &format!("{tag}:{path}"))?));
        }
    }
    Ok(None)
}

/// The `release.yaml` of HEAD, for a repository that has no work tree where one could lie.
fn committed(repository: &Repository) -> Result<Option<Config>, CliError> {
    if !repository.is_bare() {
        return Ok(None);
    }
    let bytes = repository.read_file(repository.head()?, CONFIG, yaml::MAX_BYTES)?;
    Ok(bytes.map(|bytes| Config::load(&bytes, CONFIG)).transpose()?)
}

/// `package.name` of the `Cargo.toml` at the top.
fn cargo_package(root: &Path) -> Option<String> {
    Some(cargo_manifest(root)?.get("package")?.get("name")?.as_str()?.to_owned())
}

/// The program that the Cargo package at the top is run as: `default-run`, else its only `[[bin]]`, else its name.
pub(super) fn cargo_program(root: &Path) -> Option<String> {
    let manifest = cargo_manifest(root)?;
    let package = manifest.get("package")?;
    let declared = manifest.get("bin").and_then(toml::Value::as_array).filter(|programs| programs.len() == 1);
    let only = declared.and_then(|programs| programs.first()).and_then(|program| program.get("name"));
    let name = package.get("default-run").or(only).or_else(|| package.get("name"))?;
    Some(name.as_str()?.to_owned())
}

fn cargo_manifest(root: &Path) -> Option<toml::Table> {
    let bytes = fs::read(&root.join("Cargo.toml"), yaml::MAX_BYTES).ok()?;
    let text =
        std::str::from_utf8(&bytes).ok().filter(|text| crate::format::toml::too_deep(text).is_none())?;
    text.parse().ok()
}

/// The name of the Cargo package at the top, else of the repository on its forge, else of its directory, in letters
/// an asset may have.
fn default_name(repository: &Repository, root: &Path) -> String {
    if let Some(name) = cargo_package(root) {
        return name;
    }
    let directory = || root.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = repository.origin().map(|origin| origin.repo).or_else(directory).unwrap_or_default();
    // A bare repository is called like this.
    let name = name.strip_suffix(".git").unwrap_or(&name);
    let clean: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
    let clean = clean.trim_matches(['.', '-']).to_owned();
    if clean.is_empty() { "release".to_owned() } else { clean }
}
