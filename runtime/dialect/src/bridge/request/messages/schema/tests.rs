use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn made(schema: &str) -> Value {
    let made = enforceable(schema).unwrap_or_else(|| panic!("{schema} cannot be said"));
    serde_json::from_str(&made).unwrap()
}

#[test]
fn what_is_within_the_subset_keeps_its_bytes() {
    for schema in [
        r#"{ "type":"object", "properties" : {"b":{"type":"string","format":"date"},"a\u0062":{"type":["integer","null"]}},
            "required":["b"],"additionalProperties":false }"#,
        r#"{"type":"array","minItems":1,"items":{"enum":["a",1,null]}}"#,
        r##"{"$ref":"#/$defs/a","$defs":{"a":{"type":"string","pattern":"^[a-z]+\\.\\d*$","default":"x","title":"A"}}}"##,
        r#"{"anyOf":[{"type":"null"},{"const":"x","type":"string"}],"description":"d"}"#,
        r#"{"type":"object","properties":{},"additionalProperties":false}"#,
    ] {
        assert!(
            matches!(enforceable(schema), Some(Cow::Borrowed(same)) if same == schema),
            "{schema}"
        );
    }
}

#[test]
fn bounds_are_told_in_the_description_and_objects_are_closed_in_the_clients_order() {
    let schema = r#"{"type":"object","properties":{"z":{"type":"integer","minimum":1,"description":"A \"number\"","maximum":10},
        "a":{"type":"array","items":{"type":"object","properties":{"k":{"type":"string","maxLength":3}}},"minItems":2}},"required":["z"]}"#;
    let made = enforceable(schema).unwrap();
    assert_eq!(
        made,
        concat!(
            r#"{"type":"object","properties":{"z":{"type":"integer","description":"A \"number\"\n\n{minimum: 1, maximum: 10}"},"#,
            r#""a":{"type":"array","items":{"type":"object","properties":{"k":{"type":"string","description":"{maxLength: 3}"}},"#,
            r#""additionalProperties":false},"description":"{minItems: 2}"}},"required":["z"],"additionalProperties":false}"#,
        )
    );
}

#[test]
fn an_open_object_with_members_of_its_own_is_closed() {
    for more in ["true", "{}"] {
        let schema =
            format!(r#"{{"additionalProperties":{more},"properties":{{"a":{{"type":"null"}}}}}}"#);
        let wanted = json!({"type": "object", "properties": {"a": {"type": "null"}}, "additionalProperties": false});
        assert_eq!(made(&schema), wanted);
    }
}

#[test]
fn what_would_mean_something_else_has_no_form() {
    for schema in [
        // Anything at all.
        "true",
        "{}",
        r#"{"description":"anything"}"#,
        r#"{"type":"array","items":true}"#,
        // Maps: closed, they would be empty.
        r#"{"type":"object"}"#,
        r#"{"type":"object","additionalProperties":true}"#,
        r#"{"type":"object","properties":{"a":{"type":"null"}},"additionalProperties":{"type":"string"}}"#,
        r#"{"type":["object","null"]}"#,
        r#"{"type":"object","properties":{},"patternProperties":{"^a":{"type":"null"}}}"#,
        // A member that must be there and could not.
        r#"{"type":"object","properties":{},"required":["a"]}"#,
        // Trees, and what lies elsewhere.
        r##"{"type":"object","properties":{"next":{"$ref":"#"}}}"##,
        r##"{"$ref":"#/$defs/a","$defs":{"a":{"type":"array","items":{"$ref":"#/$defs/b"}},"b":{"$ref":"#/$defs/a"}}}"##,
        r##"{"$ref":"#/definitions/a"}"##,
        r#"{"$ref":"https://example.com/schema.json"}"#,
        // Several that must hold at once.
        r#"{"allOf":[{"type":"string"},{"type":"string","minLength":1}]}"#,
        r#"{"type":"object","properties":{"a":{"type":"null"}},"anyOf":[{"required":["a"]}]}"#,
        r#"{"type":"object","allOf":[{"properties":{"a":{"type":"null"}}}]}"#,
        r#"{"anyOf":[{"type":"null"}],"oneOf":[{"type":"null"}]}"#,
        r#"{"anyOf":[]}"#,
        r#"{"enum":[{"a":1}]}"#,
        r#"{"type":"array","prefixItems":[{"type":"null"}]}"#,
    ] {
        assert_eq!(enforceable(schema), None, "{schema}");
    }
    let deep = format!(
        "{}{}{}",
        r#"{"type":"array","items":"#.repeat(5_000),
        r#"{"type":"null"}"#,
        "}".repeat(5_000)
    );
    assert_eq!(enforceable(&deep), None);
    let deep = format!(r##"{{"$ref":"#/$defs/a","$defs":{{"a":{deep}}}}}"##);
    assert_eq!(enforceable(&deep), None);
}

#[test]
fn a_chain_of_definitions_that_ends_is_followed_and_their_objects_are_closed() {
    let schema = r##"{"$ref":"#/$defs/a","description":"gone","$defs":{
        "a":{"type":"object","properties":{"b":{"$ref":"#/$defs/b"},"c":{"$ref":"#/$defs/b"}}},
        "b":{"type":"string","minLength":1}}}"##;
    assert_eq!(
        made(schema),
        json!({"$ref": "#/$defs/a", "$defs": {
            "a": {"type": "object", "properties": {"b": {"$ref": "#/$defs/b"}, "c": {"$ref": "#/$defs/b"}},
                "additionalProperties": false},
            "b": {"type": "string", "description": "{minLength: 1}"}}})
    );
}

#[test]
fn one_of_and_all_of_a_single_one_have_another_form() {
    assert_eq!(
        made(r#"{"oneOf":[{"type":"null"},{"type":"number","multipleOf":0.5}]}"#),
        json!({"anyOf": [{"type": "null"}, {"type": "number", "description": "{multipleOf: 0.5}"}]})
    );
    assert_eq!(
        made(
            r##"{"type":"object","properties":{"a":{"description":"d","allOf":[{"$ref":"#/definitions/x"}]}},
            "definitions":{"x":{"enum":["a"]}}}"##
        )["properties"]["a"],
        json!({"$ref": "#/definitions/x"})
    );
    assert_eq!(
        made(r#"{"title":"T","allOf":[{"title":"t","type":"string"}]}"#),
        json!({"title": "T", "type": "string"})
    );
}

#[test]
fn a_type_that_not_every_value_has_is_left_out() {
    for (schema, wanted) in [
        (
            r#"{"type":["string","null"],"enum":["a",null]}"#,
            json!({"enum": ["a", null]}),
        ),
        (
            r#"{"type":"string","enum":["a",null]}"#,
            json!({"enum": ["a", null]}),
        ),
        (
            r#"{"type":"string","enum":["a","b"]}"#,
            json!({"type": "string", "enum": ["a", "b"]}),
        ),
        (r#"{"type":["integer"],"const":1}"#, json!({"const": 1})),
        (
            r#"{"type":"integer","const":1}"#,
            json!({"type": "integer", "const": 1}),
        ),
        (
            r#"{"type":"string","anyOf":[{"type":"string"}]}"#,
            json!({"anyOf": [{"type": "string"}]}),
        ),
    ] {
        assert_eq!(made(schema), wanted, "{schema}");
    }
}

#[test]
fn patterns_and_formats_that_are_not_enforced_are_told() {
    for (member, kept) in [
        (r#""pattern":"^\\w+$""#, true),
        (r#""pattern":"(?=a)b""#, false),
        (r#""pattern":"(a)\\1""#, false),
        (r#""pattern":"\\bword""#, false),
        (r#""pattern":"a{2,5}""#, false),
        (r#""pattern":"\\{a\\}""#, true),
        (r#""format":"uuid""#, true),
        (r#""format":"regex""#, false),
    ] {
        let schema = format!(r#"{{"type":"string",{member}}}"#);
        assert_eq!(made(&schema).get("description").is_none(), kept, "{member}");
    }
}

proptest! {
    /// Every schema that comes out is one that the vendor takes, and comes out of itself as it is.
    #[test]
    fn whatever_comes_out_is_closed_and_without_bounds(schema in schemas()) {
        let text = schema.to_string();
        if let Some(made) = enforceable(&text) {
            let value: Value = serde_json::from_str(&made).unwrap();
            prop_assert!(is_taken(&value), "{text}\n{made}");
            let again = enforceable(&made);
            prop_assert_eq!(again.as_deref(), Some(&*made), "{}", text);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[{}\\[\\]\":,a-z$\\\\0-9 ]{0,60}") {
        let _ = enforceable(&text);
    }
}

/// What the vendor says of the schemas it takes.
fn is_taken(schema: &Value) -> bool {
    const KNOWN: [&str; 16] = [
        "type",
        "title",
        "description",
        "default",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "minItems",
        "enum",
        "const",
        "anyOf",
        "$ref",
        "$defs",
        "format",
        "pattern",
    ];
    let Some(object) = schema.as_object() else {
        return false;
    };
    let objects = schema["type"] == "object" || schema.get("properties").is_some();
    object.keys().all(|key| KNOWN.contains(&&**key))
        && (!objects || schema["additionalProperties"] == false)
        && ["type", "anyOf", "enum", "const", "$ref"]
            .iter()
            .any(|key| object.contains_key(*key))
        && ["properties", "$defs"]
            .iter()
            .filter_map(|key| schema[*key].as_object())
            .flat_map(serde_json::Map::values)
            .all(is_taken)
        && schema["anyOf"]
            .as_array()
            .into_iter()
            .flatten()
            .all(is_taken)
        && schema.get("items").is_none_or(is_taken)
        && schema
            .get("minItems")
            .is_none_or(|least| *least == 0 || *least == 1)
}

fn schemas() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just(json!({"type": "string"})),
        Just(json!({"type": "string", "minLength": 2, "format": "regex"})),
        Just(json!({"type": ["string", "null"], "enum": ["a", null]})),
        Just(json!({"type": "integer", "minimum": 0, "description": "d"})),
        Just(json!({"$ref": "#/$defs/a", "description": "d"})),
        Just(json!({"type": "object"})),
        Just(json!({"const": {"a": 1}, "type": "object"})),
        Just(json!(true)),
    ];
    word.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (
                proptest::collection::vec(inner.clone(), 1..4),
                proptest::option::of(any::<bool>())
            )
                .prop_map(|(inner, more)| {
                    let names = ["a", "b", "c", "d"];
                    let properties: serde_json::Map<_, _> =
                        names.into_iter().map(str::to_owned).zip(inner).collect();
                    let mut schema =
                        json!({"type": "object", "properties": properties, "required": ["a"]});
                    if let Some(more) = more {
                        schema["additionalProperties"] = json!(more);
                    }
                    schema
                }),
            inner.clone().prop_map(
                |inner| json!({"type": "array", "items": inner, "maxItems": 3, "minItems": 1})
            ),
            proptest::collection::vec(inner.clone(), 1..3)
                .prop_map(|inner| json!({"oneOf": inner, "$comment": "c"})),
            proptest::collection::vec(inner, 1..3)
                .prop_map(|inner| json!({"allOf": inner, "description": "d"})),
        ]
    })
    .prop_map(|mut schema| {
        if let Some(schema) = schema.as_object_mut() {
            schema.insert(
                "$defs".into(),
                json!({"a": {"type": "number", "maximum": 1}}),
            );
        }
        schema
    })
}
