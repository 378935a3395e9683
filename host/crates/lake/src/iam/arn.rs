//! Names of AWS: who a role is, who may be trusted with it, and which key is meant.

use super::error::IamError;
use crate::bucket::Partition;

/// Digits of an account.
const ACCOUNT_DIGITS: usize = 12;

/// The longest name of a role or a user.
const LONGEST_NAME: usize = 64;

/// `arn:partition:service:region:account:resource`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Arn<'a> {
    partition: Partition,
    service: &'a str,
    region: &'a str,
    account: &'a str,
    resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Reads a name, or says why it is none.
    fn parse(text: &'a str) -> Result<Self, String> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let &[arn, partition, service, region, account, resource] = parts.as_slice() else {
            return Err("it has not six parts with `:` between them".to_owned());
        };
        if arn != "arn" {
            return Err("it does not begin with `arn:`".to_owned());
        }
        let partition = Partition::named(partition).ok_or_else(|| format!("`{partition}` is no partition of AWS"))?;
        if account.len() != ACCOUNT_DIGITS || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("`{account}` is no account, which has twelve digits"));
        }
        Ok(Self { partition, service, region, account, resource })
    }

    /// One of IAM's names, which have no region.
    fn of_iam(text: &'a str) -> Result<Self, String> {
        let arn = Self::parse(text)?;
        if arn.service != "iam" || !arn.region.is_empty() {
            return Err(format!("`{}:{}` is not `iam:`", arn.service, arn.region));
        }
        Ok(arn)
    }
}

/// Divides `path/name`, where there may be no path.
fn path_and_name(text: &str) -> Result<(String, String), String> {
    let (path, name) = match text.rsplit_once('/') {
        Some((path, name)) => (format!("/{path}/"), name),
        None => ("/".to_owned(), text),
    };
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(legal) {
        return Err(format!("`{name}` is no name, which has 1 to {LONGEST_NAME} letters, digits and `_+=,.@-`"));
    }
    if path.contains("//") || !path.bytes().all(|byte| legal(byte) || byte == b'/') {
        return Err(format!("`{path}` is no path"));
    }
    Ok((path, name.to_owned()))
}

/// A role: where it is, and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleArn {
    /// The whole name.
    pub text: String,
    /// Its partition.
    pub partition: Partition,
    /// Its account.
    pub account: String,
    /// Its path, with slashes at both ends; `/` for none.
    pub path: String,
    /// Its name.
    pub name: String,
}

impl RoleArn {
    /// Reads a role's ARN.
    pub fn parse(text: &str) -> Result<Self, IamError> {
        let refused = |why| IamError::Role { arn: text.to_owned(), why };
        let arn = Arn::of_iam(text).map_err(refused)?;
        let role = arn.resource.strip_prefix("role/");
        let role = role.ok_or_else(|| refused(format!("`{}` does not begin with `role/`", arn.resource)))?;
        let (path, name) = path_and_name(role).map_err(refused)?;
        Ok(Self { text: text.to_owned(), partition: arn.partition, account: arn.account.to_owned(), path, name })
    }
}

/// Somebody who may be trusted with a role: a role, a user, or all of an account that its administrators let.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The ARN.
    pub text: String,
    /// Its partition.
    pub partition: Partition,
}

impl Principal {
    /// Reads the ARN of a role, a user or an account.
    pub fn parse(text: &str) -> Result<Self, IamError> {
        let refused = |why| IamError::Principal { arn: text.to_owned(), why };
        let arn = Arn::of_iam(text).map_err(refused)?;
        if arn.resource != "root" {
            let named = arn.resource.strip_prefix("role/").or_else(|| arn.resource.strip_prefix("user/"));
            let named = named.ok_or_else(|| {
                refused(format!("`{}` is not `root`, and does not begin with `role/` or `user/`", arn.resource))
            })?;
            path_and_name(named).map_err(refused)?;
        }
        Ok(Self { text: text.to_owned(), partition: arn.partition })
    }

    /// Whoever in the role's own account is allowed to assume it by its administrators.
    pub fn account_of(role: &RoleArn) -> Self {
        let text = format!("arn:{}:iam::{}:root", role.partition.arn, role.account);
        Self { text, partition: role.partition }
    }
}

/// A key of KMS, as a policy names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// Its partition, if it says one itself.
    pub(super) partition: Option<Partition>,
    region: String,
    account: String,
    name: KeyName,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum KeyName {
    Id(String),
    /// With its `alias/`. Which key has it can change.
    Alias(String),
}

impl Key {
    /// Reads what the pipeline file says. What is no ARN is in this region and in the account of this role.
    pub(super) fn parse(key: &str, region: Option<&str>, role: Option<&RoleArn>) -> Result<Self, IamError> {
        if !key.starts_with("arn:") {
            let missing = |missing| IamError::KeyPlace { key: key.to_owned(), missing };
            return Ok(Self {
                partition: None,
                region: region.ok_or_else(|| missing("region"))?.to_owned(),
                account: role.ok_or_else(|| missing("account"))?.account.clone(),
                name: if key.starts_with("alias/") {
                    KeyName::Alias(key.to_owned())
                } else {
                    KeyName::Id(key.to_owned())
                },
            });
        }
        let refused = |why| IamError::Key { key: key.to_owned(), why };
        let arn = Arn::parse(key).map_err(refused)?;
        if arn.service != "kms" || arn.region.is_empty() {
            return Err(refused(format!("`{}:{}` is not `kms:` and a region", arn.service, arn.region)));
        }
        let name = match arn.resource.split_once('/') {
            Some(("key", id)) if !id.is_empty() => KeyName::Id(id.to_owned()),
            Some(("alias", name)) if !name.is_empty() => KeyName::Alias(arn.resource.to_owned()),
            _ => {
                return Err(refused(format!("`{}` is neither `key/` and an id nor `alias/` and a name", arn.resource)));
            }
        };
        let (region, account) = (arn.region.to_owned(), arn.account.to_owned());
        Ok(Self { partition: Some(arn.partition), region, account, name })
    }

    /// The key, or all keys among which its alias chooses.
    pub(super) fn resource(&self, partition: Partition) -> String {
        let id = match &self.name {
            KeyName::Id(id) => id,
            KeyName::Alias(_) => "*",
        };
        format!("arn:{}:kms:{}:{}:key/{id}", partition.arn, self.region, self.account)
    }

    /// The alias, where the key is named by one.
    pub(super) fn alias(&self) -> Option<&str> {
        match &self.name {
            KeyName::Id(_) => None,
            KeyName::Alias(alias) => Some(alias),
        }
    }
}
