//! Whom to ask, about which repository, and with which token.
//!
//! A token goes to the server that somebody named, or to the one it is for when nobody names one: a repository that was
//! cloned from a host with a telling name gets none.

use base64::Engine as _;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use url::Url;

use super::api::{Api, Place};
use super::azure::Azure;
use super::gitea::Gitea;
use super::github::GitHub;
use super::gitlab::GitLab;
use crate::adapter::http::{host_of, is_loopback, shown};
use crate::diag::{Hint, Kind};
use crate::model::Origin;

/// Whom to ask, and about which repository.
#[derive(Clone)]
pub struct Source {
    pub(super) forge: Forge,
    pub(super) place: Place,
    pub(super) token: Token,
}

/// The token of a server.
#[derive(Clone)]
pub(super) enum Token {
    /// There is none.
    None,
    /// There is one for another server, in words.
    Withheld(String),
    /// The header it is sent in.
    Sent(HeaderName, HeaderValue),
}

/// What is known about the repository before anybody is asked.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// A variable of the environment.
    pub variable: &'a dyn Fn(&str) -> Option<&'a str>,
    /// Where the remote is.
    pub origin: Option<&'a Origin>,
    /// The branch pull requests of the release went into.
    pub base: Option<&'a str>,
}

/// The kinds of forges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forge {
    /// GitHub, also one of a company.
    GitHub,
    /// GitLab, also where somebody runs it themselves.
    GitLab,
    /// Gitea, Forgejo, Codeberg.
    Gitea,
    /// Azure DevOps Services and Server.
    Azure,
}

const GITHUB: &str = "https://api.github.com/graphql";

/// An address, and whether somebody named it.
struct Address {
    text: String,
    named: Option<&'static str>,
}

impl Forge {
    pub(super) fn api(self) -> &'static dyn Api {
        match self {
            Self::GitHub => &GitHub,
            Self::GitLab => &GitLab,
            Self::Gitea => &Gitea,
            Self::Azure => &Azure,
        }
    }

    /// Whether it answers nobody without a token, and the variable for one.
    pub(super) fn needs_token(self) -> Option<&'static str> {
        match self {
            Self::GitHub => Some("GITHUB_TOKEN"),
            Self::Azure => Some("SYSTEM_ACCESSTOKEN"),
            Self::GitLab | Self::Gitea => None,
        }
    }

    /// What a host is, by its name.
    fn of_host(host: &str) -> Option<Self> {
        let host = host.to_ascii_lowercase();
        let name = host.split(':').next().unwrap_or_default();
        let has = |word: &str| name.contains(word);
        match name {
            "github.com" => Some(Self::GitHub),
            _ if name == "dev.azure.com" || name.ends_with(".visualstudio.com") => Some(Self::Azure),
            _ if has("gitlab") => Some(Self::GitLab),
            _ if has("gitea") || has("forgejo") || has("codeberg") => Some(Self::Gitea),
            _ => None,
        }
    }

    /// The variables that name a server of this kind, the first counts most.
    fn servers(self) -> &'static [&'static str] {
        match self {
            Self::GitHub => &["GITHUB_GRAPHQL_URL", "GITHUB_API_URL"],
            Self::GitLab => &["GITLAB_API_URL", "CI_API_V4_URL"],
            // Runners of Gitea and Forgejo use the names of GitHub.
            Self::Gitea => &["GITEA_API_URL", "FORGEJO_API_URL", "GITHUB_API_URL"],
            Self::Azure => &["SYSTEM_COLLECTIONURI"],
        }
    }

    /// The variables tokens are in, and the hosts they are for when no server is named.
    fn tokens(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::GitHub => &[("GITHUB_TOKEN", "api.github.com"), ("GH_TOKEN", "api.github.com")],
            Self::GitLab => &[("GITLAB_TOKEN", "gitlab.com"), ("CI_JOB_TOKEN", "")],
            Self::Gitea => {
                &[("GITEA_TOKEN", "gitea.com"), ("FORGEJO_TOKEN", "codeberg.org"), ("GITHUB_TOKEN", "")]
            }
            Self::Azure => &[("SYSTEM_ACCESSTOKEN", ""), ("AZURE_DEVOPS_EXT_PAT", "dev.azure.com")],
        }
    }

    /// Whether a variable that names a server of GitHub names one of Gitea, which has its API elsewhere.
    fn is_meant(self, name: &str, value: &str) -> bool {
        let is_gitea = value.trim_end_matches('/').ends_with("/api/v1");
        match self {
            Self::Gitea if name.starts_with("GITHUB_") => is_gitea,
            Self::GitHub => !is_gitea,
            Self::GitLab | Self::Gitea | Self::Azure => true,
        }
    }

    fn named(self, surroundings: &Surroundings<'_>) -> Option<Address> {
        let found = self.servers().iter().find_map(|name| {
            let value = (surroundings.variable)(name).filter(|value| self.is_meant(name, value))?;
            Some((*name, value.trim_end_matches('/')))
        });
        let (name, value) = found?;
        let text = match name {
            // GitHub Enterprise Server: `/api/v3` beside `/api/graphql`.
            "GITHUB_API_URL" if self == Self::GitHub => {
                format!("{}/graphql", value.strip_suffix("/v3").unwrap_or(value))
            }
            _ => value.to_owned(),
        };
        Some(Address { text, named: Some(name) })
    }

    /// The server of a kind whose host is known.
    fn usual(self, origin: &Origin) -> Address {
        let text = match self {
            Self::GitHub => GITHUB.to_owned(),
            Self::GitLab => format!("https://{}/api/v4", origin.host),
            Self::Gitea => format!("https://{}/api/v1", origin.host),
            Self::Azure => format!("https://{}", origin.host),
        };
        Address { text, named: None }
    }

    /// The repository: as the runner says, where it named the server, else as the remote does.
    fn repository(self, surroundings: &Surroundings<'_>, named: Option<&str>) -> Option<(String, String)> {
        let variable = surroundings.variable;
        let told = match (self, named) {
            (Self::GitHub, _) | (Self::Gitea, Some("GITHUB_API_URL")) => variable("GITHUB_REPOSITORY"),
            (Self::GitLab, _) => variable("CI_PROJECT_PATH"),
            (Self::Gitea | Self::Azure, _) => None,
        };
        match told {
            Some(told) => told.rsplit_once('/').map(|(owner, repo)| (owner.to_owned(), repo.to_owned())),
            None => surroundings.origin.map(|origin| (origin.owner.clone(), origin.repo.clone())),
        }
    }
}

impl Source {
    /// Finds out whom to ask. A host that is known by its name decides; of any other one somebody names the server.
    pub fn find(surroundings: &Surroundings<'_>) -> Result<Self, EnrichError> {
        let known = surroundings.origin.and_then(|origin| Some((Forge::of_host(&origin.host)?, origin)));
        let (forge, address) = if let Some((forge, origin)) = known {
            (forge, forge.named(surroundings).unwrap_or_else(|| forge.usual(origin)))
        } else {
            let kinds = [Forge::GitLab, Forge::Gitea, Forge::GitHub, Forge::Azure];
            let named = kinds.into_iter().find_map(|kind| Some((kind, kind.named(surroundings)?)));
            match (named, surroundings.origin) {
                (Some(named), _) => named,
                (None, Some(origin)) => return Err(EnrichError::Forge { host: origin.host.clone() }),
                (None, None) => (Forge::GitHub, Address { text: GITHUB.to_owned(), named: None }),
            }
        };
        let mut api = usable(&address.text, forge)?;
        let (owner, repo) =
            forge.repository(surroundings, address.named).ok_or(EnrichError::Repository { forge })?;
        let deep = matches!(forge, Forge::GitLab | Forge::Azure);
        let owners: Vec<&str> = owner.split('/').collect();
        if !owners.iter().all(|part| is_name(part)) || !is_name(&repo) || (owners.len() > 1 && !deep) {
            return Err(EnrichError::Repository { forge });
        }
        if forge == Forge::Azure {
            // Organization and project stand before the API; a collection that is named has the organization.
            let inside = owner.trim_end_matches("/_git");
            let project = inside.rsplit('/').next().filter(|_| address.named.is_some());
            let inside = project.unwrap_or(inside);
            api.set_path(&format!("{}/{inside}", api.path().trim_end_matches('/')));
        }
        let token = token(forge, &api, address.named, surroundings)?;
        let place = Place { api, owner, repo, base: surroundings.base.map(str::to_owned) };
        Ok(Self { forge, place, token })
    }

    /// The host that is asked, with its port.
    pub fn host(&self) -> String {
        host_of(&self.place.api)
    }
}

/// Names of files and addresses are made of these.
fn is_name(text: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=100).contains(&text.len()) && text.bytes().all(valid) && !text.starts_with('.')
}

fn usable(address: &str, forge: Forge) -> Result<Url, EnrichError> {
    let refuse = |reason| EnrichError::Address { forge, reason };
    let url: Url = address.parse().map_err(|_| refuse("it is no URL"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("it holds a login"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(refuse("http is spoken with this machine only")),
        _ => Err(refuse("its scheme is not https")),
    }
}

/// The token for a server, as the header it is sent in, or why one that is there is not sent.
fn token(
    forge: Forge,
    api: &Url,
    named: Option<&'static str>,
    surroundings: &Surroundings<'_>,
) -> Result<Token, EnrichError> {
    let mut withheld = None;
    for (name, home) in forge.tokens() {
        let Some(token) = (surroundings.variable)(name) else { continue };
        let allowed = match *name {
            // Tokens of a job are for the server that runs it.
            "CI_JOB_TOKEN" => named == Some("CI_API_V4_URL"),
            "GITHUB_TOKEN" if forge == Forge::Gitea => named == Some("GITHUB_API_URL"),
            _ => named.is_some() || host_of(api) == *home,
        };
        if !allowed {
            let server = match *name {
                "CI_JOB_TOKEN" => "CI_API_V4_URL",
                "GITHUB_TOKEN" => "GITHUB_API_URL",
                _ => forge.servers()[0],
            };
            // A collection is more than the address that is asked.
            let value = if forge == Forge::Azure { "https://HOST/COLLECTION".to_owned() } else { shown(api) };
            withheld.get_or_insert_with(|| {
                format!("{name} is not sent to {} without {server}={value}", host_of(api))
            });
            continue;
        }
        let (header, value) = match (forge, *name) {
            (Forge::GitLab, "CI_JOB_TOKEN") => (HeaderName::from_static("job-token"), token.to_owned()),
            (Forge::GitLab, _) => (HeaderName::from_static("private-token"), token.to_owned()),
            (Forge::Gitea, _) => (AUTHORIZATION, format!("token {token}")),
            (Forge::Azure, "AZURE_DEVOPS_EXT_PAT") => {
                let login = base64::engine::general_purpose::STANDARD.encode(format!(":{token}"));
                (AUTHORIZATION, format!("Basic {login}"))
            }
            (Forge::GitHub | Forge::Azure, _) => (AUTHORIZATION, format!("Bearer {token}")),
        };
        let mut value = HeaderValue::from_str(&value).map_err(|_| EnrichError::Address {
            forge,
            reason: "the token has characters that no token has",
        })?;
        value.set_sensitive(true);
        return Ok(Token::Sent(header, value));
    }
    Ok(withheld.map_or(Token::None, Token::Withheld))
}

/// Why nobody can be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnrichError {
    /// The address of the API.
    #[error("the address of the API cannot be used: {reason}")]
    Address {
        /// What is asked.
        forge: Forge,
        /// Why.
        reason: &'static str,
    },
    /// Which repository is meant.
    #[error("it is not known which repository of the forge this is")]
    Repository {
        /// What is asked.
        forge: Forge,
    },
    /// Nobody says what the host is.
    #[error("{host} is not asked: GITHUB_API_URL, GITLAB_API_URL or GITEA_API_URL says what it is")]
    Forge {
        /// The host of the remote.
        host: String,
    },
}

impl Hint for EnrichError {
    fn code(&self) -> &'static str {
        match self {
            Self::Address { .. } => "enrich-address",
            Self::Repository { .. } => "enrich-repository",
            Self::Forge { .. } => "enrich-forge",
        }
    }

    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Address { forge: Forge::GitHub, .. } => {
                "GITHUB_GRAPHQL_URL=https://HOST/api/graphql, or GITHUB_API_URL"
            }
            Self::Address { forge: Forge::GitLab, .. } => "GITLAB_API_URL=https://HOST/api/v4",
            Self::Address { forge: Forge::Gitea, .. } => "GITEA_API_URL=https://HOST/api/v1",
            Self::Address { forge: Forge::Azure, .. } => "SYSTEM_COLLECTIONURI=https://HOST/COLLECTION",
            Self::Repository { forge: Forge::GitHub } => "GITHUB_REPOSITORY=OWNER/REPO",
            Self::Repository { forge: Forge::GitLab } => "CI_PROJECT_PATH=GROUP/PROJECT",
            Self::Repository { forge: Forge::Gitea | Forge::Azure } => "git remote add origin URL",
            Self::Forge { host } => {
                return vec![format!("GITLAB_API_URL=https://{host}/api/v4, for example")];
            }
        };
        vec![hint.to_owned()]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Forge, address, repository, and the header of the token or why there is none.
    fn found(origin: Option<&str>, variables: &[(&str, &str)]) -> Result<[String; 4], EnrichError> {
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        let variable = |name: &str| variables.get(name).copied();
        let origin = origin.map(|url| Origin::from_url(url).unwrap());
        let source =
            Source::find(&Surroundings { variable: &variable, origin: origin.as_ref(), base: None })?;
        let token = match source.token {
            Token::None => String::new(),
            Token::Withheld(why) => why,
            Token::Sent(name, value) => format!("{name}: {}", value.to_str().unwrap()),
        };
        let Place { api, owner, repo, .. } = source.place;
        Ok([format!("{:?}", source.forge), api.to_string(), format!("{owner}/{repo}"), token])
    }

    #[test]
    fn the_host_decides_and_for_others_a_variable() {
        let of = |origin: &str, variables: &[(&str, &str)]| {
            let [forge, api, repo, _] = found(Some(origin), variables).unwrap();
            format!("{forge} {api} {repo}")
        };
        let actions = [("GITHUB_API_URL", "https://git.x/api/v1"), ("GITHUB_REPOSITORY", "o/r")];
        let ci = [("CI_API_V4_URL", "https://git.x/gl/api/v4"), ("CI_PROJECT_PATH", "g/s/r")];
        let azure = [("SYSTEM_COLLECTIONURI", "https://tfs.x/tfs/Main/")];
        for (origin, variables, expected) in [
            ("https://github.com/a/b", &[][..], "GitHub https://api.github.com/graphql a/b"),
            (
                "https://github.com/a/b",
                &[("GITLAB_API_URL", "https://x/")],
                "GitHub https://api.github.com/graphql a/b",
            ),
            ("https://gitlab.com/a/b/c", &[], "GitLab https://gitlab.com/api/v4 a/b/c"),
            ("git@gitlab.gnome.org:a/b.git", &[], "GitLab https://gitlab.gnome.org/api/v4 a/b"),
            ("https://codeberg.org/a/b", &[], "Gitea https://codeberg.org/api/v1 a/b"),
            ("https://gitea.x:3000/a/b", &[], "Gitea https://gitea.x:3000/api/v1 a/b"),
            ("https://dev.azure.com/o/p/_git/r", &[], "Azure https://dev.azure.com/o/p o/p/_git/r"),
            ("https://o.visualstudio.com/p/_git/r", &[], "Azure https://o.visualstudio.com/p p/_git/r"),
            ("https://git.x/a/b", &actions, "Gitea https://git.x/api/v1 o/r"),
            ("https://git.x/a/b", &ci, "GitLab https://git.x/gl/api/v4 g/s/r"),
            (
                "https://git.x/a/b",
                &[("GITHUB_API_URL", "https://git.x/api/v3/")],
                "GitHub https://git.x/api/graphql a/b",
            ),
            (
                "https://git.x/a/b",
                &[("FORGEJO_API_URL", "https://git.x/api/v1")],
                "Gitea https://git.x/api/v1 a/b",
            ),
            ("https://tfs.x/tfs/Main/P/_git/r", &azure, "Azure https://tfs.x/tfs/Main/P tfs/Main/P/_git/r"),
        ] {
            assert_eq!(of(origin, variables), expected);
        }
        assert_eq!(
            found(Some("https://git.x/a/b"), &[]),
            Err(EnrichError::Forge { host: "git.x".to_owned() })
        );
        assert_eq!(found(None, &[]), Err(EnrichError::Repository { forge: Forge::GitHub }));
        assert_eq!(found(None, &[("GITHUB_REPOSITORY", "o/r")]).unwrap()[2], "o/r");
    }

    #[test]
    fn a_token_goes_to_its_server_only() {
        let of =
            |origin: &str, variables: &[(&str, &str)]| found(Some(origin), variables).unwrap()[3].clone();
        let named = ("GITLAB_API_URL", "https://gitlab.x/api/v4");
        let job = ("CI_API_V4_URL", "https://gitlab.x/api/v4");
        for (origin, variables, expected) in [
            ("https://github.com/a/b", &[("GITHUB_TOKEN", "t")][..], "authorization: Bearer t"),
            (
                "https://github.com/a/b",
                &[("GH_TOKEN", "t"), ("GITLAB_TOKEN", "u")],
                "authorization: Bearer t",
            ),
            ("https://gitlab.com/a/b", &[("GITLAB_TOKEN", "t"), ("GITHUB_TOKEN", "u")], "private-token: t"),
            ("https://gitlab.x/a/b", &[("GITLAB_TOKEN", "t"), named], "private-token: t"),
            (
                "https://gitlab.x/a/b",
                &[("GITLAB_TOKEN", "t")],
                "GITLAB_TOKEN is not sent to gitlab.x without GITLAB_API_URL=https://gitlab.x/api/v4",
            ),
            ("https://gitlab.x/a/b", &[("CI_JOB_TOKEN", "t"), job], "job-token: t"),
            (
                "https://gitlab.x/a/b",
                &[("CI_JOB_TOKEN", "t"), ("GITLAB_TOKEN", "u"), job],
                "private-token: u",
            ),
            (
                "https://gitlab.com/a/b",
                &[("CI_JOB_TOKEN", "t")],
                "CI_JOB_TOKEN is not sent to gitlab.com without CI_API_V4_URL=https://gitlab.com/api/v4",
            ),
            ("https://codeberg.org/a/b", &[("FORGEJO_TOKEN", "t")], "authorization: token t"),
            ("https://gitea.com/a/b", &[("GITEA_TOKEN", "t")], "authorization: token t"),
            (
                "https://codeberg.org/a/b",
                &[("GITEA_TOKEN", "t"), ("GITHUB_TOKEN", "u")],
                "GITEA_TOKEN is not sent to codeberg.org without GITEA_API_URL=https://codeberg.org/api/v1",
            ),
            (
                "https://git.x/a/b",
                &[
                    ("GITHUB_TOKEN", "t"),
                    ("GITHUB_API_URL", "https://git.x/api/v1"),
                    ("GITHUB_REPOSITORY", "a/b"),
                ],
                "authorization: token t",
            ),
            (
                "https://dev.azure.com/o/p/_git/r",
                &[("AZURE_DEVOPS_EXT_PAT", "t")],
                "authorization: Basic OnQ=",
            ),
            (
                "https://dev.azure.com/o/p/_git/r",
                &[("SYSTEM_ACCESSTOKEN", "t"), ("SYSTEM_COLLECTIONURI", "https://dev.azure.com/o/")],
                "authorization: Bearer t",
            ),
            ("https://gitlab.com/a/b", &[], ""),
        ] {
            assert_eq!(of(origin, variables), expected, "{origin} {variables:?}");
        }
        assert!(found(Some("https://gitlab.com/a/b"), &[("GITLAB_TOKEN", "a\nb")]).is_err());
    }

    #[test]
    fn addresses_and_names_that_are_none() {
        let of = |url: &str| found(None, &[("GITHUB_GRAPHQL_URL", url), ("GITHUB_REPOSITORY", "o/r")]);
        assert_eq!(of("http://127.0.0.1:8/g").unwrap()[1], "http://127.0.0.1:8/g");
        for url in [
            "http://api.github.com/graphql",
            "http://127.0.0.1.evil.example/",
            "ftp://x/",
            "https://u:p@x/",
            "x",
        ] {
            assert!(matches!(of(url), Err(EnrichError::Address { forge: Forge::GitHub, .. })), "{url}");
        }
        for repository in ["o", "o/r/x", "../x", "o/\"x", "/r", "o/.."] {
            let told = found(None, &[("GITHUB_REPOSITORY", repository)]);
            assert_eq!(told, Err(EnrichError::Repository { forge: Forge::GitHub }), "{repository:?}");
        }
        for project in ["a/../b", "a//b", "a/b%2f", ".a/b"] {
            let told = found(None, &[("CI_API_V4_URL", "https://x/api/v4"), ("CI_PROJECT_PATH", project)]);
            assert_eq!(told, Err(EnrichError::Repository { forge: Forge::GitLab }), "{project:?}");
        }
    }
}
