//! The layout directory as a registry: what it refuses, and what it keeps when many write or one dies.

use std::future::Future;
use std::io::{Cursor, Read as _};
use std::path::Path;

use kyklos_release::adapter::oci::Layout;
use kyklos_release::diag::Severity;
use kyklos_release::format::oci::{Descriptor, ImageIndex, MANIFEST_LIMIT, PlatformFields, media_type};
use kyklos_release::image::{
    Assembled, Contents, Expectations, ImageError, ImageFacts, Meant, Settings, TagState, Wanted, assemble,
    check, fetch, referrer, retag,
};
use kyklos_release::model::Digest;
use kyklos_release::port::{Content, Manifest, Registry as _, RegistryError, Stored};

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

async fn look(layout: &Layout, digest: &Digest) -> Result<ImageFacts, ImageError> {
    check(layout, fetch(layout, digest).await?, &Expectations::default()).await
}

/// Content that is announced with this digest and size.
fn content(digest: Digest, size: u64, bytes: &[u8]) -> Content<'_> {
    Content::opened(digest, size, |_| Ok(Box::new(Cursor::new(bytes.to_vec()))))
}

fn image(text: &str) -> Assembled {
    let contents = ["linux/amd64", "linux/arm64"].map(|platform| Contents {
        platform: platform.parse().expect("a platform"),
        name: "app".to_owned(),
        bytes: format!("{text} for {platform}").into_bytes(),
    });
    let settings = Settings {
        user: "65532".to_owned(),
        labels: [].into(),
        annotations: [].into(),
        created: jiff::Timestamp::UNIX_EPOCH,
    };
    assemble(&contents, &settings).expect("an image")
}

/// A layout with one image under the tag `v1.0.0`.
fn stored(directory: &Path) -> (Layout, Assembled) {
    let layout = Layout::create(directory.join("registry")).expect("a layout");
    let image = image("one");
    wait(async {
        image.package.put(&layout).await.expect("stored");
        layout.tag("v1.0.0", &image.index.digest).await.expect("tagged");
    });
    (layout, image)
}

fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(directory).expect("below").display().to_string();
                found.push((name, std::fs::read(&path).expect("a file")));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_order_of_the_writes_does_not_show() {
    let here = tempfile::tempdir().unwrap();
    let (layout, image) = stored(&here.path().join("left"));
    let other = Layout::create(here.path().join("right")).unwrap();
    wait(async {
        image.package.put(&other).await.unwrap();
        image.package.put(&other).await.unwrap();
        other.tag("v1.0.0", &image.index.digest).await.unwrap();
        // A child that is put again is still reached through its index.
        let child = &image.package.manifests[0];
        let _ = other.put(&child.manifest(), &[]).await.unwrap();
    });
    assert_eq!(files(layout.root()), files(other.root()));
    assert_eq!(layout.roots().unwrap(), [image.index.digest]);
    assert_eq!(wait(layout.tags()).unwrap(), ["v1.0.0"]);
    for manifest in &image.package.manifests {
        let read = wait(layout.manifest(&manifest.digest, MANIFEST_LIMIT)).unwrap().unwrap();
        assert_eq!((read.bytes, read.media_type), (manifest.bytes.clone(), manifest.media_type.clone()));
    }
}

#[test]
fn one_flipped_or_lost_byte_in_any_blob_is_found() {
    let here = tempfile::tempdir().unwrap();
    let (layout, image) = stored(here.path());
    let blobs = layout.root().join("blobs/sha256");
    for entry in std::fs::read_dir(&blobs).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for offset in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut damaged = bytes.clone();
            damaged[offset] ^= 1;
            for damaged in [damaged, bytes[..offset].to_vec(), [&bytes[..], b"x"].concat()] {
                std::fs::write(&path, damaged).unwrap();
                let found = wait(look(&layout, &image.index.digest));
                assert!(found.is_err() || !found.unwrap().complete, "{}", path.display());
            }
        }
        std::fs::remove_file(&path).unwrap();
        let found = wait(look(&layout, &image.index.digest));
        assert!(found.is_err() || !found.unwrap().complete, "{}", path.display());
        std::fs::write(&path, bytes).unwrap();
    }
    assert!(wait(look(&layout, &image.index.digest)).unwrap().complete);
}

#[test]
fn a_tag_that_never_moves_has_one_winner_of_many_writers() {
    for round in 0..12 {
        let here = tempfile::tempdir().unwrap();
        let root = here.path().join("registry");
        let start = std::sync::Barrier::new(3);
        let ends: Vec<(Digest, Result<(), ImageError>)> = std::thread::scope(|scope| {
            let writers: Vec<_> = ["one", "two", "three"]
                .map(|text| {
                    let (root, start) = (&root, &start);
                    scope.spawn(move || {
                        let layout = Layout::create(root).unwrap();
                        let image = image(text);
                        let digest = image.index.digest;
                        let tags = ["v1.0.0".to_owned(), "latest".to_owned()];
                        let ended = wait(async {
                            image.package.put(&layout).await.unwrap();
                            start.wait();
                            let wanted = Wanted { tags: &tags, ..Wanted::default() };
                            retag(&layout, &Meant::Digest(digest), "layout", &wanted).await.map(drop)
                        });
                        (digest, ended)
                    })
                })
                .into_iter()
                .map(|writer| writer.join().unwrap())
                .collect();
            writers
        });
        let layout = Layout::open(&root).unwrap();
        let set = wait(layout.resolve("v1.0.0")).unwrap().unwrap();
        let won: Vec<_> = ends.iter().filter(|(_, ended)| ended.is_ok()).map(|(digest, _)| *digest).collect();
        assert_eq!(won, [set], "round {round}: whoever was told yes has the tag");
        for (digest, ended) in &ends {
            if let Err(error) = ended {
                assert!(
                    matches!(error, ImageError::TagTaken { expected, found, .. } if expected == digest && *found == set),
                    "round {round}: {error}"
                );
            }
        }
    }
}

/// The same from process to process, with everything a command does before.
#[test]
fn two_commands_that_set_one_version_tag_end_in_one_yes_and_one_conflict() {
    let here = tempfile::tempdir().unwrap();
    for text in ["one", "two"] {
        std::fs::write(here.path().join(text), text).unwrap();
    }
    for round in 0..6 {
        let command = |text: &str| {
            crate::support::command::kyklos(here.path()).args(&format!(
                "image assemble --name app --binary linux/amd64={text} -o oci:layout{round}:v1.0.0"
            ))
        };
        let (first, second) = (command("one").spawn(), command("two").spawn());
        let ends = [first.wait(), second.wait()];
        let mut codes = ends.each_ref().map(crate::support::command::Run::code);
        codes.sort_unstable();
        assert_eq!(codes, [0, 5], "{}\n{}", ends[0].show(), ends[1].show());
        let winner = ends.iter().find(|run| run.code() == 0).unwrap().stdout();
        let layout = Layout::open(here.path().join(format!("layout{round}"))).unwrap();
        let set = wait(layout.resolve("v1.0.0")).unwrap().unwrap();
        assert!(winner.starts_with(&format!("{set} ")), "{winner}");
    }
}

#[test]
fn content_that_is_not_what_was_announced_is_not_stored() {
    let here = tempfile::tempdir().unwrap();
    let layout = Layout::create(here.path().join("registry")).unwrap();
    let before = files(layout.root());
    let digest = Digest::of(b"abc");
    for (bytes, size) in [(&b"abd"[..], 3), (b"ab", 3), (b"abc", 2), (b"abc", 4)] {
        let error = wait(layout.put_blob(&content(digest, size, bytes), None)).unwrap_err();
        let refused =
            matches!(error, RegistryError::DigestMismatch { .. } | RegistryError::SizeMismatch { .. });
        assert!(refused, "{error}");
    }
    // An endless source ends where the announced size ends.
    let endless = Content::opened(digest, 3, |_| Ok(Box::new(std::io::repeat(0))));
    assert!(wait(layout.put_blob(&endless, None)).is_err());
    assert_eq!(files(layout.root()), before);
}

#[test]
fn a_manifest_needs_everything_it_names() {
    let here = tempfile::tempdir().unwrap();
    let layout = Layout::create(here.path().join("registry")).unwrap();
    let image = image("one");
    let index = image.package.manifests.last().unwrap();
    let error = wait(layout.put(&index.manifest(), &[])).unwrap_err();
    let first = image.platforms[0].1;
    assert!(matches!(error, RegistryError::NotStored { digest } if digest == first), "{error}");
    let error = wait(layout.tag("v1", &index.digest)).unwrap_err();
    assert!(matches!(error, RegistryError::NotStored { .. }), "{error}");
    assert_eq!(wait(layout.manifest(&index.digest, MANIFEST_LIMIT)).unwrap(), None);
}

#[test]
fn many_writers_lose_nothing() {
    let here = tempfile::tempdir().unwrap();
    let root = here.path().join("registry");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let root = &root;
            scope.spawn(move || {
                let layout = Layout::create(root).unwrap();
                let image = image(&number.to_string());
                wait(async {
                    image.package.put(&layout).await.unwrap();
                    layout.tag(&format!("v{number}"), &image.index.digest).await.unwrap();
                });
            });
        }
    });
    let layout = Layout::open(&root).unwrap();
    let expected: Vec<String> = (0..8).map(|number| format!("v{number}")).collect();
    assert_eq!(wait(layout.tags()).unwrap(), expected);
    assert_eq!(layout.roots().unwrap().len(), 8);
    let names: Vec<String> = files(&root).into_iter().map(|(name, _)| name).collect();
    assert!(names.iter().all(|name| !name.starts_with('.')), "{names:?}");
}

#[test]
fn what_a_killed_run_left_is_gone_after_the_next_write() {
    let here = tempfile::tempdir().unwrap();
    let (layout, image) = stored(here.path());
    let before = files(layout.root());
    std::fs::write(layout.root().join(".kyklos-release-abc"), "half").unwrap();
    wait(layout.tag("v1.0.0", &image.index.digest)).unwrap();
    assert_eq!(files(layout.root()), before);
    // A manifest that was stored and not listed does not exist, so the next run puts it again.
    let bundle = referrer(b"{}", &image.index, None, jiff::Timestamp::UNIX_EPOCH).unwrap();
    let manifest = &bundle.package.manifests[0];
    std::fs::write(layout.root().join("blobs/sha256").join(manifest.digest.hex()), &manifest.bytes).unwrap();
    assert_eq!(wait(layout.manifest(&manifest.digest, MANIFEST_LIMIT)).unwrap(), None);
    wait(bundle.package.put(&layout)).unwrap();
    assert!(wait(layout.manifest(&manifest.digest, MANIFEST_LIMIT)).unwrap().is_some());
}

#[test]
fn referrers_are_found_by_their_subject() {
    let here = tempfile::tempdir().unwrap();
    let (layout, image) = stored(here.path());
    let made = referrer(
        b"bundle",
        &image.index,
        Some("https://slsa.dev/provenance/v1"),
        jiff::Timestamp::UNIX_EPOCH,
    )
    .unwrap();
    wait(made.package.put(&layout)).unwrap();
    assert_eq!(wait(layout.referrers(&image.index.digest, None)).unwrap(), [made.descriptor]);
    assert_eq!(wait(layout.referrers(&image.platforms[0].1, None)).unwrap(), []);
    // It is attached to something, so the layout still holds one image.
    assert_eq!(layout.roots().unwrap(), [image.index.digest]);
}

#[cfg(unix)]
#[test]
fn links_inside_a_layout_are_refused() {
    use std::os::unix::fs::symlink;
    let here = tempfile::tempdir().unwrap();
    let (layout, image) = stored(here.path());
    let path = layout.root().join("blobs/sha256").join(image.index.digest.hex());
    let aside = here.path().join("aside");
    std::fs::rename(&path, &aside).unwrap();
    symlink(&aside, &path).unwrap();
    assert!(wait(layout.manifest(&image.index.digest, MANIFEST_LIMIT)).is_err());
    std::fs::remove_file(&path).unwrap();
    std::fs::rename(&aside, &path).unwrap();

    let blobs = layout.root().join("blobs");
    std::fs::rename(&blobs, &aside).unwrap();
    symlink(&aside, &blobs).unwrap();
    assert!(wait(layout.manifest(&image.index.digest, MANIFEST_LIMIT)).is_err());
    assert!(wait(layout.put_blob(&content(Digest::of(b""), 0, b""), None)).is_err());
    std::fs::remove_file(&blobs).unwrap();
    std::fs::rename(&aside, &blobs).unwrap();

    let index = layout.root().join("index.json");
    std::fs::rename(&index, &aside).unwrap();
    symlink(&aside, &index).unwrap();
    assert!(wait(layout.tags()).is_err());
}

#[test]
fn hostile_listings_are_refused() {
    let here = tempfile::tempdir().unwrap();
    let (layout, image) = stored(here.path());
    let digest = image.index.digest;
    let entry = |media_type: &str, size: u64, tag: &str| {
        format!(
            r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size},"annotations":{{"org.opencontainers.image.ref.name":"{tag}"}}}}"#
        )
    };
    let size = image.index.size;
    let listing = |entries: &str| format!(r#"{{"schemaVersion":2,"manifests":[{entries}]}}"#);
    let write = |text: &str| std::fs::write(layout.root().join("index.json"), text).unwrap();

    // Another type than the document says, another size, a size nobody reads.
    for (kind, size) in
        [(media_type::MANIFEST, size), (media_type::INDEX, size + 1), (media_type::INDEX, MANIFEST_LIMIT + 1)]
    {
        write(&listing(&entry(kind, size, "a")));
        assert!(wait(layout.manifest(&digest, MANIFEST_LIMIT)).is_err(), "{kind} {size}");
    }
    // One tag on two manifests.
    let other =
        entry(media_type::MANIFEST, 1, "a").replace(&digest.to_string(), &Digest::of(b"x").to_string());
    write(&listing(&format!("{},{other}", entry(media_type::INDEX, size, "a"))));
    assert!(matches!(wait(layout.resolve("a")), Err(RegistryError::Invalid { .. })));
    // A blob under the digest of something else, here an index that would lead to itself.
    write(&listing(&entry(media_type::INDEX, size, "a")));
    let this = Descriptor { digest, ..Descriptor::of(media_type::INDEX, b"") };
    let cycle = ImageIndex {
        schema_version: 2,
        media_type: media_type::INDEX.to_owned(),
        artifact_type: None,
        manifests: vec![this],
        subject: None,
        annotations: [].into(),
    };
    let bytes = serde_json::to_vec(&cycle).unwrap();
    let path = layout.root().join("blobs/sha256").join(digest.hex());
    std::fs::write(&path, &bytes).unwrap();
    write(&listing(&entry(media_type::INDEX, bytes.len() as u64, "a")));
    let error = wait(layout.manifest(&digest, MANIFEST_LIMIT)).unwrap_err();
    assert!(matches!(error, RegistryError::DigestMismatch { .. }), "{error}");
    // Not JSON, too deep, too large.
    for text in ["", "[", &"[".repeat(100_000), &" ".repeat(9 << 20)] {
        write(text);
        assert!(wait(layout.tags()).is_err());
    }
}

#[test]
fn a_directory_of_something_else_is_no_place_for_a_layout() {
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("thesis.txt"), "years of work").unwrap();
    let error = Layout::create(here.path()).unwrap_err();
    assert!(matches!(error, RegistryError::Invalid { .. }), "{error}");
    assert_eq!(files(here.path()).len(), 1);
    assert!(Layout::open(here.path().join("nothing")).is_err());
}

#[test]
fn odd_tags_are_refused() {
    let here = tempfile::tempdir().unwrap();
    let (layout, image) = stored(here.path());
    for tag in ["", "-a", ".a", "a/b", "a:b", "a b", "ä", "a\n", "v1.0.0+x", &"a".repeat(129)] {
        let error = wait(layout.tag(tag, &image.index.digest)).unwrap_err();
        assert!(matches!(error, RegistryError::Invalid { .. }), "{tag:?}");
    }
    assert_eq!(wait(layout.tags()).unwrap(), ["v1.0.0"]);
}

#[test]
fn tags_obey_their_policy() {
    let here = tempfile::tempdir().unwrap();
    let (layout, one) = stored(here.path());
    let two = image("two");
    let (one, other) = (one.index.digest, two.index.digest);
    wait(async {
        two.package.put(&layout).await.unwrap();
        let tag = async |digest: &Digest, tags: &str| {
            let tags: Vec<String> = tags.split(' ').map(ToOwned::to_owned).collect();
            let wanted = Wanted { tags: &tags, ..Wanted::default() };
            retag(&layout, &Meant::Digest(*digest), "here", &wanted).await.map(|(_, moves)| moves)
        };
        let taken = tag(&other, "v1 v1.0.0").await.unwrap_err();
        assert!(
            matches!(taken, ImageError::TagTaken { expected, found, .. } if expected == other && found == one)
        );
        assert_eq!(layout.resolve("v1").await.unwrap(), None, "nothing moves when one tag may not");
        tag(&other, "v1.1.0 v1 latest").await.unwrap();
        // The version of an image is known by the tags it has.
        let back = tag(&one, "v1").await.unwrap_err();
        assert_eq!(back.to_string(), "the tag v1 would go back from 1.1.0 to 1.0.0");
        let some = tag(&one, "v1.0 v1").await.unwrap();
        assert_eq!(some.iter().map(|one| one.state).collect::<Vec<_>>(), [TagState::Created, TagState::Kept]);
        assert_eq!(layout.resolve("v1").await.unwrap(), Some(other));
        let again = tag(&one, "v1.0.0").await.unwrap();
        assert_eq!(again[0].previous, Some(one));
    });
}

#[test]
fn a_blob_is_read_as_a_stream() {
    let here = tempfile::tempdir().unwrap();
    let layout = Layout::create(here.path().join("registry")).unwrap();
    let bytes = vec![7; 3 << 20];
    let descriptor = Descriptor::of("a/b", &bytes);
    wait(layout.put_blob(&Content::bytes(descriptor.digest, bytes.clone()), None)).unwrap();
    let mut read = Vec::new();
    wait(layout.blob(&descriptor)).unwrap().unwrap().read_to_end(&mut read).unwrap();
    assert!(read == bytes);
    let mut tail = wait(layout.blob_from(&descriptor, (3 << 20) - 2)).unwrap().unwrap();
    read.clear();
    tail.read_to_end(&mut read).unwrap();
    assert_eq!(read, [7, 7]);
    // From one layout into another, and only once.
    let other = Layout::create(here.path().join("other")).unwrap();
    let content = Content::stored(&layout, &descriptor);
    assert_eq!(wait(other.put_blob(&content, None)).unwrap(), Stored::Uploaded);
    assert_eq!(wait(other.put_blob(&content, None)).unwrap(), Stored::Already);
    assert!(wait(other.has_blob(&descriptor.digest)).unwrap());
}

#[test]
fn an_index_that_lies_about_a_platform_or_hides_damage_is_not_sound() {
    let here = tempfile::tempdir().unwrap();
    let (layout, image) = stored(here.path());
    let attestation = referrer(b"bundle", &image.index, None, jiff::Timestamp::UNIX_EPOCH).unwrap();
    wait(attestation.package.put(&layout)).unwrap();
    let platform = "linux/s390x".parse().unwrap();
    let child = image.package.manifests[0].descriptor();
    let index = ImageIndex {
        schema_version: 2,
        media_type: media_type::INDEX.to_owned(),
        artifact_type: None,
        manifests: vec![
            Descriptor { platform: Some(PlatformFields::from(&platform)), ..child },
            attestation.descriptor,
        ],
        subject: None,
        annotations: [].into(),
    };
    let bytes = serde_json::to_vec(&index).unwrap();
    let digest = wait(layout.put(&Manifest::of(media_type::INDEX, bytes.clone()), &[])).unwrap().digest;
    let codes = || {
        let facts = wait(look(&layout, &digest)).unwrap();
        let errors = facts.problems.into_iter().filter(|problem| problem.severity == Severity::Error);
        (facts.complete, errors.map(|problem| problem.code).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(codes(), (true, "image-platform".to_owned()));
    let bundle = layout.root().join("blobs/sha256").join(Digest::of(b"bundle").hex());
    std::fs::write(bundle, "BUNDLE").unwrap();
    assert_eq!(codes(), (false, "image-platform image-incomplete".to_owned()));
}

#[test]
fn a_layout_that_lists_platforms_beside_their_index_holds_one_image() {
    let here = tempfile::tempdir().unwrap();
    let (layout, image) = stored(here.path());
    let path = layout.root().join("index.json");
    let mut listing: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let children = image.package.manifests.iter().filter(|one| one.digest != image.index.digest);
    let entries = listing["manifests"].as_array_mut().unwrap();
    for child in children {
        entries.push(serde_json::to_value(child.descriptor()).unwrap());
    }
    std::fs::write(&path, listing.to_string()).unwrap();
    assert_eq!(layout.roots().unwrap(), [image.index.digest]);
    wait(layout.tag("amd64", &image.platforms[0].1)).unwrap();
    assert_eq!(layout.roots().unwrap().len(), 2, "a platform with a tag of its own is an image");
}
