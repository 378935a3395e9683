//! What is read of a history, what goes through the transforms with it, and what must not.

use super::*;
use crate::Shape;

const OF_CONTACTS: &str = "[[source.history]]\nstreams = [\"contacts\"]\nproperties = [\"email\", \"score\"]\n";

/// The history of `contacts`: what every version has, and the properties of its records.
fn versions() -> Schema {
    let key = |name: &str, column_type| Field::new(name, column_type).required().with(attribute::KEY, "true");
    let property =
        |name: &str, column_type| Field::new(format!("property_{name}"), column_type).with(attribute::PROPERTY, name);
    let mut member = property("member_id", ColumnType::Text);
    member.marks.insert("sensitive".parse().unwrap());
    let unparsed = Field::new(unparsed_name("property_score"), ColumnType::Text)
        .with(attribute::UNPARSED_OF, "property_score")
        .with(attribute::PROPERTY, "score");
    Schema {
        name: "object_properties_history".to_owned(),
        fields: vec![
            key("objectTypeId", ColumnType::Text).with(attribute::OBJECT_TYPE, "true"),
            key("objectId", ColumnType::Text).with(attribute::REFERENCES, "0-1"),
            key("updatedAt", ColumnType::Timestamp),
            text("sourceType"),
            property("email", ColumnType::Text),
            property("phone", ColumnType::Text),
            property("score", ColumnType::Float),
            unparsed,
            property("days_open", ColumnType::Float).with(attribute::CALCULATED, "true"),
            member,
        ],
        attributes: Attributes::new(),
    }
}

fn history() -> StreamInfo {
    StreamInfo::history(&stream("contacts", "0-1"), "0-1")
}

/// The plan of the history of contacts, through the transforms of the file.
fn resolved(spec: &Spec, outlines: &[&dyn Fn(&Schema) -> Outline]) -> Result<Plan, Vec<Problem>> {
    let planner = planner(spec);
    let mut draft = planner.begin(history(), versions());
    let transforms: Vec<Arc<Transform>> = planner.transforms().to_vec();
    for (transform, plugin) in transforms.iter().zip(outlines) {
        assert!(transform.takes(draft.stream()), "what is for contacts is for their past");
        let outline = plugin(&draft.visible());
        draft.apply(transform, outline).unwrap();
    }
    planner.resolve(vec![draft], &[])
}

fn requested(plan: &Plan) -> Vec<&str> {
    plan.streams[0].requested().map(|field| field.name.as_str()).collect()
}

/// Keeps all but some columns.
fn keep_but(schema: &Schema, but: &[&str]) -> Vec<Output> {
    let names = schema.fields.iter().map(|field| field.name.as_str());
    names.filter(|name| !but.contains(name)).map(|name| keep(schema, name)).collect()
}

#[test]
fn the_chosen_properties_are_read_and_no_others_and_a_batch_holds_one_of_them() {
    let spec = spec(OF_CONTACTS);
    let plan = resolved(&spec, &[]).unwrap();
    let of_all = ["objectTypeId", "objectId", "updatedAt", "sourceType"];
    let all = [of_all.as_slice(), &["property_email", "property_score", "property_unparsed_score"]].concat();
    assert_eq!(requested(&plan), all);
    let stream = &plan.streams[0];
    let strands: Vec<_> =
        stream.strands.iter().map(|strand| (strand.property.as_deref(), strand.columns(0).count())).collect();
    assert_eq!(strands, [(Some("email"), 5), (Some("score"), 6)]);
    let [table] = stream.tables.as_slice() else { panic!("{:?}", stream.tables) };
    assert_eq!((table.name.as_str(), table.shape), ("object_properties_history", Shape::History));
    let columns: Vec<_> = table.fields().map(|field| field.name.as_str()).collect();
    assert_eq!(columns, ["objectTypeId", "objectId", "name", "value", "updatedAt", "sourceType"]);
    assert_eq!(stream.origins_of(&table.columns[3]).len(), 3);
}

#[test]
fn a_glob_means_no_calculated_property_and_none_that_is_withheld() {
    let globbed = "[[source.history]]\nstreams = [\"contacts\"]\nproperties = [\"*\"]\n";
    let plan = resolved(&spec(globbed), &[]).unwrap();
    let properties: Vec<_> = plan.streams[0].strands.iter().filter_map(|strand| strand.property.as_deref()).collect();
    assert_eq!(properties, ["email", "phone", "score"]);
    let named = "[[source.history]]\nstreams = [\"contacts\"]\nproperties = [\"days_open\"]\n";
    let plan = resolved(&spec(named), &[]).unwrap();
    assert_eq!(plan.streams[0].strands.len(), 1);
}

#[test]
fn what_is_ruled_of_a_property_is_ruled_of_its_past() {
    // Left out of the records, withheld, unknown.
    let left_out =
        format!("{OF_CONTACTS}[[source.columns]]\nstreams = [\"contacts\"]\nexclude = [\"property_email\"]\n");
    let told = messages(resolved(&spec(&left_out), &[]));
    assert_eq!(told, ["the history of `email` is asked for, and the property itself is not read"]);
    for (property, expected) in [
        ("member_id", "the history of `member_id` is asked for, and the property itself is not read"),
        ("emial", "`emial` matches no property of the streams it is for"),
    ] {
        let lines = format!("[[source.history]]\nstreams = [\"contacts\"]\nproperties = [\"email\", \"{property}\"]\n");
        assert_eq!(messages(resolved(&spec(&lines), &[])), [expected]);
    }
    // What the rules for records let in beside properties is none of a history's business.
    let some = format!(
        "{OF_CONTACTS}[[source.columns]]\nstreams = [\"contacts\"]\ninclude = [\"property_email\", \"property_score\"]\n"
    );
    assert!(requested(&resolved(&spec(&some), &[]).unwrap()).contains(&"sourceType"));
    // A mark on the records' property stops its past.
    let marked =
        format!("{OF_CONTACTS}[[mark]]\nstreams = [\"contacts\"]\ncolumns = [\"property_email\"]\nmarks = [\"phi\"]\n");
    let told = messages(resolved(&spec(&marked), &[]));
    assert_eq!(
        told,
        ["column `value` of table `object_properties_history` would carry the mark `phi` into the bucket"]
    );
}

#[test]
fn a_version_goes_through_what_its_property_goes_through_and_nothing_else() {
    let lines = "streams = [\"contacts\"]";
    let spec = spec(&format!("{OF_CONTACTS}{}", transform("mask", lines)));
    // The address is masked, by a key too; the phone is computed from two; the score is kept under another name.
    let plan = resolved(
        &spec,
        &[&|schema| {
            let groups = vec![
                reads(schema, &["property_email", "objectId"]),
                reads(schema, &["property_phone", "property_email"]),
            ];
            let mut outputs = keep_but(schema, &["property_email", "property_phone", "property_score"]);
            outputs.push(compute(0, text("property_email")));
            outputs.push(compute(1, text("property_reach")));
            outputs.push(rename(schema, "property_score", "property_points"));
            outline(schema, groups, outputs)
        }],
    )
    .unwrap();
    let stream = &plan.streams[0];
    assert!(!requested(&plan).contains(&"property_phone"), "it is nobody's past: {:?}", requested(&plan));
    let program = stream.program(0);
    assert_eq!(program.instances, 1);
    let shapes = program.strands.iter().map(|strand| {
        let groups: Vec<usize> = strand.calls.iter().map(|call| call.group).collect();
        let columns: Vec<_> = strand.fields.iter().map(|field| field.name.as_str()).skip(4).collect();
        (groups, columns)
    });
    let shapes: Vec<_> = shapes.collect();
    assert_eq!(
        shapes,
        [(vec![0], vec!["property_email"]), (vec![], vec!["property_points", "property_unparsed_points"]),]
    );
}

#[test]
fn what_a_transform_drops_has_no_past() {
    let spec = spec(&format!("{OF_CONTACTS}{}", transform("strip", "streams = [\"contacts\"]")));
    let without_email = |schema: &Schema| outline(schema, Vec::new(), keep_but(schema, &["property_email"]));
    let told = messages(resolved(&spec, &[&without_email]));
    assert_eq!(
        told,
        ["the history of `email` is asked for, and no column of stream `contacts` holds it after the transforms"]
    );
}

#[test]
fn a_past_that_could_not_be_judged_is_refused() {
    let spec = spec(&format!("{OF_CONTACTS}{}", transform("consented", "streams = [\"contacts\"]")));
    let by = |column: &'static str| {
        move |schema: &Schema| Outline {
            groups: vec![reads(schema, &[column])],
            selects: Some(0),
            ..outline(schema, Vec::new(), keep_but(schema, &[]))
        }
    };
    let told = messages(resolved(&spec, &[&by("property_phone")]));
    let [told] = told.as_slice() else { panic!("{told:?}") };
    assert!(
        told.contains("`email`, `score`") && told.contains("transform `consented` chooses rows by `phone`"),
        "{told}"
    );
    // By what every version has, they can be chosen.
    resolved(&spec, &[&by("objectId")]).unwrap();
}

#[test]
fn histories_and_events_are_chosen_by_their_own_lines() {
    let event = |name: &str, full: &str| {
        let event_type = sluice_model::stream::EventType { full_name: full.to_owned(), id: None };
        StreamInfo::events(name, event_type, "0-1")
    };
    let offered = vec![
        stream("contacts", "0-1"),
        StreamInfo::new("owners", StreamKind::Owners),
        history(),
        StreamInfo::history(&stream("deals", "0-3"), "0-3"),
        event("visited_page", "e_visited_page"),
        event("signed_up", "pe1_signed_up"),
    ];
    let select = |lines: &str| {
        let (streams, problems) = Rules::of(&spec(lines)).select(&offered);
        let streams: Vec<String> = streams.into_iter().map(|stream| stream.name).collect();
        (streams, problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>())
    };
    assert_eq!(select("").0, ["contacts", "owners"], "`*` brings none of them");
    assert_eq!(select(OF_CONTACTS).0, ["contacts", "owners", "object_properties_history:contacts"]);
    let events =
        |types: &str, of: &str| format!("events = {{ types = [\"{types}\"], of = \"{of}\", records = \"all\" }}\n");
    for types in ["visited*", "e_visited_page", "visited_page"] {
        assert_eq!(select(&events(types, "contacts")).0, ["contacts", "owners", "events:visited_page"], "{types}");
    }
    // Names of groups are no names of types, though a glob would fit them.
    assert_eq!(select(&events("{e,p}*", "contacts")).0.len(), 4);
    let told = select(&events("ev*", "contacts"));
    assert_eq!(told.1, ["no type of events is called `ev*`"]);
    let told = select("[[source.history]]\nstreams = [\"object*\"]\nproperties = [\"x\"]\n");
    assert_eq!(told.1, ["no stream of records is called `object*`, so it has no history"]);
    assert!(!Rules::of(&spec(&events("ev*", "contacts"))).takes(["events:visited_page"].into_iter()));
    assert_eq!(select(&format!("exclude = [\"events\"]\n{}", events("*", "0-1"))).0, ["contacts", "owners"]);
    for (lines, expected) in [
        (
            "streams = [\"contacts\", \"events:visited_page\"]\n".to_owned(),
            "`streams` does not take in `events:visited_page`, which is asked for record by record",
        ),
        (
            "streams = [\"object_properties_history\"]\n".to_owned(),
            "`streams` does not take in `object_properties_history`, which is asked for record by record",
        ),
        (events("visted_page", "contacts"), "no type of events is called `visted_page`"),
        (events("*", "contact"), "events have happened to records, and no stream of records is called `contact`"),
        (
            "[[source.history]]\nstreams = [\"owners\"]\nproperties = [\"x\"]\n".to_owned(),
            "no stream of records is called `owners`, so it has no history",
        ),
    ] {
        assert_eq!(select(&lines).1, [expected]);
    }
    let rules = Rules::of(&spec(&format!("{}{OF_CONTACTS}", events("visited_page", "contacts"))));
    assert!(rules.takes(["events:visited_page", "events:e_visited_page"].into_iter()));
    assert!(!rules.takes(["events:signed_up", "events:pe1_signed_up"].into_iter()));
    assert!(rules.takes(["object_properties_history:0-1", "object_properties_history:contacts"].into_iter()));
    assert!(!rules.takes(["object_properties_history:deals"].into_iter()));
}
