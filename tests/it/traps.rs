//! What a build machine must not decide.

use kyklos_release::format::binary::Binary;

#[test]
fn the_binary_needs_no_library_but_those_of_libc() {
    let bytes = std::fs::read(env!("CARGO_BIN_EXE_kyklos-release")).unwrap();
    let binary = Binary::parse(&bytes).unwrap();
    let known = ["libc.so", "libm.so", "libgcc_s.so", "libdl.so", "libpthread.so", "librt.so", "ld-linux"];
    for library in &binary.linkage.needed {
        assert!(known.iter().any(|known| library.starts_with(known)), "{library}: is libz-sys built static?");
    }
}

#[test]
fn a_system_aws_lc_is_never_linked() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.cargo/config.toml")).unwrap();
    let config: toml::Table = text.parse().unwrap();
    assert_eq!(config["env"]["AWS_LC_SYS_USE_SYSTEM"].as_str(), Some("0"));
}

#[test]
fn there_is_one_crypto_backend() {
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deny.toml")).unwrap();
    let deny: toml::Table = manifest.parse().unwrap();
    let banned: Vec<&str> =
        deny["bans"]["deny"].as_array().unwrap().iter().filter_map(|entry| entry["crate"].as_str()).collect();
    for name in ["ring", "openssl-sys", "native-tls"] {
        assert!(banned.contains(&name), "{name}");
    }
}
