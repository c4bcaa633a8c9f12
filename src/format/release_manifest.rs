//! `release-manifest.json`: canonical JSON of a [`ReleaseManifest`].

use super::canonical::{self, CanonicalError};
use crate::diag::{Hint, Kind};
use crate::model::{Digest, ReleaseManifest, Rid};

/// The largest manifest that is read: 1,000 assets and as many images fit several times.
pub const MAX_BYTES: u64 = 4 << 20;

/// A forge takes at most this many bytes of text, the marker included.
pub const MAX_BODY_BYTES: u64 = 125_000;

/// What is signed of a manifest before it is complete: every fact that is no file and no bundle. The files are
/// subjects of the statement, the bundles are made after it.
pub fn predicate(manifest: &ReleaseManifest) -> serde_json::Value {
    let images: Vec<_> = manifest
        .images
        .iter()
        .map(|image| {
            serde_json::json!({
                "repository": image.repository,
                "digest": image.digest,
                "platforms": image.platforms,
                "tags": image.tags,
                "rolling": image.rolling,
            })
        })
        .collect();
    serde_json::json!({
        "name": manifest.name,
        "tag": manifest.tag,
        "version": manifest.version,
        "prerelease": manifest.prerelease,
        "commit": manifest.commit,
        "created": manifest.created,
        "notes": manifest.notes,
        "images": images,
    })
}

/// The nonce of a marker: random digits and eight digits that tie them to the release, so that a damaged marker is
/// not taken for another run's.
pub fn nonce(random: &str, rid: Rid) -> String {
    let check = Digest::of(format!("{rid} {random}").as_bytes()).hex();
    format!("{random}{}", &check[..8])
}

/// Whether a nonce was made for this release.
pub fn is_nonce_of(nonce: &str, rid: Rid) -> bool {
    let Some(at) = nonce.len().checked_sub(8).filter(|at| nonce.is_char_boundary(*at)) else { return false };
    self::nonce(&nonce[..at], rid) == nonce
}

/// The bytes of the asset and the identity they give.
pub fn encode(manifest: &ReleaseManifest) -> Result<(Vec<u8>, Rid), CanonicalError> {
    let bytes = canonical::to_vec(manifest)?;
    let rid = Rid(Digest::of(&bytes));
    Ok((bytes, rid))
}

/// Reads the asset. Bytes that are not the canonical form of what they say are refused, so that one release has one
/// identity.
pub fn decode(bytes: &[u8]) -> Result<(ReleaseManifest, Rid), ReleaseManifestError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ReleaseManifestError::TooLarge { found: bytes.len() });
    }
    let manifest: ReleaseManifest = serde_json::from_slice(bytes).map_err(ReleaseManifestError::Json)?;
    if manifest.schema != ReleaseManifest::SCHEMA {
        return Err(ReleaseManifestError::Schema { found: manifest.schema });
    }
    if let Some(pair) = manifest.assets.windows(2).find(|pair| pair[0].name >= pair[1].name) {
        return Err(ReleaseManifestError::Order { found: pair[1].name.to_string() });
    }
    if manifest.assets.iter().any(|asset| asset.name.as_str() == ReleaseManifest::ASSET) {
        return Err(ReleaseManifestError::Order { found: ReleaseManifest::ASSET.to_owned() });
    }
    if let Some(found) = manifest.digests().find(|digest| digest.sha256().is_none()) {
        return Err(ReleaseManifestError::Algorithm { found });
    }
    let (canonical, rid) = encode(&manifest).map_err(|_| ReleaseManifestError::NotCanonical)?;
    if canonical != bytes {
        return Err(ReleaseManifestError::NotCanonical);
    }
    Ok((manifest, rid))
}

/// Why bytes are not a release manifest.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseManifestError {
    /// Too many bytes.
    #[error("the release manifest has {found} bytes, at most {MAX_BYTES} are read")]
    TooLarge {
        /// Bytes.
        found: usize,
    },
    /// Not JSON, or not the fields of a manifest.
    #[error("the release manifest cannot be read")]
    Json(#[source] serde_json::Error),
    /// A version this tool does not know.
    #[error(
        "the release manifest is of schema `{found}`, this version of the tool reads {}",
        ReleaseManifest::SCHEMA
    )]
    Schema {
        /// The value found.
        found: String,
    },
    /// Assets are not sorted, doubled, or list the manifest itself.
    #[error("`{found}` stands where it must not in the assets of the release manifest")]
    Order {
        /// The asset.
        found: String,
    },
    /// A digest of another algorithm than releases are named by.
    #[error("the release manifest names something by {}, releases are named by sha256", found.algorithm())]
    Algorithm {
        /// The digest.
        found: Digest,
    },
    /// The same values in other bytes.
    #[error("the release manifest is not in canonical form")]
    NotCanonical,
}

impl Hint for ReleaseManifestError {
    fn code(&self) -> &'static str {
        "release-manifest"
    }

    fn kind(&self) -> Kind {
        Kind::Refused
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Schema { .. } => {
                vec!["use the version of kyklos-release that made it, or a newer one".to_owned()]
            }
            Self::TooLarge { .. }
            | Self::Json(_)
            | Self::Order { .. }
            | Self::Algorithm { .. }
            | Self::NotCanonical => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_names_nothing_by_another_algorithm() {
        let text = |digest: &str, index: &str| {
            let images = format!(
                r#"[{{"digest":"{index}","platforms":[],"referrers":[],"repository":"ghcr.io/a/b","rolling":[],"tags":["v1.0.0"]}}]"#
            );
            format!(
                r#"{{"assets":[{{"digest":"{digest}","name":"a","size":1}}],"commit":"{:040}","created":"2026-01-01T00:00:00Z","images":{images},"name":"a","notes":null,"prerelease":false,"schema":"{}","tag":"v1.0.0","version":"1.0.0"}}"#,
                0,
                ReleaseManifest::SCHEMA
            )
        };
        let (short, long) = (format!("sha256:{:064}", 1), format!("sha512:{:0128}", 1));
        decode(text(&short, &short).as_bytes()).unwrap();
        for (asset, index) in [(&long, &short), (&short, &long)] {
            let error = decode(text(asset, index).as_bytes()).unwrap_err();
            assert!(matches!(&error, ReleaseManifestError::Algorithm { found } if found.to_string() == long));
        }
    }
}
