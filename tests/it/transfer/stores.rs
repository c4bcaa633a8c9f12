//! What arrives, in which order, and what is left when a run ends anywhere.

use kyklos_release::adapter::oci::{Archive, Layout, Memory, import};
use kyklos_release::diag::{Hint as _, Kind};
use kyklos_release::format::oci::{MANIFEST_LIMIT, media_type};
use kyklos_release::image::{
    Attachments, GraphLimits, ImageError, Mode, Place, Remark, TagPolicy, Transfer, Transferred, Wanted,
    transfer,
};
use kyklos_release::model::Digest;
use kyklos_release::port::{Content, Manifest, Registry, RegistryError};

use super::{archived, has_all, job, states, tags, wait};

use crate::support::sample::{Sample, descriptor};
use crate::support::spectator::{Spectator, Trouble, whole};

async fn stored(sample: &Sample, tags: &str) -> Memory {
    let memory = Memory::new();
    sample.put(&memory, tags).await;
    memory
}

#[test]
fn an_image_goes_from_any_store_to_any_other() {
    let here = tempfile::tempdir().unwrap();
    let sample = Sample::attested("app").with_attached();
    wait(async {
        let memory = stored(&sample, "v1.0.0 latest").await;
        let layout = Layout::create(here.path().join("a")).unwrap();
        sample.put(&layout, "v1.0.0 latest").await;
        let archive = archived(&sample, &here.path().join("a.tar")).await;
        let sources: [&dyn Registry; 3] = [&memory, &layout, archive.registry()];
        for (number, source) in sources.into_iter().enumerate() {
            let target = here.path().join(format!("to-{number}"));
            let to_layout = Layout::create(&target).unwrap();
            let to_memory = Memory::new();
            let to_archive = Archive::extend(here.path().join(format!("to-{number}.tar"))).unwrap();
            let places: [&dyn Registry; 3] = [&to_layout, &to_memory, to_archive.registry()];
            for to in places {
                let wanted = tags("v1.0.0 latest");
                let job = Transfer { attachments: Attachments::Taken, ..job(source, "v1.0.0", to, &wanted) };
                let done = transfer(&job).await.unwrap();
                assert_eq!(done.digest, sample.digest());
                assert_eq!(states(&done.places[0]), "v1.0.0 Created, latest Created");
                assert_eq!(done.places[0].uploaded.len(), sample.blobs.len());
                assert_eq!(done.places[0].attached.len(), sample.attached.len());
                has_all(to, &sample).await;
                whole(to).await;
            }
            to_archive.write().await.unwrap();
            let read = |name: &str| std::fs::read(here.path().join(name)).unwrap();
            assert_eq!(read("a/index.json"), read(&format!("to-{number}/index.json")));
            assert!(read("a.tar") == read(&format!("to-{number}.tar")), "the same content, the same file");
        }
    });
}

#[test]
fn what_is_attached_stays_where_it_is_unless_asked_for() {
    let sample = Sample::new("app").with_attached();
    wait(async {
        let source = stored(&sample, "v1.0.0").await;
        let to = Memory::new();
        let wanted = tags("v1.0.0");
        let done = transfer(&job(&source, "v1.0.0", &to, &wanted)).await.unwrap();
        assert_eq!((done.places[0].uploaded.len(), done.places[0].manifests.len()), (3, 3));
        assert!(to.referrers(&sample.digest(), None).await.unwrap().is_empty());
        // The image is there already; only what is attached comes.
        let taken = Transfer { attachments: Attachments::Taken, ..job(&source, "v1.0.0", &to, &wanted) };
        let done = transfer(&taken).await.unwrap();
        assert_eq!((done.places[0].skipped.len(), done.places[0].attached.len()), (3, 4));
        has_all(&to, &sample).await;
    });
}

#[test]
fn a_second_run_looks_at_each_tag_once() {
    let sample = Sample::new("app");
    wait(async {
        let source = stored(&sample, "v1.0.0").await;
        let to = Memory::new();
        let wanted = tags("latest v1 v1.0.0");
        transfer(&job(&source, "v1.0.0", &to, &wanted)).await.unwrap();
        let watched = Spectator::new(&to);
        let done = transfer(&job(&source, "v1.0.0", &watched, &wanted)).await.unwrap();
        assert_eq!(states(&done.places[0]), "latest Unchanged, v1 Unchanged, v1.0.0 Unchanged");
        assert_eq!(*watched.calls.borrow(), ["stat v1.0.0", "stat latest", "stat v1"]);
    });
}

#[test]
fn blobs_then_manifests_then_the_index_under_its_tag() {
    let sample = Sample::new("app");
    wait(async {
        let source = stored(&sample, "v1.0.0").await;
        let to = Memory::new();
        let watched = Spectator::new(&to);
        let wanted = tags("edge");
        transfer(&job(&source, "v1.0.0", &watched, &wanted)).await.unwrap();
        let calls: Vec<String> = watched
            .calls
            .borrow()
            .iter()
            .map(|call| {
                let words: Vec<&str> = call.split(' ').filter(|word| !word.starts_with("sha256:")).collect();
                words.join(" ")
            })
            .collect();
        let blobs = ["put blob"; 3];
        let expected = [
            &["stat edge"][..],
            &blobs,
            &["put manifest ", "put manifest "],
            &["tags"],
            &["put manifest edge"],
        ];
        assert_eq!(calls, expected.concat());
    });
}

#[test]
fn a_run_that_ends_anywhere_leaves_nothing_half_and_the_next_one_ends_it() {
    let sample = Sample::attested("app").with_attached();
    let wanted = tags("v1.0.0 v1.0 latest");
    let mut runs = 0;
    for trouble in [Trouble::Before, Trouble::After] {
        for at in 1.. {
            let (ended, calls) = wait(async {
                let source = stored(&sample, "v1.0.0").await;
                let to = Memory::new();
                let watched = Spectator::troubled(&to, at, trouble).one_tag_at_a_time();
                let first =
                    Transfer { attachments: Attachments::Taken, ..job(&source, "v1.0.0", &watched, &wanted) };
                let ended = transfer(&first).await;
                whole(&to).await;
                let again = Spectator::new(&to);
                let second =
                    Transfer { attachments: Attachments::Taken, ..job(&source, "v1.0.0", &again, &wanted) };
                transfer(&second).await.unwrap();
                has_all(&to, &sample).await;
                for tag in &wanted {
                    assert_eq!(to.resolve(tag).await.unwrap(), Some(sample.digest()), "{tag}");
                }
                (ended, watched.calls.borrow().len())
            });
            if calls < at {
                assert!(ended.is_ok());
                break;
            }
            assert_eq!(ended.unwrap_err().kind(), Kind::Interrupted, "{trouble:?} {at}");
            runs += 1;
        }
    }
    assert!(runs > 50, "{runs}");
}

#[test]
fn a_source_that_fails_anywhere_leaves_nothing_half() {
    let sample = Sample::new("app").with_attached();
    let wanted = tags("v1.0.0");
    for at in 1.. {
        let calls = wait(async {
            let source = stored(&sample, "v1.0.0").await;
            let watched = Spectator::troubled(&source, at, Trouble::Before);
            let to = Memory::new();
            let first = Transfer { attachments: Attachments::Taken, ..job(&watched, "v1.0.0", &to, &wanted) };
            let ended = transfer(&first).await;
            whole(&to).await;
            let calls = watched.calls.borrow().len();
            assert_eq!(ended.is_ok(), calls < at);
            assert_eq!(to.tags().await.unwrap().is_empty(), calls >= at, "no tag before everything is there");
            calls
        });
        if calls < at {
            return;
        }
    }
}

#[test]
fn a_tag_that_never_moves_is_refused_before_anything_is_tagged() {
    wait(async {
        let (one, two) = (Sample::new("one"), Sample::new("two"));
        let source = stored(&two, "x").await;
        let to = stored(&one, "v1.0.0").await;
        let wanted = tags("latest v1.0.0");
        let error = transfer(&job(&source, "x", &to, &wanted)).await.unwrap_err();
        let (expected, found) = (two.digest(), one.digest());
        assert!(
            matches!(&error, ImageError::TagTaken { expected: e, found: f, .. } if (*e, *f) == (expected, found))
        );
        assert_eq!(error.kind(), Kind::Conflict);
        assert_eq!(to.tags().await.unwrap(), ["v1.0.0"]);
        let mut moving = job(&source, "x", &to, &wanted);
        moving.wanted.policy = Some(TagPolicy::Rolling);
        let done = transfer(&moving).await.unwrap();
        assert_eq!(states(&done.places[0]), "latest Created, v1.0.0 Moved");
        assert_eq!(done.places[0].moves[1].previous, Some(found));
    });
}

#[test]
fn the_tags_of_an_older_version_are_kept() {
    wait(async {
        let (new, old, pre) = (Sample::new("new"), Sample::new("old"), Sample::new("pre"));
        let to = stored(&new, "v0.2.0 v0.2 v0 latest").await;
        let source = stored(&old, "x").await;
        pre.put(&source, "pre").await;
        let wanted = tags("v0.1.1 v0.1 v0 latest");
        let done = transfer(&job(&source, "x", &to, &wanted)).await.unwrap();
        assert_eq!(states(&done.places[0]), "v0.1.1 Created, v0.1 Created, v0 Kept, latest Kept");
        assert_eq!(done.places[0].tags().collect::<Vec<_>>(), ["v0.1.1", "v0.1"]);
        let resolved = async |tag: &str| to.resolve(tag).await.unwrap().unwrap();
        assert_eq!((resolved("v0.1").await, resolved("v0").await), (old.digest(), new.digest()));
        assert_eq!(resolved("latest").await, new.digest());
        let wanted = tags("v0.3.0-rc.1 v0.3 latest");
        let done = transfer(&job(&source, "pre", &to, &wanted)).await.unwrap();
        assert_eq!(states(&done.places[0]), "v0.3.0-rc.1 Created, v0.3 Kept, latest Kept");
        assert_eq!(to.resolve("v0.3").await.unwrap(), None);
        // Asked for nothing but that, it is a mistake.
        let wanted = tags("latest");
        let alone = Transfer {
            wanted: Wanted { tags: &wanted, known_as: Some("v0.1.1"), ..Wanted::default() },
            ..job(&source, "x", &to, &wanted)
        };
        let error = transfer(&alone).await.unwrap_err();
        assert_eq!(error.to_string(), "the tag latest would go back from 0.2.0 to 0.1.1");
    });
}

#[test]
fn somebody_else_who_sets_the_tag_meanwhile_is_seen() {
    let (ours, theirs) = (Sample::new("ours"), Sample::new("theirs"));
    let wanted = tags("v1.0.0 latest");
    let (mut seen, mut late) = (Vec::new(), Vec::new());
    for after in 1.. {
        let (ended, calls, latest) = wait(async {
            let source = stored(&ours, "x").await;
            let to = Memory::new();
            theirs.put(&to, "").await;
            let watched = Spectator::new(&to).one_tag_at_a_time().joined(after, "v1.0.0", theirs.root());
            let ended = transfer(&job(&source, "x", &watched, &wanted)).await;
            let calls = watched.calls.borrow().clone();
            (ended, calls, to.resolve("latest").await.unwrap())
        });
        if after > calls.len() {
            break;
        }
        let call = calls[after - 1].clone();
        let words: Vec<&str> = call.split(' ').filter(|word| !word.starts_with("sha256:")).collect();
        match ended {
            Ok(_) => seen.push(words.join(" ")),
            Err(error) => {
                assert_eq!(error.kind(), Kind::Conflict, "{error}");
                if latest.is_some() {
                    late.push(words.join(" "));
                }
            }
        }
    }
    // Between the last look and the write nobody can tell, and behind the last look nobody asks. Who comes between the
    // first look back and the second finds that rolling tags have moved.
    assert_eq!(
        (seen, late),
        (tags_of(&["tags", "stat v1.0.0"]), tags_of(&["stat v1.0.0", "put manifest latest"]))
    );
}

fn tags_of(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

#[test]
fn mirrors_are_one_unit_with_the_destination() {
    let sample = Sample::new("app").with_attached();
    let wanted = tags("v1.0.0 latest");
    for (mode, at) in
        [(Mode::Required, 2), (Mode::BestEffort, 2), (Mode::Required, 99), (Mode::BestEffort, 1)]
    {
        wait(async {
            let source = stored(&sample, "v1.0.0").await;
            let (main, other) = (Memory::new(), Memory::new());
            let mirror = Spectator::troubled(&other, at, Trouble::Before);
            let mut both =
                Transfer { attachments: Attachments::Taken, ..job(&source, "v1.0.0", &main, &wanted) };
            both.places.push(Place { name: "mirror".to_owned(), registry: &mirror, mode });
            let ended: Result<Transferred, ImageError> = transfer(&both).await;
            match (mode, at) {
                (_, 99) => {
                    let done = ended.unwrap();
                    assert_eq!(states(&done.places[1]), "v1.0.0 Created, latest Created");
                    has_all(&other, &sample).await;
                }
                (Mode::Required, _) => {
                    let error = ended.unwrap_err();
                    assert_eq!(error.to_string(), "mirror did not get the image");
                    assert!(main.tags().await.unwrap().is_empty(), "no tag moves anywhere");
                }
                (Mode::BestEffort, _) => {
                    let done = ended.unwrap();
                    assert!(done.places[1].failure.is_some());
                    assert_eq!(main.tags().await.unwrap(), ["latest", "v1.0.0"]);
                    assert!(other.tags().await.unwrap().is_empty());
                }
            }
        });
    }
}

#[test]
fn a_mirror_with_another_image_under_the_tag_stops_the_destination_too() {
    wait(async {
        let source = stored(&Sample::new("app"), "v1.0.0").await;
        let (main, other) = (Memory::new(), stored(&Sample::new("other"), "v1.0.0").await);
        let wanted = tags("v1.0.0");
        let mut both = job(&source, "v1.0.0", &main, &wanted);
        both.places.push(Place { name: "mirror".to_owned(), registry: &other, mode: Mode::Required });
        let error = transfer(&both).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Conflict);
        assert!(main.tags().await.unwrap().is_empty());
    });
}

#[test]
fn one_platform_is_an_image_of_its_own() {
    wait(async {
        let sample = Sample::new("app");
        let source = stored(&sample, "v1.0.0").await;
        let to = Memory::new();
        let wanted = tags("arm");
        let mut one = job(&source, "v1.0.0", &to, &wanted);
        one.platform = Some("linux/arm64/v8".parse().unwrap());
        assert_eq!(transfer(&one).await.unwrap().digest, sample.platforms[1]);
        one.platform = Some("linux/s390x".parse().unwrap());
        let error = transfer(&one).await.unwrap_err();
        assert!(matches!(error, ImageError::NoPlatform { available, .. } if available.len() == 2));
        one.expected = Some(sample.digest());
        one.platform = None;
        assert!(transfer(&one).await.is_ok());
        one.expected = Some(sample.platforms[0]);
        assert_eq!(transfer(&one).await.unwrap_err().kind(), Kind::Refused);
    });
}

#[test]
fn nested_indexes_and_content_of_unknown_types_are_copied_byte_for_byte() {
    let here = tempfile::tempdir().unwrap();
    wait(async {
        let mut sample = Sample::new("app");
        let inner = sample.root().clone();
        let unknown = b"{ \"anything\": [1, 2] }".to_vec();
        let source = Memory::new();
        source.put_blob(&Content::bytes(Digest::of(&unknown), unknown.clone()), None).await.unwrap();
        let entries = [
            descriptor(media_type::INDEX, &inner.bytes, ""),
            descriptor("application/vnd.example.thing", &unknown, r#","future":{"a":1}"#),
        ];
        sample.root = Some(sample.index(&entries.join(","), r#","unknown":[true]"#).digest);
        sample.put(&source, "v1").await;
        let to = Layout::create(here.path().join("to")).unwrap();
        let wanted = tags("v1");
        let done = transfer(&job(&source, "v1", &to, &wanted)).await.unwrap();
        assert_eq!(done.digest, sample.digest());
        has_all(&to, &sample).await;
        assert!(to.has_blob(&Digest::of(&unknown)).await.unwrap());
    });
}

#[test]
fn layers_that_are_not_to_be_passed_on_stay_and_are_told() {
    let here = tempfile::tempdir().unwrap();
    wait(async {
        let kind = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
        let mut sample = Sample::default();
        let config = r#"{"architecture":"amd64","os":"windows","rootfs":{"type":"layers","diff_ids":[]}}"#;
        let manifest = sample.manifest(media_type::CONFIG, config, &[(kind, b"licensed")], "");
        sample.root = Some(manifest.digest);
        let source = stored(&sample, "v1").await;
        let to = Layout::create(here.path().join("to")).unwrap();
        let wanted = tags("v1");
        let done = transfer(&job(&source, "v1", &to, &wanted)).await.unwrap();
        let digest = Digest::of(b"licensed");
        assert_eq!(done.remarks, [Remark::Foreign { digest, media_type: kind.to_owned() }]);
        assert!(!to.has_blob(&digest).await.unwrap());
        assert_eq!(done.places[0].uploaded, [Digest::of(config.as_bytes())]);
    });
}

#[test]
fn docker_types_are_never_converted() {
    wait(async {
        let config = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[]}}"#,
            media_type::DOCKER_MANIFEST,
            descriptor("application/vnd.docker.container.image.v1+json", config, "")
        );
        let source = Memory::new();
        source.put_blob(&Content::bytes(Digest::of(config), &config[..]), None).await.unwrap();
        let put = source
            .put(&Manifest::of(media_type::DOCKER_MANIFEST, text.as_bytes().to_vec()), &tags("v1"))
            .await
            .unwrap();
        let (to, wanted) = (Memory::new(), tags("v1"));
        let done = transfer(&job(&source, "v1", &to, &wanted)).await.unwrap();
        assert_eq!((done.digest, done.media_type.as_str()), (put.digest, media_type::DOCKER_MANIFEST));
    });
}

#[test]
fn hostile_indexes_are_bounded() {
    wait(async {
        // A hundred thousand entries.
        let entry = descriptor(media_type::MANIFEST, b"x", "");
        let many = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, vec![entry; 100_000].join(","));
        assert!(
            Memory::new().put(&Manifest::of(media_type::INDEX, many.as_bytes().to_vec()), &[]).await.is_err()
        );

        // Deeper than is followed.
        let mut sample = Sample::new("deep");
        for _ in 0..9 {
            let inner = sample.root().bytes.clone();
            sample.root = Some(sample.index(&descriptor(media_type::INDEX, &inner, ""), "").digest);
        }
        let source = stored(&sample, "v1").await;
        let (to, wanted) = (Memory::new(), tags("v1"));
        let error = transfer(&job(&source, "v1", &to, &wanted)).await.unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.kind()),
            ("the image has more than 8 levels of manifests", Kind::Refused)
        );

        // More manifests, more bytes and more blobs than are held.
        let sample = Sample::new("wide");
        let source = stored(&sample, "v1").await;
        for (limits, what) in [
            (GraphLimits { manifests: 2, ..GraphLimits::default() }, "2 manifests"),
            (GraphLimits { bytes: 900, ..GraphLimits::default() }, "900 bytes of manifests"),
            (GraphLimits { blobs: 2, ..GraphLimits::default() }, "2 blobs"),
        ] {
            let error = transfer(&Transfer { limits, ..job(&source, "v1", &to, &wanted) }).await.unwrap_err();
            assert_eq!(error.to_string(), format!("the image has more than {what}"));
        }
        assert!(to.tags().await.unwrap().is_empty());
    });
}

#[test]
fn a_platform_that_is_there_twice_is_told_and_a_child_that_is_not_is_an_error() {
    let here = tempfile::tempdir().unwrap();
    wait(async {
        let mut sample = Sample::new("app");
        let other = sample.manifest(media_type::CONFIG, "{}", &[], "");
        let entries = [sample.manifests[0].clone(), other].map(|one| {
            descriptor(
                media_type::MANIFEST,
                &one.bytes,
                r#","platform":{"architecture":"amd64","os":"linux"}"#,
            )
        });
        sample.root = Some(sample.index(&entries.join(","), "").digest);
        let layout = Layout::create(here.path().join("from")).unwrap();
        sample.put(&layout, "v1").await;
        let (to, wanted) = (Memory::new(), tags("v1"));
        let done = transfer(&job(&layout, "v1", &to, &wanted)).await.unwrap();
        let platform = "linux/amd64".parse().unwrap();
        assert_eq!(done.remarks, [Remark::DuplicatePlatform { index: sample.digest(), platform }]);

        let gone = sample.manifests[0].digest;
        std::fs::remove_file(here.path().join("from/blobs/sha256").join(gone.hex())).unwrap();
        let to = Memory::new();
        let error = transfer(&job(&layout, "v1", &to, &wanted)).await.unwrap_err();
        assert!(
            matches!(error, ImageError::Registry(RegistryError::NotStored { digest }) if digest == gone),
            "{error}"
        );
        assert!(to.tags().await.unwrap().is_empty());
    });
}

#[test]
fn an_archive_is_added_to_and_stays_the_same_when_nothing_is() {
    let here = tempfile::tempdir().unwrap();
    let path = here.path().join("sub/a.tar");
    wait(async {
        let (one, two) = (Sample::new("one"), Sample::new("two"));
        for sample in [&one, &two] {
            let archive = Archive::extend(&path).unwrap();
            let tag = if sample.digest() == one.digest() { "v1" } else { "v2" };
            sample.put(archive.registry(), tag).await;
            archive.write().await.unwrap();
        }
        let archive = Archive::open(&path).unwrap();
        assert_eq!(archive.registry().tags().await.unwrap(), ["v1", "v2"]);
        has_all(archive.registry(), &one).await;
        has_all(archive.registry(), &two).await;
        let before = std::fs::metadata(&path).unwrap().modified().unwrap();
        Archive::extend(&path).unwrap().write().await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), before);
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "nothing is left beside it"
        );
        // The other order gives the same file.
        let archive = Archive::extend(here.path().join("b.tar")).unwrap();
        two.put(archive.registry(), "v2").await;
        one.put(archive.registry(), "v1").await;
        archive.write().await.unwrap();
        assert!(std::fs::read(&path).unwrap() == std::fs::read(here.path().join("b.tar")).unwrap());
    });
}

#[test]
fn a_damaged_archive_is_found_when_it_is_read() {
    let here = tempfile::tempdir().unwrap();
    let path = here.path().join("a.tar");
    wait(async {
        let sample = Sample::new("app");
        let archive = Archive::extend(&path).unwrap();
        sample.put(archive.registry(), "v1").await;
        archive.write().await.unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let wanted = tags("v1");
        for at in (0..bytes.len()).step_by(37) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, &damaged).unwrap();
            let Ok(archive) = Archive::open(&path) else { continue };
            let to = Memory::new();
            if let Ok(done) = transfer(&job(archive.registry(), "v1", &to, &wanted)).await {
                assert_eq!(done.digest, sample.digest(), "{at}");
                has_all(&to, &sample).await;
            }
        }
    });
}

#[test]
fn what_docker_saves_is_read_as_an_oci_image() {
    let here = tempfile::tempdir().unwrap();
    let path = here.path().join("saved.tar");
    let layer = b"a layer, not compressed";
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{}","{0}"]}}}}"#,
        Digest::of(layer)
    );
    let write = |layer: &[u8]| {
        let mut builder = tar::Builder::new(std::fs::File::create(&path).unwrap());
        let manifest = r#"[{"Config":"c.json","RepoTags":["h:5000/app:v1","app:v1"],"Layers":["a/layer.tar","b/layer.tar"]}]"#;
        for (name, content) in
            [("a/layer.tar", layer), ("c.json", config.as_bytes()), ("manifest.json", manifest.as_bytes())]
        {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, content).unwrap();
        }
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, "b/layer.tar", "../a/layer.tar").unwrap();
        builder.finish().unwrap();
    };
    write(layer);
    wait(async {
        let registry = import(&path).unwrap();
        assert_eq!(registry.tags().await.unwrap(), ["v1"]);
        let (to, wanted) = (Memory::new(), tags("v1"));
        let done = transfer(&job(&registry, "v1", &to, &wanted)).await.unwrap();
        assert_eq!(done.media_type, media_type::MANIFEST);
        assert_eq!(done.places[0].uploaded.len(), 2);
        let root = to.tagged("v1", MANIFEST_LIMIT).await.unwrap().unwrap();
        let text = String::from_utf8(root.bytes).unwrap();
        assert!(text.contains(&Digest::of(config.as_bytes()).to_string()) && text.contains("layer.v1.tar\""));
        write(b"another layer, not the one of the config");
        assert!(matches!(import(&path), Err(RegistryError::DigestMismatch { .. })));
    });
}
