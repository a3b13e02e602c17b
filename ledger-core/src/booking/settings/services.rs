//! Services: types of appointments with their length, buffers and price.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::MAX_MINUTES;
use crate::booking::{ResourceId, ServiceId};
use crate::money::is_currency;
use crate::settings::fields::{Field, Fields};
use crate::settings::invalid::InvalidSetting;

/// Description of an id, for faults.
pub(super) const ID: &str = "an id of 1 to 40 lower-case letters, digits, - and _";
/// Maximum number of services.
const MAX_SERVICES: usize = 200;
/// Maximum number of keywords of a service.
const MAX_KEYWORDS: usize = 30;
/// Maximum length of a name or keyword, in characters.
const MAX_TEXT: usize = 100;
/// Longest buffer, in minutes.
const MAX_BUFFER: u32 = 180;
/// Highest price, in hundredths.
const MAX_PRICE: u32 = 1_000_000_000;

/// A type of service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Id, unique in the tenant.
    pub id: ServiceId,
    /// Name for people; the id stands for an absent one.
    #[serde(default)]
    pub name: Option<String>,
    /// Words by which a request for the service is recognized.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// Length of an appointment, in minutes.
    pub minutes: u32,
    /// Time that is blocked before an appointment, in minutes.
    #[serde(default)]
    pub buffer_before_minutes: u32,
    /// Time that is blocked after an appointment, in minutes.
    #[serde(default)]
    pub buffer_after_minutes: u32,
    /// Price, with its currency.
    #[serde(default)]
    pub price: Option<Price>,
    /// Resources that the service can take place on; empty for all.
    #[serde(default)]
    pub resources: Vec<ResourceId>,
}

/// A price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Amount in hundredths of the currency.
    pub cents: i64,
    /// Active code of ISO 4217.
    pub currency: String,
}

/// The services of a tenant, in its order; none by default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Services(Vec<Service>);

impl Services {
    /// Parses the fields of the setting: `services`, a list of `id`, `name`, `keywords`, `minutes`,
    /// `buffer_before_minutes`, `buffer_after_minutes`, `price_cents`, `currency` and `resources`.
    ///
    /// # Errors
    /// [`InvalidSetting`] for an id that is none or named twice, a number outside its range, a price
    /// without currency, and an unknown field.
    pub fn parse(fields: BTreeMap<String, Value>) -> Result<Self, InvalidSetting> {
        let mut fields = Fields::root(fields);
        let list = fields.take("services");
        fields.finish()?;
        let Some(list) = list else { return Ok(Self::default()) };
        let mut seen = BTreeSet::new();
        let services: Result<_, _> =
            list.list(MAX_SERVICES)?.into_iter().map(|entry| read(entry, &mut seen)).collect();
        services.map(Self)
    }

    /// The value as a JSON object with every field.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let entry = |service: &Service| {
            json!({
                "id": service.id,
                "name": service.name,
                "keywords": service.keywords,
                "minutes": service.minutes,
                "buffer_before_minutes": service.buffer_before_minutes,
                "buffer_after_minutes": service.buffer_after_minutes,
                "price_cents": service.price.as_ref().map(|price| price.cents),
                "currency": service.price.as_ref().map(|price| &price.currency),
                "resources": service.resources,
            })
        };
        json!({ "services": self.0.iter().map(entry).collect::<Vec<_>>() })
    }

    /// The services in the tenant's order.
    #[must_use]
    pub fn as_slice(&self) -> &[Service] {
        &self.0
    }
}

fn read(entry: Field, seen: &mut BTreeSet<ServiceId>) -> Result<Service, InvalidSetting> {
    let mut fields = entry.object()?;
    let field = fields.require("id")?;
    let id = field.parse(ID, ServiceId::parse)?;
    if !seen.insert(id.clone()) {
        return Err(field.invalid("the id is named twice"));
    }
    let name = fields.take("name").map(|name| name.text(MAX_TEXT)).transpose()?;
    let keywords = match fields.take("keywords") {
        None => Vec::new(),
        Some(list) => texts(list)?,
    };
    let minutes = fields.require("minutes")?.whole(1..=MAX_MINUTES)?;
    let mut buffer = |name: &str| {
        let field = fields.take(name).map(|field| field.whole(0..=MAX_BUFFER)).transpose()?;
        Ok::<_, InvalidSetting>(field.unwrap_or(0))
    };
    let buffer_before_minutes = buffer("buffer_before_minutes")?;
    let buffer_after_minutes = buffer("buffer_after_minutes")?;
    let price = read_price(&mut fields)?;
    let resources = match fields.take("resources") {
        None => Vec::new(),
        Some(list) => resource_ids(list)?,
    };
    fields.finish()?;
    let buffers = (buffer_before_minutes, buffer_after_minutes);
    let (buffer_before_minutes, buffer_after_minutes) = buffers;
    Ok(Service {
        id,
        name,
        keywords,
        minutes,
        buffer_before_minutes,
        buffer_after_minutes,
        price,
        resources,
    })
}

fn texts(list: Field) -> Result<Vec<String>, InvalidSetting> {
    list.list(MAX_KEYWORDS)?.iter().map(|word| word.text(MAX_TEXT)).collect()
}

fn resource_ids(list: Field) -> Result<Vec<ResourceId>, InvalidSetting> {
    let entries = list.list(super::resources::MAX_RESOURCES)?;
    entries.iter().map(|field| field.parse(ID, ResourceId::parse)).collect()
}

fn read_price(fields: &mut Fields) -> Result<Option<Price>, InvalidSetting> {
    let (cents, currency) = (fields.take("price_cents"), fields.take("currency"));
    match (cents, currency) {
        (None, None) => Ok(None),
        (Some(cents), None) => Err(cents.invalid("a price needs a currency")),
        (None, Some(currency)) => Err(currency.invalid("a currency needs a price")),
        (Some(cents), Some(currency)) => {
            let code = |text: &str| is_currency(text).then(|| text.to_owned());
            let currency = currency.parse("an active ISO 4217 code such as USD", code)?;
            Ok(Some(Price { cents: i64::from(cents.whole(0..=MAX_PRICE)?), currency }))
        }
    }
}
