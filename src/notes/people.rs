//! Who contributed, as far as the commits tell.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{CommitId, Person, PersonMap};

/// Somebody who wrote, or helped to write, a commit of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contributor {
    /// The name.
    pub name: String,
    /// The account on the forge, when the address tells it.
    pub login: Option<String>,
    /// Whether it is a program.
    pub bot: bool,
    /// What this person did.
    pub role: Role,
    /// Whether nothing of this person is in an earlier commit; `None` where only a part of the history was read.
    pub first_time: Option<bool>,
    /// The oldest commit of this person in the release.
    pub first_sha: CommitId,
    /// The number of the pull request that brought it; only of somebody who contributed for the first time.
    pub first_pr: Option<String>,
}

/// What somebody did in a release.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Role {
    /// Wrote a commit.
    #[default]
    Author,
    /// Helped to write those of others.
    CoAuthor,
}

impl Role {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Author => "author",
            Self::CoAuthor => "co-author",
        }
    }
}

/// The account in an address that hides another: `1+login@users.noreply.github.com` or without the number, the same with
/// a hyphen on GitLab, also where somebody runs it themselves, and without a number on Codeberg.
pub fn login(email: &str) -> Option<&str> {
    let (local, domain) = email.split_once('@')?;
    let is = |name: &str| domain.eq_ignore_ascii_case(name);
    let github = is("users.noreply.github.com") || is("noreply.github.com");
    let hidden = domain.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("users.noreply."));
    let login = match (local.split_once('+'), local.split_once(['+', '-'])) {
        (Some((number, login)), _) if github => Some(login).filter(|_| is_number(number))?,
        _ if github || is("noreply.codeberg.org") => local,
        (_, Some((number, login))) if hidden && is_number(number) => login,
        _ if hidden => local,
        _ => return None,
    };
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.[]".contains(&byte);
    (!login.is_empty() && login != "noreply" && login.bytes().all(valid)).then_some(login)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a person is a program: by the mark of GitHub, or by a name that programs go by.
fn is_bot(person: &Person) -> bool {
    const NAMES: [&str; 12] = [
        "actions-user",
        "copilot",
        "dependabot",
        "dependabot-preview",
        "github actions",
        "github-actions",
        "github copilot",
        "greenkeeper",
        "mergify",
        "renovate",
        "snyk",
        "web-flow",
    ];
    const ADDRESSES: [&str; 3] = ["action@github.com", "actions@github.com", "noreply@anthropic.com"];
    let programmed = |text: &str| {
        let text = text.to_lowercase();
        ["[bot]", "-bot", " bot"].iter().any(|end| text.ends_with(end)) || NAMES.contains(&text.as_str())
    };
    let local = person.email.split('@').next().unwrap_or_default();
    programmed(&person.name)
        || login(&person.email).is_some_and(programmed)
        || local.eq_ignore_ascii_case("bot")
        || ADDRESSES.iter().any(|address| person.email.eq_ignore_ascii_case(address))
}

/// Everybody once, as they come first.
pub(super) fn distinct(people: impl Iterator<Item = Arc<Person>>) -> Vec<Arc<Person>> {
    let mut people: Vec<Arc<Person>> = people.collect();
    // Nearly every commit has one author.
    if people.len() > 1 {
        let mut keys: Vec<String> = Vec::with_capacity(people.len());
        people.retain(|person| {
            let key = key(person);
            let is_new = !keys.contains(&key);
            keys.push(key);
            is_new
        });
    }
    people
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

/// What people with a given and a family name are known by, whatever their address; `None` for other names. Chinese,
/// Japanese and Korean names have no blank between the two.
pub(super) fn name_key(person: &Person) -> Option<String> {
    const EAST: char = '\u{2e80}';
    let name = person.name.trim();
    // No address and no account has a blank, or such letters.
    let full = name.contains(' ') || name.chars().filter(|letter| *letter >= EAST).nth(1).is_some();
    full.then(|| name.to_lowercase())
}

impl Contributor {
    /// Who wrote one commit is an author, however many of others this person helped with.
    fn wrote(&mut self, role: Role) {
        if role == Role::Author {
            self.role = role;
        }
    }
}

/// Somebody while commits are gone through.
struct Somebody {
    contributor: Contributor,
    /// Every key the person is known by, with the oldest commit of the release under it.
    keys: Vec<(String, CommitId)>,
}

/// The people behind commits given newest first, sorted by name. Two addresses with one full name are one person, as
/// long as their accounts do not say otherwise. `first` tells the first commit of a person.
pub(super) fn contributors<'a>(
    commits: impl Iterator<Item = (CommitId, &'a [Arc<Person>])>,
    first: Option<&FirstCommit<'_>>,
) -> Vec<Contributor> {
    let mut people: Vec<Somebody> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    // By the person: who it is, and the places of the keys.
    let mut known: PersonMap<(usize, Vec<usize>)> = PersonMap::default();
    for (id, persons) in commits {
        let persons = persons.iter().enumerate().filter(|(_, person)| !person.name.is_empty());
        for (place, person) in persons {
            let role = if place == 0 { Role::Author } else { Role::CoAuthor };
            // Few people write most commits.
            if let Some((at, places)) = known.get(&Arc::as_ptr(person)) {
                let Somebody { contributor, keys } = &mut people[*at];
                contributor.first_sha = id;
                contributor.wrote(role);
                places.iter().for_each(|place| keys[*place].1 = id);
                continue;
            }
            let login = login(&person.email);
            let own = key(person);
            let at = places.get(&own).copied().or_else(|| {
                let at = *places.get(&name_key(person)?)?;
                let known = people[at].contributor.login.as_deref();
                (known.is_none() || login.is_none()).then_some(at)
            });
            let at = at.unwrap_or(people.len());
            if at == people.len() {
                people.push(Somebody {
                    contributor: Contributor {
                        name: person.name.clone(),
                        login: None,
                        bot: is_bot(person),
                        role,
                        first_time: None,
                        first_sha: id,
                        first_pr: None,
                    },
                    keys: Vec::new(),
                });
            }
            let Somebody { contributor, keys } = &mut people[at];
            contributor.first_sha = id;
            contributor.wrote(role);
            contributor.login = contributor.login.take().or_else(|| login.map(str::to_owned));
            let mut under = Vec::with_capacity(2);
            for key in [Some(own), name_key(person)].into_iter().flatten() {
                let place = keys.iter().position(|(known, _)| *known == key).unwrap_or(keys.len());
                match keys.get_mut(place) {
                    Some((_, oldest)) => *oldest = id,
                    None => {
                        places.entry(key.clone()).or_insert(at);
                        keys.push((key, id));
                    }
                }
                under.push(place);
            }
            known.insert(Arc::as_ptr(person), (at, under));
        }
    }
    let mut people: Vec<Contributor> = people
        .into_iter()
        .map(|Somebody { mut contributor, keys }| {
            let is_first =
                |first: &FirstCommit<'_>| keys.iter().all(|(key, oldest)| first(key) == Some(*oldest));
            contributor.first_time = first.map(is_first);
            contributor
        })
        .collect();
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
        assert_eq!(login("7-ada.l@users.noreply.git.example.com"), Some("ada.l"));
        assert_eq!(login("ada@noreply.codeberg.org"), Some("ada"));
        // An account of GitHub may begin with digits.
        assert_eq!(login("12345-ada@users.noreply.github.com"), Some("12345-ada"));
        for text in [
            "ada@example.com",
            "noreply@github.com",
            "a/b@users.noreply.github.com",
            "x+y@users.noreply.github.com",
            "a*b*@users.noreply.github.com",
            "ada@users.noreply",
        ] {
            assert_eq!(login(text), None, "{text}");
        }
    }

    #[test]
    fn one_person_with_two_addresses() {
        let id = |at: u8| CommitId::from_bytes([at; 20]);
        let person =
            |name: &str, email: &str| Arc::new(Person { name: name.to_owned(), email: email.to_owned() });
        let commits = [
            (id(5), vec![person("Ada Lovelace", "ada@home")]),
            (id(4), vec![person("ada lovelace", "1+ada@users.noreply.github.com")]),
            (id(3), vec![person("Ada Lovelace", "2+other@users.noreply.github.com")]),
            (id(2), vec![person("ada", "one@x"), person("ada", "two@x")]),
        ];
        let told = |first: &FirstCommit<'_>| {
            let all = commits.iter().map(|(id, people)| (*id, people.as_slice()));
            let people = contributors(all, Some(first)).into_iter();
            people
                .map(|person| {
                    (person.name, person.login.unwrap_or_default(), person.first_time, person.first_sha)
                })
                .collect::<Vec<_>>()
        };
        let row = |name: &str, login: &str, first: bool, at: u8| {
            (name.to_owned(), login.to_owned(), Some(first), id(at))
        };
        // The other account is another person; nicknames alone make nobody the same.
        let first = |key: &str| match key {
            "ada@home" => Some(id(5)),
            "@ada" => Some(id(4)),
            "@other" => Some(id(3)),
            "ada lovelace" => Some(id(1)),
            _ => Some(id(2)),
        };
        assert_eq!(
            told(&first),
            [
                row("Ada Lovelace", "ada", false, 4),
                row("Ada Lovelace", "other", false, 3),
                row("ada", "", true, 2),
                row("ada", "", true, 2),
            ]
        );
    }

    #[test]
    fn who_wrote_a_commit_is_an_author() {
        let person = |name: &str| {
            Arc::new(Person { name: name.to_owned(), email: format!("{name}@x").to_lowercase() })
        };
        let (ada, grace, mary) = (person("Ada"), person("Grace"), person("Mary"));
        let commits = [
            (CommitId::from_bytes([2; 20]), vec![Arc::clone(&ada), Arc::clone(&grace), Arc::clone(&mary)]),
            (CommitId::from_bytes([1; 20]), vec![grace, ada]),
        ];
        let people = contributors(commits.iter().map(|(id, people)| (*id, people.as_slice())), None);
        let told: Vec<_> = people.iter().map(|one| (one.name.as_str(), one.role.as_str())).collect();
        assert_eq!(told, [("Ada", "author"), ("Grace", "author"), ("Mary", "co-author")]);
    }

    #[test]
    fn names_without_blanks() {
        let id = |at: u8| CommitId::from_bytes([at; 20]);
        let person =
            |name: &str, email: &str| Arc::new(Person { name: name.to_owned(), email: email.to_owned() });
        let one = |name: &str| {
            let commits = [(id(2), vec![person(name, "one@x")]), (id(1), vec![person(name, "two@x")])];
            contributors(commits.iter().map(|(id, people)| (*id, people.as_slice())), None).len()
        };
        assert_eq!(["纸鹿/Zhilu", "山田太郎", "김철수", "Ada Lovelace"].map(one), [1; 4]);
        assert_eq!(["ada", "Jürgen", "林"].map(one), [2; 3]);
    }

    #[test]
    fn programs() {
        let bot =
            |name: &str, email: &str| is_bot(&Person { name: name.to_owned(), email: email.to_owned() });
        for (name, email) in [
            ("dependabot[bot]", "49699333+dependabot[bot]@users.noreply.github.com"),
            ("Renovate Bot", "bot@renovateapp.com"),
            ("semantic-release-bot", "x@example.com"),
            ("GitHub Actions", "actions@github.com"),
            ("x", "1+renovate-bot@users.noreply.github.com"),
            ("Copilot", "198982749+Copilot@users.noreply.github.com"),
            ("actions-user", "action@github.com"),
            ("Claude", "noreply@anthropic.com"),
        ] {
            assert!(bot(name, email), "{name}");
        }
        for (name, email) in [
            ("Abbot", "abbot@example.com"),
            ("Ada", "robot@example.com"),
            ("Ada", "noreply@github.com"),
            ("Claude", "claude@example.fr"),
        ] {
            assert!(!bot(name, email), "{name}");
        }
    }
}
