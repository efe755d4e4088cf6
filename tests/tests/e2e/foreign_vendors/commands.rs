//! What a person types for each command-line client to have a wish fulfilled.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tollgate_tests::clients::Clients;
use tollgate_tests::world::World;

use super::{BROKE_OFF, IMAGE, Vendor};
use crate::command_line_clients::{claude_in, codex_in};

/// A client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    Codex,
    /// Over one connection that it keeps.
    CodexOverWebSocket,
    ClaudeCode,
    /// In the dialect of this operation: it speaks whichever is set.
    Opencode(&'static str),
}

/// What a client is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// A few words.
    Text,
    /// Two rounds of two commands at once, and a question after that in the same session.
    Rounds,
    /// To look at a picture.
    Image,
    /// To look at a picture, and to answer with an object.
    ImageAndObject,
    /// An answer that its vendor cuts.
    Broken,
    /// An answer that hangs, which the user interrupts.
    Interrupted,
}

impl Client {
    /// The dialect it speaks.
    pub(super) fn own(self) -> &'static str {
        match self {
            Self::Codex | Self::CodexOverWebSocket => "responses",
            Self::ClaudeCode => "messages",
            Self::Opencode(dialect) => dialect,
        }
    }

    /// What the user reads of an answer that its vendor cut.
    pub(super) fn told_of_a_cut(self) -> &'static str {
        match self {
            // It asks once more, for a whole answer, and tells of that: the vendor hangs up on it.
            Self::ClaudeCode => "no upstream can serve this request now",
            _ => BROKE_OFF,
        }
    }

    /// What it shows of an answer while the rest is still to come; `None`: nothing that could be waited for.
    pub(super) fn shows_meanwhile(self) -> Option<&'static str> {
        // It prints texts once they are whole. Its reasoning is whole when the text begins.
        matches!(self, Self::Opencode(_)).then_some(r#""type":"reasoning""#)
    }

    /// The command that does it.
    pub(super) fn command(
        self,
        home: &Path,
        world: &World,
        vendor: &Vendor,
        wish: Wish,
    ) -> Command {
        let prompt = match wish {
            Wish::Text => "Good morning.",
            Wish::Rounds => "ROUNDS_PLEASE compute the answers",
            Wish::Image => "IMAGE_PLEASE: what do you see?",
            Wish::ImageAndObject => "OBJECT_PLEASE, for what you see",
            Wish::Broken => "BREAK_PLEASE",
            // Whoever would make rounds reasons first.
            Wish::Interrupted => "HANG_PLEASE, no ROUNDS_PLEASE",
        };
        let sees = matches!(wish, Wish::Image | Wish::ImageAndObject);
        if sees {
            std::fs::write(home.join("seen.png"), STANDARD.decode(IMAGE).unwrap()).unwrap();
        }
        let mut command = self.begun(home, world, vendor);
        match self {
            Self::Codex | Self::CodexOverWebSocket => {
                if wish == Wish::ImageAndObject {
                    std::fs::write(home.join("schema.json"), report().to_string()).unwrap();
                    command.args(["--output-schema", "schema.json"]);
                }
                if sees {
                    command.args(["--image", "seen.png", "--"]);
                }
                command.arg(prompt);
            }
            Self::ClaudeCode if sees => return seeing(&command, home, prompt),
            Self::ClaudeCode => {
                command.args(["-p", prompt]);
            }
            Self::Opencode(_) if wish == Wish::ImageAndObject => {
                return with_an_object(&command, vendor, prompt);
            }
            Self::Opencode(_) => {
                // With a title of ours it does not ask the model for one.
                command.args(["--title", "Asked", "--thinking"]);
                if sees {
                    command.arg("--file").arg(home.join("seen.png")).arg("--");
                }
                command.arg(prompt);
            }
        }
        command
    }

    /// The command that asks on, in the session that is there.
    pub(super) fn next(self, home: &Path, world: &World, vendor: &Vendor) -> Command {
        let prompt = "And now?";
        let mut command = self.begun(home, world, vendor);
        match self {
            Self::Codex | Self::CodexOverWebSocket => {
                command.args(["resume", "--last", prompt]);
            }
            Self::ClaudeCode => {
                command.args(["--continue", "-p", prompt]);
            }
            Self::Opencode(_) => {
                command.args(["--continue", prompt]);
            }
        }
        command
    }

    /// The command up to what is asked.
    fn begun(self, home: &Path, world: &World, vendor: &Vendor) -> Command {
        match self {
            Self::Codex => codex_in(home, world, vendor.model, false),
            Self::CodexOverWebSocket => codex_in(home, world, vendor.model, true),
            Self::ClaudeCode => claude_in(home, world, vendor.model),
            Self::Opencode(dialect) => opencode_in(home, world, vendor, dialect),
        }
    }
}

/// The schema of the answer that is wanted.
fn report() -> serde_json::Value {
    json!({
        "type": "object", "required": ["city", "degrees"], "additionalProperties": false,
        "properties": { "city": { "type": "string" }, "degrees": { "type": "number" } },
    })
}

/// Claude Code takes a picture only from its standard input.
fn seeing(claude: &Command, home: &Path, prompt: &str) -> Command {
    let source = json!({ "type": "base64", "media_type": "image/png", "data": IMAGE });
    let content =
        json!([{ "type": "text", "text": prompt }, { "type": "image", "source": source }]);
    let line = json!({ "type": "user", "message": { "role": "user", "content": content } });
    std::fs::write(home.join("input.jsonl"), format!("{line}\n")).unwrap();
    let schema = report().to_string();
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec \"$0\" \"$@\" < input.jsonl"])
        .arg(claude.get_program())
        .args(claude.get_args());
    command.args([
        "-p",
        "--input-format",
        "stream-json",
        "--output-format",
        "stream-json",
        "--verbose",
    ]);
    command
        .args(["--json-schema", &schema])
        .current_dir(home)
        .env_clear();
    command.envs(
        claude
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    command
}

/// opencode's command line has no option for a schema. Its server has, which other programs drive.
fn with_an_object(opencode: &Command, vendor: &Vendor, prompt: &str) -> Command {
    let schema = report().to_string();
    let mut command = Clients::ensure().unwrap().script("opencode_object.mjs");
    command
        .arg(opencode.get_program())
        .args([vendor.model, prompt, &schema, IMAGE])
        .current_dir(opencode.get_current_dir().unwrap());
    command.envs(
        opencode
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    command
}

/// opencode with a home of its own; what it is to do comes behind.
fn opencode_in(home: &Path, world: &World, vendor: &Vendor, dialect: &str) -> Command {
    let package = match dialect {
        "chat-completions" => "@ai-sdk/openai-compatible",
        "responses" => "@ai-sdk/openai",
        _ => "@ai-sdk/anthropic",
    };
    let options = json!({ "baseURL": format!("{}/v1", world.gateway.base_url()), "apiKey": world.key.secret });
    let sees = json!({ "input": ["text", "image"], "output": ["text"] });
    let model =
        json!({ "name": vendor.model, "reasoning": true, "attachment": true, "modalities": sees });
    let models = json!({ vendor.model: model });
    let provider = json!({ "npm": package, "name": "Gateway under test", "options": options, "models": models });
    let config =
        json!({ "share": "disabled", "permission": "allow", "provider": { "gateway": provider } });
    std::fs::write(home.join("opencode.json"), config.to_string()).unwrap();
    // It fetches the list of all models and a package for plugins, each of which it can do without.
    std::fs::write(home.join("models.json"), "{}").unwrap();
    std::fs::write(home.join(".npmrc"), "offline=true\n").unwrap();
    let project = home.join("project");
    std::fs::create_dir_all(&project).unwrap();
    let mut command = Clients::ensure().unwrap().node("opencode");
    command
        .env("HOME", home)
        .env("OPENCODE_CONFIG", home.join("opencode.json"))
        .env("OPENCODE_MODELS_PATH", home.join("models.json"))
        .envs(
            [
                "OPENCODE_DISABLE_AUTOUPDATE",
                "OPENCODE_DISABLE_DEFAULT_PLUGINS",
                "OPENCODE_DISABLE_LSP_DOWNLOAD",
                "OPENCODE_DISABLE_MODELS_FETCH",
                "OPENCODE_PURE",
            ]
            .map(|name| (name, "1")),
        )
        .current_dir(project)
        .args(["run", "--format", "json", "--model"])
        .arg(format!("gateway/{}", vendor.model));
    command
}
