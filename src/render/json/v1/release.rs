//! One release as JSON, written straight from the model. A whole history has tens of thousands of lines: values of
//! [`Release`](super::notes::Release) for all of them cost more than reading the commits. A test compares the two.

use crate::model::{CommitId, KnownPullRequest, Origin};
use crate::notes::{Contributor, Entry, Reference, ReleaseNotes, Status};

use super::notes::{CommitSignatures, Enriched, Moved, Stats};

/// Writes releases, one after the other.
pub struct ReleaseWriter<'a> {
    origin: Option<&'a Origin>,
}

impl<'a> ReleaseWriter<'a> {
    /// A writer. Addresses are those of the origin, when there is one.
    pub fn new(origin: Option<&'a Origin>) -> Self {
        Self { origin }
    }

    /// Adds a release to `out`.
    ///
    /// # Errors
    /// Those of `serde_json`, which this cannot come to: no key is anything else than text.
    pub fn write(&self, notes: &ReleaseNotes, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        out.extend_from_slice(b"{\"tag\":");
        maybe(out, notes.tag.as_ref().map(|tag| tag.as_str()));
        if let Some(planned) = &notes.planned_tag {
            out.extend_from_slice(b",\"planned_tag\":");
            text(out, planned.as_str());
        }
        out.extend_from_slice(b",\"version\":");
        maybe(out, notes.version.as_ref().map(ToString::to_string).as_deref());
        out.extend_from_slice(b",\"target_sha\":");
        id(out, &notes.target);
        out.extend_from_slice(b",\"previous_tag\":");
        maybe(out, notes.previous.as_ref().map(|tag| tag.as_str()));
        out.extend_from_slice(b",\"previous_sha\":");
        or_null(out, notes.previous_target.as_ref(), id);
        out.extend_from_slice(b",\"since_policy\":");
        text(out, notes.ends.as_str());
        out.extend_from_slice(b",\"excluded_releases\":");
        list(out, &notes.excluded, |out, tag| text(out, tag.as_str()));
        out.extend_from_slice(b",\"aliases\":");
        list(out, &notes.aliases, |out, tag| text(out, tag.as_str()));
        out.extend_from_slice(b",\"compare_url\":");
        maybe(out, notes.compare_url(self.origin).as_deref());
        out.extend_from_slice(b",\"bump\":");
        serde_json::to_writer(&mut *out, &Moved::of(notes))?;
        out.extend_from_slice(b",\"date\":");
        maybe(out, notes.date.as_deref());
        out.extend_from_slice(b",\"prerelease\":");
        truth(out, notes.version.as_ref().is_some_and(|version| !version.pre.is_empty()));
        out.extend_from_slice(b",\"commits\":");
        list(out, &notes.commits, id);
        out.extend_from_slice(b",\"sections\":[");
        let sections = notes.sections.iter().map(|(section, entries)| (section.title(), entries));
        let breaking = Some(("Breaking Changes", &notes.breaking)).filter(|(_, lines)| !lines.is_empty());
        for (at, (title, entries)) in sections.chain(breaking).enumerate() {
            out.extend_from_slice(if at == 0 { b"{\"title\":" } else { b",{\"title\":" });
            text(out, title);
            out.extend_from_slice(b",\"entries\":");
            list(out, entries, |out, entry| self.line(out, entry));
            out.push(b'}');
        }
        out.extend_from_slice(b"],\"cancelled\":");
        list(out, &notes.cancelled, id);
        out.extend_from_slice(b",\"duplicates\":");
        list(out, &notes.copies, |out, (copy, original)| {
            out.extend_from_slice(b"{\"sha\":");
            id(out, copy);
            out.extend_from_slice(b",\"duplicate_of\":");
            id(out, original);
            out.push(b'}');
        });
        let counts = [
            (b",\"hidden\":".as_slice(), notes.hidden),
            (b",\"unconventional_count\":", notes.unconventional),
            (b",\"skipped\":", notes.skipped),
        ];
        for (key, count) in counts {
            out.extend_from_slice(key);
            out.extend_from_slice(count.to_string().as_bytes());
        }
        out.extend_from_slice(b",\"stats\":");
        serde_json::to_writer(&mut *out, &Stats::of(notes))?;
        out.extend_from_slice(b",\"contributors\":");
        list(out, &notes.contributors, contributor);
        out.extend_from_slice(b",\"commit_signatures\":");
        serde_json::to_writer(&mut *out, &CommitSignatures::of(notes))?;
        if let Some(enriched) = Enriched::of(notes) {
            out.extend_from_slice(b",\"enrichment\":");
            serde_json::to_writer(&mut *out, &enriched)?;
        }
        out.push(b'}');
        Ok(())
    }

    fn line(&self, out: &mut Vec<u8>, entry: &Entry) {
        out.extend_from_slice(b"{\"sha\":");
        id(out, &entry.id);
        out.extend_from_slice(b",\"type\":");
        text(out, &entry.kind);
        out.extend_from_slice(b",\"scopes\":");
        list(out, &entry.scopes, |out, scope| text(out, scope));
        out.extend_from_slice(b",\"description\":");
        text(out, &entry.description);
        out.extend_from_slice(b",\"breaking\":");
        truth(out, !entry.breaking.is_empty());
        out.extend_from_slice(b",\"breaking_notes\":");
        list(out, &entry.breaking, |out, note| text(out, note));
        out.extend_from_slice(b",\"references\":");
        list(out, &entry.references, |out, reference| self.reference(out, reference));
        out.extend_from_slice(b",\"authors\":");
        list(out, &entry.authors, |out, person| text(out, &person.name));
        let (status, target, shipped) = match &entry.status {
            Status::Active if entry.also_in.is_empty() => ("active", None, None),
            Status::Active => ("also_in", None, None),
            Status::Reverts { target, shipped } => ("reverts", Some(target), shipped.as_ref()),
        };
        out.extend_from_slice(b",\"status\":");
        text(out, status);
        out.extend_from_slice(b",\"reverts\":");
        or_null(out, target, id);
        out.extend_from_slice(b",\"shipped_in\":");
        maybe(out, shipped.map(|tag| tag.as_str()));
        out.extend_from_slice(b",\"also_in\":");
        list(out, &entry.also_in, |out, tag| text(out, tag.as_str()));
        out.extend_from_slice(b",\"override_source\":");
        maybe(out, entry.overridden.as_deref());
        if let Some(pull) = &entry.pr {
            out.extend_from_slice(b",\"pr\":");
            pull_request(out, pull);
        }
        out.extend_from_slice(b",\"signature\":");
        text(out, entry.signature.state.as_str());
        if let Some(signer) = &entry.signature.signer {
            out.extend_from_slice(b",\"signer\":");
            text(out, signer);
        }
        if let Some(doubt) = entry.signature.reason {
            out.extend_from_slice(b",\"signature_doubt\":");
            text(out, doubt.as_str());
        }
        out.push(b'}');
    }

    fn reference(&self, out: &mut Vec<u8>, reference: &Reference) {
        out.extend_from_slice(b"{\"kind\":");
        text(out, reference.kind.as_str());
        out.extend_from_slice(b",\"action\":");
        maybe(out, reference.action);
        out.extend_from_slice(b",\"owner\":");
        maybe(out, reference.owner.as_deref());
        out.extend_from_slice(b",\"repo\":");
        maybe(out, reference.repo.as_deref());
        out.extend_from_slice(b",\"id\":");
        text(out, &reference.id);
        out.extend_from_slice(b",\"source\":");
        text(out, reference.source.as_str());
        if let Some(page) = reference.page(self.origin) {
            out.extend_from_slice(b",\"url\":");
            text(out, &page);
        }
        out.push(b'}');
    }
}

impl CommitSignatures {
    pub(super) fn of(notes: &ReleaseNotes) -> Self {
        let counts = &notes.signatures;
        Self { none: counts.none as u64, present: counts.present as u64, verified: counts.verified as u64 }
    }
}

impl Enriched {
    pub(super) fn of(notes: &ReleaseNotes) -> Option<Self> {
        notes.unknown.map(|missing| Self {
            state: if missing == 0 { "complete" } else { "degraded" }.to_owned(),
            missing: missing as u64,
        })
    }
}

fn pull_request(out: &mut Vec<u8>, pull: &KnownPullRequest) {
    out.extend_from_slice(b"{\"number\":");
    out.extend_from_slice(pull.number.to_string().as_bytes());
    out.extend_from_slice(b",\"title\":");
    text(out, &pull.title);
    out.extend_from_slice(b",\"author\":");
    maybe(out, pull.author.as_deref());
    out.extend_from_slice(b",\"labels\":");
    list(out, &pull.labels, |out, label| text(out, label));
    out.push(b'}');
}

fn contributor(out: &mut Vec<u8>, contributor: &Contributor) {
    out.extend_from_slice(b"{\"name\":");
    text(out, &contributor.name);
    out.extend_from_slice(b",\"login\":");
    maybe(out, contributor.login.as_deref());
    out.extend_from_slice(b",\"bot\":");
    truth(out, contributor.bot);
    out.extend_from_slice(b",\"role\":");
    text(out, contributor.role.as_str());
    out.extend_from_slice(b",\"first_time\":");
    or_null(out, contributor.first_time, truth);
    out.extend_from_slice(b",\"first_sha\":");
    id(out, &contributor.first_sha);
    out.extend_from_slice(b",\"first_pr\":");
    maybe(out, contributor.first_pr.as_deref());
    out.push(b'}');
}

fn list<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

fn truth(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

fn maybe(out: &mut Vec<u8>, value: Option<&str>) {
    or_null(out, value, text);
}

fn or_null<T>(out: &mut Vec<u8>, value: Option<T>, write: impl Fn(&mut Vec<u8>, T)) {
    match value {
        Some(value) => write(out, value),
        None => out.extend_from_slice(b"null"),
    }
}

fn id(out: &mut Vec<u8>, id: &CommitId) {
    let mut quoted = [b'"'; 42];
    quoted[1..41].copy_from_slice(&id.digits());
    out.extend_from_slice(&quoted);
}

fn text(out: &mut Vec<u8>, text: &str) {
    // Writing text into memory does not fail.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::notes::Release;
    use super::*;
    use crate::model::{Person, Tag};
    use crate::notes::signature::{SignatureState, Signed};
    use crate::notes::{Ends, Role, Section};

    fn words() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z \"\\\\\n\u{1}\u{1f}\u{7f}é]{0,20}",
            any::<String>(),
            Just("feat: plain words of some length".to_owned()),
        ]
    }

    /// A message with references of all kinds, and what else a line can have.
    fn entry() -> impl Strategy<Value = Entry> {
        let message = prop_oneof![
            words(),
            (words(), "[a-z]{1,5}").prop_map(|(text, scope)| format!(
                "feat({scope})!: {text} (#12)\n\nCloses #3, o/r#4, a/b!5, AB#6\nRefs: CVE-2026-12345, a/b@0123456, https://h.example/a/b/issues/7\nBREAKING CHANGE: {text}"
            )),
        ];
        (message, words(), any::<[u8; 5]>()).prop_map(|(message, word, [a, b, c, d, e])| {
            let id = CommitId::from_bytes([a; 20]);
            let mut entry = Entry::of_message(id, &format!("x{message}")).unwrap();
            let tag: Tag = "v1.0.0+a".parse().unwrap();
            let ada = Arc::new(Person { name: word.clone(), email: String::new() });
            entry.authors = std::iter::repeat_n(ada, usize::from(b % 3)).collect();
            entry.also_in = vec![tag.clone(); usize::from(c % 3)];
            if d % 3 > 0 {
                entry.status = Status::Reverts { target: id, shipped: Some(tag).filter(|_| d % 3 > 1) };
                entry.overridden = Some(word.clone());
            }
            if e % 2 > 0 {
                let state = [SignatureState::Present, SignatureState::Verified][usize::from(e / 2 % 2)];
                entry.signature = Signed { state, signer: Some(word.clone()), ..Signed::default() };
                entry.pr = Some(KnownPullRequest {
                    number: u64::from(c),
                    title: word.clone(),
                    author: Some(word.clone()).filter(|_| c % 2 > 0),
                    labels: vec![word; usize::from(d % 3)],
                });
            }
            entry
        })
    }

    fn notes() -> impl Strategy<Value = ReleaseNotes> {
        let entries = || proptest::collection::vec(entry(), 0..4);
        (entries(), entries(), words(), any::<[u8; 4]>()).prop_map(|(lines, breaking, word, [a, b, c, d])| {
            let id = CommitId::from_bytes([a; 20]);
            let some = |of: u8| (of & 1 > 0).then_some(());
            let version = |text: &str| semver::Version::parse(text).unwrap();
            ReleaseNotes {
                tag: some(a).and_then(|()| "v1.2.0-rc.1".parse().ok()),
                planned_tag: some(b).and_then(|()| "v2.0.0".parse().ok()),
                ends: Ends::ALL[usize::from(b % 3)],
                excluded: vec!["v1.0.0".parse().unwrap(); usize::from(c % 3)],
                version: some(b).map(|()| version(if c % 2 > 0 { "1.2.0-rc.1" } else { "2.0.0" })),
                target: id,
                previous: some(c).and_then(|()| "v1.1.0".parse().ok()),
                previous_version: some(c).map(|()| version("1.1.0")),
                previous_target: some(d).map(|()| id),
                aliases: vec!["x/v1".parse().unwrap(); usize::from(d % 3)],
                date: some(d).map(|()| "2026-01-31".to_owned()),
                commits: vec![id; usize::from(a % 3)],
                sections: vec![(Section::Added, lines.clone()), (Section::named(&word), lines)],
                breaking,
                hidden: usize::from(a),
                unconventional: usize::from(b),
                skipped: usize::from(c),
                cancelled: vec![id; usize::from(b % 3)],
                copies: vec![(id, id); usize::from(c % 3)],
                contributors: vec![
                    Contributor {
                        name: word.clone(),
                        login: some(a).map(|()| word.clone()),
                        bot: b % 2 > 0,
                        role: if c % 3 > 0 { Role::Author } else { Role::CoAuthor },
                        first_time: some(c).map(|()| d % 2 > 0),
                        first_sha: id,
                        first_pr: some(d).map(|()| word.clone()),
                    };
                    usize::from(d % 3)
                ],
                deciding: vec![id; usize::from(a % 2)],
                signatures: Default::default(),
                unknown: some(b).map(|()| usize::from(c)),
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_the_types_say(
            notes in notes(),
            url in prop_oneof![
                Just(""),
                Just("git@github.com:o/r.git"),
                Just("https://gitlab.com/g/s/r"),
                Just("https://dev.azure.com/org/project/_git/repo"),
            ],
        ) {
            let origin = Origin::from_url(url);
            let mut out = b"before".to_vec();
            ReleaseWriter::new(origin.as_ref()).write(&notes, &mut out).unwrap();
            let expected = serde_json::to_string(&Release::of(&notes, origin.as_ref())).unwrap();
            prop_assert_eq!(std::str::from_utf8(&out[6..]).unwrap(), expected);
        }
    }
}
