//! Who contributed, as far as the commits tell.

use std::collections::BTreeMap;

use crate::model::{CommitId, Person};

/// Somebody who wrote, or helped to write, a commit of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contributor {
    /// The name.
    pub name: String,
    /// The account on the forge, when the address tells it.
    pub login: Option<String>,
    /// Whether it is a program.
    pub bot: bool,
    /// Whether nothing of this person is in an earlier commit; `None` where only a part of the history was read.
    pub first_time: Option<bool>,
    /// The oldest commit of this person in the release.
    pub first_sha: CommitId,
}

/// The account in a `users.noreply` address: `1+login@…` or `login@…`.
pub fn login(email: &str) -> Option<&str> {
    let (local, domain) = email.split_once('@')?;
    let known = [
        "users.noreply.github.com",
        "noreply.github.com",
        "users.noreply.gitlab.com",
        "noreply.codeberg.org",
    ];
    if !known.contains(&domain.to_ascii_lowercase().as_str()) {
        return None;
    }
    let login = match local.split_once('+') {
        Some((number, login)) if number.bytes().all(|byte| byte.is_ascii_digit()) => login,
        Some(_) => return None,
        None => {
            local.split_once('-').filter(|(number, _)| is_number(number)).map_or(local, |(_, login)| login)
        }
    };
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_[]".contains(&byte);
    (!login.is_empty() && login != "noreply" && login.bytes().all(valid)).then_some(login)
}

fn is_number(text: &str) -> bool {
    text.len() > 3 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What tells people apart: the account, else the address, else the name.
pub(super) fn key(person: &Person) -> String {
    match login(&person.email) {
        Some(login) => format!("@{}", login.to_ascii_lowercase()),
        None if person.email.is_empty() => person.name.to_lowercase(),
        None => person.email.to_lowercase(),
    }
}

/// The first commit of a person, by key.
pub(super) type FirstCommit<'a> = dyn Fn(&str) -> Option<CommitId> + 'a;

/// The people behind commits given newest first, sorted by name. `first` tells the first commit of a person.
pub(super) fn contributors<'a>(
    commits: impl Iterator<Item = (CommitId, &'a [Person])>,
    first: Option<&FirstCommit<'_>>,
) -> Vec<Contributor> {
    let mut people: BTreeMap<String, Contributor> = BTreeMap::new();
    for (id, persons) in commits {
        for person in persons.iter().filter(|person| !person.name.is_empty()) {
            let login = login(&person.email);
            let bot = person.name.ends_with("[bot]") || login.is_some_and(|login| login.ends_with("[bot]"));
            let contributor = people.entry(key(person)).or_insert_with(|| Contributor {
                name: person.name.clone(),
                login: login.map(str::to_owned),
                bot,
                first_time: None,
                first_sha: id,
            });
            contributor.first_sha = id;
        }
    }
    if let Some(first) = first {
        for (key, contributor) in &mut people {
            contributor.first_time = Some(first(key) == Some(contributor.first_sha));
        }
    }
    let mut people: Vec<Contributor> = people.into_values().collect();
    people.sort_by(|left, right| (&left.name, &left.login).cmp(&(&right.name, &right.login)));
    people
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_in_addresses() {
        assert_eq!(login("1234567+ada@users.noreply.github.com"), Some("ada"));
        assert_eq!(login("ada@users.noreply.github.com"), Some("ada"));
        assert_eq!(login("49699333+dependabot[bot]@users.noreply.github.com"), Some("dependabot[bot]"));
        assert_eq!(login("12345-ada@users.noreply.gitlab.com"), Some("ada"));
        for text in [
            "ada@example.com",
            "noreply@github.com",
            "a/b@users.noreply.github.com",
            "x+y@users.noreply.github.com",
        ] {
            assert_eq!(login(text), None, "{text}");
        }
    }
}
