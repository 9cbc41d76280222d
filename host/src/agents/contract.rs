//! What the host and an agent must agree on: the world of `wit/agent.wit`, compared with what a
//! component really imports and exports. The runtime would find the same differences when it
//! links, but in words about its linker; here each is a line for the agent's author.

use std::fmt;

use wit_parser::{
    Function, InterfaceId, Resolve, Type, TypeDefKind, TypeId, World, WorldId, WorldItem, WorldKey,
};

/// The contract's package, without its version.
const PACKAGE: &str = "hotpit:agent/";

/// The versions of the contract that this host speaks, for people.
pub const SPOKEN: &str = "0.1.x";

const WIT: &str = include_str!("../../../wit/agent.wit");

/// One way in which a component is not an agent of this host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Something that every agent exports is not there.
    #[error("exports no `{name}`: build it against the world `agent` of hotpit:agent {SPOKEN}")]
    MissingExport {
        /// What is missing.
        name: String,
    },
    /// Something is imported that the host does not have.
    #[error(
        "imports `{name}`, which the host does not offer: an agent may import hotpit:agent {SPOKEN} and WASI 0.2"
    )]
    UnknownImport {
        /// What is imported.
        name: String,
    },
    /// A part of the contract has another type than here.
    #[error(
        "`{name}` has another type than in hotpit:agent {SPOKEN}: {difference}; build it again with this host's SDK"
    )]
    WrongType {
        /// The function.
        name: String,
        /// The first difference.
        difference: String,
    },
    /// It is built against a version of the contract that this host does not speak.
    #[error(
        "is built against `{name}`, and this host speaks hotpit:agent {SPOKEN}: take the agent's release for it, or another host"
    )]
    UnsupportedVersion {
        /// What it names.
        name: String,
    },
}

/// An import or an export of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The interface, or the function if it stands alone.
    pub name: String,
    /// The interface's functions.
    pub functions: Vec<String>,
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if !self.functions.is_empty() {
            write!(f, " ({})", self.functions.join(", "))?;
        }
        Ok(())
    }
}

impl Item {
    /// What the host gives to an agent that imports this, for people.
    #[must_use]
    pub fn grants(&self) -> &'static str {
        let interface = self.name.split('@').next().unwrap_or_default();
        match interface {
            "hotpit:agent/types" => "nothing: it is vocabulary",
            "hotpit:agent/log" => "lines in the host's log, with the agent's name, up to its rate",
            "hotpit:agent/markets" => "the markets it is subscribed to, and their books",
            "hotpit:agent/games" => "the games it is subscribed to",
            "hotpit:agent/portfolio" => "its own positions, orders and budget",
            "wasi:cli/stdout" | "wasi:cli/stderr" => "lines in the host's log",
            _ if interface.starts_with("wasi:clocks/") => {
                "the time of the batch; waiting is over at once"
            }
            _ if interface.starts_with("wasi:random/") => "randomness that the agent's code seeds",
            _ if interface.starts_with("wasi:filesystem/") => "nothing: there are no files",
            _ if interface.starts_with("wasi:sockets/") => "nothing: there is no network",
            _ if is_wasi(interface) => "nothing that reaches outside",
            _ => "nothing: the host does not know it",
        }
    }
}

/// What a component asks for and offers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surface {
    /// What it imports.
    pub imports: Vec<Item>,
    /// What it exports.
    pub exports: Vec<Item>,
    /// The version of hotpit:agent that it was built against, where it names one.
    pub version: Option<String>,
    /// In how far it is no agent of this host.
    pub mismatches: Vec<Mismatch>,
}

impl Surface {
    /// Whether it needs WASI.
    #[must_use]
    pub fn needs_wasi(&self) -> bool {
        self.imports.iter().any(|import| is_wasi(&import.name))
    }
}

fn is_wasi(name: &str) -> bool {
    name.starts_with("wasi:")
}

/// The surface of a component, compared with the host's contract.
///
/// # Errors
/// When the bytes are no component, in the decoder's words.
pub(crate) fn surface(component: &[u8]) -> Result<Surface, String> {
    let decoded = match wit_component::decode(component) {
        Ok(wit_component::DecodedWasm::Component(resolve, world)) => (resolve, world),
        Ok(wit_component::DecodedWasm::WitPackage(..)) => {
            return Err("it is an interface description (WIT), not a component".into());
        }
        Err(error) => return Err(format!("{error:#}")),
    };
    let contract = contract()?;
    Ok(Comparison { theirs: Half::of(&decoded), ours: Half::of(&contract) }.run())
}

/// The host's contract, from the same text that its bindings are generated from.
fn contract() -> Result<(Resolve, WorldId), String> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("agent.wit", WIT).map_err(|error| format!("{error:#}"))?;
    let world =
        resolve.select_world(&[package], Some("agent")).map_err(|error| format!("{error:#}"))?;
    Ok((resolve, world))
}

/// One side of the comparison.
#[derive(Clone, Copy)]
struct Half<'a> {
    resolve: &'a Resolve,
    world: &'a World,
}

impl<'a> Half<'a> {
    fn of((resolve, world): &'a (Resolve, WorldId)) -> Self {
        Self { resolve, world: &resolve.worlds[*world] }
    }

    fn items(
        self,
        items: impl Iterator<Item = (&'a WorldKey, &'a WorldItem)>,
    ) -> Vec<(Item, Option<InterfaceId>)> {
        let item = |(key, item): (&WorldKey, &WorldItem)| {
            let name = self.resolve.name_world_key(key);
            match item {
                WorldItem::Interface { id, .. } => {
                    let interface = &self.resolve.interfaces[*id];
                    let functions = interface.functions.keys().cloned().collect();
                    Some((Item { name, functions }, Some(*id)))
                }
                WorldItem::Function(_) => Some((Item { name, functions: vec![] }, None)),
                WorldItem::Type { .. } => None,
            }
        };
        items.filter_map(item).collect()
    }

    /// The interface of the contract with this name, any version.
    fn interface(self, short: &str) -> Option<InterfaceId> {
        let items = self.world.imports.iter().chain(&self.world.exports);
        items.into_iter().find_map(|(key, item)| match item {
            WorldItem::Interface { id, .. } => {
                let name = self.resolve.name_world_key(key);
                (split(&name)?.0 == short).then_some(*id)
            }
            WorldItem::Function(_) | WorldItem::Type { .. } => None,
        })
    }
}

/// The short name and the version of one of the contract's interfaces.
fn split(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix(PACKAGE)?;
    Some(rest.split_once('@').unwrap_or((rest, "")))
}

/// Whether the host speaks this version. Within 0.1.x, the runtime matches names as we do.
fn is_spoken(version: &str) -> bool {
    version.strip_prefix("0.1.").is_some_and(|patch| patch.parse::<u64>().is_ok())
}

struct Comparison<'a> {
    theirs: Half<'a>,
    ours: Half<'a>,
}

impl Comparison<'_> {
    fn run(self) -> Surface {
        let imports = self.theirs.items(self.theirs.world.imports.iter());
        let exports = self.theirs.items(self.theirs.world.exports.iter());
        let mut surface = Surface::default();
        for (item, interface) in &imports {
            if !is_wasi(&item.name) {
                self.import(item, *interface, &mut surface);
            }
        }
        self.guest(&exports, &mut surface);
        surface.imports = imports.into_iter().map(|(item, _)| item).collect();
        surface.exports = exports.into_iter().map(|(item, _)| item).collect();
        surface
    }

    fn import(&self, item: &Item, theirs: Option<InterfaceId>, surface: &mut Surface) {
        let unknown = Mismatch::UnknownImport { name: item.name.clone() };
        let Some((short, version)) = split(&item.name) else {
            return surface.mismatches.push(unknown);
        };
        surface.version.get_or_insert_with(|| version.to_owned());
        if !is_spoken(version) {
            let name = item.name.clone();
            return surface.mismatches.push(Mismatch::UnsupportedVersion { name });
        }
        let (Some(theirs), Some(ours)) = (theirs, self.ours.interface(short)) else {
            return surface.mismatches.push(unknown);
        };
        for (name, function) in &self.theirs.resolve.interfaces[theirs].functions {
            let full = format!("{}.{name}", item.name);
            match self.ours.resolve.interfaces[ours].functions.get(name) {
                None => surface.mismatches.push(Mismatch::UnknownImport { name: full }),
                Some(known) => surface.mismatches.extend(self.wrong_type(full, function, known)),
            }
        }
    }

    fn guest(&self, exports: &[(Item, Option<InterfaceId>)], surface: &mut Surface) {
        let Some(ours) = self.ours.interface("guest") else { return };
        let is_guest = |item: &Item| split(&item.name).is_some_and(|(short, _)| short == "guest");
        let Some((item, theirs)) = exports.iter().find(|(item, _)| is_guest(item)) else {
            let name = self.ours.resolve.id_of(ours).unwrap_or_default();
            return surface.mismatches.push(Mismatch::MissingExport { name });
        };
        let version = split(&item.name).map(|(_, version)| version).unwrap_or_default();
        surface.version = Some(version.to_owned());
        if !is_spoken(version) {
            let name = item.name.clone();
            return surface.mismatches.push(Mismatch::UnsupportedVersion { name });
        }
        let Some(theirs) = theirs else { return };
        for (name, known) in &self.ours.resolve.interfaces[ours].functions {
            let full = format!("{}.{name}", item.name);
            match self.theirs.resolve.interfaces[*theirs].functions.get(name) {
                None => surface.mismatches.push(Mismatch::MissingExport { name: full }),
                Some(function) => {
                    surface.mismatches.extend(self.wrong_type(full, function, known));
                }
            }
        }
    }

    fn wrong_type(&self, name: String, theirs: &Function, ours: &Function) -> Option<Mismatch> {
        let difference = self.function(theirs, ours)?;
        Some(Mismatch::WrongType { name, difference })
    }

    fn function(&self, theirs: &Function, ours: &Function) -> Option<String> {
        if theirs.params.len() != ours.params.len() {
            let (has, wants) = (theirs.params.len(), ours.params.len());
            return Some(format!("it has {has} parameters, not {wants}"));
        }
        theirs
            .params
            .iter()
            .zip(&ours.params)
            .find_map(|(theirs, ours)| self.ty(theirs.ty, ours.ty, &ours.name))
            .or_else(|| self.optional(theirs.result, ours.result, "the result"))
    }

    fn optional(&self, theirs: Option<Type>, ours: Option<Type>, path: &str) -> Option<String> {
        match (theirs, ours) {
            (None, None) => None,
            (Some(theirs), Some(ours)) => self.ty(theirs, ours, path),
            (Some(_), None) => Some(format!("{path} carries a value, and must not")),
            (None, Some(_)) => Some(format!("{path} carries no value, and must")),
        }
    }

    /// The first difference between two types, names apart.
    fn ty(&self, theirs: Type, ours: Type, path: &str) -> Option<String> {
        let theirs = underlying(self.theirs.resolve, theirs);
        let ours = underlying(self.ours.resolve, ours);
        match (theirs, ours) {
            (Type::Id(theirs), Type::Id(ours)) => self.defined(theirs, ours, path),
            (theirs, ours) if theirs == ours => None,
            _ => Some(format!("{path} is another type")),
        }
    }

    fn defined(&self, theirs: TypeId, ours: TypeId, path: &str) -> Option<String> {
        let known = &self.ours.resolve.types[ours];
        let path = match &known.name {
            Some(name) => format!("{path}: `{name}`"),
            None => path.to_owned(),
        };
        match (&self.theirs.resolve.types[theirs].kind, &known.kind) {
            (TypeDefKind::List(theirs), TypeDefKind::List(ours))
            | (TypeDefKind::Option(theirs), TypeDefKind::Option(ours)) => {
                self.ty(*theirs, *ours, &path)
            }
            (TypeDefKind::Record(theirs), TypeDefKind::Record(ours)) => {
                let fields = theirs.fields.iter().map(|field| (&field.name, Some(field.ty)));
                let wanted = ours.fields.iter().map(|field| (&field.name, Some(field.ty)));
                self.members(fields, wanted, &path, "field")
            }
            (TypeDefKind::Variant(theirs), TypeDefKind::Variant(ours)) => {
                let cases = theirs.cases.iter().map(|case| (&case.name, case.ty));
                let wanted = ours.cases.iter().map(|case| (&case.name, case.ty));
                self.members(cases, wanted, &path, "case")
            }
            (TypeDefKind::Enum(theirs), TypeDefKind::Enum(ours)) => {
                let cases = theirs.cases.iter().map(|case| (&case.name, None));
                let wanted = ours.cases.iter().map(|case| (&case.name, None));
                self.members(cases, wanted, &path, "case")
            }
            (TypeDefKind::Tuple(theirs), TypeDefKind::Tuple(ours))
                if theirs.types.len() == ours.types.len() =>
            {
                let pairs = theirs.types.iter().zip(&ours.types);
                pairs.into_iter().find_map(|(theirs, ours)| self.ty(*theirs, *ours, &path))
            }
            (TypeDefKind::Result(theirs), TypeDefKind::Result(ours)) => self
                .optional(theirs.ok, ours.ok, &path)
                .or_else(|| self.optional(theirs.err, ours.err, &path)),
            // What else there is the contract does not use.
            _ => Some(format!("{path} is another type")),
        }
    }

    fn members<'n>(
        &self,
        theirs: impl ExactSizeIterator<Item = (&'n String, Option<Type>)>,
        ours: impl ExactSizeIterator<Item = (&'n String, Option<Type>)>,
        path: &str,
        what: &str,
    ) -> Option<String> {
        let (has, wants) = (theirs.len(), ours.len());
        for ((name, theirs), (wanted, ours)) in theirs.zip(ours) {
            if name != wanted {
                return Some(format!("{path} has the {what} `{name}` in place of `{wanted}`"));
            }
            let difference = self.optional(theirs, ours, &format!("{path}, {what} `{name}`"));
            if difference.is_some() {
                return difference;
            }
        }
        (has != wants).then(|| format!("{path} has {has} {what}s, not {wants}"))
    }
}

/// The type behind its aliases.
fn underlying(resolve: &Resolve, mut ty: Type) -> Type {
    while let Type::Id(id) = ty {
        let TypeDefKind::Type(target) = resolve.types[id].kind else { break };
        ty = target;
    }
    ty
}
