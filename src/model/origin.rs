//! Where a repository lives on a forge.

use std::fmt;

/// A repository on a forge, read from the URL of a remote. User names and passwords in the URL are dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The host, with its port where the URL has one for the web.
    pub host: String,
    /// The owner; `group/subgroup` on GitLab.
    pub owner: String,
    /// The repository, without `.git`.
    pub repo: String,
}

impl Origin {
    /// Reads `https://host/owner/repo.git`, `ssh://git@host/owner/repo` and `git@host:owner/repo`; `None` for paths
    /// and everything else.
    pub fn from_url(url: &str) -> Option<Self> {
        let (authority, path, web) = match url.split_once("://") {
            Some(("http" | "https", rest)) => {
                let (authority, path) = rest.split_once('/')?;
                (authority, path, true)
            }
            Some(("ssh" | "git" | "git+ssh", rest)) => {
                let (authority, path) = rest.split_once('/')?;
                (authority, path, false)
            }
            Some(_) => return None,
            None => {
                let (authority, path) = url.split_once(':')?;
                (authority, path, false)
            }
        };
        let host = authority.rsplit('@').next()?;
        let host = if web { host } else { host.split(':').next()? };
        let path = path.trim_matches('/');
        let (owner, repo) = path.strip_suffix(".git").unwrap_or(path).rsplit_once('/')?;
        let plain = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~/:".contains(&byte))
        };
        let valid = host.len() > 1 && !host.contains('/') && [host, owner, repo].into_iter().all(plain);
        valid.then(|| Self { host: host.to_owned(), owner: owner.to_owned(), repo: repo.to_owned() })
    }

    /// The page of the repository, without a slash at its end.
    pub fn web(&self) -> String {
        format!("https://{}/{}/{}", self.host, self.owner, self.repo)
    }
}

/// Which forge a host is: what its pages are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pages {
    GitHub,
    GitLab,
    Gitea,
    Azure,
}

impl Origin {
    fn pages(&self) -> Pages {
        let host = self.host.to_ascii_lowercase();
        if host.contains("gitlab") {
            Pages::GitLab
        } else if host.contains("gitea") || host.contains("codeberg") || host.contains("forgejo") {
            Pages::Gitea
        } else if host == "dev.azure.com" || host.ends_with(".visualstudio.com") {
            Pages::Azure
        } else {
            Pages::GitHub
        }
    }

    /// The same forge, another repository.
    pub fn sibling(&self, owner: &str, repo: &str) -> Self {
        Self { host: self.host.clone(), owner: owner.to_owned(), repo: repo.to_owned() }
    }

    /// The page of a commit.
    pub fn commit(&self, id: &str) -> String {
        let middle = if self.pages() == Pages::GitLab { "/-/commit" } else { "/commit" };
        format!("{}{middle}/{id}", self.web())
    }

    /// The page of a pull or merge request.
    pub fn pull_request(&self, number: &str) -> String {
        let middle = match self.pages() {
            Pages::GitHub => "/pull",
            Pages::GitLab => "/-/merge_requests",
            Pages::Gitea => "/pulls",
            Pages::Azure => "/pullrequest",
        };
        format!("{}{middle}/{number}", self.web())
    }

    /// The page of an issue; on Azure of a work item.
    pub fn issue(&self, number: &str) -> String {
        match self.pages() {
            Pages::GitHub | Pages::Gitea => format!("{}/issues/{number}", self.web()),
            Pages::GitLab => format!("{}/-/issues/{number}", self.web()),
            Pages::Azure => {
                let project = self.owner.trim_end_matches("/_git");
                format!("https://{}/{project}/_workitems/edit/{number}", self.host)
            }
        }
    }

    /// The page of a release; `None` where the forge has none.
    pub fn release(&self, tag: &str) -> Option<String> {
        match self.pages() {
            Pages::GitHub | Pages::Gitea => Some(format!("{}/releases/tag/{}", self.web(), segment(tag))),
            Pages::GitLab => Some(format!("{}/-/releases/{}", self.web(), segment(tag))),
            Pages::Azure => None,
        }
    }

    /// The address of a file of a release; `None` where the forge has none.
    pub fn asset(&self, tag: &str, name: &str) -> Option<String> {
        let (tag, name) = (segment(tag), segment(name));
        match self.pages() {
            Pages::GitHub | Pages::Gitea => Some(format!("{}/releases/download/{tag}/{name}", self.web())),
            Pages::GitLab => Some(format!("{}/-/releases/{tag}/downloads/{name}", self.web())),
            Pages::Azure => None,
        }
    }

    /// The page that compares two tags.
    pub fn compare(&self, from: &str, to: &str) -> String {
        match self.pages() {
            Pages::GitHub | Pages::Gitea => format!("{}/compare/{from}...{to}", self.web()),
            Pages::GitLab => format!("{}/-/compare/{from}...{to}", self.web()),
            Pages::Azure => format!("{}/branchCompare?baseVersion=GT{from}&targetVersion=GT{to}", self.web()),
        }
    }
}

/// A tag or a file name as one segment of a path.
fn segment(text: &str) -> String {
    text.replace('/', "%2F").replace('+', "%2B")
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.repo)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_urls_of_forges_only() {
        for url in [
            "https://github.com/ada/engine.git",
            "https://ada:secret@github.com/ada/engine",
            "git@github.com:ada/engine.git",
            "ssh://git@github.com:22/ada/engine.git/",
        ] {
            assert_eq!(Origin::from_url(url).unwrap().web(), "https://github.com/ada/engine", "{url}");
        }
        assert_eq!(Origin::from_url("https://git.example:8443/a/b/c").unwrap().owner, "a/b");
        for url in
            ["/srv/git/engine.git", "file:///srv/git/engine", "C:\\engine", "../engine", "https://x/y", ""]
        {
            assert_eq!(Origin::from_url(url), None, "{url}");
        }
    }
}
