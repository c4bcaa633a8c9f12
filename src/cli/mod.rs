//! Floor 5: the command line. One file per command, each with `Args` and `run`.

mod abort;
mod approve;
mod archive;
mod bug;
mod build_info;
mod checksums;
mod completions;
mod context;
mod error;
mod evidence;
mod exit;
mod gate;
mod global;
mod image;
mod init;
mod man;
mod manual;
mod measure;
mod network;
mod notes;
mod opened;
mod plan;
mod project;
mod publish;
mod rehearse;
mod sbom;
mod schema;
mod status;
mod trust;
mod verify;
mod yank;

pub use bug::install_panic_hook;
pub use exit::Exit;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use serde::Serialize;

use context::Context;
use error::CliError;
use global::{Format, GlobalArgs};

use crate::adapter::fs::Spool;
use crate::diag::Diagnostic;
use crate::render::json::Envelope;
use crate::ui::{ColorChoice, Loudness, Printer, draw};

/// Takes a tag to a verified, published release, and lets anyone check that release.
#[derive(Debug, Parser)]
#[command(name = "kyklos-release", version, max_term_width = 100, after_help = exit::HELP, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the source of a tag as a reproducible archive
    Archive(archive::Args),
    /// Tell what executables are: platform, size, toolchain, modules
    BuildInfo(build_info::Args),
    /// Write or check the list of files with their digests
    Checksums(checksums::Args),
    /// Make, look at, check and tag container images
    Image(image::Args),
    /// Write a commented release.yaml and policy for this repository
    Init(init::Args),
    /// Write changelogs and tell the next version
    Notes(notes::Args),
    /// Write or check a bill of materials
    Sbom(sbom::Args),
    /// Collect what gates decide on
    Evidence(evidence::Args),
    /// Decide whether a release may happen
    Gate(gate::Args),
    /// Write the release manifest of a directory of files
    Plan(plan::Args),
    /// Publish a planned release, or go on where the last run stopped
    Publish(publish::Args),
    /// Tell where a release stands
    Status(status::Args),
    /// Explain what is left of a release, for a person to do
    Manual(manual::Args),
    /// Give a release up before it is published
    Abort(abort::Args),
    /// Withdraw a published release; nothing is deleted
    Yank(yank::Args),
    /// Make, judge, publish and verify a release here, offline
    Rehearse(rehearse::Args),
    /// Check that a release is what its maker signed
    Verify(verify::Args),
    /// Make trust roots
    Trust(trust::Args),
    /// Print the script that completes commands in a shell
    Completions(completions::Args),
    /// Write the manual pages into a directory
    Man(man::Args),
    /// Print the JSON Schema of an answer, or list them
    Schema(schema::Args),
}

impl Command {
    fn run(self, context: &Context) -> Result<Reply, CliError> {
        match self {
            Self::Archive(args) => archive::run(context, &args),
            Self::BuildInfo(args) => build_info::run(context, &args),
            Self::Checksums(args) => checksums::run(context, &args),
            Self::Image(args) => image::run(context, args),
            Self::Init(args) => init::run(context, &args),
            Self::Notes(args) => notes::run(context, &args),
            Self::Sbom(args) => sbom::run(context, &args),
            Self::Evidence(args) => evidence::run(context, &args),
            Self::Gate(args) => gate::run(context, &args),
            Self::Plan(args) => plan::run(context, &args),
            Self::Publish(args) => publish::run(context, &args),
            Self::Status(args) => status::run(context, &args),
            Self::Manual(args) => manual::run(context, &args),
            Self::Abort(args) => abort::run(context, &args),
            Self::Yank(args) => yank::run(context, &args),
            Self::Rehearse(args) => rehearse::run(context, &args),
            Self::Verify(args) => verify::run(context, &args),
            Self::Trust(args) => trust::run(context, &args),
            Self::Completions(args) => completions::run(context, &args),
            Self::Man(args) => man::run(context, &args),
            Self::Schema(args) => schema::run(context, &args),
        }
    }
}

/// The commands by what they are for, as `--help` shows them.
const GROUPS: &[(&str, &[&str])] = &[
    ("Make", &["archive", "build-info", "checksums", "image", "init", "notes", "sbom"]),
    ("Decide", &["evidence", "gate"]),
    ("Publish", &["plan", "publish", "status", "manual", "abort", "yank", "rehearse"]),
    ("Consume", &["verify", "trust"]),
    ("Operate", &["completions", "man", "schema"]),
];

/// The answer of a command.
struct Reply {
    /// `kyklos-release/<name>/v1`.
    schema: &'static str,
    /// The answer for programs.
    data: Data,
    /// The answer in every other format, written to stdout as it is.
    text: Vec<u8>,
    /// Findings, for the JSON answer; a command has them in its text as well.
    diagnostics: Vec<Diagnostic>,
    /// How the process ends.
    exit: Exit,
}

/// An answer for programs.
#[derive(Debug)]
enum Data {
    /// As a value.
    Value(serde_json::Value),
    /// Written already, because it is large.
    Written(Spool),
    /// Told already, while it was made.
    Told,
}

impl Reply {
    /// A yes that is written already: text, or JSON with its envelope; see [`Reply::opening`].
    fn written(schema: &'static str, answer: Spool) -> Self {
        Self {
            schema,
            data: Data::Written(answer),
            text: Vec::new(),
            diagnostics: Vec::new(),
            exit: Exit::Done,
        }
    }

    /// A yes that was told while it was made.
    fn told(schema: &'static str) -> Self {
        let (data, text, diagnostics) = (Data::Told, Vec::new(), Vec::new());
        Self { schema, data, text, diagnostics, exit: Exit::Done }
    }

    /// What stands before the data of an answer that a command writes piece by piece, and what stands behind it.
    fn opening(schema: &str) -> (String, &'static str) {
        (format!("{{\"schema\":\"{schema}\",\"ok\":true,\"data\":"), ",\"diagnostics\":[]}\n")
    }

    /// A yes in words, for a command that made its JSON elsewhere.
    fn plain(schema: &'static str, text: impl Into<Vec<u8>>) -> Self {
        let data = Data::Value(serde_json::Value::Null);
        Self { schema, data, text: text.into(), diagnostics: Vec::new(), exit: Exit::Done }
    }

    /// An answer that says yes.
    fn done(schema: &'static str, data: &impl Serialize, text: impl Into<Vec<u8>>) -> Result<Self, CliError> {
        let data = serde_json::to_value(data).map_err(|error| no_json(&error))?;
        let data = Data::Value(data);
        Ok(Self { schema, data, text: text.into(), diagnostics: Vec::new(), exit: Exit::Done })
    }
}

fn no_json(error: &serde_json::Error) -> CliError {
    CliError::new(crate::diag::Kind::Internal, "json", format!("the answer has no JSON form: {error}"))
}

/// The command line as data, for the reference and the manual pages.
pub fn command() -> clap::Command {
    let mut command = grouped();
    command.build();
    command
}

/// Parses the command line, runs the command, writes the answer.
pub fn main() -> ExitCode {
    install_panic_hook();
    #[expect(clippy::disallowed_methods, reason = "the command line comes in here")]
    let arguments: Vec<OsString> = std::env::args_os().collect();
    run(&arguments).into()
}

/// The commands in groups instead of one list.
fn grouped() -> clap::Command {
    let command = Cli::command();
    let about = |name: &str| {
        let found = command.find_subcommand(name).and_then(clap::Command::get_about);
        found.map(ToString::to_string).unwrap_or_default()
    };
    let mut list = String::new();
    for (group, names) in GROUPS {
        list.push_str(&format!("{group}:\n"));
        for name in *names {
            list.push_str(&format!("  {name:<12} {}\n", about(name)));
        }
        list.push('\n');
    }
    let template =
        format!("{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{list}{{options}}{{after-help}}");
    command.help_template(template)
}

fn run(arguments: &[OsString]) -> Exit {
    let matches = match grouped().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => return refuse(arguments, &error),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return refuse(arguments, &error),
    };
    let context = match Context::new(&cli.global) {
        Ok(context) => context,
        Err(error) => return fail(&plain_printer(), cli.global.format, &error),
    };
    match cli.command.run(&context).and_then(|reply| answer(&context, reply)) {
        Ok(exit) => exit,
        Err(error) => fail(&context.printer, context.format, &error),
    }
}

/// Help and version go to stdout; a wrong command line is told in the words of the parser, or as JSON where that was
/// asked for.
fn refuse(arguments: &[OsString], error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        // A closed pipe is no error.
        let _ = error.print();
        return Exit::Done;
    }
    let json = arguments.iter().any(|argument| argument == "--format=json")
        || arguments.windows(2).any(|pair| pair[0] == "--format" && pair[1] == "json");
    if json {
        let message = error.to_string();
        let message = message.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        return fail(&plain_printer(), Format::Json, &CliError::usage("usage", message));
    }
    let _ = error.print();
    Exit::Usage
}

fn plain_printer() -> Printer {
    Printer::new(Loudness::Normal, ColorChoice::Auto, &|_| None)
}

fn answer(context: &Context, reply: Reply) -> Result<Exit, CliError> {
    let Reply { schema, data, text, diagnostics, exit } = reply;
    match data {
        Data::Told => {}
        Data::Written(answer) => context.answer_spooled(answer)?,
        _ if context.format != Format::Json => context.answer(&text)?,
        Data::Value(data) => {
            context.answer(&envelope(schema, exit == Exit::Done, Some(data), diagnostics))?;
        }
    }
    Ok(exit)
}

fn fail(printer: &Printer, format: Format, error: &CliError) -> Exit {
    if format == Format::Json {
        // stdout may be the very thing that failed.
        let _ = printer.data(&envelope("kyklos-release/error/v1", false, None, vec![error.diagnostic()]));
    }
    printer.block(&draw(error.problem()));
    error.exit()
}

fn envelope(
    schema: &str,
    ok: bool,
    data: Option<serde_json::Value>,
    diagnostics: Vec<Diagnostic>,
) -> Vec<u8> {
    let envelope = Envelope { schema: schema.to_owned(), ok, data, diagnostics };
    let mut bytes = serde_json::to_vec_pretty(&envelope).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
