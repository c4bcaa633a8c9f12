//! What a person has to do when no machine can: a Markdown document made from what is left.

use std::fmt::Write as _;

use super::diff::Action;
use super::{Job, PublishError, World, foresee, observe};
use crate::model::ReleaseManifest;

/// Explains what is left of a release. Changes nothing.
pub async fn manual(world: &World<'_>, job: &Job<'_>) -> Result<String, PublishError> {
    let state = observe(world, job).await?;
    let ReleaseManifest { tag, version, commit, .. } = job.manifest;
    let mut out = format!("# Finishing {tag} by hand\n\n");
    // Writing to a String cannot fail.
    let _ = writeln!(out, "| | |\n|---|---|\n| release | {version} of commit `{commit}` |");
    let _ = writeln!(out, "| identity | `{}` |\n| forge | {} |\n", job.rid, world.forge.place());
    match foresee(job, &state) {
        Ok(actions) if actions.is_empty() => {
            out.push_str("Nothing is left to do: the release is published and complete.\n");
        }
        Ok(actions) => {
            out.push_str(visible(&actions));
            let _ = writeln!(
                out,
                "\nThe same command finishes it from any machine with access, and may be run as often as you like:\n\n\
                 ```sh\nkyklos-release publish {tag} --dist DIR\n```\n\n\
                 `kyklos-release manual {tag} --script` writes the steps below for a shell.\n\n## What is left, in this order\n"
            );
            for (number, action) in actions.iter().enumerate() {
                let _ =
                    writeln!(out, "{}. {}{}", number + 1, action.describe(job.manifest), detail(action, job));
            }
            out.push_str("\nDo not publish the draft before every file above has the digest shown here.\n");
        }
        Err(obstacle) => {
            let _ = writeln!(out, "It cannot go on by itself: {obstacle}.\n");
            for (label, value) in crate::diag::Hint::facts(&obstacle) {
                let _ = writeln!(out, "- {label}: `{value}`");
            }
            for hint in crate::diag::Hint::hints(&obstacle) {
                let _ = writeln!(out, "- {hint}");
            }
        }
    }
    Ok(out)
}

fn visible(actions: &[Action]) -> &'static str {
    if actions.iter().any(|action| matches!(action, Action::Publish(_))) {
        "Nothing is visible to users yet: the release is at most a draft.\n"
    } else {
        "The release is visible and complete; only what moves forward behind it is left.\n"
    }
}

fn detail(action: &Action, job: &Job<'_>) -> String {
    match action {
        Action::Upload(_, asset) | Action::ReadBack(_, asset) => {
            format!(" (`{}`, {} bytes)", asset.digest, asset.size)
        }
        Action::TagVersion(at, _) | Action::TagRolling(at, _) => {
            format!(" (`{}`)", job.manifest.images[*at].digest)
        }
        Action::Attach(at, referrer) => {
            format!(" (`{}`)", job.manifest.images[*at].referrers[*referrer].digest)
        }
        Action::DropDuplicate(_)
        | Action::CreateDraft
        | Action::RemoveAsset(..)
        | Action::Describe(..)
        | Action::Publish(_)
        | Action::SetLatest(_) => String::new(),
    }
}
