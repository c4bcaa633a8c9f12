//! The entries of a layer, one after the other, with names of bounded length.

use std::io::Read;

use super::unpack::{LayerError, LayerLimits};

/// One entry of a layer.
pub(super) struct Item<'a> {
    pub(super) header: &'a tar::Header,
    /// The name as written, which may lead out of the image.
    pub(super) name: String,
    /// Where a link leads; empty for what is no link.
    pub(super) link: String,
}

/// Hands every entry and its content to `visit`. Content that is not read is skipped.
pub(super) fn walk(
    plain: &mut impl Read,
    limits: LayerLimits,
    visit: &mut dyn FnMut(&Item<'_>, &mut dyn Read) -> Result<(), LayerError>,
) -> Result<(), LayerError> {
    let mut archive = tar::Archive::new(plain);
    let (mut long_name, mut long_link): (Option<Vec<u8>>, Option<Vec<u8>>) = (None, None);
    let mut count = 0;
    // Raw, because the reader would otherwise hold a long name of any length in memory.
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        count += 1;
        if count > limits.entries {
            return Err(LayerError::TooManyEntries { limit: limits.entries });
        }
        let header = entry.header().clone();
        let kind = header.entry_type();
        if kind.is_gnu_longname() || kind.is_gnu_longlink() || kind.is_pax_local_extensions() {
            let mut bytes = Vec::new();
            entry.by_ref().take(limits.name + 1).read_to_end(&mut bytes)?;
            if bytes.len() as u64 > limits.name {
                return Err(LayerError::NameTooLong { limit: limits.name });
            }
            if kind.is_gnu_longname() {
                long_name = Some(bytes);
            } else if kind.is_gnu_longlink() {
                long_link = Some(bytes);
            } else {
                long_name = extension(&bytes, b"path").or(long_name);
                long_link = extension(&bytes, b"linkpath").or(long_link);
            }
            continue;
        }
        if kind.is_pax_global_extensions() {
            continue;
        }
        let name = text(&long_name.take().unwrap_or_else(|| header.path_bytes().into_owned()));
        let link = long_link.take().or_else(|| header.link_name_bytes().map(|name| name.into_owned()));
        let item = Item { header: &header, name, link: text(&link.unwrap_or_default()) };
        visit(&item, &mut entry)?;
    }
    Ok(())
}

/// The parts of a name or link, without the root and without the directory itself.
pub(super) fn parts(name: &str) -> Vec<&str> {
    name.split('/').filter(|part| !matches!(*part, "" | ".")).collect()
}

/// What stands before the first NUL.
fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

/// A value in extended headers (POSIX.1-2001, "pax Header Block").
fn extension(bytes: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    tar::PaxExtensions::new(bytes)
        .filter_map(Result::ok)
        .filter(|extension| extension.key_bytes() == key)
        .map(|extension| extension.value_bytes().to_vec())
        .last()
}
