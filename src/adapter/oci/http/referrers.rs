//! What is attached to a manifest (distribution-spec, "Listing Referrers", "Referrers Tag Schema").

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;

use super::HttpRegistry;
use super::list::{self, Kept, List};
use super::send::{Ask, Place};
use super::wire::lock;
use crate::adapter::http::Tries;
use crate::format::oci::{Descriptor, Document, MANIFEST_LIMIT, media_type};
use crate::model::Digest;
use crate::port::{Exchange, Fault, RegistryError, Unlisted, fallback_tag};

/// Most pages of referrers, and most of them.
const PAGES: usize = 200;
const REFERRERS: usize = 10_000;

impl HttpRegistry {
    /// Every referrer, sorted by digest.
    pub(super) async fn find_referrers(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        let mut found = {
            let _first = self.first_to_ask().await;
            match self.inner.host.known().abilities.referrers {
                Some(false) => None,
                _ => self.listed(subject, artifact_type).await?,
            }
        };
        if found.is_none() {
            found = Some(self.fallback(subject).await?.map(|list| list.index.manifests).unwrap_or_default());
        }
        let mut found = found.unwrap_or_default();
        // A host may ignore the filter.
        found.retain(|entry| artifact_type.is_none() || entry.artifact_type.as_deref() == artifact_type);
        found.sort_by_key(|entry| entry.digest);
        found.dedup_by_key(|entry| entry.digest);
        Ok(found)
    }

    /// Held by the first question to a host that may have no such list: many at a time would all be in vain.
    async fn first_to_ask(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let host = &self.inner.host;
        let unknown = || host.known().abilities.referrers.is_none();
        if !unknown() {
            return None;
        }
        let guard = host.listing.lock().await;
        unknown().then_some(guard)
    }

    /// What the host lists itself; `None` when it has no such list.
    async fn listed(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Option<Vec<Descriptor>>, RegistryError> {
        let filter = artifact_type.map(|kind| {
            let kind: String = url::form_urlencoded::byte_serialize(kind.as_bytes()).collect();
            format!("?artifactType={kind}")
        });
        let what = format!("referrers/{subject}");
        let invalid = |reason: String| RegistryError::Invalid {
            what: format!("{what} of {}", self.inner.repository),
            reason,
        };
        let mut ask = Ask::below(Method::GET, format!("{what}{}", filter.unwrap_or_default()))
            .header("accept", media_type::INDEX);
        let (mut entries, mut seen) = (Vec::new(), BTreeSet::new());
        let mut next;
        loop {
            let answer = match self.fetch(&ask, MANIFEST_LIMIT, &what).await {
                Ok(answer) => answer,
                Err(RegistryError::Answered { exchange, .. })
                    if seen.is_empty() && matches!(exchange.status, Some(400 | 404 | 405 | 501)) =>
                {
                    if exchange.code.as_deref() == Some("NAME_UNKNOWN") {
                        // Says nothing of the host: there is no such repository.
                        return Ok(Some(Vec::new()));
                    }
                    None
                }
                Err(error) => return Err(error),
            };
            let Some((reply, bytes)) = answer else {
                self.inner.host.learn(|known| known.abilities.referrers = Some(false));
                return Ok(None);
            };
            match Document::parse(&bytes, Some(media_type::INDEX)) {
                Ok(Document::Index(index)) => entries.extend(index.manifests),
                Ok(Document::Manifest(_)) => return Err(invalid("it is no index".to_owned())),
                Err(error) => return Err(invalid(error.to_string())),
            }
            if entries.len() > REFERRERS {
                return Err(invalid(format!("it has more than {REFERRERS} entries")));
            }
            self.inner.host.learn(|known| known.abilities.referrers = Some(true));
            let Some(linked) = self.next_page(&reply.url, &reply.headers)? else { return Ok(Some(entries)) };
            if !seen.insert(linked.to_string()) || seen.len() > PAGES {
                return Err(invalid(format!("its pages do not end after {}", seen.len())));
            }
            next = linked;
            ask = Ask::new(Method::GET, Place::At(&next)).header("accept", media_type::INDEX);
        }
    }

    /// The list under the fallback tag.
    async fn fallback(&self, subject: &Digest) -> Result<Option<List>, RegistryError> {
        let tag = fallback_tag(subject);
        let Some(manifest) = self.get(&tag, None, MANIFEST_LIMIT).await? else { return Ok(None) };
        let invalid = |reason: String| RegistryError::Invalid {
            what: format!("the tag {tag} of {}", self.inner.repository),
            reason,
        };
        match Document::parse(&manifest.bytes, Some(&manifest.media_type)) {
            Ok(Document::Index(index)) => Ok(Some(List { manifest, index })),
            Ok(Document::Manifest(_)) => {
                Err(invalid("it should hold a list of referrers and holds an image".to_owned()))
            }
            Err(error) => Err(invalid(error.to_string())),
        }
    }

    /// Lists referrers under the fallback tags of their subjects.
    pub(super) async fn list(&self, unlisted: &[Unlisted]) -> Result<(), RegistryError> {
        let mut subjects: BTreeMap<Digest, Vec<Descriptor>> = BTreeMap::new();
        for Unlisted { subject, entry } in unlisted {
            subjects.entry(*subject).or_default().push(entry.clone());
        }
        for (subject, entries) in subjects {
            self.merge(&subject, &entries).await?;
        }
        Ok(())
    }

    /// Looks once more at every list this run has changed.
    pub(super) async fn hold(&self) -> Result<(), RegistryError> {
        let lists: Vec<_> =
            lock(&self.inner.listing).iter().map(|(at, list)| (*at, Arc::clone(list))).collect();
        let mut changed = Vec::new();
        for (subject, list) in lists {
            if !list.lock().await.entries.is_empty() {
                changed.push(subject);
            }
        }
        if !changed.is_empty() {
            // Whoever had read a list before it was changed here has written it by then.
            let first = self.inner.line.patience.waits.first();
            tokio::time::sleep(first.map_or(Duration::ZERO, |first| *first / 4)).await;
        }
        for subject in changed {
            self.merge(&subject, &[]).await?;
        }
        Ok(())
    }

    /// Held while one list is changed: what this run has put into it.
    fn list_of(&self, subject: &Digest) -> Arc<tokio::sync::Mutex<Kept>> {
        Arc::clone(lock(&self.inner.listing).entry(*subject).or_default())
    }

    /// Reads, merges, writes and reads back until every entry of this run is in the list: another writer may have
    /// replaced it in between, and no registry guards against that. Once another writer was seen, the list must also be
    /// the same after a pause. Without entries it is only looked whether those of before are still there.
    async fn merge(&self, subject: &Digest, entries: &[Descriptor]) -> Result<(), RegistryError> {
        // Two of this process would only chase each other.
        let list = self.list_of(subject);
        let mut kept = list.lock().await;
        if kept.entries.is_empty() && entries.is_empty() {
            return Ok(());
        }
        let there = |list: &Option<List>, entries: &[Descriptor]| {
            entries.iter().all(|entry| list.as_ref().is_some_and(|list| list.holds(entry)))
        };
        let digest = |list: &Option<List>| list.as_ref().map(|list| list.manifest.digest);
        let mut current = self.fallback(subject).await?;
        let before = there(&current, &kept.entries);
        if before && !entries.is_empty() && there(&current, entries) {
            return Ok(());
        }
        let mut contended = !before || (entries.is_empty() && kept.seen != digest(&current));
        let new = entries.iter().filter(|entry| !kept.entries.contains(entry));
        let new: Vec<Descriptor> = new.cloned().collect();
        kept.entries.extend(new);
        let tag = fallback_tag(subject);
        let mut tries = Tries::default();
        loop {
            let merged =
                list::with(current.as_ref(), &kept.entries).map_err(|error| RegistryError::Invalid {
                    what: format!("the list of referrers of {subject}"),
                    reason: error.to_string(),
                })?;
            let quiet = match merged {
                None => !contended || kept.seen == digest(&current),
                Some(merged) => {
                    // The list itself has no subject.
                    let _put = self.store(&merged, std::slice::from_ref(&tag)).await?;
                    current = self.fallback(subject).await?;
                    contended |= !there(&current, &kept.entries);
                    !contended
                }
            };
            kept.seen = digest(&current);
            if quiet {
                return Ok(());
            }
            let exchange = Exchange {
                host: self.inner.host.name.clone(),
                repository: self.inner.repository.path().to_owned(),
                request: format!("PUT manifests/{tag}"),
                status: Some(409),
                message: Some("another writer changes the list of referrers".to_owned()),
                ..Exchange::default()
            };
            let error = RegistryError::Answered { fault: Fault::Transient, exchange: Box::new(exchange) };
            if !self.pause(&mut tries, &error, None).await {
                return if there(&current, &kept.entries) { Ok(()) } else { Err(error) };
            }
            // Others have gone on meanwhile.
            current = self.fallback(subject).await?;
        }
    }
}
