//! A dry run tells exactly what a run sends, and in which order.

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

/// What a request is about, where requests only wait for others about the same: a blob, or a list of referrers.
fn about(request: &str) -> Option<&str> {
    let digest = request.find("sha256:").map(|at| &request[at..]).filter(|_| request.contains("/blobs/"));
    digest.and_then(|rest| rest.get(..71)).or_else(|| request.split_once("/manifests/sha256-").map(|of| of.1))
}

/// Whether a request reads the source: what hangs below one manifest is asked for before the next has come.
fn is_read(request: &str) -> bool {
    request.starts_with("GET /v2/staging/")
}

/// The steps of a plan, those together in which something goes on from one to the next at its own pace.
fn windows(plan: &[Vec<String>]) -> Vec<Vec<String>> {
    let mut windows: Vec<Vec<String>> = Vec::new();
    let mut before: &[String] = &[];
    for step in plan {
        let mut goes_on = step.iter().filter_map(|request| about(request));
        let own_pace = |step: &[String]| step.iter().all(|request| about(request).is_some());
        let joins = goes_on.any(|of| before.iter().any(|request| about(request) == Some(of)))
            || (own_pace(step) && own_pace(before))
            || (step.iter().all(|request| is_read(request)) && before.iter().all(|request| is_read(request)));
        match windows.last_mut().filter(|_| joins) {
            Some(window) => window.extend(step.iter().cloned()),
            None => windows.push(step.clone()),
        }
        before = step;
    }
    windows
}

/// Panics unless the requests were sent as the plan says.
fn follows(sent: &[String], plan: &[Vec<String>], shown: &str) {
    assert_eq!(sent.len(), plan.iter().map(Vec::len).sum::<usize>(), "{shown}: {plan:#?}\n{sent:#?}");
    let mut rest = sent;
    for window in windows(plan) {
        let (here, later) = rest.split_at(window.len());
        assert_eq!(sorted(here.to_vec()), sorted(window.clone()), "{shown}: {plan:#?}\n{sent:#?}");
        for of in window.iter().filter_map(|request| about(request)) {
            let course = |requests: &[String]| -> Vec<String> {
                requests.iter().filter(|request| about(request) == Some(of)).cloned().collect()
            };
            assert_eq!(course(here), course(&window), "{shown}");
        }
        rest = later;
    }
}

fn sorted(mut requests: Vec<String>) -> Vec<String> {
    requests.sort();
    requests
}

#[test]
fn the_plan_is_what_is_sent() {
    let options = [
        Options::default(),
        Options { referrers: false, ..Options::default() },
        Options { many_tags: true, olareg: true, ..Options::default() },
    ];
    for (options, from_host) in options.into_iter().flat_map(|one| [(one.clone(), false), (one, true)]) {
        if options.many_tags && !from_host {
            // Nothing has shown yet that the host takes several tags, so the plan is made for one that does not.
            continue;
        }
        let (many_tags, referrers) = (options.many_tags, options.referrers);
        let host = TestRegistry::start(options);
        let sample = Sample::attested("app").with_attached();
        let wanted = if referrers { tags("v1.0.0 v1.0 latest") } else { tags("v1.0.0") };
        let source = |shared| -> Box<dyn Registry> {
            if from_host { Box::new(host.open_on(shared, "staging")) } else { Box::new(wait(local(&sample))) }
        };
        wait(sample.put(&host.open("staging"), "x"));
        // Something of it is there already.
        wait(Sample::new("app").put(&host.open("a"), ""));
        let shared = wire(None);
        let (from, to) = (source(&shared), host.open_on(&shared, "a"));
        let rehearsal = Rehearsal::default();
        let (watched, at) = (rehearsal.source(from, "from"), rehearsal.destination(Box::new(to), "to"));
        host.forget();
        let before = host.stored("a");
        wait(transfer(&with_attached(job(&watched, "x", &at, &wanted)))).unwrap();
        assert_eq!(host.stored("a").tags, before.tags);
        assert_eq!(host.stored("a").manifests.len(), before.manifests.len(), "nothing is changed");
        let step = |step: &Vec<String>| step.iter().map(|request| plain(request)).collect();
        let plan: Vec<Vec<String>> = rehearsal.steps().iter().map(step).collect();
        assert!(plan[0].iter().any(|first| first.contains("manifests/v1.0.0")), "{plan:#?}");

        host.forget();
        let shared = wire(None);
        let (from, to) = (source(&shared), host.open_on(&shared, "a"));
        let real: Transfer<'_> = with_attached(job(&*from, "x", &to, &wanted));
        wait(transfer(&real)).unwrap();
        let sent: Vec<String> =
            host.log().iter().map(|one| plain(&format!("{} {}", one.method, one.path))).collect();
        let shown = format!("many tags {many_tags}, referrers {referrers}, from host {from_host}");
        follows(&sent, &plan, &shown);
    }
}

async fn local(sample: &Sample) -> Memory {
    let memory = Memory::new();
    sample.put(&memory, "x").await;
    memory
}
