//! The wire layer of registries against a registry that is switched, watched and broken.

mod auth;
mod basics;
mod faults;
mod hostile;
mod places;
mod second;
mod sessions;

use std::future::Future;
use std::io::Read as _;

use kyklos_release::format::oci::Descriptor;
use kyklos_release::model::Digest;
use kyklos_release::port::{Registry, RegistryError};

/// Runs something that waits.
fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// Every byte of a blob.
async fn read(registry: &dyn Registry, descriptor: &Descriptor) -> Result<Option<Vec<u8>>, RegistryError> {
    let Some(mut reader) = registry.blob(descriptor).await? else { return Ok(None) };
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map(|_| bytes)
    });
    read.await.unwrap().map(Some).map_err(|error| RegistryError::of_read(error, "the blob"))
}

/// Bytes that do not compress and are the same every time.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

fn described(bytes: &[u8]) -> Descriptor {
    Descriptor { digest: Digest::of(bytes), ..Descriptor::of("application/octet-stream", bytes) }
}
