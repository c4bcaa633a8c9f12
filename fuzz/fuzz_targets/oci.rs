#![no_main]

use kyklos_release::format::oci;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = oci::Document::parse(bytes, None);
    let _ = oci::ImageConfig::parse(bytes);
    let _ = oci::LayoutFile::parse(bytes);
});
