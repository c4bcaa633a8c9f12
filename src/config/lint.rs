//! What `notes lint` asks of a message: the rules by name, and what `release.yaml` says about them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::{Severity, perhaps};

/// What `notes lint` asks of commit messages and pull request titles.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenLint {
    /// The types a message may have. Default: those of Conventional Commits and of this changelog.
    pub types: Option<Vec<String>>,
    /// The scopes a message may have. Default: any.
    pub scopes: Option<Vec<String>>,
    /// Whether a message must have a scope. Default: no.
    #[serde(default)]
    pub require_scope: bool,
    /// The longest first line, in characters, without the number of a pull request at its end. Default: 100.
    pub max_subject: Option<u32>,
    /// The longest line of a body, in characters. Default: any length.
    pub max_body_line: Option<u32>,
    /// First lines that are not looked at: globs over the whole line, for example `WIP*`.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// Whether merges, reverts, `fixup!` and the like are not looked at. Default: yes.
    pub default_ignores: Option<bool>,
    /// What a finding weighs, by its code: `error`, `warning`, `note` or `off`.
    #[serde(default)]
    pub rules: BTreeMap<String, WrittenSeverity>,
}

/// What a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WrittenSeverity {
    /// The answer is no.
    Error,
    /// Told, and the answer is yes.
    Warning,
    /// Told, and the answer is yes.
    Note,
    /// Not told.
    Off,
}

/// One thing that can be wrong with a message. The names of the first six are those of `notes parse`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LintRule {
    /// No text at all.
    MessageEmpty,
    /// No type at the start of the line.
    MessageType,
    /// Parentheses that are empty, nested or open.
    MessageScope,
    /// No colon behind the type.
    MessageColon,
    /// No space behind the colon.
    MessageSpace,
    /// Nothing behind the colon.
    MessageDescription,
    /// A blank before the type.
    SubjectIndent,
    /// Blanks that are none of the keyboard.
    SubjectBlank,
    /// A first line that lists cut off.
    SubjectLong,
    /// A period at the end.
    SubjectPeriod,
    /// A type with capitals.
    TypeCase,
    /// A type that is not in the list.
    TypeUnknown,
    /// A scope that is not in the list.
    ScopeUnknown,
    /// No scope.
    ScopeMissing,
    /// No blank line behind the first.
    BodyBlankLine,
    /// A long line in the body.
    BodyLineLong,
    /// A breaking change told in small letters, which is none.
    BreakingCase,
    /// A breaking change without `: `.
    BreakingSeparator,
    /// A breaking change without a blank line before it.
    BreakingBlankLine,
    /// A breaking change behind blanks.
    BreakingIndent,
    /// A breaking change in a bullet.
    BreakingBullet,
    /// A breaking change without a text.
    BreakingEmpty,
    /// A footer whose name has blanks.
    FooterToken,
}

impl LintRule {
    /// Every rule.
    pub const ALL: [Self; 23] = [
        Self::MessageEmpty,
        Self::MessageType,
        Self::MessageScope,
        Self::MessageColon,
        Self::MessageSpace,
        Self::MessageDescription,
        Self::SubjectIndent,
        Self::SubjectBlank,
        Self::SubjectLong,
        Self::SubjectPeriod,
        Self::TypeCase,
        Self::TypeUnknown,
        Self::ScopeUnknown,
        Self::ScopeMissing,
        Self::BodyBlankLine,
        Self::BodyLineLong,
        Self::BreakingCase,
        Self::BreakingSeparator,
        Self::BreakingBlankLine,
        Self::BreakingIndent,
        Self::BreakingBullet,
        Self::BreakingEmpty,
        Self::FooterToken,
    ];

    /// The code, in kebab case; stable.
    pub fn code(self) -> &'static str {
        match self {
            Self::MessageEmpty => "message-empty",
            Self::MessageType => "message-type",
            Self::MessageScope => "message-scope",
            Self::MessageColon => "message-colon",
            Self::MessageSpace => "message-space",
            Self::MessageDescription => "message-description",
            Self::SubjectIndent => "subject-indent",
            Self::SubjectBlank => "subject-blank",
            Self::SubjectLong => "subject-long",
            Self::SubjectPeriod => "subject-period",
            Self::TypeCase => "type-case",
            Self::TypeUnknown => "type-unknown",
            Self::ScopeUnknown => "scope-unknown",
            Self::ScopeMissing => "scope-missing",
            Self::BodyBlankLine => "body-blank-line",
            Self::BodyLineLong => "body-line-long",
            Self::BreakingCase => "breaking-case",
            Self::BreakingSeparator => "breaking-separator",
            Self::BreakingBlankLine => "breaking-blank-line",
            Self::BreakingIndent => "breaking-indent",
            Self::BreakingBullet => "breaking-bullet",
            Self::BreakingEmpty => "breaking-empty",
            Self::FooterToken => "footer-token",
        }
    }

    /// What it asks for, in a sentence.
    pub fn summary(self) -> &'static str {
        match self {
            Self::MessageEmpty => "A message has a text.",
            Self::MessageType => "The first line begins with a type such as `feat` or `fix`.",
            Self::MessageScope => "A scope stands in parentheses, which are not empty and not nested.",
            Self::MessageColon => "`: ` stands behind the type and scope.",
            Self::MessageSpace => "A space stands behind the colon.",
            Self::MessageDescription => "A description stands behind the colon.",
            Self::SubjectIndent => "The first line begins with the type, not with a blank.",
            Self::SubjectBlank => "The space behind the colon is a plain one.",
            Self::SubjectLong => "The first line is short enough for lists.",
            Self::SubjectPeriod => "The first line does not end with a period.",
            Self::TypeCase => "A type is written in small letters.",
            Self::TypeUnknown => "A type is one of the list.",
            Self::ScopeUnknown => "A scope is one of the list.",
            Self::ScopeMissing => "A message has a scope.",
            Self::BodyBlankLine => "A blank line separates the first line from the body.",
            Self::BodyLineLong => "Lines of the body are short enough.",
            Self::BreakingCase => {
                "`BREAKING CHANGE` is written in capitals; in small letters it is body text."
            }
            Self::BreakingSeparator => "`: ` stands behind `BREAKING CHANGE`.",
            Self::BreakingBlankLine => {
                "A blank line stands before the footers, and so before `BREAKING CHANGE`."
            }
            Self::BreakingIndent => "`BREAKING CHANGE` begins its line.",
            Self::BreakingBullet => "`BREAKING CHANGE` is a footer, not a bullet of the body.",
            Self::BreakingEmpty => "`BREAKING CHANGE: ` is followed by what breaks.",
            Self::FooterToken => "The name of a footer has hyphens in place of blanks.",
        }
    }

    /// What it weighs where `release.yaml` says nothing. What the reader of messages understands anyway is a warning.
    pub fn severity(self) -> Severity {
        match self {
            Self::SubjectBlank | Self::BreakingBullet | Self::FooterToken | Self::BodyLineLong => {
                Severity::Warning
            }
            Self::MessageEmpty
            | Self::MessageType
            | Self::MessageScope
            | Self::MessageColon
            | Self::MessageSpace
            | Self::MessageDescription
            | Self::SubjectIndent
            | Self::SubjectLong
            | Self::SubjectPeriod
            | Self::TypeCase
            | Self::TypeUnknown
            | Self::ScopeUnknown
            | Self::ScopeMissing
            | Self::BodyBlankLine
            | Self::BreakingCase
            | Self::BreakingSeparator
            | Self::BreakingBlankLine
            | Self::BreakingIndent
            | Self::BreakingEmpty => Severity::Error,
        }
    }
}

/// What is asked of messages, as it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lint {
    /// The types, in lower case.
    pub types: Vec<String>,
    /// The scopes; `None` = any.
    pub scopes: Option<Vec<String>>,
    /// Whether there must be one.
    pub require_scope: bool,
    /// Characters of a first line.
    pub max_subject: usize,
    /// Characters of a line of the body.
    pub max_body_line: Option<usize>,
    /// Globs over first lines that are not looked at.
    pub ignore: Vec<String>,
    /// Whether merges, reverts and the like are not looked at.
    pub default_ignores: bool,
    /// What findings weigh where it is not the usual; `None` = not told.
    pub severities: BTreeMap<LintRule, Option<Severity>>,
}

/// The types of the usual presets, and those that this changelog has sections for.
const TYPES: [&str; 15] = [
    "build",
    "chore",
    "ci",
    "deprecate",
    "deps",
    "docs",
    "feat",
    "fix",
    "perf",
    "refactor",
    "remove",
    "revert",
    "security",
    "style",
    "test",
];
const MAX_SUBJECT: usize = 100;

impl Default for Lint {
    fn default() -> Self {
        Self {
            types: TYPES.map(str::to_owned).to_vec(),
            scopes: None,
            require_scope: false,
            max_subject: MAX_SUBJECT,
            max_body_line: None,
            ignore: Vec::new(),
            default_ignores: true,
            severities: BTreeMap::new(),
        }
    }
}

impl Lint {
    /// What is meant; else the value that cannot be, and why. A type the changelog has a heading for is a type.
    pub(super) fn mean<'a>(
        written: &WrittenLint,
        told: impl Iterator<Item = &'a str>,
    ) -> Result<Self, (String, String)> {
        let usual = Self::default();
        let types = match &written.types {
            None => {
                let mut types = usual.types;
                for kind in told {
                    let kind = kind.split('(').next().unwrap_or(kind).trim().to_lowercase();
                    if kind != "breaking" && !types.contains(&kind) {
                        types.push(kind);
                    }
                }
                types
            }
            Some(types) => {
                let word = |text: &String| {
                    text.starts_with(char::is_alphabetic)
                        && text.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
                };
                if let Some(bad) = types.iter().find(|text| !word(text)) {
                    return Err((bad.clone(), "a type is a word of letters, digits, `-` and `_`".to_owned()));
                }
                types.iter().map(|kind| kind.to_lowercase()).collect()
            }
        };
        let scope = |text: &String| !text.trim().is_empty() && !text.contains(['(', ')', ',', '\n']);
        if let Some(bad) = written.scopes.iter().flatten().find(|text| !scope(text)) {
            return Err((bad.clone(), "a scope has no parentheses and no commas".to_owned()));
        }
        if written.max_subject.is_some_and(|length| length < 10) {
            return Err(("max_subject".to_owned(), "no first line is that short".to_owned()));
        }
        for glob in &written.ignore {
            if let Err(error) = globset::Glob::new(glob) {
                return Err((glob.clone(), error.kind().to_string()));
            }
        }
        let mut severities = BTreeMap::new();
        for (code, severity) in &written.rules {
            let Some(rule) = LintRule::ALL.into_iter().find(|rule| rule.code() == code) else {
                let near = perhaps(code, LintRule::ALL.map(LintRule::code));
                return Err((code.clone(), format!("there is no such code{near}")));
            };
            let severity = match severity {
                WrittenSeverity::Error => Some(Severity::Error),
                WrittenSeverity::Warning => Some(Severity::Warning),
                WrittenSeverity::Note => Some(Severity::Note),
                WrittenSeverity::Off => None,
            };
            severities.insert(rule, severity);
        }
        Ok(Self {
            types,
            scopes: written.scopes.clone(),
            require_scope: written.require_scope,
            max_subject: written.max_subject.map_or(usual.max_subject, |length| length as usize),
            max_body_line: written.max_body_line.map(|length| length as usize),
            ignore: written.ignore.clone(),
            default_ignores: written.default_ignores.unwrap_or(true),
            severities,
        })
    }
}
