//! What is attached to a manifest (distribution-spec, "Listing Referrers", "Referrers Tag Schema").

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reqwest::Method;

use super::HttpRegistry;
use super::send::{Ask, Place};
use super::wire::lock;
use crate::adapter::http::Tries;
use crate::format::oci::{Descriptor, Document, ImageIndex, MANIFEST_LIMIT, media_type};
use crate::model::Digest;
use crate::port::{Exchange, Fault, Manifest, RegistryError, Unlisted, fallback_tag};

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
            found = Some(self.fallback(subject).await?.map(|index| index.manifests).unwrap_or_default());
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

    /// The index under the fallback tag.
    async fn fallback(&self, subject: &Digest) -> Result<Option<ImageIndex>, RegistryError> {
        let tag = fallback_tag(subject);
        let Some(manifest) = self.get(&tag, None, MANIFEST_LIMIT).await? else { return Ok(None) };
        let invalid = |reason: String| RegistryError::Invalid {
            what: format!("the tag {tag} of {}", self.inner.repository),
            reason,
        };
        match Document::parse(&manifest.bytes, Some(&manifest.media_type)) {
            Ok(Document::Index(index)) => Ok(Some(index)),
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

    /// The lock of one list.
    fn list_of(&self, subject: &Digest) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(lock(&self.inner.listing).entry(*subject).or_default())
    }

    /// Reads, merges, writes and reads back until every entry is in the list: another writer may have replaced it in
    /// between, and no registry guards against that.
    async fn merge(&self, subject: &Digest, entries: &[Descriptor]) -> Result<(), RegistryError> {
        // Two of this process would only chase each other.
        let list = self.list_of(subject);
        let _one = list.lock().await;
        let tag = fallback_tag(subject);
        let mut tries = Tries::default();
        let mut current = self.fallback(subject).await?;
        loop {
            let Some(merged) = merged(current, entries) else { return Ok(()) };
            let bytes = serde_json::to_vec(&merged).map_err(|error| RegistryError::Invalid {
                what: format!("the list of referrers of {subject}"),
                reason: error.to_string(),
            })?;
            // The list itself has no subject.
            let list = Manifest::of(&merged.media_type, bytes);
            let _put = self.store(&list, std::slice::from_ref(&tag)).await?;
            current = self.fallback(subject).await?;
            if merged_already(current.as_ref(), entries) {
                return Ok(());
            }
            let exchange = Exchange {
                host: self.inner.host.name.clone(),
                repository: self.inner.repository.path().to_owned(),
                request: format!("PUT manifests/{tag}"),
                status: Some(409),
                message: Some("another writer has replaced the list of referrers".to_owned()),
                ..Exchange::default()
            };
            let error = RegistryError::Answered { fault: Fault::Transient, exchange: Box::new(exchange) };
            if !self.pause(&mut tries, &error, None).await {
                return Err(error);
            }
        }
    }
}

fn merged_already(index: Option<&ImageIndex>, entries: &[Descriptor]) -> bool {
    entries.iter().all(|entry| {
        index.is_some_and(|index| {
            index.manifests.iter().any(|listed| {
                listed.digest == entry.digest
                    && listed.artifact_type == entry.artifact_type
                    && listed.annotations == entry.annotations
            })
        })
    })
}

/// The list with the entries in it, each digest once; `None` when nothing is missing. Entries without the type or the
/// annotations of their manifest are completed.
fn merged(index: Option<ImageIndex>, entries: &[Descriptor]) -> Option<ImageIndex> {
    if merged_already(index.as_ref(), entries) {
        return None;
    }
    let mut index = index.unwrap_or_else(|| ImageIndex {
        schema_version: 2,
        media_type: media_type::INDEX.to_owned(),
        artifact_type: None,
        manifests: Vec::new(),
        subject: None,
        annotations: BTreeMap::new(),
    });
    for entry in entries {
        match index.manifests.iter_mut().find(|listed| listed.digest == entry.digest) {
            Some(listed) => *listed = entry.clone(),
            None => index.manifests.push(entry.clone()),
        }
    }
    let mut seen = BTreeSet::new();
    index.manifests.retain(|entry| seen.insert(entry.digest));
    Some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_completed_and_holds_each_digest_once() {
        let mut entry = Descriptor::of(media_type::MANIFEST, b"1");
        let bare = entry.clone();
        entry.artifact_type = Some("a/b".to_owned());
        entry.annotations.insert("k".to_owned(), "v".to_owned());
        let first = merged(None, &[entry.clone()]).unwrap();
        assert_eq!(first.manifests, [entry.clone()]);
        assert_eq!(merged(Some(first.clone()), &[entry.clone()]), None);
        let poor = ImageIndex { manifests: vec![bare.clone(), bare.clone()], ..first };
        assert_eq!(merged(Some(poor), &[entry.clone()]).unwrap().manifests, [entry]);
    }
}
