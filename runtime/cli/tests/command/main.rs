//! The binary as a person uses it: serve, manage, look, stop. Without components: those have tests of their own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod audited;
mod damaged;
mod manage;
mod place;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use place::{PATIENCE, Place, row};
use serde_json::Value;

#[test]
fn a_person_can_manage_a_running_gateway() {
    let place = Place::new();
    let server = place.serve(&[]);
    place.fine(&[
        "account",
        "create",
        "sales",
        "--rpm",
        "5",
        "--daily-limit",
        "12.50",
        "--tag",
        "cc=7",
    ]);
    place.fine(&[
        "account",
        "create",
        "alice",
        "--parent",
        "root/sales",
        "--model",
        "a*,b",
    ]);
    let table = place.fine(&["account", "list"]);
    assert!(
        table.contains("    alice") && table.contains("12.50") && table.contains("a*,b"),
        "{table}"
    );
    let shown = place.fine(&["account", "show", "root/sales/alice"]);
    assert!(
        row(&shown, "daily_limit").contains("0.00 of 12.50 (decides)")
            && row(&shown, "daily_limit").ends_with("root/sales")
            && row(&shown, "models").ends_with("root/sales/alice"),
        "{shown}"
    );
    place.fine(&[
        "account",
        "update",
        "root/sales",
        "--unset",
        "daily-limit",
        "--disable",
    ]);
    let sales = place.json(&["account", "show", "root/sales"]);
    assert_eq!(
        (&sales["limits"]["rpm"], &sales["limits"]["daily_limit"]),
        (&Value::from(5), &Value::Null)
    );
    assert_eq!(sales["status"], "suspended");
    assert_eq!(sales["tags"]["cc"], "7");

    let key = place.json(&[
        "key",
        "create",
        "--account",
        "root/sales/alice",
        "--label",
        "laptop",
    ]);
    assert!(key["key"].as_str().unwrap().starts_with("tg-"));
    let listed = place.fine(&["key", "list"]);
    assert!(listed.contains("laptop") && !listed.contains(key["key"].as_str().unwrap()));
    place.fine(&["key", "revoke", key["id"].as_str().unwrap()]);
    assert!(
        place
            .fine(&["key", "list", "--account", "root/sales"])
            .contains("revoked")
    );
    place.fine(&["account", "delete", "root/sales/alice"]);

    let mut set = place
        .command(&["credential", "set", "main"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    set.stdin.take().unwrap().write_all(b"sk-hush\n").unwrap();
    assert!(set.wait().unwrap().success());
    let credentials = place.fine(&["credential", "list"]);
    assert!(
        credentials.contains("main")
            && credentials.contains("api-key")
            && !credentials.contains("hush")
    );
    place.fine(&["credential", "delete", "main"]);

    assert!(place.fine(&["usage"]).contains("No requests."));
    assert!(place.fine(&["component", "list"]).contains("KIND"));
    assert!(place.fine(&["upstream", "list"]).contains("PROVIDER"));
    assert!(place.fine(&["policy", "list"]).contains("COMPONENT"));
    server.signal("-TERM");
    assert!(server.ended().0.success());
}

#[test]
fn refusals_name_the_field_and_say_what_to_do() {
    let place = Place::new();
    assert!(
        place
            .fails(&["account", "list"])
            .contains("management token"),
        "nothing is set up"
    );
    let server = place.serve(&[]);
    assert!(place.fails(&["account", "create", "a/b"]).contains("name:"));
    assert!(
        place
            .fails(&["upstream", "set", "u", "--provider", "none"])
            .contains("provider:")
    );
    assert!(
        place
            .fails(&["usage", "--since", "yesterday"])
            .contains("--since")
    );
    assert!(
        place
            .fails(&["--management", "https://x", "account", "list"])
            .contains("http://")
    );
    let stranger = place
        .command(&["account", "list"])
        .env("TOLLGATE_TOKEN", "tgm-wrong")
        .output()
        .unwrap();
    assert!(
        !stranger.status.success()
            && String::from_utf8_lossy(&stranger.stderr).contains("not valid")
    );
    assert!(
        place.fails(&["init"]).contains("in use"),
        "the gateway is running"
    );
    server.signal("-INT");
    assert!(server.ended().0.success());
    let error = place.fails(&["account", "list"]);
    assert!(
        error.contains("no gateway answers") && error.contains("tollgate serve"),
        "{error}"
    );
}

#[test]
fn a_quickstart_prints_what_clients_need_and_the_same_key_again() {
    let place = Place::new();
    let key = || {
        std::fs::read_to_string(place.data("quickstart-key"))
            .unwrap()
            .trim()
            .to_owned()
    };
    let mut keys = Vec::new();
    for _ in 0..2 {
        let server = place.serve(&["--quickstart"]);
        let addresses: Value =
            serde_json::from_str(&std::fs::read_to_string(place.data("addresses.json")).unwrap())
                .unwrap();
        server.signal("-TERM");
        let (status, text) = server.ended();
        assert!(status.success());
        let base = format!("http://{}/v1", addresses["server"].as_str().unwrap());
        assert!(!base.ends_with(":0/v1"));
        for wanted in [
            &base,
            &key(),
            addresses["management"].as_str().unwrap(),
            "wire_api",
            "ANTHROPIC_AUTH_TOKEN",
            "OPENAI_BASE_URL",
        ] {
            assert!(text.contains(wanted), "{wanted} is not in:\n{text}");
        }
        keys.push(key());
    }
    assert_eq!(keys[0], keys[1]);
    for name in ["quickstart-key", "management-token", "master-key"] {
        assert_eq!(
            std::fs::metadata(place.data(name))
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o600,
            "{name}"
        );
    }
}

#[test]
fn init_makes_what_is_missing_once_and_a_new_token_when_asked() {
    let place = Place::new();
    let token = || std::fs::read_to_string(place.data("management-token")).unwrap();
    assert!(place.fine(&["init"]).contains("(new)"));
    let first = token();
    assert!(!place.fine(&["init"]).contains("(new)"));
    assert_eq!(token(), first);
    place.fine(&["init", "--new-token"]);
    assert_ne!(token(), first);
}

#[test]
fn a_passphrase_stands_for_the_master_key_and_no_other_opens_the_store() {
    let place = Place::new();
    let init = |passphrase: &str| {
        let mut command = place.command(&["init"]);
        command
            .env("TOLLGATE_MASTER_PASSPHRASE", passphrase)
            .output()
            .unwrap()
    };
    assert!(init("correct horse").status.success());
    assert!(!place.data("master-key").exists(), "no key lies beside it");
    assert!(init("correct horse").status.success());
    let wrong = init("wrong horse");
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(
        !wrong.status.success() && said.contains("master key is not the one"),
        "{said}"
    );
    assert!(!said.contains("horse"), "{said}");
    std::fs::remove_file(place.data("master-key.salt")).unwrap();
    let without = init("correct horse");
    let said = String::from_utf8_lossy(&without.stderr).into_owned();
    assert!(
        !without.status.success() && said.contains("master-key.salt"),
        "{said}"
    );
}

#[test]
fn doctor_finds_what_is_wrong_with_and_without_a_gateway() {
    let place = Place::new();
    let report = place.fine(&["doctor"]);
    assert!(
        report.contains("not there yet") && !place.data("").exists(),
        "{report}"
    );
    place.fine(&["init"]);
    std::fs::create_dir_all(place.data("components")).unwrap();
    std::fs::write(place.data("components/bad.wasm"), "not wasm").unwrap();
    let offline = place.run(&["doctor", "--json"]);
    assert!(!offline.status.success(), "a broken component is a finding");
    let findings: Value = serde_json::from_slice(&offline.stdout).unwrap();
    let find = |findings: &Value, what: &str| {
        let all = findings["findings"].as_array().unwrap();
        all.iter()
            .find(|f| f["check"].as_str().unwrap().contains(what))
            .unwrap_or_else(|| panic!("{what}: {findings}"))
            .clone()
    };
    assert_eq!(find(&findings, "bad")["state"], "WRONG");
    assert_eq!(find(&findings, "store and vault")["state"], "ok");
    assert_eq!(find(&findings, "master key")["state"], "ok");

    let server = place.serve(&[]);
    let online: Value = serde_json::from_slice(&place.run(&["doctor", "--json"]).stdout).unwrap();
    assert!(
        find(&online, "gateway")["detail"]
            .as_str()
            .unwrap()
            .contains("answers")
    );
    assert_eq!(find(&online, "bad")["state"], "WRONG");
    std::fs::set_permissions(
        place.data("master-key"),
        std::fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    let open: Value = serde_json::from_slice(&place.run(&["doctor", "--json"]).stdout).unwrap();
    assert_eq!(find(&open, "master key")["state"], "WRONG");
    server.signal("-TERM");
    assert!(server.ended().0.success());
}

#[test]
fn doctor_tells_of_a_gateway_that_does_not_answer_its_token() {
    let place = Place::new();
    let server = place.serve(&[]);
    place.fine(&["account", "create", "a"]);
    let token = place.json(&["token", "create", "--account", "root/a", "--role", "read"]);
    let of_account = place
        .command(&["doctor"])
        .env("TOLLGATE_TOKEN", token["token"].as_str().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8(of_account.stdout).unwrap();
    assert!(of_account.status.success(), "{said}");
    assert!(
        row(&said, "gateway").contains("the token is that of an account"),
        "{said}"
    );
    std::fs::rename(place.data("management-token"), place.data("aside")).unwrap();
    let said = place.fine(&["doctor"]);
    let line = row(&said, "gateway");
    for wanted in ["note", "running (process ", "no management token"] {
        assert!(line.contains(wanted), "{said}");
    }
    assert!(
        !said.contains("WRONG") && !said.contains("not running"),
        "{said}"
    );
    server.signal("-TERM");
    assert!(server.ended().0.success());
}

#[test]
fn a_wrong_configuration_stops_every_command_and_names_the_key() {
    let place = Place::new();
    std::fs::write(
        place.folder.path().join("tollgate.toml"),
        "[server]\nlisten_on = \"x\"\n",
    )
    .unwrap();
    for command in [&["serve"][..], &["account", "list"], &["init"]] {
        assert!(place.fails(command).contains("listen_on"), "{command:?}");
    }
    let report = String::from_utf8(place.run(&["doctor"]).stdout).unwrap();
    assert!(report.contains("listen_on") && report.contains("WRONG"));
}

#[test]
fn an_address_in_use_is_said_with_its_key() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert!(
        place
            .fails(&["serve", "--management-listen", &address])
            .contains("management.listen")
    );
    assert!(
        place
            .fails(&["serve", "--listen", &address])
            .contains("server.listen")
    );
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let place = Place::new();
    // Ten minutes: nothing but a second signal ends it within this test's patience.
    std::fs::write(
        place.folder.path().join("tollgate.toml"),
        "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 1\nbody_timeout_ms = 600000\ndrain_timeout_ms = 600000\n\
         [management]\nlisten = \"127.0.0.1:0\"\n",
    )
    .unwrap();
    let server = place.serve(&[]);
    let addresses: Value =
        serde_json::from_str(&std::fs::read_to_string(place.data("addresses.json")).unwrap())
            .unwrap();
    let address = addresses["server"].as_str().unwrap();
    // A request whose body never comes holds the drain up. It is under way once it is told to go on.
    let key = place.json(&["key", "create"]);
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n",
        key["key"].as_str().unwrap()
    );
    let mut stuck = TcpStream::connect(address).unwrap();
    stuck.set_read_timeout(Some(PATIENCE)).unwrap();
    stuck.write_all(head.as_bytes()).unwrap();
    let go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    let mut told = vec![0; go_on.len()];
    stuck.read_exact(&mut told).unwrap();
    assert_eq!(String::from_utf8_lossy(&told), go_on);
    server.signal("-TERM");
    let began = Instant::now();
    while TcpStream::connect(address).is_ok() {
        assert!(began.elapsed() < PATIENCE, "the first signal is not heard");
        std::thread::sleep(Duration::from_millis(10));
    }
    server.signal("-TERM");
    let (status, _) = server.ended();
    assert_eq!(status.code(), Some(128 + 15));
}
