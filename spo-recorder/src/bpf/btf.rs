//! The running kernel's own description of its types: where members are, and which ids tracepoints have.
//!
//! A kernel has some 100,000 types, and a handful is wanted, so they are not built but walked: one pass notes where each begins
//! and picks out the names that are asked for. The format is described in the kernel's `Documentation/bpf/btf.rst`.

use std::collections::{HashMap, HashSet};

const MAGIC: u16 = 0xeb9f;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const TYPEDEF: u32 = 8;

/// Why a description of types cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BtfError {
    /// The bytes are not BTF, or not of this machine's byte order.
    #[error("it does not begin as BTF of this machine")]
    NotBtf,
    /// It ends in the middle, or points outside of itself.
    #[error("it is damaged at byte {0}")]
    Damaged(usize),
    /// A kind of type that is newer than this program.
    #[error("it has a kind of type ({0}) that is not known here")]
    UnknownKind(u32),
    /// A type or member that this kernel does not have.
    #[error("this kernel has no {0}")]
    Missing(String),
}

/// The types of the kernel.
#[derive(Debug)]
pub(crate) struct KernelTypes<'a> {
    data: &'a [u8],
    strings: &'a [u8],
    /// Where each type begins, by its id; id 0 is `void`.
    starts: Vec<u32>,
    structs: HashMap<&'a [u8], u32>,
    typedefs: HashMap<&'a [u8], u32>,
}

impl<'a> KernelTypes<'a> {
    /// Walks the types, noting the structs and typedefs that are named in `structs` and `typedefs`.
    pub(crate) fn parse(data: &'a [u8], structs: &[&str], typedefs: &[&str]) -> Result<Self, BtfError> {
        if data.get(..2) != Some(&MAGIC.to_ne_bytes()) {
            return Err(BtfError::NotBtf);
        }
        let head = |at| word(data, at).map(|word| word as usize);
        let header = head(4)?;
        let (types, types_length) = (header + head(8)?, head(12)?);
        let (strings, strings_length) = (header + head(16)?, head(20)?);
        let strings = data.get(strings..strings + strings_length).ok_or(BtfError::Damaged(strings))?;
        let types = data.get(..types + types_length).ok_or(BtfError::Damaged(types)).map(|data| (data, types))?;
        let mut all =
            Self { data: types.0, strings, starts: vec![0], structs: HashMap::new(), typedefs: HashMap::new() };
        all.walk(types.1, structs, typedefs)?;
        Ok(all)
    }

    fn walk(&mut self, mut at: usize, structs: &[&str], typedefs: &[&str]) -> Result<(), BtfError> {
        while at < self.data.len() {
            let id = u32::try_from(self.starts.len()).ok().ok_or(BtfError::Damaged(at))?;
            self.starts.push(u32::try_from(at).ok().ok_or(BtfError::Damaged(at))?);
            let header = Header::read(self.data, at)?;
            let (wanted, found) = match header.kind {
                STRUCT => (structs, &mut self.structs),
                TYPEDEF => (typedefs, &mut self.typedefs),
                _ => {
                    at += header.size()?;
                    continue;
                }
            };
            for wanted in wanted {
                if let Some(name) = named(self.strings, header.name, wanted.as_bytes())? {
                    found.entry(name).or_insert(id);
                }
            }
            at += header.size()?;
        }
        Ok(())
    }

    /// Id of the type by which the kernel knows a tracepoint.
    pub(crate) fn tracepoint(&self, name: &str) -> Result<u32, BtfError> {
        let typedef = format!("btf_trace_{name}");
        let found = self.typedefs.get(typedef.as_bytes()).copied();
        found.ok_or_else(|| BtfError::Missing(format!("tracepoint {name}")))
    }

    /// Bytes from the beginning of a struct to a member, or to a member of a member and so on.
    pub(crate) fn offset(&self, of: &str, path: &str) -> Result<u32, BtfError> {
        let missing = || BtfError::Missing(format!("{of}.{path}"));
        let mut id = self.structs.get(of.as_bytes()).copied().ok_or_else(missing)?;
        let mut bits = 0;
        for name in path.split('.') {
            let member = self.member(id, name.as_bytes())?.ok_or_else(missing)?;
            bits = add(bits, member.bits)?;
            id = member.id;
        }
        if bits % 8 == 0 { Ok(bits / 8) } else { Err(missing()) }
    }

    /// A member by name, looked for in members without a name too.
    fn member(&self, id: u32, name: &[u8]) -> Result<Option<Member>, BtfError> {
        let first = self.resolve(id)?;
        let mut structs = vec![(first, 0)];
        // In C no name is there twice, so neither is a struct without one. Damaged ones could stand in each other for ever.
        let mut seen = HashSet::from([first]);
        while let Some((at, bits)) = structs.pop() {
            let header = Header::read(self.data, at)?;
            let members = if matches!(header.kind, STRUCT | UNION) { header.length } else { 0 };
            for index in 0..members {
                let member = Member::read(self.data, at + 12 + 12 * index, header.has_bitfields)?;
                let bits = add(bits, member.bits)?;
                if named(self.strings, member.name, name)?.is_some() {
                    return Ok(Some(Member { bits, ..member }));
                }
                if named(self.strings, member.name, b"")?.is_some() {
                    let inner = self.resolve(member.id)?;
                    structs.extend(seen.insert(inner).then_some((inner, bits)));
                }
            }
        }
        Ok(None)
    }

    /// Where the type begins that an id stands for, once const, volatile and names are taken away.
    fn resolve(&self, mut id: u32) -> Result<usize, BtfError> {
        const CONST: u32 = 10;
        const VOLATILE: u32 = 9;
        const RESTRICT: u32 = 11;
        const TYPE_TAG: u32 = 18;
        /// No kernel has a longer chain; a damaged one could be a circle.
        const LONGEST: usize = 64;
        for _ in 0..LONGEST {
            let start = self.starts.get(id as usize).copied().ok_or(BtfError::Damaged(0))? as usize;
            let header = Header::read(self.data, start)?;
            if !matches!(header.kind, CONST | VOLATILE | RESTRICT | TYPEDEF | TYPE_TAG) || id == 0 {
                return Ok(start);
            }
            id = header.size_or_type;
        }
        Err(BtfError::Damaged(0))
    }
}

struct Header {
    name: u32,
    kind: u32,
    /// Members, parameters, values.
    length: usize,
    has_bitfields: bool,
    size_or_type: u32,
}

impl Header {
    fn read(data: &[u8], at: usize) -> Result<Self, BtfError> {
        let info = word(data, at + 4)?;
        Ok(Self {
            name: word(data, at)?,
            kind: (info >> 24) & 0x1f,
            length: (info & 0xffff) as usize,
            has_bitfields: info >> 31 == 1,
            size_or_type: word(data, at + 8)?,
        })
    }

    /// Bytes of the type in all.
    fn size(&self) -> Result<usize, BtfError> {
        let rest = match self.kind {
            // pointers, forward declarations, typedefs, qualifiers, functions, floats, type tags
            2 | 7..=12 | 16 | 18 => 0,
            // integers, variables, declaration tags
            1 | 14 | 17 => 4,
            // arrays
            3 => 12,
            // structs and unions, sections, 64-bit enumerations
            STRUCT | UNION | 15 | 19 => 12 * self.length,
            // enumerations, function prototypes
            6 | 13 => 8 * self.length,
            kind => return Err(BtfError::UnknownKind(kind)),
        };
        Ok(12 + rest)
    }
}

struct Member {
    name: u32,
    id: u32,
    bits: u32,
}

impl Member {
    fn read(data: &[u8], at: usize, has_bitfields: bool) -> Result<Self, BtfError> {
        let offset = word(data, at + 8)?;
        let bits = if has_bitfields { offset & 0x00ff_ffff } else { offset };
        Ok(Self { name: word(data, at)?, id: word(data, at + 4)?, bits })
    }
}

fn word(data: &[u8], at: usize) -> Result<u32, BtfError> {
    let bytes = data.get(at..).and_then(|rest| rest.first_chunk::<4>()).ok_or(BtfError::Damaged(at))?;
    Ok(u32::from_ne_bytes(*bytes))
}

/// The name that begins at `at`, if it is `name`. It is not looked for further than that: it may be long.
fn named<'a>(strings: &'a [u8], at: u32, name: &[u8]) -> Result<Option<&'a [u8]>, BtfError> {
    let rest = strings.get(at as usize..).ok_or(BtfError::Damaged(at as usize))?;
    let (own, end) = rest.split_at(name.len().min(rest.len()));
    Ok((own == name && end.first().is_none_or(|byte| *byte == 0)).then_some(own))
}

fn add(bits: u32, more: u32) -> Result<u32, BtfError> {
    bits.checked_add(more).ok_or(BtfError::Damaged(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `struct outer { int a; struct { int b; const struct inner c; }; }`, `struct inner { int d; int e; }`, a tracepoint.
    fn sample() -> Vec<u8> {
        let strings = b"\0outer\0a\0b\0c\0inner\0d\0e\0btf_trace_fork\0int\0";
        let at = |name: &str| {
            let needle = format!("\0{name}\0").into_bytes();
            u32::try_from(strings.windows(needle.len()).position(|w| w == needle).unwrap() + 1).unwrap()
        };
        let info = |kind: u32, length: u32| kind << 24 | length;
        let mut types = Vec::<u32>::new();
        types.extend([at("int"), info(1, 0), 4, 32]); // 1
        types.extend([at("inner"), info(STRUCT, 2), 8, at("d"), 1, 0, at("e"), 1, 32]); // 2
        types.extend([0, info(10, 0), 2]); // 3: const inner
        types.extend([0, info(STRUCT, 2), 12, at("b"), 1, 0, at("c"), 3, 32]); // 4
        types.extend([at("outer"), info(STRUCT, 2), 16, at("a"), 1, 0, 0, 4, 32]); // 5
        types.extend([at("btf_trace_fork"), info(TYPEDEF, 0), 1]); // 6
        let length = u32::try_from(types.len() * 4).unwrap();
        let mut data = Vec::new();
        data.extend(MAGIC.to_ne_bytes());
        data.extend([1, 0]);
        for word in [24, 0, length, length, u32::try_from(strings.len()).unwrap()].iter().chain(&types) {
            data.extend(word.to_ne_bytes());
        }
        data.extend(strings);
        data
    }

    fn parse(data: &[u8]) -> Result<KernelTypes<'_>, BtfError> {
        KernelTypes::parse(data, &["outer", "inner"], &["btf_trace_fork"])
    }

    #[test]
    fn members_are_found_through_members_without_name_and_through_qualifiers() {
        let data = sample();
        let types = parse(&data).unwrap();
        assert_eq!(types.offset("outer", "a"), Ok(0));
        assert_eq!(types.offset("outer", "b"), Ok(4));
        assert_eq!(types.offset("outer", "c.e"), Ok(12));
        assert_eq!(types.tracepoint("fork"), Ok(6));
    }

    #[test]
    fn what_the_kernel_does_not_have_is_named() {
        let data = sample();
        let types = parse(&data).unwrap();
        let message = types.offset("outer", "c.f").unwrap_err().to_string();
        assert_eq!(message, "this kernel has no outer.c.f");
        assert_eq!(types.tracepoint("exec").unwrap_err().to_string(), "this kernel has no tracepoint exec");
    }

    #[test]
    fn other_bytes_are_not_btf() {
        assert_eq!(parse(b"\x7fELF").unwrap_err(), BtfError::NotBtf);
        assert_eq!(parse(b"").unwrap_err(), BtfError::NotBtf);
    }

    proptest! {
        #[test]
        fn damaged_types_never_panic(at in 0..200_usize, byte in any::<u8>(), cut in 0..300_usize) {
            let mut data = sample();
            let length = data.len();
            data[at % length] = byte;
            data.truncate(cut);
            if let Ok(types) = parse(&data) {
                let _ = types.offset("outer", "c.e");
            }
        }
    }
}
