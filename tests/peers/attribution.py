"""Compares what each release owns with `git rev-list T --not <earlier releases T has>`, for every release tag.

Usage: attribution.py BINARY REPOSITORY [tag|policy] [PATTERN]

PATTERN tells which tags are releases, as in release.yaml: v{version} where it is not given, {version} for tags without
a letter.

The repository is only read. A commit that has every release behind it is made in a temporary repository beside it, so
that releases of branches which were never merged are compared as well.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

binary, repository = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
policy = sys.argv[3] if len(sys.argv) > 3 else "tag"
pattern = sys.argv[4] if len(sys.argv) > 4 else "v{version}"
IDENTIFIER = r"(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)"
VERSION = (r"(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)"
           rf"(?P<pre>-{IDENTIFIER}(?:\.{IDENTIFIER})*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?")
before, after = pattern.split("{version}")
SEMVER = re.compile(re.escape(before) + VERSION + re.escape(after) + "$")
PERSON = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
          for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.com"), ("DATE", "2040-01-01T00:00:00+0000"))}


def git(where, *arguments, stdin=None):
    done = subprocess.run(["git", "-C", where, *arguments], input=stdin, stdout=subprocess.PIPE, text=True, check=True,
                          env={**os.environ, **PERSON})
    return [line for line in done.stdout.split("\n") if line]


def together(where):
    """A repository with the same objects and tags, whose HEAD has all of them."""
    git(where, "init", "--quiet", "--bare", "--initial-branch=main", ".")
    objects = git(repository, "rev-parse", "--path-format=absolute", "--git-path", "objects")[0]
    with open(os.path.join(where, "objects/info/alternates"), "w") as file:
        file.write(objects + "\n")
    kept, commits = [], {}
    fields = "%(refname:strip=2) %(objectname) %(objecttype) %(*objecttype) %(*objectname)"
    for line in git(repository, "for-each-ref", "refs/tags", f"--format={fields}"):
        name, object_id, kind, *peeled = line.split()
        commit = peeled[1] if peeled[:1] == ["commit"] else object_id if kind == "commit" else None
        kept.append(f"create refs/tags/{name} {object_id}")
        if commit and SEMVER.match(name):
            commits[name] = commit
    if kept:
        git(where, "update-ref", "--stdin", stdin="\n".join(kept) + "\n")
    head = git(repository, "rev-parse", "HEAD")[0]
    tips = [head]
    ends = "\n".join(sorted(set(commits.values()) - {head}))
    listed = git(where, "rev-list", "--parents", "--stdin", stdin=ends) if ends else []
    parents = {line.split()[0]: line.split()[1:] for line in listed}
    inner = {parent for line in parents.values() for parent in line}
    tips += [commit for commit in sorted(set(commits.values())) if commit not in inner and commit != head]
    flags = [word for tip in tips for word in ("-p", tip)]
    tree = git(repository, "rev-parse", "HEAD^{tree}")[0]
    git(where, "update-ref", "refs/heads/main", git(where, "commit-tree", tree, *flags, "-m", "chore: together")[0])
    return commits


def prerelease(tag):
    return SEMVER.match(tag)["pre"] is not None


def main(where):
    commits = together(where)
    settings = os.path.join(where, "release.yaml")
    with open(settings, "w") as file:
        json.dump({"name": "peer", "tag": pattern}, file)
    answer = json.loads(subprocess.run(
        [binary, "-C", where, "--config", settings, "notes", "generate", "--all", "--since", policy, "--format", "json"],
        stdout=subprocess.PIPE, check=True).stdout)
    releases = [release for release in answer["data"]["releases"] if release["tag"]]
    told = {release["tag"] for release in releases}
    wrong = sorted(told ^ set(commits))
    place = {release["tag"]: at for at, release in enumerate(reversed(releases))}
    at_commit = {}
    for name, commit in commits.items():
        at_commit.setdefault(commit, []).append(name)
    # The releases each commit has, as bits, from the roots up.
    bit = {name: 1 << place[name] for name in commits if name in place}
    has = {}
    for line in git(where, "rev-list", "--parents", "--topo-order", "--reverse", "HEAD"):
        commit, *parents = line.split()
        bits = 0
        for parent in parents:
            bits |= has[parent]
        has[commit] = bits | sum(bit[name] for name in at_commit.get(commit, []))
    by_place = {at: name for name, at in place.items()}
    for release in releases:
        tag = release["tag"]
        bits, earlier = has[commits[tag]], []
        while bits:
            low = bits & -bits
            name = by_place[low.bit_length() - 1]
            bits ^= low
            later = commits[name] == commits[tag] and place[name] >= place[tag]
            if not later and not (policy == "policy" and not prerelease(tag) and prerelease(name)):
                earlier.append(name)
        # What another of them has as well changes nothing.
        covered = 0
        for name in earlier:
            covered |= has[commits[name]] & ~sum(bit[same] for same in at_commit[commits[name]])
        ends = {commits[name] for name in earlier if not bit[name] & covered}
        lines = [commits[tag]] + ["^" + commit for commit in sorted(ends)]
        expected = git(where, "rev-list", "--stdin", stdin="\n".join(lines))
        if set(expected) != set(release["commits"]) or len(expected) != len(release["commits"]):
            wrong.append(tag)
    owned = sum(len(release["commits"]) for release in releases)
    print(f"{repository} {pattern} since {policy}: {len(releases)} releases, {owned} commits, {len(wrong)} wrong {wrong[:5]}", flush=True)
    return 1 if wrong else 0


with tempfile.TemporaryDirectory() as directory:
    sys.exit(main(directory))
