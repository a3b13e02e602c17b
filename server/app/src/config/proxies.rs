//! The setting `proxies`: addresses and networks of the reverse proxies in front of the server.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

/// A network in CIDR notation, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

impl Network {
    /// Returns whether the network contains an address. An IPv4-mapped IPv6 address is treated as
    /// IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4()
            && (bits(address) ^ bits(self.first)) & mask(self.prefix) == 0
    }
}

/// Returns the bits of an address, left-aligned in 128 bits.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(short) => u128::from(short.to_bits()) << 96,
        IpAddr::V6(long) => long.to_bits(),
    }
}

fn mask(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = |why: &str| format!("proxies: {text:?}: {why}");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let first: IpAddr =
            address.parse().map_err(|_| refuse("write an IP address, such as 192.0.2.1"))?;
        let first = first.to_canonical();
        let longest = if first.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix.map(str::parse::<u8>) {
            None => longest,
            Some(Ok(prefix)) if prefix <= longest => prefix,
            Some(_) => {
                return Err(refuse("the length of the prefix is 0 to 32, or to 128 of IPv6"));
            }
        };
        if bits(first) & !mask(prefix) != 0 {
            return Err(refuse("the address has bits beyond the prefix"));
        }
        Ok(Self { first, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Deserializes a list, or a text with commas as in an environment variable.
pub(super) fn list<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Network>, D::Error> {
    struct List;

    impl<'de> Visitor<'de> for List {
        type Value = Vec<Network>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of IP addresses and networks")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            let networks = text.split(',').map(str::trim).filter(|network| !network.is_empty());
            networks.map(|network| network.parse().map_err(E::custom)).collect()
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut networks = Vec::new();
            while let Some(network) = seq.next_element::<String>()? {
                networks.push(network.parse().map_err(A::Error::custom)?);
            }
            Ok(networks)
        }
    }

    from.deserialize_any(List)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_the_addresses_that_begin_like_it() {
        for (network, inside, outside) in [
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
            ("192.0.2.0/24", "::ffff:192.0.2.9", "::192.0.2.9"),
        ] {
            let found: Network = network.parse().expect(network);
            assert!(found.contains(inside.parse().expect("an address")), "{network}");
            assert!(!found.contains(outside.parse().expect("an address")), "{network}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "proxy.example.com", "10.0.0.0/33", "10.0.0.1/8", "::/129", "10.0.0.0/x"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
