//! `build-info`: facts read from executables.

use std::path::PathBuf;

use super::context::Context;
use super::error::CliError;
use super::{Format, Reply};
use crate::format::binary::Binary;
use crate::format::{auditable, go_buildinfo};
use crate::render::json::v1::files::BuildInfo;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  kyklos-release build-info bin/app-amd64 bin/app-arm64 -o build-info.json")]
pub(super) struct Args {
    /// The executables
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// The largest executable.
const MAX_BINARY: u64 = 1 << 30;

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    let mut files = Vec::new();
    for path in &args.files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push((name, context.read(path, MAX_BINARY)?));
    }
    let facts = files.iter().map(|(name, bytes)| facts(name, bytes)).collect::<Result<Vec<_>, _>>()?;
    let text = pretty(&facts)?;
    Reply::done("kyklos-release/build-info/v1", &facts, text)
}

/// `build-info.json`.
pub(super) fn document(files: &[(String, &[u8])]) -> Result<Vec<u8>, CliError> {
    pretty(&files.iter().map(|(name, bytes)| facts(name, bytes)).collect::<Result<Vec<_>, _>>()?)
}

fn pretty(facts: &[BuildInfo]) -> Result<Vec<u8>, CliError> {
    let mut bytes = serde_json::to_vec_pretty(facts)
        .map_err(|error| CliError::new(crate::diag::Kind::Internal, "json", error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn facts(name: &str, bytes: &[u8]) -> Result<BuildInfo, CliError> {
    let binary = Binary::parse(bytes).map_err(|error| CliError::from(error).fact("file", name))?;
    let go = go_buildinfo::read(&binary)?;
    let auditable = auditable::read(&binary)?;
    let root = auditable.as_ref().and_then(|info| info.packages.iter().find(|package| package.root));
    let setting = |key: &str| go.as_ref().and_then(|info| info.setting(key)).map(str::to_owned);
    let main = go.as_ref().and_then(|info| info.main.as_ref());
    Ok(BuildInfo {
        file: name.to_owned(),
        platform: binary.platform.to_string(),
        size: binary.size,
        digest: binary.digest.to_string(),
        r#static: binary.linkage.is_static(),
        needs: binary.linkage.needed.clone(),
        language: if go.is_some() {
            Some("go".to_owned())
        } else {
            auditable.as_ref().map(|_| "rust".to_owned())
        },
        toolchain: go.as_ref().map(|info| info.go_version.clone()),
        main: main.map(|module| module.path.clone()).or_else(|| root.map(|package| package.name.clone())),
        version: main
            .map(|module| module.version.clone())
            .or_else(|| root.map(|package| package.version.clone())),
        revision: setting("vcs.revision"),
        time: setting("vcs.time"),
        modified: setting("vcs.modified").map(|text| text == "true"),
    })
}
