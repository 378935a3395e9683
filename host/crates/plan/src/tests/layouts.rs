//! The tables that a stream feeds, in each layout, and what the guard says of each.

use super::*;
use crate::{Shape, TablePlan};

fn sink(lines: &str) -> String {
    format!("\n[sink]\ntype = \"parquet\"\nurl = \"file:///tmp/tables\"\n{lines}\n")
}

fn names<'p>(tables: impl IntoIterator<Item = &'p TablePlan>) -> Vec<(&'p str, Shape)> {
    tables.into_iter().map(|table| (table.name.as_str(), table.shape)).collect()
}

/// `deals`: the key, when it changed, and an amount.
fn deals() -> Schema {
    let fields = vec![
        Field::new("objectId", ColumnType::Text)
            .required()
            .with(attribute::KEY, "true")
            .with(attribute::REFERENCES, "0-3"),
        Field::new("updatedAt", ColumnType::Timestamp),
        Field::new("property_amount", ColumnType::Float).with(attribute::LABEL, "Amount"),
    ];
    Schema { name: "deals".to_owned(), fields, attributes: Attributes::new() }
}

/// `tickets`: the same columns of every record, and other properties.
fn tickets() -> Schema {
    let mut schema = Schema { name: "tickets".to_owned(), ..deals() };
    schema.fields[2] = text("property_subject");
    schema
}

fn columns(table: &TablePlan) -> Vec<&str> {
    table.fields().map(|field| field.name.as_str()).collect()
}

#[test]
fn each_layout_has_its_tables() {
    let individual = ("objects_deals", Shape::AsIs);
    let combined = [("objects", Shape::Share), ("object_properties", Shape::Long)];
    for (layout, expected) in [
        ("", vec![individual]),
        ("layout = \"individual\"", vec![individual]),
        ("layout = \"combined\"", combined.to_vec()),
        ("layout = \"both\"", vec![individual, combined[0], combined[1]]),
    ] {
        let spec = spec(&sink(layout));
        let planner = planner(&spec);
        let draft = planner.begin(stream("deals", "0-3"), deals());
        let owners = StreamInfo::new("owners", StreamKind::Owners);
        let owners = planner.begin(owners, Schema { name: "owners".to_owned(), ..deals() });
        let plan = planner.resolve(vec![draft, owners], &[]).unwrap();
        assert_eq!(names(&plan.streams[0].tables), expected, "{layout}");
        assert_eq!(names(&plan.streams[1].tables), [("owners", Shape::AsIs)], "{layout}: definitions are as they are");
    }
}

#[test]
fn streams_share_tables_of_the_same_columns_and_nothing_in_them_is_of_one_alone() {
    let spec = spec(&sink("layout = \"combined\""));
    let planner = planner(&spec);
    let drafts =
        vec![planner.begin(stream("deals", "0-3"), deals()), planner.begin(stream("tickets", "0-5"), tickets())];
    let plan = planner.resolve(drafts, &[]).unwrap();
    for (stream, properties) in plan.streams.iter().zip(["property_amount", "property_subject"]) {
        let [objects, long] = stream.tables.as_slice() else { panic!("{:?}", stream.tables) };
        assert_eq!(columns(objects), ["objectId", "updatedAt"]);
        assert_eq!(columns(long), ["objectId", "name", "value"]);
        assert!(objects.fields().all(|field| !field.attributes.contains_key(attribute::REFERENCES)));
        assert_eq!(stream.origins_of(&long.columns[2]).into_iter().collect::<Vec<_>>(), [properties]);
        assert_eq!(long.key().collect::<Vec<_>>(), [0, 1]);
        assert_eq!(long.columns[1].from, [0; 0]);
    }
}

#[test]
fn a_table_that_streams_share_has_the_marks_of_all() {
    let marked = "[[mark]]\nstreams = [\"tickets\"]\ncolumns = [\"property_subject\"]\nmarks = [\"phi\"]\n";
    let spec = spec(&format!("{marked}{}", sink("layout = \"both\"\naccepts = [\"phi\"]")));
    let planner = planner(&spec);
    let drafts =
        vec![planner.begin(stream("deals", "0-3"), deals()), planner.begin(stream("tickets", "0-5"), tickets())];
    let plan = planner.resolve(drafts, &[]).unwrap();
    for stream in &plan.streams {
        let [_, objects, long] = stream.tables.as_slice() else { panic!("{:?}", stream.tables) };
        let of = |table: &TablePlan| table.fields().map(|field| field.marks.len()).collect::<Vec<_>>();
        assert_eq!((of(objects), of(long)), (vec![0, 0], vec![0, 0, 1]), "{}", stream.stream.name);
    }
    let amount = plan.streams[0].tables[0].fields().last().unwrap();
    assert!(amount.marks.is_empty(), "a table of one stream has its own marks");
}

#[test]
fn a_stream_that_does_not_fit_a_table_that_it_shares_is_refused() {
    let spec = spec(&(transform("drop", "streams = [\"tickets\"]") + &sink("layout = \"both\"")));
    let planner = planner(&spec);
    let mut tickets = planner.begin(stream("tickets", "0-5"), tickets());
    let shown = tickets.visible();
    let without_time = outline(&shown, vec![], vec![keep(&shown, "objectId"), keep(&shown, "property_subject")]);
    tickets.apply(&planner.transforms()[0].clone(), without_time).unwrap();
    let drafts = vec![planner.begin(stream("deals", "0-3"), deals()), tickets];
    assert_eq!(
        messages(planner.resolve(drafts, &[])),
        ["table `objects` would have other columns from stream `tickets` than from `deals`: `updatedAt`"]
    );
}

#[test]
fn the_name_of_a_table_of_all_records_is_taken() {
    let spec = spec(&(transform("rename", "streams = [\"deals\"]") + &sink("layout = \"both\"")));
    let planner = planner(&spec);
    let mut deals = planner.begin(stream("deals", "0-3"), deals());
    let shown = deals.visible();
    let all = shown.fields.iter().map(|field| keep(&shown, &field.name)).collect();
    let renamed = Outline { table: "Objects".to_owned(), ..outline(&shown, vec![], all) };
    deals.apply(&planner.transforms()[0].clone(), renamed).unwrap();
    assert_eq!(
        messages(planner.resolve(vec![deals], &[])),
        ["stream `deals` would be written to two tables named `objects` (case does not count)"]
    );
}

#[test]
fn the_guard_judges_every_table_and_tells_a_column_once() {
    let marked = "[[mark]]\nstreams = [\"contacts\"]\ncolumns = [\"property_diagnosis\"]\nmarks = [\"phi\"]\n";
    let by_layout = |layout: &str| {
        let spec = spec(&format!("sensitive = \"exclude\"\n{marked}{}", sink(layout)));
        planner(&spec).resolve(vec![draft(&spec)], &[])
    };
    assert_eq!(
        messages(by_layout("layout = \"combined\"")),
        ["column `value` of table `object_properties` would carry the mark `phi` into the bucket"]
    );
    let problems = by_layout("layout = \"combined\"").unwrap_err();
    assert!(
        problems[0].details[0].ends_with("contacts.property_diagnosis → `object_properties.value`"),
        "{:?}",
        problems[0].details
    );
    assert_eq!(
        messages(by_layout("layout = \"both\"")),
        ["column `property_diagnosis` of table `objects_contacts` would carry the mark `phi` into the bucket"]
    );
    let accepted = by_layout("layout = \"both\"\naccepts = [\"phi\"]").unwrap();
    let long = &accepted.streams[0].tables[2];
    assert_eq!(long.columns.last().unwrap().field.marks, marks(&["phi"]), "a long table has the marks of all values");
}

#[test]
fn the_record_of_a_long_table_tells_the_columns_of_its_values_apart() {
    let marked = "[[mark]]\nstreams = [\"contacts\"]\ncolumns = [\"property_diagnosis\"]\nmarks = [\"phi\"]\n";
    let clears = "clears = { phi = [\"contacts.property_diagnosis\"] }";
    let spec = spec(&format!("{marked}{}{}", transform("scrub", clears), sink("layout = \"combined\"")));
    let plan = resolve(
        &spec,
        &[&|shown: &Schema| {
            let group = reads(shown, &["property_diagnosis"]);
            let outputs = vec![
                keep(shown, "objectId"),
                compute(0, text("property_diagnosis")),
                keep(shown, "property_email"),
                keep(shown, "property_score"),
            ];
            outline(shown, vec![group], outputs)
        }],
    )
    .unwrap();
    let audit = plan.audit(&plan.streams[0], &plan.streams[0].tables[1]);
    let values: Vec<_> = audit
        .column("value")
        .map(|column| (column.from[0].name.as_str(), &column.cleared, column.computed_by.len()))
        .collect();
    let (none, phi) = (Marks::new(), marks(&["phi"]));
    assert_eq!(
        values,
        [
            ("property_diagnosis", &phi, 1),
            ("property_email", &none, 0),
            ("property_score", &none, 0),
            ("property_unparsed_score", &none, 0)
        ]
    );
    assert!(audit.column("name").all(|column| column.from.is_empty()), "a name is no value");
}
