#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let outline = kyklos_release::format::changelog::Outline::parse(text);
    assert!(outline.definitions <= text.len());
});
