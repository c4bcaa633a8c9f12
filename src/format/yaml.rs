//! YAML for files people write: strict booleans, no duplicate keys, no merge of anything, bounded.

use serde::de::DeserializeOwned;

use crate::diag::{Hint, Kind, Span, did_you_mean};

/// The largest file that is read.
pub const MAX_BYTES: u64 = 1 << 20;
/// The largest number of nodes, aliases expanded.
const MAX_NODES: usize = 50_000;

/// Reads a document. `path` is the name the user knows it by.
pub fn parse<T: DeserializeOwned>(bytes: &[u8], path: &str) -> Result<T, YamlError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(YamlError::TooLarge { path: path.to_owned(), found: bytes.len() });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| YamlError::NotText { path: path.to_owned() })?;
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: MAX_NODES },
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let place = error.location().map_or((1, 1), |place| (place.line() as usize, place.column() as usize));
        let message = error.to_string();
        let message = message.lines().next().unwrap_or_default();
        // The place is told by the excerpt.
        let message = message.split(" at line ").next().unwrap_or(message);
        let message = in_our_words(message.strip_prefix("error: ").unwrap_or(message));
        YamlError::Content { span: Box::new(span(text, path, place)), hint: nearest(&message), message }
    })
}

/// The parser speaks of its events and of its options, which nobody knows who writes a file.
fn in_our_words(message: &str) -> String {
    let ends = [", set DuplicateKeyPolicy", "; use from_", "; use Option<"];
    let end = ends.iter().filter_map(|end| message.find(end)).min();
    let message = &message[..end.unwrap_or(message.len())];
    let words = [
        ("duplicate mapping key: ", "this key stands twice: "),
        ("expected string scalar", "expected text"),
        ("cannot deserialize null into string", "expected text, found nothing"),
        ("expected sequence start", "expected a list"),
        ("expected mapping start", "expected keys with values"),
        ("unexpected end of input", "the file says nothing"),
        ("multiple YAML documents detected", "the file holds several documents, and one is read"),
    ];
    let known = words.iter().find(|(theirs, _)| message.starts_with(theirs));
    known.map_or_else(|| message.to_owned(), |(theirs, ours)| message.replacen(theirs, ours, 1))
}

/// The word that starts at a line and column.
fn span(text: &str, path: &str, (line, column): (usize, usize)) -> Span {
    let start_of_line: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(start_of_line..).unwrap_or_default();
    let start = start_of_line
        + rest
            .char_indices()
            .nth(column.saturating_sub(1))
            .map_or(rest.trim_end().len().min(rest.len()), |(at, _)| at);
    let word: usize = text
        .get(start..)
        .unwrap_or_default()
        .chars()
        .take_while(|c| !c.is_whitespace() && !",]}".contains(*c))
        .map(char::len_utf8)
        .sum();
    Span {
        path: path.to_owned(),
        source: text.to_owned(),
        start,
        end: start + word,
        label: "here".to_owned(),
    }
}

/// "unknown field `x`, expected one of `a`, `b`" to the name that was meant.
fn nearest(message: &str) -> Option<String> {
    let (before, expected) = message.split_once("expected")?;
    let found = before.split('`').nth(1).filter(|_| before.contains("unknown"))?;
    let names = expected.split([' ', ',', '`']).filter(|word| !["", "one", "of", "or"].contains(word));
    did_you_mean(found, names).map(|name| format!("did you mean `{name}`?"))
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
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
    /// Not YAML, or not what is asked for.
    #[error("{message}")]
    Content {
        /// In the words of the parser.
        message: String,
        /// Where.
        span: Box<Span>,
        /// A name that was probably meant.
        hint: Option<String>,
    },
}

impl Hint for YamlError {
    fn code(&self) -> &'static str {
        "yaml"
    }

    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Content { hint, .. } => hint.clone().into_iter().collect(),
            Self::TooLarge { .. } | Self::NotText { .. } => Vec::new(),
        }
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
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only read by the parser")]
        minimum: u32,
        #[serde(default)]
        #[expect(dead_code, reason = "only read by the parser")]
        strict: bool,
    }

    fn refuse(text: &str) -> (String, (u32, u32), Vec<String>) {
        let error = parse::<Sample>(text.as_bytes(), "p.yaml").unwrap_err();
        (error.to_string(), error.span().map_or((0, 0), |span| span.line_column()), error.hints())
    }

    #[test]
    fn tells_place_and_nearest_name() {
        let (message, place, hints) = refuse("# c\nminimun: 80\n");
        assert!(message.contains("unknown field `minimun`"), "{message}");
        assert_eq!((place, hints), ((2, 1), vec!["did you mean `minimum`?".to_owned()]));
        assert_eq!(refuse("minimum: lots\n").1, (1, 10));
    }

    #[test]
    fn tells_what_is_wrong_without_words_of_the_parser() {
        for (text, told) in [
            ("minimum: 1\nminimum: 2\n", "this key stands twice: minimum"),
            ("- a\n", "expected keys with values"),
            ("", "the file says nothing"),
        ] {
            assert_eq!(refuse(text).0, told);
        }
        let list = parse::<Vec<String>>(b"a: 1\n", "p").unwrap_err().to_string();
        let text = parse::<String>(b"[a]\n", "p").unwrap_err().to_string();
        assert_eq!((list.as_str(), text.as_str()), ("expected a list", "expected text"));
    }

    #[test]
    fn numbers_of_other_languages_are_none() {
        let value = |text: &str| parse::<serde_json::Value>(format!("a: {text}\n").as_bytes(), "p").unwrap();
        assert_eq!(value("10")["a"], 10);
        for text in ["010", "1_000"] {
            assert_eq!(value(text)["a"], text, "not a number, and a gate that wants one says so");
        }
        // Octal in YAML 1.1, decimal in 1.2.
        assert!(parse::<Sample>(b"minimum: 010\n", "p").is_err());
    }

    #[test]
    fn refuses_what_would_be_guessed() {
        for text in ["minimum: 1\nminimum: 2\n", "minimum: 1\nstrict: yes\n", "", "minimum: [", "a: &a [*a]"]
        {
            assert!(parse::<Sample>(text.as_bytes(), "p").is_err(), "{text}");
        }
        let bomb = format!(
            "a: &a [x,x]\n{}",
            (0..20).map(|i| format!("b{i}: &b{i} [*a,*a,*a,*a,*a,*a,*a,*a]\n")).collect::<String>()
        );
        assert!(parse::<Sample>(bomb.as_bytes(), "p").is_err());
        assert!(parse::<Sample>(&vec![b' '; 1 << 21], "p").is_err());
    }
}
