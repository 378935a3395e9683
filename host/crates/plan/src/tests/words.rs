//! What a plugin with marked attachments can tell by its outline: as little as the plan leaves to it.

use super::*;

/// Settings that name columns, and what some of them are to be called.
const KEYED: &str = "streams = [\"contacts\"]\nclears_rows = [\"secret\"]\nsettings = { columns = [{ of = \"property_email\", as = \"token\" }, { of = \"property_score\", as = \"points\" }], codes = [\"too-old\"] }";

/// The draft of contacts after one transform whose plugin has an attachment of these marks.
fn applied(marks_of_attachment: &[&str], outline: &dyn Fn(&Schema) -> Outline) -> Result<StreamDraft, Unsaid> {
    let spec = spec(&format!(
        "sensitive = \"include\"\n{}\n[sink]\ntype = \"parquet\"\nurl = \"file:///tmp/tables\"\naccepts = [\"sensitive\", \"secret\"]",
        transform("keyed", KEYED)
    ));
    let mut draft = draft(&spec);
    let outline = outline(&draft.visible());
    let planner = with_attachments(&spec, &marks(marks_of_attachment));
    draft.apply(&planner.transforms()[0], outline).map(|()| draft)
}

/// All that a commit, a schema and a program can tell of what a plugin did.
fn told(draft: StreamDraft) -> String {
    let spec = spec("[sink]\ntype = \"parquet\"\nurl = \"file:///tmp/tables\"\naccepts = [\"sensitive\", \"secret\"]");
    let plan = planner(&spec).resolve(vec![draft], &[]).unwrap();
    let stream = &plan.streams[0];
    let shown: Vec<_> = stream.selects_by(0).map(|field| &field.name).collect();
    let fields = &stream.program(0).strands[0].fields;
    format!("{:?}\n{fields:?}\n{shown:?}\n{:?}", stream.tables, plan.audit(stream, &stream.tables[0]))
}

/// Everything kept but the address and the score, which are computed in place, and two new columns.
fn straight(input: &Schema) -> Outline {
    let kept = ["objectId", "property_hs_object_id", "property_diagnosis", "property_member_id"];
    let mut outputs: Vec<Output> = kept.iter().map(|name| keep(input, name)).collect();
    let computed = [(0, "property_email"), (0, "token"), (1, "points"), (1, "property_score")];
    outputs.extend(computed.map(|(group, name)| compute(group, text(name))));
    let groups = vec![reads(input, &["property_email"]), reads(input, &["property_score", "property_email"])];
    Outline { selects: Some(1), ..outline(input, groups, outputs) }
}

#[test]
fn the_order_of_columns_and_of_reads_tells_nothing_of_marked_attachments() {
    let reversed = |input: &Schema| {
        let mut outline = straight(input);
        outline.outputs.reverse();
        outline.groups[1].reverse();
        outline
    };
    let other_group_first = |input: &Schema| {
        let mut outline = reversed(input);
        outline.groups.swap(0, 1);
        outline.selects = Some(0);
        for output in &mut outline.outputs {
            if let Output::Compute { group, .. } = output {
                *group = 1 - *group;
            }
        }
        outline
    };
    let as_trusted = |outline: &dyn Fn(&Schema) -> Outline| told(applied(&["secret"], outline).unwrap());
    let first = as_trusted(&straight);
    assert_eq!(as_trusted(&reversed), first);
    assert_eq!(as_trusted(&other_group_first), first);
    let of =
        |draft: &StreamDraft| -> Vec<String> { draft.visible().fields.into_iter().map(|field| field.name).collect() };
    assert_eq!(
        of(&applied(&["secret"], &reversed).unwrap()),
        [
            "objectId",
            "property_hs_object_id",
            "property_email",
            "property_diagnosis",
            "property_score",
            "property_member_id",
            "points",
            "token"
        ],
        "in the order of the input, what is new behind it, by name"
    );
    assert_eq!(of(&applied(&[], &reversed).unwrap())[0], "property_score", "any other plugin has its own order");
}

#[test]
fn what_stands_elsewhere_than_the_plugin_said_is_still_what_it_computed() {
    let reversed = |input: &Schema| {
        let mut outline = straight(input);
        outline.outputs.reverse();
        outline
    };
    let draft = applied(&["secret"], &reversed).unwrap();
    let step = draft.steps[0].outline.clone();
    let spec = spec("[sink]\ntype = \"parquet\"\nurl = \"file:///tmp/tables\"\naccepts = [\"sensitive\", \"secret\"]");
    let plan = planner(&spec).resolve(vec![draft], &[]).unwrap();
    let program = plan.streams[0].program(0);
    let strand = &program.strands[0];
    for (field, output) in strand.fields.iter().zip(&strand.outputs) {
        if let sluice_model::program::ProgramOutput::Computed { call, position } = output {
            let group = strand.calls[*call].group;
            assert_eq!(step.computed_by(group).nth(*position).unwrap().name, field.name);
        }
    }
    assert_eq!(program.outline.outputs, step.outputs, "an instance is asked for the outline that the plugin gave");
}

#[test]
fn names_of_kept_columns_tell_nothing_of_marked_attachments() {
    let naming = |pairs: &'static [(&str, &str)]| {
        move |input: &Schema| {
            let mut outputs = vec![keep(input, "objectId")];
            outputs.extend(pairs.iter().map(|(name, to)| rename(input, name, to)));
            outline(input, vec![], outputs)
        }
    };
    for told in [
        &[("property_email", "property_diagnosis"), ("property_diagnosis", "property_email")][..],
        &[("property_email", "points"), ("property_score", "token")],
        &[("property_diagnosis", "token")],
        &[("property_email", "contacts")],
    ] {
        let refused = applied(&["secret"], &naming(told)).map(drop).unwrap_err();
        assert_eq!(refused, Unsaid::Rename, "{told:?}");
        applied(&[], &naming(told)).unwrap();
    }
    applied(&["secret"], &naming(&[("property_email", "token"), ("property_score", "points")])).unwrap();
}

#[test]
fn which_columns_are_read_tells_nothing_that_settings_do_not_say() {
    let reading = |computed: &'static str, read: &'static [&str]| {
        move |input: &Schema| {
            let outputs = vec![keep(input, "objectId"), compute(0, text(computed))];
            outline(input, vec![reads(input, read)], outputs)
        }
    };
    let refused =
        applied(&["secret"], &reading("token", &["property_email", "property_diagnosis"])).map(drop).unwrap_err();
    assert_eq!(refused, Unsaid::Reads);
    assert_eq!(
        applied(&["secret"], &reading("property_email", &["property_diagnosis"])).map(drop).unwrap_err(),
        Unsaid::Reads
    );
    applied(&[], &reading("token", &["property_email", "property_diagnosis"])).unwrap();
    applied(&["secret"], &reading("property_diagnosis", &["property_diagnosis"])).unwrap();
    applied(&["secret"], &reading("token", &["property_email", "property_score"])).unwrap();
}

#[test]
fn which_columns_are_computed_together_tells_nothing_of_marked_attachments() {
    let [one, other, said] = ["property_diagnosis", "property_member_id", "property_score"];
    // Each group with what it computes and what it reads.
    let grouped = |marks_of_attachment: &[&str], groups: &[(&[&str], &[&str])]| {
        let of = |input: &Schema| {
            let computed = groups.iter().enumerate();
            let computed = computed.flat_map(|(group, (names, _))| names.iter().map(move |name| (group, *name)));
            let computed = computed.map(|(group, name)| compute(group, text(name)));
            let outputs = std::iter::once(keep(input, "objectId")).chain(computed).collect();
            outline(input, groups.iter().map(|(_, read)| reads(input, read)).collect(), outputs)
        };
        applied(marks_of_attachment, &of)
    };
    let together: &[(&[&str], &[&str])] = &[(&[one, other], &[one, other])];
    let subset: &[(&[&str], &[&str])] = &[(&[one, other], &[one])];
    let beside_a_new_one: &[(&[&str], &[&str])] = &[(&[one, "token"], &[one])];
    let crosswise: &[(&[&str], &[&str])] = &[(&[one], &[one, other]), (&[other], &[other])];
    for groups in [together, subset, beside_a_new_one, crosswise] {
        grouped(&[], groups).unwrap();
        assert_eq!(grouped(&["secret"], groups).map(drop).unwrap_err(), Unsaid::Reads, "{groups:?}");
    }
    grouped(&["secret"], &[(&[one], &[one, said]), (&[other], &[other]), (&[said, "token"], &[said])]).unwrap();
}

#[test]
fn which_columns_rows_are_chosen_by_tells_nothing_of_marked_attachments() {
    let names = ["property_hs_object_id", "property_diagnosis"];
    let chosen_by = |marks_of_attachment: &[&str], by: &[&str]| {
        let choosing = |input: &Schema| {
            let mut outputs = vec![keep(input, "objectId")];
            outputs.extend(names.iter().enumerate().map(|(group, name)| compute(group, text(name))));
            let mut groups: Vec<_> = names.iter().map(|name| reads(input, &[name])).collect();
            groups.push(reads(input, by));
            Outline { table: input.name.clone(), groups, outputs, selects: Some(2), rejection_codes: Vec::new() }
        };
        told(applied(marks_of_attachment, &choosing).unwrap())
    };
    for by in [&names[..1], &names[1..]] {
        assert_eq!(chosen_by(&["secret"], by), chosen_by(&["secret"], &names), "{by:?}");
    }
}

#[test]
fn what_is_requested_does_not_tell_which_columns_rows_are_chosen_by() {
    let requested = |marks_of_attachment: &[&str], by: &[&str]| -> Vec<String> {
        let spec = spec(&format!("sensitive = \"include\"\n{}", transform("keyed", KEYED)));
        let mut draft = draft(&spec);
        let planner = with_attachments(&spec, &marks(marks_of_attachment));
        let input = draft.visible();
        let outputs = vec![keep(&input, "objectId"), compute(0, text("property_diagnosis"))];
        let groups = vec![reads(&input, &["property_diagnosis"]), reads(&input, by)];
        let table = input.name.clone();
        let first = Outline { table, groups, outputs, selects: Some(1), rejection_codes: Vec::new() };
        draft.apply(&planner.transforms()[0], first).unwrap();
        let input = draft.visible();
        let second = outline(&input, vec![], vec![keep(&input, "objectId")]);
        draft.apply(&planner.transforms()[0], second).unwrap();
        let stream = draft.finish(Layout::Individual, planner.rules()).0;
        stream.requested().map(|field| field.name.clone()).collect()
    };
    let (said, both) = (["property_email"], ["property_email", "property_diagnosis"]);
    assert_eq!(requested(&["secret"], &said), requested(&["secret"], &both));
    assert_ne!(requested(&[], &said), requested(&[], &both));
}

#[test]
fn attributes_of_other_columns_tell_nothing_of_marked_attachments() {
    let labelled = |marks_of_attachment: &[&str], label: &str| {
        let spec = spec(&transform("keyed", KEYED));
        let mut source = contacts();
        for (index, field) in source.fields.iter_mut().enumerate() {
            field.attributes.insert(attribute::LABEL.to_owned(), format!("label {index}"));
        }
        let planner = with_attachments(&spec, &marks(marks_of_attachment));
        let mut draft = planner.begin(stream("contacts", "0-1"), source);
        let input = draft.visible();
        let outputs = vec![keep(&input, "objectId"), compute(0, text("property_email").with(attribute::LABEL, label))];
        draft
            .apply(&planner.transforms()[0], outline(&input, vec![reads(&input, &["property_email"])], outputs))
            .unwrap();
        draft.visible().fields[1].attributes.get(attribute::LABEL).cloned()
    };
    assert_eq!(labelled(&["secret"], "label 2").as_deref(), Some("label 2"));
    assert_eq!(labelled(&["secret"], "label 3"), None);
    assert_eq!(labelled(&[], "label 3").as_deref(), Some("label 3"));
}

#[test]
fn a_plugin_with_marked_attachments_chooses_no_words_of_its_own() {
    let spec = spec(&transform(
        "keyed",
        "settings = { columns = [{ of = \"property_email\", as = \"token\" }], codes = [\"too-old\"] }",
    ));
    let apply_marked = |table: &str, column: &str, mark: Option<&str>, marks: &[&str]| {
        let mut draft = draft(&spec);
        let input = draft.visible();
        let mut label = text(column).with(attribute::LABEL, "the key is 1234").with(attribute::REFERENCES, "0-1");
        label.marks.extend(mark.map(|mark| mark.parse().unwrap()));
        let outline = Outline {
            table: table.to_owned(),
            selects: Some(0),
            rejection_codes: vec!["too-old".to_owned(), "the-key-is-1234".to_owned()],
            ..outline(
                &input,
                vec![reads(&input, &["property_email"])],
                vec![keep(&input, "objectId"), compute(0, label)],
            )
        };
        let marks = marks.iter().map(|mark| mark.parse().unwrap()).collect();
        draft.apply(&with_attachments(&spec, &marks).transforms()[0], outline).map(|()| draft)
    };
    let apply = |table: &str, column: &str, marks: &[&str]| apply_marked(table, column, None, marks);
    let free = apply("key_1234", "key_1234", &[]).unwrap().finish(Layout::Individual, planner(&spec).rules()).0;
    assert_eq!(free.steps[0].rejection_codes, ["too-old", "the-key-is-1234"]);
    assert!(apply("key_1234", "token", &["secret"]).is_err());
    assert!(apply("contacts", "key_1234", &["secret"]).is_err());
    apply_marked("contacts", "token", Some("key_1234"), &[]).unwrap();
    assert!(apply_marked("contacts", "token", Some("key_1234"), &["secret"]).is_err());
    apply_marked("contacts", "token", Some("secret"), &["secret"]).unwrap();
    let bound = apply("contacts", "token", &["secret"]).unwrap().finish(Layout::Individual, planner(&spec).rules()).0;
    assert_eq!(bound.steps[0].rejection_codes, ["too-old", "code-1"]);
    let token = bound.last_columns().find(|field| field.name == "token").unwrap();
    assert_eq!(token.attributes, Attributes::from([(attribute::REFERENCES.to_owned(), "0-1".to_owned())]));
}
