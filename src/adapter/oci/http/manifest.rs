//! Manifests and tags (distribution-spec, "Pulling Manifests", "Pushing Manifests", "Listing Tags").

use std::collections::BTreeSet;

use bytes::Bytes;
use reqwest::header::{HeaderMap, LINK};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use url::Url;

use super::HttpRegistry;
use super::answer::{length, text};
use super::redirect::{follow, same_origin};
use super::send::{Ask, Place, Reply};
use super::upload::is_digest;
use crate::adapter::http::{Tries, shown};
use crate::format::oci::{Descriptor, Document, MANIFEST_LIMIT, json_of, media_type};
use crate::model::{Digest, DigestAlgorithm, is_image_tag};
use crate::port::{Fault, Manifest, Put, RegistryError, Unlisted};

/// Every type of manifest there is. A host without this says that there is nothing.
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                      application/vnd.docker.distribution.manifest.list.v2+json, \
                      application/vnd.docker.distribution.manifest.v2+json";

/// Most bytes of one page of a list.
const PAGE_LIMIT: u64 = 4 << 20;

/// Most pages of a list, and most tags.
const PAGES: usize = 1000;
const TAGS: usize = 200_000;

/// Tags of a page that are asked for.
pub(in crate::adapter::oci) const PAGE: usize = 1000;

#[derive(Deserialize)]
struct TagList {
    tags: Option<Vec<String>>,
}

/// The type a document says of itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Typed {
    media_type: Option<String>,
    manifests: Option<IgnoredAny>,
}

impl HttpRegistry {
    /// The manifest under a name: a digest, whose bytes must be right, or a tag.
    pub(super) async fn get(
        &self,
        name: &str,
        expected: Option<&Digest>,
        limit: u64,
    ) -> Result<Option<Manifest>, RegistryError> {
        let path = format!("manifests/{name}");
        let ask = Ask::below(Method::GET, path.clone()).header("accept", ACCEPT).may_miss();
        let Some((reply, bytes)) = self.fetch(&ask, limit, &path).await? else { return Ok(None) };
        let announced = announced(&reply.headers);
        let other = announced.filter(|announced| expected != Some(announced));
        for claimed in expected.copied().into_iter().chain(other) {
            let found = claimed.algorithm().digest(&bytes);
            if claimed != found {
                let what = format!("{path} of {}", self.inner.repository);
                return Err(RegistryError::DigestMismatch { what, expected: claimed, found });
            }
        }
        let digest = expected.copied().or(announced).unwrap_or_else(|| Digest::of(&bytes));
        self.recognise(&reply.headers, &digest);
        let media_type = self.media_type(&path, &reply.headers, &bytes)?;
        Ok(Some(Manifest { media_type, digest, bytes: bytes.into() }))
    }

    /// The type of a document: what the answer says, unless that says nothing; the document may not say another.
    fn media_type(&self, path: &str, headers: &HeaderMap, bytes: &[u8]) -> Result<String, RegistryError> {
        let invalid = |reason: String| RegistryError::Invalid {
            what: format!("{path} of {}", self.inner.repository),
            reason,
        };
        let own: Typed = serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))?;
        let declared = text(headers, "content-type").and_then(|value| value.split(';').next()).map(str::trim);
        let general = ["application/json", "application/octet-stream", "text/plain"];
        let declared = declared.filter(|declared| !declared.is_empty() && !general.contains(declared));
        match (declared, own.media_type) {
            (Some(declared), Some(own)) if !declared.eq_ignore_ascii_case(&own) => {
                let shown: String = declared.escape_debug().take(120).collect();
                let own: String = own.escape_debug().take(120).collect();
                Err(invalid(format!("the answer says `{shown}`, the document says `{own}`")))
            }
            (_, Some(own)) => Ok(own),
            (Some(declared), None) => Ok(declared.to_owned()),
            (None, None) if own.manifests.is_some() => Ok(media_type::INDEX.to_owned()),
            (None, None) => Ok(media_type::MANIFEST.to_owned()),
        }
    }

    /// Type, digest and size of a manifest. A host that leaves one of them out is asked for the manifest itself.
    pub(super) async fn head(
        &self,
        name: &str,
        expected: Option<&Digest>,
    ) -> Result<Option<Descriptor>, RegistryError> {
        let path = format!("manifests/{name}");
        let by_bytes = async || {
            let found = self.get(name, expected, MANIFEST_LIMIT).await?;
            Ok(found.map(|found| found.descriptor()))
        };
        let ask = Ask::below(Method::HEAD, path.clone()).header("accept", ACCEPT).may_miss();
        let reply = match self.head_of(&ask).await? {
            Head::There(reply) => reply,
            Head::Missing => return Ok(None),
            Head::NotTaken => return by_bytes().await,
        };
        let declared = text(&reply.headers, "content-type").and_then(|value| value.split(';').next());
        let known = announced(&reply.headers).or(expected.copied());
        // A host may call it by another algorithm than it was asked by; then the bytes have to tell.
        let comparable = |known: &Digest| expected.is_none_or(|one| one.algorithm() == known.algorithm());
        let (Some(digest), Some(size), Some(media_type)) =
            (known.filter(comparable), length(&reply.headers), declared)
        else {
            return by_bytes().await;
        };
        self.recognise(&reply.headers, &digest);
        if let Some(expected) = expected.filter(|expected| **expected != digest) {
            let what = format!("{path} of {}", self.inner.repository);
            return Err(RegistryError::DigestMismatch { what, expected: *expected, found: digest });
        }
        Ok(Some(Descriptor::new(media_type.trim(), digest, size)))
    }

    /// Sends a `HEAD`. There are proxies that pass none on (405, 501); a host behind one is asked with it once.
    async fn head_of(&self, ask: &Ask<'_>) -> Result<Head, RegistryError> {
        let host = &self.inner.host;
        if host.known().no_head {
            return Ok(Head::NotTaken);
        }
        match self.send(ask).await {
            Ok(Some(reply)) => Ok(Head::There(Box::new(reply))),
            Ok(None) => Ok(Head::Missing),
            Err(RegistryError::Answered { exchange, .. }) if matches!(exchange.status, Some(405 | 501)) => {
                host.learn(|known| known.no_head = true);
                Ok(Head::NotTaken)
            }
            Err(error) => Err(error),
        }
    }

    /// What the answer with a manifest gives away. Hosts made of `distribution` (docker-registry and many others) show an
    /// `Etag` that is the digest and take one tag at a time; those made of `olareg` serve manifests in ranges and take
    /// several. Both mount. Where this is wrong it only costs requests.
    fn recognise(&self, headers: &HeaderMap, digest: &Digest) {
        if !headers.contains_key("docker-distribution-api-version")
            || self.inner.host.known().abilities.many_tags.is_some()
        {
            return;
        }
        let ranges = text(headers, "accept-ranges") == Some("bytes");
        let many = match text(headers, "etag") {
            Some(tag) if tag.trim_matches('"') == digest.to_string() => false,
            None if ranges => true,
            _ => return,
        };
        self.inner.host.learn(|known| {
            known.abilities.many_tags = Some(many);
            known.abilities.mounts_own = Some(true);
        });
    }

    /// Stores a manifest. With several tags and a host of which nothing is known the first tag is asked for as any host
    /// takes it, the others as hosts take them that know several: what the second kind refuses is asked again as it likes
    /// it, and the first kind has done a part of the work.
    pub(super) async fn store(&self, manifest: &Manifest, tags: &[String]) -> Result<Put, RegistryError> {
        for tag in tags {
            check_tag(tag)?;
        }
        manifest.check()?;
        let digest = manifest.digest.to_string();
        match (tags, manifest.digest.algorithm()) {
            ([], _) => self.put_under(&digest, manifest, &[]).await,
            (tags, DigestAlgorithm::Sha512) => self.store_as(&digest, manifest, tags).await,
            ([tag], DigestAlgorithm::Sha256) => self.put_under(tag, manifest, &[]).await,
            ([first, others @ ..], DigestAlgorithm::Sha256)
                if self.inner.host.known().abilities.many_tags.is_none() =>
            {
                match self.put_under(first, manifest, others).await {
                    Err(RegistryError::Answered { fault: Fault::Refused, .. }) => {
                        self.put_under(&digest, manifest, tags).await
                    }
                    put => put,
                }
            }
            (tags, DigestAlgorithm::Sha256) => self.put_under(&digest, manifest, tags).await,
        }
    }

    /// Stores a manifest under a digest that the host would not call it by, with tags. A host that takes no tags with a
    /// digest gets one afterwards, alone; it calls by its own digest then what the tag points to.
    async fn store_as(
        &self,
        digest: &str,
        manifest: &Manifest,
        tags: &[String],
    ) -> Result<Put, RegistryError> {
        let together = self.inner.host.known().abilities.many_tags != Some(false);
        let mut put = None;
        if together || !self.inner.host.has_written(&format!("manifests/{digest}")) {
            put = Some(self.put_under(digest, manifest, if together { tags } else { &[] }).await?);
        }
        match (put, tags) {
            (Some(put), [tag]) if put.tags.contains(tag) => Ok(put),
            (put, [tag]) => {
                let tagged = self.put_under(tag, manifest, &[]).await?;
                Ok(Put { unlisted: put.and_then(|put| put.unlisted).or(tagged.unlisted), ..tagged })
            }
            (Some(put), _) => Ok(put),
            (None, _) => Ok(Put { digest: manifest.digest, tags: Vec::new(), unlisted: None }),
        }
    }

    /// Stores a manifest under a name, its digest or a tag, and asks for more tags, with one request.
    async fn put_under(
        &self,
        name: &str,
        manifest: &Manifest,
        more: &[String],
    ) -> Result<Put, RegistryError> {
        self.will_write();
        let Manifest { media_type, digest, bytes } = manifest;
        let digest = *digest;
        let query = if more.is_empty() { String::new() } else { format!("?tag={}", more.join("&tag=")) };
        let ask = Ask::below(Method::PUT, format!("manifests/{name}{query}"))
            .header("content-type", media_type)
            .body(Bytes::copy_from_slice(bytes));
        let mut sent = self.send(&ask).await;
        // What is sent was checked against its digest. A host says this when somebody else sends the same at the same time.
        if let Err(error) = &sent
            && is_digest(error)
            && digest.algorithm() == DigestAlgorithm::Sha256
            && self.pause(&mut Tries::default(), error, None).await
        {
            sent = self.send(&ask).await;
        }
        let reply = match sent {
            Ok(Some(reply)) => reply,
            Ok(None) => return Err(RegistryError::NotStored { digest }),
            Err(error) => return Err(self.named_missing(digest, bytes, error)),
        };
        let host = &self.inner.host;
        host.wrote(format!("manifests/{digest}"));
        host.wrote(format!("manifests/{name}"));
        let found = match announced(&reply.headers) {
            Some(found) => Some(found),
            // Nothing else tells that the host has stored what was sent.
            None => self.head(name, None).await?.map(|found| found.digest),
        };
        match found {
            Some(found) if found == digest => {}
            Some(found) => {
                let expected = found.algorithm().digest(bytes);
                if found != expected {
                    let what = format!("what {} has stored", host.name);
                    return Err(RegistryError::DigestMismatch { what, expected, found });
                }
            }
            None => return Err(RegistryError::NotStored { digest }),
        }
        let mut tags: Vec<String> = Vec::new();
        tags.extend((name != digest.to_string()).then(|| name.to_owned()));
        if !more.is_empty() {
            let named: BTreeSet<&str> = reply
                .headers
                .get_all("oci-tag")
                .iter()
                .filter_map(|value| value.to_str().ok())
                .flat_map(|value| value.split(',').map(str::trim))
                .collect();
            let taken: Vec<&String> = more.iter().filter(|tag| named.contains(tag.as_str())).collect();
            host.learn(|known| known.abilities.many_tags = Some(!taken.is_empty()));
            taken.iter().for_each(|tag| host.wrote(format!("manifests/{tag}")));
            tags.extend(taken.into_iter().cloned());
        }
        Ok(Put { digest, tags, unlisted: self.unlisted(manifest, &reply.headers) })
    }

    /// What a host that does not list referrers must be helped with.
    fn unlisted(&self, manifest: &Manifest, headers: &HeaderMap) -> Option<Unlisted> {
        // A manifest of a type nobody here knows cannot be described; it is stored all the same.
        let document = Document::parse(&manifest.bytes, Some(&manifest.media_type)).ok()?;
        let subject = document.subject()?.digest;
        let listed = headers.contains_key("oci-subject");
        self.inner.host.learn(|known| known.abilities.referrers = Some(listed));
        if listed {
            return None;
        }
        let mut entry = manifest.descriptor();
        entry.artifact_type = document.artifact_type().map(ToOwned::to_owned);
        entry.annotations = document.annotations().clone();
        Some(Unlisted { subject, entry })
    }

    /// An error that tells what a manifest names and the host does not have.
    fn named_missing(&self, digest: Digest, bytes: &[u8], error: RegistryError) -> RegistryError {
        let RegistryError::Answered { exchange, .. } = &error else { return error };
        if !matches!(exchange.code.as_deref(), Some("MANIFEST_BLOB_UNKNOWN" | "BLOB_UNKNOWN")) {
            return error;
        }
        self.inner.host.learn(|known| known.abilities.checks_named = Some(true));
        let Ok(document) = Document::parse(bytes, None) else { return error };
        let doubted =
            document.named().map(|named| named.digest).filter(|named| self.inner.host.doubts(named));
        let missing: Vec<Digest> = doubted.collect();
        if missing.is_empty() { error } else { RegistryError::NamedNotStored { digest, missing } }
    }

    /// Every tag, sorted.
    pub(super) async fn list_tags(&self) -> Result<Vec<String>, RegistryError> {
        let mut tags = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut ask = Ask::below(Method::GET, format!("tags/list?n={PAGE}")).may_miss();
        let mut next: Url;
        let what = "tags/list";
        for _ in 0..PAGES {
            let Some((reply, bytes)) = self.fetch(&ask, PAGE_LIMIT, what).await? else { break };
            let invalid = |reason: String| RegistryError::Invalid {
                what: format!("the list of tags of {}", self.inner.repository),
                reason,
            };
            let page: TagList =
                json_of(&bytes, PAGE_LIMIT, TAGS).map_err(|error| invalid(error.to_string()))?;
            let page = page.tags.unwrap_or_default();
            let empty = page.is_empty();
            let (before, last, full) = (tags.len(), page.last().cloned(), page.len() == PAGE);
            // What is no tag cannot be asked for, so it is not there.
            tags.extend(page.into_iter().filter(|tag| is_image_tag(tag)));
            if tags.len() > TAGS {
                return Err(invalid(format!("it has more than {TAGS} tags")));
            }
            let linked = self.next_page(&reply.url, &reply.headers)?;
            next = match (linked, last) {
                (Some(next), _) => next,
                (None, Some(last)) if full && tags.len() > before => {
                    let mut next = reply.url.clone();
                    next.query_pairs_mut()
                        .clear()
                        .append_pair("n", &PAGE.to_string())
                        .append_pair("last", &last);
                    next
                }
                (None, _) => return Ok(tags.into_iter().collect()),
            };
            if !seen.insert(next.to_string()) {
                // Some hosts have a link on every page, also on the empty one behind the last.
                if empty {
                    return Ok(tags.into_iter().collect());
                }
                return Err(invalid("its pages go round in a circle".to_owned()));
            }
            ask = Ask::new(Method::GET, Place::At(&next)).may_miss();
        }
        if seen.len() >= PAGES {
            let what = format!("the list of tags of {}", self.inner.repository);
            return Err(RegistryError::Invalid { what, reason: format!("it has more than {PAGES} pages") });
        }
        Ok(tags.into_iter().collect())
    }

    /// The next page of a list (`Link: <…>; rel="next"`). Another host is not asked: nothing there is ours.
    pub(super) fn next_page(&self, from: &Url, headers: &HeaderMap) -> Result<Option<Url>, RegistryError> {
        let Some(link) = text(headers, LINK.as_str()) else { return Ok(None) };
        let next = link.split(',').find(|link| link.contains("rel=\"next\"") || link.contains("rel=next"));
        let Some(target) = next.and_then(|link| link.split('<').nth(1)?.split('>').next()) else {
            return Ok(None);
        };
        let home = self.inner.host.home()?;
        let url = follow(&home, from, target)?;
        if same_origin(&home, &url) {
            return Ok(Some(url));
        }
        let (host, place) = (self.inner.host.name.clone(), shown(&url));
        Err(RegistryError::Astray { host, place, reason: "the next page is on another host" })
    }

    /// Whether a blob is there.
    pub(super) async fn has(&self, digest: &Digest) -> Result<bool, RegistryError> {
        let path = format!("blobs/{digest}");
        let reply = match self.head_of(&Ask::below(Method::HEAD, path.clone()).may_miss()).await? {
            Head::There(reply) => Some(*reply),
            Head::Missing => None,
            // Its bytes are not read.
            Head::NotTaken => self.send(&Ask::below(Method::GET, path).may_miss()).await?,
        };
        Ok(reply.is_some_and(|reply| reply.status != StatusCode::NO_CONTENT))
    }
}

/// What came of a `HEAD`.
enum Head {
    There(Box<Reply>),
    Missing,
    /// The host is to be asked otherwise.
    NotTaken,
}

fn check_tag(tag: &str) -> Result<(), RegistryError> {
    if is_image_tag(tag) {
        return Ok(());
    }
    let what = format!("the tag `{}`", tag.escape_debug().take(200).collect::<String>());
    Err(RegistryError::Invalid { what, reason: "a tag is [A-Za-z0-9_][A-Za-z0-9._-]{0,127}".to_owned() })
}

/// `Docker-Content-Digest`, when it is of an algorithm that can be compared.
fn announced(headers: &HeaderMap) -> Option<Digest> {
    text(headers, "docker-content-digest")?.parse().ok()
}
