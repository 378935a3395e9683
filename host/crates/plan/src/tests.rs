//! What the planner makes of a pipeline file, schemas and outlines, and what the guard says of it.

use std::{path::Path, sync::Arc};

use sluice_model::{
    digest::Digest,
    outline::{Outline, Output},
    problem::Problem,
    schema::{Attributes, ColumnType, Field, Marks, Schema, attribute, unparsed_name},
    stream::{StreamInfo, StreamKind},
};
use toml::Spanned;

use super::{Attached, AttachedFrom, LoadedPlugin, Plan, Planner, Rules, StreamDraft, Transform, Unsaid};
use crate::spec::{Layout, Spec, TransformSpec};

mod definitions;
mod history;
mod layouts;
mod words;

/// A pipeline file with these lines between its head and its sink.
fn spec(lines: &str) -> Spec {
    let text = format!("pipeline = \"test\"\n\n[source]\ntype = \"hubspot\"\ntoken = {{ env = \"TOKEN\" }}\n{lines}\n");
    let text = if text.contains("[sink]") {
        text
    } else {
        text + "\n[sink]\ntype = \"parquet\"\nurl = \"file:///tmp/tables\"\n"
    };
    Spec::read(Path::new("test.toml"), &text, &["redact"]).unwrap_or_else(|problems| panic!("{problems}"))
}

fn transform(name: &str, lines: &str) -> String {
    format!("\n[[transform]]\nname = \"{name}\"\nplugin = \"redact\"\n{lines}\n")
}

fn stream(name: &str, type_id: &str) -> StreamInfo {
    StreamInfo::new(name, StreamKind::objects(type_id))
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

/// The file's transforms, each with a plugin that has one attachment with these marks.
fn with_attachments(spec: &Spec, marks: &Marks) -> Planner {
    let loaded = |transform: &Spanned<TransformSpec>| {
        let attachment = Attached {
            name: "attachment".to_owned(),
            from: AttachedFrom::File("file".into()),
            marks: marks.clone(),
            digest: None,
        };
        let plugin = LoadedPlugin {
            name: "redact".to_owned(),
            digest: Digest::of(b"redact"),
            settings: "{}".to_owned(),
            attachments: vec![attachment],
        };
        Arc::new(Transform::new(spec, transform.get_ref(), plugin))
    };
    Planner::new(spec, spec.pipeline.transform.iter().map(loaded).collect())
}

fn marks(names: &[&str]) -> Marks {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn planner(spec: &Spec) -> Planner {
    with_attachments(spec, &Marks::new())
}

fn draft(spec: &Spec) -> StreamDraft {
    planner(spec).begin(stream("contacts", "0-1"), contacts())
}

/// Applies the transforms of the file, each with the outline that its plugin makes of what it is shown.
fn with(spec: &Spec, outlines: &[&dyn Fn(&Schema) -> Outline]) -> StreamDraft {
    let mut draft = draft(spec);
    for (transform, plugin) in planner(spec).transforms().iter().zip(outlines) {
        let outline = plugin(&draft.visible());
        draft.apply(transform, outline).unwrap();
    }
    draft
}

fn resolve(spec: &Spec, outlines: &[&dyn Fn(&Schema) -> Outline]) -> Result<Plan, Vec<Problem>> {
    planner(spec).resolve(vec![with(spec, outlines)], &[])
}

fn messages(outcome: Result<Plan, Vec<Problem>>) -> Vec<String> {
    outcome.unwrap_err().into_iter().map(|problem| problem.message).collect()
}

fn requested(plan: &Plan) -> Vec<&str> {
    plan.streams[0].requested().map(|field| field.name.as_str()).collect()
}

fn table(plan: &Plan) -> Vec<&str> {
    plan.streams[0].last_columns().map(|field| field.name.as_str()).collect()
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
    assert_eq!(plan.streams[0].tables[0].name, "objects_contacts");
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
        Some(
            "if `hide` may be trusted to remove what is sensitive, add to it: clears = { phi = [\"contacts.token\"] }"
        )
    );
    assert_eq!(
        problems[0].details,
        [
            "path: contacts.property_diagnosis → `token` computed by `hide` from `property_diagnosis` → `objects_contacts.token`"
        ]
    );
    let cleared = spec(&format!("{PHI}{}", transform("hide", "clears = { phi = [\"contacts.token\"] }")));
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
    let spec = spec(&format!("{PHI}{}", transform("hide", "streams = [\"contacts\"]\nclears = { phi = [\"token\"] }")));
    let plan = resolve(&spec, &[&both]).unwrap();
    let program = plan.streams[0].program(0);
    let instances: Vec<usize> = program.strands[0].calls.iter().map(|call| call.instance).collect();
    assert_eq!(instances, [0, 1, 0]);
    assert_eq!(program.instances, 2);
}

fn spec_of_clears(lines: &str) -> Spec {
    spec(&format!("{PHI}{}", transform("hide", lines)))
}

#[test]
fn what_is_cleared_is_cleared_of_one_stream_alone() {
    let token = |input: &Schema| {
        let groups = vec![reads(input, &["property_diagnosis"])];
        outline(input, groups, vec![keep(input, "objectId"), compute(0, text("token"))])
    };
    let spec = spec(&format!(
        "[[mark]]\ncolumns = [\"property_diagnosis\"]\nmarks = [\"phi\"]\n{}",
        transform("hide", "clears = { phi = [\"0-1.token\"] }")
    ));
    let deals = Schema { name: "deals".to_owned(), ..contacts() };
    let mut drafts = vec![draft(&spec), planner(&spec).begin(stream("deals", "0-3"), deals)];
    for draft in &mut drafts {
        let outline = token(&draft.visible());
        draft.apply(&planner(&spec).transforms()[0], outline).unwrap();
    }
    assert_eq!(
        messages(planner(&spec).resolve(drafts, &[])),
        ["column `token` of table `objects_deals` would carry the mark `phi` into the bucket"]
    );
}

#[test]
fn clears_that_clear_nothing_are_mistakes() {
    let keeps = |input: &Schema| outline(input, vec![], vec![keep(input, "objectId"), keep(input, "property_email")]);
    let spec = spec(&format!(
        "{PHI}{}",
        transform(
            "hide",
            "clears = { phi = [\"contacts.property_email\", \"contacts.property_tocken\", \"deals.token\"] }"
        )
    ));
    assert_eq!(
        messages(resolve(&spec, &[&keeps])),
        [
            "`clears` names `contacts.property_email`, which transform `hide` keeps as it is",
            "`clears` names `contacts.property_tocken`, which transform `hide` does not compute",
            "`clears` names `deals.token`, and transform `hide` is for no such stream",
        ]
    );
    let unmarked = |input: &Schema| {
        let groups = vec![reads(input, &["property_email"])];
        outline(input, groups, vec![keep(input, "objectId"), compute(0, text("token"))])
    };
    let clears_too_much =
        spec_of_clears("clears = { phi = [\"contacts.token\"] }\nstreams = [\"contacts\"]\nclears_rows = [\"phi\"]");
    assert_eq!(
        messages(resolve(&clears_too_much, &[&unmarked])),
        [
            "`clears` names `contacts.token`, which does not depend on anything marked `phi` in transform `hide`",
            "`clears_rows` names `phi`, and transform `hide` chooses no rows by anything so marked",
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
    let spec = spec(&format!("{PHI}{}", transform("choose", "streams = [\"contacts\"]\nclears_rows = [\"phi\"]")));
    let plan = resolve(&spec, &[&filter]).unwrap();
    assert_eq!(requested(&plan), ["objectId", "property_email", "property_diagnosis"]);
    assert!(plan.streams[0].program(0).strands[0].calls[0].selects);
}

#[test]
fn marks_of_attachments_count_like_those_of_columns() {
    let spec = spec(&transform("keyed", "settings = { columns = { property_email = \"token\" } }"));
    let mut draft = draft(&spec);
    let input = draft.visible();
    let hashed = outline(
        &input,
        vec![reads(&input, &["property_email"])],
        vec![keep(&input, "objectId"), compute(0, text("token"))],
    );
    let secret = with_attachments(&spec, &Marks::from(["secret".parse().unwrap()]));
    draft.apply(&secret.transforms()[0], hashed).unwrap();
    let refused = messages(planner(&spec).resolve(vec![draft], &[]));
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
    let groups: Vec<usize> = plan.streams[0].program(0).strands[0].calls.iter().map(|call| call.group).collect();
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
    assert_eq!(
        refused,
        ["column `property_score` of table `objects_contacts` would carry the mark `phi` into the bucket"]
    );
    let plan = with(&spec, &[]).finish(Layout::Individual, planner(&spec).rules()).0;
    let marked: Vec<_> = plan.last_columns().filter(|field| !field.marks.is_empty()).map(|field| &field.name).collect();
    assert_eq!(marked, ["property_score", "property_unparsed_score"]);
}

#[test]
fn unparsable_values_can_be_marked_and_left_out_by_themselves() {
    let marked = spec("[[mark]]\ncolumns = [\"property_unparsed_*\"]\nmarks = [\"phi\"]");
    let problems = resolve(&marked, &[]).unwrap_err();
    assert_eq!(
        problems[0].message,
        "column `property_unparsed_score` of table `objects_contacts` would carry the mark `phi` into the bucket"
    );
    assert!(problems[0].hint.as_deref().unwrap().contains("exclude = [\"property_unparsed_score\"]"));
    let left_out = spec(
        "[[source.columns]]\nexclude = [\"property_unparsed_*\"]\n[[mark]]\ncolumns = [\"property_unparsed_*\"]\nmarks = [\"phi\"]",
    );
    let plan = resolve(&left_out, &[]).unwrap();
    assert!(table(&plan).contains(&"property_score"));
    assert!(!table(&plan).contains(&"property_unparsed_score"));
}

#[test]
fn a_property_whose_name_had_to_be_folded_is_ruled_by_either_name() {
    for glob in ["property_first_name_8c013975", "property_First-Name", "property_First*"] {
        let spec = spec(&format!("[[mark]]\ncolumns = [\"{glob}\"]\nmarks = [\"phi\"]"));
        let mut schema = contacts();
        schema.fields.push(text("property_first_name_8c013975").with(attribute::PROPERTY, "First-Name"));
        let draft = planner(&spec).begin(stream("contacts", "0-1"), schema);
        assert_eq!(
            messages(planner(&spec).resolve(vec![draft], &[])),
            [
                "column `property_first_name_8c013975` of table `objects_contacts` would carry the mark `phi` into the bucket"
            ]
        );
    }
}

#[test]
fn only_hubspots_own_marks_withhold_and_never_a_key() {
    let spec_ = spec("[[mark]]\ncolumns = [\"objectId\", \"property_email\"]\nmarks = [\"sensitive\"]");
    let draft = draft(&spec_);
    assert_eq!(draft.withheld.iter().map(|field| &field.name).collect::<Vec<_>>(), ["property_member_id"]);
    assert_eq!(
        messages(planner(&spec_).resolve(vec![draft], &[])),
        [
            "column `objectId` of table `objects_contacts` would carry the mark `sensitive` into the bucket",
            "column `property_email` of table `objects_contacts` would carry the mark `sensitive` into the bucket",
        ]
    );
    let mut schema = contacts();
    schema.fields[0].marks.insert("sensitive".parse().unwrap());
    let draft = planner(&spec("")).begin(stream("contacts", "0-1"), schema);
    assert!(draft.visible().index_of("objectId").is_some());
}

#[test]
fn what_a_stream_that_cannot_be_read_would_match_is_no_mistake() {
    let spec = spec(&format!(
        "[[mark]]\nstreams = [\"deals\"]\ncolumns = [\"property_dealstage\"]\nmarks = [\"phi\"]\n{}",
        transform("step", "streams = [\"deals\"]\nclears = { phi = [\"token\"] }\nclears_rows = [\"phi\"]")
    ));
    let read_all = || vec![draft(&spec)];
    assert_eq!(planner(&spec).resolve(read_all(), &[]).unwrap_err().len(), 4);
    planner(&spec).resolve(read_all(), &[stream("deals", "0-3")]).unwrap();
}

#[test]
fn a_stream_that_cannot_be_read_hides_no_typing_error() {
    let spec = spec("[[mark]]\ncolumns = [\"property_diagnosys\"]\nmarks = [\"phi\"]");
    assert_eq!(
        messages(planner(&spec).resolve(vec![draft(&spec)], &[stream("deals", "0-3")])),
        ["`property_diagnosys` matches no column of the streams it is for"]
    );
}

#[test]
fn a_group_that_computes_a_key_or_clears_a_mark_has_an_instance_of_its_own() {
    let spec = spec_of_clears("clears = { phi = [\"contacts.a\"] }");
    let many = |input: &Schema| {
        let id = text("objectId").required().with(attribute::KEY, "true");
        let groups =
            ["objectId", "property_hs_object_id", "property_email", "property_diagnosis", "property_diagnosis"];
        let groups = groups.iter().map(|name| reads(input, &[name])).collect();
        let dropped = compute(4, text("b"));
        outline(
            input,
            groups,
            vec![
                compute(0, id),
                compute(1, text("property_hs_object_id")),
                compute(2, text("property_email")),
                compute(3, text("a")),
                dropped,
            ],
        )
    };
    let mut draft = with(&spec, &[&many]);
    draft.stages[1].columns.iter_mut().for_each(|column| column.field.marks.clear());
    let plan = planner(&spec).resolve(vec![draft], &[]).unwrap();
    let instances: Vec<usize> = plan.streams[0].program(0).strands[0].calls.iter().map(|call| call.instance).collect();
    assert_eq!(instances, [0, 1, 1, 2, 3]);
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
    let from_nothing = |input: &Schema| {
        let groups = vec![vec![]];
        outline(input, groups, vec![keep(input, "objectId"), compute(0, key("second"))])
    };
    assert_eq!(
        messages(resolve(&spec, &[&from_nothing])),
        ["transform `step` computes the key column `second` of stream `contacts` from no column at all"]
    );
    let beside = |input: &Schema| {
        let groups = vec![reads(input, &["objectId"])];
        outline(input, groups, vec![compute(0, key("objectId")), keep(input, "property_hs_object_id")])
    };
    assert_eq!(
        messages(resolve(&spec, &[&beside])),
        ["table `objects_contacts` would hold raw ids in `property_hs_object_id` beside the computed key `objectId`"]
    );
    let renamed = |input: &Schema| {
        let groups = vec![reads(input, &["objectId"])];
        outline(input, groups, vec![compute(0, key("objectId")), rename(input, "objectId", "harmless")])
    };
    assert_eq!(
        messages(resolve(&spec, &[&renamed])),
        ["table `objects_contacts` would hold raw ids in `harmless` beside the computed key `objectId`"]
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
    let second = planner(&spec).begin(stream("CONTACTS", "2-1"), schema);
    assert_eq!(
        messages(planner(&spec).resolve(vec![draft(&spec), second], &[])),
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
        let spec = spec(lines);
        let (selected, problems) = Rules::of(&spec).select(&offered);
        let names: Vec<(String, bool)> =
            selected.into_iter().map(|stream| (stream.name.clone(), Rules::of(&spec).names(&stream))).collect();
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

/// Step by step: `note` is computed of a marked column and cleared, then computed of that column once more.
#[test]
fn what_was_cleared_before_the_last_transform_may_have_come_back() {
    let lines = |cleared: &str| {
        format!(
            "streams = [\"contacts\"]\nsettings = {{ of = \"property_diagnosis\", as = \"note\" }}\nclears = {{ {cleared} }}\n"
        )
    };
    let note = "[\"contacts.note\"]";
    let spec = spec(&format!(
        "{PHI}{}{}[sink]\ntype = \"parquet\"\nurl = \"file:///tmp/tables\"\naccepts = [\"phi\"]\n",
        transform("one", &lines(&format!("phi = {note}, secret = {note}"))),
        transform("two", &lines(&format!("secret = {note}"))),
    ));
    let planner = with_attachments(&spec, &Marks::from(["secret".parse().unwrap()]));
    let mut draft = draft(&spec);
    for transform in planner.transforms() {
        let input = draft.visible();
        let reads = reads(&input, &["property_diagnosis"]);
        let kept = ["objectId", "property_diagnosis"].map(|name| keep(&input, name));
        let outputs = kept.into_iter().chain([compute(0, text("note"))]).collect();
        draft.apply(transform, outline(&input, vec![reads], outputs)).unwrap();
    }
    let plan = planner.resolve(vec![draft], &[]).unwrap();
    let audit = plan.audit(&plan.streams[0], &plan.streams[0].tables[0]);
    assert_eq!(audit.transforms[0].cleared.keys().collect::<Vec<_>>(), ["phi", "secret"]);
    let note = audit.column("note").next().unwrap();
    assert_eq!((&note.marks, &note.cleared), (&marks(&["phi"]), &marks(&["secret"])));
    assert_eq!(note.computed_by, ["two"], "it is computed anew, of nothing that `one` computed");
    assert_eq!(note.from.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["property_diagnosis"]);
    let kept = audit.column("objectId").next().unwrap();
    assert_eq!((kept.from.len(), kept.computed_by.len(), kept.cleared.len()), (1, 0, 0));
    assert!(audit.column("unknown").next().is_none());
}

/// Columns that are computed of columns that were computed, whichever way, know where they come from.
#[test]
fn lineage_goes_through_every_step_and_is_shared_by_what_is_computed_together() {
    let spec = spec(&format!("{}{}", transform("one", ""), transform("two", "")));
    let all_of_all = |input: &Schema| {
        let readable: Vec<usize> = (0..input.fields.len()).filter(|&index| !input.fields[index].is_key()).collect();
        let computed = readable.iter().map(|&index| compute(0, text(&input.fields[index].name)));
        let outputs = std::iter::once(keep(input, "objectId")).chain(computed).collect();
        outline(input, vec![readable.clone()], outputs)
    };
    let plan = resolve(&spec, &[&all_of_all, &all_of_all]).unwrap();
    let stream = &plan.streams[0];
    let sources = ["property_diagnosis", "property_email", "property_hs_object_id", "property_score"];
    for (index, column) in stream.stages[2].columns.iter().enumerate().skip(1) {
        assert_eq!(stream.origins(2, index).into_iter().collect::<Vec<_>>(), sources, "{}", column.field.name);
        assert_eq!(column.ancestry.computed_in(), [0, 1]);
        assert!(column.ancestry.shares_sources(&stream.stages[2].columns[1].ancestry));
    }
    assert_eq!(stream.origins(2, 0).into_iter().collect::<Vec<_>>(), ["objectId"]);
    let columns = plan.audit(stream, &stream.tables[0]).columns;
    assert!(columns.iter().skip(1).all(|column| column.computed_by == ["two", "one"]));
}
