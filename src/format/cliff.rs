//! `cliff.toml`, the configuration of git-cliff, as far as it can be carried over. Everything it holds is told with its
//! line; what is not known by name is told as well.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diag::{Hint, Kind, Span};

/// The largest file.
pub const MAX_BYTES: u64 = 1 << 20;
/// More entries than a list has that somebody wrote.
const MAX_ENTRIES: usize = 2000;

/// A value, and the line it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    /// 1-based.
    pub line: u32,
    /// The value.
    pub value: T,
}

/// The file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cliff {
    /// `git.commit_parsers`, in their order: the first that matches counts.
    pub commit_parsers: Vec<At<CommitParser>>,
    /// `git.link_parsers`.
    pub link_parsers: Vec<At<LinkParser>>,
    /// `git.commit_preprocessors` and `changelog.postprocessors`, by the pattern.
    pub replacements: Vec<At<String>>,
    /// `git.tag_pattern`.
    pub tag_pattern: Option<At<String>>,
    /// `git.filter_commits`: whether what no parser matches is left out.
    pub filter_commits: bool,
    /// Everything else that is set: the key with its table, and the value as a word.
    pub others: Vec<At<(String, String)>>,
}

/// One entry of `commit_parsers`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitParser {
    /// What is matched, and the pattern: `message`, `body`, `footer`, `sha`, or a field.
    pub conditions: Vec<(String, String)>,
    /// The heading.
    pub group: Option<String>,
    /// Whether the commit is left out.
    pub skip: bool,
    /// Other settings: `scope`, `default_scope`, …
    pub others: Vec<String>,
}

/// One entry of `link_parsers`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkParser {
    /// What is matched.
    pub pattern: String,
    /// Where it leads.
    pub href: String,
}

impl Cliff {
    /// Reads a file. `path` is the name the user knows it by.
    pub fn parse(bytes: &[u8], path: &str) -> Result<Self, CliffError> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(CliffError::TooLarge { path: path.to_owned(), found: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| CliffError::NotText { path: path.to_owned() })?;
        let reading = Reading { text, path };
        if let Some(at) = super::toml::too_deep(text) {
            return Err(reading.refuse("nested too deep".to_owned(), at..at + 1));
        }
        let root = DeTable::parse(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            reading.refuse(error.message().lines().next().unwrap_or_default().to_owned(), span)
        })?;
        let mut cliff = Self::default();
        for (name, table) in root.get_ref() {
            let name = name.get_ref().as_ref();
            match table.get_ref() {
                DeValue::Table(table) => reading.section(name, table, &mut cliff)?,
                _ => cliff.others.push(reading.at(table, (name.to_owned(), word(table.get_ref())))),
            }
        }
        cliff.others.sort_by_key(|other| other.line);
        Ok(cliff)
    }
}

struct Reading<'a> {
    text: &'a str,
    path: &'a str,
}

type Value<'i> = Spanned<DeValue<'i>>;

impl Reading<'_> {
    fn section(&self, section: &str, table: &DeTable<'_>, cliff: &mut Cliff) -> Result<(), CliffError> {
        for (name, value) in table {
            let name = name.get_ref().as_ref();
            match (section, name) {
                ("git", "commit_parsers") => {
                    for entry in self.list(value)? {
                        cliff.commit_parsers.push(self.commit_parser(entry)?);
                    }
                }
                ("git", "link_parsers") => {
                    for entry in self.list(value)? {
                        let mut link = LinkParser::default();
                        for (name, value) in self.table(entry)? {
                            match name.get_ref().as_ref() {
                                "pattern" => link.pattern = self.string(value)?,
                                "href" => link.href = self.string(value)?,
                                _ => {}
                            }
                        }
                        cliff.link_parsers.push(self.at(entry, link));
                    }
                }
                ("git", "commit_preprocessors") | ("changelog", "postprocessors") => {
                    for entry in self.list(value)? {
                        let pattern = self.table(entry)?.iter().find(|(name, _)| name.get_ref() == "pattern");
                        let pattern = pattern.map(|(_, value)| self.string(value)).transpose()?;
                        cliff.replacements.push(self.at(entry, pattern.unwrap_or_default()));
                    }
                }
                ("git", "tag_pattern") => {
                    let pattern = self.string(value)?;
                    cliff.tag_pattern = Some(self.at(value, pattern)).filter(|at| !at.value.is_empty());
                }
                ("git", "filter_commits") => cliff.filter_commits = self.boolean(value)?,
                _ => match value.get_ref() {
                    DeValue::Table(inner) => {
                        for (inner, value) in inner {
                            let key = format!("{section}.{name}.{}", inner.get_ref());
                            cliff.others.push(self.at(value, (key, word(value.get_ref()))));
                        }
                    }
                    other => {
                        cliff.others.push(self.at(value, (format!("{section}.{name}"), word(other))));
                    }
                },
            }
        }
        Ok(())
    }

    fn commit_parser(&self, entry: &Value<'_>) -> Result<At<CommitParser>, CliffError> {
        let mut parser = CommitParser::default();
        let mut field = None;
        for (name, value) in self.table(entry)? {
            let name = name.get_ref().as_ref();
            match name {
                "group" => parser.group = Some(self.string(value)?),
                "skip" => parser.skip = self.boolean(value)?,
                "message" | "body" | "footer" | "sha" => {
                    parser.conditions.push((name.to_owned(), self.string(value)?));
                }
                "field" => field = Some(self.string(value)?),
                "pattern" => parser.conditions.push(("field".to_owned(), self.string(value)?)),
                other => parser.others.push(other.to_owned()),
            }
        }
        for (name, _) in &mut parser.conditions {
            if let ("field", Some(field)) = (name.as_str(), &field) {
                name.clone_from(field);
            }
        }
        Ok(self.at(entry, parser))
    }

    fn list<'v, 'i>(&self, value: &'v Value<'i>) -> Result<&'v [Value<'i>], CliffError> {
        match value.get_ref() {
            DeValue::Array(list) if list.len() <= MAX_ENTRIES => Ok(list),
            DeValue::Array(_) => {
                Err(self.refuse(format!("expected at most {MAX_ENTRIES} entries"), value.span()))
            }
            other => Err(self.refuse(format!("expected a list, found {}", other.type_str()), value.span())),
        }
    }

    fn table<'v, 'i>(&self, value: &'v Value<'i>) -> Result<&'v DeTable<'i>, CliffError> {
        let refuse =
            || self.refuse(format!("expected a table, found {}", value.get_ref().type_str()), value.span());
        value.get_ref().as_table().ok_or_else(refuse)
    }

    fn string(&self, value: &Value<'_>) -> Result<String, CliffError> {
        let refuse =
            || self.refuse(format!("expected a string, found {}", value.get_ref().type_str()), value.span());
        value.get_ref().as_str().map(str::to_owned).ok_or_else(refuse)
    }

    fn boolean(&self, value: &Value<'_>) -> Result<bool, CliffError> {
        let refuse = || {
            self.refuse(format!("expected true or false, found {}", value.get_ref().type_str()), value.span())
        };
        value.get_ref().as_bool().ok_or_else(refuse)
    }

    fn at<T>(&self, value: &Value<'_>, told: T) -> At<T> {
        let before = self.text.get(..value.span().start).unwrap_or(self.text);
        At { line: u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX), value: told }
    }

    fn refuse(&self, message: String, span: std::ops::Range<usize>) -> CliffError {
        CliffError::Content {
            message,
            span: Box::new(Span {
                path: self.path.to_owned(),
                source: self.text.to_owned(),
                start: span.start.min(self.text.len()),
                end: span.end.min(self.text.len()),
                label: "here".to_owned(),
            }),
        }
    }
}

/// A value as far as it decides anything: a short text, a number, a word.
fn word(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.chars().take(200).collect(),
        DeValue::Boolean(yes) => yes.to_string(),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            value.type_str().to_owned()
        }
    }
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CliffError {
    /// Too many bytes.
    #[error("{path} has {found} bytes, at most {MAX_BYTES} are read")]
    TooLarge {
        /// The file.
        path: String,
        /// Bytes.
        found: usize,
    },
    /// Not UTF-8.
    #[error("{path} is not UTF-8 text")]
    NotText {
        /// The file.
        path: String,
    },
    /// Not TOML, or a value of another kind.
    #[error("{message}")]
    Content {
        /// In one line.
        message: String,
        /// Where.
        span: Box<Span>,
    },
}

impl Hint for CliffError {
    fn code(&self) -> &'static str {
        "cliff"
    }

    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn span(&self) -> Option<Span> {
        match self {
            Self::Content { span, .. } => Some((**span).clone()),
            Self::TooLarge { .. } | Self::NotText { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_stands_where() {
        let text = "[changelog]\nheader = \"x\"\npostprocessors = [{ pattern = '<R>', replace = 'y' }]\n\n[git]\nfilter_commits = true\ncommit_parsers = [\n  { message = \"^feat\", group = \"A\" },\n  { field = \"author.name\", pattern = \"bot\", skip = true, default_scope = 'x' },\n]\ntag_pattern = 'v.*'\nlink_parsers = [{ pattern = '#(\\d+)', href = 'u', text = 't' }]\n[remote.github]\nowner = \"o\"\n[bump]\ninitial_tag = '1'\n";
        let cliff = Cliff::parse(text.as_bytes(), "cliff.toml").unwrap();
        let lines: Vec<u32> = cliff.commit_parsers.iter().map(|parser| parser.line).collect();
        assert_eq!(lines, [8, 9]);
        let second = &cliff.commit_parsers[1].value;
        assert_eq!(second.conditions, [("author.name".to_owned(), "bot".to_owned())]);
        assert_eq!((second.skip, second.others.as_slice()), (true, ["default_scope".to_owned()].as_slice()));
        assert_eq!(cliff.tag_pattern, Some(At { line: 11, value: "v.*".to_owned() }));
        assert_eq!((cliff.link_parsers[0].line, cliff.replacements[0].line), (12, 3));
        let others: Vec<(u32, &str, &str)> =
            cliff.others.iter().map(|at| (at.line, at.value.0.as_str(), at.value.1.as_str())).collect();
        assert_eq!(
            others,
            [(2, "changelog.header", "x"), (14, "remote.github.owner", "o"), (16, "bump.initial_tag", "1")]
        );
        assert!(cliff.filter_commits);
    }

    #[test]
    fn nesting_without_end_is_refused() {
        // The parser goes on behind the second `=`, and deeper with each.
        for text in ["x = [{ a = b = [".repeat(4000), format!("x = {}", "[".repeat(100))] {
            let error = Cliff::parse(text.as_bytes(), "cliff.toml").unwrap_err();
            assert_eq!(error.to_string(), "nested too deep", "{}", &text[..20]);
        }
    }

    #[test]
    fn what_is_wrong_is_shown() {
        let refuse = |text: &str| {
            let error = Cliff::parse(text.as_bytes(), "cliff.toml").unwrap_err();
            (error.to_string(), error.span().map(|span| span.line_column()))
        };
        assert_eq!(
            refuse("[git]\ncommit_parsers = \"x\"\n"),
            ("expected a list, found string".to_owned(), Some((2, 18)))
        );
        assert_eq!(refuse("[git]\ncommit_parsers = [{ skip = 'y' }]\n").1, Some((2, 28)));
        assert_eq!(refuse("[git\n").1, Some((1, 5)));
        assert!(Cliff::parse(b"\xff", "x").is_err());
        assert!(Cliff::parse(&vec![b'#'; (1 << 20) + 1], "x").is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in "(?s)[ -~\\n\u{e9}]{0,80}|\\[git\\]\\n(commit_parsers|tag_pattern) = [ -~\\n]{0,60}") {
            let _ = Cliff::parse(text.as_bytes(), "cliff.toml");
        }
    }
}
