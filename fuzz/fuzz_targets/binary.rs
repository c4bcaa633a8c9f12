#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(binary) = kyklos_release::format::binary::Binary::parse(bytes) {
        let _ = kyklos_release::format::go_buildinfo::read(&binary);
    }
});
