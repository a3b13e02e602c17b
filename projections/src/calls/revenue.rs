//! Prices of appointments, summed by currency.

use std::collections::BTreeMap;

/// Appointments with a price in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Priced {
    /// Number of appointments.
    pub appointments: i64,
    /// Sum of their prices, in hundredths of the currency.
    pub cents: i128,
}

/// Sums of prices by currency; amounts of different currencies are never added. A currency without
/// appointments is absent, so equal sums have equal entries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Revenue(BTreeMap<String, Priced>);

impl Revenue {
    /// Returns the sums in the order of the currencies.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Priced)> {
        self.0.iter().map(|(currency, priced)| (currency.as_str(), *priced))
    }

    /// Returns the only currency with its sum; `None` if there are none or several.
    #[must_use]
    pub fn only(&self) -> Option<(&str, Priced)> {
        let mut all = self.iter();
        all.next().filter(|_| all.next().is_none())
    }

    /// Returns true if there is no appointment with a price.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds appointments in one currency. Returns `None` on overflow.
    #[must_use = "an overflow leaves the sum as it was"]
    pub fn add(&mut self, currency: &str, more: Priced) -> Option<()> {
        let before = self.0.get(currency).copied().unwrap_or_default();
        let appointments = before.appointments.checked_add(more.appointments)?;
        let cents = before.cents.checked_add(more.cents)?;
        if (appointments, cents) == (0, 0) {
            self.0.remove(currency);
        } else {
            self.0.insert(currency.to_owned(), Priced { appointments, cents });
        }
        Some(())
    }

    /// Adds other sums (`sign` 1) or subtracts them (`sign` -1). Returns `None` on overflow.
    #[must_use = "an overflow leaves a part of the sums out"]
    pub fn merge(&mut self, others: &Self, sign: i64) -> Option<()> {
        for (currency, priced) in others.iter() {
            let appointments = priced.appointments.checked_mul(sign)?;
            let cents = priced.cents.checked_mul(sign.into())?;
            self.add(currency, Priced { appointments, cents })?;
        }
        Some(())
    }

    /// Builds sums from the columns of a row.
    pub(crate) fn from_columns(columns: impl Iterator<Item = (String, Priced)>) -> Self {
        Self(columns.collect())
    }

    /// Returns the columns: currencies, sums and numbers of appointments.
    pub(crate) fn columns(&self) -> (Vec<String>, Vec<i128>, Vec<i64>) {
        let mut columns = (Vec::new(), Vec::new(), Vec::new());
        for (currency, priced) in self.iter() {
            columns.0.push(currency.to_owned());
            columns.1.push(priced.cents);
            columns.2.push(priced.appointments);
        }
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn priced(appointments: i64, cents: i128) -> Priced {
        Priced { appointments, cents }
    }

    #[test]
    fn a_free_appointment_has_a_price_and_what_is_taken_back_leaves_nothing() {
        let mut revenue = Revenue::default();
        revenue.add("EUR", priced(1, 0)).expect("fits");
        assert_eq!(revenue.only(), Some(("EUR", priced(1, 0))));
        let same = revenue.clone();
        revenue.add("USD", priced(1, 5)).expect("fits");
        assert_eq!(revenue.only(), None);
        revenue.merge(&same, -1).expect("fits");
        assert_eq!(revenue.only(), Some(("USD", priced(1, 5))));
        revenue.add("USD", priced(-1, -5)).expect("fits");
        assert_eq!(revenue, Revenue::default());
    }

    #[test]
    fn sums_go_beyond_sixty_four_bits_and_end_at_an_overflow() {
        let mut revenue = Revenue::default();
        for _ in 0..3 {
            revenue.add("EUR", priced(1, i64::MAX.into())).expect("fits");
        }
        assert_eq!(revenue.only(), Some(("EUR", priced(3, 3 * i128::from(i64::MAX)))));
        assert_eq!(revenue.add("EUR", priced(1, i128::MAX)), None);
    }
}
