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
