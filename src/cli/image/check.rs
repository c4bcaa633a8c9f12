//! `image check`: facts, and what is wrong whatever the policy says.

use std::fmt::Write as _;

use super::{CliError, Context, FORMATS, Reply, open, plain};
use crate::cli::Exit;
use crate::diag::{Diagnostic, Severity};
use crate::image::{ImageFacts, LayerLimits, check};
use crate::model::Target;
use crate::render::json::v1;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kyklos-release image check oci:registry:v1.2.3")]
pub(super) struct Args {
    /// The image: oci:DIR[:TAG|@DIGEST]
    target: Target,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(FORMATS)?;
    let facts = context.block_on(async {
        let opened = open(context, &args.target)?;
        Ok(check(&*opened.registry, &opened.digest().await?, LayerLimits::default()).await?)
    })?;
    let wire = v1::image::Checked::from(&facts);
    let mut reply = Reply::done("kyklos-release/image-check/v1", &wire, text(&facts))?;
    reply.diagnostics = wire.findings;
    if !facts.is_sound() {
        reply.exit = Exit::No;
    }
    Ok(reply)
}

// Writing to a String cannot fail.
fn text(facts: &ImageFacts) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", facts.digest);
    if let Some(base) = &facts.base {
        let _ =
            writeln!(out, "  base    {} {}", plain(&base.name), plain(base.digest.as_deref().unwrap_or("")));
    }
    for one in &facts.platforms {
        let user = one.user.as_deref().filter(|user| !user.is_empty()).unwrap_or("root");
        let _ = writeln!(out, "{}", one.platform);
        let _ = writeln!(out, "  pulled  {} bytes", one.compressed_size);
        let _ = writeln!(out, "  files   {} bytes unpacked", one.uncompressed_size);
        let _ = writeln!(out, "  user    {}", plain(user));
        let unknown = if one.scanned { "none" } else { "unknown" };
        for (label, paths) in [("shells", &one.shells), ("setuid", &one.setuid)] {
            let paths = if paths.is_empty() { unknown.to_owned() } else { paths.join(", ") };
            let _ = writeln!(out, "  {label}  {}", plain(&paths));
        }
    }
    for problem in &facts.problems {
        let Diagnostic { code, severity, message, .. } = Diagnostic::from(problem);
        let severity = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let _ = writeln!(out, "{severity}[{code}]: {}", plain(&message));
    }
    out
}
