"""Compares what each release owns with `git rev-list T --not <earlier releases T has>`.

Usage: attribution.py BINARY REPOSITORY [POLICY]
"""
import json
import re
import subprocess
import sys

binary, repository = sys.argv[1:3]
policy = sys.argv[3] if len(sys.argv) > 3 else "tag"


def git(*arguments, stdin=None):
    done = subprocess.run(["git", "-C", repository, *arguments], input=stdin, capture_output=True, text=True, check=True)
    return done.stdout.split("\n")


SEMVER = re.compile(r"^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$")
commits, order = {}, []
for line in git("for-each-ref", "refs/tags", "--format=%(refname:strip=2) %(objecttype) %(objectname) %(*objecttype) %(*objectname)"):
    words = line.split()
    if not words or not SEMVER.match(words[0]):
        continue
    commit = words[4] if words[1] == "tag" and words[3] == "commit" else words[2] if words[1] == "commit" else None
    if commit:
        commits[words[0]] = commit
answer = json.loads(subprocess.run(
    [binary, "-C", repository, "notes", "generate", "--all", "--since", policy, "--format", "json"],
    capture_output=True, check=True).stdout)
releases = [release for release in answer["data"]["releases"] if release["tag"]]
head = set(git("rev-list", "HEAD"))
reachable = {tag for tag, commit in commits.items() if commit in head}
told = {release["tag"] for release in releases}
wrong = sorted(told ^ reachable)
place = {release["tag"]: at for at, release in enumerate(reversed(releases))}
checked = 0
for release in releases:
    tag = release["tag"]
    merged = {name for name in git("tag", "--merged", tag) if name in place}
    stable = policy == "policy" and "-" not in tag
    earlier = [
        commits[name] for name in merged
        if (commits[name] != commits[tag] or place[name] < place[tag]) and not (stable and "-" in name)
    ]
    lines = [commits[tag]] + ["^" + commit for commit in earlier]
    expected = {line for line in git("rev-list", "--stdin", stdin="\n".join(lines)) if line}
    checked += 1
    if expected != set(release["commits"]):
        wrong.append(tag)
print(f"{repository}: {checked} releases, {len(wrong)} wrong {wrong[:5]}")
sys.exit(1 if wrong else 0)
