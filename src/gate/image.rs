//! Gate `image`: platforms, size, user and content of the image.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::{Gate, Judgement, settings};
use crate::diag::Severity;
use crate::evidence::{Evidence, Fact, Item, Kind};
use crate::image::{ImageFacts, PlatformFacts};
use crate::model::{ByteSize, Platform};

/// The gate.
pub(super) struct Image;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Settings {
    /// Exactly these platforms; any when left out.
    platforms: Option<BTreeSet<Platform>>,
    /// The largest compressed size of a platform, in bytes or with kB, MB, KiB, MiB.
    max_size: Option<Value>,
    /// The user it must run as; any but root when left out.
    user: Option<String>,
    /// Whether a shell is forbidden.
    #[serde(default = "yes")]
    forbid_shell: bool,
    /// Whether a program that installs packages is forbidden.
    #[serde(default = "yes")]
    forbid_package_manager: bool,
    /// Whether the image must carry the package lists of a distroless base.
    #[serde(default)]
    distroless: bool,
    /// Whether the base must be the one its name stood for when the image was checked.
    #[serde(default)]
    fresh_base: bool,
    /// By how many percent a platform may be larger than before.
    max_growth: Option<u32>,
}

fn yes() -> bool {
    true
}

impl Gate for Image {
    fn kind(&self) -> &'static str {
        "image"
    }

    fn page(&self) -> &'static str {
        include_str!("../../docs/gates/image.md")
    }

    fn needs(&self, _settings: &Value) -> Vec<Kind> {
        vec![Kind::Image]
    }

    fn accept(&self, value: &Value) -> Result<(), serde_json::Error> {
        let Settings { max_size, .. } = settings(value)?;
        match max_size {
            Some(size) => bytes(&size).map(drop).ok_or_else(|| {
                serde::de::Error::custom(format_args!("`maxSize` {size} is no size such as 50MB or 20000000"))
            }),
            None => Ok(()),
        }
    }

    fn judge(&self, value: &Value, items: &[&Item], evidence: &Evidence) -> Judgement {
        let Ok(settings) = settings::<Settings>(value) else {
            return Judgement::unknown("settings of the gate image".to_owned(), "other settings".to_owned());
        };
        let limit = settings.max_size.as_ref().and_then(bytes);
        let expected = expected(&settings, limit);
        let mut wrong = Vec::new();
        let mut measured = Vec::new();
        for item in items {
            let Ok(Fact::Image(facts)) = &item.fact else { continue };
            if evidence.subject.index.is_some_and(|index| index != facts.digest) {
                let found = format!("{} is about the image {}", item.path, facts.digest);
                return Judgement::unknown(expected, found);
            }
            if !facts.complete || facts.platforms.iter().any(|platform| !platform.scanned) {
                return Judgement::unknown(expected, format!("{} does not cover the whole image", item.path));
            }
            if let Some(missing) = missing(facts, &settings) {
                return Judgement::unknown(expected, format!("{} does not say {missing}", item.path));
            }
            index(facts, &settings, &mut wrong);
            for platform in &facts.platforms {
                self::platform(platform, &settings, limit, &mut wrong);
                measured.push(format!("{} {} bytes", platform.platform, platform.compressed_size));
            }
        }
        if measured.is_empty() {
            wrong.push("no platform at all".to_owned());
        }
        Judgement::of(expected, &wrong, measured.join(", "), "look at `kyklos-release image check`")
    }
}

fn expected(settings: &Settings, limit: Option<u64>) -> String {
    let mut parts = Vec::new();
    if let Some(platforms) = &settings.platforms {
        parts.push(platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "));
    }
    if let Some(limit) = limit {
        parts.push(format!("at most {limit} bytes per platform"));
    }
    parts.push(settings.user.as_ref().map_or_else(|| "not root".to_owned(), |user| format!("user {user}")));
    for (wanted, text) in [
        (settings.forbid_shell, "no shell"),
        (settings.forbid_package_manager, "no package manager"),
        (settings.distroless, "distroless"),
        (settings.fresh_base, "a fresh base"),
    ] {
        parts.extend(wanted.then(|| text.to_owned()));
    }
    parts.extend(settings.max_growth.map(|percent| format!("at most {percent} % larger than before")));
    parts.join(", ")
}

/// What the settings ask for and the facts do not tell.
fn missing(facts: &ImageFacts, settings: &Settings) -> Option<&'static str> {
    if settings.fresh_base && facts.base.as_ref().is_none_or(|base| base.fresh.is_none()) {
        return Some("what its base stands for now (`image check --base`)");
    }
    if settings.max_growth.is_some() && facts.previous.is_none() {
        return Some("how large it was before (`image check --previous`)");
    }
    None
}

fn index(facts: &ImageFacts, settings: &Settings, wrong: &mut Vec<String>) {
    let found: BTreeSet<Platform> =
        facts.platforms.iter().map(|platform| platform.platform.clone()).collect();
    if settings.platforms.as_ref().is_some_and(|platforms| *platforms != found) {
        let names: Vec<String> = found.iter().map(ToString::to_string).collect();
        wrong.push(format!("platforms {}", names.join(" and ")));
    }
    if settings.fresh_base
        && let Some(base) = facts.base.as_ref().filter(|base| base.fresh == Some(false))
    {
        wrong.push(format!("the base {} stands for another image now", base.name));
    }
    let errors = facts.problems.iter().filter(|problem| problem.severity == Severity::Error);
    wrong.extend(errors.map(|problem| problem.message.clone()));
}

fn platform(facts: &PlatformFacts, settings: &Settings, limit: Option<u64>, wrong: &mut Vec<String>) {
    let name = &facts.platform;
    if let Some(limit) = limit.filter(|limit| facts.compressed_size > *limit) {
        wrong.push(format!(
            "{name} has {} bytes, {} too many",
            facts.compressed_size,
            facts.compressed_size - limit
        ));
    }
    let user = facts.user.as_deref().unwrap_or("");
    match &settings.user {
        Some(expected) if expected != user => wrong.push(format!("{name} runs as `{user}`")),
        None if facts.uid.is_none_or(|uid| uid == 0) => wrong.push(format!("{name} runs as root")),
        _ => {}
    }
    if settings.forbid_shell && !facts.shells.is_empty() {
        wrong.push(format!("{name} holds {}", facts.shells.join(", ")));
    }
    if settings.forbid_package_manager && !facts.package_managers.is_empty() {
        wrong.push(format!("{name} holds {}", facts.package_managers.join(", ")));
    }
    if settings.distroless && !facts.distroless {
        wrong.push(format!("{name} is not distroless"));
    }
    if let (Some(percent), Some(before)) = (settings.max_growth, facts.previous_size)
        && u128::from(facts.compressed_size) * 100 > u128::from(before) * (100 + u128::from(percent))
    {
        wrong.push(format!("{name} has {} bytes, {before} before", facts.compressed_size));
    }
    if !facts.setuid.is_empty() {
        wrong.push(format!("{name} holds setuid {}", facts.setuid.join(", ")));
    }
}

/// A number of bytes, or text such as `50MB` (10^6) and `50MiB` (2^20).
fn bytes(value: &Value) -> Option<u64> {
    match value.as_u64() {
        Some(number) => Some(number),
        None => value.as_str()?.parse().ok().map(|ByteSize(bytes)| bytes),
    }
}
