//! The served OpenAPI document: the declarations of the handlers, completed so that client generators and
//! linters accept it (`docs/decisions/0024-clients.md`).

use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::Response;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, RefOr, Required};

use crate::api::words;
use crate::http::declared_routes::operations;
use crate::idempotency::MAX_KEY;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Call ledger",
        description = "Calls of AI voice platforms as an immutable, sealed ledger.",
        contact(name = "The operator of this server"),
    ),
    servers((url = "/", description = "The server this document is read from")),
    tags(
        (name = "ingest", description = "Webhooks of voice platforms"),
        (name = "calls", description = "Calls and their events"),
        (name = "appointments", description = "Appointments and free times"),
        (name = "contacts", description = "Persons: their handles, fields and merges"),
        (name = "due work", description = "Tasks, and reminders of appointments"),
        (name = "privacy", description = "Rights of persons over their data: erasures, legal holds, restrictions, exports"),
        (name = "analytics", description = "Sums over calls"),
        (name = "operations", description = "Sources, keys, read models, deliveries, probes and metrics"),
        (name = "vapi dialect", description = "Calls and figures as Vapi's own API answers them"),
    ),
    modifiers(&BearerKey),
)]
struct Declared;

struct BearerKey;

impl utoipa::Modify for BearerKey {
    fn modify(&self, openapi: &mut Document) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("api_key", SecurityScheme::Http(scheme));
    }
}

/// The document before the routes are added.
#[must_use]
pub fn declared() -> Document {
    Declared::openapi()
}

/// Adds to each operation the parts that are the same for all: security, descriptions, shared schemas.
#[must_use]
pub fn completed(mut document: Document) -> Document {
    for (path, item) in &mut document.paths.paths {
        if path.starts_with("/v1/")
            && let Some(post) = &mut item.post
        {
            add_idempotency_key(post);
        }
        for operation in operations(item) {
            complete(operation);
        }
    }
    document.components.get_or_insert_default().schemas.extend(words::schemas());
    document
}

/// Adds the `Idempotency-Key` of a POST, with the answers that only a request with it gets.
fn add_idempotency_key(operation: &mut Operation) {
    let key = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(MAX_KEY))
        .pattern(Some("^[!-~]+$"));
    let parameter = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "The same key and request within a day get the first successful answer again, with \
             `Idempotent-Replayed: true`; the same key for another request is refused",
        ))
        .schema(Some(key));
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter.build()));
    let responses = &mut operation.responses.responses;
    let Some(problem) = responses.get("401").cloned() else { return };
    for status in ["400", "409", "422"] {
        responses.entry(status.to_owned()).or_insert_with(|| {
            let mut problem = problem.clone();
            if let RefOr::T(response) = &mut problem {
                let about = match status {
                    "400" => "The Idempotency-Key is malformed.",
                    "409" => "The request with this Idempotency-Key still runs.",
                    _ => "The Idempotency-Key was used for another request.",
                };
                about.clone_into(&mut response.description);
            }
            problem
        });
    }
}

fn complete(operation: &mut Operation) {
    // An operation without a key gets an empty list, because linters report an absent one.
    operation.security.get_or_insert_default();
    if let Some(summary) = &mut operation.summary {
        *summary = summary.replace('\n', " ");
    }
    if operation.description.is_none() {
        operation.description.clone_from(&operation.summary);
    }
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && let Some(schema) = &mut parameter.schema
        {
            remove_null(schema);
        }
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(Response { description, .. }) = response
            && description.is_empty()
        {
            status_in_words(status).clone_into(description);
        }
    }
}

/// Removes null from the schema of an optional query parameter, which is absent instead: no text in a query
/// is null.
fn remove_null(schema: &mut RefOr<Schema>) {
    let RefOr::T(inline) = schema else { return };
    match inline {
        Schema::Object(object) => {
            if let SchemaType::Array(kinds) = &mut object.schema_type {
                kinds.retain(|kind| *kind != Type::Null);
                if let [only] = kinds.as_slice() {
                    object.schema_type = SchemaType::Type(only.clone());
                }
            }
        }
        Schema::OneOf(choice) => {
            choice.items.retain(|item| !is_null(item));
            if choice.items.len() == 1 {
                *schema = choice.items.remove(0);
            }
        }
        _ => {}
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null))
}

/// Default description of an answer by its status, for operations that declare no own one.
fn status_in_words(status: &str) -> &'static str {
    match status {
        "200" => "The answer.",
        "201" => "Created.",
        "202" => "Accepted; the work continues in the background.",
        "204" => "Done; the answer has no body.",
        "400" => "The request cannot be read, or a parameter is unknown or not of its form.",
        "401" => "The request has no valid API key; a webhook, no valid secret or signature.",
        "403" => "The key lacks the scope, or the state of the tenant forbids it.",
        "404" => "There is no such object, or it is another tenant's.",
        "405" => "The route does not take the method.",
        "408" => "The body did not arrive in time.",
        "409" => "The state of the object does not allow it.",
        "413" => "The body is too large.",
        "415" => "The body is compressed.",
        "422" => "A field of the body is unknown or not of its form.",
        "429" => "Too many requests; try again later.",
        "503" => "The ledger cannot answer now; try again later.",
        _ => "Another answer.",
    }
}

#[cfg(test)]
mod tests {
    use utoipa::openapi::Content;
    use utoipa::openapi::schema::AdditionalProperties;

    use super::*;

    /// Returns whether a schema, or the schema of its items, has object type without any
    /// description of its fields.
    fn is_bare(schema: &RefOr<Schema>) -> bool {
        match schema {
            RefOr::T(Schema::Object(object)) => {
                object.schema_type == SchemaType::Type(Type::Object)
                    && object.properties.is_empty()
                    && !matches!(
                        object.additional_properties.as_deref(),
                        Some(AdditionalProperties::RefOr(_))
                    )
            }
            RefOr::T(Schema::Array(array)) => match &array.items {
                utoipa::openapi::schema::ArrayItems::RefOrSchema(items) => is_bare(items),
                utoipa::openapi::schema::ArrayItems::False => false,
            },
            _ => false,
        }
    }

    #[test]
    fn every_answer_of_json_has_a_schema_with_fields() {
        let (_, document) = crate::router::router_and_openapi();
        let mut checked = 0;
        for (path, mut item) in document.paths.paths {
            for operation in operations(&mut item) {
                for (status, response) in &operation.responses.responses {
                    let RefOr::T(response) = response else { continue };
                    let json = response.content.get("application/json");
                    let Some(RefOr::T(Content { schema: Some(schema), .. })) = json else {
                        continue;
                    };
                    assert!(!is_bare(schema), "{path} {status}");
                    checked += 1;
                }
            }
        }
        assert!(checked > 30, "{checked}");
        let components = document.components.expect("there are schemas");
        let RefOr::T(Schema::Object(result)) = &components.schemas["VapiAnalyticsResult"] else {
            panic!("an object");
        };
        assert!(!is_bare(&result.properties["result"]), "rows of figures");
    }

    #[test]
    fn every_answer_of_every_operation_is_described_in_its_own_words() {
        let (_, document) = crate::router::router_and_openapi();
        let mut statuses = 0;
        for item in document.paths.paths.into_values() {
            let mut item = item;
            for operation in operations(&mut item) {
                for (status, response) in &operation.responses.responses {
                    let RefOr::T(response) = response else { continue };
                    assert!(!response.description.is_empty(), "{status}");
                    assert_ne!(response.description, "Another answer.", "{status} has no words");
                    statuses += 1;
                }
            }
        }
        assert!(statuses > 200, "{statuses}");
    }
}
