//! A dry run tells exactly what a run sends.

use kyklos_release::adapter::oci::{Memory, Rehearsal};
use kyklos_release::image::{Transfer, transfer};
use kyklos_release::port::Registry;

use super::{job, tags, wait, with_attached};
use crate::support::registry::{Options, TestRegistry, wire};
use crate::support::sample::Sample;

/// A request without what only the host decides: session names and the order of equals.
fn plain(request: &str) -> String {
    let (head, query) = request.split_once('?').unwrap_or((request, ""));
    match head.split_once("/blobs/uploads/") {
        Some((head, session)) if !session.is_empty() => {
            let digest = query.split('&').find(|part| part.starts_with("digest=")).unwrap_or_default();
            format!("{head}/blobs/uploads/…?{digest}")
        }
        _ if head.ends_with("/tags/list") => head.to_owned(),
        _ => request.to_owned(),
    }
}

fn sent(host: &TestRegistry) -> Vec<String> {
    let mut sent: Vec<String> =
        host.log().iter().map(|one| plain(&format!("{} {}", one.method, one.path))).collect();
    sent.sort();
    sent
}

#[test]
fn the_plan_is_what_is_sent() {
    let options = [
        Options::default(),
        Options { referrers: false, ..Options::default() },
        Options { many_tags: true, ..Options::default() },
    ];
    for (options, from_host) in options.into_iter().flat_map(|one| [(one.clone(), false), (one, true)]) {
        let (many_tags, referrers) = (options.many_tags, options.referrers);
        let host = TestRegistry::start(options);
        let sample = Sample::attested("app").with_attached();
        let wanted = if many_tags { tags("v1.0.0 v1.0 latest") } else { tags("v1.0.0") };
        let source = |shared| -> Box<dyn Registry> {
            if from_host { Box::new(host.open_on(shared, "staging")) } else { Box::new(wait(local(&sample))) }
        };
        wait(sample.put(&host.open("staging"), "x"));
        // Something of it is there already.
        wait(Sample::new("app").put(&host.open("a"), ""));
        let shared = wire(None);
        let (from, to) = (source(&shared), host.open_on(&shared, "a"));
        let rehearsal = Rehearsal::default();
        let (watched, at) = (rehearsal.of(from, "from"), rehearsal.of(Box::new(to), "to"));
        host.forget();
        let before = host.stored("a");
        wait(transfer(&with_attached(job(&watched, "x", &at, &wanted)))).unwrap();
        assert_eq!(host.stored("a").tags, before.tags);
        assert_eq!(host.stored("a").manifests.len(), before.manifests.len(), "nothing is changed");
        let mut plan: Vec<String> = rehearsal.requests().iter().map(|request| plain(request)).collect();
        assert_eq!(plan.first().map(|first| first.contains("manifests/")), Some(true));
        plan.sort();

        host.forget();
        let shared = wire(None);
        let (from, to) = (source(&shared), host.open_on(&shared, "a"));
        let real: Transfer<'_> = with_attached(job(&*from, "x", &to, &wanted));
        wait(transfer(&real)).unwrap();
        assert_eq!(plan, sent(&host), "many tags {many_tags}, referrers {referrers}, from host {from_host}");
    }
}

async fn local(sample: &Sample) -> Memory {
    let memory = Memory::new();
    sample.put(&memory, "x").await;
    memory
}
