//! Resources: what appointments occupy, with a capacity.
//!
//! The name of a resource may be that of a person, so it is in no facts: the event has it in a sealed
//! section, and here it does not print.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::hours::Hours;
use crate::booking::ResourceId;
use crate::personal::{Personal, ResourceNames};
use crate::settings::fields::{Field, Fields};
use crate::settings::invalid::InvalidSetting;

/// Maximum number of resources.
pub const MAX_RESOURCES: usize = 100;
/// Maximum length of a resource's name, in characters.
const MAX_NAME: usize = 100;

/// A resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Id, unique in the tenant.
    pub id: ResourceId,
    /// Name for people; the id stands for an absent one.
    #[serde(skip)]
    pub name: Option<Personal<String>>,
    /// Maximum number of appointments at the same time.
    pub capacity: u32,
    /// Opening hours of its own, instead of those of the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
}

/// The resources of a tenant: at least one, in the tenant's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Resources(Vec<Resource>);

impl Default for Resources {
    fn default() -> Self {
        let id = ResourceId::parse("main").expect("it is an id");
        Self(vec![Resource { id, name: None, capacity: 1, hours: None }])
    }
}

impl Resources {
    /// Parses the fields of the setting: `resources`, a list of `id`, `name`, `capacity` and `hours`.
    ///
    /// # Errors
    /// [`InvalidSetting`] for an empty list, an id that is none or named twice, a capacity outside 1
    /// to 1000, and an unknown field.
    pub fn parse(fields: BTreeMap<String, Value>) -> Result<Self, InvalidSetting> {
        let mut fields = Fields::root(fields);
        let list = fields.take("resources");
        fields.finish()?;
        let Some(list) = list else { return Ok(Self::default()) };
        let empty = list.invalid("it is empty; one resource is the least");
        let mut seen = BTreeSet::new();
        let mut resources = Vec::new();
        for entry in list.list(MAX_RESOURCES)? {
            resources.push(read(entry, &mut seen)?);
        }
        if resources.is_empty() { Err(empty) } else { Ok(Self(resources)) }
    }

    /// The value as a JSON object with every field.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let entry = |resource: &Resource| {
            let name = resource.name.as_ref().map(Personal::as_revealed);
            json!({
                "id": resource.id,
                "name": name,
                "capacity": resource.capacity,
                "hours": resource.hours,
            })
        };
        json!({ "resources": self.0.iter().map(entry).collect::<Vec<_>>() })
    }

    /// The names, for a sealed section.
    #[must_use]
    pub fn names(&self) -> ResourceNames {
        let name = |resource: &Resource| {
            Some((resource.id.to_string(), resource.name.as_ref()?.as_revealed().clone()))
        };
        ResourceNames(self.0.iter().filter_map(name).collect())
    }

    /// The same resources without their names, as facts hold them.
    #[must_use]
    pub fn without_names(self) -> Self {
        self.with_names(&ResourceNames::default())
    }

    /// The same resources with names from a sealed section.
    #[must_use]
    pub fn with_names(mut self, names: &ResourceNames) -> Self {
        for resource in &mut self.0 {
            resource.name = names.0.get(resource.id.as_str()).cloned().map(Personal::new);
        }
        self
    }

    /// The resources in the tenant's order.
    #[must_use]
    pub fn as_slice(&self) -> &[Resource] {
        &self.0
    }
}

fn read(entry: Field, seen: &mut BTreeSet<ResourceId>) -> Result<Resource, InvalidSetting> {
    let mut fields = entry.object()?;
    let field = fields.require("id")?;
    let id = field.parse(super::services::ID, ResourceId::parse)?;
    if !seen.insert(id.clone()) {
        return Err(field.invalid("the id is named twice"));
    }
    let name = fields.take("name").map(|name| name.text(MAX_NAME)).transpose()?;
    let capacity = fields.take("capacity").map(|field| field.whole(1..=1000)).transpose()?;
    let hours = fields.take("hours").map(|hours| Hours::read(hours.object()?)).transpose()?;
    fields.finish()?;
    let name = name.map(Personal::new);
    Ok(Resource { id, name, capacity: capacity.unwrap_or(1), hours })
}
