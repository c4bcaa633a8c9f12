//! What one platform of an image holds, from the headers of its layers.

use super::error::ImageError;
use super::facts::{Findings, PlatformFacts, ProgramFacts, damage};
use super::inspect::{InspectedPlatform, beside};
use super::scan::{LayerFacts, scan};
use super::unpack::{LayerError, LayerLimits};
use crate::diag::Severity;
use crate::format::oci::Descriptor;
use crate::model::{Digest, DigestAlgorithm};
use crate::port::{Registry, RegistryError};

/// Where a program without a slash in its name is looked for when the config does not say so.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Reads every layer of a platform and says what it holds.
pub(super) async fn check_platform(
    registry: &dyn Registry,
    platform: &InspectedPlatform,
    limits: LayerLimits,
    findings: &mut Findings,
) -> Result<PlatformFacts, ImageError> {
    let of = Some(&platform.platform);
    let mut files = LayerFacts::default();
    let scanned = read_layers(registry, platform, limits, &mut files, findings).await?;
    let config_platform = platform.config.platform();
    if config_platform.as_ref() != of {
        let found = config_platform.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
        let message = format!("the index says {}, the config says {found}", platform.platform);
        findings.report(of, Severity::Error, "image-platform", message);
    }
    let (uid, gid) = user_ids(platform.run.user.as_deref());
    check_user(platform, uid, gid, findings);
    for path in &files.outside {
        let message = format!("a layer names `{}`, outside of the image", path.escape_debug());
        findings.report(of, Severity::Error, "image-path", message);
    }
    let program = scanned.then(|| program(platform, &files)).flatten();
    if let Some(program) = &program {
        check_program(platform, program, findings);
    }
    let shells: Vec<String> = files.shells.into_iter().collect();
    let package_managers: Vec<String> = files.package_managers.into_iter().collect();
    let setuid: Vec<String> = files.setuid.into_keys().collect();
    for (code, what, paths) in [
        ("image-shell", "a shell", &shells),
        ("image-package-manager", "a package manager", &package_managers),
        ("image-setuid", "a setuid file", &setuid),
    ] {
        if let Some(first) = paths.first() {
            let more = if paths.len() > 1 { format!(" and {} more", paths.len() - 1) } else { String::new() };
            let message = format!("it holds {what}: {}{more}", first.escape_debug());
            findings.report(of, Severity::Warning, code, message);
        }
    }
    Ok(PlatformFacts {
        platform: platform.platform.clone(),
        digest: platform.digest,
        config_platform,
        compressed_size: platform.compressed_size,
        previous_size: None,
        uncompressed_size: files.size,
        user: platform.run.user.clone(),
        uid,
        gid,
        program,
        shells,
        package_managers,
        setuid,
        distroless: !files.distroless.is_empty(),
        on_base: None,
        scanned,
    })
}

/// Whether every layer could be looked at.
async fn read_layers(
    registry: &dyn Registry,
    platform: &InspectedPlatform,
    limits: LayerLimits,
    files: &mut LayerFacts,
    findings: &mut Findings,
) -> Result<bool, ImageError> {
    let of = Some(&platform.platform);
    let diff_ids = &platform.config.rootfs.diff_ids;
    if diff_ids.len() != platform.layers.len() {
        let message =
            format!("its config names {} layers, its manifest {}", diff_ids.len(), platform.layers.len());
        findings.report(of, Severity::Error, "image-layers", message);
    }
    let mut scanned = true;
    for (position, layer) in platform.layers.iter().enumerate() {
        let expected = diff_ids.get(position);
        let algorithm = expected.map_or(DigestAlgorithm::Sha256, Digest::algorithm);
        match scan_layer(registry, layer, algorithm, limits, files).await? {
            Ok(found) => {
                if let Some(expected) = expected.filter(|expected| **expected != found) {
                    let message =
                        format!("layer {} unpacks to {found}, the config says {expected}", layer.digest);
                    findings.report(of, Severity::Error, "image-diff-id", message);
                }
            }
            Err(reason) => {
                scanned = false;
                findings.damage(of, "image-layer", format!("layer {}: {reason}", layer.digest));
            }
        }
    }
    Ok(scanned)
}

/// Reads one layer. What is wrong with the layer is told as text; the facts of the layers below stay as they were.
async fn scan_layer(
    registry: &dyn Registry,
    layer: &Descriptor,
    algorithm: DigestAlgorithm,
    limits: LayerLimits,
    files: &mut LayerFacts,
) -> Result<Result<Digest, String>, ImageError> {
    let reader = match registry.blob(layer).await {
        Ok(Some(reader)) => reader,
        Ok(None) => return Ok(Err("it is not stored".to_owned())),
        Err(error) => return damage(error.into()).map(Err),
    };
    let media_type = layer.media_type.clone();
    let mut facts = std::mem::take(files);
    let (answer, facts) = beside(move || {
        let answer = scan(reader, &media_type, algorithm, limits, &mut facts);
        Ok((answer, facts))
    })
    .await?;
    *files = facts;
    match answer {
        Ok(digest) => Ok(Ok(digest)),
        // The reason of the registry is inside the answer of the stream.
        Err(LayerError::Read(source)) => match source.downcast::<RegistryError>() {
            Ok(error) => damage(error.into()).map(Err),
            Err(source) => Ok(Err(LayerError::Read(source).to_string())),
        },
        Err(error) => Ok(Err(error.to_string())),
    }
}

fn check_user(platform: &InspectedPlatform, uid: Option<u32>, gid: Option<u32>, findings: &mut Findings) {
    let of = Some(&platform.platform);
    let user = platform.run.user.as_deref().unwrap_or_default();
    let (name, group) = user.split_once(':').map_or((user, None), |(name, group)| (name, Some(group)));
    match uid {
        Some(0) => findings.report(of, Severity::Error, "image-root", "it runs as root".to_owned()),
        // Kubernetes cannot see from a name whether it is root (`runAsNonRoot`).
        None if name == "root" => {
            findings.report(of, Severity::Error, "image-root", "it runs as root, by name".to_owned());
        }
        None => {
            let message = format!("the user `{}` is not a number", name.escape_debug());
            findings.report(of, Severity::Warning, "image-user-name", message);
        }
        Some(_) => {}
    }
    match (group, gid) {
        (Some(group), None) => {
            let message = format!("the group `{}` is not a number", group.escape_debug());
            findings.report(of, Severity::Warning, "image-group-name", message);
        }
        (Some(_), Some(0)) if uid != Some(0) => {
            let message = "its group is that of root".to_owned();
            findings.report(of, Severity::Warning, "image-root-group", message);
        }
        _ => {}
    }
}

/// The numbers a container runs as; nothing is root.
fn user_ids(user: Option<&str>) -> (Option<u32>, Option<u32>) {
    let user = user.unwrap_or_default();
    let (name, group) = user.split_once(':').map_or((user, None), |(name, group)| (name, Some(group)));
    let uid = if name.is_empty() { Some(0) } else { name.parse().ok() };
    (uid, group.and_then(|group| group.parse().ok()))
}

/// The program that is run: the first word of the entrypoint, else of the command (image-spec, "Image JSON").
fn program(platform: &InspectedPlatform, files: &LayerFacts) -> Option<ProgramFacts> {
    if platform.platform.os() != "linux" {
        return None;
    }
    let run = &platform.run;
    let name = run.entrypoint.first().or(run.cmd.first())?;
    let candidates: Vec<String> = if name.starts_with('/') {
        vec![name.clone()]
    } else if name.contains('/') {
        vec![format!("{}/{name}", run.working_dir.as_deref().unwrap_or_default())]
    } else {
        let path = run.env.iter().find_map(|one| one.strip_prefix("PATH=")).unwrap_or(PATH);
        path.split(':').map(|directory| format!("{directory}/{name}")).collect()
    };
    let found = candidates.iter().find_map(|candidate| {
        let path = files.real_path(candidate)?;
        files.programs.get(&path).map(|architecture| (path, *architecture))
    });
    Some(match found {
        Some((path, architecture)) => {
            ProgramFacts { path, found: true, architecture: architecture.map(ToOwned::to_owned) }
        }
        None => ProgramFacts { path: name.clone(), found: false, architecture: None },
    })
}

fn check_program(platform: &InspectedPlatform, program: &ProgramFacts, findings: &mut Findings) {
    let of = Some(&platform.platform);
    let path = program.path.escape_debug();
    if !program.found {
        let message = format!("the program `{path}` is no file of the image that can be run");
        findings.report(of, Severity::Error, "image-program", message);
    }
    let runs_on = platform.platform.architecture();
    if let Some(found) = program.architecture.as_deref().filter(|found| *found != runs_on) {
        let message = format!("the program `{path}` is made for {found}");
        findings.report(of, Severity::Error, "image-machine", message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users() {
        for (user, expected) in [
            (None, (Some(0), None)),
            (Some(""), (Some(0), None)),
            (Some("65532:1"), (Some(65532), Some(1))),
            (Some("root"), (None, None)),
            (Some("00"), (Some(0), None)),
            (Some(":5"), (Some(0), Some(5))),
            (Some("7:staff"), (Some(7), None)),
        ] {
            assert_eq!(user_ids(user), expected, "{user:?}");
        }
    }
}
