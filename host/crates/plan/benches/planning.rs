//! How long planning takes for a large account: 60 streams of 900 columns, through six transforms in row form, each of which
//! reads every column and computes every column. `cargo bench -p sluice-plan`.

#![expect(clippy::print_stdout, reason = "its figures are all it is for")]

use std::{hint::black_box, path::Path, sync::Arc, time::Instant};

use sluice_model::{
    digest::Digest,
    outline::{Outline, Output},
    schema::{Attributes, ColumnType, Field, Marks, Schema, attribute},
    stream::{StreamInfo, StreamKind},
};
use sluice_plan::{LoadedPlugin, Planner, StreamDraft, Transform, spec::Spec};

const STREAMS: usize = 60;
const COLUMNS: usize = 900;
const TRANSFORMS: usize = 6;
const ROUNDS: usize = 11;

fn spec() -> Spec {
    let mut text = "pipeline = \"large\"\n[source]\ntype = \"hubspot\"\ntoken = { env = \"TOKEN\" }\n\
                    [[mark]]\ncolumns = [\"property_1*\"]\nmarks = [\"phi\"]\n"
        .to_owned();
    for transform in 0..TRANSFORMS {
        text.push_str(&format!("[[transform]]\nname = \"step{transform}\"\nplugin = \"redact\"\n"));
    }
    text.push_str("[sink]\ntype = \"parquet\"\nurl = \"file:///tables\"\naccepts = [\"phi\"]\n");
    match Spec::read(Path::new("large.toml"), &text, &["redact"]) {
        Ok(spec) => spec,
        Err(problems) => panic!("{problems}"),
    }
}

fn planner(spec: &Spec) -> Planner {
    let loaded = || LoadedPlugin {
        name: "redact".to_owned(),
        digest: Digest::of(b"redact"),
        settings: "{}".to_owned(),
        attachments: Vec::new(),
    };
    let transforms = spec.pipeline.transform.iter();
    Planner::new(
        spec,
        transforms.map(|transform| Arc::new(Transform::new(spec, transform.get_ref(), loaded()))).collect(),
    )
}

fn stream(number: usize) -> (StreamInfo, Schema) {
    let name = format!("stream{number}");
    let mut fields = vec![Field::new("objectId", ColumnType::Text).required().with(attribute::KEY, "true")];
    fields.extend((1..COLUMNS).map(|column| {
        Field::new(format!("property_{column}"), ColumnType::Text)
            .with(attribute::PROPERTY, column.to_string())
            .with(attribute::LABEL, format!("Property {column}"))
            .with(attribute::HUBSPOT_TYPE, "string")
            .with(attribute::HUBSPOT_FIELD_TYPE, "text")
    }));
    let stream = StreamInfo::new(name.clone(), StreamKind::objects(format!("2-{number}")));
    (stream, Schema { name, fields, attributes: Attributes::new() })
}

/// The outline of a plugin in row form: the key is kept, everything else is computed from everything.
fn outline(schema: &Schema) -> Outline {
    let outputs = schema.fields.iter().enumerate().map(|(index, field)| {
        if field.is_key() {
            Output::Keep { input: index, name: field.name.clone() }
        } else {
            Output::Compute { group: 0, field: Field { marks: Marks::new(), ..field.clone() } }
        }
    });
    Outline {
        table: schema.name.clone(),
        groups: vec![(0..schema.fields.len()).collect()],
        outputs: outputs.collect(),
        selects: None,
        rejection_codes: Vec::new(),
    }
}

fn main() {
    let spec = spec();
    let streams: Vec<_> = (0..STREAMS).map(stream).collect();
    let outlines: Vec<Vec<Outline>> = streams.iter().map(|(_, schema)| vec![outline(schema); TRANSFORMS]).collect();
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let (streams, outlines) = (streams.clone(), outlines.clone());
        let began = Instant::now();
        let planner = planner(&spec);
        let drafts: Vec<StreamDraft> = streams
            .into_iter()
            .zip(outlines)
            .map(|((stream, schema), outlines)| {
                let mut draft = planner.begin(stream, schema);
                for (transform, outline) in planner.transforms().iter().zip(outlines) {
                    black_box(draft.visible());
                    if let Err(unsaid) = draft.apply(transform, outline) {
                        panic!("{unsaid}");
                    }
                }
                draft
            })
            .collect();
        let plan = match planner.resolve(drafts, &[]) {
            Ok(plan) => plan,
            Err(problems) => panic!("{problems:?}"),
        };
        let planning = began.elapsed();
        let began = Instant::now();
        for stream in &plan.streams {
            black_box(plan.audit(stream, &stream.tables[0]));
        }
        times.push((planning, began.elapsed()));
    }
    times.sort();
    let (planning, audits) = times[ROUNDS / 2];
    println!(
        "{STREAMS} streams × {COLUMNS} columns × {TRANSFORMS} transforms: planned in {planning:?}, audit records in {audits:?} (median of {ROUNDS})"
    );
}
