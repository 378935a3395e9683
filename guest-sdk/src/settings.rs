//! From the settings' JSON to the author's type, and from the type to its JSON Schema.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::Failure;

/// The settings of a plugin that has none; any key is refused.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// The settings as the author's type.
///
/// # Errors
/// A settings failure with the path of the value at fault and serde's message.
pub(crate) fn parse<Settings: DeserializeOwned>(settings: &str) -> Result<Settings, Failure> {
    // By way of a value: an error's line and column would be those of JSON the pipeline's owner never wrote.
    let value: serde_json::Value = serde_json::from_str(settings)
        .map_err(|error| Failure::settings(format_args!("the settings are not JSON: {error}")))?;
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        if path == "." {
            Failure::settings(error.inner())
        } else {
            Failure::settings(format_args!("`{path}`: {}", error.inner()))
        }
    })
}

/// The JSON Schema of the author's type, as text.
pub(crate) fn json_schema<Settings: JsonSchema>() -> String {
    schemars::schema_for!(Settings).to_value().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what serde makes of it is looked at")]
    struct Example {
        /// What to do.
        rules: Vec<Rule>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what serde makes of it is looked at")]
    struct Rule {
        columns: Vec<String>,
    }

    #[track_caller]
    fn check(settings: &str, message: &str) {
        let failure = parse::<Example>(settings).unwrap_err();
        assert_eq!((failure.code().as_str(), failure.message()), ("settings", message));
    }

    #[test]
    fn a_mistake_is_named_with_its_path() {
        check(
            r#"{"rules": [{"columns": ["a"]}, {"columns": 3}]}"#,
            "`rules[1].columns`: invalid type: integer `3`, expected a sequence",
        );
        check(r#"{"rules": [], "rule": []}"#, "`rule`: unknown field `rule`, expected `rules`");
        check("{}", "missing field `rules`");
        check("{", "the settings are not JSON: EOF while parsing an object at line 1 column 1");
    }

    #[test]
    fn no_settings_refuses_any() {
        assert!(parse::<NoSettings>("{}").is_ok());
        assert!(parse::<NoSettings>(r#"{"a": 1}"#).is_err());
    }

    #[test]
    fn the_schema_carries_the_documentation() {
        let schema: serde_json::Value = serde_json::from_str(&json_schema::<Example>()).unwrap();
        assert_eq!(schema["properties"]["rules"]["description"], "What to do.");
        assert_eq!(schema["additionalProperties"], false);
    }
}
