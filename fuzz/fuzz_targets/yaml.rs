#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = kyklos_release::config::Config::load(bytes, "release.yaml");
    let _ = kyklos_release::gate::Policy::load(bytes, "policy.yaml");
});
