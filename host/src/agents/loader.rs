//! [`Loader`]: from the bytes of a file to an agent that is checked, compiled and linked, but not
//! yet instantiated.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;

use aws_lc_rs::digest;
use wasmtime::component::Component;

use super::bindings::AgentPre;
use super::code_cache::CodeCache;
use super::contract::{self, Mismatch, Surface};
use super::engine::AgentEngine;
use super::fault::Fault;
use super::host_state::HostState;

/// The most packages that a component type may have, each perhaps on top of the other: the
/// contract has one, WASI about ten.
const PACKAGES_MAX: usize = 256;

/// Files above this size are compiled beside the others.
const LARGE_BYTES: usize = 2 << 20;

/// The size of a wasm page.
const PAGE_BYTES: u64 = 64 << 10;

/// Why a file is no agent, in a line that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// It is larger than files may be.
    #[error("the file has {bytes} bytes, the limit is {limit} (agents.file_mib_max)")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// It is text.
    #[error("the file is text, not wasm: build the agent, and drop the .wasm file")]
    Text,
    /// It is something else.
    #[error("the file is not wasm: it does not begin with the bytes of a wasm binary")]
    NotWasm,
    /// It ends too early.
    #[error("the file is cut off: it ends after {bytes} bytes, in the middle of a section")]
    Truncated {
        /// Its size.
        bytes: u64,
    },
    /// It is damaged, or uses a feature of wasm that is off here.
    #[error("the file is not valid wasm: {0}")]
    Malformed(String),
    /// It is a core module that does not say what it is.
    #[error(
        "it is a core wasm module without a component type: build it with the SDK \
         (`hotpit_agent::export!`) as a `cdylib` for wasm32-unknown-unknown, or as a component"
    )]
    NoComponentType,
    /// It is a core module for WASI's first version.
    #[error(
        "it is a core wasm module for WASI preview 1: build it for wasm32-unknown-unknown or wasm32-wasip2"
    )]
    WasiPreview1,
    /// It cannot be made into a component.
    #[error("the module cannot be made into a component: {0}")]
    Componentize(String),
    /// It is a component, but no agent of this host.
    #[error("it is no agent of this host: it {}", join(.0))]
    Mismatch(Vec<Mismatch>),
    /// It asks for more memory than it may have before it has even run.
    #[error(
        "it begins with {wanted_mib} MiB of memory, the limit is {limit_mib} MiB (limits.memory_mib)"
    )]
    Memory {
        /// What it begins with.
        wanted_mib: u64,
        /// What it may have.
        limit_mib: u64,
    },
    /// The compiler or the linker refuses it.
    #[error("it cannot be compiled or linked: {0}")]
    Compile(String),
    /// It could not even say who it is.
    #[error("it cannot describe itself: {0}")]
    Describe(Fault),
}

fn join(mismatches: &[Mismatch]) -> String {
    let lines: Vec<String> = mismatches.iter().map(Mismatch::to_string).collect();
    lines.join("; it ")
}

/// The SHA-256 of a file: who it is, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// The hash of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
        Self(hash)
    }

    /// The first 12 digits: enough for people.
    #[must_use]
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(12);
        text
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a file is before it is compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The hash of the file.
    pub hash: ContentHash,
    /// Whether it was a core module with its component type inside.
    pub componentized: bool,
    /// What it imports and exports, and in how far that is not the contract.
    pub surface: Surface,
}

/// Looks at a file without compiling or running it.
///
/// # Errors
/// When it is no component and cannot be made into one. That a component is no agent of this
/// host is no error here but stands in [`Surface::mismatches`].
pub fn inspect(bytes: &[u8]) -> Result<Inspection, LoadError> {
    contained(|| {
        let (component, componentized) = componentize(bytes)?;
        let component = component.as_deref().unwrap_or(bytes);
        let surface = contract::surface(component).map_err(LoadError::Malformed)?;
        Ok(Inspection { hash: ContentHash::of(bytes), componentized, surface })
    })
}

/// The component that the host makes of a file: the file itself where it is one.
///
/// # Errors
/// When it is no component and cannot be made into one.
pub fn component_of(bytes: &[u8]) -> Result<Vec<u8>, LoadError> {
    contained(|| Ok(componentize(bytes)?.0.unwrap_or_else(|| bytes.to_vec())))
}

/// Runs what parses a file of strangers: a panic in a parser is an error of the file.
fn contained<T>(parse: impl FnOnce() -> Result<T, LoadError>) -> Result<T, LoadError> {
    catch_unwind(AssertUnwindSafe(parse)).unwrap_or_else(|_| {
        Err(LoadError::Malformed("the parser of wasm files panicked on it".to_owned()))
    })
}

/// An agent's code, ready to be instantiated any number of times.
pub struct Prepared {
    hash: ContentHash,
    surface: Surface,
    memory_min: u64,
    pre: AgentPre<HostState>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("hash", &self.hash.short()).finish_non_exhaustive()
    }
}

impl Prepared {
    /// The hash of the file.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        self.hash
    }

    /// What it imports and exports.
    #[must_use]
    pub fn surface(&self) -> &Surface {
        &self.surface
    }

    /// Refuses code that begins with more memory than it may have.
    pub(crate) fn check_memory(&self, limit_mib: u64) -> Result<(), LoadError> {
        let wanted_mib = self.memory_min.div_ceil(1 << 20);
        if wanted_mib > limit_mib {
            return Err(LoadError::Memory { wanted_mib, limit_mib });
        }
        Ok(())
    }

    /// The seed of the randomness that its WASI imports give: the same code sees the same.
    pub(crate) fn seed(&self) -> u64 {
        self.hash.0.iter().take(8).fold(0, |seed, &byte| (seed << 8) | u64::from(byte))
    }

    pub(crate) fn pre(&self) -> &AgentPre<HostState> {
        &self.pre
    }
}

/// Prepares agents. Code that is in use is compiled once, however many files hold it.
pub struct Loader {
    engine: Arc<AgentEngine>,
    bytes_max: u64,
    cache: Option<Arc<CodeCache>>,
    in_use: Mutex<HashMap<ContentHash, Weak<Prepared>>>,
    /// Held while compiling: one at a time leaves processors to those who trade. Who needs code
    /// that is compiled already does not wait for it, and a small file for no large one: an
    /// interpreter that an agent brings along takes seconds.
    compiling_small: Mutex<()>,
    compiling_large: Mutex<()>,
    /// Threads that write to the cache; this waits for them at its end.
    keeping: Mutex<Vec<JoinHandle<()>>>,
}

impl Loader {
    /// A loader of files of up to `bytes_max`.
    #[must_use]
    pub fn new(engine: Arc<AgentEngine>, bytes_max: u64) -> Self {
        let (in_use, compiling_small, compiling_large, keeping) = <_>::default();
        let cache = None;
        Self { engine, bytes_max, cache, in_use, compiling_small, compiling_large, keeping }
    }

    /// The same with compiled code kept in `code` in this folder, which must be the host's own.
    #[must_use]
    pub fn with_cache(mut self, state_folder: &Path) -> Self {
        let folder = state_folder.join("code");
        self.cache = Some(Arc::new(CodeCache::new(&folder, self.engine.engine())));
        self
    }

    /// The same with the compiled code of the host whose states are in this folder, if one has run
    /// there: what is compiled here, it need not compile again.
    #[must_use]
    pub fn with_cache_of_host(self, state_folder: &Path) -> Self {
        if state_folder.is_dir() { self.with_cache(state_folder) } else { self }
    }

    /// Prepares the agent that these bytes hold. Takes as long as compiling does: call it where
    /// waiting is allowed.
    ///
    /// # Errors
    /// When they hold none.
    pub fn prepare(&self, bytes: &[u8]) -> Result<Arc<Prepared>, LoadError> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > self.bytes_max {
            return Err(LoadError::TooLarge { bytes: size, limit: self.bytes_max });
        }
        let hash = ContentHash::of(bytes);
        if let Some(prepared) = self.compiled(hash) {
            return Ok(prepared);
        }
        let is_large = bytes.len() > LARGE_BYTES;
        let _one = lock(if is_large { &self.compiling_large } else { &self.compiling_small });
        // Somebody may have compiled the same while this one waited.
        if let Some(prepared) = self.compiled(hash) {
            return Ok(prepared);
        }
        let prepared = Arc::new(contained(|| self.compile(bytes, hash))?);
        self.in_use().insert(hash, Arc::downgrade(&prepared));
        Ok(prepared)
    }

    /// The code of this hash, if somebody uses it.
    fn compiled(&self, hash: ContentHash) -> Option<Arc<Prepared>> {
        let mut in_use = self.in_use();
        in_use.retain(|_, prepared| prepared.strong_count() > 0);
        in_use.get(&hash).and_then(Weak::upgrade)
    }

    fn in_use(&self) -> MutexGuard<'_, HashMap<ContentHash, Weak<Prepared>>> {
        lock(&self.in_use)
    }

    fn compile(&self, bytes: &[u8], hash: ContentHash) -> Result<Prepared, LoadError> {
        let (component, _) = componentize(bytes)?;
        let component = component.as_deref().unwrap_or(bytes);
        let surface = contract::surface(component).map_err(LoadError::Malformed)?;
        if !surface.mismatches.is_empty() {
            return Err(LoadError::Mismatch(surface.mismatches));
        }
        let refused = |error: wasmtime::Error| LoadError::Compile(format!("{error:#}"));
        let engine = self.engine.engine();
        let kept = self.cache.as_ref().and_then(|cache| cache.load(engine, hash));
        let component = match kept {
            Some(component) => component,
            None => {
                let component = Component::from_binary(engine, component).map_err(refused)?;
                if let Some(cache) = &self.cache {
                    let mut keeping = lock(&self.keeping);
                    keeping.retain(|thread| !thread.is_finished());
                    keeping.extend(CodeCache::keep(cache, hash, &component));
                }
                component
            }
        };
        let required = component.resources_required();
        let pages = required.and_then(|required| required.max_initial_memory_size).unwrap_or(0);
        let linker = self.engine.linker(surface.needs_wasi());
        let pre = linker.instantiate_pre(&component).and_then(AgentPre::new).map_err(refused)?;
        Ok(Prepared { hash, surface, memory_min: pages.saturating_mul(PAGE_BYTES), pre })
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        for thread in std::mem::take(&mut *lock(&self.keeping)) {
            // What it could not keep costs the next start time, and nothing else.
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A whole parse, without validation.
///
/// # Errors
/// When the bytes are no wasm, or not all of it.
pub(crate) fn parse(bytes: &[u8]) -> Result<(), LoadError> {
    if bytes.is_empty() {
        return Err(LoadError::Empty);
    }
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if !bytes.starts_with(b"\0asm") {
        if bytes.len() < 4 && b"\0asm".starts_with(bytes) {
            return Err(LoadError::Truncated { bytes: size });
        }
        return Err(if is_text(bytes) { LoadError::Text } else { LoadError::NotWasm });
    }
    for payload in wasmparser::Parser::new(0).parse_all(bytes) {
        if let Err(error) = payload {
            let at_end = error.offset() >= size;
            let cut_off = at_end || error.message().contains("unexpected end");
            return Err(if cut_off {
                LoadError::Truncated { bytes: size }
            } else {
                LoadError::Malformed(error.to_string())
            });
        }
    }
    Ok(())
}

/// Whether a file begins like a text.
fn is_text(bytes: &[u8]) -> bool {
    let beginning = &bytes[..bytes.len().min(512)];
    let is_utf8 = match std::str::from_utf8(beginning) {
        Ok(_) => true,
        // A character that goes on beyond the beginning.
        Err(error) => error.error_len().is_none(),
    };
    is_utf8 && !beginning.contains(&0)
}

/// The component in these bytes: none if they are one already. Whether it was made from a module.
fn componentize(bytes: &[u8]) -> Result<(Option<Vec<u8>>, bool), LoadError> {
    parse(bytes)?;
    if wasmparser::Parser::is_component(bytes) {
        return Ok((None, false));
    }
    let (imports, types) = module_surface(bytes)?;
    if imports.iter().any(|module| module == "wasi_snapshot_preview1") {
        return Err(LoadError::WasiPreview1);
    }
    if types.is_empty() {
        return Err(LoadError::NoComponentType);
    }
    types.into_iter().try_for_each(check_type)?;
    let refused = |error: &dyn fmt::Display| LoadError::Componentize(format!("{error:#}"));
    let mut encoder = wit_component::ComponentEncoder::default();
    encoder.validate(true).module(bytes).map_err(|error| refused(&error))?;
    let component = encoder.encode().map_err(|error| refused(&error))?;
    Ok((Some(component), true))
}

/// Refuses a component type whose packages need each other in a circle. No compiler writes one,
/// and the encoder follows such a circle until the stack is full, which nothing can contain.
fn check_type(section: &[u8]) -> Result<(), LoadError> {
    let (resolve, _) = wit_parser::decoding::decode_world(section)
        .map_err(|error| LoadError::Componentize(format!("{error:#}")))?;
    let count = resolve.packages.len();
    if count > PACKAGES_MAX {
        let problem =
            format!("its component type has {count} packages, the limit is {PACKAGES_MAX}");
        return Err(LoadError::Malformed(problem));
    }
    let mut left: Vec<_> = resolve.packages.iter().map(|(id, _)| id).collect();
    loop {
        let before = left.len();
        let open = left.clone();
        left.retain(|id| resolve.package_direct_deps(*id).any(|needed| open.contains(&needed)));
        if left.is_empty() {
            return Ok(());
        }
        if left.len() == before {
            let name = &resolve.packages[left[0]].name;
            let problem = format!("the package {name} of its component type needs itself");
            return Err(LoadError::Malformed(problem));
        }
    }
}

/// The modules that a core module imports from, and the component types that it carries.
fn module_surface(bytes: &[u8]) -> Result<(Vec<String>, Vec<&[u8]>), LoadError> {
    let malformed = |error: wasmparser::BinaryReaderError| LoadError::Malformed(error.to_string());
    let mut imports = vec![];
    let mut types = vec![];
    for payload in wasmparser::Parser::new(0).parse_all(bytes) {
        match payload.map_err(malformed)? {
            wasmparser::Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    imports.push(import.map_err(malformed)?.module.to_owned());
                }
            }
            wasmparser::Payload::CustomSection(section)
                if section.name().starts_with("component-type") =>
            {
                types.push(section.data());
            }
            _ => {}
        }
    }
    Ok((imports, types))
}
