//! Invented callers, with contact data from ranges reserved for fiction.
//!
//! Numbers are 555-0100 to 555-0199 in North America, and Ofcom's 07700 900000 to 900999 in the
//! United Kingdom. E-mail addresses end in `example.com` (RFC 2606).

use crate::rng::SeededRng;

/// A caller, who may call more than once.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) first: &'static str,
    pub(crate) last: &'static str,
    /// E.164, in a range reserved for fiction.
    pub(crate) number: String,
}

impl Person {
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.first, self.last)
    }

    pub(crate) fn email(&self) -> String {
        let plain: String = format!("{}.{}", self.first, self.last)
            .chars()
            .filter(|c| c.is_ascii_alphabetic() || *c == '.')
            .collect();
        format!("{}@example.com", plain.to_lowercase())
    }
}

/// Numbering plan of a clinic's callers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Numbering {
    NorthAmerica,
    UnitedKingdom,
}

/// Area codes near San Francisco, to match the clinic.
const AREAS: [u32; 12] = [415, 510, 628, 650, 408, 707, 925, 831, 916, 209, 530, 341];

/// Number of values at the end of each range that are reserved for the clinics.
const RESERVED_FOR_CLINICS: u32 = 10;

impl Numbering {
    fn all(self) -> Vec<String> {
        match self {
            Self::NorthAmerica => AREAS
                .iter()
                .flat_map(|area| (0..100 - RESERVED_FOR_CLINICS).map(move |n| (area, n)))
                .map(|(area, n)| format!("+1{area}55501{n:02}"))
                .collect(),
            Self::UnitedKingdom => {
                (0..1000 - RESERVED_FOR_CLINICS).map(|n| format!("+447700900{n:03}")).collect()
            }
        }
    }
}

const FIRST: [&str; 48] = [
    "Amara", "Bennett", "Camille", "Darius", "Elena", "Farah", "Gideon", "Hana", "Ines", "Jonah",
    "Kezia", "Lorcan", "Maribel", "Nikhil", "Orla", "Priya", "Quentin", "Rosalind", "Samir",
    "Tamsin", "Ulrich", "Vivian", "Wendell", "Xiomara", "Yusuf", "Zoë", "Anselm", "Beatriz",
    "Cormac", "Delphine", "Emeka", "Fiona", "Gloria", "Hector", "Imani", "José", "Katya",
    "Leopold", "Mei", "Noor", "Oscar", "Pilar", "Renée", "Stellan", "Thandi", "Una", "Viktor",
    "Winifred",
];

const LAST: [&str; 48] = [
    "Abernathy",
    "Bellweather",
    "Castellano",
    "Dunmore",
    "Eastwick",
    "Fairbairn",
    "Grimaldi",
    "Hathersage",
    "Ibarra",
    "Jankowski",
    "Kincaid",
    "Lindqvist",
    "Marchetti",
    "Nakagawa",
    "O'Malley",
    "Pemberton",
    "Quigley",
    "Rasmussen",
    "Santoro",
    "Thornbury",
    "Underhill",
    "Valdés",
    "Whitcombe",
    "Yamamoto",
    "Zielinski",
    "Ashgrove",
    "Brightwater",
    "Calloway",
    "Devereux",
    "Ellsworth",
    "Fenwick",
    "Greengrass",
    "Holloway",
    "Inglethorpe",
    "Jaramillo",
    "Kettering",
    "Lockridge",
    "Mbeki-Hart",
    "Norrington",
    "Okonjo",
    "Prendergast",
    "Ravenscroft",
    "Singhania",
    "Tremayne",
    "Ullman",
    "Vance-Ito",
    "Wetherby",
    "Nyström",
];

/// Callers of a clinic. Most call once; some call again, with the same name and number.
pub(crate) struct Roster {
    people: Vec<Person>,
    seen: usize,
}

impl Roster {
    pub(crate) fn new(numbering: Numbering, rng: &mut SeededRng) -> Self {
        let mut numbers = numbering.all();
        rng.shuffle(&mut numbers);
        let people = numbers
            .into_iter()
            .map(|number| Person { first: rng.one(&FIRST), last: rng.one(&LAST), number })
            .collect();
        Self { people, seen: 0 }
    }

    /// Draws the next caller: a returning one with a probability of 18 %, otherwise a new one.
    pub(crate) fn caller(&mut self, rng: &mut SeededRng) -> Person {
        let returns = self.seen > 0 && rng.chance(18);
        if returns || self.seen == self.people.len() {
            return self.people[rng.index(self.seen)].clone();
        }
        self.seen += 1;
        self.people[self.seen - 1].clone()
    }
}
