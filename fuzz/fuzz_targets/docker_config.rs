#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(config) = kyklos_release::format::docker_config::DockerConfig::parse(bytes) {
        let _ = config.login("ghcr.io", "org/app");
    }
    let _ = kyklos_release::format::docker_config::helper_answer(bytes);
});
