//! What the planner makes of a pipeline file, schemas and outlines, and what the guard says of it.

use std::path::Path;

use super::{Plan, StreamDraft, select, transforms};
use crate::{
    outline::{Outline, Output},
    problem::Problem,
    schema::{Attributes, ColumnType, Field, Marks, Schema, attribute, unparsed_name},
    spec::Spec,
    stream::{StreamInfo, StreamKind},
};

/// A pipeline file with these lines between its head and its sink.
fn spec(lines: &str) -> Spec {
    let text = format!("pipeline = \"test\"\n\n[source]\ntype = \"hubspot\"\ntoken = {{ env = \"TOKEN\" }}\n{lines}\n");
    let text = if text.contains("[sink]") {
        text
    } else {
        text + "\n[sink]\ntype = \"parquet\"\nurl = \"file:///tmp/tables\"\n"
    };
    Spec::read(Path::new("test.toml"), &text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn transform(name: &str, lines: &str) -> String {
    format!("\n[[transform]]\nname = \"{name}\"\npath = \"{name}.wasm\"\n{lines}\n")
}

fn stream(name: &str, type_id: &str) -> StreamInfo {
    StreamInfo {
        name: name.to_owned(),
        kind: StreamKind::Objects,
        object_type_id: Some(type_id.to_owned()),
        fully_qualified_name: None,
    }
}

/// `contacts`: the key, its raw copy, an address, a diagnosis, a score whose unparsable values are kept.
fn contacts() -> Schema {
    let id = Field::new("objectId", ColumnType::Text).required().with(attribute::KEY, "true");
    let raw_id = Field::new("property_hs_object_id", ColumnType::Text)
        .with(attribute::PROPERTY, "hs_object_id")
        .with(attribute::REFERENCES, "0-1");
    let score = Field::new("property_score", ColumnType::Float);
    let unparsed =
        Field::new(unparsed_name("property_score"), ColumnType::Text).with(attribute::UNPARSED_OF, "property_score");
    let mut member = Field::new("property_member_id", ColumnType::Text);
    member.marks.insert("sensitive".parse().unwrap());
    Schema {
        name: "contacts".to_owned(),
        fields: vec![
            id,
            raw_id,
            Field::new("property_email", ColumnType::Text),
            Field::new("property_diagnosis", ColumnType::Text),
            score,
            unparsed,
            member,
        ],
        attributes: Attributes::new(),
    }
}

fn keep(schema: &Schema, name: &str) -> Output {
    rename(schema, name, name)
}

fn rename(schema: &Schema, name: &str, to: &str) -> Output {
    let input = schema.index_of(name).unwrap_or_else(|| panic!("the plugin is not shown `{name}`"));
    Output::Keep { input, name: to.to_owned() }
}

fn compute(group: usize, field: Field) -> Output {
    Output::Compute { group, field }
}

fn text(name: &str) -> Field {
    Field::new(name, ColumnType::Text)
}

fn reads(schema: &Schema, names: &[&str]) -> Vec<usize> {
    names.iter().map(|name| schema.index_of(name).unwrap()).collect()
}

/// An outline that gives the input's own name to the table.
fn outline(schema: &Schema, groups: Vec<Vec<usize>>, outputs: Vec<Output>) -> Outline {
    let outline = Outline { table: schema.name.clone(), groups, outputs, selects: None, rejection_codes: Vec::new() };
    outline.check(schema).unwrap();
    outline
}

fn draft(spec: &Spec) -> StreamDraft {
    StreamDraft::begin(spec, stream("contacts", "0-1"), contacts())
}

/// Applies the transforms of the file, each with the outline that its plugin makes of what it is shown.
fn with(spec: &Spec, outlines: &[&dyn Fn(&Schema) -> Outline]) -> StreamDraft {
    let mut draft = draft(spec);
    for (index, (transform, plugin)) in transforms(spec).zip(outlines).enumerate() {
        let outline = plugin(&draft.visible());
        draft.apply(index, transform, outline, Marks::new());
    }
    draft
}

fn resolve(spec: &Spec, outlines: &[&dyn Fn(&Schema) -> Outline]) -> Result<Plan, Vec<Problem>> {
    Plan::resolve(spec, vec![with(spec, outlines)])
}

fn messages(outcome: Result<Plan, Vec<Problem>>) -> Vec<String> {
    outcome.unwrap_err().into_iter().map(|problem| problem.message).collect()
}

fn requested(plan: &Plan) -> Vec<&str> {
    plan.streams[0].requested().map(|field| field.name.as_str()).collect()
}

fn table(plan: &Plan) -> Vec<&str> {
    plan.streams[0].table_columns().map(|field| field.name.as_str()).collect()
}

const PHI: &str = "[[mark]]\nstreams = [\"contacts\"]\ncolumns = [\"property_diagnosis\"]\nmarks = [\"phi\"]\n";

#[test]
fn without_transforms_everything_but_the_sensitive_is_requested_and_lands() {
    let plan = resolve(&spec(""), &[]).unwrap();
    let all = [
        "objectId",
        "property_hs_object_id",
        "property_email",
        "property_diagnosis",
        "property_score",
        "property_unparsed_score",
    ];
    assert_eq!(requested(&plan), all);
    assert_eq!(table(&plan), all);
    assert_eq!(plan.streams[0].table, "objects_contacts");
    assert_eq!(plan.streams[0].withheld.len(), 1);
}

#[test]
fn sensitive_properties_that_are_asked_for_need_the_sinks_consent() {
    let refused = messages(resolve(&spec("sensitive = \"include\""), &[]));
    assert_eq!(
        refused,
        ["column `property_member_id` of table `objects_contacts` would carry the mark `sensitive` into the bucket"]
    );
    let sink = "[sink]\ntype = \"parquet\"\nurl = \"file:///tmp/t\"\naccepts = [\"sensitive\"]";
    let plan = resolve(&spec(&format!("sensitive = \"include\"\n{sink}")), &[]).unwrap();
    assert!(table(&plan).contains(&"property_member_id"));
}

#[test]
fn a_kept_column_keeps_its_mark_and_the_refusal_names_its_path() {
    let spec = spec(&format!("{PHI}{}{}", transform("first", ""), transform("second", "")));
    let first = |input: &Schema| {
        outline(input, vec![], vec![keep(input, "objectId"), rename(input, "property_diagnosis", "harmless")])
    };
    let second = |input: &Schema| outline(input, vec![], vec![keep(input, "objectId"), keep(input, "harmless")]);
    let problems = resolve(&spec, &[&first, &second]).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(
        problems[0].message,
        "column `harmless` of table `objects_contacts` would carry the mark `phi` into the bucket"
    );
    assert_eq!(
        problems[0].details,
        [
            "path: contacts.property_diagnosis → renamed to `harmless` by `first` → kept by `second` → `objects_contacts.harmless`"
        ]
    );
}

#[test]
fn a_computed_column_has_the_marks_of_all_its_group_reads_until_they_are_cleared() {
    let token = |input: &Schema| {
        let groups = vec![reads(input, &["property_email", "property_diagnosis"])];
        outline(input, groups, vec![keep(input, "objectId"), compute(0, text("token"))])
    };
    let problems = resolve(&spec(&format!("{PHI}{}", transform("hide", ""))), &[&token]).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(
        problems[0].hint.as_deref(),
        Some("if `hide` may be trusted to remove what is sensitive, add to it: clears = { phi = [\"token\"] }")
    );
    assert_eq!(
        problems[0].details,
        [
            "path: contacts.property_diagnosis → `token` computed by `hide` from `property_diagnosis` → `objects_contacts.token`"
        ]
    );
    let cleared = spec(&format!("{PHI}{}", transform("hide", "clears = { phi = [\"token\"] }")));
    assert_eq!(table(&resolve(&cleared, &[&token]).unwrap()), ["objectId", "token"]);
}

#[test]
fn groups_of_other_marks_are_served_by_other_instances() {
    let both = |input: &Schema| {
        let groups = vec![
            reads(input, &["property_email"]),
            reads(input, &["property_diagnosis"]),
            reads(input, &["property_score"]),
        ];
        let outputs = vec![
            keep(input, "objectId"),
            compute(0, text("property_email")),
            compute(1, text("token")),
            compute(2, text("property_score")),
        ];
        outline(input, groups, outputs)
    };
    let spec = spec(&format!("{PHI}{}", transform("hide", "clears = { phi = [\"token\"] }")));
    let plan = resolve(&spec, &[&both]).unwrap();
    let program = plan.streams[0].program(0);
    let instances: Vec<usize> = program.calls.iter().map(|call| call.instance).collect();
    assert_eq!(instances, [0, 1, 0]);
    assert_eq!(program.instances, 2);
}

#[test]
fn clears_that_clear_nothing_are_mistakes() {
    let keeps = |input: &Schema| outline(input, vec![], vec![keep(input, "objectId"), keep(input, "property_email")]);
    let spec =
        spec(&format!("{PHI}{}", transform("hide", "clears = { phi = [\"property_email\", \"property_tocken\"] }")));
    assert_eq!(
        messages(resolve(&spec, &[&keeps])),
        [
            "`clears` names `property_email`, which transform `hide` keeps as it is",
            "`clears` names `property_tocken`, which transform `hide` does not compute",
        ]
    );
}

#[test]
fn rows_are_not_chosen_by_marked_columns_unless_the_file_says_so() {
    let filter = |input: &Schema| Outline {
        selects: Some(0),
        ..{
            let mut outline = outline(input, vec![], vec![keep(input, "objectId"), keep(input, "property_email")]);
            outline.groups = vec![reads(input, &["property_diagnosis"])];
            outline
        }
    };
    let refused = messages(resolve(&spec(&format!("{PHI}{}", transform("choose", ""))), &[&filter]));
    assert_eq!(
        refused,
        ["transform `choose` would choose rows of stream `contacts` by `property_diagnosis`, marked `phi`"]
    );
    let spec = spec(&format!("{PHI}{}", transform("choose", "clears_rows = [\"phi\"]")));
    let plan = resolve(&spec, &[&filter]).unwrap();
    assert_eq!(requested(&plan), ["objectId", "property_email", "property_diagnosis"]);
    assert!(plan.streams[0].program(0).calls[0].selects);
}

#[test]
fn marks_of_attachments_count_like_those_of_columns() {
    let spec = spec(&transform("keyed", ""));
    let mut draft = draft(&spec);
    let input = draft.visible();
    let hashed = outline(
        &input,
        vec![reads(&input, &["property_email"])],
        vec![keep(&input, "objectId"), compute(0, text("token"))],
    );
    let transform = transforms(&spec).next().unwrap();
    draft.apply(0, transform, hashed, Marks::from(["secret".parse().unwrap()]));
    let refused = messages(Plan::resolve(&spec, vec![draft]));
    assert_eq!(refused, ["column `token` of table `objects_contacts` would carry the mark `secret` into the bucket"]);
}

#[test]
fn what_no_column_needs_is_neither_requested_nor_computed() {
    let spec = spec(&format!("{}{}", transform("compute", ""), transform("drop", "")));
    let computes = |input: &Schema| {
        let groups = vec![reads(input, &["property_email"]), reads(input, &["property_diagnosis"])];
        outline(input, groups, vec![keep(input, "objectId"), compute(0, text("a")), compute(1, text("b"))])
    };
    let drops = |input: &Schema| outline(input, vec![], vec![keep(input, "objectId"), keep(input, "b")]);
    let plan = resolve(&spec, &[&computes, &drops]).unwrap();
    assert_eq!(requested(&plan), ["objectId", "property_diagnosis"]);
    let groups: Vec<usize> = plan.streams[0].program(0).calls.iter().map(|call| call.group).collect();
    assert_eq!(groups, [1]);
}

#[test]
fn unparsable_values_follow_their_property_and_are_never_shown() {
    let spec_ = spec(&transform("step", ""));
    let shown = draft(&spec_).visible();
    assert_eq!(shown.index_of("property_unparsed_score"), None);
    let renames = |input: &Schema| {
        outline(input, vec![], vec![keep(input, "objectId"), rename(input, "property_score", "property_points")])
    };
    let plan = resolve(&spec_, &[&renames]).unwrap();
    assert_eq!(table(&plan), ["objectId", "property_points", "property_unparsed_points"]);
    assert_eq!(requested(&plan), ["objectId", "property_score", "property_unparsed_score"]);
    let computes = |input: &Schema| {
        let groups = vec![reads(input, &["property_score"])];
        outline(input, groups, vec![keep(input, "objectId"), compute(0, text("property_score"))])
    };
    let plan = resolve(&spec_, &[&computes]).unwrap();
    assert_eq!(table(&plan), ["objectId", "property_score"]);
    assert_eq!(requested(&plan), ["objectId", "property_score"]);
}

#[test]
fn a_mark_on_a_property_is_on_its_unparsable_values_too() {
    let spec = spec("[[mark]]\ncolumns = [\"property_score\"]\nmarks = [\"phi\"]");
    let refused = messages(resolve(&spec, &[]));
    assert_eq!(refused.len(), 2);
    assert!(refused[1].contains("property_unparsed_score"), "{refused:?}");
}

#[test]
fn column_rules_leave_out_and_keys_always_stay() {
    let spec = spec(
        "[[source.columns]]\nstreams = [\"contacts\"]\ninclude = [\"property_*\"]\nexclude = [\"property_diagnosis\", \"property_score\"]",
    );
    let plan = resolve(&spec, &[]).unwrap();
    assert_eq!(table(&plan), ["objectId", "property_hs_object_id", "property_email"]);
}

#[test]
fn keys_survive() {
    let spec = spec(&transform("step", ""));
    let drops = |input: &Schema| outline(input, vec![], vec![keep(input, "property_email")]);
    assert_eq!(
        messages(resolve(&spec, &[&drops])),
        ["transform `step` drops `objectId`, a key column of stream `contacts`"]
    );
    let key = |name: &str| text(name).required().with(attribute::KEY, "true");
    let mixes = |input: &Schema| {
        let groups = vec![reads(input, &["objectId", "property_email"])];
        outline(input, groups, vec![compute(0, key("objectId"))])
    };
    assert_eq!(
        messages(resolve(&spec, &[&mixes])),
        [
            "transform `step` computes the key column `objectId` of stream `contacts` from `property_email`, which is no key column"
        ]
    );
    let beside = |input: &Schema| {
        let groups = vec![reads(input, &["objectId"])];
        outline(input, groups, vec![compute(0, key("objectId")), keep(input, "property_hs_object_id")])
    };
    assert_eq!(
        messages(resolve(&spec, &[&beside])),
        [
            "table `objects_contacts` would hold the raw id in `property_hs_object_id` beside the computed key `objectId`"
        ]
    );
    let both = |input: &Schema| {
        let groups = vec![reads(input, &["objectId"]), reads(input, &["property_hs_object_id"])];
        outline(input, groups, vec![compute(0, key("objectId")), compute(1, text("property_hs_object_id"))])
    };
    assert_eq!(table(&resolve(&spec, &[&both]).unwrap()), ["objectId", "property_hs_object_id"]);
}

#[test]
fn two_streams_never_share_a_table_unnoticed() {
    let spec = spec("");
    let schema = Schema { name: "CONTACTS".to_owned(), ..contacts() };
    let second = StreamDraft::begin(&spec, stream("CONTACTS", "2-1"), schema);
    assert_eq!(
        messages(Plan::resolve(&spec, vec![draft(&spec), second])),
        ["streams `contacts` and `CONTACTS` would both be written to table `objects_CONTACTS`"]
    );
}

#[test]
fn globs_that_match_nothing_are_mistakes_with_their_places() {
    let spec = spec(&format!(
        "[[source.columns]]\nstreams = [\"contact\"]\n[[mark]]\ncolumns = [\"property_diagnosys\"]\nmarks = [\"phi\"]\n{}",
        transform("step", "streams = [\"deals\"]")
    ));
    let problems = resolve(&spec, &[]).unwrap_err();
    let told: Vec<String> = problems
        .iter()
        .map(|problem| format!("{} {} ({})", problem.place.unwrap(), problem.message, problem.hint.as_deref().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            "7:12 `contact` matches no stream of this pipeline (did you mean `contacts`?)",
            "9:12 `property_diagnosys` matches no column of the streams it is for (did you mean `property_diagnosis`?)",
            "15:12 `deals` matches no stream of this pipeline (remove it, or mend its spelling)",
        ]
    );
}

#[test]
fn streams_are_chosen_by_name_type_id_and_glob() {
    let offered = [stream("contacts", "0-1"), stream("companies", "0-2"), stream("vehicle", "2-77")];
    let chosen = |lines: &str| {
        let (selected, problems) = select::streams(&spec(lines), &offered);
        let names: Vec<(String, bool)> =
            selected.into_iter().map(|selected| (selected.stream.name, selected.named)).collect();
        (names, problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>())
    };
    assert_eq!(chosen("").0.len(), 3);
    assert_eq!(
        chosen("streams = [\"2-77\", \"c*\"]\nexclude = [\"companies\"]"),
        (vec![("contacts".to_owned(), false), ("vehicle".to_owned(), true)], vec![])
    );
    assert_eq!(chosen("streams = [\"contcts\"]").1, ["no stream of the source is called `contcts`"]);
    assert_eq!(chosen("streams = [\"contacts\", \"contacts\"]").1, ["stream `contacts` is listed twice"]);
}
