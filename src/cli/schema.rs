//! `schema`: what programs may rely on.

use super::context::Context;
use super::error::CliError;
use super::{Format, Reply};
use crate::render::json::v1::ALL;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kyklos-release schema
  kyklos-release schema verify")]
pub(super) struct Args {
    /// The name in `kyklos-release/<NAME>/v1`; without it the names are listed
    name: Option<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    let Some(name) = &args.name else {
        let names: Vec<&str> = ALL.iter().map(|described| described.name).collect();
        let text: String = names.iter().map(|name| format!("{name}\n")).collect();
        return Reply::done("kyklos-release/schema/v1", &names, text);
    };
    let Some(described) = ALL.iter().find(|described| described.name == name) else {
        return Err(CliError::usage("schema-name", format!("there is no answer called `{name}`"))
            .hinted("`kyklos-release schema` lists the names"));
    };
    let schema = (described.schema)();
    let text = format!("{:#}\n", schema.as_value());
    Reply::done("kyklos-release/schema/v1", &schema, text)
}
