//! Snapshots: what stands for all facts up to a version vector once compaction has taken them away. A function of these facts, byte for byte.
//!
//! `docs/wire-format.md` specifies the form. A *row number* is a row's place in the snapshot.

use eqmesh_egraph::color::Colors;
use eqmesh_egraph::operator::{Operator, Output, Sort};
use eqmesh_egraph::value::Value;

use crate::block::{put_operator, read_operator};
use crate::fault::Fault;
use crate::log::Stretch;
use crate::version::{AgentId, Dot, Name, VersionVector};
use crate::wire::{Reader, put, put_bytes, put_column, put_dot, put_value, put_version, seal};

/// The first bytes of a snapshot: a magic number and the version.
pub(crate) const MAGIC: &[u8; 4] = b"eqs\x01";

/// The era in which the last facts of a snapshot were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    pub(crate) number: u32,
    pub(crate) fact: Dot,
    pub(crate) height: u32,
    pub(crate) version: VersionVector,
    /// For each row of that era's snapshot, the row number here.
    pub(crate) rows: Vec<u32>,
}

/// A block of the last era: what it was like, without its facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stub {
    pub(crate) height: u32,
    pub(crate) layout: Vec<Stretch>,
}

/// What is kept of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) agent: AgentId,
    /// At the beginning of the last era: sequence, height, and the ordinal of the next node.
    pub(crate) dropped: (u64, u32),
    pub(crate) first_row: u32,
    /// The blocks since.
    pub(crate) blocks: Vec<Stub>,
    /// The row number of each node that they name.
    pub(crate) rows: Vec<u32>,
    pub(crate) chain: [u8; 32],
    pub(crate) certified: u64,
    pub(crate) claims: u64,
}

impl Head {
    /// The sequence of the last fact.
    pub(crate) fn last(&self) -> u64 {
        let facts = |stub: &Stub| stub.layout.iter().map(|own| u64::from(own.facts)).sum::<u64>();
        self.dropped.0 + self.blocks.iter().map(facts).sum::<u64>()
    }
}

/// What a label stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BoundLabel {
    pub(crate) label: String,
    pub(crate) fact: Dot,
    pub(crate) name: Name,
    pub(crate) sort: String,
    pub(crate) text: Option<String>,
}

/// The rows of an operator, column by column, in the order of their arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) operator: Operator,
    pub(crate) classes: Vec<u32>,
    /// A class, or the place of a value.
    pub(crate) arguments: Vec<Vec<u32>>,
    pub(crate) colors: Vec<Colors>,
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) before: Option<Before>,
    pub(crate) heads: Vec<Head>,
    pub(crate) rules: Vec<(Dot, Vec<u8>)>,
    pub(crate) labels: Vec<BoundLabel>,
    /// The greatest height of a block that makes claims.
    pub(crate) height: u32,
    /// Classes are numbered by their least terms.
    pub(crate) classes: u32,
    /// Ascending.
    pub(crate) values: Vec<Value>,
    /// In canonical order; also those without rows.
    pub(crate) tables: Vec<Table>,
}

fn put_text(bytes: &mut Vec<u8>, text: Option<&str>) {
    bytes.push(u8::from(text.is_some()));
    if let Some(text) = text {
        put_bytes(bytes, text.as_bytes());
    }
}

impl Snapshot {
    /// How many rows it has.
    pub(crate) fn rows(&self) -> usize {
        self.tables.iter().map(|table| table.classes.len()).sum()
    }

    /// What it covers.
    pub(crate) fn version(&self) -> VersionVector {
        let dot = |head: &Head| Dot {
            agent: head.agent,
            sequence: head.last(),
        };
        self.heads.iter().map(dot).collect()
    }

    /// Its bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        put(&mut bytes, u64::from(self.height));
        put(&mut bytes, u64::from(self.classes));
        put(&mut bytes, self.values.len() as u64);
        for value in &self.values {
            put_value(&mut bytes, value);
        }
        put(&mut bytes, self.tables.len() as u64);
        for table in &self.tables {
            put_operator(&mut bytes, &table.operator);
            put(&mut bytes, table.classes.len() as u64);
            put_column(&mut bytes, table.classes.iter().copied());
            for column in &table.arguments {
                put_column(&mut bytes, column.iter().copied());
            }
            bytes.extend(table.colors.iter().map(|colors| colors.bits()));
        }
        put(&mut bytes, self.rules.len() as u64);
        for (dot, program) in &self.rules {
            put_dot(&mut bytes, *dot);
            put_bytes(&mut bytes, program);
        }
        put(&mut bytes, self.labels.len() as u64);
        for own in &self.labels {
            put_bytes(&mut bytes, own.label.as_bytes());
            put_dot(&mut bytes, own.fact);
            put(&mut bytes, u64::from(own.name.agent.0));
            put(&mut bytes, u64::from(own.name.ordinal));
            put_bytes(&mut bytes, own.sort.as_bytes());
            put_text(&mut bytes, own.text.as_deref());
        }
        bytes.push(u8::from(self.before.is_some()));
        if let Some(before) = &self.before {
            put(&mut bytes, u64::from(before.number));
            put_dot(&mut bytes, before.fact);
            put(&mut bytes, u64::from(before.height));
            put_version(&mut bytes, &before.version);
            put(&mut bytes, before.rows.len() as u64);
            put_column(&mut bytes, before.rows.iter().copied());
        }
        put(&mut bytes, self.heads.len() as u64);
        for head in &self.heads {
            put(&mut bytes, u64::from(head.agent.0));
            put(&mut bytes, head.dropped.0);
            put(&mut bytes, u64::from(head.dropped.1));
            put(&mut bytes, u64::from(head.first_row));
            bytes.extend_from_slice(&head.chain);
            put(&mut bytes, head.certified);
            put(&mut bytes, head.claims);
            put(&mut bytes, head.blocks.len() as u64);
            for block in &head.blocks {
                put(&mut bytes, u64::from(block.height));
                put(&mut bytes, block.layout.len() as u64);
                for &Stretch { facts, nodes } in &block.layout {
                    put(&mut bytes, u64::from(facts));
                    put(&mut bytes, u64::from(nodes));
                }
            }
            put_column(&mut bytes, head.rows.iter().copied());
        }
        seal(bytes)
    }

    /// Reads a snapshot. Never panics; allocates at most a small multiple of the input. Checks the form, that every class has a finite term, and the order of
    /// everything but one: that classes are numbered by their least terms is taken on trust, as what the snapshot says is.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Snapshot, Fault> {
        Ok(Snapshot::decode_hashed(bytes)?.0)
    }

    /// [`Snapshot::decode`], and the digest by which cuts and offers name it.
    pub(crate) fn decode_hashed(bytes: &[u8]) -> Result<(Snapshot, [u8; 32]), Fault> {
        let (mut reader, digest) = Reader::open_hashed(bytes, MAGIC, "snapshot")?;
        let reader = &mut reader;
        let (height, classes) = (reader.small()?, reader.small()?);
        let mut values = Vec::new();
        for _ in 0..reader.count()? {
            let value = reader.value()?;
            if values.last().is_some_and(|before| *before >= value) {
                return Err(reader.malformed("its values are not in order"));
            }
            values.push(value);
        }
        if classes as usize > reader.total() {
            return Err(reader.malformed("it has more classes than rows"));
        }
        let mut grounded = vec![false; classes as usize];
        let mut tables: Vec<Table> = Vec::new();
        for _ in 0..reader.count()? {
            let table = read_table(reader, classes, &values, &mut grounded)?;
            if tables
                .last()
                .is_some_and(|before| signature(&before.operator) >= signature(&table.operator))
            {
                return Err(reader.malformed("its operators are not in order"));
            }
            tables.push(table);
        }
        if grounded.iter().any(|grounded| !grounded) {
            return Err(reader.malformed("a class has no finite term"));
        }
        let rows = tables.iter().map(|table| table.classes.len()).sum::<usize>() as u32;
        let mut rules: Vec<(Dot, Vec<u8>)> = Vec::new();
        for _ in 0..reader.count()? {
            let dot = reader.dot()?;
            if rules.last().is_some_and(|(before, _)| *before >= dot) {
                return Err(reader.malformed("its rules are not in order"));
            }
            rules.push((dot, reader.bytes()?.to_vec()));
        }
        let mut labels: Vec<BoundLabel> = Vec::new();
        for _ in 0..reader.count()? {
            let own = read_label(reader)?;
            if labels.last().is_some_and(|before| before.label >= own.label) {
                return Err(reader.malformed("its labels are not in order"));
            }
            labels.push(own);
        }
        let before = reader.flag()?.then(|| read_before(reader, rows)).transpose()?;
        let mut heads: Vec<Head> = Vec::new();
        for _ in 0..reader.count()? {
            let head = read_head(reader, rows)?;
            if heads.last().is_some_and(|before| before.agent >= head.agent) || head.last() == 0 {
                return Err(reader.malformed("its agents are not in order"));
            }
            heads.push(head);
        }
        reader.end()?;
        let snapshot = Snapshot {
            before,
            heads,
            rules,
            labels,
            height,
            classes,
            values,
            tables,
        };
        Ok((snapshot, digest))
    }
}

/// What operators are ordered by.
fn signature(operator: &Operator) -> (&str, &[Sort], &Output) {
    (&operator.name, &operator.columns, &operator.output)
}

/// Whether so many rows are in strict order, given by column.
fn ascend(columns: &[Vec<u32>], count: usize) -> bool {
    // Of each row but the first: whether the columns so far are those of the row before.
    let mut same = vec![true; count.saturating_sub(1)];
    for column in columns {
        let mut descends = false;
        for (same, pair) in same.iter_mut().zip(column.windows(2)) {
            descends |= *same && pair[0] > pair[1];
            *same &= pair[0] == pair[1];
        }
        if descends {
            return false;
        }
    }
    !same.contains(&true)
}

/// `grounded` tells of each class whether a row of it stands over lesser classes only.
fn read_table(reader: &mut Reader<'_>, classes: u32, values: &[Value], grounded: &mut [bool]) -> Result<Table, Fault> {
    let operator = read_operator(reader)?;
    let count = reader.count()?;
    let of = reader.column(count, classes)?;
    let mut arguments = Vec::with_capacity(operator.columns.len());
    for column in &operator.columns {
        let below = if column.is_class() {
            classes
        } else {
            values.len() as u32
        };
        let read = reader.column(count, below)?;
        if let Sort::Value(sort) = column
            && read.iter().any(|&place| values[place as usize].value_type() != *sort)
        {
            return Err(reader.malformed("a value does not fit its column"));
        }
        arguments.push(read);
    }
    if !ascend(&arguments, count) {
        return Err(reader.malformed("its rows are not in order"));
    }
    let mut above = vec![true; count];
    for (column, _) in arguments
        .iter()
        .zip(&operator.columns)
        .filter(|(_, column)| column.is_class())
    {
        for ((above, argument), class) in above.iter_mut().zip(column).zip(&of) {
            *above &= argument < class;
        }
    }
    for (&class, above) in of.iter().zip(above) {
        grounded[class as usize] |= above;
    }
    let colors = reader.take(count)?;
    if colors.iter().any(|&bits| bits >= 16) {
        return Err(reader.malformed("a row has unknown colors"));
    }
    Ok(Table {
        operator,
        classes: of,
        arguments,
        colors: colors.iter().map(|&bits| Colors::from_bits(bits)).collect(),
    })
}

fn read_label(reader: &mut Reader<'_>) -> Result<BoundLabel, Fault> {
    Ok(BoundLabel {
        label: reader.string()?,
        fact: reader.dot()?,
        name: Name {
            agent: AgentId(reader.small()?),
            ordinal: reader.small()?,
        },
        sort: reader.string()?,
        text: reader.flag()?.then(|| reader.string()).transpose()?,
    })
}

fn read_before(reader: &mut Reader<'_>, rows: u32) -> Result<Before, Fault> {
    let number = reader.small()?;
    let (fact, height, version) = (reader.dot()?, reader.small()?, reader.version()?);
    let count = reader.count()?;
    Ok(Before {
        number,
        fact,
        height,
        version,
        rows: reader.column(count, rows)?,
    })
}

fn read_head(reader: &mut Reader<'_>, rows: u32) -> Result<Head, Fault> {
    let agent = AgentId(reader.small()?);
    let dropped = (reader.varint()?, reader.small()?);
    let (first_row, chain) = (reader.small()?, reader.array()?);
    let (certified, claims) = (reader.varint()?, reader.varint()?);
    let (mut last, mut named) = (dropped.0, u64::from(first_row));
    let mut blocks = Vec::new();
    for _ in 0..reader.count()? {
        let height = reader.small()?;
        let mut layout = Vec::new();
        for _ in 0..reader.count()? {
            let (facts, nodes) = (reader.small()?, reader.small()?);
            if facts == 0 {
                return Err(reader.malformed("a block has a stretch of no facts"));
            }
            last = last.saturating_add(u64::from(facts));
            named = named.saturating_add(u64::from(facts) * u64::from(nodes));
            layout.push(Stretch { facts, nodes });
        }
        if layout.is_empty() {
            return Err(reader.malformed("a block has no facts"));
        }
        blocks.push(Stub { height, layout });
    }
    if last == u64::MAX || named > u64::from(u32::MAX) || named - u64::from(first_row) > reader.left() as u64 {
        return Err(reader.malformed("an agent has more facts or nodes than it can"));
    }
    if certified > last || claims > last {
        return Err(reader.malformed("more is certified than there is"));
    }
    Ok(Head {
        agent,
        dropped,
        first_row,
        blocks,
        rows: reader.column((named - u64::from(first_row)) as usize, rows)?,
        chain,
        certified,
        claims,
    })
}
