//! The tables that a stream feeds, in each layout, and what the guard says of each.

use sluice_model::stream::End;

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
    let combined = [
        ("objects", Shape::Share),
        ("object_properties", Shape::Long),
        ("object_with_object_properties", Shape::Packed),
    ];
    for (layout, expected) in [
        ("", vec![individual]),
        ("layout = \"individual\"", vec![individual]),
        ("layout = \"combined\"", combined.to_vec()),
        ("layout = \"both\"", [&[individual], combined.as_slice()].concat()),
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
        let [objects, long, packed] = stream.tables.as_slice() else { panic!("{:?}", stream.tables) };
        assert_eq!(columns(packed), ["objectId", "properties", "updatedAt"]);
        assert_eq!(stream.origins_of(&packed.columns[1]).into_iter().collect::<Vec<_>>(), [properties]);
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
        let [_, objects, long, packed] = stream.tables.as_slice() else { panic!("{:?}", stream.tables) };
        let of = |table: &TablePlan| table.fields().map(|field| field.marks.len()).collect::<Vec<_>>();
        assert_eq!((of(objects), of(long)), (vec![0, 0], vec![0, 0, 1]), "{}", stream.stream.name);
        assert_eq!(of(packed), [0, 1, 0], "{}", stream.stream.name);
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
        ["objects", "object_with_object_properties"].map(|table| {
            format!("table `{table}` would have other columns from stream `tickets` than from `deals`: `updatedAt`")
        })
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

fn end(type_id: &str, name: &str, singular: &str) -> End {
    End { type_id: type_id.to_owned(), name: name.to_owned(), singular: singular.to_owned() }
}

fn contact() -> End {
    end("0-1", "contacts", "contact")
}

fn company() -> End {
    end("0-2", "companies", "company")
}

/// Links from one type to another.
fn links(from: &End, to: &End) -> Schema {
    let key = |name: &str| Field::new(name, ColumnType::Text).required().with(attribute::KEY, "true");
    let type_of = |name: &str| key(name).with(attribute::OBJECT_TYPE, "true");
    Schema {
        name: StreamInfo::associations(from.clone(), to.clone()).shown_name(),
        fields: vec![
            type_of("fromObjectTypeId"),
            key("fromObjectId").with(attribute::REFERENCES, from.type_id.as_str()),
            type_of("toObjectTypeId"),
            key("toObjectId").with(attribute::REFERENCES, to.type_id.as_str()),
            key("associationTypeId"),
            text("label"),
        ],
        attributes: Attributes::new(),
    }
}

fn of_links(layout: &str, from: &End, to: &End) -> Vec<(String, Vec<String>)> {
    let spec = spec(&sink(layout));
    let planner = planner(&spec);
    let draft = planner.begin(StreamInfo::associations(from.clone(), to.clone()), links(from, to));
    let plan = planner.resolve(vec![draft], &[]).unwrap();
    let tables = plan.streams[0].tables.iter();
    tables.map(|table| (table.name.clone(), columns(table).into_iter().map(str::to_owned).collect())).collect()
}

#[test]
fn a_table_of_links_calls_the_ends_after_their_types() {
    let tables = of_links("layout = \"both\"", &company(), &contact());
    let named = |name: &str, columns: &[&str]| (name.to_owned(), columns.iter().map(|it| (*it).to_owned()).collect());
    let combined = ["fromObjectTypeId", "fromObjectId", "toObjectTypeId", "toObjectId", "associationTypeId", "label"];
    assert_eq!(
        tables,
        [
            named(
                "associations_companies_to_contacts",
                &["company_objectId", "contact_objectId", "associationTypeId", "label"]
            ),
            named("associations", &combined),
        ]
    );
    let own = of_links("", &company(), &company()).remove(0);
    let ends = ["from_company_objectId", "to_company_objectId", "associationTypeId", "label"];
    assert_eq!(own, named("associations_companies_to_companies", &ends));
}

#[test]
fn memberships_of_all_types_are_one_table_in_every_layout() {
    for layout in ["", "layout = \"combined\"", "layout = \"both\""] {
        let spec = spec(&sink(layout));
        let planner = planner(&spec);
        let stream = |id: &str, name: &str| {
            let stream = StreamInfo::memberships(id, name);
            let id = Field::new("objectId", ColumnType::Text).required().with(attribute::KEY, "true");
            let schema = Schema { name: stream.shown_name(), fields: vec![id], attributes: Attributes::new() };
            planner.begin(stream, schema)
        };
        let drafts = vec![stream("0-1", "contacts"), stream("0-2", "companies")];
        let plan = planner.resolve(drafts, &[]).unwrap();
        for stream in &plan.streams {
            assert_eq!(names(&stream.tables), [("list_memberships", Shape::Share)], "{layout}");
        }
    }
}

/// Only the ids of contacts are mapped: those of companies may stand beside them, and those of other contacts may not.
#[test]
fn raw_ids_may_stand_beside_a_computed_key_of_other_things() {
    let mapped = |from: &End, to: &End| {
        let spec = spec(&(transform("map", "streams = [\"associations:*\"]") + &sink("layout = \"both\"")));
        let planner = planner(&spec);
        let mut draft = planner.begin(StreamInfo::associations(from.clone(), to.clone()), links(from, to));
        let shown = draft.visible();
        let key = Field::new("fromObjectId", ColumnType::Text).required().with(attribute::KEY, "true");
        let mut outputs = vec![compute(0, key)];
        let others = shown.fields.iter().filter(|field| field.name != "fromObjectId");
        outputs.extend(others.map(|field| keep(&shown, &field.name)));
        let mapped = outline(&shown, vec![reads(&shown, &["fromObjectId"])], outputs);
        draft.apply(&planner.transforms()[0].clone(), mapped).unwrap();
        planner.resolve(vec![draft], &[])
    };
    mapped(&contact(), &company()).unwrap();
    assert_eq!(
        messages(mapped(&contact(), &contact())),
        [
            "table `associations_contacts_to_contacts` would hold raw ids in `toObjectId` beside the computed key `fromObjectId`"
        ]
    );
}

#[test]
fn of_the_two_directions_of_an_association_one_is_read_unless_the_file_says_more() {
    let vehicle = end("2-7", "vehicle", "vehicle");
    let ends = [contact(), company(), vehicle];
    let pairs =
        ends.iter().flat_map(|from| ends.iter().map(move |to| StreamInfo::associations(from.clone(), to.clone())));
    let offered: Vec<StreamInfo> = pairs.collect();
    let read = |streams: &str, more: &str| {
        let rules = crate::Rules::of(&spec(&format!("streams = {streams}\n{more}\n{}", sink(""))));
        let (selected, problems) = rules.select(&offered);
        assert!(problems.is_empty(), "{problems:?}");
        // The later in the alphabet is better.
        let read = rules.decide(selected, |one, other| one.name > other.name);
        read.into_iter().map(|stream| stream.name.replace("associations:", "")).collect::<Vec<_>>()
    };
    let of_contacts = ["contacts:contacts", "contacts:companies", "contacts:vehicle"];
    let both = ["contacts:companies", "companies:contacts"];
    assert_eq!(
        read("[\"associations\"]", ""),
        [
            "contacts:contacts",
            "contacts:companies",
            "companies:companies",
            "vehicle:contacts",
            "vehicle:companies",
            "vehicle:vehicle"
        ]
    );
    assert_eq!(read("[\"associations:contacts:*\"]", ""), of_contacts);
    assert_eq!(read("[\"associations:0-1:*\"]", ""), of_contacts, "by ids");
    assert_eq!(read("[\"associations:contacts:companies\", \"associations:companies:contacts\"]", ""), both);
    assert_eq!(read("[\"associations:*:companies\"]", "association_directions = \"both\"").len(), 3);
    assert_eq!(read("[\"*\"]", "association_directions = \"both\"").len(), 9);
    assert_eq!(read("[\"*\"]", "exclude = [\"associations:vehicle:*\", \"*:vehicle\"]").len(), 3);
    assert_eq!(
        read("[\"*\", \"associations:companies:vehicle\"]", "exclude = [\"*:contacts\", \"associations:contacts:*\"]"),
        ["companies:companies", "companies:vehicle", "vehicle:vehicle"]
    );
}
