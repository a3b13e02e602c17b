//! The columns of sealed sections, and the digests by which the leaf hash covers them.

use aws_lc_rs::digest::{SHA256, digest};
use ledger_core::ids::SubjectId;
use ledger_core::section::SectionName;

use super::{Corrupt, KeyBytes, SectionContext, seal, take};

/// The sealed sections of one event, in the two columns of the log.
#[derive(Debug, Default)]
pub struct SealedSections {
    /// Small sections; `None` when there are none.
    pub small: Option<Vec<u8>>,
    /// Large sections; `None` when there are none.
    pub bulk: Option<Vec<u8>>,
    /// Subjects of the sections, each once, in the order of their first section.
    pub subjects: Vec<SubjectId>,
    /// Whether a section was left out because its subject has no key.
    pub is_erased: bool,
}

impl SealedSections {
    /// Seals a section and adds it to the column of its name. Without a key the section is left
    /// out, and only its subject is kept.
    pub fn seal(&mut self, key: Option<&KeyBytes>, context: &SectionContext<'_>, plain: &[u8]) {
        if !self.subjects.contains(&context.subject_id) {
            self.subjects.push(context.subject_id);
        }
        let Some(key) = key else {
            self.is_erased = true;
            return;
        };
        let section = seal(key, context, plain);
        add(self.column(context.name), &section);
    }

    fn column(&mut self, name: SectionName) -> &mut Option<Vec<u8>> {
        if name.is_bulk() { &mut self.bulk } else { &mut self.small }
    }
}

/// First byte of the digest of a section in the column `sections`.
const SMALL: u8 = 1;
/// First byte of the digest of a section in the column `bulk`.
const BULK: u8 = 2;
/// Added to the first byte for a column that does not split into sections and has one digest.
const UNSPLIT: u8 = 0x80;

/// Returns the digests of the sections in both columns, as stored beside them and as covered by the
/// leaf hash: for each section the byte of its column and the SHA-256 of its bytes, without the
/// length before it. Empty for an event without sections.
#[must_use]
pub fn section_digests(sections: Option<&[u8]>, bulk: Option<&[u8]>) -> Vec<u8> {
    let mut digests = Vec::new();
    for (place, column) in [(SMALL, sections), (BULK, bulk)] {
        let Some(column) = column else { continue };
        let mut put = |place: u8, bytes: &[u8]| {
            digests.push(place);
            digests.extend_from_slice(digest(&SHA256, bytes).as_ref());
        };
        match unpack(column) {
            Ok(sections) => sections.into_iter().for_each(|section| put(place, section)),
            Err(Corrupt) => put(place | UNSPLIT, column),
        }
    }
    digests
}

/// Packs sections into one column, each after its length (four bytes, big endian). Returns `None`
/// for no sections, stored as null.
#[must_use]
pub fn pack(sections: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut column = None;
    for section in sections {
        add(&mut column, section);
    }
    column
}

/// Adds a section to a column.
///
/// # Panics
/// Never: sections are far below 4 GB.
pub fn add(column: &mut Option<Vec<u8>>, section: &[u8]) {
    let len = u32::try_from(section.len()).expect("sections are far below 4 GB");
    let column = column.get_or_insert_default();
    column.reserve_exact(section.len() + 4);
    column.extend_from_slice(&len.to_be_bytes());
    column.extend_from_slice(section);
}

/// Splits a column into its sections.
///
/// # Errors
/// [`Corrupt`] when the lengths do not match the column.
pub fn unpack(mut column: &[u8]) -> Result<Vec<&[u8]>, Corrupt> {
    let mut sections = Vec::new();
    while !column.is_empty() {
        let len: [u8; 4] = take(&mut column, 4)?.try_into().map_err(|_| Corrupt)?;
        sections.push(take(&mut column, u32::from_be_bytes(len) as usize)?);
    }
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_sections_come_apart_again() {
        let sections = [vec![1, 2], vec![], vec![3]];
        let column = pack(&sections).expect("there are some");
        assert_eq!(unpack(&column), Ok(vec![&[1, 2][..], &[], &[3]]));
        assert_eq!(unpack(&column[..column.len() - 1]), Err(Corrupt));
        assert_eq!(pack(&[]), None);
    }

    #[test]
    fn a_digest_has_the_column_and_the_bytes_of_its_section() {
        let column = pack(&[vec![1], vec![2]]).expect("there are some");
        let hash = |bytes: &[u8]| digest(&SHA256, bytes).as_ref().to_vec();
        let small = [&[1][..], &hash(&[1]), &[1], &hash(&[2])].concat();
        let bulk = [&[2][..], &hash(&[1]), &[2], &hash(&[2])].concat();
        assert_eq!(section_digests(Some(&column), None), small);
        assert_eq!(section_digests(None, Some(&column)), bulk);
        assert_eq!(section_digests(Some(&column), Some(&column)), [small, bulk].concat());
        assert_eq!(section_digests(None, None), Vec::<u8>::new());
    }

    #[test]
    fn no_change_of_a_column_keeps_its_digests() {
        let column = pack(&[vec![1, 2, 3], vec![], vec![4]]).expect("there are some");
        let known = section_digests(Some(&column), None);
        for nth in 0..column.len() {
            for mask in [0x01, 0x80, 0xff] {
                let mut flipped = column.clone();
                flipped[nth] ^= mask;
                assert_ne!(section_digests(Some(&flipped), None), known, "byte {nth}");
            }
            assert_ne!(section_digests(Some(&column[..nth]), None), known, "cut at {nth}");
        }
        // The content of a section alone, which does not split, is not that section.
        let one = pack(&[vec![9; 3]]).expect("there is one");
        assert_ne!(section_digests(Some(&[9; 3]), None), section_digests(Some(&one), None));
    }
}
