//! What guests can do to the host, one behaviour at a time.

use hotpit_units::Timestamp;

use super::*;
use crate::agents::engine::AgentEngine;
use crate::agents::loader::Loader;
use crate::model::OrderId;

use crate::agents::guest_text::{Guest as Wat, bodies};

struct Bench {
    loader: Loader,
    world: World,
}

impl Bench {
    fn new() -> Self {
        let engine = Arc::new(AgentEngine::new().unwrap());
        let world =
            World { cache: Arc::default(), clock: Clock::system(), state_bytes_max: 1 << 20 };
        Self { loader: Loader::new(engine, 1 << 25), world }
    }

    fn make(&self, guest: &Wat) -> Result<Instance, Fault> {
        let prepared = self.loader.prepare(&guest.build()).unwrap();
        Instance::new(&prepared, &"guest".into(), Budget::default(), &self.world)
    }

    fn started(&self, guest: &Wat) -> Instance {
        let (instance, answer) = self.make(guest).unwrap().start(view(), &[], None).unwrap();
        answer.unwrap();
        instance
    }

    /// The fault of the first batch.
    fn fault(&self, body: &str) -> Fault {
        let guest = Wat::counting(1).with_on_events(body);
        match self.started(&guest).on_events(view(), &events(1)) {
            Ok(_) => panic!("no fault"),
            Err(fault) => fault,
        }
    }
}

fn view() -> View {
    View { now: Timestamp::from_secs(1), scope: Arc::default(), account: Arc::default() }
}

fn events(count: u64) -> Vec<types::Event> {
    (0..count).map(types::Event::Timer).collect()
}

#[test]
fn a_guest_gets_its_events_and_its_actions_come_back() {
    let bench = Bench::new();
    let instance = bench.started(&Wat::counting(1));
    let (instance, actions) = instance.on_events(view(), &events(3)).unwrap();
    assert_eq!(actions, [Action::Cancel(OrderId((1 << 32) + 3))]);
    let (_, actions) = instance.on_events(view(), &events(256)).unwrap();
    assert_eq!(actions, [Action::Cancel(OrderId((1 << 32) + 259))]);
}

#[test]
fn a_state_goes_from_one_instance_to_the_next() {
    let bench = Bench::new();
    let instance = bench.started(&Wat::counting(1));
    let (instance, _) = instance.on_events(view(), &events(7)).unwrap();
    let (_, state) = instance.save().unwrap();
    assert_eq!(state, 7_u64.to_le_bytes());
    let (instance, answer) =
        bench.make(&Wat::counting(2)).unwrap().start(view(), &[], Some(&state)).unwrap();
    assert_eq!(answer, Ok(()));
    let (_, actions) = instance.on_events(view(), &events(1)).unwrap();
    assert_eq!(actions, [Action::Cancel(OrderId((2 << 32) + 8))]);
}

#[test]
fn each_way_to_misbehave_is_a_fault_with_a_name_and_a_line() {
    let bench = Bench::new();
    let cases = [
        (bodies::TRAP, "trap", "trap in on-events: wasm `unreachable` instruction executed"),
        (bodies::PANIC, "panic", "panic in on-events: index out of bounds"),
        (bodies::LOOP, "deadline", "on-events ran longer than 10 ms of processor time"),
        (bodies::LOG_FLOOD, "deadline", "on-events ran longer than 10 ms of processor time"),
        (bodies::RECURSE, "trap", "trap in on-events: stack overflow: endless recursion?"),
        (bodies::GROW, "memory", "on-events asked for 64 MiB of memory, the limit is 64 MiB"),
        (
            bodies::ACTION_FLOOD,
            "too_many_actions",
            "on-events returned 1000 actions, the limit is 256",
        ),
        (bodies::HUGE_RESULT, "too_large", "on-events gave the host more than"),
        (bodies::LYING_POINTER, "trap", "trap in on-events: "),
        (bodies::LYING_LENGTH, "trap", "trap in on-events: "),
    ];
    for (body, name, line) in cases {
        let fault = bench.fault(body);
        assert_eq!(fault.name(), name, "{fault}");
        assert!(fault.to_string().starts_with(line), "{fault}");
        assert!(!fault.to_string().contains('\n'), "{fault}");
    }
}

#[test]
fn a_trap_names_the_guests_function() {
    let fault = Bench::new().fault(bodies::TRAP);
    assert!(fault.backtrace()[0].contains("on_events"), "{:?}", fault.backtrace());
    assert!(fault.to_string().ends_with(&format!("(in {})", fault.backtrace()[0])), "{fault}");
}

#[test]
fn code_that_runs_before_any_export_is_under_the_limits_too() {
    let bench = Bench::new();
    let spin = Wat::counting(1).with_init("(loop $forever (br $forever))");
    let fault = bench.make(&spin).map(|_| ()).unwrap_err();
    assert_eq!(
        fault.to_string(),
        format!(
            "instantiation ran longer than 250 ms of processor time (in {})",
            fault.backtrace()[0]
        )
    );
    let grow = Wat::counting(1).with_init("(loop $l (drop (memory.grow (i32.const 99))) (br $l))");
    let fault = bench.make(&grow).map(|_| ()).unwrap_err();
    assert_eq!(fault.name(), "memory", "{fault}");
}

#[test]
fn an_error_from_start_is_the_agents_own_word() {
    let bench = Bench::new();
    let guest = Wat::counting(1).with_start(bodies::START_ERROR);
    let (_, answer) = bench.make(&guest).unwrap().start(view(), &[], None).unwrap();
    assert_eq!(answer, Err("index out of bounds".to_owned()));
}

#[test]
fn a_state_that_is_too_large_is_a_fault() {
    let bench = Bench::new();
    let guest = Wat::counting(1).with_save(bodies::SAVE_TOO_MUCH);
    let fault = bench.started(&guest).save().map(|_| ()).unwrap_err();
    assert_eq!(fault, Fault::TooLarge { call: Call::Save, limit: 1 << 20 });
    let guest = Wat::counting(1).with_save(bodies::SAVE_NOTHING);
    assert_eq!(bench.started(&guest).save().unwrap().1, b"");
}

#[test]
fn an_agent_describes_itself() {
    let bench = Bench::new();
    let manifest = bench.make(&Wat::counting(4)).unwrap().describe().unwrap();
    assert_eq!((manifest.name.as_str(), manifest.version.as_str()), ("counting", "1.4"));
    assert_eq!(manifest.subscriptions.len(), 1);
}

/// A guest that returns one `wake-at`, at what this WASI function gives.
fn asks_wasi(interface: &str, function: &str) -> Wat {
    Wat::counting(1)
        .with_wit(|wit| {
            let (package, name) = interface.split_once('/').unwrap();
            let wit = wit.replace(
                "  import log;",
                &format!("  import log;\n  import {interface}@0.2.6;"),
            );
            format!("{wit}\npackage {package}@0.2.6 {{ interface {name} {{ {function}: func() -> u64; }} }}")
        })
        .with_imports(&format!(
            r#"(import "{interface}@0.2.6" "{function}" (func $ask (result i64)))"#
        ))
        .with_on_events(
            "(i32.store8 (i32.const 512) (i32.const 3))
             (i64.store (i32.const 520) (call $ask))
             (i32.store (i32.const 288) (i32.const 512))
             (i32.store (i32.const 292) (i32.const 1))
             (i32.const 288)",
        )
}

#[test]
fn the_clock_of_wasi_stands_at_the_time_of_the_batch() {
    let bench = Bench::new();
    let instance = bench.started(&asks_wasi("wasi:clocks/monotonic-clock", "now"));
    let (_, actions) = instance.on_events(view(), &events(1)).unwrap();
    assert_eq!(actions, [Action::WakeAt(Timestamp::from_secs(1))]);
}

#[test]
fn the_randomness_of_wasi_is_the_same_for_the_same_code() {
    let guest = asks_wasi("wasi:random/random", "get-random-u64");
    let draw = || {
        let (instance, first) = Bench::new().started(&guest).on_events(view(), &events(1)).unwrap();
        let (_, second) = instance.on_events(view(), &events(1)).unwrap();
        (first, second)
    };
    let (first, second) = draw();
    assert_ne!(first, second);
    assert_eq!((first, second), draw());
}

#[test]
fn an_agent_that_does_not_ask_for_wasi_is_not_linked_to_it() {
    let needs = |guest: &Wat| crate::agents::inspect(&guest.build()).unwrap().surface.needs_wasi();
    assert!(!needs(&Wat::counting(1)));
    let asks = asks_wasi("wasi:clocks/monotonic-clock", "now");
    assert!(needs(&asks));
    let surface = crate::agents::inspect(&asks.build()).unwrap().surface;
    let clock = surface.imports.iter().find(|item| item.name.starts_with("wasi:clocks")).unwrap();
    assert!(clock.grants().starts_with("the time of the batch"));
    let world = AgentEngine::new().unwrap();
    let module = bench_component(&asks);
    assert!(world.linker(false).instantiate_pre(&module(&world)).is_err());
    assert!(world.linker(true).instantiate_pre(&module(&world)).is_ok());
}

fn bench_component(guest: &Wat) -> impl Fn(&AgentEngine) -> wasmtime::component::Component {
    let bytes = guest.component();
    move |engine| wasmtime::component::Component::from_binary(engine.engine(), &bytes).unwrap()
}

mod files {
    use super::*;
    use crate::agents::contract::Mismatch;
    use crate::agents::loader::{LoadError, inspect};

    fn refused(bytes: &[u8]) -> LoadError {
        let bench = Bench::new();
        bench.loader.prepare(bytes).map(|_| ()).unwrap_err()
    }

    #[test]
    fn what_is_no_agent_is_told_as_what_it_is() {
        let module = Wat::counting(1).build();
        let cases: [(&[u8], &str); 8] = [
            (b"", "the file is empty"),
            (b"[package]\nname = 1", "the file is text, not wasm"),
            (b"\x7fELF\x02\x01\x01\0\0\xff\xfe", "the file is not wasm"),
            (b"\0as", "the file is cut off: it ends after 3 bytes"),
            (&module[..1_000], "the file is cut off: it ends after 1000 bytes"),
            (&module[..module.len() - 1], "the file is cut off"),
            (&Wat::counting(1).module(), "it is a core wasm module without a component type"),
            (&[b'a'; (1 << 25) + 1], "the file has 33554433 bytes, the limit is 33554432"),
        ];
        for (bytes, line) in cases {
            let error = refused(bytes).to_string();
            assert!(error.starts_with(line), "{error}");
        }
        let preview1 = r#"(module (import "wasi_snapshot_preview1" "fd_write"
            (func (param i32 i32 i32 i32) (result i32))))"#;
        assert_eq!(refused(&wat::parse_str(preview1).unwrap()), LoadError::WasiPreview1);
    }

    #[test]
    fn no_cut_and_no_flipped_byte_is_more_than_an_error() {
        let bench = Bench::new();
        let component = Wat::counting(1).component();
        for end in (0..component.len()).step_by(97) {
            assert!(bench.loader.prepare(&component[..end]).is_err(), "cut at {end}");
        }
        let mut flipped = component.clone();
        for at in (0..component.len()).step_by(211) {
            flipped[at] ^= 0x55;
            // Whether it still is an agent is up to the byte; it must not end the host.
            let _ = bench.loader.prepare(&flipped);
            flipped[at] = component[at];
        }
    }

    #[test]
    fn a_module_and_its_component_are_the_same_agent() {
        let guest = Wat::counting(1);
        let from_module = inspect(&guest.build()).unwrap();
        let from_component = inspect(&guest.component()).unwrap();
        assert!(from_module.componentized && !from_component.componentized);
        assert_eq!(from_module.surface, from_component.surface);
        assert_eq!(from_module.surface.version.as_deref(), Some("0.1.0"));
        assert_eq!(from_module.surface.mismatches, []);
        assert!(!from_module.surface.needs_wasi());
        let names: Vec<String> =
            from_module.surface.imports.iter().map(ToString::to_string).collect();
        let log = names.iter().find(|name| name.starts_with("hotpit:agent/log"));
        // What is not used is not in the component.
        assert_eq!(log.map(String::as_str), Some("hotpit:agent/log@0.1.0 (write, panicked)"));
    }

    #[test]
    fn another_version_of_the_contract_is_told_which_ones_are_spoken() {
        let guest = Wat::counting(1)
            .with_wit(|wit| wit.replace("hotpit:agent@0.1.0", "hotpit:agent@0.2.0"));
        let LoadError::Mismatch(mismatches) = refused(&guest.build()) else { panic!("loaded") };
        let is_version =
            |mismatch: &Mismatch| matches!(mismatch, Mismatch::UnsupportedVersion { .. });
        assert!(mismatches.iter().all(is_version), "{mismatches:?}");
        assert!(mismatches[0].to_string().contains("this host speaks hotpit:agent 0.1.x"));
    }

    #[test]
    fn a_case_too_many_is_named() {
        let guest = Wat::counting(1).with_wit(|wit| {
            wit.replace("    timer(timestamp),\n", "    timer(timestamp),\n    halt(bool),\n")
        });
        let error = refused(&guest.build()).to_string();
        let expected = "`hotpit:agent/guest@0.1.0.on-events` has another type than in \
            hotpit:agent 0.1.x: events: `event` has the case `halt` in place of `gap`";
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_field_too_few_is_named() {
        let guest =
            Wat::counting(1).with_wit(|wit| wit.replace("    requires: list<string>,\n", ""));
        let error = refused(&guest.build()).to_string();
        assert!(error.contains("the result: `manifest` has 4 fields, not 5"), "{error}");
    }

    #[test]
    fn an_import_that_is_not_offered_is_named() {
        let guest = Wat::counting(1).with_wit(|wit| {
            wit.replace("interface log {", "interface net { open: func(); }\ninterface log {")
                .replace("  import log;", "  import log;\n  import net;")
        });
        // An import that is not used is not in the component: this one loads.
        assert_eq!(inspect(&guest.build()).unwrap().surface.mismatches, []);
        let foreign = r#"(component (import "foo:bar/baz@1.0.0" (instance
            (export "f" (func)))))"#;
        let error = refused(&wat::parse_str(foreign).unwrap()).to_string();
        assert!(
            error.contains("imports `foo:bar/baz@1.0.0`, which the host does not offer"),
            "{error}"
        );
        assert!(error.contains("exports no `hotpit:agent/guest@0.1.0`"), "{error}");
    }

    #[test]
    fn the_same_bytes_are_compiled_once_while_they_are_in_use() {
        let bench = Bench::new();
        let bytes = Wat::counting(1).build();
        let first = bench.loader.prepare(&bytes).unwrap();
        let second = bench.loader.prepare(&bytes).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(first.hash().short().len(), 12);
    }
}

#[test]
fn a_component_type_that_needs_itself_is_an_error_of_the_file() {
    let file = include_bytes!("fixtures/circle.wasm");
    let error = crate::agents::inspect(file).unwrap_err().to_string();
    assert!(error.contains("needs itself"), "{error}");
}
