//! Numbers that are no personal data: orders, prices, times.

use super::{Values, say};
use crate::redact::check;

impl Values {
    /// Numbers that are no personal data.
    pub(super) fn other(&mut self, slot: &str, is_spoken: bool) -> String {
        let say_or_write = |number: usize| if is_spoken { say(number) } else { number.to_string() };
        match slot {
            "order" => {
                let count = 6 + self.below(5);
                self.number(count, is_spoken)
            }
            "bad16" => loop {
                let digits = format!("4{}", self.digits(15));
                if !check::is_luhn(digits.as_bytes()) {
                    return self.grouped(&digits, &[4, 8, 12], &["", " ", "-"], is_spoken);
                }
            },
            "bad9" => {
                let digits = format!("9{}", self.digits(8));
                if is_spoken { self.speak(&digits) } else { digits }
            }
            "price" => {
                let (whole, cents) = (1 + self.below(99), self.below(100));
                if is_spoken {
                    format!("{} dollars and {} cents", say(whole), say(cents))
                } else {
                    format!("${whole}.{cents:02}")
                }
            }
            "time" => {
                let (hour, minute) = (1 + self.below(12), self.pick(&[0, 15, 30, 45]));
                match (is_spoken, minute) {
                    (true, 0) => format!("{} o'clock", say(hour)),
                    (true, minute) => format!("{} {} pm", say(hour), say(minute)),
                    _ => format!("{hour}:{minute:02} pm"),
                }
            }
            "date" => self.date(is_spoken, false),
            "lot" => {
                let digits = self.digits(5);
                if is_spoken {
                    format!("a b {}", self.speak(&digits))
                } else {
                    format!("AB{digits}")
                }
            }
            "tracking" => self.number(12, is_spoken),
            "dur" => format!("{} minutes", say_or_write(2 + self.below(58))),
            "flight" => {
                if is_spoken {
                    format!("united {}", say(10 + self.below(89)))
                } else {
                    format!("UA{}", 10 + self.below(890))
                }
            }
            "year" => {
                if is_spoken {
                    format!("nineteen {}", say(60 + self.below(39)))
                } else {
                    (1960 + self.below(66)).to_string()
                }
            }
            "room" => {
                if is_spoken {
                    let digits = self.digits(3);
                    self.speak(&digits)
                } else {
                    (100 + self.below(900)).to_string()
                }
            }
            "pct" => {
                if is_spoken {
                    format!("{} percent", say(self.below(99)))
                } else {
                    format!("{}%", self.below(99))
                }
            }
            "score" => {
                if is_spoken {
                    format!("{} to {}", say(self.below(9)), say(self.below(9)))
                } else {
                    format!("{}.{}", self.below(9), self.below(9))
                }
            }
            "exp" => {
                if is_spoken {
                    "oh four twenty seven".to_owned()
                } else {
                    "04/27".to_owned()
                }
            }
            "qty" | "temp" => say_or_write(2 + self.below(97)),
            other => panic!("no values for {other}"),
        }
    }
}
