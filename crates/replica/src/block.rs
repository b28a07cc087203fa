//! Blocks: the facts that an agent made in one go, and their bytes. The unit of exchange, of storage and of the state digest.
//!
//! `docs/wire-format.md` specifies the form.

use eqmesh_egraph::color::Color;
use eqmesh_egraph::operator::{Operator, Output, Sort};
use eqmesh_egraph::rule::MAX_ARITY;
use eqmesh_egraph::term::MAX_TERM_TEXT;
use eqmesh_egraph::value::Value;

use crate::fault::Fault;
use crate::version::{AgentId, Dot, Name, VersionVector};
use crate::wire::{Reader, put, put_bytes, put_column, put_dot, put_value, put_version, seal};

/// The first bytes of a block: a magic number and the version.
const MAGIC: &[u8; 4] = b"eqb\x01";

/// The longest block, in bytes.
pub const MAX_BLOCK: usize = 256 << 20;

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
    /// Every member has the facts up to a version vector; their snapshot stands for them from now on. See `replica/era.rs`.
    Cut(Cut),
    /// Facts that were made without knowing of a cut count only up to this version vector.
    Close { cut: Dot, version: VersionVector },
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

/// Appends an operator.
pub fn put_operator(bytes: &mut Vec<u8>, operator: &Operator) {
    put_bytes(bytes, operator.name.as_bytes());
    put(bytes, operator.columns.len() as u64);
    for column in &operator.columns {
        put_bytes(bytes, column.name().as_bytes());
    }
    put_bytes(bytes, operator.output.sort().as_bytes());
    put(bytes, operator.cost);
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
        last: block.last(),
    })
}

impl Body {
    /// The term as text, its references by the labels that stand for them. None if one has no label, or the text would be too long.
    pub(crate) fn text<'a>(
        &self,
        operators: &[Operator],
        label: impl Fn(Name) -> Option<&'a String>,
    ) -> Option<String> {
        let Some(root) = self.nodes.len().checked_sub(1) else {
            return label(self.reference?).cloned();
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
                    BodyArgument::Name(name) => text.push_str(label(*name)?),
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

    /// The sequence of its last fact.
    pub(crate) fn last(&self) -> u64 {
        self.first + self.facts() - 1
    }

    /// Whether it holds other facts than certificates and what is said of cuts.
    pub(crate) fn makes_claims(&self) -> bool {
        self.segments
            .iter()
            .any(|segment| !matches!(segment, Segment::Certify(_) | Segment::Cut(_) | Segment::Close { .. }))
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
        put_version(&mut bytes, &self.base);
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
                    put_dot(&mut bytes, *rule);
                    put(&mut bytes, u64::from(*width));
                    put(&mut bytes, u64::from(*count));
                    // By column: roots ascend.
                    for column in 0..nodes.len().min(*width as usize) {
                        let matches = nodes.chunks_exact(*width as usize);
                        put_column(&mut bytes, matches.map(|nodes| nodes[column]));
                    }
                }
                Segment::Certify(dots) => {
                    bytes.push(4);
                    put_version(&mut bytes, &dots.iter().copied().collect());
                }
                Segment::Cut(cut) => {
                    bytes.push(5);
                    put(&mut bytes, u64::from(cut.number));
                    put_version(&mut bytes, &cut.version);
                    bytes.extend_from_slice(&cut.digest);
                }
                Segment::Close { cut, version } => {
                    bytes.push(6);
                    put_dot(&mut bytes, *cut);
                    put_version(&mut bytes, version);
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
        let base = reader.version()?;
        let mut operators = Vec::new();
        for _ in 0..reader.count()? {
            operators.push(read_operator(&mut reader)?);
        }
        let mut segments = Vec::new();
        for _ in 0..reader.count()? {
            segments.push(read_segment(&mut reader, &operators)?);
        }
        reader.end()?;
        if segments.is_empty() {
            // It would change its maker's history, and leave no trace in version vectors.
            return Err(reader.malformed("it holds no facts"));
        }
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

/// Reads an operator.
pub fn read_operator(reader: &mut Reader<'_>) -> Result<Operator, Fault> {
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
        0 => Segment::Rule(reader.bytes()?.to_vec()),
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
            let rule = reader.dot()?;
            let (width, count) = (reader.small()?, reader.small()?);
            let total = u64::from(width) * u64::from(count);
            if width == 0 && count != 1 || count == 0 || total > reader.left() as u64 {
                return Err(reader.malformed("it claims more applications than it holds"));
            }
            let (width, mut nodes) = (width as usize, vec![0u32; total as usize]);
            for column in 0..width {
                let mut previous = 0;
                for chunk in nodes.chunks_exact_mut(width) {
                    previous = reader.next_of_column(previous)?;
                    chunk[column] = previous;
                }
            }
            Segment::Apply {
                rule,
                width: width as u32,
                count,
                nodes,
            }
        }
        4 => Segment::Certify(reader.version()?.iter().collect()),
        5 => Segment::Cut(Cut {
            number: reader.small()?,
            version: reader.version()?,
            digest: reader.array()?,
        }),
        6 => Segment::Close {
            cut: reader.dot()?,
            version: reader.version()?,
        },
        _ => return Err(reader.malformed("a segment is of no known kind")),
    })
}
