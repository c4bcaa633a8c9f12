# It may be run as often as you like, also after it was stopped. Exit 3: a file is missing; exit 5: somebody else is at
# work, or something is not as it was when this script was made. Needs sh, sha256sum or shasum, and for images
# kyklos-release, which $KYKLOS_RELEASE may name.
set -eu

program=${KYKLOS_RELEASE:-kyklos-release}
scratch=.kyklos-release-by-hand

stop() {
  printf '%s\n' "$2" >&2
  exit "$1"
}

hash() {
  if command -v sha256sum >/dev/null; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi | cut -d ' ' -f 1
}

# holds HEX FILE: whether a file is there and has this digest.
holds() {
  [ -f "$2" ] && [ ! -L "$2" ] && [ "$(hash "$2")" = "$1" ]
}

# ours DIRECTORY: whether a draft or a release carries the marker of this release.
ours() {
  grep -qF -e "<!-- kyklos-release rid=$rid " "$1/release.json"
}

# lock TEXT: takes the lock, which another run of the same release may have left.
lock() {
  if [ -e "$forge/lock.json" ] && ! grep -qF -e "$rid" "$forge/lock.json"; then
    stop 5 "$forge/lock.json is held for another release"
  fi
  mkdir -p "$forge/drafts"
  rm -rf "$forge"/.kyklos-release-* "$forge"/drafts/.kyklos-release-* \
    "$forge"/drafts/*/.kyklos-release-* "$forge"/drafts/*/assets/.kyklos-release-*
  printf '%s' "$1" >"$forge/$scratch"
  mv -f "$forge/$scratch" "$forge/lock.json"
}

unlock() {
  rm -f "$forge/lock.json"
}

# drop DRAFT: removes a duplicate of ours.
drop() {
  [ -d "$1" ] || return 0
  ours "$1" || stop 5 "$1 is not a draft of this release"
  mv "$1" "$forge/drafts/$scratch"
  rm -rf "$forge/drafts/$scratch"
}

# create HEX TEXT: the draft and its text.
create() {
  if [ ! -e "$draft" ]; then
    mkdir -p "$forge/drafts/$scratch/assets"
    printf '%s' "$2" >"$forge/drafts/$scratch/release.json"
    mv "$forge/drafts/$scratch" "$draft"
  fi
  ours "$draft" || stop 5 "$draft is not a draft of this release"
  holds "$1" "$draft/release.json" && return 0
  printf '%s' "$2" >"$draft/$scratch"
  mv -f "$draft/$scratch" "$draft/release.json"
}

# place HEX NAME: gives the scratch file its name when it is what was planned.
place() {
  chmod 644 "$draft/assets/$scratch"
  holds "$1" "$draft/assets/$scratch" || stop 5 "$2 is not the file that was planned"
  rm -rf "${draft:?}/assets/$2"
  mv "$draft/assets/$scratch" "$draft/assets/$2"
}

# asset HEX NAME: a file of the release, from dist unless the draft holds it.
asset() {
  holds "$1" "$draft/assets/$2" && return 0
  [ -n "$dist" ] && [ -f "$dist/$2" ] || stop 3 "$2 is missing: name the directory that holds it as the first argument"
  cp "$dist/$2" "$draft/assets/$scratch"
  place "$1" "$2"
}

# written HEX NAME TEXT: a file of the release that stands in this script.
written() {
  holds "$1" "$draft/assets/$2" && return 0
  printf '%s' "$3" >"$draft/assets/$scratch"
  place "$1" "$2"
}

# only DIRECTORY NAME...: nothing else may be in it.
only() {
  directory=$1
  shift
  for file in "$directory"/* "$directory"/.[!.]*; do
    [ -e "$file" ] || [ -L "$file" ] || continue
    for name in "$@"; do
      [ "$file" != "$directory/$name" ] || continue 2
    done
    stop 5 "$file is not part of the release"
  done
}

# attach HEX SIZE MANIFEST HEX-OF-BUNDLE BUNDLE: a bundle to an image, by way of a layout that holds nothing else.
attach() {
  part=$(mktemp -d)
  mkdir -p "$part/blobs/sha256"
  printf '%s' '{"imageLayoutVersion":"1.0.0"}' >"$part/oci-layout"
  printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s","digest":"sha256:%s","size":%s}]}' \
    application/vnd.oci.image.manifest.v1+json "$1" "$2" >"$part/index.json"
  printf '%s' "$3" >"$part/blobs/sha256/$1"
  printf '{}' >"$part/blobs/sha256/44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
  for directory in ${dist:+"$dist"} "$draft/assets" "$release/assets"; do
    if holds "$4" "$directory/$5"; then cp "$directory/$5" "$part/blobs/sha256/$4"; fi
  done
  [ -f "$part/blobs/sha256/$4" ] || stop 3 "$5 is missing: name the directory that holds it as the first argument"
  "$program" --quiet image copy "oci:$part@sha256:$1" "oci:$registry" >/dev/null
  rm -rf "$part"
}

# tag DIGEST TAG: a tag that never moves.
tag() {
  "$program" --quiet image tag --immutable "oci:$registry@$1" "$2" >/dev/null
}

# roll DIGEST TAG: a tag that only moves forward.
roll() {
  "$program" --quiet image tag --rolling "oci:$registry@$1" "$2" >/dev/null
}

# publish: the commit point, one rename.
publish() {
  mkdir -p "$forge/releases"
  [ ! -e "$release" ] || stop 5 "$release is there already"
  mv "$draft" "$release"
}

# others NAME...: releases that were published when this script was made. A newer one decides anew what is the latest.
others() {
  for path in "$forge"/releases/*; do
    name=${path##*/}
    for known in "$@"; do
      [ "$name" != "$known" ] || continue 2
    done
    stop 5 "$name was published after this script was made: make it again"
  done
}

# latest TAG
latest() {
  printf '%s\n' "$1" >"$forge/$scratch"
  mv -f "$forge/$scratch" "$forge/latest"
}
