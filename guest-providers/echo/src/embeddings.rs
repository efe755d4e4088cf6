//! The embeddings dialect: vectors of length one that depend on the text alone.

use tollgate_guest::json::Json;

use crate::tokens;

const DEFAULT_DIMENSIONS: u64 = 256;
const MAX_DIMENSIONS: u64 = 4096;

/// The answer, or what is wrong with the request.
pub(crate) fn body(request: &Json, model: &str) -> Result<Json, String> {
    let dimensions = match request.get("dimensions") {
        None | Some(Json::Null) => DEFAULT_DIMENSIONS,
        Some(asked) => asked
            .as_u64()
            .filter(|asked| (1..=MAX_DIMENSIONS).contains(asked))
            .ok_or_else(|| {
                format!("`dimensions` must be a whole number from 1 to {MAX_DIMENSIONS}")
            })?,
    };
    let base64 = request.get("encoding_format").and_then(Json::as_str) == Some("base64");
    let inputs = inputs(request)?;
    let used: u64 = inputs.iter().map(|(_, tokens)| tokens).sum();
    let data = inputs.iter().enumerate().map(|(index, (text, _))| {
        let vector = vector(text, dimensions as usize);
        let embedding = if base64 {
            encode_base64(&vector).into()
        } else {
            list(&vector)
        };
        Json::object([
            ("object", "embedding".into()),
            ("index", index.into()),
            ("embedding", embedding),
        ])
    });
    Ok(Json::object([
        ("object", "list".into()),
        ("data", data.collect::<Vec<_>>().into()),
        ("model", model.into()),
        (
            "usage",
            Json::object([
                ("prompt_tokens", used.into()),
                ("total_tokens", used.into()),
            ]),
        ),
    ]))
}

/// Each input as text with its tokens: a string, a list of strings, a list of token numbers, or a list of such lists.
fn inputs(request: &Json) -> Result<Vec<(String, u64)>, String> {
    const WANTED: &str = "`input` must be a string, a list of strings, or lists of token numbers";
    let of_text = |text: &String| (text.clone(), tokens::count(text));
    let of_tokens = |tokens: &[Json]| {
        let numbers = tokens.iter().all(|token| token.as_u64().is_some());
        let text = || Json::from(tokens.to_vec()).to_string();
        (numbers && !tokens.is_empty()).then(|| (text(), tokens.len() as u64))
    };
    match request.get("input") {
        Some(Json::String(text)) => Ok(vec![of_text(text)]),
        Some(Json::Array(items)) if matches!(items.first(), Some(Json::Number(_))) => {
            of_tokens(items)
                .map(|input| vec![input])
                .ok_or_else(|| WANTED.to_owned())
        }
        Some(Json::Array(items)) if !items.is_empty() => items
            .iter()
            .map(|item| match item {
                Json::String(text) => Some(of_text(text)),
                Json::Array(tokens) => of_tokens(tokens),
                _ => None,
            })
            .collect::<Option<_>>()
            .ok_or_else(|| WANTED.to_owned()),
        _ => Err(WANTED.to_owned()),
    }
}

/// A vector of length one. Each word adds its own pattern, so texts that share words lie closer together.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut sums = vec![0f32; dimensions];
    // The empty text has a direction too.
    for word in text.split_whitespace().chain(std::iter::once("")) {
        let mut state = word.bytes().fold(0x9e37_79b9_7f4a_7c15u64, |state, byte| {
            (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        for sum in &mut sums {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *sum += (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
        }
    }
    let length = sums
        .iter()
        .map(|x| x * x)
        .sum::<f32>()
        .sqrt()
        .max(f32::MIN_POSITIVE);
    sums.iter().map(|x| x / length).collect()
}

fn list(vector: &[f32]) -> Json {
    // Eight decimals are what a single-precision number between -1 and 1 can tell apart.
    let numbers = vector.iter().map(|x| Json::Number(format!("{x:.8}")));
    numbers.collect::<Vec<_>>().into()
}

/// The numbers' little-endian bytes in base64, which is what the official clients ask for.
fn encode_base64(vector: &[f32]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let sextet = (bits >> (18 - 6 * place)) & 63;
            let letter = char::from(ALPHABET[sextet as usize]);
            text.push(if place <= group.len() { letter } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn similarity(a: &str, b: &str) -> f32 {
        let (a, b) = (vector(a, 256), vector(b, 256));
        a.iter().zip(&b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn vectors_have_length_one_and_similar_texts_lie_closer() {
        assert!((similarity("red house", "red house") - 1.0).abs() < 1e-5);
        assert!(
            similarity("a small red house", "a big red house")
                > similarity("a small red house", "ships sail")
        );
    }

    #[test]
    fn base64_is_that_of_the_standard() {
        assert_eq!(encode_base64(&[1.0]), "AACAPw==");
        assert_eq!(encode_base64(&[1.0, -2.0, 0.5]), "AACAPwAAAMAAAAA/");
    }

    #[test]
    fn every_shape_of_input_is_read_and_others_are_refused() {
        let count = |input: &str| {
            let request = Json::parse(&format!(r#"{{"input":{input}}}"#)).expect("JSON");
            body(&request, "echo").map(|list| {
                list.get("data")
                    .and_then(Json::as_array)
                    .map_or(0, <[Json]>::len)
            })
        };
        assert_eq!(count(r#""a b""#), Ok(1));
        assert_eq!(count(r#"["a","b"]"#), Ok(2));
        assert_eq!(count("[1,2,3]"), Ok(1));
        assert_eq!(count("[[1],[2,3]]"), Ok(2));
        for refused in ["[]", "null", "{}", "[[]]", "[1,\"a\"]", "[true]"] {
            assert!(count(refused).is_err(), "{refused}");
        }
    }
}
