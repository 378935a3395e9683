//! Users and teams: who may sign in. Every owner that is a person and still there has a user; some
//! users own nothing.

use serde_json::{Value, json};

use super::owners::{FIRST_USER_ID, Owner, TEAMS};
use super::random::{Draw, mix, salt};
use super::words;

/// Users without an owner: the accountant, an integration, and so on.
const WITHOUT_OWNER: u64 = 5;
/// The ids of those begin so far behind those of the owners.
const WITHOUT_OWNER_FROM: u64 = 10_000;
const ROLES: &[&str] = &["551", "552", "553"];
/// One user in so many is an administrator of everything.
const SUPER_ADMIN_ONE_IN: u64 = 20;

/// A user of the account.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: u64,
    /// As HubSpot lists it. A team, or the list of further teams, is absent where there is none.
    pub(crate) listing: Value,
}

/// All users, by id.
pub(super) fn all(seed: u64, owners: &[Owner]) -> Vec<User> {
    let of_owners = owners.iter().filter_map(|owner| {
        let id = owner.listing["userId"].as_u64()?;
        let teams = owner.listing["teams"].as_array().map_or(&[][..], Vec::as_slice);
        let text = |field: &str| owner.listing[field].as_str().unwrap_or_default().to_owned();
        let teams: Vec<&str> = teams.iter().filter_map(|team| team["id"].as_str()).collect();
        Some(user(id, &text("email"), (&text("firstName"), &text("lastName")), &teams))
    });
    let others = (0..WITHOUT_OWNER).map(|index| {
        let mut draw = Draw::new(mix(seed ^ salt("users")) ^ index);
        let (given, family) = (draw.pick(words::GIVEN_NAMES), draw.pick(words::FAMILY_NAMES));
        let email = format!("{}.{}.office{index}@sluice-clinic.example", given.plain, family.plain);
        let teams: Vec<&str> = TEAMS.iter().map(|(id, _)| *id).take(draw.below(3) as usize).collect();
        user(FIRST_USER_ID + WITHOUT_OWNER_FROM + index, &email, (given.written, family.written), &teams)
    });
    of_owners.chain(others).collect()
}

/// The first of the teams is the primary one.
fn user(id: u64, email: &str, (given, family): (&str, &str), teams: &[&str]) -> User {
    let mut draw = Draw::new(mix(id ^ salt("roles")));
    let super_admin = draw.below(SUPER_ADMIN_ONE_IN) == 0;
    // Who may do everything needs no role.
    let roles: Vec<&str> = if super_admin { Vec::new() } else { vec![draw.pick(ROLES)] };
    let mut listing = json!({
        "id": id.to_string(),
        "email": email,
        "firstName": given,
        "lastName": family,
        "roleIds": roles,
        "superAdmin": super_admin,
    });
    if let Some((primary, others)) = teams.split_first() {
        listing["primaryTeamId"] = Value::from(*primary);
        if !others.is_empty() {
            listing["secondaryTeamIds"] = json!(others);
        }
    }
    User { id, listing }
}

/// The teams as HubSpot lists them, with their users.
pub(super) fn teams(users: &[User]) -> Vec<Value> {
    let ids = |belongs: &dyn Fn(&Value) -> bool| -> Vec<Value> {
        users.iter().filter(|user| belongs(&user.listing)).map(|user| user.listing["id"].clone()).collect()
    };
    let listing = |(id, name): &(&str, &str)| {
        json!({
            "id": id,
            "name": name,
            "userIds": ids(&|user| user["primaryTeamId"] == **id),
            "secondaryUserIds": ids(&|user| {
                user["secondaryTeamIds"].as_array().is_some_and(|teams| teams.contains(&Value::from(*id)))
            }),
        })
    };
    TEAMS.iter().map(listing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Options, Portal};

    #[test]
    fn teams_agree_with_users_and_users_with_owners() {
        let portal = Portal::new(&Options::default());
        for owner in portal.owners().iter().filter(|owner| !owner.listing["userId"].is_null()) {
            let user = portal.users().iter().find(|user| owner.listing["userId"] == user.id).expect("a user");
            assert_eq!(user.listing["email"], owner.listing["email"]);
            for team in owner.listing["teams"].as_array().into_iter().flatten() {
                let field = if team["primary"] == true { "userIds" } else { "secondaryUserIds" };
                let teams = portal.teams();
                let users = teams.iter().find(|one| one["id"] == team["id"]).expect("a team")[field].clone();
                assert!(users.as_array().is_some_and(|users| users.contains(&user.listing["id"])));
            }
        }
        let own = |user: &&User| portal.owners().iter().all(|owner| owner.listing["userId"] != user.id);
        assert!(portal.users().iter().filter(own).count() > 0);
        assert!(portal.users().is_sorted_by_key(|user| user.id));
    }
}
