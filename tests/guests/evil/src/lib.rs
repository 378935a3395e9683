//! A plugin that breaks every rule it is told to break.
//!
//! Its settings say how it behaves: `{"behave": "trap", "in": "apply"}`. Whatever it is not told to break it does well: it
//! keeps the first column, and computes the one at `column` (default 1) as it is, in a group that selects rows.
//! It is written on the bare contract, without the SDK, which would not let it.

wit_bindgen::generate!({ path: "../../../guest-sdk/wit", world: "plugin" });

use std::cell::RefCell;

use exports::sluice::transform::transform::{Attachment, Attributes, Column, Failure, Guest, Outcome, Outline, Schema};
use sluice::transform::{
    log::log,
    types::{Computed, Field, Kept, Output, Rejection},
};

struct Evil;

export!(Evil);

/// How many groups and columns it has where it has many: few enough that each looks harmless.
const MANY_GROUPS: u32 = 180;
const MANY_COLUMNS: u32 = 240;

thread_local! {
    static SETTINGS: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Where a text of the settings object stands for itself: `"key": "value"`.
fn setting(key: &str) -> Option<String> {
    SETTINGS.with_borrow(|settings| {
        let (_, rest) = settings.split_once(&format!("\"{key}\""))?;
        rest.split('"').nth(1).map(str::to_owned)
    })
}

/// How it is to behave in this call.
fn behaviour(call: &str) -> String {
    let here = setting("in").is_none_or(|there| there == call);
    setting("behave").filter(|_| here).unwrap_or_default()
}

/// What can go wrong in any call.
fn misbehave(call: &str) -> Result<(), Failure> {
    match behaviour(call).as_str() {
        "trap" => panic!("a panic with the secret 4111 1111 1111 1111"),
        "loop" => loop {
            std::hint::black_box(());
        },
        "say-and-loop" => {
            log("warn", "on and on");
            loop {
                std::hint::black_box(());
            }
        }
        "grow" => {
            let mut hoard = Vec::new();
            loop {
                hoard.push(std::hint::black_box(vec![1_u8; 1 << 20]));
            }
        }
        "recurse" => {
            std::hint::black_box(recurse(1));
        }
        "refuse" => {
            let message = "there is no column `colour`\n\u{1b}[31m".to_owned();
            return Err(Failure { code: "settings".to_owned(), message });
        }
        "say" => {
            log("warn", "one\ntwo");
            log("shout", "three");
        }
        "flood" => {
            let line = "x".repeat(100_000);
            for _ in 0..10_000 {
                log("info", &line);
            }
        }
        _ => {}
    }
    Ok(())
}

fn recurse(depth: u64) -> u64 {
    if std::hint::black_box(depth) == 0 { 0 } else { recurse(depth + 1) + std::hint::black_box(depth) }
}

impl Guest for Evil {
    fn describe() -> Attributes {
        let about = [("name", "evil"), ("licence", "Apache-2.0"), ("description", "\u{1b}[2Jquite\nharmless")];
        about.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    fn open(settings: String, attachments: Vec<Attachment>) -> Result<(), Failure> {
        SETTINGS.set(settings);
        if let Some(attachment) = attachments.first() {
            let message = format!("{}: {}", attachment.name, String::from_utf8_lossy(&attachment.bytes));
            return Err(Failure { code: "attachments".to_owned(), message });
        }
        misbehave("open")
    }

    fn outline_of(input: Schema) -> Result<Outline, Failure> {
        misbehave("outline")?;
        let behave = behaviour("outline");
        let column: u32 = setting("column").and_then(|column| column.parse().ok()).unwrap_or(1);
        let field = computed_field(&input.fields[column as usize], &behave);
        let mut outline = Outline {
            name: input.name.clone(),
            groups: vec![vec![column]],
            outputs: vec![
                Output::Keep(Kept { input: 0, name: input.fields[0].name.clone() }),
                Output::Compute(Computed { group: 0, field: field.clone() }),
            ],
            selects: Some(0),
            rejection_codes: vec!["bad-row".to_owned()],
            attributes: Vec::new(),
        };
        match behave.as_str() {
            "table-name" => outline.name = "contacts; drop".to_owned(),
            "same-name" => outline.outputs.push(Output::Keep(Kept { input: 0, name: "OBJECTID".to_owned() })),
            "no-such-field" => outline.groups[0].push(1_000),
            "no-such-group" => outline.groups.clear(),
            "no-such-selection" => outline.selects = Some(7),
            "read-twice" => outline.groups[0].push(column),
            "idle-group" => outline.groups.push(vec![0]),
            "no-columns" => outline.outputs.clear(),
            "many-columns" => {
                outline.outputs = (0..20_000).map(|n| Output::Keep(Kept { input: 0, name: format!("c{n}") })).collect();
            }
            // Each returns little enough, and all of them gigabytes: as much as `bytes` says.
            "many-groups" => {
                outline.groups = vec![vec![column]; MANY_GROUPS as usize];
                let text = Field { format: "u".to_owned(), attributes: Vec::new(), ..field };
                let computed = (0..MANY_GROUPS).map(|group| computed_as(format!("c{group}"), group, &text));
                outline.outputs = all_kept(&input).chain(computed).collect();
            }
            // A commit has all that is said of columns, and JSON has six letters for one that is not printable.
            "heavy-columns" => {
                let said = vec![("note".to_owned(), "\u{1}".repeat(4_000))];
                let field = Field { attributes: said, ..field };
                let computed = (0..MANY_COLUMNS).map(|column| computed_as(format!("c{column}"), 0, &field));
                outline.outputs = all_kept(&input).chain(computed).collect();
            }
            "code" => outline.rejection_codes = vec!["Not A Code".to_owned()],
            "selects-nothing" => {
                outline.selects = None;
                outline.rejection_codes.clear();
            }
            // What an outline may depend on is the schema, so this is a change that is only wrong between two schemas that
            // the host takes to be the same.
            "label" => outline.name = format!("t_{}", input.fields[0].attributes.len()),
            _ => {}
        }
        if behaviour("apply").ends_with("undeclared") {
            outline.selects = None;
            outline.rejection_codes.clear();
        }
        Ok(outline)
    }

    fn apply(_group: u32, rows: u32, columns: Vec<Column>) -> Result<Outcome, Failure> {
        misbehave("apply")?;
        let buffers = columns.into_iter().next().map(|column| column.buffers).unwrap_or_default();
        let mut outcome = Outcome { keep: Vec::new(), computed: vec![Column { buffers }], rejections: Vec::new() };
        let reject = |row: u32, code: u32| Rejection { row, code, message: "row \u{1b}[0m 4111".to_owned() };
        let buffers = &mut outcome.computed[0].buffers;
        match behaviour("apply").as_str() {
            "select" => {
                outcome.keep = vec![0b0101_0101; (rows as usize).div_ceil(8)];
                outcome.rejections = vec![reject(0, 0), reject(rows - 1, 0)];
            }
            "few-columns" => outcome.computed.clear(),
            "many-columns" => outcome.computed = vec![outcome.computed[0].clone(); 3],
            "few-buffers" => buffers.truncate(1),
            "many-buffers" => buffers.push(Vec::new()),
            "validity-size" => buffers[0] = vec![0xff; 10_000],
            "value-size" => {
                buffers[1].pop();
            }
            "more-values" => buffers[1].extend([0; 8]),
            "offset-start" => buffers[1][0] = 1,
            "offset-order" => {
                let end = buffers[1].split_off(rows as usize * 4);
                buffers[1].fill(0);
                buffers[1][4..8].copy_from_slice(&i32::MAX.to_le_bytes());
                buffers[1].extend(end);
            }
            "offset-negative" => buffers[1][4..8].copy_from_slice(&(-1_i32).to_le_bytes()),
            "offset-end" => {
                let last = rows as usize * 4;
                buffers[1][last..last + 4].copy_from_slice(&i32::MAX.to_le_bytes());
            }
            "utf8" => buffers[2].fill(0xff),
            "null" => buffers[0] = vec![0; (rows as usize).div_ceil(8)],
            "keep-size" => outcome.keep = vec![0xff],
            "keep-undeclared" => outcome.keep = vec![0; (rows as usize).div_ceil(8)],
            "reject-undeclared" => outcome.rejections = vec![reject(0, 0)],
            "reject-row" => outcome.rejections = vec![reject(rows, 0)],
            "reject-order" => outcome.rejections = vec![reject(1, 0), reject(0, 0)],
            "reject-twice" => outcome.rejections = vec![reject(1, 0), reject(1, 0)],
            "reject-code" => outcome.rejections = vec![reject(0, 1)],
            "many-groups" => {
                let bytes = setting("bytes").and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
                // Empty texts, and data where no offset leads.
                *buffers = vec![Vec::new(), vec![0; (rows as usize + 1) * 4], vec![7; bytes]];
            }
            "heavy-columns" => outcome.computed = vec![outcome.computed[0].clone(); MANY_COLUMNS as usize],
            "huge" => outcome.computed = vec![Column { buffers: vec![vec![7; 32 << 20]] }],
            "many-lists" => outcome.computed = vec![Column { buffers: vec![Vec::new(); 3 << 20] }],
            _ => {}
        }
        Ok(outcome)
    }
}

fn computed_field(input: &Field, behave: &str) -> Field {
    let mut field = input.clone();
    match behave {
        "column-name" => field.name = "_hidden".to_owned(),
        "format" => field.format = "w:16\u{202e}".to_owned(),
        "mark" => field.marks = vec!["Not A Mark".to_owned()],
        "attribute-twice" => field.attributes = vec![("label".to_owned(), String::new()); 2],
        "long-attributes" => {
            field.attributes = (0..64).map(|n| (n.to_string(), "x".repeat(900_000))).collect();
        }
        "many-attributes" => field.attributes = (0..1_000).map(|n| (n.to_string(), String::new())).collect(),
        _ => {}
    }
    field
}

fn all_kept(input: &Schema) -> impl Iterator<Item = Output> {
    let names = input.fields.iter().map(|field| field.name.clone()).enumerate();
    names.map(|(input, name)| Output::Keep(Kept { input: input as u32, name }))
}

fn computed_as(name: String, group: u32, field: &Field) -> Output {
    Output::Compute(Computed { group, field: Field { name, ..field.clone() } })
}

/// Called by nobody, and yet an import.
#[cfg(feature = "foreign-import")]
mod foreign {
    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        fn random_get(buffer: *mut u8, size: usize) -> u32;
    }

    #[unsafe(no_mangle)]
    extern "C" fn dice() -> u32 {
        let mut byte = 0_u8;
        // SAFETY: one byte is written into one byte.
        unsafe { random_get(&mut byte, 1) }
    }
}
