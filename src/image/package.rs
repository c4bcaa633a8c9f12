//! Content that is made in memory and stored in one order: blobs first, then the manifests that name them.

use crate::format::oci::Descriptor;
use crate::model::Digest;
use crate::port::{Content, Manifest, Registry, RegistryError};

/// Bytes with their digest and media type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// The media type of the descriptor that names it.
    pub media_type: String,
    /// Digest of the bytes.
    pub digest: Digest,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Blob {
    /// Bytes that are named by a descriptor of this type.
    pub fn new(media_type: &str, bytes: Vec<u8>) -> Self {
        Self { media_type: media_type.to_owned(), digest: Digest::of(&bytes), bytes }
    }

    /// The same as a manifest.
    pub fn manifest(&self) -> Manifest {
        Manifest { media_type: self.media_type.clone(), digest: self.digest, bytes: self.bytes.clone() }
    }

    /// The descriptor that names it.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor {
            media_type: self.media_type.clone(),
            digest: self.digest,
            size: self.bytes.len() as u64,
            artifact_type: None,
            platform: None,
            annotations: std::collections::BTreeMap::new(),
        }
    }
}

/// What is stored together, in the order of the fields and of the lists: everything a manifest names comes before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Package {
    /// Configs and layers, each digest once.
    pub blobs: Vec<Blob>,
    /// Manifests, then the index that names them.
    pub manifests: Vec<Blob>,
}

impl Package {
    /// Stores everything that is not there yet.
    pub async fn put(&self, registry: &dyn Registry) -> Result<(), RegistryError> {
        for blob in &self.blobs {
            registry.put_blob(&Content::bytes(blob.digest, blob.bytes.clone()), None).await?;
        }
        let mut unlisted = Vec::new();
        for manifest in &self.manifests {
            let put = registry.put(&manifest.manifest(), &[]).await?;
            unlisted.extend(put.unlisted);
        }
        registry.list_referrers(&unlisted).await
    }
}
