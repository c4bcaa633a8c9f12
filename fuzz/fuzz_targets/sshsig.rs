#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = kyklos_release::format::sshsig::allowed_signers(bytes);
    let _ = kyklos_release::format::sshsig::Revoked::parse(bytes);
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(signature) = kyklos_release::format::sshsig::SshSignature::parse(text)
    {
        let _ = kyklos_release::format::sshsig::SshKey::parse(&signature.key);
    }
});
