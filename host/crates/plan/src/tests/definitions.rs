//! Columns of what is said of marked properties: read where their marks may pass, and judged as any.

use super::*;

/// Definitions of properties, of which HubSpot marks some.
fn definitions(marked_by_hubspot: &[&str]) -> Schema {
    let mut of_marked = text("markedLabel").with(attribute::OF_MARKED, "true");
    of_marked.marks = marks(marked_by_hubspot);
    let name = text("name").required().with(attribute::KEY, "true");
    Schema {
        name: "property_definitions".to_owned(),
        fields: vec![name, text("label"), of_marked],
        attributes: Attributes::new(),
    }
}

/// The columns of the table of definitions, with these lines in the file, of a sink that accepts these marks.
fn table_of(lines: &str, accepts: &str, marked_by_hubspot: &[&str]) -> Result<Vec<String>, Vec<String>> {
    let spec =
        spec(&format!("{lines}\n[sink]\ntype = \"parquet\"\nurl = \"file:///tmp/tables\"\naccepts = [{accepts}]\n"));
    let planner = planner(&spec);
    let of_definitions = StreamInfo::new("property_definitions", StreamKind::PropertyDefinitions);
    let mut drafts = vec![
        planner.begin(of_definitions, definitions(marked_by_hubspot)),
        planner.begin(stream("contacts", "0-1"), contacts()),
    ];
    for transform in planner.transforms() {
        let input = drafts[0].visible();
        let computed = [compute(0, text("markedLabel"))];
        let outputs = ["name", "label"].map(|name| keep(&input, name)).into_iter().chain(computed).collect();
        let outline = outline(&input, vec![reads(&input, &["markedLabel"])], outputs);
        drafts[0].apply(transform, outline).unwrap();
    }
    match planner.resolve(drafts, &[]) {
        Ok(plan) => Ok(plan.streams[0].last_columns().map(|field| field.name.clone()).collect()),
        Err(problems) => Err(problems.into_iter().map(|problem| problem.message).collect()),
    }
}

/// Lines that mark a property, and leave it out.
fn marks_one() -> String {
    format!("[[source.columns]]\nexclude = [\"property_diagnosis\", \"property_member_id\"]\n{PHI}")
}

#[test]
fn what_is_said_of_marked_properties_is_read_where_all_its_marks_may_pass() {
    let without = Ok(["name", "label"].map(str::to_owned).to_vec());
    let with = Ok(["name", "label", "markedLabel"].map(str::to_owned).to_vec());
    let drops = marks_one();
    let include = format!("sensitive = \"include\"\n{drops}");
    for (lines, accepts, marked_by_hubspot, expected) in [
        ("", "", &[][..], &without),
        ("", "\"phi\"", &[], &without),
        (&drops, "", &[], &without),
        (&drops, "\"phi\"", &[], &with),
        (&drops, "\"phi\", \"sensitive\"", &["sensitive"], &without),
        (&include, "\"sensitive\"", &["sensitive"], &without),
        (&include, "\"sensitive\", \"phi\"", &["sensitive", "hipaa"], &without),
        (&include, "\"sensitive\", \"phi\"", &["sensitive"], &with),
    ] {
        assert_eq!(&table_of(lines, accepts, marked_by_hubspot), expected, "{lines} {accepts} {marked_by_hubspot:?}");
    }
    // A mark that can be no property's changes nothing of what is said of properties.
    let of_keys = format!("{drops}[[mark]]\ncolumns = [\"objectId\"]\nmarks = [\"pii\"]\n");
    assert_eq!(
        table_of(&of_keys, "\"phi\"", &[]),
        Err(vec![
            "column `objectId` of table `objects_contacts` would carry the mark `pii` into the bucket".to_owned()
        ])
    );
    assert_eq!(table_of(&of_keys, "\"phi\", \"pii\"", &[]), with);
}

#[test]
fn the_guard_judges_what_is_said_of_marked_properties_as_any_column() {
    let lines = "streams = [\"property_definitions\"]\nclears = { phi = [\"markedLabel\"] }";
    let trusted = format!("{}{}", marks_one(), transform("scrub", lines));
    assert_eq!(table_of(&trusted, "", &[]).unwrap(), ["name", "label", "markedLabel"]);
    assert_eq!(
        table_of(&format!("sensitive = \"include\"\n{trusted}"), "\"sensitive\"", &["sensitive", "hipaa"]).unwrap_err(),
        ["column `markedLabel` of table `property_definitions` would carry the mark `hipaa` into the bucket"]
    );
}
