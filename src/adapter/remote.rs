//! Asks the remote of a repository with the `git` of this machine, which has the logins, keys and proxies of the user: for
//! what the clone left out of the history, and whether a tag is there. The arguments are fixed; the name of the remote in them
//! comes from the configuration.
//!
//! All of the history and all tags are fetched, never a part that seems to be enough: which version comes next, and which
//! releases end the notes of one, is known only when every tag is there, and tags bring their history with them. Files
//! that a partial clone leaves out stay left out, because git fetches with the filter of the clone.
#![expect(clippy::disallowed_methods, reason = "this is where git is started")]

use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use crate::adapter::git::Repository;
use crate::adapter::http::scrub;
use crate::diag::{Hint, Kind};
use crate::model::Tag;

/// How long a fetch may take; whoever has more history than that fetches it by hand.
pub const PATIENCE: Duration = Duration::from_secs(30 * 60);
/// How often it is looked whether git has ended.
const PAUSE: Duration = Duration::from_millis(20);
/// How long git may take to clear up when it is told to end.
const GRACE: Duration = Duration::from_secs(5);
/// What is kept of what git, and the server through it, says; all of it is read, so that git never waits for a reader.
const MAX_SAID: usize = 1 << 20;
/// How `git ls-remote --exit-code` says that no reference matches.
const NOT_THERE: i32 = 2;
/// Variables that point git at another repository than the one that was opened (`git rev-parse --local-env-vars`).
const ELSEWHERE: [&str; 11] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// Fetches all tags from a remote, and the history behind the edge of a shallow clone. Blocks until git has ended. When
/// it fails, or is killed, the repository is as it was: git moves references and the edge last. Tags that are others on the
/// remote stay as they are here, and are given back: runners check a tag out as one that only points to its commit.
pub fn deepen(repository: &Repository, remote: &str, patience: Duration) -> Result<Vec<String>, RemoteError> {
    let shallow = repository.is_shallow();
    let mut command = git(repository);
    command.args(fetching(shallow)).args(["--", remote]);
    let failed = |said| RemoteError::Failed { remote: remote.to_owned(), shallow, said };
    let late = || RemoteError::Patience { remote: remote.to_owned(), shallow, seconds: patience.as_secs() };
    let Ended { status, said } = run(command, patience).map_err(|source| RemoteError::NoGit { source })?;
    if status.ok_or_else(late)?.success() {
        return Ok(Vec::new());
    }
    others(&said).ok_or_else(|| failed(reason(&said)))
}

/// Whether a remote has a tag. Blocks until git has ended; nothing is fetched.
pub fn has_tag(
    repository: &Repository,
    remote: &str,
    tag: &Tag,
    patience: Duration,
) -> Result<bool, RemoteError> {
    let mut command = git(repository);
    command.args(["ls-remote", "--exit-code", "--quiet", "--", remote]).arg(format!("refs/tags/{tag}"));
    let Ended { status, said } = run(command, patience).map_err(|source| RemoteError::NoGit { source })?;
    let remote = remote.to_owned();
    match status.map(|status| status.code()) {
        Some(Some(0)) => Ok(true),
        Some(Some(NOT_THERE)) => Ok(false),
        Some(_) => Err(RemoteError::Unasked { remote, said: reason(&said) }),
        None => Err(RemoteError::Unasked { remote, said: "it takes too long".to_owned() }),
    }
}

fn git(repository: &Repository) -> Command {
    let mut command = command(repository.directory());
    // Addresses that are paths begin there.
    command.current_dir(repository.root());
    // ssh would ask the terminal; whoever has set up another way is not overruled.
    let own_ssh = ["core.sshCommand", "ssh.variant"].iter().any(|name| repository.setting(name).is_some())
        || ["GIT_SSH", "GIT_SSH_COMMAND"].iter().any(|name| std::env::var_os(name).is_some());
    if !own_ssh {
        command.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
    }
    command
}

fn command(directory: &Path) -> Command {
    let mut command = Command::new("git");
    for name in ELSEWHERE {
        command.env_remove(name);
    }
    command
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GCM_INTERACTIVE", "never")
        // What git says is shown and looked at.
        .env("LC_ALL", "C")
        // A remote helper would run any program; a server that stands still is left.
        .args(["-c", "protocol.ext.allow=never"])
        .args(["-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=60"])
        .args(["-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "fetch.output=full"])
        .arg("--git-dir")
        .arg(directory);
    command
}

fn fetching(shallow: bool) -> Vec<&'static str> {
    let mut words = vec!["fetch", "--no-progress", "--no-prune", "--no-recurse-submodules", "--tags"];
    words.extend(shallow.then_some("--unshallow"));
    words
}

/// What became of a program. Without a status it took too long.
struct Ended {
    status: Option<ExitStatus>,
    said: String,
}

fn run(mut command: Command, patience: Duration) -> io::Result<Ended> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let said = Arc::new(Mutex::new(Vec::new()));
    let (at_end, ended) = mpsc::channel::<()>();
    if let Some(mut stderr) = child.stderr.take() {
        let kept = Arc::clone(&said);
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut piece) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&piece[..count]);
                // What comes last says why.
                let more = kept.len().saturating_sub(MAX_SAID);
                kept.drain(..more);
            }
            drop(at_end);
        });
    }
    let mut status = wait(&mut child, patience)?;
    let late = status.is_none();
    if late {
        terminate(&child);
        status = wait(&mut child, GRACE)?;
        if status.is_none() {
            // It may have ended by itself.
            let _ = child.kill();
            child.wait()?;
        }
    }
    // A program that git started may hold the pipe open after git has ended: what was said until then is taken.
    let _ = ended.recv_timeout(GRACE / 10);
    let said = said.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Ended { status: status.filter(|_| !late), said: String::from_utf8_lossy(&said).into_owned() })
}

/// Waits for the end, so long and no longer.
fn wait(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let mut waited = Duration::ZERO;
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(Some(status)),
            None if waited >= patience => return Ok(None),
            None => std::thread::sleep(PAUSE),
        }
        waited += PAUSE;
    }
}

/// Asks git to end: it takes its lock files away then, which it cannot when it is killed.
#[cfg(unix)]
fn terminate(child: &Child) {
    // Whoever has no such program has the process killed a little later.
    let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
}

#[cfg(not(unix))]
fn terminate(_child: &Child) {}

/// The tags that git left as they are; `None` when it failed for another reason.
fn others(said: &str) -> Option<Vec<String>> {
    let mut tags = Vec::new();
    for line in said.lines().map(str::trim) {
        if let Some(rejected) = line.strip_prefix("! [rejected]") {
            let (name, why) = rejected.split_once(" -> ")?;
            why.ends_with("(would clobber existing tag)").then_some(())?;
            tags.push(name.trim().escape_debug().to_string());
        } else if ["fatal: ", "error: ", "! ["].iter().any(|mark| line.starts_with(mark)) {
            return None;
        }
    }
    (!tags.is_empty()).then_some(tags)
}

/// Why git failed, in its words: the first line that says so, else the last.
fn reason(said: &str) -> String {
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let marked = |mark: &str| lines().find_map(|line| line.strip_prefix(mark).map(str::to_owned));
    let line = ["fatal: ", "error: ", "! "].iter().find_map(|mark| marked(mark));
    let line = line.or_else(|| lines().next_back().map(str::to_owned));
    scrub(&line.unwrap_or_else(|| "it does not say why".to_owned()))
}

/// Why the remote did not help.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// There is no program to ask with.
    #[error("git cannot be started to ask the remote")]
    NoGit {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is nobody to ask.
    #[error("the repository has no remote to ask")]
    NoRemote,
    /// git said no.
    #[error("git did not get everything from the remote `{remote}`: {said}")]
    Failed {
        /// The remote.
        remote: String,
        /// Whether history was asked for, and not tags alone.
        shallow: bool,
        /// What git said.
        said: String,
    },
    /// Nobody answered.
    #[error("git cannot ask the remote `{remote}` for its tags: {said}")]
    Unasked {
        /// The remote.
        remote: String,
        /// What git said.
        said: String,
    },
    /// It took too long.
    #[error("git was stopped after {seconds} seconds of fetching from the remote `{remote}`")]
    Patience {
        /// The remote.
        remote: String,
        /// Whether history was asked for, and not tags alone.
        shallow: bool,
        /// How long it had.
        seconds: u64,
    },
}

impl Hint for RemoteError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoGit { .. } => "remote-git",
            Self::NoRemote => "remote-none",
            Self::Failed { .. } => "remote-failed",
            Self::Unasked { .. } => "remote-unasked",
            Self::Patience { .. } => "remote-patience",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NoRemote => Kind::Usage,
            // The history is as incomplete as before.
            Self::NoGit { .. } | Self::Failed { .. } | Self::Unasked { .. } | Self::Patience { .. } => {
                Kind::Undecided
            }
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::NoGit { .. } => vec!["install git, or leave --deepen and --check-remote out".to_owned()],
            Self::NoRemote => vec!["git remote add origin URL".to_owned()],
            Self::Unasked { remote, .. } => vec![format!("git ls-remote --tags {remote}")],
            Self::Failed { remote, shallow, .. } | Self::Patience { remote, shallow, .. } => {
                vec![format!("git fetch {}--tags {remote}", if *shallow { "--unshallow " } else { "" })]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_fixed() {
        let told = |shallow| {
            let mut command = command(Path::new("/r/.git"));
            command.args(fetching(shallow));
            let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
            words.skip_while(|word| word != "--git-dir").collect::<Vec<_>>().join(" ")
        };
        let tags = "--git-dir /r/.git fetch --no-progress --no-prune --no-recurse-submodules --tags";
        assert_eq!((told(false), told(true)), (tags.to_owned(), format!("{tags} --unshallow")));
        let whole = command(Path::new("x"));
        let removed: Vec<_> = whole.get_envs().filter(|(_, value)| value.is_none()).collect();
        assert_eq!(removed.len(), ELSEWHERE.len());
    }

    #[test]
    fn tags_that_stay_are_told_from_failures() {
        let new = "From /x\n * [new tag]         v0.1.0     -> v0.1.0\n";
        let kept = " ! [rejected]        v0.2.0     -> v0.2.0  (would clobber existing tag)\n";
        assert_eq!(others(&format!("{new}{kept}")), Some(vec!["v0.2.0".to_owned()]));
        let moved = " ! [rejected]        main       -> origin/main  (non-fast-forward)\n";
        for said in ["", new, &format!("{kept}{moved}"), &format!("{kept}fatal: the remote end hung up\n")] {
            assert_eq!(others(said), None, "{said}");
        }
    }

    #[test]
    fn what_git_says_is_one_line_without_secrets() {
        let said = "warning: x\nfatal: unable to access 'https://h/': 403\nfatal: other\n";
        assert_eq!(reason(said), "unable to access 'https://h/': 403");
        assert_eq!(
            reason(" ! [rejected] v1 -> v1 (would clobber existing tag)\n"),
            "[rejected] v1 -> v1 (would clobber existing tag)"
        );
        assert_eq!(reason("one\n\ntwo\n"), "two");
        assert_eq!(reason(""), "it does not say why");
        assert_eq!(reason("fatal: token=abc\u{1b}[2J"), "[redacted]");
    }

    #[cfg(unix)]
    #[test]
    fn programs_that_babble_hang_and_do_not_listen_end() {
        let sh = |script: &str, patience: u64| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            run(command, Duration::from_millis(patience)).unwrap()
        };
        let long = 20_000;
        let ended = sh("head -c 3000000 /dev/zero | tr '\\0' x >&2; echo end >&2; exit 3", long);
        assert_eq!((ended.status.unwrap().code(), ended.said.len()), (Some(3), MAX_SAID));
        assert!(ended.said.ends_with("end\n"));
        let hung = sh("trap 'echo cleared >&2; exit 1' TERM; sleep 60 & wait", 200);
        assert_eq!((hung.status, hung.said.as_str()), (None, "cleared\n"));
        let ended = sh("sleep 5 & exit 0", long);
        assert!(ended.status.unwrap().success());
    }
}
