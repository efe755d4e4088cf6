//! The OpenAPI 3.1 description, made from the table of routes.

use axum::Json;
use serde_json::{Map, Value, json};

use crate::routes::{Route, table};
use crate::schemas::schemas;

pub(crate) async fn serve() -> Json<Value> {
    Json(describe())
}

/// The whole description.
pub(crate) fn describe() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in table() {
        let entry = paths
            .entry(route.path.replace("{*", "{"))
            .or_insert_with(|| json!({}));
        entry[route.method] = operation(&route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tollgate management API",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": "Accounts, keys, tokens, credentials, upstreams, policies, components, usage and the audit log of one Tollgate gateway. \
                Money is in micro-units of the base currency, times are milliseconds since 1970 in UTC."
        },
        "security": [{ "managementToken": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "managementToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The operator's management token (`tgm-…`), in the data directory's file `management-token`. \
                        Inference keys are not accepted."
                },
                "accountToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A management token of an account (`tgm-…`), as `POST /api/tokens` makes them. To its bearer the tree \
                        begins with that account: paths begin with its name, and what is not below it is not there (404). \
                        What is there but not his to change, and operations that are the operator's alone, are refused (403)."
                }
            },
            "schemas": schemas(),
        }
    })
}

fn operation(route: &Route) -> Value {
    let mut parameters: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            json!({
                "name": name.trim_start_matches('*'), "in": "path", "required": true, "schema": { "type": "string" }
            })
        })
        .collect();
    for (name, description) in route.query {
        parameters.push(json!({
            "name": name, "in": "query", "description": description, "schema": { "type": "string" }
        }));
    }
    let (status, schema) = route.answer;
    let success = match schema {
        Some(name) => json!({ "description": "Done.", "content": content(name) }),
        None => {
            let media = route.media.iter().map(|media| (*media, json!({})));
            let media: serde_json::Map<_, _> =
                media.map(|(name, any)| (name.to_owned(), any)).collect();
            json!({ "description": "Done; not JSON.", "content": media })
        }
    };
    let mut responses = json!({});
    responses[status.to_string()] = success;
    if !route.open {
        responses["default"] =
            json!({ "description": "Refused; the error says why.", "content": content("Refusal") });
    }
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(name) = route.request {
        operation["requestBody"] = json!({ "required": true, "content": content(name) });
    }
    if route.open {
        operation["security"] = json!([]);
    } else if route.bound {
        operation["security"] = json!([{ "managementToken": [] }, { "accountToken": [] }]);
    }
    operation
}

fn content(schema: &str) -> Value {
    json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } } })
}
