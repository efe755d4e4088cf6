//! What is taken out, what is left, and how a stream may be cut.

use tollgate_guest::{AnswerContent, AnswerFilter, Configuration, Content, Judgement, testing};

use super::Redact;

const ALL: &str = r##"{"patterns":[{"name":"email"},{"name":"card"},{"name":"phone"},{"name":"api-key"},
    {"literal":"Nightingale"},{"literal":"say \"no\""}],"with":"#"}"##;

fn policy(config: &str) -> Redact {
    Redact::configure(config).expect(config)
}

/// A text pushed in pieces through an answer's filter.
fn filtered<'a>(config: &str, kind: &str, pieces: impl IntoIterator<Item = &'a str>) -> String {
    let request = testing::Request::new("messages", "m");
    let mut filter = policy(config).open(&request.view(), kind);
    let mut out = String::new();
    for piece in pieces {
        out += &filter.push(piece).expect("never denies");
    }
    out + &filter.finish().expect("never denies")
}

fn redacted(text: &str) -> String {
    filtered(ALL, "text", [text])
}

#[test]
fn addresses_are_taken_out_whole_and_alone() {
    let cases = [
        ("write to ann.b+x@mail.example.com.", "write to #."),
        ("<ann@example.org>, bob@example.de!", "<#>, #!"),
        ("请联系ann@example.com谢谢", "请联系#谢谢"),
        ("...ann@example.com", "...#"),
        ("ann@localhost", "ann@localhost"),
        ("ann@example.c", "ann@example.c"),
        ("user@host:/path", "user@host:/path"),
        ("@ann wrote a@b", "@ann wrote a@b"),
    ];
    for (text, expected) in cases {
        assert_eq!(redacted(text), expected);
    }
    let long = format!("{}@example.com", "a".repeat(65));
    assert_eq!(
        redacted(&long),
        long,
        "no address has 65 characters before the @"
    );
}

#[test]
fn only_numbers_with_a_right_check_digit_are_cards() {
    let cases = [
        ("card 4111 1111 1111 1111 exp 12/29", "card # exp 12/29"),
        ("4111-1111-1111-1111", "#"),
        ("5555555555554444,", "#,"),
        ("378282246310005", "#"),
        ("no. 12 4111 1111 1111 1111 ok", "no. 12 # ok"),
        ("4111 1111 1111 1111 2026", "# 2026"),
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),
        ("41111111111111111111111111", "41111111111111111111111111"),
        ("x4111111111111111", "x4111111111111111"),
        ("1790000000000", "1790000000000"),
    ];
    for (text, expected) in cases {
        assert_eq!(redacted(text), expected);
    }
}

#[test]
fn phone_numbers_are_told_from_dates_versions_and_addresses() {
    let cases = [
        ("call +49 30 901820 now", "call # now"),
        ("+1 (415) 555-2671.", "#."),
        ("0049 151 23456789", "#"),
        ("(415) 555-2671", "#"),
        ("415-555-2671", "#"),
        ("030 / 901820, 0171 2345678", "030 / 901820, #"),
        ("030/9018200", "#"),
        ("2026-11-22 10:30", "2026-11-22 10:30"),
        ("01.02.2026 12", "01.02.2026 12"),
        ("192.168.100.200", "192.168.100.200"),
        ("100.200.3000", "100.200.3000"),
        ("+5 points, 1+123456789", "+5 points, 1+123456789"),
    ];
    for (text, expected) in cases {
        assert_eq!(redacted(text), expected);
    }
}

#[test]
fn keys_are_known_by_their_beginnings() {
    let cases = [
        ("key=sk-abcdefghijklmnop1234.", "key=#."),
        (
            "Authorization: Bearer abcdefghijklmnop/=",
            "Authorization: #",
        ),
        ("ghp_abcdefghijklmnopqrstuvwxyz", "#"),
        ("AKIAABCDEFGHIJKLMNOP", "#"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefg_h", "#"),
        ("a sk-learn pipeline", "a sk-learn pipeline"),
        ("bearer of bad news", "bearer of bad news"),
        ("risk-abcdefghijklmnopqrst", "risk-abcdefghijklmnopqrst"),
    ];
    for (text, expected) in cases {
        assert_eq!(redacted(text), expected);
    }
}

#[test]
fn literals_are_taken_out_anywhere() {
    assert_eq!(redacted("ProjectNightingales"), "Project#s");
    assert_eq!(redacted("Nightingal"), "Nightingal");
}

#[test]
fn a_stream_is_redacted_alike_however_it_is_cut() {
    let text = "Hi ann@example.com, pay 4111 1111 1111 1111 or call +49 30 901820. Key sk-abcdefghijklmnop1234 \
                for Nightingale; ünïcode 你好 ann@host 12 34 bearer Nightin";
    let expected = "Hi #, pay # or call #. Key # for #; ünïcode 你好 ann@host 12 34 bearer Nightin";
    assert_eq!(redacted(text), expected);
    let starts: Vec<usize> = text.char_indices().map(|(index, _)| index).collect();
    for &cut in &starts {
        assert_eq!(
            filtered(ALL, "text", [&text[..cut], &text[cut..]]),
            expected,
            "cut at {cut}"
        );
    }
    let characters = starts.iter().map(|&start| {
        let end = text[start..]
            .chars()
            .next()
            .map_or(start, |c| start + c.len_utf8());
        &text[start..end]
    });
    assert_eq!(
        filtered(ALL, "text", characters),
        expected,
        "one character at a time"
    );
}

#[test]
fn only_what_may_still_become_a_match_is_held_back() {
    let request = testing::Request::new("messages", "m");
    let mut filter = policy(ALL).open(&request.view(), "text");
    let mut push = |text: &str| filter.push(text).expect("never denies");
    assert_eq!(push("The answer is: "), "The answer is: ");
    assert_eq!(push("well"), "", "a word may become an address");
    assert_eq!(push(" then, "), "well then, ");
    assert_eq!(push("(a) "), "(a) ");
    assert_eq!(push("Night"), "");
    assert_eq!(push("ly "), "Nightly ");
    let long = "a".repeat(65);
    assert_eq!(
        push(&long),
        long,
        "too long for an address: nothing to wait for"
    );
}

#[test]
fn a_key_without_an_end_is_dropped_as_it_comes_and_never_piles_up() {
    let request = testing::Request::new("messages", "m");
    let mut filter = policy(ALL).open(&request.view(), "text");
    let mut out = filter.push("sk-").expect("never denies");
    for _ in 0..10_000 {
        out += &filter.push("abcdefgh").expect("never denies");
    }
    out += &filter.push(" end ").expect("never denies");
    assert_eq!(out, "# end ");
}

#[test]
fn a_tools_arguments_stay_json() {
    let arguments = |pieces: &[&str]| filtered(ALL, "tool-arguments", pieces.iter().copied());
    let cases = [
        (r#"{"to":"ann@example.com"}"#, r##"{"to":"#"}"##),
        (
            r#"{"card":4111111111111111,"n":1}"#,
            r##"{"card":"#","n":1}"##,
        ),
        (r#"{"card":4111111111111111.0}"#, r##"{"card":"#"}"##),
        (
            r#"{"text":"a\nann@example.com\u0021"}"#,
            r##"{"text":"a\n#\u0021"}"##,
        ),
        (
            r#"{"text":"she did say \"no\" twice"}"#,
            r##"{"text":"she did # twice"}"##,
        ),
        (r#"{"path":"C:\\new@x.y"}"#, r#"{"path":"C:\\new@x.y"}"#),
    ];
    for (text, expected) in cases {
        assert_eq!(arguments(&[text]), expected);
        for cut in 0..text.len() {
            assert_eq!(
                arguments(&[&text[..cut], &text[cut..]]),
                expected,
                "{text} cut at {cut}"
            );
        }
    }
    let quotes = r#"{"patterns":[{"name":"email"}],"with":"\"x\""}"#;
    let out = filtered(quotes, "tool-arguments", [r#"{"to":"a@example.com"}"#]);
    assert_eq!(out, r#"{"to":"\"x\""}"#);
}

#[test]
fn a_request_is_changed_only_where_something_was_found() {
    let request = testing::Request::new("messages", "m");
    let segments = testing::Segments::of([
        ("user", "text", "hello"),
        ("user", "text", "ann@example.com"),
        ("user", "tool-arguments", r#"{"to":"ann@example.com"}"#),
        ("user", "tool-result", "from bob@example.com"),
        ("user", "reasoning", "ann@example.com"),
    ]);
    let harmless = testing::Segments::of([("user", "text", "hello")]);
    let Judgement::Replace(replacements) = policy(ALL).inspect(&request.view(), &segments.view())
    else {
        panic!("something was to be replaced");
    };
    let changed: Vec<(u32, &str)> = replacements
        .iter()
        .map(|replacement| (replacement.index, replacement.text.as_str()))
        .collect();
    assert_eq!(changed, [(1, "#"), (2, r##"{"to":"#"}"##), (3, "from #")]);
    assert_eq!(
        policy(ALL).inspect(&request.view(), &harmless.view()),
        Judgement::Keep
    );
}

#[test]
fn reasoning_in_answers_is_left_alone_where_configured() {
    let with =
        |reasoning: &str| format!(r#"{{"patterns":[{{"name":"email"}}],"reasoning":{reasoning}}}"#);
    assert_eq!(
        filtered(&with("true"), "reasoning", ["a@example.com"]),
        "[redacted]"
    );
    assert_eq!(
        filtered(&with("false"), "reasoning", ["a@example.com"]),
        "a@example.com"
    );
    assert_eq!(
        filtered(&with("false"), "text", ["a@example.com"]),
        "[redacted]"
    );
}

#[test]
fn a_long_text_is_gone_over_in_linear_time() {
    let text = "some words, 12 numbers 34-56 and e.mail like things@ here ".repeat(20_000);
    let started = std::time::Instant::now();
    assert_eq!(redacted(&text), text);
    // 1.2 MB; quadratic work would take minutes.
    assert!(started.elapsed().as_secs() < 5);
}
