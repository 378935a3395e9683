//! Why there are no documents, and what would mend it.

/// What a document cannot be made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IamError {
    /// The role's ARN is none.
    #[error("`{arn}` is no role's ARN: {why}")]
    Role {
        /// What was written.
        arn: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nobody can be trusted by that name.
    #[error("`{arn}` is nobody who can be trusted with the role: {why}")]
    Principal {
        /// What was written.
        arn: String,
        /// What is wrong with it.
        why: String,
    },
    /// The key's ARN is none.
    #[error("`{key}` is no KMS key's ARN: {why}")]
    Key {
        /// What was written.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// A key that is named by its id or an alias is in the role's account and the bucket's region, and one is not known.
    #[error("the {missing} of the KMS key `{key}` is not known, and a policy names a key in full")]
    KeyPlace {
        /// What was written.
        key: String,
        /// `region` or `account`.
        missing: &'static str,
    },
    /// Two things that must be of one partition are not.
    #[error("the {one} is in the partition `{of_one}`, and the {other} in `{of_other}`")]
    Partitions {
        /// One of them: `region`.
        one: &'static str,
        /// Its partition.
        of_one: &'static str,
        /// The other.
        other: &'static str,
        /// Its partition.
        of_other: &'static str,
    },
    /// An access point has an ARN of its own, which its alias does not tell.
    #[error("`{alias}` is the alias of an access point, whose ARN policies name")]
    AccessPoint {
        /// The alias.
        alias: String,
    },
    /// STS takes no such external id.
    #[error("`external_id` is none that STS takes")]
    ExternalId,
    /// A document that needs the role's name.
    #[error("the pipeline file names no role")]
    NoRole,
    /// A session's policy that STS would refuse.
    #[error("the session's policy has {characters} characters, and STS takes {most}")]
    SessionPolicy {
        /// How many it has.
        characters: usize,
        /// How many it may have.
        most: usize,
    },
}

impl IamError {
    /// What would mend it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Role { .. } => "write `arn:aws:iam::123456789012:role/name`, with the partition of the account",
            Self::Principal { .. } => {
                "write the ARN of a role, of a user, or of a whole account: `arn:aws:iam::123456789012:root`; of a session \
                 (`…:assumed-role/name/session`), that of its role"
            }
            Self::Key { .. } => "write `arn:aws:kms:region:123456789012:key/id`, the key's id, or `alias/` and a name",
            Self::KeyPlace { missing: "region", .. } => "set `region` under [sink], or write the key's ARN",
            Self::KeyPlace { .. } => "set `role` under [sink], whose account it is then, or write the key's ARN",
            Self::Partitions { .. } => {
                "partitions share nothing: bucket, role, key and whoever assumes the role must be of one"
            }
            Self::AccessPoint { .. } => {
                "write the policy by hand: `sluice iam policy` for the bucket's own name, with the access point's ARN in place of \
                 the bucket's, and `/object/` before the prefix"
            }
            Self::ExternalId => "write 2 to 1224 letters, digits and `_+=,.@:/-`",
            Self::NoRole => {
                "set `role = { arn = \"arn:aws:iam::123456789012:role/sluice\" }` under [sink]: the role is made with that name"
            }
            Self::SessionPolicy { .. } => {
                "use a shorter prefix, or leave `session_policy` out and give the role no policy but that of `sluice iam policy`"
            }
        }
    }
}
