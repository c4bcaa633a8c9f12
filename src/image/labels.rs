//! The annotations of an image against the specification, against each other and against the release (image-spec,
//! "Pre-Defined Annotation Keys").

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::expectations::Expectations;
use super::facts::Findings;
use super::inspect::Inspected;
use crate::diag::Severity;
use crate::format::oci::annotation;
use crate::model::{Digest, Platform};

/// What a released image says about itself, and how much it weighs when it does not.
const WANTED: &[(&str, Severity)] = &[
    (annotation::CREATED, Severity::Warning),
    (annotation::REVISION, Severity::Warning),
    (annotation::SOURCE, Severity::Warning),
    (annotation::VERSION, Severity::Warning),
    (annotation::TITLE, Severity::Note),
    (annotation::LICENSES, Severity::Note),
];

/// What must not differ between an index and its manifests: it is about the release, not about a platform.
const SHARED: &[&str] = &[
    annotation::REVISION,
    annotation::SOURCE,
    annotation::VERSION,
    annotation::TITLE,
    annotation::LICENSES,
    annotation::URL,
    annotation::DOCUMENTATION,
];

/// Judges the annotations of the index and of each platform, and the labels that have the same keys.
pub(super) fn check_annotations(image: &Inspected, expected: &Expectations, findings: &mut Findings) {
    for (key, severity) in WANTED {
        if image.annotations.contains_key(*key) {
            continue;
        }
        let asked = match *key {
            annotation::VERSION => expected.tag.as_ref(),
            annotation::REVISION => expected.revision.as_ref(),
            _ => None,
        };
        // What should be compared and is not there is no match.
        let (severity, more) = match asked {
            Some(asked) => (Severity::Error, format!(", which should be {}", shown(asked))),
            None => (*severity, String::new()),
        };
        findings.report(None, severity, "image-annotation", format!("there is no annotation {key}{more}"));
    }
    check_one(None, &image.annotations, expected, findings);
    for platform in image.platforms.iter().filter(|platform| platform.digest != image.digest) {
        let of = Some(&platform.platform);
        check_one(of, &platform.annotations, expected, findings);
        for key in SHARED {
            let (index, own) = (image.annotations.get(*key), platform.annotations.get(*key));
            if let (Some(index), Some(own)) = (index, own)
                && index != own
            {
                let message = format!("{key} is {} in the index, {} here", shown(index), shown(own));
                findings.report(of, Severity::Error, "image-annotation-differs", message);
            }
        }
    }
    for platform in &image.platforms {
        for key in SHARED {
            let annotation = platform.annotations.get(*key).or_else(|| image.annotations.get(*key));
            let label = platform.run.labels.get(*key);
            if let (Some(annotation), Some(label)) = (annotation, label)
                && annotation != label
            {
                // A base often leaves its own labels behind.
                let message =
                    format!("{key} is {} as an annotation, {} as a label", shown(annotation), shown(label));
                findings.report(Some(&platform.platform), Severity::Warning, "image-label-differs", message);
            }
        }
    }
}

/// The annotations of one document.
fn check_one(
    of: Option<&Platform>,
    annotations: &BTreeMap<String, String>,
    expected: &Expectations,
    findings: &mut Findings,
) {
    for (key, value) in annotations {
        if let Some(rule) = broken_rule(key, value) {
            let message = format!("{key} is {}, which is not {rule}", shown(value));
            findings.report(of, Severity::Error, "image-annotation-invalid", message);
        }
    }
    if let (Some(tag), Some(found)) = (&expected.tag, annotations.get(annotation::VERSION))
        && found != tag
        && tag.strip_prefix('v') != Some(found)
    {
        let message = format!("{} is {}, the tag is {}", annotation::VERSION, shown(found), shown(tag));
        findings.report(of, Severity::Error, "image-annotation-version", message);
    }
    if let (Some(commit), Some(found)) = (&expected.revision, annotations.get(annotation::REVISION))
        && found != commit
    {
        let message =
            format!("{} is {}, the commit is {}", annotation::REVISION, shown(found), shown(commit));
        findings.report(of, Severity::Error, "image-annotation-revision", message);
    }
}

/// What the specification asks of the value of a key, when the value is something else.
fn broken_rule(key: &str, value: &str) -> Option<&'static str> {
    let holds = match key {
        annotation::CREATED => return (!is_rfc3339(value)).then_some("a time of RFC 3339"),
        annotation::LICENSES => {
            return spdx::Expression::parse(value).err().map(|_| "an SPDX licence expression");
        }
        annotation::BASE_DIGEST => {
            return value.parse::<Digest>().err().map(|_| "a digest sha256:<64 hex digits>");
        }
        annotation::SOURCE | annotation::URL | annotation::DOCUMENTATION => {
            url::Url::parse(value).is_ok_and(|url| url.has_host())
        }
        _ => true,
    };
    (!holds).then_some("a URL with a host")
}

/// RFC 3339, section 5.6: date, `T`, time, offset. Other spellings that a reader of times takes are none.
fn is_rfc3339(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shape = bytes.len() >= 20 && bytes[4] == b'-' && bytes[7] == b'-' && matches!(bytes[10], b'T' | b't');
    let offset = matches!(bytes.last(), Some(b'Z' | b'z'))
        || bytes.len() >= 6
            && matches!(bytes[bytes.len() - 6], b'+' | b'-')
            && bytes[bytes.len() - 3] == b':';
    shape && bytes[13] == b':' && bytes[16] == b':' && offset && text.parse::<Timestamp>().is_ok()
}

/// Foreign text in a message, cut.
fn shown(text: &str) -> String {
    let text: String = text.escape_debug().take(120).collect();
    format!("`{text}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_the_specification() {
        for (key, good, bad) in [
            (annotation::CREATED, "2026-01-02T03:04:05Z", "2026-01-02"),
            (annotation::CREATED, "2026-01-02T03:04:05.123+02:00", "2026-01-02 03:04:05Z"),
            (annotation::CREATED, "2026-01-02t03:04:05z", "20260102T030405Z"),
            (annotation::CREATED, "2026-02-28T23:59:59Z", "2026-02-30T00:00:00Z"),
            (annotation::LICENSES, "Apache-2.0", "Apache 2"),
            (annotation::LICENSES, "MIT OR (Apache-2.0 WITH LLVM-exception)", "MIT OR"),
            (annotation::LICENSES, "LicenseRef-ours", "proprietary"),
            (annotation::SOURCE, "https://example.com/a", "example.com/a"),
            (annotation::URL, "http://example.com", "mailto:a@b.c"),
        ] {
            assert_eq!(broken_rule(key, good), None, "{good}");
            assert!(broken_rule(key, bad).is_some(), "{bad}");
        }
        assert!(broken_rule(annotation::BASE_DIGEST, "latest").is_some());
        assert_eq!(broken_rule(annotation::BASE_DIGEST, &Digest::of(b"").to_string()), None);
        assert_eq!(broken_rule("example.com/anything", "goes"), None);
    }
}
