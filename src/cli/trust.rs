//! `trust`: trust roots.

use std::path::PathBuf;

use clap::Subcommand;
use jiff::SignedDuration;

use super::context::Context;
use super::error::CliError;
use super::{Format, Reply};
use crate::adapter::fs;
use crate::adapter::sigstore::{LocalTrust, Mint};
use crate::diag::Kind;
use crate::port::SignerIdentity;
use crate::render::json::v1::verify::TrustRoot;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a trust root of one's own, with a certificate and its key
    Create(CreateArgs),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  kyklos-release trust create trust --identity https://example.com/me")]
struct CreateArgs {
    /// The directory it is written to
    #[arg(value_name = "DIR")]
    root: PathBuf,
    /// Who the certificate names, a URI
    #[arg(long, value_name = "URI", value_parser = uri)]
    identity: String,
    /// The issuer of the identity
    #[arg(long, value_name = "URI", value_parser = uri, default_value = "https://kyklos-release.invalid/local")]
    issuer: String,
    /// Days the certificate is valid
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
}

/// An absolute URI in the characters a certificate takes.
fn uri(text: &str) -> Result<String, String> {
    let known = url::Url::parse(text).is_ok() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if known { Ok(text.to_owned()) } else { Err("expected a URI, such as https://example.com/me".to_owned()) }
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    let Command::Create(args) = &args.command;
    let root = context.path(&args.root);
    if fs::exists(&root.join("trusted_root.json")) {
        return Err(CliError::new(
            Kind::Conflict,
            "trust-exists",
            format!("{} holds a trust root already", args.root.display()),
        )
        .hinted("name another directory; what was signed with the old keys is checked with the old root"));
    }
    let identity = SignerIdentity { subject: args.identity.clone(), issuer: args.issuer.clone() };
    let valid_for = SignedDuration::from_hours(24 * i64::from(args.days));
    LocalTrust::create(&root, &Mint { identity, now: context.now, valid_for })?;
    let file = root.join("trusted_root.json").display().to_string();
    let text = format!("{file}\n");
    let wire = TrustRoot { trusted_root: file, identity: args.identity.clone(), issuer: args.issuer.clone() };
    Reply::done("kyklos-release/trust-create/v1", &wire, text)
}
