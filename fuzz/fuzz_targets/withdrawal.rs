#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &str| {
    let again = kyklos_release::format::withdrawal::prepend(body, "why");
    assert_eq!(kyklos_release::format::withdrawal::find(&again).map(|found| found.reason), Some("why"));
});
