//! What `serve` prints once it listens: addresses, and for a quickstart the settings that clients need.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tollgate_gateway::control::{Quickstart, QuickstartModel};

/// Where README.md has the settings for whoever is given a key later.
pub(crate) const README_SECTION: &str = "Connect Codex, Claude Code, an SDK";

/// The text for standard output.
pub(crate) fn text(
    listen: SocketAddr,
    management: SocketAddr,
    quickstart: Option<&Quickstart>,
) -> String {
    let base = format!("http://{}", reachable(listen));
    let mut out = format!("Tollgate {}\n\n", env!("CARGO_PKG_VERSION"));
    // Writing to a String cannot fail.
    let _ = writeln!(out, "  Base URL    {base}/v1");
    if let Some(quickstart) = quickstart {
        let _ = writeln!(out, "  Key         {}", quickstart.key());
    }
    let _ = writeln!(out, "  Management  http://{}", reachable(management));
    if let Some(quickstart) = quickstart {
        let _ = writeln!(out, "  Token       in {}", quickstart.token_file.display());
        if quickstart.models.is_empty() {
            let _ = writeln!(
                out,
                "  Models      none: no upstream can be used, `tollgate doctor` says why"
            );
        } else {
            let names = quickstart.models.iter().map(|model| model.name.as_str());
            let _ = writeln!(
                out,
                "  Models      {}",
                names.collect::<Vec<_>>().join(", ")
            );
        }
        let models = Models::among(&quickstart.models);
        out.push_str(&clients(&base, quickstart.key(), &models));
    }
    out.push('\n');
    out
}

/// Which models the settings name.
struct Models<'a> {
    /// For clients of the messages dialect.
    messages: &'a str,
    /// For all others.
    others: &'a str,
}

impl<'a> Models<'a> {
    /// To each the first whose vendor speaks its dialect, so that nothing has to be put into another one; where there is
    /// one kind alone, it is named for everybody. One that costs nothing comes before all others: what is pasted to try it
    /// out must not be billed.
    fn among(models: &'a [QuickstartModel]) -> Self {
        let free = models.iter().any(|model| model.answers_itself);
        let models = || {
            models
                .iter()
                .filter(move |model| model.answers_itself == free)
        };
        let first = |messages: bool| {
            let fitting = models().find(|model| model.speaks_messages == messages);
            let found = fitting.or(models().next());
            found.map_or("MODEL", |model| model.name.as_str())
        };
        Self {
            messages: first(true),
            others: first(false),
        }
    }
}

/// What to paste: each block is indented under a heading, and complete as it stands.
fn clients(base: &str, key: &str, models: &Models<'_>) -> String {
    let Models { messages, others } = models;
    format!(
        r#"
Codex, in ~/.codex/config.toml:

    model = "{others}"
    model_provider = "tollgate"

    [features]
    api_key_model_discovery = true

    [model_providers.tollgate]
    name = "Tollgate"
    base_url = "{base}/v1"
    env_key = "TOLLGATE_API_KEY"
    wire_api = "responses"
    model_catalog_url = "{base}/v1/models"

Codex, in the shell:

    export TOLLGATE_API_KEY={key}
    codex

Claude Code:

    export ANTHROPIC_BASE_URL={base}
    export ANTHROPIC_AUTH_TOKEN={key}
    claude --model {messages}

OpenAI SDK:

    export OPENAI_BASE_URL={base}/v1
    export OPENAI_API_KEY={key}

Anthropic SDK:

    export ANTHROPIC_BASE_URL={base}
    export ANTHROPIC_API_KEY={key}

Try it:

    curl {base}/v1/chat/completions -H 'authorization: Bearer {key}' \
      -H 'content-type: application/json' \
      -d '{{"model":"{others}","messages":[{{"role":"user","content":"hello"}}]}}'
"#
    )
}

/// An address that a client on this machine can connect to: "all interfaces" is none.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_never_sent_to_all_interfaces() {
        assert_eq!(
            reachable("0.0.0.0:80".parse().unwrap()).to_string(),
            "127.0.0.1:80"
        );
        assert_eq!(
            reachable("[::]:80".parse().unwrap()).to_string(),
            "[::1]:80"
        );
    }

    fn model(name: &str, speaks_messages: bool) -> QuickstartModel {
        QuickstartModel {
            name: name.to_owned(),
            speaks_messages,
            answers_itself: false,
        }
    }

    #[test]
    fn each_client_gets_a_model_of_its_own_kind_where_there_is_one() {
        let named = |models: &[QuickstartModel]| {
            let Models { messages, others } = Models::among(models);
            (messages.to_owned(), others.to_owned())
        };
        let pair = |messages: &str, others: &str| (messages.to_owned(), others.to_owned());
        let (one, other) = (model("one", true), model("other", false));
        let free = QuickstartModel {
            answers_itself: true,
            ..model("zero", true)
        };
        let all = [one.clone(), other.clone(), free];
        assert_eq!(named(&all), pair("zero", "zero"));
        let both = [other.clone(), one.clone()];
        assert_eq!(named(&both), pair("one", "other"));
        assert_eq!(named(&[one]), pair("one", "one"));
        assert_eq!(named(&[other]), pair("other", "other"));
        assert_eq!(named(&[]), pair("MODEL", "MODEL"));
    }

    /// Whoever is given a key later was not there when a quickstart printed them.
    #[test]
    fn the_readme_has_the_settings_that_a_quickstart_prints() {
        let readme = include_str!("../../../README.md");
        let settings = clients("http://127.0.0.1:8080", "KEY", &Models::among(&[]));
        assert!(
            readme.contains(&settings),
            "README.md does not have these lines as they stand:\n{settings}"
        );
        assert!(readme.contains(&format!("\n## {README_SECTION}\n")));
    }

    #[test]
    fn the_settings_for_codex_are_toml_with_the_right_address() {
        let models = [model("echo", true)];
        let text = clients("http://127.0.0.1:9", "tg-x", &Models::among(&models));
        let toml: String = text
            .lines()
            .skip_while(|l| !l.contains("model ="))
            .take_while(|l| !l.starts_with("Codex"))
            .collect::<Vec<_>>()
            .join("\n");
        let value: toml::Table = toml::from_str(&toml).unwrap();
        assert_eq!(
            value["model_providers"]["tollgate"]["base_url"].as_str(),
            Some("http://127.0.0.1:9/v1")
        );
        assert_eq!(
            value["model_providers"]["tollgate"]["wire_api"].as_str(),
            Some("responses")
        );
        // Without both it takes every model for a stranger.
        assert_eq!(
            value["model_providers"]["tollgate"]["model_catalog_url"].as_str(),
            Some("http://127.0.0.1:9/v1/models")
        );
        assert_eq!(
            value["features"]["api_key_model_discovery"].as_bool(),
            Some(true)
        );
        assert_eq!(value["model"].as_str(), Some("echo"));
    }
}
