//! Blocks: the facts that an agent made in one go, and their bytes. The unit of exchange, of storage and of the state digest.
//!
//! `docs/wire-format.md` specifies the form. Integers are LEB128 varints in their shortest form.

use eqmesh_egraph::color::Color;
use eqmesh_egraph::operator::{Operator, Output, Sort};
use std::collections::BTreeMap;

use eqmesh_egraph::rule::MAX_ARITY;
use eqmesh_egraph::term::MAX_TERM_TEXT;
use eqmesh_egraph::value::Value;

use crate::fault::Fault;
use crate::version::{AgentId, Dot, Name, VersionVector};

/// The first bytes of a block: a magic number and the version.
const MAGIC: &[u8; 4] = b"eqb\x01";

/// The longest block, in bytes.
pub const MAX_BLOCK: usize = 256 << 20;

const CHECKSUM: usize = 8;

/// How much of the hash chain a block tells, in bytes.
pub(crate) const PARENT: usize = 8;

/// A table is not made larger than this before its content is there to be seen.
const TRUSTED_COUNT: usize = 1 << 10;

/// What stands under a node of a fact's term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BodyArgument {
    /// An earlier node of the same body.
    Node(u32),
    /// A node that an earlier fact named.
    Name(Name),
    /// A primitive value.
    Value(Value),
}

/// A term in a fact: nodes with their operator (by position in the block's table), children before parents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) nodes: Vec<(u32, Vec<BodyArgument>)>,
    /// The whole term where there are no nodes; otherwise the last node is.
    pub(crate) reference: Option<Name>,
}

/// Facts of one kind in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// One rule: its program.
    Rule(Vec<u8>),
    /// One term.
    Term {
        label: Option<String>,
        color: Color,
        body: Body,
    },
    /// One equality that the user asserted.
    Equal { left: Body, right: Body },
    /// Applications of one rule. `nodes` has `width` references for each: positions in the order of all nodes that the block's base names.
    Apply {
        rule: Dot,
        width: u32,
        count: u32,
        nodes: Vec<u32>,
    },
    /// One certificate: for each agent the facts up to this sequence.
    Certify(Vec<Dot>),
    /// Every member has the facts up to a version vector; their snapshot stands for them from now on. See [`crate::era`].
    Cut(Cut),
}

/// What a cut says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// 1 + the greatest number among the cuts of the block's base.
    pub(crate) number: u32,
    /// What every member has acknowledged.
    pub(crate) version: VersionVector,
    /// BLAKE3 of the snapshot of the facts up to there.
    pub(crate) digest: [u8; 32],
}

impl Segment {
    /// How many facts it holds.
    pub(crate) fn facts(&self) -> u64 {
        match self {
            Segment::Apply { count, .. } => u64::from(*count),
            _ => 1,
        }
    }
}

/// A block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) origin: AgentId,
    /// The sequence of the first fact.
    pub(crate) first: u64,
    /// The beginning of the origin's hash chain before this block: a block belongs to one history only.
    pub(crate) parent: [u8; PARENT],
    /// 1 + the greatest height among the blocks of the base and the agent's own block before this one.
    pub(crate) height: u32,
    /// What the origin had closed over when it made these facts: the causal past in which they are checked.
    pub(crate) base: VersionVector,
    pub(crate) operators: Vec<Operator>,
    pub(crate) segments: Vec<Segment>,
}

/// Appends a varint.
pub(crate) fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

pub(crate) fn put_bytes(bytes: &mut Vec<u8>, content: &[u8]) {
    put(bytes, content.len() as u64);
    bytes.extend_from_slice(content);
}

pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Appends a version vector.
pub(crate) fn put_vector(bytes: &mut Vec<u8>, version: &VersionVector) {
    put(bytes, version.iter().len() as u64);
    for dot in version.iter() {
        put(bytes, u64::from(dot.agent.0));
        put(bytes, dot.sequence);
    }
}

/// Appends an operator.
pub(crate) fn put_operator(bytes: &mut Vec<u8>, operator: &Operator) {
    put_bytes(bytes, operator.name.as_bytes());
    put(bytes, operator.columns.len() as u64);
    for column in &operator.columns {
        put_bytes(bytes, column.name().as_bytes());
    }
    put_bytes(bytes, operator.output.sort().as_bytes());
    put(bytes, operator.cost);
}

/// Appends a value.
pub(crate) fn put_value(bytes: &mut Vec<u8>, value: &Value) {
    put_bytes(
        bytes,
        &postcard::to_allocvec(value).expect("values serialise into memory"),
    );
}

/// Appends the checksum of all before it.
pub(crate) fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = blake3::hash(&bytes);
    bytes.extend_from_slice(&checksum.as_bytes()[..CHECKSUM]);
    bytes
}

/// Reads from bytes that anybody may have sent.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// Reads what stands between a magic number and a checksum; `what` is said to be malformed if it is.
    pub(crate) fn open(bytes: &'a [u8], magic: &[u8], what: &'static str) -> Result<Reader<'a>, Fault> {
        let mut reader = Reader {
            bytes,
            at: magic.len(),
            what,
        };
        if bytes.len() < magic.len() + CHECKSUM || &bytes[..magic.len()] != magic {
            return Err(reader.malformed("it does not begin with the magic number of version 1"));
        }
        let (content, checksum) = bytes.split_at(bytes.len() - CHECKSUM);
        if blake3::hash(content).as_bytes()[..CHECKSUM] != *checksum {
            return Err(reader.malformed("the checksum does not fit"));
        }
        reader.bytes = content;
        Ok(reader)
    }

    /// How many bytes there are in all.
    pub(crate) fn total(&self) -> usize {
        self.bytes.len()
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(crate) fn malformed(&self, why: &str) -> Fault {
        Fault::Malformed(format!("not a {}: {why}", self.what))
    }

    /// Fails if anything is left.
    pub(crate) fn end(&self) -> Result<(), Fault> {
        if self.at < self.bytes.len() {
            return Err(self.malformed("bytes follow its end"));
        }
        Ok(())
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Fault> {
        let byte = *self
            .bytes
            .get(self.at)
            .ok_or_else(|| self.malformed("it ends too early"))?;
        self.at += 1;
        Ok(byte)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let array = self.bytes[self.at..]
            .first_chunk::<N>()
            .ok_or_else(|| self.malformed("it ends too early"))?;
        self.at += N;
        Ok(*array)
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits || byte == 0 && shift > 0 {
                return Err(self.malformed("a varint is too large or not in its shortest form"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.malformed("a varint is too long"))
    }

    pub(crate) fn small(&mut self) -> Result<u32, Fault> {
        u32::try_from(self.varint()?).map_err(|_| self.malformed("a number is too large"))
    }

    /// A count of things that take at least one byte each.
    pub(crate) fn count(&mut self) -> Result<usize, Fault> {
        let count = self.varint()?;
        if count > self.left() as u64 {
            return Err(self.malformed("a count is larger than what follows"));
        }
        Ok(count as usize)
    }

    pub(crate) fn value(&mut self) -> Result<Value, Fault> {
        let bytes = self.slice()?;
        let value = postcard::from_bytes(bytes).map_err(|_| self.malformed("a value cannot be read"))?;
        if postcard::to_allocvec(&value).ok().as_deref() != Some(bytes) {
            return Err(self.malformed("a value is not in its canonical form"));
        }
        Ok(value)
    }

    pub(crate) fn slice(&mut self) -> Result<&'a [u8], Fault> {
        let count = self.count()?;
        let slice = &self.bytes[self.at..self.at + count];
        self.at += count;
        Ok(slice)
    }

    pub(crate) fn string(&mut self) -> Result<String, Fault> {
        String::from_utf8(self.slice()?.to_vec()).map_err(|_| self.malformed("a name is not UTF-8"))
    }

    pub(crate) fn vector(&mut self) -> Result<VersionVector, Fault> {
        let mut previous = None;
        let mut version = VersionVector::default();
        for _ in 0..self.count()? {
            let (agent, sequence) = (self.small()?, self.varint()?);
            if previous.is_some_and(|previous| previous >= agent) || sequence == 0 {
                return Err(self.malformed("a version vector is not in order"));
            }
            previous = Some(agent);
            version.raise(AgentId(agent), sequence);
        }
        Ok(version)
    }
}

/// Which facts a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Who made them.
    pub origin: AgentId,
    /// The sequence of the first,
    pub first: u64,
    /// and of the last.
    pub last: u64,
}

/// Which facts a block says that it holds; only its form is checked. O(its bytes).
pub fn span(bytes: &[u8]) -> Result<Span, Fault> {
    let block = Block::decode(bytes)?;
    Ok(Span {
        origin: block.origin,
        first: block.first,
        last: block.first + block.facts().saturating_sub(1),
    })
}

impl Body {
    /// The term as text, its references by the labels that stand for them. None if one has no label, or the text would be too long.
    pub(crate) fn text(&self, operators: &[Operator], labels: &BTreeMap<Name, String>) -> Option<String> {
        let Some(root) = self.nodes.len().checked_sub(1) else {
            return labels.get(&self.reference?).cloned();
        };
        let mut text = String::new();
        let mut stack = vec![(root, 0usize)];
        while let Some((node, from)) = stack.pop() {
            if text.len() > MAX_TERM_TEXT {
                return None;
            }
            let (operator, arguments) = &self.nodes[node];
            let operator = &operators[*operator as usize];
            if arguments.is_empty() && operator.is_untyped() {
                text.push_str(&operator.name);
                continue;
            }
            if from == 0 {
                text.push('(');
                text.push_str(&operator.name);
            }
            let mut below = None;
            let mut column = from;
            while below.is_none() && column < arguments.len() {
                text.push(' ');
                match &arguments[column] {
                    BodyArgument::Node(position) => below = Some(*position as usize),
                    BodyArgument::Name(name) => text.push_str(labels.get(name)?),
                    BodyArgument::Value(value) => text.push_str(&value.to_string()),
                }
                column += 1;
            }
            match below {
                Some(below) => stack.extend([(node, column), (below, 0)]),
                None => text.push(')'),
            }
        }
        Some(text)
    }

    fn put(&self, bytes: &mut Vec<u8>) {
        put(bytes, self.nodes.len() as u64);
        for (operator, arguments) in &self.nodes {
            put(bytes, u64::from(*operator));
            for argument in arguments {
                match argument {
                    BodyArgument::Node(position) => {
                        bytes.push(0);
                        put(bytes, u64::from(*position));
                    }
                    BodyArgument::Name(name) => {
                        bytes.push(1);
                        put(bytes, u64::from(name.agent.0));
                        put(bytes, u64::from(name.ordinal));
                    }
                    BodyArgument::Value(value) => {
                        bytes.push(2);
                        put_value(bytes, value);
                    }
                }
            }
        }
        if let Some(name) = self.reference {
            put(bytes, u64::from(name.agent.0));
            put(bytes, u64::from(name.ordinal));
        }
    }

    fn read(reader: &mut Reader<'_>, operators: &[Operator]) -> Result<Body, Fault> {
        let count = reader.count()?;
        let mut nodes = Vec::with_capacity(count.min(TRUSTED_COUNT));
        for position in 0..count as u32 {
            let operator = reader.small()?;
            let columns = &operators
                .get(operator as usize)
                .ok_or_else(|| reader.malformed("an operator is not in its table"))?
                .columns;
            let mut arguments = Vec::with_capacity(columns.len());
            for column in columns {
                let argument = match reader.byte()? {
                    0 => BodyArgument::Node(reader.small()?),
                    1 => BodyArgument::Name(Name {
                        agent: AgentId(reader.small()?),
                        ordinal: reader.small()?,
                    }),
                    2 => BodyArgument::Value(reader.value()?),
                    _ => return Err(reader.malformed("an argument is of no known kind")),
                };
                let fits = match (&argument, column) {
                    (BodyArgument::Node(below), Sort::Class(_)) => *below < position,
                    (BodyArgument::Name(_), Sort::Class(_)) => true,
                    (BodyArgument::Value(value), Sort::Value(sort)) => value.value_type() == *sort,
                    _ => false,
                };
                if !fits {
                    return Err(reader.malformed("an argument does not fit its column"));
                }
                arguments.push(argument);
            }
            nodes.push((operator, arguments));
        }
        let reference = if nodes.is_empty() {
            Some(Name {
                agent: AgentId(reader.small()?),
                ordinal: reader.small()?,
            })
        } else {
            None
        };
        Ok(Body { nodes, reference })
    }
}

impl Block {
    /// How many facts it holds.
    pub(crate) fn facts(&self) -> u64 {
        self.segments.iter().map(Segment::facts).sum()
    }

    /// Whether it holds other facts than certificates and cuts.
    pub(crate) fn makes_claims(&self) -> bool {
        self.segments
            .iter()
            .any(|segment| !matches!(segment, Segment::Certify(_) | Segment::Cut(_)))
    }

    /// Splits it into its first facts and the others.
    pub(crate) fn split(mut self, facts: u64) -> (Block, Block) {
        let mut rest = Block {
            first: self.first + facts,
            segments: Vec::new(),
            base: self.base.clone(),
            operators: self.operators.clone(),
            ..self
        };
        let mut left = facts;
        let mut segments = std::mem::take(&mut self.segments).into_iter();
        for mut segment in segments.by_ref() {
            if left >= segment.facts() {
                left -= segment.facts();
                self.segments.push(segment);
                continue;
            }
            if left > 0
                && let Segment::Apply {
                    rule,
                    width,
                    count,
                    nodes,
                } = &mut segment
            {
                let behind = nodes.split_off(*width as usize * left as usize);
                let after = Segment::Apply {
                    rule: *rule,
                    width: *width,
                    count: *count - left as u32,
                    nodes: behind,
                };
                *count = left as u32;
                self.segments.push(segment);
                rest.segments.push(after);
            } else {
                rest.segments.push(segment);
            }
            break;
        }
        rest.segments.extend(segments);
        (self, rest)
    }

    /// The block's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        put(&mut bytes, u64::from(self.origin.0));
        put(&mut bytes, self.first);
        bytes.extend_from_slice(&self.parent);
        put(&mut bytes, u64::from(self.height));
        put_vector(&mut bytes, &self.base);
        put(&mut bytes, self.operators.len() as u64);
        for operator in &self.operators {
            put_operator(&mut bytes, operator);
        }
        put(&mut bytes, self.segments.len() as u64);
        for segment in &self.segments {
            match segment {
                Segment::Rule(program) => {
                    bytes.push(0);
                    put_bytes(&mut bytes, program);
                }
                Segment::Term { label, color, body } => {
                    bytes.push(1);
                    bytes.push(*color as u8 | u8::from(label.is_some()) << 2);
                    if let Some(label) = label {
                        put_bytes(&mut bytes, label.as_bytes());
                    }
                    body.put(&mut bytes);
                }
                Segment::Equal { left, right } => {
                    bytes.push(2);
                    left.put(&mut bytes);
                    right.put(&mut bytes);
                }
                Segment::Apply {
                    rule,
                    width,
                    count,
                    nodes,
                } => {
                    bytes.push(3);
                    put(&mut bytes, u64::from(rule.agent.0));
                    put(&mut bytes, rule.sequence);
                    put(&mut bytes, u64::from(*width));
                    put(&mut bytes, u64::from(*count));
                    // By column, each as the difference to the match before: roots ascend.
                    for column in 0..*width as usize {
                        let mut previous = 0i64;
                        for chunk in nodes.chunks_exact(*width as usize) {
                            let node = i64::from(chunk[column]);
                            put(&mut bytes, zigzag(node - previous));
                            previous = node;
                        }
                    }
                }
                Segment::Certify(dots) => {
                    bytes.push(4);
                    put_vector(&mut bytes, &dots.iter().copied().collect());
                }
                Segment::Cut(cut) => {
                    bytes.push(5);
                    put(&mut bytes, u64::from(cut.number));
                    put_vector(&mut bytes, &cut.version);
                    bytes.extend_from_slice(&cut.digest);
                }
            }
        }
        seal(bytes)
    }

    /// Reads a block. Never panics; allocates at most a small multiple of the input.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Block, Fault> {
        if bytes.len() > MAX_BLOCK {
            return Err(Fault::Limit(format!("a block has at most {MAX_BLOCK} bytes")));
        }
        let mut reader = Reader::open(bytes, MAGIC, "block")?;
        let origin = AgentId(reader.small()?);
        let first = reader.varint()?;
        let parent = reader.array()?;
        let height = reader.small()?;
        if first == 0 || height == 0 {
            return Err(reader.malformed("sequences and heights begin with 1"));
        }
        let base = reader.vector()?;
        let mut operators = Vec::new();
        for _ in 0..reader.count()? {
            operators.push(read_operator(&mut reader)?);
        }
        let mut segments = Vec::new();
        for _ in 0..reader.count()? {
            segments.push(read_segment(&mut reader, &operators)?);
        }
        reader.end()?;
        let block = Block {
            origin,
            first,
            parent,
            height,
            base,
            operators,
            segments,
        };
        if block.first.checked_add(block.facts()).is_none() {
            return Err(reader.malformed("its sequences are too large"));
        }
        Ok(block)
    }
}

pub(crate) fn read_operator(reader: &mut Reader<'_>) -> Result<Operator, Fault> {
    let name = reader.string()?;
    let arity = reader.count()?;
    if arity > MAX_ARITY || name.is_empty() {
        return Err(reader.malformed("an operator has no name or too many columns"));
    }
    let mut columns = Vec::with_capacity(arity);
    for _ in 0..arity {
        columns.push(Sort::from_name(&reader.string()?));
    }
    let Sort::Class(sort) = Sort::from_name(&reader.string()?) else {
        return Err(reader.malformed("an operator's result is primitive"));
    };
    Ok(Operator {
        name,
        columns,
        output: Output::Class(sort),
        cost: reader.varint()?,
    })
}

fn read_segment(reader: &mut Reader<'_>, operators: &[Operator]) -> Result<Segment, Fault> {
    Ok(match reader.byte()? {
        0 => Segment::Rule(reader.slice()?.to_vec()),
        1 => {
            let flags = reader.byte()?;
            let color = [Color::Green, Color::Blue, Color::Red]
                .into_iter()
                .find(|color| *color as u8 == flags & 3);
            let Some(color) = color.filter(|_| flags < 8) else {
                return Err(reader.malformed("a term has no known color"));
            };
            let label = if flags & 4 == 4 { Some(reader.string()?) } else { None };
            Segment::Term {
                label,
                color,
                body: Body::read(reader, operators)?,
            }
        }
        2 => Segment::Equal {
            left: Body::read(reader, operators)?,
            right: Body::read(reader, operators)?,
        },
        3 => {
            let rule = Dot {
                agent: AgentId(reader.small()?),
                sequence: reader.varint()?,
            };
            let (width, count) = (reader.small()?, reader.small()?);
            let total = u64::from(width) * u64::from(count);
            if width == 0 && count != 1 || count == 0 || total > reader.left() as u64 {
                return Err(reader.malformed("it claims more applications than it holds"));
            }
            let (width, mut nodes) = (width as usize, vec![0u32; total as usize]);
            for column in 0..width {
                let mut previous = 0i64;
                for chunk in nodes.chunks_exact_mut(width) {
                    previous = previous
                        .checked_add(unzigzag(reader.varint()?))
                        .ok_or_else(|| reader.malformed("a reference is too large"))?;
                    chunk[column] =
                        u32::try_from(previous).map_err(|_| reader.malformed("a reference is out of range"))?;
                }
            }
            Segment::Apply {
                rule,
                width: width as u32,
                count,
                nodes,
            }
        }
        4 => Segment::Certify(reader.vector()?.iter().collect()),
        5 => Segment::Cut(Cut {
            number: reader.small()?,
            version: reader.vector()?,
            digest: reader.array()?,
        }),
        _ => return Err(reader.malformed("a segment is of no known kind")),
    })
}
