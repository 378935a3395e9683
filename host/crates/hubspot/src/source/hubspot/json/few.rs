//! Lists and maps of no more elements than anything that HubSpot tells of has, refused while they are read.

use std::{collections::HashMap, fmt, hash::Hash, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

/// A list of no more than `MOST` elements.
#[derive(Debug)]
pub(in crate::source::hubspot) struct FewIn<const MOST: usize, T>(pub(in crate::source::hubspot) Vec<T>);

/// A map of no more than `MOST` members. Of one that comes again the last stands.
#[derive(Debug)]
pub(in crate::source::hubspot) struct FewOf<const MOST: usize, K, V>(pub(in crate::source::hubspot) HashMap<K, V>);

struct Collecting<const MOST: usize, C>(PhantomData<C>);

impl<'de, const MOST: usize, T: Deserialize<'de>> Deserialize<'de> for FewIn<MOST, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Collecting::<MOST, Self>(PhantomData))
    }
}

impl<'de, const MOST: usize, T: Deserialize<'de>> Visitor<'de> for Collecting<MOST, FewIn<MOST, T>> {
    type Value = FewIn<MOST, T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(element) = seq.next_element()? {
            if all.len() == MOST {
                return Err(too_many(MOST));
            }
            all.push(element);
        }
        Ok(FewIn(all))
    }
}

impl<'de, const MOST: usize, K, V> Deserialize<'de> for FewOf<MOST, K, V>
where
    K: Deserialize<'de> + Eq + Hash,
    V: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Collecting::<MOST, Self>(PhantomData))
    }
}

impl<'de, const MOST: usize, K, V> Visitor<'de> for Collecting<MOST, FewOf<MOST, K, V>>
where
    K: Deserialize<'de> + Eq + Hash,
    V: Deserialize<'de>,
{
    type Value = FewOf<MOST, K, V>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut all = HashMap::new();
        while let Some((key, value)) = map.next_entry()? {
            if all.len() == MOST {
                return Err(too_many(MOST));
            }
            all.insert(key, value);
        }
        Ok(FewOf(all))
    }
}

fn too_many<E: Error>(most: usize) -> E {
    E::custom(format_args!("too many, expected no more than {most}"))
}
