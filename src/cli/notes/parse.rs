//! `notes parse`: the parser on its own.

use super::super::context::Context;
use super::super::error::CliError;
use super::super::{Format, Reply};
use crate::format::conventional;
use crate::render::json::v1;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Messages are separated by NUL bytes; without it there is one message
    #[arg(short = 'z')]
    nul: bool,
}

/// As much of standard input as is read.
const MAX_INPUT: u64 = 64 << 20;

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    let input = context.stdin(MAX_INPUT)?;
    let messages: Vec<&[u8]> = if args.nul {
        input.strip_suffix(b"\0").unwrap_or(&input).split(|byte| *byte == 0).collect()
    } else {
        vec![&input]
    };
    let mut lines = String::new();
    let mut wire = Vec::new();
    for message in messages {
        let text = String::from_utf8_lossy(message);
        let parsed = v1::notes::Parsed::from(conventional::parse(&text));
        lines.push_str(&serde_json::to_string(&parsed).unwrap_or_default());
        lines.push('\n');
        wire.push(parsed);
    }
    Reply::done("kyklos-release/notes-parse/v1", &wire, lines)
}
