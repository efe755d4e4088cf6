//! Names and globs of models, providers and endpoints. Nothing here allocates when it is asked.

/// A list of names and globs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Patterns {
    /// Sorted.
    exact: Box<[Box<str>]>,
    globs: Box<[Box<str>]>,
}

impl Patterns {
    pub(crate) fn new(patterns: &[String]) -> Self {
        let (globs, mut exact): (Vec<_>, Vec<_>) = patterns
            .iter()
            .map(|pattern| Box::<str>::from(pattern.as_str()))
            .partition(|pattern| pattern.contains('*'));
        exact.sort_unstable();
        Self {
            exact: exact.into(),
            globs: globs.into(),
        }
    }

    /// Whether one of them is, or matches, `name`.
    pub(crate) fn matches(&self, name: &str) -> bool {
        self.exact
            .binary_search_by(|exact| (**exact).cmp(name))
            .is_ok()
            || self.globs.iter().any(|glob| matches(glob, name))
    }
}

/// Names and globs onto names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ModelMap {
    /// Sorted by what is asked for.
    exact: Box<[(Box<str>, Box<str>)]>,
    /// The longest first: the more a glob says, the sooner it is asked.
    globs: Box<[(Box<str>, Box<str>)]>,
}

impl ModelMap {
    pub(crate) fn new<'a>(map: impl IntoIterator<Item = (&'a String, &'a String)>) -> Self {
        let (mut globs, mut exact): (Vec<_>, Vec<_>) = map
            .into_iter()
            .map(|(asked, served)| (Box::<str>::from(asked.as_str()), served.as_str().into()))
            .partition(|(asked, _)| asked.contains('*'));
        exact.sort_unstable();
        globs.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        Self {
            exact: exact.into(),
            globs: globs.into(),
        }
    }

    /// What is served for `name`: an exact entry before the longest glob.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        match self
            .exact
            .binary_search_by(|(asked, _)| (**asked).cmp(name))
        {
            Ok(place) => Some(&self.exact[place].1),
            Err(_) => self
                .globs
                .iter()
                .find(|(asked, _)| matches(asked, name))
                .map(|(_, served)| &**served),
        }
    }
}

/// Whether `text` matches `glob`, in which `*` stands for any run of characters. Linear but for the last `*` seen.
#[must_use]
pub fn matches(glob: &str, text: &str) -> bool {
    let (glob, text) = (glob.as_bytes(), text.as_bytes());
    let (mut g, mut t) = (0, 0);
    // Where the last `*` was, and how much of the text it has swallowed so far.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if glob.get(g) == Some(&b'*') {
            star = Some((g, t));
            g += 1;
        } else if glob.get(g) == Some(&text[t]) {
            g += 1;
            t += 1;
        } else if let Some((place, swallowed)) = star {
            star = Some((place, swallowed + 1));
            g = place + 1;
            t = swallowed + 1;
        } else {
            return false;
        }
    }
    glob[g..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn patterns(list: &[&str]) -> Patterns {
        Patterns::new(&list.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn globs_match_whole_names() {
        for (glob, text, expected) in [
            ("gpt-*", "gpt-5", true),
            ("gpt-*", "gpt-", true),
            ("gpt-*", "xgpt-5", false),
            ("*", "", true),
            ("*-mini", "gpt-mini", true),
            ("*-mini", "gpt-mini-x", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "acb", false),
            ("**", "x", true),
            ("gpt-5", "gpt-5", true),
        ] {
            assert_eq!(matches(glob, text), expected, "{glob} {text}");
        }
    }

    #[test]
    fn a_glob_built_to_backtrack_stays_cheap() {
        let text = "a".repeat(2000);
        assert!(!matches(&format!("{}b", "*a".repeat(200)), &text));
    }

    #[test]
    fn an_empty_list_matches_nothing_and_a_star_everything() {
        assert!(!patterns(&[]).matches("gpt-5"));
        assert!(patterns(&["*"]).matches(""));
        assert!(patterns(&["b", "a", "c-*"]).matches("a"));
        assert!(patterns(&["b", "a", "c-*"]).matches("c-1"));
        assert!(!patterns(&["b", "a", "c-*"]).matches("d"));
    }

    #[test]
    fn an_exact_entry_wins_over_the_longest_glob_and_that_over_shorter_ones() {
        let map: std::collections::BTreeMap<String, String> = [
            ("*", "any"),
            ("claude-*", "claude"),
            ("claude-opus-*", "opus"),
            ("claude-opus-4", "four"),
        ]
        .map(|(asked, served)| (asked.to_owned(), served.to_owned()))
        .into();
        let map = ModelMap::new(&map);
        assert_eq!(map.get("claude-opus-4"), Some("four"));
        assert_eq!(map.get("claude-opus-5"), Some("opus"));
        assert_eq!(map.get("claude-haiku"), Some("claude"));
        assert_eq!(map.get("gpt"), Some("any"));
        assert_eq!(ModelMap::default().get("gpt"), None);
    }

    proptest! {
        #[test]
        fn globs_agree_with_a_plain_definition(glob in "[ab*]{0,6}", text in "[ab]{0,8}") {
            fn plain(glob: &[u8], text: &[u8]) -> bool {
                match glob.split_first() {
                    None => text.is_empty(),
                    Some((b'*', rest)) => (0..=text.len()).any(|skip| plain(rest, &text[skip..])),
                    Some((byte, rest)) => text.first() == Some(byte) && plain(rest, &text[1..]),
                }
            }
            prop_assert_eq!(matches(&glob, &text), plain(glob.as_bytes(), text.as_bytes()));
        }
    }
}
