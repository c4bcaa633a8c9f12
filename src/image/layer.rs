//! Packing files into a layer, reproducibly.

use flate2::{Compression, GzBuilder};

use super::unpack::{LayerError, Tee};
use crate::model::{Digest, Hasher};

/// A packed layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// tar and gzip.
    pub bytes: Vec<u8>,
    /// Digest of the tar before compression, as configs list it.
    pub diff_id: Digest,
}

/// Packs one executable at the root of the file system: mode 0755, owner 0:0, the given time. Same input, same bytes.
pub(super) fn pack(name: &str, content: &[u8], seconds: u64) -> Result<Layer, LayerError> {
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o755);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(seconds);
    header.set_entry_type(tar::EntryType::Regular);
    // Neither time nor system in the gzip header: the bytes are the same wherever they are made.
    let gzip = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::new(6));
    let mut archive = tar::Builder::new(Tee { inner: gzip, hasher: Hasher::default() });
    archive.append_data(&mut header, name, content)?;
    let Tee { inner, hasher } = archive.into_inner()?;
    Ok(Layer { bytes: inner.finish()?, diff_id: hasher.finish().0 })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use flate2::read::MultiGzDecoder;

    use super::super::scan::{LayerFacts, scan};
    use super::super::unpack::LayerLimits;
    use super::*;
    use crate::format::oci::media_type;
    use crate::model::DigestAlgorithm;

    #[test]
    fn what_is_packed_is_found_again() {
        let Layer { bytes, diff_id } = pack("sh", b"content", 7).unwrap();
        let mut facts = LayerFacts::default();
        let reader = Box::new(Cursor::new(bytes.clone()));
        assert_eq!(
            scan(reader, media_type::LAYER_GZIP, DigestAlgorithm::Sha256, LayerLimits::default(), &mut facts)
                .unwrap(),
            diff_id
        );
        assert_eq!(facts.shells.into_iter().collect::<Vec<_>>(), ["sh"]);
        assert_eq!(
            bytes[..10],
            [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255],
            "no time and no system in the header"
        );
        let mut archive = tar::Archive::new(MultiGzDecoder::new(&bytes[..]));
        let entry = archive.entries().unwrap().next().unwrap().unwrap();
        let header = entry.header();
        assert_eq!(
            (header.mode().unwrap(), header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()),
            (0o755, 0, 0, 7)
        );
    }
}
