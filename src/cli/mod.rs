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

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory as _, FromArgMatches, Parser, Subcommand};
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

/// Declares the commands. The derive of clap would make the flags of all of them on every start, which is a megabyte of
/// memory and most of the time until the first one does something; here a command has none until it is asked for.
macro_rules! commands {
    ($($about:literal $name:literal $variant:ident($module:ident)),+ $(,)?) => {
        #[derive(Debug)]
        enum Command {
            $($variant($module::Args)),+
        }

        impl Subcommand for Command {
            fn augment_subcommands(cli: clap::Command) -> clap::Command {
                cli$(.subcommand(
                    clap::Command::new($name)
                        .about($about)
                        .defer(|command| <$module::Args as clap::Args>::augment_args(command).about($about)),
                ))+
            }

            fn augment_subcommands_for_update(cli: clap::Command) -> clap::Command {
                Self::augment_subcommands(cli)
            }

            fn has_subcommand(name: &str) -> bool {
                [$($name),+].contains(&name)
            }
        }

        impl FromArgMatches for Command {
            fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
                Self::from_arg_matches_mut(&mut matches.clone())
            }

            fn from_arg_matches_mut(matches: &mut clap::ArgMatches) -> Result<Self, clap::Error> {
                let (name, mut own) = matches.remove_subcommand().unwrap_or_default();
                match name.as_str() {
                    $($name => Ok(Self::$variant($module::Args::from_arg_matches_mut(&mut own)?)),)+
                    _ => Err(clap::Error::new(clap::error::ErrorKind::MissingSubcommand)),
                }
            }

            fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
                *self = Self::from_arg_matches(matches)?;
                Ok(())
            }
        }

        impl Command {
            fn run(self, context: &Context) -> Result<Reply, CliError> {
                match self {
                    $(Self::$variant(args) => $module::run(context, &args)),+
                }
            }
        }
    };
}

commands! {
    "Write the source of a tag as a reproducible archive" "archive" Archive(archive),
    "Tell what executables are: platform, size, toolchain, modules" "build-info" BuildInfo(build_info),
    "Write or check the list of files with their digests" "checksums" Checksums(checksums),
    "Make, look at, check and tag container images" "image" Image(image),
    "Write a commented release.yaml and policy for this repository" "init" Init(init),
    "Write changelogs and tell the next version" "notes" Notes(notes),
    "Write or check a bill of materials" "sbom" Sbom(sbom),
    "Collect what gates decide on" "evidence" Evidence(evidence),
    "Decide whether a release may happen" "gate" Gate(gate),
    "Write the release manifest of a directory of files" "plan" Plan(plan),
    "Publish a planned release, or go on where the last run stopped" "publish" Publish(publish),
    "Tell where a release stands" "status" Status(status),
    "Explain what is left of a release, for a person to do" "manual" Manual(manual),
    "Give a release up before it is published" "abort" Abort(abort),
    "Withdraw a published release; nothing is deleted" "yank" Yank(yank),
    "Make, judge, publish and verify a release here, offline" "rehearse" Rehearse(rehearse),
    "Check that a release is what its maker signed" "verify" Verify(verify),
    "Make trust roots" "trust" Trust(trust),
    "Print the script that completes commands in a shell" "completions" Completions(completions),
    "Write the manual pages into a directory" "man" Man(man),
    "Print the JSON Schema of an answer, or list them" "schema" Schema(schema),
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
    fn opening(schema: &str, diagnostics: &[Diagnostic]) -> Result<(String, String), CliError> {
        let diagnostics = serde_json::to_string(diagnostics).map_err(|error| no_json(&error))?;
        let opening = format!("{{\"schema\":\"{schema}\",\"ok\":true,\"data\":");
        Ok((opening, format!(",\"diagnostics\":{diagnostics}}}\n")))
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
        Err(error) => return refuse(arguments, error),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return refuse(arguments, error),
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
fn refuse(arguments: &[OsString], mut error: clap::Error) -> Exit {
    if !error.use_stderr() {
        // A closed pipe is no error.
        let _ = error.print();
        return Exit::Done;
    }
    let tip = arguments.iter().any(|word| word == "notes").then(|| notes::tip(&error)).flatten();
    let json = arguments.iter().any(|argument| argument == "--format=json")
        || arguments.windows(2).any(|pair| pair[0] == "--format" && pair[1] == "json");
    if json {
        let message = error.to_string();
        let message = message.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let refused = CliError::usage("usage", message);
        let refused = tip.into_iter().fold(refused, CliError::hinted);
        return fail(&plain_printer(), Format::Json, &refused);
    }
    if let Some(tip) = tip {
        // What looks alike, also in the usage, is something else.
        let _ = error.remove(ContextKind::SuggestedArg);
        let _ = error.remove(ContextKind::Usage);
        let _ = error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
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
