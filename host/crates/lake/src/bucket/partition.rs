//! The partitions of AWS: parts of it that share nothing, each with a domain and a word in names of its own.
//!
//! A region says by its name which it is in. The AWS SDK knows that; the object store's client does not.

/// A partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// What stands in names: `arn:aws-cn:…`.
    pub arn: &'static str,
    /// What its services' host names end in.
    pub domain: &'static str,
}

/// What most regions are in.
const COMMERCIAL: Partition = Partition { arn: "aws", domain: "amazonaws.com" };

/// The others, by what their regions' names begin with.
const OTHERS: [(&str, Partition); 7] = [
    ("cn-", Partition { arn: "aws-cn", domain: "amazonaws.com.cn" }),
    ("us-gov-", Partition { arn: "aws-us-gov", domain: "amazonaws.com" }),
    ("us-iso-", Partition { arn: "aws-iso", domain: "c2s.ic.gov" }),
    ("us-isob-", Partition { arn: "aws-iso-b", domain: "sc2s.sgov.gov" }),
    ("eu-isoe-", Partition { arn: "aws-iso-e", domain: "cloud.adc-e.uk" }),
    ("us-isof-", Partition { arn: "aws-iso-f", domain: "csp.hci.ic.gov" }),
    ("eusc-", Partition { arn: "aws-eusc", domain: "amazonaws.eu" }),
];

impl Partition {
    /// The partition of a region.
    pub fn of(region: &str) -> Self {
        let other = OTHERS.iter().find(|(prefix, _)| region.starts_with(prefix));
        other.map_or(COMMERCIAL, |(_, partition)| *partition)
    }

    /// The partition that is called so in names.
    pub fn named(arn: &str) -> Option<Self> {
        let mut all = OTHERS.iter().map(|(_, partition)| *partition).chain([COMMERCIAL]);
        all.find(|partition| partition.arn == arn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_in_its_partition() {
        for (region, arn, domain) in [
            ("eu-central-1", "aws", "amazonaws.com"),
            ("us-east-1", "aws", "amazonaws.com"),
            ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
            ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
            ("us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov"),
            ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
        ] {
            assert_eq!(Partition::of(region), Partition { arn, domain }, "{region}");
            assert_eq!(Partition::named(arn), Some(Partition { arn, domain }), "{arn}");
        }
        assert_eq!(Partition::named("AWS"), None);
    }
}
