//! The base of an image that is assembled: its layers come below ours, its config is what ours starts from.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::error::ImageError;
use super::inspect::{InspectedPlatform, View, inspect};
use super::together::{AT_ONCE, together};
use crate::format::oci::{Descriptor, OciError, annotation, media_type};
use crate::model::{Digest, Platform};
use crate::port::{Manifest, Registry};

/// An image that others are built on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foundation {
    /// The reference others find it by; `None` when it has none outside of this machine.
    pub name: Option<String>,
    /// Digest of its index or manifest.
    pub digest: Digest,
    platforms: Vec<Below>,
}

/// One platform of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Below {
    pub(super) platform: Platform,
    /// Every layer, its type in the words of the image-spec.
    pub(super) layers: Vec<Descriptor>,
    config: Map<String, Value>,
}

/// What is laid over a platform of a base.
pub(super) struct Over<'a> {
    pub(super) user: &'a str,
    pub(super) entrypoint: &'a str,
    pub(super) labels: &'a BTreeMap<String, String>,
    pub(super) diff_id: Digest,
    pub(super) created: &'a str,
    pub(super) created_by: &'a str,
}

impl Foundation {
    /// Reads the platforms of a base that are needed, whose index or manifest is at hand. Two requests for each.
    pub async fn read(
        registry: &dyn Registry,
        root: Manifest,
        name: Option<String>,
        platforms: &[Platform],
    ) -> Result<Self, ImageError> {
        let digest = root.digest;
        let found = together(
            AT_ONCE,
            platforms.iter().map(|platform| {
                let view = View { platform: Some(platform.clone()), referrers: false };
                let root = root.clone();
                async move { inspect(registry, root, &view).await }
            }),
        );
        let mut below = Vec::new();
        for image in found.await {
            for platform in image?.platforms.into_iter().take(1) {
                below.push(Below::new(platform)?);
            }
        }
        Ok(Self { name, digest, platforms: below })
    }

    /// The user of the base, when it is a number and not root.
    pub fn user(&self) -> Option<&str> {
        let config = self.platforms.first()?.config.get("config")?;
        let user = config.get("User")?.as_str()?;
        let number = user.split(':').next()?.parse::<u32>().ok()?;
        (number != 0).then_some(user)
    }

    /// Every layer that must be stored beside what is assembled, each once.
    pub fn layers(&self) -> Vec<&Descriptor> {
        let mut layers: Vec<&Descriptor> = Vec::new();
        for layer in self.platforms.iter().flat_map(|below| &below.layers) {
            if layers.iter().all(|seen| seen.digest != layer.digest) {
                layers.push(layer);
            }
        }
        layers
    }

    pub(super) fn below(&self, platform: &Platform) -> Result<&Below, ImageError> {
        let found = self.platforms.iter().find(|below| below.platform == *platform);
        found.ok_or_else(|| ImageError::NoPlatform {
            platform: platform.clone(),
            available: self.platforms.iter().map(|below| below.platform.clone()).collect(),
        })
    }

    /// What an image says about the base it is built on (image-spec, "Pre-Defined Annotation Keys").
    pub(super) fn annotations(&self) -> BTreeMap<String, String> {
        let name = self.name.iter().map(|name| (annotation::BASE_NAME.to_owned(), name.clone()));
        name.chain([(annotation::BASE_DIGEST.to_owned(), self.digest.to_string())]).collect()
    }
}

impl Below {
    fn new(platform: InspectedPlatform) -> Result<Self, ImageError> {
        let digest = platform.config_descriptor.digest;
        let invalid = |source| ImageError::Document { digest, source };
        if platform.config.rootfs.diff_ids.len() != platform.layers.len() {
            return Err(invalid(OciError::Missing { field: "rootfs.diff_ids" }));
        }
        let config = serde_json::from_slice(&platform.config_bytes).map_err(|error| invalid(error.into()))?;
        let layers = platform.layers.into_iter().map(layer).collect::<Result<_, _>>()?;
        Ok(Self { platform: platform.platform, layers, config })
    }

    /// The config of an image on this base: what the base says, with our program, user and labels. The base's own
    /// arguments would be handed to our program, and its labels about itself would be about us, so they are left out.
    pub(super) fn config(&self, over: &Over<'_>) -> Value {
        let mut config = self.config.clone();
        config.remove("container");
        config.remove("container_config");
        config.insert("created".to_owned(), json!(over.created));
        let mut run = object(config.remove("config"));
        run.remove("Cmd");
        run.remove("OnBuild");
        run.insert("User".to_owned(), json!(over.user));
        run.insert("Entrypoint".to_owned(), json!([over.entrypoint]));
        if run.get("WorkingDir").and_then(Value::as_str).is_none_or(str::is_empty) {
            run.insert("WorkingDir".to_owned(), json!("/"));
        }
        let mut labels = object(run.remove("Labels"));
        labels.retain(|key, _| !key.starts_with("org.opencontainers.image."));
        labels.extend(over.labels.iter().map(|(key, value)| (key.clone(), json!(value))));
        if !labels.is_empty() {
            labels.sort_keys();
            run.insert("Labels".to_owned(), Value::Object(labels));
        }
        config.insert("config".to_owned(), Value::Object(run));
        let mut rootfs = object(config.remove("rootfs"));
        let mut diff_ids = list(rootfs.remove("diff_ids"));
        diff_ids.push(json!(over.diff_id));
        rootfs.insert("diff_ids".to_owned(), Value::Array(diff_ids));
        config.insert("rootfs".to_owned(), Value::Object(rootfs));
        let mut history = list(config.remove("history"));
        history.push(json!({"created": over.created, "created_by": over.created_by}));
        config.insert("history".to_owned(), Value::Array(history));
        Value::Object(config)
    }
}

fn object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn list(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(values)) => values,
        _ => Vec::new(),
    }
}

/// A layer in an OCI manifest: Docker's type names the same bytes. Layers that may not be distributed stay where they are.
fn layer(mut layer: Descriptor) -> Result<Descriptor, ImageError> {
    let media_type = match layer.media_type.as_str() {
        media_type::LAYER | media_type::DOCKER_LAYER => media_type::LAYER,
        media_type::LAYER_GZIP | media_type::DOCKER_LAYER_GZIP => media_type::LAYER_GZIP,
        media_type::LAYER_ZSTD | media_type::DOCKER_LAYER_ZSTD => media_type::LAYER_ZSTD,
        _ => {
            return Err(ImageError::BaseLayer { digest: layer.digest, media_type: layer.media_type });
        }
    };
    layer.media_type = media_type.to_owned();
    Ok(layer)
}
