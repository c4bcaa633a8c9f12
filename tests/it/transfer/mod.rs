//! Images from one store to others: on disk, over the network, and as the command line.

mod algorithms;
mod faults;
mod odd;
mod plan;
mod requests;
mod stores;

use std::future::Future;
use std::path::Path;

use kyklos_release::adapter::oci::Archive;
use kyklos_release::format::oci::MANIFEST_LIMIT;
use kyklos_release::image::{Arrived, Attachments, GraphLimits, Meant, Mode, Place, Transfer, Wanted};
use kyklos_release::port::{Progress, Registry};

use crate::support::sample::Sample;

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// Hears nothing.
struct Silent;

impl Progress for Silent {
    fn working(&self, _on: &str) {}
    fn finished(&self, _verb: &str, _what: &str) {}
    fn warn(&self, _message: &str) {}
    fn stop_requested(&self) -> bool {
        false
    }
}

/// An archive that holds an image under two tags, read again.
async fn archived(sample: &Sample, path: &Path) -> Archive {
    let archive = Archive::extend(path).unwrap();
    sample.put(archive.registry(), "v1.0.0 latest").await;
    archive.write().await.unwrap();
    Archive::open(path).unwrap()
}

fn tags(text: &str) -> Vec<String> {
    text.split_whitespace().map(ToOwned::to_owned).collect()
}

/// A transfer of what a tag points to, to one place, without attachments.
fn job<'a>(source: &'a dyn Registry, tag: &str, to: &'a dyn Registry, tags: &'a [String]) -> Transfer<'a> {
    Transfer {
        source,
        from: "here".to_owned(),
        meant: Meant::Tag(tag.to_owned()),
        platform: None,
        expected: None,
        places: vec![Place { name: "there".to_owned(), registry: to, mode: Mode::Required }],
        wanted: Wanted { tags, ..Wanted::default() },
        attachments: Attachments::Left,
        jobs: 8,
        limits: GraphLimits::default(),
        progress: &Silent,
    }
}

/// The same with what is attached.
fn with_attached(job: Transfer<'_>) -> Transfer<'_> {
    Transfer { attachments: Attachments::Taken, ..job }
}

/// Panics unless everything of a sample is in a registry, byte for byte.
async fn has_all(registry: &dyn Registry, sample: &Sample) {
    for blob in &sample.blobs {
        assert!(
            registry.has_blob(&sample.algorithm.digest(blob)).await.unwrap(),
            "{}",
            String::from_utf8_lossy(blob)
        );
    }
    for manifest in &sample.manifests {
        let found = registry.manifest(&manifest.digest, MANIFEST_LIMIT).await.unwrap();
        assert_eq!(found.as_ref(), Some(manifest));
    }
}

fn states(one: &Arrived) -> String {
    let shown = one.moves.iter().map(|change| format!("{} {:?}", change.tag, change.state));
    shown.collect::<Vec<_>>().join(", ")
}
