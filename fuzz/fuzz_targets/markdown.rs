#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    assert!(!kyklos_release::format::markdown::text(text).contains('\n'));
});
