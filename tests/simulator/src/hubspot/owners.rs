//! Owners.

use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::cursor;
use super::server::Call;

const DEFAULT_PAGE: usize = 100;
/// The largest page: five times that of objects.
const LARGEST_PAGE: usize = 500;

pub(super) fn list(call: &Call<'_>) -> Result<Answer, Refusal> {
    call.token.require_one_of(vec!["crm.objects.owners.read".to_owned()])?;
    let limit = call.query.limit(DEFAULT_PAGE, LARGEST_PAGE)?;
    let archived = call.query.flag("archived", false)?;
    let email = call.query.get("email");
    let list = if archived { "owners/archived" } else { "owners" };
    let after = call.query.get("after").map(|after| cursor::decode(list, after)).transpose()?.unwrap_or(0);

    let mut owners = call
        .portal
        .owners()
        .iter()
        .filter(|owner| owner.archived == archived && owner.id > after)
        .filter(|owner| email.is_none() || owner.email() == email)
        .peekable();
    let page: Vec<_> = owners.by_ref().take(limit).collect();
    let results: Vec<&Value> = page.iter().map(|owner| &owner.listing).collect();
    let mut answer = json!({ "results": results });
    if let (Some(last), Some(_)) = (page.last(), owners.peek()) {
        answer["paging"] = call.paging(&cursor::encode(list, last.id));
    }
    Ok(Answer::ok(&answer))
}
