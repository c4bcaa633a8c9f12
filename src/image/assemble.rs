//! Static binaries to a multi-platform image. Same input, same bytes.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::error::ImageError;
use super::foundation::{Below, Foundation, Over};
use super::layer::pack;
use super::package::{Blob, Package};
use crate::format::oci::{
    Descriptor, Execution, History, ImageConfig, ImageIndex, ImageManifest, PlatformFields, RootFs,
    annotation, media_type,
};
use crate::model::{Digest, Platform};

/// What one platform of the image holds. That the binary is static and made for the platform is checked before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The platform.
    pub platform: Platform,
    /// File name of the binary; it becomes `/<name>` and the entrypoint.
    pub name: String,
    /// The binary.
    pub bytes: Vec<u8>,
}

/// What all platforms of the image share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `UID[:GID]`.
    pub user: String,
    /// Labels of every config.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the index and of every manifest; `created` is added.
    pub annotations: BTreeMap<String, String>,
    /// The time of every file, config and annotation: `SOURCE_DATE_EPOCH`.
    pub created: Timestamp,
}

/// An image in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assembled {
    /// What is stored: layers and configs, manifests, the index last.
    pub package: Package,
    /// Describes the index.
    pub index: Descriptor,
    /// The platform manifests, sorted by platform.
    pub platforms: Vec<(Platform, Digest)>,
    /// Bytes a consumer pulls, for each of them: config and layers as stored, those of a base as well.
    pub sizes: Vec<u64>,
}

/// Makes an image with one platform per binary, platforms sorted. Memory: the binaries once more, compressed.
pub fn assemble(contents: &[Contents], settings: &Settings) -> Result<Assembled, ImageError> {
    assemble_on(None, contents, settings)
}

/// Like [`assemble`], over the layers of a base, which are not part of what is made: [`Foundation::layers`] must be stored
/// first.
pub fn assemble_on(
    base: Option<&Foundation>,
    contents: &[Contents],
    settings: &Settings,
) -> Result<Assembled, ImageError> {
    let mut by_platform = BTreeMap::new();
    for content in contents {
        if by_platform.insert(content.platform.clone().normalised(), content).is_some() {
            return Err(ImageError::DuplicatePlatform { platform: content.platform.clone() });
        }
    }
    if by_platform.is_empty() {
        return Err(ImageError::NoBinary);
    }
    check_user(&settings.user)?;
    // Who writes an annotation by hand means it.
    let mut annotations = base.map(Foundation::annotations).unwrap_or_default();
    annotations.extend(settings.annotations.clone());
    annotations.entry(annotation::CREATED.to_owned()).or_insert_with(|| settings.created.to_string());
    let mut package = Package::default();
    let (mut manifests, mut platforms, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    for (platform, content) in by_platform {
        let below = base.map(|base| base.below(&platform)).transpose()?;
        let (manifest, size) =
            assemble_platform(&platform, below, content, settings, &annotations, &mut package)?;
        sizes.push(size);
        platforms.push((platform.clone(), manifest.digest));
        manifests
            .push(Descriptor { platform: Some(PlatformFields::from(&platform)), ..manifest.descriptor() });
        package.manifests.push(manifest);
    }
    let index = ImageIndex {
        schema_version: 2,
        media_type: media_type::INDEX.to_owned(),
        artifact_type: None,
        manifests,
        subject: None,
        annotations,
    };
    let index = Blob::new(media_type::INDEX, to_json(&index)?);
    let descriptor = index.descriptor();
    package.manifests.push(index);
    Ok(Assembled { package, index: descriptor, platforms, sizes })
}

fn assemble_platform(
    platform: &Platform,
    below: Option<&Below>,
    content: &Contents,
    settings: &Settings,
    annotations: &BTreeMap<String, String>,
    package: &mut Package,
) -> Result<(Blob, u64), ImageError> {
    let name = content.name.as_str();
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    if name.is_empty() || name.starts_with('.') || name.len() > 100 || !name.chars().all(plain) {
        return Err(ImageError::BinaryName { name: name.to_owned() });
    }
    let seconds = settings.created.as_second();
    // A ustar header has eleven octal digits for the time.
    let mtime = u64::try_from(seconds)
        .ok()
        .filter(|seconds| *seconds < 1 << 33)
        .ok_or(ImageError::Time { found: seconds })?;
    let packed = pack(name, &content.bytes, mtime)?;
    let entrypoint = format!("/{name}");
    let created = settings.created.to_string();
    let config = match below {
        Some(below) => to_json(&below.config(&Over {
            user: &settings.user,
            entrypoint: &entrypoint,
            labels: &settings.labels,
            diff_id: packed.diff_id,
            created: &created,
            created_by: CREATED_BY,
        }))?,
        None => to_json(&config_of(platform, settings, entrypoint, packed.diff_id, created))?,
    };
    let config = Blob::new(media_type::CONFIG, config);
    let layer = Blob::new(media_type::LAYER_GZIP, packed.bytes);
    let mut layers = below.map(|below| below.layers.clone()).unwrap_or_default();
    layers.push(layer.descriptor());
    let size = layers.iter().map(|layer| layer.size).fold(config.bytes.len() as u64, u64::saturating_add);
    let manifest = ImageManifest {
        schema_version: 2,
        media_type: media_type::MANIFEST.to_owned(),
        artifact_type: None,
        config: Some(config.descriptor()),
        layers,
        subject: None,
        annotations: annotations.clone(),
    };
    for blob in [layer, config] {
        if package.blobs.iter().all(|stored| stored.digest != blob.digest) {
            package.blobs.push(blob);
        }
    }
    Ok((Blob::new(media_type::MANIFEST, to_json(&manifest)?), size))
}

/// The config of an image that holds one layer and nothing else.
fn config_of(
    platform: &Platform,
    settings: &Settings,
    entrypoint: String,
    diff_id: Digest,
    created: String,
) -> ImageConfig {
    ImageConfig {
        architecture: platform.architecture().to_owned(),
        os: platform.os().to_owned(),
        variant: platform.variant().map(ToOwned::to_owned),
        created: Some(created.clone()),
        config: Some(Execution {
            user: Some(settings.user.clone()),
            env: None,
            entrypoint: Some(vec![entrypoint]),
            cmd: None,
            working_dir: Some("/".to_owned()),
            labels: Some(settings.labels.clone()).filter(|labels| !labels.is_empty()),
        }),
        rootfs: RootFs { kind: "layers".to_owned(), diff_ids: vec![diff_id] },
        history: Some(vec![History { created: Some(created), created_by: Some(CREATED_BY.to_owned()) }]),
    }
}

/// What the history of a config says about our layer.
const CREATED_BY: &str = "kyklos-release image assemble";

fn to_json(document: &impl serde::Serialize) -> Result<Vec<u8>, ImageError> {
    serde_json::to_vec(document).map_err(|source| ImageError::Unwritable { source })
}

/// Names are refused: nothing in the image says which number they stand for, and Kubernetes asks for a number.
fn check_user(user: &str) -> Result<(), ImageError> {
    let mut parts = user.split(':');
    let number = |part: &str| part.parse::<u32>().is_ok() && part.chars().all(|c| c.is_ascii_digit());
    let well_formed =
        parts.next().is_some_and(number) && parts.next().is_none_or(number) && parts.next().is_none();
    if well_formed { Ok(()) } else { Err(ImageError::User { found: user.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            user: "65532".to_owned(),
            labels: BTreeMap::from([("team".to_owned(), "a".to_owned())]),
            annotations: BTreeMap::from([(annotation::TITLE.to_owned(), "app".to_owned())]),
            created: "2026-01-02T03:04:05Z".parse().unwrap(),
        }
    }

    fn contents(platform: &str) -> Contents {
        let bytes = format!("binary for {platform}").into_bytes();
        Contents { platform: platform.parse().unwrap(), name: "app".to_owned(), bytes }
    }

    #[test]
    fn the_order_of_the_binaries_does_not_show() {
        let [arm, amd] = ["linux/arm64", "linux/amd64"].map(contents);
        let left = assemble(&[arm.clone(), amd.clone()], &settings()).unwrap();
        assert_eq!(left, assemble(&[amd, arm], &settings()).unwrap());
        let platforms: Vec<String> =
            left.platforms.iter().map(|(platform, _)| platform.to_string()).collect();
        assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
        assert_eq!(left.package.blobs.len(), 4);
        assert_eq!(left.package.manifests.len(), 3);
    }

    #[test]
    fn the_config_says_how_to_run_it() {
        let made = assemble(&[contents("linux/amd64")], &settings()).unwrap();
        let config = &made.package.blobs[1];
        assert_eq!(
            String::from_utf8_lossy(&config.bytes),
            format!(
                "{{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"2026-01-02T03:04:05Z\",\"config\":\
                 {{\"User\":\"65532\",\"Entrypoint\":[\"/app\"],\"WorkingDir\":\"/\",\"Labels\":{{\"team\":\"a\"}}}},\
                 \"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[\"{}\"]}},\"history\":[{{\"created\":\
                 \"2026-01-02T03:04:05Z\",\"created_by\":\"kyklos-release image assemble\"}}]}}",
                ImageConfig::parse(&config.bytes).unwrap().rootfs.diff_ids[0]
            )
        );
    }

    #[test]
    fn refuses_what_makes_no_image() {
        let one = contents("linux/arm64");
        let twice = assemble(&[one.clone(), contents("linux/arm64/v8")], &settings());
        assert!(matches!(twice, Err(ImageError::DuplicatePlatform { .. })));
        assert!(matches!(assemble(&[], &settings()), Err(ImageError::NoBinary)));
        for user in ["", "root", "1:", ":1", "1:2:3", "+1", "4294967296"] {
            let settings = Settings { user: user.to_owned(), ..settings() };
            assert!(
                matches!(assemble(std::slice::from_ref(&one), &settings), Err(ImageError::User { .. })),
                "{user}"
            );
        }
        for name in ["", "..", ".wh.a", "a/b", "a\0"] {
            let one = Contents { name: name.to_owned(), ..one.clone() };
            assert!(matches!(assemble(&[one], &settings()), Err(ImageError::BinaryName { .. })), "{name:?}");
        }
        let early = Settings { created: "1969-12-31T23:59:59Z".parse().unwrap(), ..settings() };
        assert!(matches!(assemble(&[one], &early), Err(ImageError::Time { found: -1 })));
    }
}
