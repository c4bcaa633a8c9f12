//! Small executables, byte by byte: ELF64 with one code segment and the sections a test asks for.

/// A static executable for `amd64` or `arm64` that carries Go build information.
pub(crate) fn go(architecture: &str, module_info: &str) -> Vec<u8> {
    let sentinel =
        [0x30, 0x77, 0xaf, 0x0c, 0x92, 0x74, 0x08, 0x02, 0x41, 0xe1, 0xc1, 0x07, 0xe6, 0xd6, 0x18, 0xe6];
    let end =
        [0xf9, 0x32, 0x43, 0x31, 0x86, 0x18, 0x20, 0x72, 0x00, 0x82, 0x42, 0x10, 0x41, 0x16, 0xd8, 0xf2];
    let mut info = b"\xff Go buildinf:\x08\x02".to_vec();
    info.resize(32, 0);
    for text in [b"go1.26.8".to_vec(), [&sentinel[..], module_info.as_bytes(), &end[..]].concat()] {
        let mut length = text.len();
        while length >= 0x80 {
            info.push(length as u8 | 0x80);
            length >>= 7;
        }
        info.push(length as u8);
        info.extend(text);
    }
    elf(architecture, &[(".go.buildinfo", &info)])
}

/// The module information of a project with one dependency.
pub(crate) const MODULES: &str = "path\texample.com/app/cmd\nmod\texample.com/app\t(devel)\t\ndep\tgithub.com/acme/lib\tv1.2.3\th1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nbuild\tGOOS=linux\n";

/// An executable with sections.
pub(crate) fn elf(architecture: &str, sections: &[(&str, &[u8])]) -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    let machine: u16 = if architecture == "arm64" { 183 } else { 62 };
    let mut names = b"\0".to_vec();
    let mut body = Vec::new();
    let mut headers: Vec<[u64; 10]> = vec![[0; 10]];
    let start = 64 + 56;
    for (name, bytes) in sections {
        while (start + body.len()) % 16 != 0 {
            body.push(0);
        }
        let offset = (start + body.len()) as u64;
        headers.push([names.len() as u64, 1, 3, BASE + offset, offset, bytes.len() as u64, 0, 0, 16, 0]);
        names.extend(name.as_bytes());
        names.push(0);
        body.extend_from_slice(bytes);
    }
    let offset = (start + body.len()) as u64;
    let at = names.len() as u64;
    names.extend(b".shstrtab\0");
    headers.push([at, 3, 0, 0, offset, names.len() as u64, 0, 0, 1, 0]);
    body.extend(&names);
    let table = start + body.len();
    let size = table as u64;
    let mut out = b"\x7fELF\x02\x01\x01".to_vec();
    out.resize(16, 0);
    for half in [2, machine] {
        out.extend(half.to_le_bytes());
    }
    out.extend(1_u32.to_le_bytes());
    for word in [BASE + 64, 64, table as u64] {
        out.extend(word.to_le_bytes());
    }
    out.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 64, headers.len() as u16, headers.len() as u16 - 1] {
        out.extend(half.to_le_bytes());
    }
    // One segment with everything, readable and executable.
    out.extend(1_u32.to_le_bytes());
    out.extend(5_u32.to_le_bytes());
    for word in [0, BASE, BASE, size, size, 0x1000] {
        out.extend(word.to_le_bytes());
    }
    out.extend(body);
    for [name, kind, flags, address, offset, size, link, info, align, entry] in headers {
        out.extend((name as u32).to_le_bytes());
        out.extend((kind as u32).to_le_bytes());
        for word in [flags, address, offset, size] {
            out.extend(word.to_le_bytes());
        }
        out.extend((link as u32).to_le_bytes());
        out.extend((info as u32).to_le_bytes());
        for word in [align, entry] {
            out.extend(word.to_le_bytes());
        }
    }
    out
}
