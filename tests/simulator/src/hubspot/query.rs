//! The query of a URL.

use url::form_urlencoded;

use super::answer::Refusal;

/// The parameters of a request, decoded, in the order in which they were sent.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The last value of a parameter; an empty one counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(key, _)| key == name)?;
        Some(found.1.as_str()).filter(|value| !value.is_empty())
    }

    /// The values of a parameter that may be repeated, and separated by commas.
    pub(super) fn names(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .flat_map(|(_, value)| value.split(','))
            .filter(|name| !name.is_empty())
    }

    /// A parameter that is true or false, in any case: HubSpot's Python client sends `True`.
    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, Refusal> {
        match self.get(name) {
            None => Ok(default),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
            Some(value) => Err(Refusal::Invalid(format!("{name} must be true or false, was {value}."))),
        }
    }

    /// The page size: between 1 and `max`.
    pub(super) fn limit(&self, default: usize, max: usize) -> Result<usize, Refusal> {
        let Some(value) = self.get("limit") else { return Ok(default) };
        match value.parse() {
            Ok(limit) if (1..=max).contains(&limit) => Ok(limit),
            _ => Err(Refusal::Invalid(format!("limit must be between 1 and {max}, was {value}."))),
        }
    }

    /// Refuses parameters whose meaning is not simulated.
    pub(super) fn refuse(&self, unsupported: &[(&str, &'static str)]) -> Result<(), Refusal> {
        match unsupported.iter().find(|(name, _)| self.get(name).is_some()) {
            Some((_, meaning)) => Err(Refusal::NotSimulated(meaning)),
            None => Ok(()),
        }
    }

    /// The same query with another `after`, encoded.
    pub(super) fn with_after(&self, after: &str) -> String {
        let others = self.0.iter().filter(|(key, _)| key != "after");
        form_urlencoded::Serializer::new(String::new()).extend_pairs(others).append_pair("after", after).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_repeated_or_separated_by_commas() {
        let query = Query::parse("properties=email,phone&limit=5&properties=city&properties=");
        assert_eq!(query.names("properties").collect::<Vec<_>>(), ["email", "phone", "city"]);
    }

    #[test]
    fn the_next_query_differs_in_after_alone() {
        let query = Query::parse("limit=5&after=abc%3D&properties=a%2Cb");
        assert_eq!(query.with_after("def=="), "limit=5&properties=a%2Cb&after=def%3D%3D");
    }
}
