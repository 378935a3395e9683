//! Owners: the people and queues that records belong to.

use serde_json::{Value, json};

use super::clock;
use super::random::{Draw, mix, salt};
use super::words;

/// More than one page of HubSpot's default size, so that a reader has to page.
const ACTIVE: u64 = 120;
/// Former colleagues: listed only as archived, still named by old records.
const ARCHIVED: u64 = 17;
/// Every so many active owners, one is a queue.
const QUEUE_EVERY: u64 = 40;

const FIRST_OWNER_ID: u64 = 70_100_001;
const OWNER_ID_STEP: u64 = 13;
/// The ids of users begin here; that of an owner follows from its place.
pub(super) const FIRST_USER_ID: u64 = 9_200_001;

/// The teams: id and name.
pub(super) const TEAMS: &[(&str, &str)] =
    &[("3100", "Patient care"), ("3101", "Sales, \"North\""), ("3102", "Équipe française")];

/// An owner of records.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) id: u64,
    pub(crate) archived: bool,
    /// As HubSpot lists it. Archived owners have no `userId`, and no time at which it was taken.
    pub(crate) listing: Value,
}

impl Owner {
    pub(crate) fn email(&self) -> Option<&str> {
        self.listing.get("email")?.as_str()
    }
}

/// All owners, archived ones included, ascending by id.
pub(super) fn all(seed: u64) -> Vec<Owner> {
    (0..ACTIVE + ARCHIVED).map(|index| owner(seed, index)).collect()
}

fn owner(seed: u64, index: u64) -> Owner {
    let mut draw = Draw::new(mix(seed ^ salt("owners")) ^ index);
    let id = FIRST_OWNER_ID + index * OWNER_ID_STEP;
    // Archived owners are spread among the active ones.
    let archived = index * ARCHIVED / (ACTIVE + ARCHIVED) != (index + 1) * ARCHIVED / (ACTIVE + ARCHIVED);
    let (created, updated) = (clock::created(index), clock::created(index + ACTIVE));
    let times = json!({
        "createdAt": clock::instant(created), "updatedAt": clock::instant(updated), "archived": archived,
    });

    let mut listing = if !archived && index % QUEUE_EVERY == QUEUE_EVERY - 1 {
        json!({ "id": id.to_string(), "type": "QUEUE", "firstName": format!("Queue {}", index / QUEUE_EVERY + 1), "lastName": "" })
    } else {
        let (given, family) = (draw.pick(words::GIVEN_NAMES), draw.pick(words::FAMILY_NAMES));
        let user_id = FIRST_USER_ID + index;
        json!({
            "id": id.to_string(),
            "type": "PERSON",
            "email": format!("{}.{}{index}@sluice-clinic.example", given.plain, family.plain),
            "firstName": given.written,
            "lastName": family.written,
            "userId": if archived { Value::Null } else { Value::from(user_id) },
            "userIdIncludingInactive": user_id,
        })
    };
    let first = draw.index(TEAMS);
    let teams: Vec<Value> = TEAMS
        .iter()
        .cycle()
        .skip(first)
        .take(draw.below(3) as usize)
        .enumerate()
        .map(|(place, (id, name))| json!({ "id": id, "name": name, "primary": place == 0 }))
        .collect();
    if !teams.is_empty() {
        listing["teams"] = Value::from(teams);
    }
    merge(&mut listing, times);
    Owner { id, archived, listing }
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn active_archived_and_queues_are_all_there() {
        let owners = all(1);
        assert_eq!(owners.iter().filter(|owner| !owner.archived).count() as u64, ACTIVE);
        assert_eq!(owners.iter().filter(|owner| owner.archived).count() as u64, ARCHIVED);
        assert!(owners.iter().any(|owner| owner.listing["type"] == "QUEUE"));
        assert!(owners.iter().filter(|owner| owner.archived).all(|owner| owner.listing["userId"].is_null()));
        assert!(owners.is_sorted_by_key(|owner| owner.id));
    }
}
