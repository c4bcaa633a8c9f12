//! `init`: a commented `release.yaml` and policy for the repository one stands in.

use std::path::Path;

use handlebars::Handlebars;
use serde_json::json;

use super::context::Context;
use super::error::CliError;
use super::project::Project;
use super::{Format, Reply};
use crate::adapter::fs;
use crate::diag::Kind;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  kyklos-release init && git add release.yaml policies")]
pub(super) struct Args {
    /// Overwrite files that exist
    #[arg(long)]
    force: bool,
}

const CONFIG: &str = include_str!("../../templates/init/release.yaml.hbs");
const POLICY: &str = include_str!("../../templates/init/policy.yaml.hbs");

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    let project = Project::open(context)?;
    if project.repository.is_bare() {
        return Err(CliError::usage("init-bare", "a bare repository has no work tree to write files into")
            .hinted("git worktree add DIR, then run it there"));
    }
    let language = |file: &str| fs::exists(&project.path(Path::new(file)));
    let origin = project.repository.origin();
    let data = json!({
        "name": project.config.name,
        "go": language("go.mod"),
        "repository": origin.map(|origin| format!("ghcr.io/{}/{}", origin.owner, origin.repo).to_lowercase()),
    });
    let files = [("release.yaml", CONFIG), ("policies/release.yaml", POLICY)];
    let taken: Vec<&str> = files
        .iter()
        .map(|(path, _)| *path)
        .filter(|path| fs::exists(&project.path(Path::new(path))))
        .collect();
    if !taken.is_empty() && !args.force {
        return Err(CliError::new(
            Kind::Conflict,
            "init-exists",
            format!("{} {} already", taken.join(" and "), if taken.len() == 1 { "exists" } else { "exist" }),
        )
        .hinted("add --force to overwrite, or edit by hand; nothing was written"));
    }
    let mut engine = Handlebars::new();
    engine.register_escape_fn(handlebars::no_escape);
    for (path, template) in files {
        let text = engine
            .render_template(template, &data)
            .map_err(|error| CliError::new(Kind::Internal, "init-template", error.to_string()))?;
        fs::write_atomic(&project.path(Path::new(path)), text.as_bytes())?;
    }
    let names: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
    let text: String = names.iter().map(|name| format!("{name}\n")).collect();
    Reply::done("kyklos-release/init/v1", &names, text)
}
