//! The directory of a rehearsal: one run at a time, one release at a time.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::inputs::Inputs;
use crate::adapter::fs;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::diag::Kind;
use crate::model::Digest;
use crate::port::{FilesError, Progress as _, SignerIdentity};
use crate::render::text::shell;

/// What tells a rehearsal from any other directory.
const MARK: &str = "rehearsal.json";
/// The largest mark.
const MAX_MARK: u64 = 1 << 20;

/// A directory that is ours until the process ends.
pub(super) struct Place {
    root: PathBuf,
    _lock: fs::DirectoryLock,
}

impl Place {
    /// Takes a directory. A rehearsal of the same inputs goes on; one of other inputs is replaced; anything else is
    /// refused.
    pub(super) fn take(context: &Context, root: PathBuf, inputs: &Inputs) -> Result<Self, CliError> {
        let key = inputs.key();
        let mark = root.join(MARK);
        fs::create_dir(&root)?;
        let lock = fs::DirectoryLock::try_take(&root)?.ok_or_else(|| {
            CliError::new(
                Kind::Conflict,
                "rehearse-busy",
                format!("another rehearsal is at work in {}", root.display()),
            )
            .hinted("wait until it ends, or name another directory with -o")
        })?;
        // A run may have ended before its first file had a name.
        fs::remove_left_overs(&root)?;
        if !fs::exists(&mark) && !fs::is_empty(&root)? {
            return Err(CliError::new(
                Kind::Conflict,
                "rehearse-foreign",
                format!("{} holds something else than a rehearsal", root.display()),
            )
            .hinted("name another directory with -o"));
        }
        if fs::exists(&mark) && !Self::is_of(&mark, &key)? {
            context.printer.warn(&format!("replacing the rehearsal of something else in {}", root.display()));
            // The mark goes last, so that a killed run is still known as a rehearsal.
            // The keys with them: their certificate names what was rehearsed.
            for name in ["dist", "registry", "forge", "trust"] {
                fs::remove_dir(&root.join(name))?;
            }
        }
        let text = json!({ "key": key, "tag": inputs.facts.tag, "commit": inputs.facts.commit });
        fs::write_atomic(&mark, format!("{text:#}\n").as_bytes())?;
        // There are keys in here: nobody commits them by `git add .`.
        fs::write_atomic(&root.join(".gitignore"), b"*\n")?;
        for name in ["dist", "trust"] {
            fs::remove_left_overs(&root.join(name))?;
        }
        Ok(Self { root: fs::canonical(&root)?, _lock: lock })
    }

    fn is_of(mark: &Path, key: &Digest) -> Result<bool, FilesError> {
        let bytes = fs::read(mark, MAX_MARK)?;
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        Ok(value["key"] == key.to_string())
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn dist(&self) -> PathBuf {
        self.root.join("dist")
    }

    pub(super) fn registry(&self) -> PathBuf {
        self.root.join("registry")
    }

    pub(super) fn forge(&self) -> PathBuf {
        self.root.join("forge")
    }

    pub(super) fn trust(&self) -> PathBuf {
        self.root.join("trust")
    }

    /// What a consumer types, from anywhere.
    pub(super) fn verify_command(&self, signer: &SignerIdentity) -> String {
        let root = self.trust().join("trusted_root.json").display().to_string();
        format!(
            "kyklos-release verify release {} --trusted-root {} --identity {} --issuer {}",
            shell(&format!("dir:{}", self.root.display())),
            shell(&root),
            shell(&signer.subject),
            shell(&signer.issuer),
        )
    }
}
