//! What the stores on disk say when something fails.

use std::io;
use std::path::Path;

use crate::format::oci::OciError;
use crate::model::is_image_tag;
use crate::port::{FilesError, RegistryError};

/// Whether text can be a tag.
pub(super) fn check_tag(tag: &str) -> Result<(), RegistryError> {
    if is_image_tag(tag) {
        return Ok(());
    }
    let reason = "a tag is [A-Za-z0-9_][A-Za-z0-9._-]{0,127}".to_owned();
    let what = format!("the tag `{}`", tag.escape_debug().take(200).collect::<String>());
    Err(RegistryError::Invalid { what, reason })
}

/// Runs what waits for the disk beside the runtime.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RegistryError> + Send + 'static,
) -> Result<T, RegistryError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(RegistryError::Read { what: "the layout".to_owned(), source: error.into() }),
        },
    }
}

pub(super) fn failed(action: &'static str, path: &Path, source: io::Error) -> RegistryError {
    RegistryError::Io { action, path: path.to_owned(), source }
}

pub(super) fn invalid(what: &str, error: &OciError) -> RegistryError {
    RegistryError::Invalid { what: what.to_owned(), reason: error.to_string() }
}

pub(super) fn of_files(error: FilesError) -> RegistryError {
    match error {
        FilesError::Missing { path } => failed("read", &path, io::ErrorKind::NotFound.into()),
        FilesError::TooLarge { path, limit } => {
            RegistryError::TooLarge { what: path.display().to_string(), limit }
        }
        FilesError::NotAFile { path, .. } => RegistryError::Invalid {
            what: path.display().to_string(),
            reason: "it is not a regular file inside the layout".to_owned(),
        },
        FilesError::Io { action, path, source } => RegistryError::Io { action, path, source },
    }
}
