//! `notes lint`: commit messages and titles of pull requests before they become notes.

use std::path::{Path, PathBuf};

use super::super::context::Context;
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::project::Project;
use super::super::{Format, Reply};
use super::deepen::DeepenArgs;
use crate::adapter::fs;
use crate::adapter::git::{GitError, Repository};
use crate::config::{Config, Lint, LintRule};
use crate::diag::{Diagnostic, Severity, counted};
use crate::format::yaml;
use crate::model::Commit;
use crate::notes::lint::{Cleaned, Cleanup, Comment, Edited, Opinion, Strictness, clean, lint, shown};
use crate::render::json::v1::lint::{LintFinding, Linted};
use crate::render::{github, sarif};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kyklos-release notes lint
  kyklos-release notes lint --range origin/main..HEAD --format github
  kyklos-release notes lint --message-file .git/COMMIT_EDITMSG
  kyklos-release notes lint --title \"$PR_TITLE\"
  git log -1 --format=%B | kyklos-release notes lint --message-file -

Without --range, --message-file and --title the commits are looked at that HEAD has and its base has not. The base is
the upstream branch, else the default branch of origin, else main or master.
Settings: notes.lint in release.yaml. Exit code 1: there is a finding of severity error.")]
pub(super) struct Args {
    /// FROM..TO, or FROM for FROM..HEAD: the commits TO has and FROM has not
    #[arg(long, value_name = "RANGE", conflicts_with_all = ["message_file", "title"])]
    range: Option<String>,
    /// The file a commit-msg hook is given, read as git does; - reads a message from standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["title", "deepen"])]
    message_file: Option<PathBuf>,
    /// The title of a pull request
    #[arg(long, value_name = "TITLE", conflicts_with = "deepen")]
    title: Option<String>,
    /// What is left out of a message file, as in git commit --cleanup; git's own setting decides where it is not given
    #[arg(long, value_name = "MODE", requires = "message_file")]
    #[arg(value_parser = ["strip", "whitespace", "verbatim", "scissors", "default"])]
    cleanup: Option<String>,
    /// Follow the letter of Conventional Commits: what is understood in spite of it is an error as well
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    deepen: DeepenArgs,
}

/// The largest message file; `git commit --verbose` puts the change itself into it.
const MAX_FILE: u64 = 256 << 20;
/// As much of a message as is looked at; git is read no further.
const MAX_MESSAGE: usize = 1 << 20;

/// A message, and where it comes from.
struct Subject {
    source: Source,
    cleaned: Cleaned,
}

enum Source {
    Commit(String),
    File(String),
    Title,
    Stdin,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json, Format::Sarif, Format::Github])?;
    args.deepen.around(context, || look(context, args))
}

fn look(context: &Context, args: &Args) -> Result<Reply, CliError> {
    let (repository, rules) = settings(context)?;
    let (subjects, merges) = match (&args.message_file, &args.title) {
        (Some(path), _) => (vec![message_file(context, args, path, repository.as_ref())?], 0),
        (None, Some(title)) => (vec![Subject { source: Source::Title, cleaned: whole(title) }], 0),
        (None, None) => {
            let repository = match repository {
                Some(repository) => repository,
                None => Repository::discover(&context.directory)?,
            };
            range(context, args.range.as_deref(), &repository)?
        }
    };
    let strictness = if args.strict { Strictness::Letter } else { Strictness::Lenient };
    let mut answer = Linted { checked: 0, ignored: merges, errors: 0, warnings: 0, findings: Vec::new() };
    for subject in &subjects {
        match lint(&subject.cleaned.message, &rules, strictness) {
            Opinion::Ignored => answer.ignored += 1,
            Opinion::Looked(findings) => {
                answer.checked += 1;
                answer.findings.extend(findings.iter().map(|finding| subject.wire(finding)));
            }
        }
    }
    let count =
        |severity| answer.findings.iter().filter(|finding| finding.severity == severity).count() as u64;
    answer.errors = count(Severity::Error);
    answer.warnings = count(Severity::Warning);
    reply(context, &answer)
}

/// The repository, when there is one, and what `release.yaml` asks for. Messages can be looked at without either.
fn settings(context: &Context) -> Result<(Option<Repository>, Lint), CliError> {
    match Repository::discover(&context.directory) {
        Ok(_) => {
            let project = Project::open(context)?;
            Ok((Some(project.repository), project.config.lint))
        }
        Err(GitError::NoRepository { .. }) => {
            let Some(path) = &context.config else { return Ok((None, Lint::default())) };
            let bytes = fs::read(&context.path(path), yaml::MAX_BYTES)?;
            Ok((None, Config::load(&bytes, &path.display().to_string())?.lint))
        }
        Err(error) => Err(error.into()),
    }
}

fn whole(text: &str) -> Cleaned {
    clean(text, Cleanup::Verbatim, &Comment::Auto)
}

fn message_file(
    context: &Context,
    args: &Args,
    path: &Path,
    repository: Option<&Repository>,
) -> Result<Subject, CliError> {
    let stdin = path.as_os_str() == "-";
    let bytes = if stdin { context.stdin(MAX_FILE)? } else { context.read(path, MAX_FILE)? };
    let text = String::from_utf8_lossy(&bytes);
    let setting = |name: &str| repository.and_then(|repository| repository.setting(name));
    // Hooks of a commit without an editor get this one, which does nothing.
    let edited = match context.variable("GIT_EDITOR") {
        Some(":") => Edited::No,
        _ if stdin => Edited::No,
        _ => Edited::Yes,
    };
    let mode = args.cleanup.clone().or_else(|| setting("commit.cleanup"));
    let mode = mode.unwrap_or_else(|| "default".to_owned());
    let cleanup = Cleanup::of(&mode, edited).ok_or_else(|| {
        CliError::usage("notes-cleanup", format!("git has no cleanup mode `{mode}`"))
            .fact("expected", "strip, whitespace, verbatim, scissors or default")
            .hinted("git config commit.cleanup default")
    })?;
    let mark = setting("core.commentString").or_else(|| setting("core.commentChar"));
    let comment = match mark.as_deref() {
        Some("auto") => Comment::Auto,
        Some(mark) => Comment::Mark(mark.to_owned()),
        None => Comment::Mark("#".to_owned()),
    };
    let source = if stdin { Source::Stdin } else { Source::File(path.display().to_string()) };
    let mut cleaned = clean(&text, cleanup, &comment);
    let end = (0..=MAX_MESSAGE.min(cleaned.message.len())).rfind(|at| cleaned.message.is_char_boundary(*at));
    cleaned.message.truncate(end.unwrap_or(0));
    Ok(Subject { source, cleaned })
}

/// The commits of a range, oldest first, as they were made, and the number of merges among them: what a merge brings is
/// looked at, what it says is not.
fn range(
    context: &Context,
    range: Option<&str>,
    repository: &Repository,
) -> Result<(Vec<Subject>, u64), CliError> {
    let (from, to) = match range {
        Some(range) => {
            let (from, to) = range.split_once("..").unwrap_or((range, "HEAD"));
            if from.is_empty() || to.starts_with('.') {
                let error = CliError::usage("notes-range", format!("`{range}` is no range"));
                return Err(error.fact("expected", "FROM..TO"));
            }
            (from.to_owned(), if to.is_empty() { "HEAD" } else { to }.to_owned())
        }
        None => {
            let target =
                context.variable("GITHUB_BASE_REF").map(|name| format!("refs/remotes/origin/{name}"));
            let target = target.filter(|name| repository.resolve(name).is_ok());
            let base = target.or_else(|| repository.base()).ok_or_else(|| no_base(repository))?;
            (base, "HEAD".to_owned())
        }
    };
    // The end of a range that a shallow clone does not have lies behind its edge.
    let resolve = |revision: &str| match repository.resolve(revision) {
        Err(GitError::NoRevision { .. }) if revision == "HEAD" => repository.head(),
        Err(GitError::NoRevision { .. }) if repository.is_shallow() => Err(GitError::Shallow),
        other => other,
    };
    let commits = repository.between(resolve(&from)?, resolve(&to)?)?;
    let (made, merges): (Vec<_>, Vec<_>) = commits.iter().rev().partition(|commit| commit.parents.len() < 2);
    let subject = |commit: &&Commit| Subject {
        source: Source::Commit(commit.id.to_string()),
        cleaned: whole(&commit.message),
    };
    Ok((made.iter().map(subject).collect(), merges.len() as u64))
}

fn no_base(repository: &Repository) -> CliError {
    if repository.is_shallow() {
        return GitError::Shallow.into();
    }
    CliError::usage("notes-no-base", "there is no branch to compare HEAD with")
        .fact("expected", "an upstream branch, the default branch of origin, main or master")
        .hinted("kyklos-release notes lint --range HEAD~1..HEAD")
}

impl Subject {
    fn wire(&self, finding: &crate::notes::lint::Finding) -> LintFinding {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let (source, sha, path) = match &self.source {
            Source::Commit(sha) => ("commit", Some(sha.clone()), None),
            Source::File(path) => ("file", None, Some(path.clone())),
            Source::Title => ("title", None, None),
            Source::Stdin => ("stdin", None, None),
        };
        LintFinding {
            code: finding.rule.code().to_owned(),
            severity: finding.severity,
            message: finding.message.clone(),
            source: source.to_owned(),
            sha,
            path,
            subject: shown(self.cleaned.message.lines().next().unwrap_or_default()),
            line: number(self.cleaned.line_of(finding.line)),
            column: number(finding.column),
            excerpt: finding.excerpt.clone(),
            suggestion: finding.suggestion.clone(),
        }
    }
}

/// The finding as it stands in every JSON answer. A commit is named in its message, since it has no path.
fn diagnostic(finding: &LintFinding) -> Diagnostic {
    let message = match &finding.sha {
        Some(sha) => format!("{}: {}", &sha[..7], finding.message),
        None => finding.message.clone(),
    };
    let mut diagnostic = Diagnostic::new(finding.severity, &finding.code, message);
    diagnostic.path.clone_from(&finding.path);
    diagnostic.line = Some(finding.line);
    diagnostic.column = Some(finding.column);
    diagnostic.hint = finding.suggestion.as_ref().map(|text| format!("write `{}`", text.trim_start()));
    diagnostic
}

fn reply(context: &Context, answer: &Linted) -> Result<Reply, CliError> {
    let diagnostics: Vec<Diagnostic> = answer.findings.iter().map(diagnostic).collect();
    let text = match context.format {
        Format::Github => diagnostics.iter().map(github::annotation).collect::<String>().into_bytes(),
        Format::Sarif => document(answer, &diagnostics),
        Format::Text | Format::Json | Format::Markdown | Format::Junit => text(answer).into_bytes(),
    };
    let mut reply = Reply::done("kyklos-release/notes-lint/v1", answer, text)?;
    reply.diagnostics = diagnostics;
    if answer.errors > 0 {
        reply.exit = Exit::No;
    }
    Ok(reply)
}

fn document(answer: &Linted, diagnostics: &[Diagnostic]) -> Vec<u8> {
    let rules: Vec<sarif::Rule> = LintRule::ALL
        .iter()
        .map(|rule| sarif::Rule { code: rule.code(), summary: rule.summary(), severity: rule.severity() })
        .collect();
    let findings: Vec<sarif::Found> = answer
        .findings
        .iter()
        .zip(diagnostics)
        .map(|(finding, diagnostic)| sarif::Found {
            diagnostic: diagnostic.clone(),
            excerpt: Some(finding.excerpt.clone()),
            about: match &finding.sha {
                Some(sha) => Some(("commit", sha.clone())),
                None if finding.path.is_none() => Some(("message", finding.subject.clone())),
                None => None,
            },
        })
        .collect();
    sarif::document(&rules, &findings)
}

fn text(answer: &Linted) -> String {
    let mut text = String::new();
    let mut last: Option<(&Option<String>, &str)> = None;
    for finding in &answer.findings {
        let here = (&finding.sha, finding.subject.as_str());
        if last != Some(here) {
            let name = finding.sha.as_ref().map(|sha| format!("{} ", &sha[..7])).unwrap_or_default();
            text.push_str(&format!("{name}{}\n", finding.subject));
            last = Some(here);
        }
        let word = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let LintFinding { line, column, code, message, .. } = finding;
        text.push_str(&format!("  {line}:{column}  {word}[{code}]: {message}\n"));
        if line > &1 && finding.excerpt != finding.subject {
            text.push_str(&format!("       found  {}\n", finding.excerpt));
        }
        if let Some(suggestion) = &finding.suggestion {
            text.push_str(&format!("       write  {}\n", suggestion.trim_start_matches('\n')));
        }
    }
    text.push_str(&format!(
        "{} looked at, {} ignored: {}, {}\n",
        counted(answer.checked, "message", "messages"),
        answer.ignored,
        counted(answer.errors, "error", "errors"),
        counted(answer.warnings, "warning", "warnings"),
    ));
    text
}
