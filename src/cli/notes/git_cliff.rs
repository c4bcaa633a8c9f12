//! Flags of git-cliff that are called otherwise here, for whoever types them.

use clap::error::{ContextKind, ContextValue};

/// What does the same here as a flag that is not known, or why nothing has to.
pub(in crate::cli) fn tip(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return None };
    if error.kind() != clap::error::ErrorKind::UnknownArgument {
        return None;
    }
    let flag = flag.split(['=', ' ']).next().unwrap_or_default();
    let of_forge = ["--github-", "--gitlab-", "--gitea-", "--azure-devops-", "--bitbucket-"];
    let told = match flag {
        "-x" | "--context" => "here it is called `--format json`",
        "--bumped-version" => "here it is a command: `kyklos-release notes next`",
        "-b" | "--body" => "here templates are files: `--template FILE`, or `--partial NAME=FILE` for a part",
        "-c" | "--config-url" => {
            "`kyklos-release notes import cliff.toml` writes what `release.yaml` takes; `--config FILE` names that"
        }
        "-i" | "--init" => "here it is a command: `kyklos-release init`",
        "-r" | "--repository" | "-w" | "--workdir" => "here it is called `-C DIR`",
        "--use-branch-tags" => "leave it out: only tags that the commit has behind it end its notes",
        "--topo-order" | "--date-order" => {
            "leave it out: a commit belongs to the release that reaches it first, and dates decide nothing"
        }
        "--count-tags" => {
            "here it is `--tag-pattern PATTERN` for the form of release tags, `--ignore-tags REGEX` for the rest"
        }
        "--no-exec" => "leave it out: nothing is executed",
        "--strict" => "the letter is what `kyklos-release notes lint --strict` asks for",
        "--with-commit" => "here what no commit says is a file in `.kyklos/changes/` or `.kyklos/notes/`",
        "--with-tag-message" => "here texts of a release are files in `.kyklos/notes/TAG/`",
        flag if of_forge.iter().any(|start| flag.starts_with(start)) => {
            "`--enrich` asks the forge; servers and tokens come from variables, such as GITLAB_API_URL and GITLAB_TOKEN"
        }
        _ => return None,
    };
    Some(told.to_owned())
}
