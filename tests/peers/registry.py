"""Registries, layouts and archives: what this tool writes is read by others, and what they write is read by it, with equal
digests, referrers included.

Usage: registry.py BINARY, with the peers on PATH (tests/peers/run gets them). A peer that is not there is named and left
out. Everything happens in a temporary directory and on 127.0.0.1; every server is ended.
"""
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

BINARY = os.path.abspath(sys.argv[1])
HOME = tempfile.mkdtemp(prefix="kyklos-peers-")
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": HOME, "LC_ALL": "C.UTF-8", "SOURCE_DATE_EPOCH": "1767225600"}
INDEX = "application/vnd.oci.image.index.v1+json"
failures, passed, missing = [], 0, []


def have(tool):
    found = shutil.which(tool) is not None
    if not found and tool not in missing:
        missing.append(tool)
    return found


def run(*command, check=True, stdin=None):
    done = subprocess.run(command, cwd=HOME, env=ENVIRONMENT, input=stdin, capture_output=True, timeout=120)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.decode()[-600:]}")
    return done.stdout


def ours(*command):
    return run(BINARY, *command)


def data(*command):
    return json.loads(ours(*command, "--format", "json"))["data"]


def case(name, body):
    global passed
    try:
        body()
        passed += 1
        print(f"ok    {name}", flush=True)
    except (AssertionError, subprocess.SubprocessError, KeyError, ValueError, OSError) as error:
        failures.append(name)
        print(f"FAIL  {name}\n      {error}", flush=True)


def equal(expected, found, what):
    assert expected == found, f"{what}: expected {expected}, found {found}"


def sha256(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Server:
    """A registry on a free port of this machine."""

    def __init__(self, name):
        self.name = name
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.host = f"127.0.0.1:{port}"
        log = open(os.path.join(HOME, f"{name}.log"), "wb")
        if name == "docker-registry":
            config = {
                "version": 0.1,
                "storage": {"filesystem": {"rootdirectory": os.path.join(HOME, "registry-data")}, "delete": {"enabled": True}},
                "http": {"addr": self.host},
            }
            path = os.path.join(HOME, "registry.json")
            with open(path, "w") as file:
                json.dump(config, file)
            command = ["docker-registry", "serve", path]
        else:
            command = ["olareg", "serve", "--store-type", "mem", "--addr", "127.0.0.1", "--port", str(port), "--api-delete"]
        self.process = subprocess.Popen(command, cwd=HOME, env=ENVIRONMENT, stdout=log, stderr=log)
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://{self.host}/v2/", timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.end()
        raise RuntimeError(f"{name} does not answer")

    def end(self):
        self.process.terminate()
        self.process.wait(10)


def layout_digest(directory):
    """The one index or manifest a layout lists that is attached to nothing and in nothing."""
    with open(os.path.join(HOME, directory, "index.json")) as file:
        listed = json.load(file)["manifests"]
    roots, children = [], set()
    for entry in listed:
        with open(os.path.join(HOME, directory, "blobs", *entry["digest"].split(":")), "rb") as file:
            content = file.read()
        equal(entry["digest"], sha256(content), "the digest in the layout")
        document = json.loads(content)
        children.update(child["digest"] for child in document.get("manifests", []))
        if "subject" not in document and entry["digest"] not in roots:
            roots.append(entry["digest"])
    roots = [root for root in roots if root not in children]
    assert len(roots) == 1, f"{directory} lists {roots}"
    return roots[0]


def make_images():
    for architecture, machine in (("amd64", 62), ("arm64", 183)):
        header = b"\x7fELF\x02\x01\x01" + bytes(9) + bytes([2, 0, machine, 0])
        with open(os.path.join(HOME, f"app-{architecture}"), "wb") as file:
            file.write(header + hashlib.sha256(architecture.encode()).digest() * 2000)
            os.fchmod(file.fileno(), 0o755)
    made = data("image", "assemble", "--name", "app", "--binary", "linux/amd64=app-amd64", "--binary", "linux/arm64=app-arm64",
                "--annotation", "org.opencontainers.image.version=1.0.0", "--label", "team=a", "-o", "oci:image:v1.0.0")
    return made["digest"]


# How each peer tells the digest of an image, copies an image to a layout, and from a layout to a registry.
DIGEST = {
    "skopeo": lambda ref: sha256(run("skopeo", "inspect", "--tls-verify=false", "--raw", f"docker://{ref}")),
    "crane": lambda ref: run("crane", "digest", "--insecure", ref).decode().strip(),
    "oras": lambda ref: run("oras", "resolve", "--plain-http", ref).decode().strip(),
    "regctl": lambda ref: run("regctl", "manifest", "head", ref).decode().strip(),
}
PULL = {
    "skopeo": lambda ref, to: run("skopeo", "--insecure-policy", "copy", "--quiet", "--all", "--src-tls-verify=false", f"docker://{ref}", f"oci:{to}:v1"),
    "crane": lambda ref, to: run("crane", "pull", "--insecure", "--format=oci", ref, to),
    "oras": lambda ref, to: run("oras", "copy", "--from-plain-http", "--to-oci-layout", ref, f"{to}:v1"),
    "regctl": lambda ref, to: run("regctl", "image", "copy", ref, f"ocidir://{to}:v1"),
}
PUSH = {
    "skopeo": lambda layout, ref: run("skopeo", "--insecure-policy", "copy", "--quiet", "--all", "--preserve-digests", "--dest-tls-verify=false", f"oci:{layout}", f"docker://{ref}"),
    "crane": lambda layout, ref: run("crane", "push", "--insecure", layout.split(":")[0] + "-one", ref),
    "oras": lambda layout, ref: run("oras", "copy", "--to-plain-http", "--from-oci-layout", layout, ref),
    "regctl": lambda layout, ref: run("regctl", "image", "copy", f"ocidir://{layout}", ref),
}
ATTACH = {
    "oras": lambda ref, kind: run("oras", "attach", "--plain-http", "--artifact-type", kind, "--annotation", "made.by=oras", ref, "note.txt:text/plain"),
    "regctl": lambda ref, kind: run("regctl", "artifact", "put", "--artifact-type", kind, "--annotation", "made.by=regctl", "--subject", ref, "--file", "note.txt"),
}


def discovered(ref):
    """What two peers say is attached to an image."""
    found = {}
    if have("oras"):
        answer = json.loads(run("oras", "discover", "--plain-http", "--format", "json", ref))
        found["oras"] = sorted(one["digest"] for one in answer.get("referrers") or answer.get("manifests") or [])
    if have("regctl"):
        answer = run("regctl", "artifact", "list", ref, "--format", "{{json .Descriptors}}")
        found["regctl"] = sorted(one["digest"] for one in json.loads(answer) or [])
    return found


def registry_cases(server, digest):
    host = server.host
    image = f"{host}/ours/app:v1.0.0"

    def push():
        answer = data("image", "push", "oci:image:v1.0.0", image)
        equal(digest, answer["digest"], "the answer of push")
        again = data("image", "push", "oci:image:v1.0.0", image)
        equal(1, again["requests"], "requests of a push that changes nothing")
    case(f"{server.name}: we push", push)

    def tags():
        """Looks and writes are counted; olareg takes several tags at once, docker-registry does not."""
        release, writes = ["v1.1.0", "v1.1", "v1", "latest"], {"olareg": 1, "docker-registry": 4}[server.name]
        for number, expected in enumerate((2 + writes, 2 + writes)):
            events = os.path.join(HOME, f"{server.name}-{number}.ndjson")
            ours("image", "tag", image, *release, "--events", events)
            with open(events) as lines:
                equal(expected, sum(json.loads(line)["event"] == "request" for line in lines), "requests of four tags")
            release[0] = "v1.1.1"
        for tag in ["v1.1.0", "v1.1.1", "v1.1", "v1", "latest"]:
            equal(digest, sha256(ours("image", "inspect", "--raw", f"{host}/ours/app:{tag}")), f"the digest of {tag}")
    case(f"{server.name}: four tags of a release in the fewest requests", tags)
    for peer in DIGEST:
        if not have(peer):
            continue

        def reads(peer=peer):
            equal(digest, DIGEST[peer](image), "the digest")
            to = f"{server.name}-{peer}"
            PULL[peer](image, to)
            equal(digest, layout_digest(to), "the digest in the layout")
            checked = data("image", "check", f"oci:{to}")
            equal((digest, True), (checked["digest"], checked["complete"]), "our check of the layout")
        case(f"{server.name}: {peer} reads what we push", reads)

        def writes(peer=peer):
            ref = f"{host}/{peer}/app:v1.0.0"
            PUSH[peer]("image:v1.0.0", ref)
            equal(digest, sha256(ours("image", "inspect", "--raw", ref)), "the digest of the raw index")
            checked = data("image", "check", ref)
            equal((digest, True), (checked["digest"], checked["complete"]), "our check")
            equal(["linux/amd64", "linux/arm64"], [one["platform"] for one in checked["platforms"]], "platforms")
            pulled = f"{server.name}-from-{peer}"
            ours("image", "copy", ref, f"oci:{pulled}:v1.0.0")
            equal(digest, layout_digest(pulled), "the digest in our layout")
        case(f"{server.name}: we read what {peer} pushes", writes)


def referrer_cases(servers, digest):
    with open(os.path.join(HOME, "note.txt"), "w") as file:
        file.write("a note\n")
    for source in servers:
        for peer in ATTACH:
            if not have(peer):
                continue
            image = f"{source.host}/with-{peer}/app:v1.0.0"

            def attach(peer=peer, image=image):
                ours("image", "push", "oci:image:v1.0.0", image)
                child = data("image", "inspect", image)["platforms"][0]["digest"]
                ATTACH[peer](image, "application/vnd.example.one")
                ATTACH[peer](image, "application/vnd.example.two")
                ATTACH[peer](f"{image.rsplit(':', 1)[0]}@{child}", "application/vnd.example.child")
                listed = data("image", "inspect", "--referrers", image)["referrers"]
                equal(["application/vnd.example.child", "application/vnd.example.one", "application/vnd.example.two"],
                      sorted(one["artifact_type"] for one in listed), "artifact types")
                equal({peer}, {one["annotations"].get("made.by") for one in listed}, "annotations")
                of_index = sorted(one["digest"] for one in listed if one["subject"] == digest)
                for teller, told in discovered(image).items():
                    equal(of_index, told, f"what {teller} lists")
            case(f"{source.name}: we list what {peer} attaches", attach)
            for target in servers:
                def copy(peer=peer, image=image, target=target):
                    to = f"{target.host}/copied-from-{source.name}/{peer}:v1.0.0"
                    equal(digest, data("image", "copy", "--referrers", image, to)["digest"], "the digest")
                    before = data("image", "inspect", "--referrers", image)["referrers"]
                    after = data("image", "inspect", "--referrers", to)["referrers"]
                    equal(before, after, "referrers")
                    of_index = sorted(one["digest"] for one in after if one["subject"] == digest)
                    for teller, told in discovered(to).items():
                        equal(of_index, told, f"what {teller} lists")
                case(f"{source.name} to {target.name}: a copy takes along what {peer} attached", copy)

            def through_layout(peer=peer, image=image, source=source):
                name = f"kept-{source.name}-{peer}"
                ours("image", "copy", "--referrers", image, f"oci:{name}:v1.0.0")
                ours("image", "copy", "--referrers", f"oci:{name}:v1.0.0", f"{source.host}/back/{peer}:v1.0.0")
                before = data("image", "inspect", "--referrers", image)["referrers"]
                equal(before, data("image", "inspect", "--referrers", f"{source.host}/back/{peer}:v1.0.0")["referrers"], "referrers")
            case(f"{source.name}: what {peer} attached survives a layout", through_layout)


def archive_cases(digest):
    if have("skopeo"):
        def oci_archive():
            run("skopeo", "--insecure-policy", "copy", "--quiet", "--all", "oci:image:v1.0.0", "oci-archive:theirs.tar:v1.0.0")
            equal(digest, data("image", "inspect", "oci-archive:theirs.tar:v1.0.0")["digest"], "the digest")
            equal(True, data("image", "check", "oci-archive:theirs.tar:v1.0.0")["complete"], "completeness")
            ours("image", "copy", "oci-archive:theirs.tar:v1.0.0", "oci:from-archive:v1.0.0")
            equal(digest, layout_digest("from-archive"), "the digest in the layout")
        case("we read an OCI archive of skopeo", oci_archive)

        def our_archive():
            ours("image", "copy", "oci:image:v1.0.0", "oci-archive:ours.tar:v1.0.0")
            run("skopeo", "--insecure-policy", "copy", "--quiet", "--all", "oci-archive:ours.tar:v1.0.0", "oci:from-ours:v1.0.0")
            equal(digest, layout_digest("from-ours"), "the digest in the layout")
        case("skopeo reads our OCI archive", our_archive)

        def docker_archive():
            run("skopeo", "--insecure-policy", "copy", "--quiet", "--override-arch", "arm64", "oci:image:v1.0.0", "docker-archive:docker.tar:app:v1.0.0")
            found = data("image", "inspect", "docker-archive:docker.tar")
            equal(["linux/arm64"], [one["platform"] for one in found["platforms"]], "platforms")
            equal("65532", found["platforms"][0]["config"]["user"], "the user")
            checked = data("image", "check", "docker-archive:docker.tar")
            equal((True, True, "arm64"), (checked["complete"], checked["platforms"][0]["scanned"], checked["platforms"][0]["program"]["architecture"]), "our check")
        case("we read a Docker archive of skopeo", docker_archive)

        def zstd():
            run("skopeo", "--insecure-policy", "copy", "--quiet", "--all", "--dest-compress-format", "zstd", "--dest-compress", "oci:image:v1.0.0", "oci:zstd:v1.0.0")
            layers = [layer["media_type"] for one in data("image", "inspect", "oci:zstd:v1.0.0")["platforms"] for layer in one["layers"]]
            checked = data("image", "check", "oci:zstd:v1.0.0")
            equal((True, "amd64"), (checked["complete"], checked["platforms"][0]["program"]["architecture"]), f"our check of {layers}")
        case("we look into layers that skopeo has packed", zstd)
    if have("umoci"):
        def of_umoci():
            run("umoci", "init", "--layout", "umoci")
            run("umoci", "new", "--image", "umoci:v1")
            run("umoci", "insert", "--rootless", "--image", "umoci:v1", "app-amd64", "/bin/app")
            run("umoci", "config", "--image", "umoci:v1", "--config.user", "1000:1000", "--config.entrypoint", "/bin/app", "--architecture", "amd64", "--os", "linux")
            found = data("image", "check", "oci:umoci:v1")
            equal((True, 1000, 1000), (found["complete"], found["platforms"][0]["uid"], found["platforms"][0]["gid"]), "our check")
            ours("image", "copy", "oci:umoci:v1", "oci:umoci-copied:v1")
            equal(layout_digest("umoci"), layout_digest("umoci-copied"), "the digest of the copy")
        case("we read a layout of umoci", of_umoci)

        def for_umoci():
            ours("image", "assemble", "--name", "app", "--binary", "linux/amd64=app-amd64", "-o", "oci:single:v1")
            child = data("image", "inspect", "oci:single:v1")["platforms"][0]["digest"]
            ours("image", "tag", f"oci:single@{child}", "amd64")
            run("umoci", "unpack", "--rootless", "--image", "single:amd64", "bundle")
            with open(os.path.join(HOME, "app-amd64"), "rb") as one, open(os.path.join(HOME, "bundle/rootfs/app"), "rb") as other:
                equal(sha256(one.read()), sha256(other.read()), "the binary")
        case("umoci unpacks an image of ours", for_umoci)


def main():
    digest = make_images()
    # crane pushes the one entry of a layout that has no tag.
    shutil.copytree(os.path.join(HOME, "image"), os.path.join(HOME, "image-one"))
    path = os.path.join(HOME, "image-one", "index.json")
    with open(path) as file:
        index = json.load(file)
    with open(path, "w") as file:
        json.dump({**index, "manifests": [one for one in index["manifests"] if one["digest"] == digest][:1]}, file)
    if have("regctl"):
        os.makedirs(os.path.join(HOME, ".regctl"), exist_ok=True)
    servers = []
    try:
        for name in ("docker-registry", "olareg"):
            if have(name):
                servers.append(Server(name))
                if have("regctl"):
                    run("regctl", "registry", "set", servers[-1].host, "--tls", "disabled")
        for server in servers:
            registry_cases(server, digest)
        referrer_cases(servers, digest)
        archive_cases(digest)
    finally:
        for server in servers:
            server.end()
        shutil.rmtree(HOME, ignore_errors=True)
    for tool in missing:
        print(f"missing: {tool}")
    print(f"registry: {passed} passed, {len(failures)} failed, {len(missing)} tools missing")
    return 1 if failures else 0


sys.exit(main())
