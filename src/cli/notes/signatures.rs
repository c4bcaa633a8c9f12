//! Whose signatures of commits are believed, for `notes generate`.

use std::path::PathBuf;

use super::super::context::Context;
use super::super::error::CliError;
use super::super::project::Project;
use crate::adapter::fs;
use crate::adapter::git::{GitError, Repository};
use crate::format::{openpgp, sshsig};
use crate::model::Commit;
use crate::notes::signature::{SignatureState, Signed, Trusted};

#[derive(Debug, clap::Args)]
pub(super) struct SignatureArgs {
    /// Whose signatures of commits count: a file of allowed signers (SSH) or an OpenPGP keyring; again for both. Without
    /// it gpg.ssh.allowedSignersFile of git counts
    #[arg(long, value_name = "FILE")]
    signatures: Vec<PathBuf>,
    /// SSH keys that count no more: public keys, one a line, or a list of ssh-keygen -k; without it
    /// gpg.ssh.revocationFile of git
    #[arg(long, value_name = "FILE")]
    revoked: Option<PathBuf>,
}

/// What can be said without a look at the signature.
pub(super) fn unchecked(commit: &Commit) -> Signed {
    if commit.signed { Signed::unchecked() } else { Signed::default() }
}

/// What is known about the signature of a commit.
pub(super) fn judge(repository: &Repository, trusted: &Trusted, commit: &Commit) -> Result<Signed, GitError> {
    let unchecked = unchecked(commit);
    if trusted.is_empty() || unchecked.state == SignatureState::None {
        return Ok(unchecked);
    }
    let signed = repository.signed_commit(commit.id)?;
    Ok(signed.map_or(unchecked, |signed| trusted.judge(&signed, commit.time)))
}

impl SignatureArgs {
    /// Reads the files of keys: those that are named, else the one of git.
    pub(super) fn trusted(&self, context: &Context, project: &Project) -> Result<Trusted, CliError> {
        let mut trusted = Trusted::default();
        let of_git =
            |name: &str| project.repository.setting(name).map(|path| git_path(context, project, &path));
        let files: Vec<PathBuf> = if self.signatures.is_empty() {
            of_git("gpg.ssh.allowedSignersFile").into_iter().collect()
        } else {
            self.signatures.iter().map(|path| context.path(path)).collect()
        };
        for path in &files {
            let bytes = fs::read(path, openpgp::MAX_BYTES)?;
            let start = bytes.trim_ascii_start();
            let named = |error: CliError| error.fact("file", path.display().to_string());
            // Text has no byte with the highest bit at its start, a packet has; a keybox begins with a length.
            let packets = start.first().is_some_and(|first| first & 0x80 != 0 || *first == 0);
            if packets || start.starts_with(b"-----BEGIN PGP ") {
                trusted.openpgp.extend(openpgp::keyring(&bytes).map_err(|error| named(error.into()))?);
            } else {
                trusted.ssh.extend(sshsig::allowed_signers(&bytes).map_err(|error| named(error.into()))?);
            }
        }
        let revoked = match &self.revoked {
            Some(path) => Some(context.path(path)),
            None => of_git("gpg.ssh.revocationFile"),
        };
        if let Some(path) = revoked.filter(|_| !trusted.ssh.is_empty()) {
            let bytes = fs::read(&path, sshsig::MAX_BYTES)?;
            let named = |error: CliError| error.fact("file", path.display().to_string());
            trusted.revoked = sshsig::Revoked::parse(&bytes).map_err(|error| named(error.into()))?;
        }
        Ok(trusted)
    }
}

/// A path in a setting of git: `~/` is the home of the user, and what is relative begins at the top of the work tree.
fn git_path(context: &Context, project: &Project, text: &str) -> PathBuf {
    match (text.strip_prefix("~/"), context.variable("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => project.root().join(text),
    }
}
