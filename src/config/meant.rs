//! `release.yaml` as it is meant: valid by construction.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::lint::Lint;
use super::notes::{Notes, WrittenNotes};
use super::written::{WrittenConfig, WrittenImage, WrittenMirror, WrittenMode};
use crate::diag::{Hint, Kind, Span};
use crate::format::yaml::{self, YamlError};
use crate::model::{AssetName, InvalidTag, Platform, Repository, TagPattern, is_image_tag};

/// What a release consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The name of the project.
    pub name: AssetName,
    /// Which tags are releases.
    pub tag: TagPattern,
    /// Executables, by platform.
    pub binaries: BTreeMap<Platform, PathBuf>,
    /// Other files, by the name they have in the release.
    pub assets: BTreeMap<AssetName, PathBuf>,
    /// The container image.
    pub image: Image,
    /// Parts of the repository with releases of their own.
    pub packages: BTreeMap<String, Package>,
    /// What is asked of commit messages.
    pub lint: Lint,
    /// How changelogs and release notes are written.
    pub notes: Notes,
    /// The policy file, when one is named.
    pub policy: Option<PathBuf>,
}

/// A part of the repository with releases of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Directories or globs.
    pub paths: Vec<String>,
    /// Which tags are its releases.
    pub tag: TagPattern,
}

/// The container image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Whether `release.yaml` speaks of it.
    pub described: bool,
    /// Where it is pulled from; `localhost/NAME` when nothing is said.
    pub repository: Repository,
    /// The user it runs as.
    pub user: String,
    /// Tags that move forward; `None` = the usual three.
    pub rolling: Option<Vec<String>>,
    /// Where else it has to be.
    pub mirrors: Vec<Mirror>,
}

/// Another repository with the same image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Where it is.
    pub repository: Repository,
    /// Whether the image must be there before it is tagged anywhere.
    pub required: bool,
}

/// The user of distroless images, "nonroot".
const USER: &str = "65532";

impl Config {
    /// Whether a release has an image: there are executables, or an image is described.
    pub fn has_image(&self) -> bool {
        self.image.described || !self.binaries.is_empty()
    }

    /// Reads `release.yaml`.
    pub fn load(bytes: &[u8], path: &str) -> Result<Self, ConfigError> {
        let written: WrittenConfig = yaml::parse(bytes, path).map_err(ConfigError::Yaml)?;
        let text = String::from_utf8_lossy(bytes);
        Self::mean(&written, &|key, value, reason| ConfigError::Value {
            key,
            value: value.to_owned(),
            reason,
            span: span(&text, path, value).map(Box::new),
        })
    }

    /// What is meant where there is no `release.yaml`: only the name.
    pub fn named(name: &str) -> Result<Self, ConfigError> {
        let written = WrittenConfig {
            name: name.to_owned(),
            tag: None,
            binaries: BTreeMap::new(),
            assets: Vec::new(),
            image: None,
            packages: BTreeMap::new(),
            notes: WrittenNotes::default(),
            policy: None,
        };
        Self::mean(&written, &|key, value, reason| ConfigError::Value {
            key,
            value: value.to_owned(),
            reason,
            span: None,
        })
    }

    fn mean(
        written: &WrittenConfig,
        refuse: &dyn Fn(&'static str, &str, String) -> ConfigError,
    ) -> Result<Self, ConfigError> {
        let name: AssetName =
            written.name.parse().map_err(|error| refuse("name", &written.name, format!("{error}")))?;
        let tag = match &written.tag {
            Some(text) => text.parse().map_err(|error: InvalidTag| refuse("tag", text, error.to_string()))?,
            None => TagPattern::default(),
        };
        let mut binaries = BTreeMap::new();
        for (platform, path) in &written.binaries {
            let meant: Platform =
                platform.parse().map_err(|error| refuse("binaries", platform, format!("{error}")))?;
            binaries.insert(meant, inside(path).ok_or_else(|| refuse("binaries", path, OUTSIDE.to_owned()))?);
        }
        let mut assets = BTreeMap::new();
        for path in &written.assets {
            let meant = inside(path).ok_or_else(|| refuse("assets", path, OUTSIDE.to_owned()))?;
            let file = meant.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let name: AssetName = file.parse().map_err(|error| refuse("assets", path, format!("{error}")))?;
            if assets.insert(name, meant).is_some() {
                return Err(refuse("assets", path, "another asset has the same file name".to_owned()));
            }
        }
        let mut packages = BTreeMap::new();
        for (name, package) in &written.packages {
            let pattern = package.tag.clone().unwrap_or_else(|| format!("{name}/v{{version}}"));
            let tag = pattern
                .parse()
                .map_err(|error: InvalidTag| refuse("packages", &pattern, error.to_string()))?;
            if package.paths.is_empty() {
                return Err(refuse("packages", name, "it has no paths".to_owned()));
            }
            packages.insert(name.clone(), Package { paths: package.paths.clone(), tag });
        }
        let notes = written.notes.mean(refuse)?;
        let policy = match &written.policy {
            Some(path) => Some(inside(path).ok_or_else(|| refuse("policy", path, OUTSIDE.to_owned()))?),
            None => None,
        };
        let told = written.notes.types.keys().chain(written.notes.bump.keys()).map(String::as_str);
        let lint = Lint::mean(&written.notes.lint, told)
            .map_err(|(value, reason)| refuse("notes.lint", &value, reason))?;
        Ok(Self {
            image: image(written.image.as_ref(), &name, refuse)?,
            name,
            tag,
            binaries,
            assets,
            packages,
            lint,
            notes,
            policy,
        })
    }
}

const OUTSIDE: &str = "it is not a relative path inside the repository";

fn image(
    written: Option<&WrittenImage>,
    name: &AssetName,
    refuse: &dyn Fn(&'static str, &str, String) -> ConfigError,
) -> Result<Image, ConfigError> {
    let Some(written) = written else {
        let path: String = name
            .as_str()
            .to_ascii_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let text = format!("localhost/{}", path.trim_matches('-'));
        let repository = text.parse().map_err(|error| refuse("name", name.as_str(), format!("{error}")))?;
        return Ok(Image {
            described: false,
            repository,
            user: USER.to_owned(),
            rolling: None,
            mirrors: Vec::new(),
        });
    };
    let repository = written
        .repository
        .parse()
        .map_err(|error| refuse("image.repository", &written.repository, format!("{error}")))?;
    let user = written.user.clone().unwrap_or_else(|| USER.to_owned());
    let numeric = user.split(':').all(|part| part.parse::<u32>().is_ok());
    if !numeric {
        return Err(refuse("image.user", &user, "expected UID or UID:GID in digits".to_owned()));
    }
    if let Some(bad) = written.rolling.iter().flatten().find(|tag| !is_image_tag(tag)) {
        return Err(refuse("image.rolling", bad, "it is not an image tag".to_owned()));
    }
    let mut mirrors: Vec<Mirror> = Vec::new();
    for WrittenMirror { repository: text, mode } in &written.mirrors {
        let mirror: Repository =
            text.parse().map_err(|error| refuse("image.mirrors", text, format!("{error}")))?;
        if mirror == repository || mirrors.iter().any(|other| other.repository == mirror) {
            return Err(refuse("image.mirrors", text, "it is named twice".to_owned()));
        }
        mirrors.push(Mirror { repository: mirror, required: *mode == WrittenMode::Required });
    }
    Ok(Image { described: true, repository, user, rolling: written.rolling.clone(), mirrors })
}

/// A relative path that stays inside.
pub(super) fn inside(path: &str) -> Option<PathBuf> {
    let meant = Path::new(path);
    let stays = !path.is_empty()
        && meant.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    stays.then(|| meant.to_owned())
}

/// Where a value stands in the file.
fn span(text: &str, path: &str, value: &str) -> Option<Span> {
    // A whole word, not a part of another.
    let is_word = |c: char| c.is_alphanumeric() || "_-./".contains(c);
    let whole =
        |at: &usize| !text[..*at].ends_with(is_word) && !text[at + value.len()..].starts_with(is_word);
    let start = text.match_indices(value).map(|(at, _)| at).find(whole)?;
    Some(Span {
        path: path.to_owned(),
        source: text.to_owned(),
        start,
        end: start + value.len(),
        label: "here".to_owned(),
    })
}

/// Why `release.yaml` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not YAML, or not its keys.
    #[error("{0}")]
    Yaml(YamlError),
    /// A value that cannot be meant.
    #[error("`{value}` cannot be `{key}`: {reason}")]
    Value {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// Which rule it breaks.
        reason: String,
        /// Where it stands.
        span: Option<Box<Span>>,
    },
}

impl Hint for ConfigError {
    fn code(&self) -> &'static str {
        match self {
            Self::Yaml(_) => "config",
            Self::Value { .. } => "config-value",
        }
    }

    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Yaml(error) => error.hints(),
            Self::Value { key: "tag", .. } => {
                vec![
                    "write it with `{version}` once, for example `v{version}` or `app/v{version}`".to_owned(),
                ]
            }
            Self::Value { .. } => Vec::new(),
        }
    }

    fn span(&self) -> Option<Span> {
        match self {
            Self::Yaml(error) => error.span(),
            Self::Value { span, .. } => span.as_deref().cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_enough() {
        let config = Config::load(b"name: kyklos\n", "release.yaml").unwrap();
        assert_eq!(config.image.repository.to_string(), "localhost/kyklos");
        assert_eq!((config.image.user.as_str(), config.tag.to_string().as_str()), ("65532", "v{version}"));
        assert_eq!(config, Config::named("kyklos").unwrap());
    }

    #[test]
    fn mirrors_are_required_unless_said_otherwise() {
        let text = "name: a\nimage:\n  repository: h.io/a\n  mirrors:\n    - repository: g.io/a\n    - {repository: i.io/a, mode: best-effort}\n";
        let config = Config::load(text.as_bytes(), "release.yaml").unwrap();
        let shown = config.image.mirrors.iter().map(|one| format!("{} {}", one.repository, one.required));
        assert_eq!(shown.collect::<Vec<_>>(), ["g.io/a true", "i.io/a false"]);
    }

    #[test]
    fn values_that_cannot_be_meant_are_shown() {
        let refuse = |text: &str| {
            let error = Config::load(text.as_bytes(), "release.yaml").unwrap_err();
            (error.to_string(), error.span().map(|span| span.line_column()))
        };
        assert_eq!(
            refuse("name: a\nimage:\n  repository: Kyklos\n"),
            ("`Kyklos` cannot be `image.repository`: `Kyklos` is not an image repository of the form HOST[:PORT]/PATH in lower case".to_owned(), Some((3, 15)))
        );
        assert!(
            refuse("name: a\nimage:\n  repository: h.io/a\n  mirrors: [{repository: h.io/a}]\n")
                .0
                .contains("named twice")
        );
        // The value, not a part of another word.
        assert_eq!(refuse("name: x\nassets: [a, a]\n").1, Some((2, 10)));
        assert_eq!(refuse("name:\n"), ("expected text, found nothing".to_owned(), Some((1, 5))));
        assert!(refuse("name: a\nassets: [../x]\n").0.contains("relative path inside"));
        assert!(refuse("name: a/b\n").0.contains("cannot be `name`"));
        assert!(refuse("name: a\nbinaries: {linux: x}\n").0.contains("OS/ARCH"));
        assert!(refuse("name: a\nasets: []\n").0.contains("unknown field `asets`"));
    }
}
