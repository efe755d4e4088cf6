//! Guests that import WASI get it, with nothing in it, and may not wait.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{ALLOCATOR, House, Request, component_beside};
use tollgate_plugin::{Configured, ErrorKind, PluginError, Verdict};

const IO: &str = "package wasi:io@0.2.6;
interface error { resource error; }
interface poll { resource pollable { block: func(); } }
interface streams {
    use error.{error};
    variant stream-error { last-operation-failed(error), closed }
    resource output-stream { blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>; }
}";
const CLI: &str = "package wasi:cli@0.2.6;
interface environment {
    get-environment: func() -> list<tuple<string, string>>;
    get-arguments: func() -> list<string>;
}
interface stdout { use wasi:io/streams@0.2.6.{output-stream}; get-stdout: func() -> output-stream; }";
const CLOCKS: &str = "package wasi:clocks@0.2.6;
interface monotonic-clock {
    use wasi:io/poll@0.2.6.{pollable};
    subscribe-duration: func(when: u64) -> pollable;
}";
const FILESYSTEM: &str = "package wasi:filesystem@0.2.6;
interface types { resource descriptor; }
interface preopens { use types.{descriptor}; get-directories: func() -> list<tuple<descriptor, string>>; }";
const SOCKETS: &str = "package wasi:sockets@0.2.6;
interface network { resource network; }
interface instance-network { use network.{network}; instance-network: func() -> network; }
interface udp {
    use wasi:io/poll@0.2.6.{pollable};
    use network.{network};
    resource udp-socket { start-bind: func(network: borrow<network>); subscribe: func() -> pollable; }
}
interface udp-create-socket { use udp.{udp-socket}; create-udp-socket: func() -> udp-socket; }";

/// Admits unless environment, arguments or folders hold something. By the length of the model's name: 5 waits an hour,
/// 6 prints first, 7 asks for the network, 8 waits for a socket, 9 binds one.
fn guest() -> Vec<u8> {
    let world = "import tollgate:extension/request@0.1.0; import wasi:cli/environment@0.2.6; import wasi:cli/stdout@0.2.6;
        import wasi:clocks/monotonic-clock@0.2.6; import wasi:filesystem/preopens@0.2.6;
        import wasi:sockets/instance-network@0.2.6; import wasi:sockets/udp@0.2.6;
        import wasi:sockets/udp-create-socket@0.2.6; export tollgate:extension/admission@0.1.0;";
    component_beside(
        &[IO, CLI, CLOCKS, FILESYSTEM, SOCKETS],
        world,
        &format!(
            r#"(module
  (import "tollgate:extension/request@0.1.0" "[method]request.model" (func $model (param i32 i32)))
  (import "tollgate:extension/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
  (import "wasi:cli/environment@0.2.6" "get-environment" (func $environment (param i32)))
  (import "wasi:cli/environment@0.2.6" "get-arguments" (func $arguments (param i32)))
  (import "wasi:filesystem/preopens@0.2.6" "get-directories" (func $directories (param i32)))
  (import "wasi:cli/stdout@0.2.6" "get-stdout" (func $stdout (result i32)))
  (import "wasi:io/streams@0.2.6" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))
  (import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration" (func $after (param i64) (result i32)))
  (import "wasi:io/poll@0.2.6" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:sockets/instance-network@0.2.6" "instance-network" (func $network (result i32)))
  (import "wasi:sockets/udp-create-socket@0.2.6" "create-udp-socket" (func $socket (result i32)))
  (import "wasi:sockets/udp@0.2.6" "[method]udp-socket.start-bind" (func $bind (param i32 i32)))
  (import "wasi:sockets/udp@0.2.6" "[method]udp-socket.subscribe" (func $subscribe (param i32) (result i32)))
  (memory (export "memory") 2)
  {ALLOCATOR}
  (data (i32.const 16) "hello\n")
  (func (export "tollgate:extension/admission@0.1.0#admit") (param $request i32) (result i32)
    (local $length i32)
    (call $model (local.get $request) (i32.const 400))
    (call $drop (local.get $request))
    (local.set $length (i32.load (i32.const 404)))
    (if (i32.eq (local.get $length) (i32.const 5))
      (then (call $block (call $after (i64.const 3600000000000)))))
    (if (i32.eq (local.get $length) (i32.const 6))
      (then
        (call $write (call $stdout) (i32.const 16) (i32.const 6) (i32.const 500))
        (if (i32.load8_u (i32.const 500)) (then (unreachable)))))
    (if (i32.eq (local.get $length) (i32.const 7)) (then (drop (call $network))))
    (if (i32.eq (local.get $length) (i32.const 8))
      (then (call $block (call $subscribe (call $socket)))))
    (if (i32.eq (local.get $length) (i32.const 9)) (then (call $bind (call $socket) (call $network))))
    (call $environment (i32.const 600))
    (call $arguments (i32.const 608))
    (call $directories (i32.const 616))
    (if (i32.add (i32.load (i32.const 604)) (i32.add (i32.load (i32.const 612)) (i32.load (i32.const 620))))
      (then (unreachable)))
    (i32.store8 (i32.const 256) (i32.const 0))
    (i32.const 256))
)"#
        ),
    )
}

fn admit(rule: &Configured, model: &str) -> Result<Verdict, PluginError> {
    rule.admit(Arc::new(Request(model.into())))
}

fn check(rule: &Configured) {
    assert_eq!(admit(rule, "none").unwrap(), Verdict::Allow);
    assert_eq!(admit(rule, "prints").unwrap(), Verdict::Allow);
    let started = Instant::now();
    let waits = admit(rule, "waits").unwrap_err();
    assert_eq!(waits.kind, ErrorKind::Trap);
    assert!(waits.message.contains("may not wait"), "{waits}");
    assert!(started.elapsed() < Duration::from_secs(20));
    for model in ["network", "datagram", "bind-here"] {
        let network = admit(rule, model).unwrap_err();
        assert_eq!(network.kind, ErrorKind::Trap);
        assert!(network.message.contains("there is no network"), "{network}");
    }
    assert_eq!(admit(rule, "none").unwrap(), Verdict::Allow);
}

#[test]
fn wasi_is_empty_and_never_waits_on_a_worker_of_an_async_runtime_or_off_it() {
    // The machine's own environment and arguments are not empty, so the guest would notice.
    assert!(std::env::vars().next().is_some() && std::env::args().next().is_some());
    let house = House::open(&[("rule.wasm", guest())]);
    let generation = house.components.generation();
    assert!(generation.failed.is_empty(), "{:?}", generation.failed);
    let rule = generation.policies["rule"].configured("{}").unwrap();
    check(&rule);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { check(&rule) });
}
