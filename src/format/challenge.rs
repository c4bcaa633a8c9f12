//! `WWW-Authenticate` (RFC 9110, 11.6.1): what a server wants to see before it answers.

use std::collections::BTreeMap;

/// Most bytes of one header that are read.
pub const LENGTH_LIMIT: usize = 8 << 10;

/// Most challenges and parameters of one header.
pub const COUNT_LIMIT: usize = 32;

/// One way to say who one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme in lower case: `bearer`, `basic`.
    pub scheme: String,
    /// Its parameters, names in lower case. The first of a name counts.
    pub parameters: BTreeMap<String, String>,
}

/// The challenges of one header, in its order. What cannot be read ends the list; a header that is too long is empty.
pub fn parse(header: &str) -> Vec<Challenge> {
    let mut found: Vec<Challenge> = Vec::new();
    if header.len() > LENGTH_LIMIT {
        return found;
    }
    let mut rest = header;
    for _ in 0..COUNT_LIMIT {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (word, after) = rest.split_at(rest.find(|c: char| !is_token(c)).unwrap_or(rest.len()));
        if word.is_empty() {
            break;
        }
        let word = word.to_ascii_lowercase();
        let Some(value) = after.trim_start_matches([' ', '\t']).strip_prefix('=') else {
            found.push(Challenge { scheme: word, parameters: BTreeMap::new() });
            rest = after;
            continue;
        };
        let Some((value, after)) = read_value(value.trim_start_matches([' ', '\t'])) else { break };
        let Some(challenge) = found.last_mut() else { break };
        challenge.parameters.entry(word).or_insert(value);
        rest = after;
    }
    found
}

/// A token or a quoted string, and what follows it; `None` for a string without an end.
fn read_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, after) = text.split_at(text.find(|c: char| !is_token(c)).unwrap_or(text.len()));
        return Some((value.to_owned(), after));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            c => value.push(c),
        }
    }
    None
}

/// RFC 9110, 5.6.2, and the `/` that token68 and careless servers use.
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/:".contains(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(header: &str) -> Vec<String> {
        let one = |challenge: Challenge| {
            let parameters = challenge.parameters.iter().map(|(name, value)| format!(" {name}={value}"));
            challenge.scheme + &parameters.collect::<String>()
        };
        parse(header).into_iter().map(one).collect()
    }

    #[test]
    fn reads_what_registries_send() {
        assert_eq!(
            shown(
                r#"Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:a/b:pull,push""#
            ),
            ["bearer realm=https://ghcr.io/token scope=repository:a/b:pull,push service=ghcr.io"]
        );
        assert_eq!(
            shown(r#"Basic realm="a \"b\""  ,  Bearer realm=x"#),
            ["basic realm=a \"b\"", "bearer realm=x"]
        );
        assert_eq!(shown("Negotiate, BASIC Realm = x"), ["negotiate", "basic realm=x"]);
        assert_eq!(shown(r#"Bearer realm="a",realm="b""#), ["bearer realm=a"]);
    }

    #[test]
    fn what_cannot_be_read_ends_the_list() {
        assert_eq!(shown(r#"Basic x=1, Bearer realm="no end"#), ["basic x=1", "bearer"]);
        assert_eq!(shown("=, Basic"), Vec::<String>::new());
        assert_eq!(shown(&"a ".repeat(COUNT_LIMIT + 5)).len(), COUNT_LIMIT);
        assert_eq!(shown(&"a".repeat(LENGTH_LIMIT + 1)), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn never_panics(text in r#"[a-zA-Z=,"\\ é/:]{0,60}"#, any: String) {
            prop_assert!(parse(&text).len() <= COUNT_LIMIT);
            prop_assert!(parse(&any).len() <= COUNT_LIMIT);
        }
    }
}
