#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(cliff) = kyklos_release::format::cliff::Cliff::parse(bytes, "cliff.toml") {
        let _ = kyklos_release::notes::import::import(&cliff, "cliff.toml");
    }
});
