//! Users and teams, as the settings of the account have them. Owners are elsewhere.

use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::cursor;
use super::server::Call;

/// The page size where the request names none, and the largest.
const PAGE: usize = 100;

/// The users of the account, by id.
pub(super) fn users(call: &Call<'_>) -> Result<Answer, Refusal> {
    call.token.require_one_of(vec!["settings.users.read".to_owned(), "crm.objects.users.read".to_owned()])?;
    let limit = call.query.limit(PAGE, PAGE)?;
    let after = call.query.get("after").map(|after| cursor::decode("users", after)).transpose()?.unwrap_or(0);
    let mut users = call.portal.users().iter().filter(|user| user.id > after).peekable();
    let page: Vec<_> = users.by_ref().take(limit).collect();
    let mut answer = json!({ "results": page.iter().map(|user| &user.listing).collect::<Vec<_>>() });
    if let (Some(last), Some(_)) = (page.last(), users.peek()) {
        answer["paging"] = call.paging(&cursor::encode("users", last.id));
    }
    Ok(Answer::ok(&answer))
}

/// The teams of the account, on one page.
pub(super) fn teams(call: &Call<'_>) -> Result<Answer, Refusal> {
    call.token.require_one_of(vec!["settings.users.teams.read".to_owned()])?;
    let results: Vec<Value> = call.portal.teams();
    Ok(Answer::ok(&json!({ "results": results })))
}
