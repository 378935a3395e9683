//! Lower-cases text columns.
use sluice_guest::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Columns to lower-case.
    columns: Vec<String>,
}
struct LowerCase(Settings);
impl Plugin for LowerCase {
    type Settings = Settings;
    fn open(settings: Settings, _: Attachments) -> Result<Self, Failure> {
        Ok(Self(settings))
    }
    fn outline(&self, input: &Schema) -> Result<Outline, Failure> {
        let mut outline = Outline::keep_all(input);
        for column in &self.0.columns {
            outline.map_text(column, |text| Some(text.to_lowercase()))?;
        }
        Ok(outline)
    }
}
export!(LowerCase);
