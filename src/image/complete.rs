//! What an image names beside its platforms, and what is attached to it: all of it must be there.

use std::collections::BTreeSet;
use std::io;

use super::error::ImageError;
use super::facts::{Findings, damage};
use super::inspect::{Inspected, beside, fetch, parse};
use super::together::{AT_ONCE, together};
use crate::diag::Severity;
use crate::format::oci::Descriptor;
use crate::model::Digest;
use crate::port::{Registry, RegistryError};

/// Reads every attestation, every other entry of the index and every referrer of the index and its platforms. Returns how
/// many of them state something about the image.
pub(super) async fn check_rest(
    registry: &dyn Registry,
    image: &Inspected,
    findings: &mut Findings,
) -> Result<u64, ImageError> {
    let children: BTreeSet<Digest> = image.platforms.iter().map(|platform| platform.digest).collect();
    for attestation in &image.attestations {
        let digest = attestation.descriptor.digest;
        match attestation.subject {
            None => {
                let message = format!("the attestation {digest} does not say what it is about");
                findings.report(None, Severity::Error, "image-attestation", message);
            }
            Some(subject) if !children.contains(&subject) => {
                let message =
                    format!("the attestation {digest} is about {subject}, which is no platform here");
                findings.report(None, Severity::Error, "image-attestation", message);
            }
            Some(_) => {}
        }
    }
    let named = image.attestations.iter().map(|attestation| &attestation.descriptor).chain(&image.others);
    for entry in named {
        if let Err(error) = read_all(registry, entry).await {
            let message = format!("{} cannot be read: {}", entry.digest, damage(error)?);
            findings.damage(None, "image-incomplete", message);
        }
    }
    let mut vouchers = image.attestations.len() as u64;
    let subjects: BTreeSet<Digest> = children.into_iter().chain([image.digest]).collect();
    let attached = together(
        AT_ONCE,
        subjects.iter().map(|subject| async move { registry.referrers(subject, None).await }),
    );
    let mut seen = BTreeSet::new();
    for (subject, attached) in subjects.iter().zip(attached.await) {
        let attached = match attached {
            Ok(attached) => attached,
            Err(error) => {
                let message =
                    format!("what is attached to {subject} cannot be read: {}", damage(error.into())?);
                findings.damage(None, "image-referrers", message);
                continue;
            }
        };
        for entry in attached.iter().filter(|entry| seen.insert(entry.digest)) {
            vouchers += 1;
            if let Err(error) = read_all(registry, entry).await {
                let message =
                    format!("{}, attached to {subject}, cannot be read: {}", entry.digest, damage(error)?);
                findings.damage(None, "image-referrer", message);
            }
        }
    }
    Ok(vouchers)
}

/// Reads something that nobody runs, and everything it names.
async fn read_all(registry: &dyn Registry, entry: &Descriptor) -> Result<(), ImageError> {
    let document = match parse(&fetch(registry, &entry.digest).await?) {
        Ok(document) => document,
        // Whatever else it is, it is there and has its digest; that is all that can be said of it.
        Err(_) if !entry.media_type.ends_with("+json") => return Ok(()),
        Err(error) => return Err(error),
    };
    for named in document.named() {
        let missing = RegistryError::NotStored { digest: named.digest };
        let mut reader = registry.blob(named).await?.ok_or(missing)?;
        let what = named.digest.to_string();
        beside(move || {
            io::copy(&mut reader, &mut io::sink())
                .map_err(|source| RegistryError::of_read(source, &what).into())
        })
        .await?;
    }
    Ok(())
}
