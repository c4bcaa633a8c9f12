//! Reads what a forge keeps, for everybody who needs the bytes of an asset.

use std::io::Read as _;
use std::path::PathBuf;

use super::PublishError;
use crate::model::AssetName;
use crate::port::{Forge, ForgeError, Release};

/// The bytes of an asset of a draft or release; `None` when it has no asset of that name. Of a larger asset `limit` + 1
/// bytes are given, which no reader of a format with that limit accepts.
pub async fn stored(
    forge: &dyn Forge,
    release: &Release,
    name: &str,
    limit: u64,
) -> Result<Option<Vec<u8>>, PublishError> {
    let held = release.assets.iter().any(|asset| asset.name == name);
    // A name that no asset can have is held by nobody.
    let Some(name) = name.parse::<AssetName>().ok().filter(|_| held) else { return Ok(None) };
    let mut bytes = Vec::new();
    let reader = forge.download(&release.id, &name).await?;
    reader.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|source| ForgeError::Io {
        action: "read",
        path: PathBuf::from(&release.id.0).join(name.as_str()),
        source,
    })?;
    Ok(Some(bytes))
}
