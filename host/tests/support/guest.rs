//! [`Guest`]: small agents written in wasm text, one for each way to behave. They need no
//! compiler but the one in the host, and they can do what no SDK would.
//!
//! The default guest counts: each batch it adds the number of its events to its total and returns
//! one `cancel`, whose order id is the total plus the guest's mark. Its state is its total.

#![allow(dead_code, unreachable_pub, reason = "each test that includes this uses its own part")]

use std::fmt::Write as _;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const WIT: &str = include_str!("../../../wit/agent.wit");

/// What an order id of the counting guest is made of.
pub fn total_of(order_id: u64) -> u64 {
    order_id & 0xffff_ffff
}

/// A guest to be built.
#[derive(Debug, Clone)]
pub struct Guest {
    wit: String,
    mark: u32,
    market: String,
    imports: String,
    /// Bodies of functions, in wasm text.
    init: String,
    start: String,
    on_events: String,
    save: String,
}

const COUNT: &str = "
    (i64.store (i32.const 320)
        (i64.add (i64.load (i32.const 320)) (i64.extend_i32_u (local.get $len))))
    (i32.store8 (i32.const 512) (i32.const 1))
    (i64.store (i32.const 520) (i64.add (i64.load (i32.const 320)) (global.get $mark)))
    (i32.store (i32.const 288) (i32.const 512))
    (i32.store (i32.const 292) (i32.const 1))
    (global.set $heap (i32.const 65536))
    (i32.const 288)";

const RESTORE: &str = "
    (if (local.get $restored) (then
        (i64.store (i32.const 320) (i64.load (local.get $state)))))
    (i32.store8 (i32.const 256) (i32.const 0))
    (i32.const 256)";

const SAVE: &str = "
    (i32.store (i32.const 304) (i32.const 320))
    (i32.store (i32.const 308) (i32.const 8))
    (i32.const 304)";

impl Guest {
    /// The counting guest, subscribed to the market `KX-1`.
    pub fn counting(mark: u32) -> Self {
        Self {
            wit: WIT.to_owned(),
            mark,
            market: "KX-1".to_owned(),
            imports: String::new(),
            init: String::new(),
            start: RESTORE.to_owned(),
            on_events: COUNT.to_owned(),
            save: SAVE.to_owned(),
        }
    }

    /// Built against another text of the contract.
    pub fn with_wit(mut self, change: impl Fn(&str) -> String) -> Self {
        self.wit = change(&self.wit);
        self
    }

    /// With more imports, as fields of the module.
    pub fn with_imports(mut self, fields: &str) -> Self {
        self.imports = fields.to_owned();
        self
    }

    pub fn with_init(mut self, body: &str) -> Self {
        self.init = body.to_owned();
        self
    }

    pub fn with_start(mut self, body: &str) -> Self {
        self.start = body.to_owned();
        self
    }

    pub fn with_on_events(mut self, body: &str) -> Self {
        self.on_events = body.to_owned();
        self
    }

    pub fn with_save(mut self, body: &str) -> Self {
        self.save = body.to_owned();
        self
    }

    /// Misbehaves on the first batch whose length is over `len`, and counts until then.
    pub fn after(self, len: u32, body: &str) -> Self {
        let mut text = String::new();
        write!(text, "(if (i32.gt_u (local.get $len) (i32.const {len})) (then {body}))\n{COUNT}")
            .unwrap();
        self.with_on_events(&text)
    }

    /// The core module, without its component type.
    pub fn module(&self) -> Vec<u8> {
        let Self { mark, market, imports, init, start, on_events, save, wit } = self;
        let version = if wit.contains("@0.2.0") { "0.2.0" } else { "0.1.0" };
        let market_len = market.len();
        let marked = u64::from(*mark) << 32;
        let init = if init.is_empty() {
            String::new()
        } else {
            format!("(func $init {init}) (start $init)")
        };
        let text = format!(
            r#"(module
            (import "hotpit:agent/log@{version}" "write" (func $log (param i32 i32 i32)))
            (import "hotpit:agent/log@{version}" "panicked" (func $panicked (param i32 i32)))
            {imports}
            (memory (export "memory") 5)
            (global $heap (mut i32) (i32.const 65536))
            (global $mark i64 (i64.const {marked}))
            (data (i32.const 16) "counting")
            (data (i32.const 64) "1.{mark}")
            (data (i32.const 80) "index out of bounds")
            (data (i32.const 100) "{market}")
            (func $recurse (call $recurse) (call $recurse))
            {init}
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and
                    (i32.add (global.get $heap) (i32.sub (local.get 2) (i32.const 1)))
                    (i32.sub (i32.const 0) (local.get 2))))
                (global.set $heap (i32.add (local.get $at) (local.get 3)))
                (local.get $at))
            (func (export "hotpit:agent/guest@{version}#describe") (result i32)
                (i32.store (i32.const 128) (i32.const 16))
                (i32.store (i32.const 132) (i32.const 8))
                (i32.store (i32.const 136) (i32.const 64))
                (i32.store (i32.const 140) (i32.const 3))
                (i32.store (i32.const 144) (i32.const 192))
                (i32.store (i32.const 148) (i32.const 1))
                (i32.store (i32.const 196) (i32.const 100))
                (i32.store (i32.const 200) (i32.const {market_len}))
                (i32.const 128))
            (func (export "hotpit:agent/guest@{version}#start")
                (param $params i32) (param $count i32)
                (param $restored i32) (param $state i32) (param $bytes i32) (result i32)
                {start})
            (func $on_events (export "hotpit:agent/guest@{version}#on-events")
                (param $now i64) (param $events i32) (param $len i32) (result i32)
                {on_events})
            (func (export "hotpit:agent/guest@{version}#save") (result i32)
                {save}))"#
        );
        wat::parse_str(text).unwrap()
    }

    /// The core module with its component type inside: what the SDK builds.
    pub fn build(&self) -> Vec<u8> {
        let mut module = self.module();
        let mut resolve = Resolve::default();
        let package = resolve.push_str("agent.wit", &self.wit).unwrap();
        let world = resolve.select_world(&[package], Some("agent")).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        module
    }

    /// The component.
    pub fn component(&self) -> Vec<u8> {
        let mut encoder = ComponentEncoder::default();
        encoder.validate(true).module(&self.build()).unwrap().encode().unwrap()
    }
}

/// Ways to misbehave, as bodies of `on-events`.
pub mod bodies {
    pub const LOOP: &str = "(loop $forever (br $forever)) (unreachable)";
    pub const TRAP: &str = "(unreachable)";
    pub const PANIC: &str = "(call $panicked (i32.const 80) (i32.const 19)) (unreachable)";
    pub const RECURSE: &str = "(call $recurse) (unreachable)";
    pub const GROW: &str =
        "(loop $more (drop (memory.grow (i32.const 64))) (br $more)) (unreachable)";
    pub const LOG_FLOOD: &str = "(loop $more (call $log (i32.const 2) (i32.const 80) (i32.const 19)) (br $more)) (unreachable)";
    /// 1,000 actions: `place` of nothing in market 0.
    pub const ACTION_FLOOD: &str = "
        (i32.store (i32.const 288) (i32.const 131072))
        (i32.store (i32.const 292) (i32.const 1000))
        (return (i32.const 288))";
    /// 10 MB of actions.
    pub const HUGE_RESULT: &str = "
        (drop (memory.grow (i32.const 200)))
        (i32.store (i32.const 288) (i32.const 131072))
        (i32.store (i32.const 292) (i32.const 163840))
        (return (i32.const 288))";
    /// A list that is not in memory.
    pub const LYING_POINTER: &str = "
        (i32.store (i32.const 288) (i32.const -64))
        (i32.store (i32.const 292) (i32.const 200))
        (return (i32.const 288))";
    /// A list whose length overflows.
    pub const LYING_LENGTH: &str = "
        (i32.store (i32.const 288) (i32.const 512))
        (i32.store (i32.const 292) (i32.const -1))
        (return (i32.const 288))";
    /// An error from `start`: `index out of bounds`.
    pub const START_ERROR: &str = "
        (i32.store8 (i32.const 256) (i32.const 1))
        (i32.store (i32.const 260) (i32.const 80))
        (i32.store (i32.const 264) (i32.const 19))
        (i32.const 256)";
    /// `start` that traps if there is a state to restore.
    pub const RESTORE_TRAPS: &str = "
        (if (local.get $restored) (then (unreachable)))
        (i32.store8 (i32.const 256) (i32.const 0))
        (i32.const 256)";
    /// Some twenty milliseconds before `save` gives the state.
    pub const SLOW_SAVE: &str = "
        (global.set $heap (i32.const 0))
        (loop $more
            (global.set $heap (i32.add (global.get $heap) (i32.const 1)))
            (br_if $more (i32.lt_u (global.get $heap) (i32.const 20000000))))
        (global.set $heap (i32.const 65536))
        (i32.store (i32.const 304) (i32.const 320))
        (i32.store (i32.const 308) (i32.const 8))
        (i32.const 304)";
    /// `save` that gives nothing.
    pub const SAVE_NOTHING: &str = "
        (i32.store (i32.const 308) (i32.const 0))
        (i32.const 304)";
    /// `save` that gives two megabytes.
    pub const SAVE_TOO_MUCH: &str = "
        (drop (memory.grow (i32.const 64)))
        (i32.store (i32.const 304) (i32.const 0))
        (i32.store (i32.const 308) (i32.const 2097152))
        (i32.const 304)";
}
