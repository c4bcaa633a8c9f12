//! Content that a descriptor carries itself (image-spec, "Embedded Content"). Nobody who reads it there asks for the blob,
//! so it has to be what the digest says.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::OciError;
use crate::model::Digest;

/// The descriptors of a document, of either kind.
#[derive(Deserialize)]
struct Named<'bytes> {
    #[serde(borrow)]
    manifests: Option<Vec<Carrier<'bytes>>>,
    #[serde(borrow)]
    config: Option<Carrier<'bytes>>,
    #[serde(borrow)]
    layers: Option<Vec<Carrier<'bytes>>>,
    #[serde(borrow)]
    subject: Option<Carrier<'bytes>>,
}

#[derive(Deserialize)]
struct Carrier<'bytes> {
    digest: Digest,
    size: u64,
    #[serde(borrow)]
    data: Option<Cow<'bytes, str>>,
}

impl Named<'_> {
    fn carriers(&self) -> impl Iterator<Item = &Carrier<'_>> {
        let lists = self.manifests.iter().chain(&self.layers).flatten();
        lists.chain(&self.config).chain(&self.subject).filter(|one| one.data.is_some())
    }
}

impl Carrier<'_> {
    /// The content; `None` when it is other than the descriptor says.
    fn content(&self) -> Option<Vec<u8>> {
        // What cannot be decoded is nothing the digest could be of.
        let bytes = STANDARD.decode(self.data.as_deref()?).ok()?;
        let right = bytes.len() as u64 == self.size && self.digest.algorithm().digest(&bytes) == self.digest;
        right.then_some(bytes)
    }
}

fn carries(document: &[u8]) -> bool {
    document.windows(6).any(|window| window == b"\"data\"")
}

/// Refuses a document that was read already and carries other content than it says.
pub(super) fn check(document: &[u8]) -> Result<(), OciError> {
    if !carries(document) {
        return Ok(());
    }
    let named: Named<'_> = serde_json::from_slice(document)?;
    let wrong = named.carriers().find(|one| one.content().is_none());
    wrong.map_or(Ok(()), |one| Err(OciError::Embedded { digest: one.digest }))
}

/// Content that a document carries itself, as base64 in the `data` of a descriptor; `None` when it carries none of this
/// digest and size.
pub fn embedded(document: &[u8], digest: &Digest) -> Option<Vec<u8>> {
    if !carries(document) {
        return None;
    }
    // Whoever asks has read the document before; where it cannot be read the blob is asked for.
    let named: Named<'_> = serde_json::from_slice(document).ok()?;
    named.carriers().find(|one| one.digest == *digest)?.content()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::oci::Document;

    #[test]
    fn what_a_descriptor_carries_is_what_its_digest_says() {
        let digest = Digest::of(b"{}");
        let manifest = |data: &str, size: u64| {
            let config = format!(
                r#"{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{digest}","size":{size}{data}}}"#
            );
            format!(r#"{{"schemaVersion":2,"artifactType":"a/b","config":{config},"layers":[{config}]}}"#)
        };
        let read = |text: &str| Document::parse(text.as_bytes(), None).map(|_| ()).map_err(|e| e.to_string());
        let good = manifest(r#","data":"e30=""#, 2);
        assert_eq!(read(&good), Ok(()));
        assert_eq!(embedded(good.as_bytes(), &digest), Some(b"{}".to_vec()));
        assert_eq!(embedded(manifest("", 2).as_bytes(), &digest), None);
        assert_eq!(embedded(good.as_bytes(), &Digest::of(b"other")), None);
        let refused = Err(format!("the data of {digest} in it is not what the digest says"));
        for (data, size) in [("e31=", 2), ("e30=", 3), ("e30", 2), ("", 2), ("%", 2)] {
            assert_eq!(read(&manifest(&format!(r#","data":"{data}""#), size)), refused, "{data} {size}");
        }
    }
}
