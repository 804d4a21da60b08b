//! Which product a name in the ledger belongs to, where products come with their ids.
//!
//! A name belongs to the first product that came with it; rows without an id are taken for that
//! product's. Another product of the name is stored as `NAME (ID)`. `series_name` remembers both,
//! so that no later run decides otherwise.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_lc_rs::digest::{SHA256, digest};
use sqlx::PgConnection;

use super::super::digest::first_8_bytes;
use super::{NameCache, NewName, folded, load_names};

/// Bytes that a spelling of our own takes at most: never more than 512 characters, and together
/// with the longest workload name within what the primary key holds.
const MAX_SPELLING_BYTES: usize = 512;

impl NameCache {
    /// Looks up how the ledger spells the names of products, given as id and name, and gives them
    /// to products that are new to it. The names must be known.
    pub(super) async fn learn_products(
        &mut self,
        connection: &mut PgConnection,
        products: &BTreeSet<(&str, &str)>,
        new: NewName,
    ) -> Result<(), sqlx::Error> {
        if products.is_empty() {
            return Ok(());
        }
        let mut wanted: Vec<(&str, &str, Vec<String>)> = Vec::new();
        for (id, name) in products {
            let plain = self.spellings.get(*name).map_or(*name, |s| &s.plain);
            wanted.push((id, name, candidates(plain, id)));
        }
        let of_all = wanted.iter().flat_map(|(.., candidates)| candidates);
        let of_all: Vec<String> = of_all.map(|spelling| folded(spelling)).collect();
        let of_all: Vec<&str> = of_all.iter().map(String::as_str).collect();
        let stored = load_names(&mut *connection, &of_all).await?;
        let mut owners: HashMap<String, Option<String>> = stored
            .into_iter()
            .map(|name| (name.folded, name.product_id))
            .collect();
        let mut claimed = BTreeMap::new();
        for (id, name, candidates) in wanted {
            let Some(stored) = self.spellings.get_mut(name) else {
                continue;
            };
            let is_free = |place: usize, spelling: &str| match owners.get(&folded(spelling)) {
                Some(Some(owner)) => owner == id,
                // Only its own name can be had by a product before any came with an id.
                Some(None) => place == 0,
                None => true,
            };
            let mut candidates = candidates.into_iter().enumerate();
            let free = candidates.find(|(place, spelling)| is_free(*place, spelling));
            let Some((place, spelling)) = free else {
                continue;
            };
            if place == 0 {
                stored.owner = Some(id.to_owned());
            } else {
                stored.others.insert(id.to_owned(), spelling.clone());
            }
            self.cached += 1;
            let folded = folded(&spelling);
            let owner = owners.entry(folded.clone()).or_default();
            if owner.is_none() {
                *owner = Some(id.to_owned());
                claimed.insert(folded, (spelling, id));
            }
        }
        match new {
            NewName::Stored => claim(connection, &claimed).await,
            NewName::Foreseen => Ok(()),
        }
    }
}

/// Records to which products the names belong from now on: spelling and id by folded name.
async fn claim(
    connection: &mut PgConnection,
    claimed: &BTreeMap<String, (String, &str)>,
) -> Result<(), sqlx::Error> {
    if claimed.is_empty() {
        return Ok(());
    }
    let folded: Vec<&str> = claimed.keys().map(String::as_str).collect();
    let (spellings, ids): (Vec<&str>, Vec<&str>) = claimed
        .values()
        .map(|(spelling, id)| (spelling.as_str(), *id))
        .unzip();
    sqlx::query!(
        "
        insert into series_name (folded, name, product_id)
        select
            folded,
            name,
            product_id
        from unnest($1::text[], $2::varchar[], $3::varchar[]) as t (folded, name, product_id)
        on conflict (folded) do update
        set product_id = excluded.product_id
        ",
        &folded as _,
        &spellings as _,
        &ids as _
    )
    .execute(connection)
    .await
    .map(drop)
}

/// The spellings that a product may have, the preferred first. The last one is for a name that is
/// too long, and for a second one that is itself the name of another product.
fn candidates(plain: &str, id: &str) -> Vec<String> {
    let of_both = digest(&SHA256, format!("{plain}\0{id}").as_bytes());
    let suffix = format!(" ({:016x})", first_8_bytes(&of_both));
    let end = plain.floor_char_boundary(MAX_SPELLING_BYTES - suffix.len());
    let with_id = format!("{plain} ({id})");
    let with_id = Some(with_id).filter(|text| text.len() <= MAX_SPELLING_BYTES);
    let with_digest = format!("{}{suffix}", plain[..end].trim_end());
    [Some(plain.to_owned()), with_id, Some(with_digest)]
        .into_iter()
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_product_of_a_name_has_the_name_with_its_id() {
        let of = candidates("Office 365 E3", "CFQ7");
        assert_eq!(of[..2], ["Office 365 E3", "Office 365 E3 (CFQ7)"]);
        assert!(of[2].starts_with("Office 365 E3 (") && of[2].len() == 13 + 19);
    }

    #[test]
    fn a_long_name_or_id_is_cut_and_stays_distinct() {
        for (name, id) in [
            ("x".repeat(512), "CFQ7".to_owned()),
            ("\u{20ac}".repeat(512), "CFQ7".to_owned()),
            ("Office 365 E3".to_owned(), "\u{20ac}".repeat(512)),
        ] {
            let of = candidates(&name, &id);
            assert_eq!((of.len(), &of[0]), (2, &name));
            assert!(of[1].len() <= MAX_SPELLING_BYTES && of[1] != name);
            assert_eq!(of, candidates(&name, &id));
            assert_ne!(of[1], candidates(&name, &format!("{id}x"))[1]);
            assert_ne!(of[1], candidates(&format!("{name}y"), &id)[1]);
        }
    }
}
