
#[cfg(test)]
mod tests {
    use super::*;
    use sluice_guest::{serde_json::json, testing};

    #[test]
    fn text_is_lower_cased_and_nothing_else_is_touched() {
        let schema = Schema::new("contacts")
            .with(Field::new("objectId", DataType::Text).not_null().with_attribute(attribute::KEY, "true"))
            .with(Field::new("name", DataType::Text).with_mark("phi"));
        let report = testing::plugin::<LowerCase>(json!({"columns": ["name"]}))
            .run(&schema, &[json!({"objectId": "A1", "name": "Ada"}), json!({"objectId": "A2", "name": null})])
            .unwrap();
        assert_eq!(report.rows, [json!({"objectId": "A1", "name": "ada"}), json!({"objectId": "A2", "name": null})]);
        assert_eq!(report.reads("name"), ["name"]);
    }
}
