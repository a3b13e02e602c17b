//! Golden vectors of sealing: every build opens these bytes, and reproduces them from the same
//! input. A decoder in another language, written from `docs/sealing.md`, opens the same file.

use ledger_core::ids::{EventId, SubjectId, TenantId};
use serde_json::Value;
use uuid::Uuid;

const FILE: &str = include_str!("../../tests/fixtures/sealing/v1.json");

/// A test vector with typed access to its fields.
pub(crate) struct Vector(Value);

/// All vectors of one kind; at least one.
pub(crate) fn vectors(kind: &str) -> Vec<Vector> {
    let file: Value = serde_json::from_str(FILE).expect("the file is JSON");
    let of_kind = file[kind].as_array().unwrap_or_else(|| panic!("no vectors of {kind}"));
    assert!(!of_kind.is_empty(), "{kind}");
    of_kind.iter().cloned().map(Vector).collect()
}

impl Vector {
    pub(crate) fn value(&self, field: &str) -> &Value {
        self.0.get(field).unwrap_or_else(|| panic!("no {field} in {}", self.0))
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.0.get(field).is_some()
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        self.value(field).as_str().unwrap_or_else(|| panic!("{field} is no text in {}", self.0))
    }

    pub(crate) fn bytes(&self, field: &str) -> Vec<u8> {
        hex::decode(self.text(field)).unwrap_or_else(|_| panic!("{field} is no hex in {}", self.0))
    }

    pub(crate) fn key(&self, field: &str) -> crate::seal::KeyBytes {
        self.bytes(field).as_slice().try_into().map(zeroize::Zeroizing::new).expect("32 bytes")
    }

    pub(crate) fn number<T: TryFrom<i64>>(&self, field: &str) -> T {
        let number = self.value(field).as_i64().and_then(|number| T::try_from(number).ok());
        number.unwrap_or_else(|| panic!("{field} does not fit in {}", self.0))
    }

    fn uuid(&self, field: &str) -> Uuid {
        self.text(field).parse().expect("an id")
    }

    pub(crate) fn tenant_id(&self) -> TenantId {
        TenantId(self.uuid("tenant_id"))
    }

    pub(crate) fn subject_id(&self) -> SubjectId {
        SubjectId(self.uuid("subject_id"))
    }

    pub(crate) fn event_id(&self) -> EventId {
        EventId(self.uuid("event_id"))
    }
}
