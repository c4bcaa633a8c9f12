//! Whether an image was built on what the name of its base stands for now.

use super::error::ImageError;
use super::facts::{BaseFacts, Findings, PlatformFacts};
use super::inspect::{Inspected, InspectedPlatform, View, inspect};
use crate::diag::Severity;
use crate::format::oci::MANIFEST_LIMIT;
use crate::model::Digest;
use crate::port::{Manifest, Registry};

/// A base image, as it is found under its name now and as it was when it was built on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// Where it was found.
    pub reference: String,
    /// What the name stands for now.
    pub current: Inspected,
    /// What the recorded digest stands for, when that is something else and still stored.
    pub recorded: Option<Inspected>,
}

impl Base {
    /// Looks at a base whose index or manifest is at hand. `recorded` is the digest that the image says it was built on.
    pub async fn look(
        registry: &dyn Registry,
        reference: String,
        current: Manifest,
        recorded: Option<Digest>,
    ) -> Result<Self, ImageError> {
        let view = View::default();
        let current = inspect(registry, current, &view).await?;
        let recorded = match recorded.filter(|digest| !stands_for(&current, digest)) {
            None => None,
            Some(digest) => match registry.manifest(&digest, MANIFEST_LIMIT).await? {
                Some(manifest) => Some(inspect(registry, manifest, &view).await?),
                None => None,
            },
        };
        Ok(Self { reference, current, recorded })
    }

    /// The platform of the base that a platform of the image was built on, as far as it is known.
    fn under(&self, facts: &PlatformFacts) -> Option<&InspectedPlatform> {
        let image = self.recorded.as_ref().unwrap_or(&self.current);
        image.platforms.iter().find(|one| one.platform == facts.platform)
    }
}

/// An index stands for its own digest and for those of its platforms: builders record either.
fn stands_for(image: &Inspected, digest: &Digest) -> bool {
    image.digest == *digest || image.platforms.iter().any(|platform| platform.digest == *digest)
}

/// What is known about the base of an image. Without a base that was looked at, only what the annotations say.
pub(super) fn base_facts(
    image: &Inspected,
    base: Option<&Base>,
    platforms: &mut [PlatformFacts],
    findings: &mut Findings,
) -> Option<BaseFacts> {
    let named = image.base_name();
    let Some(base) = base else {
        return named.map(|(name, digest)| BaseFacts {
            name: name.to_owned(),
            digest: digest.map(ToOwned::to_owned),
            current: None,
            fresh: None,
            created: None,
        });
    };
    let digest = named.and_then(|(_, digest)| digest);
    let recorded: Option<Digest> = digest.and_then(|digest| digest.parse().ok());
    let fresh = recorded.map(|digest| stands_for(&base.current, &digest));
    match fresh {
        Some(false) => {
            let message = format!(
                "it was built on {}, {} stands for {} now",
                recorded.as_ref().map_or_else(String::new, Digest::short),
                base.reference,
                base.current.digest.short()
            );
            findings.report(None, Severity::Warning, "image-base-stale", message);
        }
        None => {
            let message = "no annotation says which digest of the base it was built on".to_owned();
            findings.report(None, Severity::Warning, "image-base-unknown", message);
        }
        Some(true) => {}
    }
    check_layers(image, base, fresh, platforms, findings);
    Some(BaseFacts {
        name: named.map_or_else(|| base.reference.clone(), |(name, _)| name.to_owned()),
        digest: digest.map(ToOwned::to_owned),
        current: Some(base.current.digest),
        fresh,
        created: base.current.platforms.first().and_then(|platform| platform.config.created.clone()),
    })
}

/// The layers of the base come first in every platform, whatever the annotations say.
fn check_layers(
    image: &Inspected,
    base: &Base,
    fresh: Option<bool>,
    platforms: &mut [PlatformFacts],
    findings: &mut Findings,
) {
    for (facts, platform) in platforms.iter_mut().zip(&image.platforms) {
        let Some(under) = base.under(facts) else {
            let message = format!("the base {} does not have it", base.reference);
            findings.report(Some(&platform.platform), Severity::Warning, "image-base-platform", message);
            continue;
        };
        // The layers as they are unpacked: packing them again makes other blobs of the same base.
        let (own, below) = (&platform.config.rootfs.diff_ids, &under.config.rootfs.diff_ids);
        let on_base = own.starts_with(below);
        if !on_base && fresh == Some(false) && base.recorded.is_none() {
            // The base it was built on is gone, so nobody can tell.
            continue;
        }
        facts.on_base = Some(on_base);
        if !on_base {
            let message = format!("its first layers are not those of the base {}", base.reference);
            findings.report(Some(&platform.platform), Severity::Error, "image-base-layers", message);
        }
    }
}
