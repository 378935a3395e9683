//! Components that are heavy to compile, and the processes that do.

use std::fs;

use rustix::process::Pid;

/// A component that offers what a plugin must, by name, and holds a core module of so many functions, each of that many
/// multiplications: three bytes of file for each.
pub(crate) fn heavy(functions: usize, instructions: usize) -> Vec<u8> {
    let times: &[u8] = &[0x20, 0x00, 0x6c];
    // No locals; `local.get 0`, the multiplications, `end`.
    let body = [&[0x00, 0x20, 0x00], times.repeat(instructions).as_slice(), &[0x0b]].concat();
    let code = [leb(body.len()), body].concat();
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[&[1, 0x60, 1, 0x7f, 1, 0x7f]]),
        section(3, &[&leb(functions), &vec![0; functions]]),
        section(10, &[&leb(functions), &code.repeat(functions)]),
    ]
    .concat();
    let plugin =
        wat::parse_str(r#"(component (instance $i) (export "sluice:transform/transform@0.1.0" (instance $i)))"#);
    let plugin = plugin.unwrap();
    // The module stands before all else in the component.
    let (head, rest) = plugin.split_at(8);
    [head, &section(1, &[&module]), rest].concat()
}

pub(crate) fn section(id: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    [vec![id], leb(content.len()), content].concat()
}

pub(crate) fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// The processes that a process has started and that have not ended, with the words of their command lines.
pub(crate) fn children_of(parent: Pid) -> Vec<(Pid, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let folder = entry.unwrap().path();
        // Those that end meanwhile are none.
        let Ok(stat) = fs::read_to_string(folder.join("stat")) else { continue };
        let Some((_, rest)) = stat.rsplit_once(") ") else { continue };
        let of = rest.split(' ').nth(1).and_then(|id| Pid::from_raw(id.parse().ok()?));
        let id = stat.split(' ').next().and_then(|id| Pid::from_raw(id.parse().ok()?));
        if of == Some(parent)
            && let Some(id) = id
        {
            let words = fs::read(folder.join("cmdline")).unwrap_or_default();
            found.push((id, String::from_utf8_lossy(&words).replace('\0', " ").trim_end().to_owned()));
        }
    }
    found
}
