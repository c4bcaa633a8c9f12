#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(target) = text.parse::<kyklos_release::model::Target>() {
            assert_eq!(target.to_string().parse(), Ok(target));
        }
    }
});
