//! The account's names, as ARNs spell them.

use super::Options;
use super::sessions::Caller;

/// The names that a request is checked against and an answer mentions; fixed while the server runs.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) region: String,
    pub(super) bucket: String,
    pub(super) account: String,
    pub(super) user: String,
    pub(super) role_arn: String,
}

impl Names {
    pub(super) fn of(options: &Options) -> Self {
        Self {
            region: options.region.clone(),
            bucket: options.bucket.clone(),
            account: options.account.clone(),
            user: options.user.clone(),
            role_arn: options.role_arn.clone(),
        }
    }

    /// The ARN by which IAM and STS speak of the caller.
    pub(super) fn arn_of(&self, caller: &Caller) -> String {
        match caller {
            Caller::User => format!("arn:aws:iam::{}:user/{}", self.account, self.user),
            Caller::Role { session_name } => self.assumed_role_arn(session_name),
        }
    }

    /// The ARN of a session of the role: of another service than the role's own, and without the role's path.
    pub(super) fn assumed_role_arn(&self, session_name: &str) -> String {
        let role = self.role_arn.rsplit('/').next().unwrap_or_default();
        format!("arn:aws:sts::{}:assumed-role/{role}/{session_name}", self.account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_those_of_aws() {
        let role_arn = "arn:aws:iam::123456789012:role/teams/data/writer".to_owned();
        let names = Names::of(&Options { role_arn, user: "etl".into(), ..Options::default() });
        assert_eq!(names.arn_of(&Caller::User), "arn:aws:iam::123456789012:user/etl");
        let session = Caller::Role { session_name: "run-1".into() };
        assert_eq!(names.arn_of(&session), "arn:aws:sts::123456789012:assumed-role/writer/run-1");
    }
}
