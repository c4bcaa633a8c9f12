//! What a forge knows beside the history: accounts and pull requests. It comes in as data; who was asked, and how, stands
//! elsewhere. What the history tells is never overruled by it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::people::login;
use crate::model::{CommitId, KnownCommit, KnownPullRequest, Person, UnknownCommit};

/// What a forge knows about the commits of a release.
#[derive(Debug, Clone, Default)]
pub struct Enrichment {
    known: BTreeMap<CommitId, KnownCommit>,
    /// Accounts by address in lower case.
    accounts: HashMap<String, String>,
    missing: BTreeSet<CommitId>,
}

/// The address of an author as notes know it.
pub type AddressOf<'a> = dyn Fn(CommitId) -> Option<Person> + 'a;

impl Enrichment {
    /// Puts answers to the wanted commits together.
    pub fn new(
        known: BTreeMap<CommitId, KnownCommit>,
        wanted: &[UnknownCommit],
        author: &AddressOf<'_>,
    ) -> Self {
        let missing = wanted.iter().map(|wanted| wanted.id).filter(|id| !known.contains_key(id)).collect();
        let mut accounts = HashMap::new();
        for (id, commit) in &known {
            if let (Some(login), Some(person)) = (&commit.login, author(*id))
                && !person.email.is_empty()
            {
                accounts.insert(person.email.to_lowercase(), login.clone());
            }
        }
        Self { known, accounts, missing }
    }

    /// The pull request that brought a commit.
    pub fn pull_request(&self, id: CommitId) -> Option<&KnownPullRequest> {
        self.known.get(&id)?.pull_request.as_ref()
    }

    /// A person with the address that tells the account, where the forge knows it.
    pub fn person(&self, person: Person) -> Person {
        match self.accounts.get(&person.email.to_lowercase()) {
            Some(account) if login(&person.email).is_none() => {
                Person { email: format!("{account}@users.noreply.github.com"), ..person }
            }
            _ => person,
        }
    }

    /// Whether nobody knows what was asked about a commit.
    pub fn is_missing(&self, id: CommitId) -> bool {
        self.missing.contains(&id)
    }

    /// How many commits nobody knows anything about.
    pub fn missing(&self) -> usize {
        self.missing.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_of_everybody_with_the_address() {
        let (one, two) = (CommitId::from_bytes([1; 20]), CommitId::from_bytes([2; 20]));
        let ada = Person { name: "Ada".to_owned(), email: "Ada@Example.com".to_owned() };
        let author = |id| (id == one).then(|| ada.clone());
        let known =
            BTreeMap::from([(one, KnownCommit { login: Some("ada-l".to_owned()), pull_request: None })]);
        let enrichment = Enrichment::new(known, &[one, two].map(UnknownCommit::all), &author);
        let lower = Person { name: "A".to_owned(), email: "ada@example.com".to_owned() };
        assert_eq!(enrichment.person(lower).email, "ada-l@users.noreply.github.com");
        let hidden = Person { name: "B".to_owned(), email: "b@users.noreply.github.com".to_owned() };
        assert_eq!(enrichment.person(hidden.clone()), hidden);
        assert_eq!((enrichment.missing(), enrichment.is_missing(two)), (1, true));
    }
}
