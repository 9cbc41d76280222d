//! [`CodeCache`]: what agents were compiled to, kept on disk so that the next start need not
//! compile again.
//!
//! Loading compiled code is running it: it was checked when it was compiled, and is not checked
//! again. So the folder is the host's own, and never the agents'. What this promises: code is
//! loaded only from files that this user alone can write, that are whole, and that an engine with
//! the same version, settings and processor wrote. Whatever does not hold is compiled anew.

use std::fs::{self, DirBuilder, File, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use aws_lc_rs::digest;
use hotpit_rt::user;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::loader::ContentHash;

/// How a file begins: the format, and what does not change with it.
const MAGIC: &[u8] = b"hotpit compiled agent 1\n";

/// The bytes of a SHA-256.
const DIGEST_BYTES: usize = 32;

/// How many files are kept; the oldest go.
const FILES_MAX: usize = 256;

/// How the files end.
const SUFFIX: &str = "code";

/// Compiled agents of one engine, by the hash of the file that they were compiled from.
#[derive(Debug)]
pub(crate) struct CodeCache {
    folder: PathBuf,
    /// What stands for the engine's version, settings and processor.
    engine: String,
}

impl CodeCache {
    /// The cache in this folder, which is made when something is kept.
    pub(crate) fn new(folder: &Path, engine: &Engine) -> Self {
        // The version that compiled code carries names the major release alone; this names all of
        // it, so that no code of a release with a known hole is loaded by the one that mends it.
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Self { folder: folder.to_owned(), engine: format!("{:016x}", hasher.finish()) }
    }

    /// What was compiled from the file with this hash; none if it is not here, or not to be
    /// trusted.
    pub(crate) fn load(&self, engine: &Engine, hash: ContentHash) -> Option<Component> {
        let code = match self.read(hash) {
            Ok(code) => code?,
            Err(error) => {
                tracing::warn!(folder = %self.folder.display(), %error, "compiled code is not used");
                return None;
            }
        };
        // SAFETY: `deserialize` runs what it is given, so it must be what `serialize` gave. The
        // file is in a folder, and is a file, that belong to this user and that nobody else can
        // write (`read` checks both), and its name holds the hash of the engine that wrote it:
        // version, settings, processor features. Its digest shows that it is whole. Who can
        // write there all the same is this user, who could as well replace the host.
        #[expect(unsafe_code, reason = "there is no safe way to load compiled code")]
        let component = unsafe { Component::deserialize(engine, code) };
        component
            .inspect_err(|error| tracing::warn!(%hash, %error, "compiled code is refused"))
            .ok()
    }

    /// [`store`](Self::store) on a thread of its own, which is given back: the agent need not wait
    /// for the disk.
    pub(crate) fn keep(
        cache: &Arc<Self>,
        hash: ContentHash,
        component: &Component,
    ) -> Option<JoinHandle<()>> {
        let (cache, component) = (Arc::clone(cache), component.clone());
        let store = move || cache.store(hash, &component);
        std::thread::Builder::new()
            .name("code-cache".to_owned())
            .spawn(store)
            .inspect_err(|error| {
                tracing::warn!(%hash, %error, "compiled code is not kept: no thread");
            })
            .ok()
    }

    /// Keeps what a file was compiled to. That it cannot be kept costs the next start time, and
    /// nothing else.
    pub(crate) fn store(&self, hash: ContentHash, component: &Component) {
        let written = component
            .serialize()
            .map_err(|error| io::Error::other(format!("{error:#}")))
            .and_then(|code| self.write(hash, &code));
        if let Err(error) = written {
            tracing::warn!(folder = %self.folder.display(), %error, "compiled code is not kept");
        }
    }

    fn path(&self, hash: ContentHash) -> PathBuf {
        self.folder.join(format!("{hash}-{}.{SUFFIX}", self.engine))
    }

    /// The code in a file; none if there is none.
    fn read(&self, hash: ContentHash) -> io::Result<Option<Vec<u8>>> {
        let mut file = match File::open(self.path(hash)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        must_be_ours(&fs::symlink_metadata(&self.folder)?, "the folder")?;
        must_be_ours(&file.metadata()?, "the file")?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the file is damaged");
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(damaged)?;
        let (sum, code) = rest.split_at_checked(DIGEST_BYTES).ok_or_else(damaged)?;
        if digest::digest(&digest::SHA256, code).as_ref() != sum {
            return Err(damaged());
        }
        Ok(Some(code.to_vec()))
    }

    fn write(&self, hash: ContentHash, code: &[u8]) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        must_be_ours(&fs::symlink_metadata(&self.folder)?, "the folder")?;
        self.make_room()?;
        let path = self.path(hash);
        let partial = path.with_extension("partial");
        // One that was left behind must not keep its owner or its mode.
        match fs::remove_file(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&partial)?;
        file.write_all(MAGIC)?;
        file.write_all(digest::digest(&digest::SHA256, code).as_ref())?;
        file.write_all(code)?;
        fs::rename(&partial, &path)
    }

    fn make_room(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == SUFFIX) {
                files.push((path.metadata()?.modified()?, path));
            }
        }
        files.sort_unstable();
        let surplus = (files.len() + 1).saturating_sub(FILES_MAX);
        files.into_iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
    }
}

/// Refuses what somebody else owns or can write.
fn must_be_ours(metadata: &Metadata, what: &str) -> io::Result<()> {
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o777);
    if owner != user::effective_id() || mode & 0o022 != 0 {
        let error = format!(
            "{what} belongs to user {owner} with mode {mode:o}: it must be this user's, and \
             writable by nobody else"
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, error));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::engine::AgentEngine;
    use super::*;

    struct Bench {
        engine: AgentEngine,
        _folder: tempfile::TempDir,
        folder: PathBuf,
        hash: ContentHash,
        component: Component,
    }

    impl Bench {
        fn new() -> Self {
            let engine = AgentEngine::new().unwrap();
            let folder = tempfile::tempdir().unwrap();
            let wasm = wat::parse_str("(component)").unwrap();
            let component = Component::from_binary(engine.engine(), &wasm).unwrap();
            Self {
                engine,
                folder: folder.path().join("code"),
                _folder: folder,
                hash: ContentHash::of(&wasm),
                component,
            }
        }

        fn cache(&self) -> CodeCache {
            CodeCache::new(&self.folder, self.engine.engine())
        }

        fn loads(&self) -> bool {
            self.cache().load(self.engine.engine(), self.hash).is_some()
        }

        fn file(&self) -> PathBuf {
            self.cache().path(self.hash)
        }
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o777
    }

    #[test]
    fn what_was_compiled_is_loaded_again_from_a_folder_of_our_own() {
        let bench = Bench::new();
        assert!(!bench.loads());
        bench.cache().store(bench.hash, &bench.component);
        assert!(bench.loads());
        assert_eq!((mode(&bench.folder), mode(&bench.file())), (0o700, 0o600));
        let other = ContentHash::of(b"other");
        assert!(bench.cache().load(bench.engine.engine(), other).is_none());
        let engine = CodeCache { engine: "0123".to_owned(), ..bench.cache() };
        assert!(engine.load(bench.engine.engine(), bench.hash).is_none(), "of another engine");
    }

    #[test]
    fn what_others_can_write_or_is_damaged_is_not_loaded() {
        let bench = Bench::new();
        bench.cache().store(bench.hash, &bench.component);
        for (path, loose, tight) in [(&bench.folder, 0o777, 0o700), (&bench.file(), 0o666, 0o600)] {
            fs::set_permissions(path, PermissionsExt::from_mode(loose)).unwrap();
            assert!(!bench.loads(), "{}", path.display());
            fs::set_permissions(path, PermissionsExt::from_mode(tight)).unwrap();
            assert!(bench.loads(), "{}", path.display());
        }
        let whole = fs::read(bench.file()).unwrap();
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        for damaged in [&whole[..whole.len() - 1], &whole[..10], &[], &flipped] {
            fs::write(bench.file(), damaged).unwrap();
            assert!(!bench.loads());
        }
        bench.cache().store(bench.hash, &bench.component);
        assert!(bench.loads(), "it is written anew");
    }

    #[test]
    fn the_oldest_make_room() {
        let bench = Bench::new();
        let cache = bench.cache();
        for number in 0..FILES_MAX + 3 {
            let hash = ContentHash::of(&number.to_le_bytes());
            cache.write(hash, b"code").unwrap();
            let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(number as u64);
            File::options().append(true).open(cache.path(hash)).unwrap().set_modified(old).unwrap();
        }
        assert_eq!(fs::read_dir(&bench.folder).unwrap().count(), FILES_MAX);
        assert!(!cache.path(ContentHash::of(&0_usize.to_le_bytes())).exists());
        assert!(cache.path(ContentHash::of(&(FILES_MAX + 2).to_le_bytes())).exists());
    }
}
