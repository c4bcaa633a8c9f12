//! The file that a `commit-msg` hook is given, as git will make a message of it (git-commit, `--cleanup`).

/// What git leaves out of a message file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleanup {
    /// Nothing.
    Verbatim,
    /// Blank lines at both ends, doubled ones, and blanks at the ends of lines.
    Whitespace,
    /// The same, and comment lines.
    Strip,
    /// White space, and everything behind the line of scissors.
    Scissors,
}

impl Cleanup {
    /// The word of `commit.cleanup`. `edited` tells whether an editor was opened, which decides for `default`.
    pub fn of(word: &str, edited: Edited) -> Option<Self> {
        Some(match word {
            "verbatim" => Self::Verbatim,
            "whitespace" => Self::Whitespace,
            "strip" => Self::Strip,
            // Without an editor nothing was cut off, and nothing was commented.
            "scissors" if edited == Edited::Yes => Self::Scissors,
            "scissors" => Self::Whitespace,
            "default" if edited == Edited::Yes => Self::Strip,
            "default" => Self::Whitespace,
            _ => return None,
        })
    }
}

/// Whether an editor was opened on the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// By `git commit`.
    Yes,
    /// By `git commit -m` and the like.
    No,
}

/// How comment lines begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comment {
    /// With these characters (`core.commentChar`, `core.commentString`).
    Mark(String),
    /// With a character that git chose, `core.commentChar=auto`.
    Auto,
}

/// A message, and where its lines stood in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleaned {
    /// The message.
    pub message: String,
    /// The 1-based line of the file, for each line of the message.
    pub lines: Vec<usize>,
}

impl Cleaned {
    /// Where a line of the message stood in the file; an empty message stands at its first line.
    pub fn line_of(&self, line: usize) -> usize {
        self.lines.get(line.saturating_sub(1)).or(self.lines.last()).copied().unwrap_or(1)
    }
}

/// Makes a message of a file.
pub fn clean(text: &str, cleanup: Cleanup, comment: &Comment) -> Cleaned {
    let mark = match comment {
        Comment::Mark(mark) => mark.clone(),
        Comment::Auto => chosen(text),
    };
    let scissors = format!("{mark} ------------------------ >8 ------------------------");
    let mut kept: Vec<(usize, &str)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let cuts = matches!(cleanup, Cleanup::Strip | Cleanup::Scissors);
        if cuts && line.trim_end() == scissors {
            break;
        }
        let comment = cleanup == Cleanup::Strip && !mark.is_empty() && line.starts_with(&mark);
        if comment {
            continue;
        }
        if cleanup == Cleanup::Verbatim {
            kept.push((number, line));
            continue;
        }
        let line = line.trim_end();
        let doubled = line.is_empty() && kept.last().is_none_or(|(_, before)| before.is_empty());
        if !doubled {
            kept.push((number, line));
        }
    }
    while kept.last().is_some_and(|(_, line)| line.trim().is_empty()) {
        kept.pop();
    }
    let message: Vec<&str> = kept.iter().map(|(_, line)| *line).collect();
    Cleaned { message: message.join("\n"), lines: kept.iter().map(|(number, _)| *number).collect() }
}

/// The character git chose: its own lines stand at the end of the file.
fn chosen(text: &str) -> String {
    const CHARACTERS: &str = "#;@!$%^&|:";
    let scissors = text
        .lines()
        .find_map(|line| line.strip_suffix(" ------------------------ >8 ------------------------"));
    let last = || text.lines().rfind(|line| !line.trim().is_empty())?.get(..1);
    let mark = scissors.or_else(last).filter(|mark| mark.len() == 1 && CHARACTERS.contains(*mark));
    mark.unwrap_or("#").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDITED: &str = "\n\nfeat: x  \n\n\n# not me\nbody\n#also\n \n# ------------------------ >8 ------------------------\n# Do not touch\ndiff --git a b\n";

    fn told(cleanup: Cleanup) -> (String, Vec<usize>) {
        let cleaned = clean(EDITED, cleanup, &Comment::Mark("#".to_owned()));
        (cleaned.message, cleaned.lines)
    }

    #[test]
    fn what_git_leaves_out() {
        assert_eq!(told(Cleanup::Strip), ("feat: x\n\nbody".to_owned(), vec![3, 4, 7]));
        assert_eq!(
            told(Cleanup::Scissors),
            ("feat: x\n\n# not me\nbody\n#also".to_owned(), vec![3, 4, 6, 7, 8])
        );
        let (whole, lines) = told(Cleanup::Whitespace);
        assert!(whole.starts_with("feat: x\n\n# not me") && whole.ends_with("diff --git a b"), "{whole}");
        assert_eq!(lines.last(), Some(&12));
        assert_eq!(told(Cleanup::Verbatim).0, EDITED.trim_end());
    }

    #[test]
    fn other_marks() {
        let text = "feat: x\n\n#12 is a line\n; Please enter\n;\n";
        assert_eq!(clean(text, Cleanup::Strip, &Comment::Auto).message, "feat: x\n\n#12 is a line");
        let many = clean("feat: x\n// no\n", Cleanup::Strip, &Comment::Mark("//".to_owned()));
        assert_eq!(many.message, "feat: x");
        assert_eq!(clean("# all\n", Cleanup::Strip, &Comment::Auto).message, "");
        assert_eq!(clean("# all\n", Cleanup::Strip, &Comment::Auto).line_of(1), 1);
    }

    #[test]
    fn words_of_git() {
        assert_eq!(Cleanup::of("default", Edited::Yes), Some(Cleanup::Strip));
        assert_eq!(Cleanup::of("default", Edited::No), Some(Cleanup::Whitespace));
        assert_eq!(Cleanup::of("scissors", Edited::No), Some(Cleanup::Whitespace));
        assert_eq!(Cleanup::of("tidy", Edited::Yes), None);
    }
}
