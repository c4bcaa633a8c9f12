//! `trust`: trust roots.

use std::path::PathBuf;

use clap::Subcommand;
use jiff::SignedDuration;

use super::context::Context;
use super::error::CliError;
use super::{Format, Reply};
use crate::adapter::sigstore::{LocalTrust, Mint};
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
struct CreateArgs {
    /// The directory it is written to
    #[arg(value_name = "DIR")]
    root: PathBuf,
    /// Who the certificate names, a URI
    #[arg(long, value_name = "URI")]
    identity: String,
    /// The issuer of the identity
    #[arg(long, value_name = "URI", default_value = "https://kyklos-release.invalid/local")]
    issuer: String,
    /// Days the certificate is valid
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    let Command::Create(args) = &args.command;
    let root = context.path(&args.root);
    let identity = SignerIdentity { subject: args.identity.clone(), issuer: args.issuer.clone() };
    let valid_for = SignedDuration::from_hours(24 * i64::from(args.days));
    LocalTrust::create(&root, &Mint { identity, now: context.now, valid_for })?;
    let file = root.join("trusted_root.json").display().to_string();
    let text = format!("{file}\n");
    let wire = TrustRoot { trusted_root: file, identity: args.identity.clone(), issuer: args.issuer.clone() };
    Reply::done("kyklos-release/trust-create/v1", &wire, text)
}
