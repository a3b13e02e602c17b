//! Values of several words: telephone numbers, e-mail and postal addresses, dates.

use super::{CITIES, FIRST, LAST, MONTHS, ORDINALS, STREETS, SUFFIXES, Values, say};

impl Values {
    pub(super) fn phone(&mut self, is_spoken: bool) -> String {
        let area = self.pick(&["212", "415", "312", "617", "720", "305"]);
        let line = self.digits(2);
        let digits = format!("{area}55501{line}");
        let has_code = self.below(4) == 0;
        if is_spoken {
            let spoken = self.speak_groups(&[&digits[..3], &digits[3..6], &digits[6..]]);
            return if has_code { format!("one {spoken}") } else { spoken };
        }
        let (a, b, c) = (&digits[..3], &digits[3..6], &digits[6..]);
        match self.below(7) {
            0 => format!("({a}) {b}-{c}"),
            1 => format!("{a}-{b}-{c}"),
            2 => format!("{a}.{b}.{c}"),
            3 => digits,
            4 => format!("+1 {a} {b} {c}"),
            5 => format!("+44 20 7946 0{}", &c[1..]),
            _ => format!("{a} {b} {c}"),
        }
    }

    pub(super) fn email(&mut self, is_spoken: bool) -> String {
        let (first, last) = (self.pick(&FIRST).to_lowercase(), self.pick(&LAST).to_lowercase());
        let (domain, top) =
            self.pick(&[("example", "com"), ("example", "org"), ("mail.example", "net")]);
        let number = self.below(100).to_string();
        if !is_spoken {
            return match self.below(4) {
                0 => format!("{first}.{last}@{domain}.{top}"),
                1 => format!("{first}{number}@{domain}.{top}"),
                2 => format!("{first}_{last}+{number}@{domain}.{top}"),
                _ => format!("{last}@{domain}.{top}"),
            };
        }
        let spelled = |word: &str| word.chars().map(String::from).collect::<Vec<_>>().join(" ");
        let local = match self.below(5) {
            0 => format!("{first} dot {last}"),
            1 => format!("{} {}", first, self.speak(&number)),
            2 => spelled(&first),
            3 => format!("{first} underscore {last}"),
            _ => format!("{} dot {}", spelled(&first), spelled(&last)),
        };
        format!("{local} at {} dot {top}", domain.replace('.', " dot "))
    }

    pub(super) fn date(&mut self, is_spoken: bool, is_birth: bool) -> String {
        let (month, day) = (1 + self.below(12), 1 + self.below(28));
        let year = if is_birth { 1930 + self.below(80) } else { 2025 + self.below(3) };
        let name = MONTHS[month - 1];
        if !is_spoken {
            return match self.below(6) {
                0 => format!("{month:02}/{day:02}/{year}"),
                1 => format!("{year}-{month:02}-{day:02}"),
                2 => format!("{name} {day}, {year}"),
                3 => format!("{day} {name} {year}"),
                4 => format!("{month}/{day}/{:02}", year % 100),
                _ => format!("{name} {day}th, {year}"),
            };
        }
        let name = name.to_lowercase();
        let ordinal = if day <= 20 {
            ORDINALS[day - 1].to_owned()
        } else {
            format!("twenty {}", ORDINALS[day - 21])
        };
        let spoken_year = if year >= 2000 {
            match year % 100 {
                0 => "two thousand".to_owned(),
                rest => format!("two thousand {}", say(rest)),
            }
        } else {
            format!("nineteen {}", say(year % 100))
        };
        match self.below(4) {
            0 => format!("{name} {ordinal} {spoken_year}"),
            1 => format!("the {ordinal} of {name} {spoken_year}"),
            2 => format!("{} {} {spoken_year}", say(month), say(day)),
            _ => format!("{name} {} {spoken_year}", say(day)),
        }
    }

    pub(super) fn address(&mut self, is_spoken: bool) -> String {
        let house = 1 + self.below(9998);
        let (street, suffix) = (self.pick(&STREETS), self.pick(&SUFFIXES));
        let (city, state, code) = self.pick(&CITIES);
        let zip = format!("{}{}", 1 + self.below(9), self.digits(4));
        let flat = 1 + self.below(90);
        if !is_spoken {
            let street = format!("{house} {street} {suffix}");
            return match self.below(4) {
                0 => street,
                1 => format!("{street}, Apt {flat}, {city}, {code} {zip}"),
                2 => format!("{street}, {city}, {state}"),
                _ => format!("{street}, {city}, {code} {zip}"),
            };
        }
        let street = street.to_lowercase();
        let suffix = if suffix == "St" { "street".to_owned() } else { suffix.to_lowercase() };
        let house = if house < 100 { say(house) } else { self.speak(&house.to_string()) };
        let spoken = format!("{house} {street} {suffix}");
        match self.below(3) {
            0 => spoken,
            1 => format!(
                "{spoken} apartment {} in {} {}",
                say(flat),
                city.to_lowercase(),
                state.to_lowercase()
            ),
            _ => format!(
                "{spoken} {} {} {}",
                city.to_lowercase(),
                state.to_lowercase(),
                self.speak(&zip)
            ),
        }
    }
}
