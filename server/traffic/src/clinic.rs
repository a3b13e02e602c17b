//! Name, time zone and country of a clinic.

/// A clinic that receives calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clinic {
    /// Name in URLs: lower case, with hyphens.
    pub slug: &'static str,
    /// Display name of the clinic.
    pub name: &'static str,
    /// Name of its IANA time zone.
    pub timezone: &'static str,
    /// ISO 3166-1 alpha-2 country code.
    pub country: &'static str,
}
