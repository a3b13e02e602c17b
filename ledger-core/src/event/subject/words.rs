//! Words of subject events: grounds with their terms, and reasons. Articles are those of Regulation
//! (EU) 2016/679.

use std::fmt;

use chrono::{DateTime, Months, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Defines an enum whose variants are each stored as the text that is given.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal;)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// All values.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the stored word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// Returns the value with this word; `None` for another word.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }
    };
}

words! {
    /// The ground of an erasure.
    Ground {
        /// The data are not necessary any more, Article 17(1)(a).
        NotNecessary = "17.1.a";
        /// The consent was withdrawn, Article 17(1)(b).
        ConsentWithdrawn = "17.1.b";
        /// The person objects to the processing, Article 17(1)(c).
        Objection = "17.1.c";
        /// The processing was unlawful, Article 17(1)(d).
        Unlawful = "17.1.d";
        /// A law requires the erasure, Article 17(1)(e).
        LegalObligation = "17.1.e";
        /// The data of a child were collected online, Article 17(1)(f).
        Child = "17.1.f";
        /// The retention period of the tenant has ended. No request of a person.
        Retention = "retention";
    }
}

/// The time in which a request has to be fulfilled, in calendar months from its receipt. A month
/// that has no such day ends on its last day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    months: u32,
    further: u32,
}

impl Ground {
    /// Returns the term of a request on this ground: one month, extended by two further months at
    /// most (Article 12(3)); none for [`Ground::Retention`], which is due at its receipt.
    #[must_use]
    pub const fn term(self) -> Term {
        match self {
            Self::Retention => Term { months: 0, further: 0 },
            _ => Term { months: 1, further: 2 },
        }
    }
}

impl Term {
    /// The term of a request for a copy of the data, as that of an erasure (Article 12(3)).
    pub const ACCESS: Self = Self { months: 1, further: 2 };

    /// Returns the end of the term of a request. Never later than the law allows: it is the time of
    /// day of the receipt, and not the end of that day.
    #[must_use]
    pub fn end(self, received_at: DateTime<Utc>) -> DateTime<Utc> {
        after(received_at, self.months)
    }

    /// Returns the end of the extended term; `None` for a term that cannot be extended.
    #[must_use]
    pub fn extended_end(self, received_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        (self.further > 0).then(|| after(received_at, self.months + self.further))
    }
}

fn after(at: DateTime<Utc>, months: u32) -> DateTime<Utc> {
    at.checked_add_months(Months::new(months)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

words! {
    /// The party that requested an erasure.
    Requester {
        /// The person.
        Person = "person";
        /// A person who acts for the person, such as a parent.
        Representative = "representative";
        /// The tenant, without a request of the person.
        Controller = "controller";
        /// A supervisory authority or a court.
        Authority = "authority";
        /// Another party, which a section of the event names.
        Other = "other";
    }
}

words! {
    /// The check of the identity of a requester.
    IdentityCheck {
        /// By a log-in of the person.
        Account = "account";
        /// By a call or message to a handle that was known before.
        KnownHandle = "known_handle";
        /// By a document.
        Document = "document";
        /// None was necessary.
        NotRequired = "not_required";
    }
}

words! {
    /// The reason for an extension of the term, Article 12(3).
    ExtensionReason {
        /// The request is complex.
        Complexity = "complexity";
        /// There are many requests.
        NumberOfRequests = "number_of_requests";
    }
}

words! {
    /// The reason for which an erasure is refused.
    RefusalReason {
        /// Freedom of expression and information, Article 17(3)(a).
        Expression = "17.3.a";
        /// A legal obligation or a task in the public interest, Article 17(3)(b).
        LegalObligation = "17.3.b";
        /// Public health, Article 17(3)(c).
        PublicHealth = "17.3.c";
        /// Archives, research and statistics, Article 17(3)(d).
        Archives = "17.3.d";
        /// Legal claims, Article 17(3)(e).
        LegalClaims = "17.3.e";
        /// The identity of the requester was not proven, Article 12(2) and (6).
        IdentityNotProven = "identity_not_proven";
        /// The request is manifestly unfounded or excessive, Article 12(5).
        Unfounded = "unfounded";
        /// The requester withdrew the request.
        Withdrawn = "withdrawn";
    }
}

impl RefusalReason {
    /// Returns the text for the person: the reason, and for a refusal against the request the
    /// possibility of a complaint and of a remedy (Article 12(4)).
    #[must_use]
    pub fn notice(self) -> String {
        let reason = match self {
            Self::Expression => {
                "The data are necessary for exercising the right of freedom of expression and \
                 information (Article 17(3)(a) GDPR)."
            }
            Self::LegalObligation => {
                "The data must be kept to comply with a legal obligation or to perform a task in \
                 the public interest (Article 17(3)(b) GDPR)."
            }
            Self::PublicHealth => {
                "The data are necessary for reasons of public interest in the area of public \
                 health (Article 17(3)(c) GDPR)."
            }
            Self::Archives => {
                "The data are necessary for archiving in the public interest, research or \
                 statistics, which the erasure would seriously impair (Article 17(3)(d) GDPR)."
            }
            Self::LegalClaims => {
                "The data are necessary for the establishment, exercise or defence of legal claims \
                 (Article 17(3)(e) GDPR)."
            }
            Self::IdentityNotProven => {
                "The identity of the requester could not be confirmed (Article 12(6) GDPR). A new \
                 request with further information is possible."
            }
            Self::Unfounded => {
                "The request is manifestly unfounded or excessive (Article 12(5) GDPR)."
            }
            Self::Withdrawn => {
                return "The request was withdrawn. A new request is possible.".to_owned();
            }
        };
        format!(
            "Your personal data were not erased. {reason} You can lodge a complaint with a \
             supervisory authority and seek a judicial remedy."
        )
    }
}

words! {
    /// The rule by which an erasure is deferred. A legal hold takes precedence.
    DeferralRule {
        /// A legal hold on the subject or a part of it.
        LegalHold = "legal_hold";
        /// A duty to retain the data.
        RetentionDuty = "retention_duty";
    }
}

words! {
    /// The reason for a legal hold.
    HoldReason {
        /// Pending or expected litigation.
        Litigation = "litigation";
        /// An investigation by an authority.
        Investigation = "investigation";
        /// An audit.
        Audit = "audit";
    }
}

words! {
    /// The reason for a restriction.
    RestrictionReason {
        /// The accuracy of the data is contested, Article 18(1)(a).
        Accuracy = "18.1.a";
        /// The processing is unlawful, and the person opposes an erasure, Article 18(1)(b).
        Unlawful = "18.1.b";
        /// The person needs the data for legal claims, Article 18(1)(c).
        LegalClaims = "18.1.c";
        /// An objection is being examined, Article 18(1)(d).
        Objection = "18.1.d";
        /// An erasure is deferred.
        Deferral = "deferral";
    }
}

/// A SHA-256 digest, stored as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HexDigest(pub [u8; 32]);

impl fmt::Display for HexDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for HexDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for HexDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HexDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut digest = [0; 32];
        hex::decode_to_slice(&text, &mut digest)
            .map_err(|_| de::Error::custom("not 64 hexadecimal digits"))?;
        Ok(Self(digest))
    }
}
