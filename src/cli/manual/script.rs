//! What is left of a release as a shell script, for a directory forge and an image layout.
//!
//! The script looks before every step, like the tool: it may be stopped and run again. What it decided when it was made,
//! it asks for again where the world may have moved on.

use std::fmt::Write as _;
use std::path::Path;

use crate::adapter::dir_forge::DirForge;
use crate::cli::error::CliError;
use crate::cli::opened::Places;
use crate::diag::Kind;
use crate::format::release_manifest;
use crate::model::{Digest, ImageEntry, ReleaseManifest};
use crate::port::{LockRecord, LockState};
use crate::publish::{Action, Job, Marker, State, World, attachment, foresee, observe};
use crate::render::text::shell;

/// What a run says before it does anything, and what every script holds.
const STEPS: &str = include_str!("../../../templates/manual/directory.sh");

/// Writes the script. What stands in the way of the tool stands in the way of the script, and is the error.
pub(super) async fn script(
    world: &World<'_>,
    job: &Job<'_>,
    places: &Places<'_>,
) -> Result<String, CliError> {
    let state = observe(world, job).await?;
    let actions = foresee(job, &state)?;
    let manifest = job.manifest;
    let mut out = String::from("#!/bin/sh\n");
    // Writing to a String cannot fail.
    let _ = writeln!(out, "# Finishes release {} ({}) in {}.", manifest.tag, job.rid, world.forge.place());
    let _ = writeln!(out, "# usage: sh SCRIPT [DIST]");
    out.push_str(STEPS);
    out.push('\n');
    variables(&mut out, job, &state, places);
    line(&mut out, &["lock", &shell(&held(job)?)]);
    attach(&mut out, world, job, &actions).await?;
    stage(&mut out, job, &state, &actions, places)?;
    let names: Vec<String> = job.assets().iter().map(|asset| shell(asset.name.as_str())).collect();
    out.push_str("\nours \"$release\" || stop 5 \"$release is another release\"\n");
    for asset in job.assets() {
        let name = shell(asset.name.as_str());
        let _ = writeln!(
            out,
            "holds {} \"$release/assets/\"{name} || stop 5 \"$release/assets/\"{name}' holds other bytes'",
            asset.digest.hex()
        );
    }
    line(&mut out, &["only \"$release/assets\"", &names.join(" ")]);
    roll(&mut out, job, &state, &actions);
    out.push_str("unlock\n");
    let _ = writeln!(out, "printf '%s\\n' {}", shell(&format!("{} is published and complete", manifest.tag)));
    Ok(out)
}

fn line(out: &mut String, words: &[&str]) {
    out.push_str(&words.join(" "));
    out.push('\n');
}

fn variables(out: &mut String, job: &Job<'_>, state: &State, places: &Places<'_>) {
    let tag = &job.manifest.tag;
    let path = |path: &Path| shell(&path.display().to_string());
    let draft = state.ours.first().map_or_else(|| places.forge.next_draft(tag), |draft| draft.id.clone());
    let release = places.forge.release_directory(tag);
    let _ = writeln!(out, "rid={}", shell(&job.rid.to_string()));
    let _ = writeln!(out, "forge={}", path(places.forge.root()));
    let _ = writeln!(out, "draft={}", path(&places.forge.root().join(&draft.0)));
    let _ = writeln!(out, "release={}", path(&release));
    let _ = writeln!(out, "registry={}", places.registry.map_or_else(|| "''".to_owned(), path));
    let _ = writeln!(out, "dist={}", places.dist.map_or_else(|| "''".to_owned(), path));
    out.push_str("[ $# -eq 0 ] || dist=$1\n\n");
}

/// What the lock says while the script works.
fn held(job: &Job<'_>) -> Result<String, CliError> {
    let record = LockRecord {
        state: LockState::Held,
        nonce: job.nonce.to_owned(),
        rid: job.rid.0,
        tag: job.manifest.tag.clone(),
        run: None,
    };
    serde_json::to_string_pretty(&record)
        .map(|text| text + "\n")
        .map_err(|error| CliError::new(Kind::Internal, "json", error.to_string()))
}

async fn attach(
    out: &mut String,
    world: &World<'_>,
    job: &Job<'_>,
    actions: &[Action],
) -> Result<(), CliError> {
    for action in actions {
        let Action::Attach(at, referrer) = action else { continue };
        let made = attachment(world, job, *at, *referrer).await?;
        let name = &job.manifest.images[*at].referrers[*referrer].asset;
        let bundle = job.manifest.asset(name).map(|asset| asset.digest.hex()).unwrap_or_default();
        for manifest in &made.package.manifests {
            let text = shell(&String::from_utf8_lossy(&manifest.bytes));
            let (hex, size) = (manifest.digest.hex(), manifest.bytes.len().to_string());
            line(out, &["attach", &hex, &size, &text, &bundle, &shell(name.as_str())]);
        }
    }
    Ok(())
}

/// Everything up to the commit point.
fn stage(
    out: &mut String,
    job: &Job<'_>,
    state: &State,
    actions: &[Action],
    places: &Places<'_>,
) -> Result<(), CliError> {
    out.push_str("if [ ! -d \"$release\" ]; then\n");
    for action in actions {
        if let Action::DropDuplicate(id) = action {
            let path = places.forge.root().join(&id.0);
            let _ = writeln!(out, "  drop {}", shell(&path.display().to_string()));
        }
    }
    let written = state.ours.first().and_then(|draft| Marker::find(&draft.body));
    let nonce = written.map_or_else(|| release_manifest::nonce(job.nonce, job.rid), |marker| marker.nonce);
    let record = DirForge::record(&job.draft(&nonce))?;
    let text = shell(&String::from_utf8_lossy(&record));
    let _ = writeln!(out, "  create {} {text}", Digest::of(&record).hex());
    let mut names = Vec::new();
    for asset in job.assets() {
        let (hex, name) = (asset.digest.hex(), shell(asset.name.as_str()));
        let _ = if asset.name.as_str() == ReleaseManifest::ASSET {
            let text = shell(&String::from_utf8_lossy(job.manifest_bytes));
            writeln!(out, "  written {hex} {name} {text}")
        } else {
            writeln!(out, "  asset {hex} {name}")
        };
        names.push(name);
    }
    let _ = writeln!(out, "  only \"$draft/assets\" {}", names.join(" "));
    for ImageEntry { digest, tags, .. } in &job.manifest.images {
        for tag in tags {
            let _ = writeln!(out, "  tag {digest} {}", shell(tag));
        }
    }
    out.push_str("  publish\nfi\n");
    Ok(())
}

/// What only moves forward, for the releases there were when the script was made.
fn roll(out: &mut String, job: &Job<'_>, state: &State, actions: &[Action]) {
    let forward =
        actions.iter().any(|action| matches!(action, Action::TagRolling(..) | Action::SetLatest(_)));
    if !forward {
        return;
    }
    let tags = state.stable.iter().chain([&job.manifest.tag]);
    let known: Vec<String> = tags.map(|tag| shell(&DirForge::segment(tag))).collect();
    line(out, &["others", &known.join(" ")]);
    for action in actions {
        match action {
            Action::TagRolling(at, tag) => {
                let digest = job.manifest.images[*at].digest.to_string();
                line(out, &["roll", &digest, &shell(tag)]);
            }
            Action::SetLatest(_) => line(out, &["latest", &shell(job.manifest.tag.as_str())]),
            Action::DropDuplicate(_)
            | Action::Attach(..)
            | Action::CreateDraft
            | Action::RemoveAsset(..)
            | Action::Upload(..)
            | Action::Describe(..)
            | Action::ReadBack(..)
            | Action::TagVersion(..)
            | Action::Publish(_) => {}
        }
    }
}
