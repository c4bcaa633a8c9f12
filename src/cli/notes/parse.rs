//! `notes parse`: the parser on its own.

use std::path::PathBuf;

use super::super::context::Context;
use super::super::error::CliError;
use super::super::{Format, Reply};
use crate::diag::Kind;
use crate::format::conventional;
use crate::render::json::v1;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  git log -z --format=%B v1.0.0.. | kyklos-release notes parse -z
  kyklos-release notes parse .git/COMMIT_EDITMSG
  kyklos-release notes parse message.txt | jq .type")]
pub(super) struct Args {
    /// Files with one message each; - is standard input, which is read when none is named
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Messages are separated by NUL bytes; without it there is one message in each place
    #[arg(short = 'z')]
    nul: bool,
}

/// As much of one file or of standard input as is read.
const MAX_INPUT: u64 = 64 << 20;

/// The messages of an input. `git log --format=%B%x00` ends a line behind each NUL; no message begins with an empty line.
fn records(input: &[u8]) -> Vec<&[u8]> {
    let mut records: Vec<&[u8]> = input.split(|byte| *byte == 0).map(without_empty_lines).collect();
    // What ends the last message begins no other one, and no message is none, not an empty one.
    if records.last().is_some_and(|last| last.is_empty()) {
        records.pop();
    }
    records
}

fn without_empty_lines(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !b"\r\n".contains(byte)).unwrap_or(text.len());
    &text[start..]
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    let mut inputs = Vec::new();
    for path in &args.files {
        let stdin = path.as_os_str() == "-";
        inputs.push(if stdin { context.stdin(MAX_INPUT)? } else { context.read(path, MAX_INPUT)? });
    }
    if args.files.is_empty() {
        inputs.push(context.stdin(MAX_INPUT)?);
    }
    let messages =
        inputs.iter().flat_map(|input| if args.nul { records(input) } else { vec![input.as_slice()] });
    let mut lines = String::new();
    let mut wire = Vec::new();
    for message in messages {
        let text = String::from_utf8_lossy(message);
        let parsed = v1::notes::Parsed::from(conventional::parse(&text));
        if context.format == Format::Json {
            wire.push(parsed);
        } else {
            let line = serde_json::to_string(&parsed)
                .map_err(|error| CliError::new(Kind::Internal, "json", error.to_string()))?;
            lines.push_str(&line);
            lines.push('\n');
        }
    }
    Reply::done("kyklos-release/notes-parse/v1", &wire, lines)
}
