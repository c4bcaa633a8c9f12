//! Notes from data that `notes generate --format json` wrote, without a repository.

use std::path::Path;

use super::super::Reply;
use super::super::context::Context;
use super::super::error::CliError;
use super::answer::answer;
use super::output::{Output, Telling};
use super::settings;
use crate::model::Origin;
use crate::notes::{Document, Extent, Preset, Writer};
use crate::render::json::v1;

/// The largest answer that is read.
const MAX_CONTEXT: u64 = 256 << 20;

pub(super) fn run(context: &Context, output: &Output, path: &Path) -> Result<Reply, CliError> {
    let stdin = path.as_os_str() == "-";
    let bytes = if stdin { context.stdin(MAX_CONTEXT)? } else { context.read(path, MAX_CONTEXT)? };
    let name = if stdin { "standard input".to_owned() } else { path.display().to_string() };
    let given = v1::context::read(&bytes, &name)?;
    let preset = output.preset.unwrap_or(Preset::Kyklos);
    let origin = given.repository.as_deref().and_then(Origin::from_url);
    let mut document = Document { name: given.name, ..Document::default() };
    if let Some(dist) = &output.dist {
        settings::files(context, dist, &mut document)?;
    }
    let telling = Telling {
        writer: settings::overruled(context, Writer::new(preset, origin.clone())?, output)?,
        preset,
        origin,
        document,
        extent: if given.whole { Extent::Whole } else { Extent::Part },
        single: given.releases.len() == 1,
        certain: true,
        diagnostics: Vec::new(),
    };
    answer(context, output, &telling, &mut given.releases.into_iter().map(Ok))
}
