#![no_main]

use kyklos_release::adapter::oci::{Archive, import};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("kyklos-release-fuzz-{}", std::process::id()));
    std::fs::write(&path, bytes).expect("a file");
    let _ = Archive::open(&path);
    let _ = import(&path);
});
