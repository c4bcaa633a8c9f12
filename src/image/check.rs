//! Looking at an image as a whole: its facts, and what is wrong with it whatever the policy says.

use std::collections::BTreeSet;

use super::base::base_facts;
use super::complete::check_rest;
use super::contents::check_platform;
use super::error::ImageError;
use super::expectations::Expectations;
use super::facts::{Findings, ImageFacts, PlatformFacts, PreviousFacts, damage};
use super::inspect::{Inspected, Looked, View, look};
use super::labels::check_annotations;
use crate::diag::Severity;
use crate::port::{Manifest, Registry};

/// Reads every byte of an image whose index or manifest is at hand, and says what it is. What the image names and what
/// is missing or damaged is a problem; an index that cannot be read is an error.
pub async fn check(
    registry: &dyn Registry,
    root: Manifest,
    expected: &Expectations,
) -> Result<ImageFacts, ImageError> {
    let Looked { inspected, broken } = look(registry, root, &View::default()).await?;
    let mut findings = Findings::default();
    let mut platforms = Vec::new();
    check_platforms(&inspected, broken.is_empty(), expected, &mut findings);
    for (digest, platform, error) in broken {
        let message = format!("{digest} cannot be read: {}", damage(error)?);
        findings.damage(platform.as_ref(), "image-incomplete", message);
    }
    check_annotations(&inspected, expected, &mut findings);
    for platform in &inspected.platforms {
        let mut facts = check_platform(registry, platform, expected.limits, &mut findings).await?;
        check_size(&mut facts, expected, &mut findings);
        platforms.push(facts);
    }
    if let Some((reference, reason)) = &expected.base_unread {
        let message = format!("the base {reference} could not be looked at: {reason}");
        findings.report(None, Severity::Warning, "image-base-unread", message);
    }
    let base = base_facts(&inspected, expected.base.as_ref(), &mut platforms, &mut findings);
    let vouchers = check_rest(registry, &inspected, &mut findings).await?;
    let previous = expected.previous.as_ref();
    let previous = previous
        .map(|(reference, image)| PreviousFacts { reference: reference.clone(), digest: image.digest });
    let Findings { problems, incomplete } = findings;
    Ok(ImageFacts {
        digest: inspected.digest,
        media_type: inspected.media_type,
        annotations: inspected.annotations,
        base,
        previous,
        complete: !incomplete,
        platforms,
        vouchers,
        problems,
    })
}

/// Which platforms there are.
fn check_platforms(image: &Inspected, whole: bool, expected: &Expectations, findings: &mut Findings) {
    if image.platforms.is_empty() && whole {
        let message = "it has no platform that can be run".to_owned();
        findings.report(None, Severity::Error, "image-no-platform", message);
    }
    let mut seen = BTreeSet::new();
    for one in &image.platforms {
        if !seen.insert(&one.platform) {
            let message = "the index names it more than once".to_owned();
            findings.report(Some(&one.platform), Severity::Error, "image-duplicate-platform", message);
        }
    }
    for wanted in &expected.platforms {
        let wanted = wanted.clone().normalised();
        if !seen.contains(&wanted) {
            let message = "the image does not have it".to_owned();
            findings.report(Some(&wanted), Severity::Error, "image-platform-missing", message);
        }
    }
}

fn check_size(facts: &mut PlatformFacts, expected: &Expectations, findings: &mut Findings) {
    let size = facts.compressed_size;
    if let Some(limit) = expected.max_size.filter(|limit| size > *limit) {
        let message = format!("it has {size} bytes, {} more than {limit}", size - limit);
        findings.report(Some(&facts.platform), Severity::Error, "image-size", message);
    }
    let Some((_, previous)) = &expected.previous else { return };
    let before = previous.platforms.iter().find(|one| one.platform == facts.platform);
    facts.previous_size = before.map(|one| one.compressed_size);
    let (Some(before), Some(percent)) = (facts.previous_size, expected.max_growth) else { return };
    let most = u128::from(before) * (100 + u128::from(percent)) / 100;
    if u128::from(size) > most {
        let message = format!("it has {size} bytes where {before} grown by {percent} % are {most}");
        findings.report(Some(&facts.platform), Severity::Error, "image-growth", message);
    }
}
