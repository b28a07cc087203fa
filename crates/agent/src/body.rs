//! What messages say: see `docs/wire-format.md`.

use eqmesh_orchestrator::{Barrier, Claim, MAX_NUMBER_SET, MessageKind, NumberSet, RosterEntry, Vote};
use eqmesh_reconcile::Key;
use eqmesh_reconcile::wire::Symbols;
use eqmesh_replica::wire::{Reader, put, put_bytes, put_dot};
use eqmesh_replica::{Dot, Fault};

use crate::blocks::Blocks;
use crate::message::MAX_MESSAGE;

/// The most rulesets that one message names, and the longest name, in bytes.
pub(crate) const MAX_RULESETS: usize = 1 << 10;
const MAX_RULESET_NAME: usize = 1 << 10;

/// The most claims in one heartbeat.
pub(crate) const MAX_CLAIMS: usize = 1 << 8;

/// The most symbols in one request: more than pay for any network that there can be, see `node/exchange/request.rs`.
pub(crate) const MAX_SYMBOLS: usize = 1 << 14;

/// The most facts that one acknowledgement refuses, and the longest reason, in bytes.
pub(crate) const MAX_REFUSALS: usize = 16;
pub(crate) const MAX_REASON: usize = 1 << 8;

/// What a message of each kind says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// `state`
    State {
        /// The round and the barrier that the sender has reached with this; none outside of rounds.
        reached: Option<(u32, Stage)>,
        /// Rulesets that were declared.
        rulesets: Vec<String>,
        /// Facts, in causal order.
        blocks: Blocks,
    },
    /// `sync`: "Send me what I lack."
    Sync(Request),
    /// `heartbeat`
    Heartbeat {
        /// The sender's state digest.
        digest: [u8; 32],
        /// What else.
        more: More,
    },
    /// `ack`: "I have settled, and stored, what my version vector says."
    Ack {
        /// "And these facts of yours I refuse, with the reason": ascending, to their maker alone.
        refused: Vec<(Dot, String)>,
    },
}

/// How it is said what is lacking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// "I have what my version vector says."
    Listed,
    /// "I have what set reconciliation under this key makes of these symbols, from the first on." The message's version vector is empty.
    Sketched(Key, Symbols),
    /// The answer to a request with so many symbols: "they do not tell me what you have."
    Unclear(u32),
}

/// What a heartbeat says besides the digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum More {
    Nothing,
    /// At the end of a round, its number and what the sender says of its share.
    Ballot(u32, Ballot),
    /// Where the network runs free.
    Pulse(Box<Pulse>),
}

/// What everybody says at every tick of a network that runs free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pulse {
    /// The sender's own.
    pub(crate) claim: Claim,
    /// Covers the sender's roster.
    pub(crate) roster: [u8; 16],
    /// Claims that the receivers may not have.
    pub(crate) claims: Vec<RosterEntry>,
    /// A name of the sender's state digest, its view of the members, and the ruleset that is run.
    pub(crate) subject: [u8; 16],
    /// Members who state of this subject: "my share has nothing to add, and everything is certified".
    pub(crate) vouchers: NumberSet,
    /// The digest of the snapshot that the sender's facts begin with,
    pub(crate) beginning: Option<[u8; 32]>,
    /// and that of the snapshot of the last cut among them, if that is another one.
    pub(crate) cut: Option<[u8; 32]>,
}

/// A barrier that facts come with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Derived,
    Certified,
}

impl From<Stage> for Barrier {
    fn from(stage: Stage) -> Barrier {
        match stage {
            Stage::Derived => Barrier::Derived,
            Stage::Certified => Barrier::Certified,
        }
    }
}

/// A vote without its digest, which the heartbeat carries anyway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ballot {
    pub(crate) saturated: bool,
    pub(crate) exhausted: bool,
    pub(crate) matches: u64,
    pub(crate) applied: u64,
    pub(crate) blocked: u64,
}

impl Ballot {
    pub(crate) fn vote(self, state_digest: [u8; 32]) -> Vote {
        Vote {
            state_digest,
            saturated: self.saturated,
            exhausted: self.exhausted,
            matches: self.matches,
            applied: self.applied,
            blocked: self.blocked,
        }
    }
}

fn read_pulse(reader: &mut Reader<'_>) -> Result<Pulse, Fault> {
    let claim = Claim::read(reader)?;
    let roster = reader.array()?;
    let count = reader.count()?;
    if count > MAX_CLAIMS {
        return Err(Fault::Limit(format!("a heartbeat has at most {MAX_CLAIMS} claims")));
    }
    let mut claims = Vec::with_capacity(count);
    for _ in 0..count {
        claims.push((reader.small()?, Claim::read(reader)?));
    }
    let subject = reader.array()?;
    let vouchers = reader.bytes()?;
    if vouchers.len() > MAX_NUMBER_SET {
        return Err(Fault::Limit(format!(
            "a set of numbers has at most {MAX_NUMBER_SET} bytes"
        )));
    }
    let vouchers =
        NumberSet::from_bytes(vouchers).ok_or_else(|| reader.malformed("a set of numbers is not in its one form"))?;
    let mut digest = || reader.flag()?.then(|| reader.array()).transpose();
    let (beginning, cut) = (digest()?, digest()?);
    Ok(Pulse {
        claim,
        roster,
        claims,
        subject,
        vouchers,
        beginning,
        cut,
    })
}

impl Body {
    pub(crate) fn kind(&self) -> MessageKind {
        match self {
            Body::State { .. } => MessageKind::State,
            Body::Sync(_) => MessageKind::Sync,
            Body::Heartbeat { .. } => MessageKind::Heartbeat,
            Body::Ack { .. } => MessageKind::Ack,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Body::State {
                reached,
                rulesets,
                blocks,
            } => {
                match reached {
                    None => bytes.push(0),
                    Some((round, stage)) => {
                        bytes.push(1 + *stage as u8);
                        put(&mut bytes, u64::from(*round));
                    }
                }
                put(&mut bytes, rulesets.len() as u64);
                rulesets.iter().for_each(|name| put_bytes(&mut bytes, name.as_bytes()));
                blocks.encode(&mut bytes);
            }
            Body::Sync(Request::Listed) => bytes.push(0),
            Body::Sync(Request::Sketched(key, symbols)) => {
                bytes.push(1);
                bytes.extend(key.0);
                bytes.extend(symbols.encode());
            }
            Body::Sync(Request::Unclear(count)) => {
                bytes.push(2);
                put(&mut bytes, u64::from(*count));
            }
            Body::Ack { refused } => {
                put(&mut bytes, refused.len() as u64);
                for (fact, reason) in refused {
                    put_dot(&mut bytes, *fact);
                    put_bytes(&mut bytes, reason.as_bytes());
                }
            }
            Body::Heartbeat { digest, more } => {
                bytes.extend_from_slice(digest);
                match more {
                    More::Nothing => bytes.push(0),
                    More::Ballot(round, ballot) => {
                        bytes.push(1);
                        put(&mut bytes, u64::from(*round));
                        bytes.push(u8::from(ballot.saturated) | u8::from(ballot.exhausted) << 1);
                        put(&mut bytes, ballot.matches);
                        put(&mut bytes, ballot.applied);
                        put(&mut bytes, ballot.blocked);
                    }
                    More::Pulse(pulse) => {
                        bytes.push(2);
                        pulse.claim.put(&mut bytes);
                        bytes.extend_from_slice(&pulse.roster);
                        put(&mut bytes, pulse.claims.len() as u64);
                        for &(number, claim) in &pulse.claims {
                            put(&mut bytes, u64::from(number));
                            claim.put(&mut bytes);
                        }
                        bytes.extend_from_slice(&pulse.subject);
                        put_bytes(&mut bytes, &pulse.vouchers.to_bytes());
                        for digest in [pulse.beginning, pulse.cut] {
                            bytes.push(u8::from(digest.is_some()));
                            bytes.extend(digest.iter().flatten());
                        }
                    }
                }
            }
        }
        bytes
    }

    /// Reads what a message of a kind says. Like [`Message::decode`](crate::Message::decode), it reads nothing but what is written here.
    pub(crate) fn decode(kind: MessageKind, bytes: &[u8]) -> Result<Body, Fault> {
        if bytes.len() > MAX_MESSAGE {
            return Err(Fault::Limit(format!("a message has at most {MAX_MESSAGE} bytes")));
        }
        let mut reader = Reader::new(bytes, "message");
        let body = match kind {
            MessageKind::State => read_state(&mut reader)?,
            MessageKind::Sync => Body::Sync(read_request(&mut reader)?),
            MessageKind::Ack => read_ack(&mut reader)?,
            MessageKind::Heartbeat => Body::Heartbeat {
                digest: reader.array()?,
                more: match reader.byte()? {
                    0 => More::Nothing,
                    1 => {
                        let (round, flags) = (reader.small()?, reader.byte()?);
                        if flags > 3 {
                            return Err(reader.malformed("a ballot has unknown flags"));
                        }
                        let ballot = Ballot {
                            saturated: flags & 1 == 1,
                            exhausted: flags & 2 == 2,
                            matches: reader.varint()?,
                            applied: reader.varint()?,
                            blocked: reader.varint()?,
                        };
                        More::Ballot(round, ballot)
                    }
                    2 => More::Pulse(Box::new(read_pulse(&mut reader)?)),
                    _ => return Err(reader.malformed("a heartbeat is of no known kind")),
                },
            },
        };
        reader.end()?;
        Ok(body)
    }
}

fn read_request(reader: &mut Reader<'_>) -> Result<Request, Fault> {
    match reader.byte()? {
        0 => Ok(Request::Listed),
        1 => {
            let key = Key(reader.array()?);
            let symbols = reader.take(reader.left())?;
            let symbols = Symbols::decode(symbols).map_err(|error| reader.malformed(&error.to_string()))?;
            let count = symbols.symbols().len();
            if symbols.first() != 0 || count == 0 {
                return Err(reader.malformed("symbols of a set do not begin with the first one"));
            }
            if count > MAX_SYMBOLS {
                return Err(Fault::Limit(format!("a request has at most {MAX_SYMBOLS} symbols")));
            }
            Ok(Request::Sketched(key, symbols))
        }
        2 => Ok(Request::Unclear(reader.small()?)),
        _ => Err(reader.malformed("a request is of no known kind")),
    }
}

fn read_state(reader: &mut Reader<'_>) -> Result<Body, Fault> {
    let reached = match reader.byte()? {
        0 => None,
        1 => Some((reader.small()?, Stage::Derived)),
        2 => Some((reader.small()?, Stage::Certified)),
        _ => return Err(reader.malformed("there is no such barrier")),
    };
    let count = reader.count()?;
    if count > MAX_RULESETS {
        return Err(Fault::Limit(format!("a message names at most {MAX_RULESETS} rulesets")));
    }
    let mut rulesets = Vec::with_capacity(count);
    for _ in 0..count {
        let name = reader.string()?;
        if name.len() > MAX_RULESET_NAME {
            return Err(Fault::Limit(format!(
                "a ruleset's name has at most {MAX_RULESET_NAME} bytes"
            )));
        }
        rulesets.push(name);
    }
    Ok(Body::State {
        reached,
        rulesets,
        blocks: Blocks::decode(reader)?,
    })
}

fn read_ack(reader: &mut Reader<'_>) -> Result<Body, Fault> {
    let count = reader.count()?;
    if count > MAX_REFUSALS {
        return Err(Fault::Limit(format!(
            "an acknowledgement refuses at most {MAX_REFUSALS} facts"
        )));
    }
    let mut refused: Vec<(Dot, String)> = Vec::with_capacity(count);
    for _ in 0..count {
        let (fact, reason) = (reader.dot()?, reader.string()?);
        if reason.len() > MAX_REASON {
            return Err(Fault::Limit(format!("a reason has at most {MAX_REASON} bytes")));
        }
        if refused.last().is_some_and(|(before, _)| *before >= fact) {
            return Err(reader.malformed("the facts that it refuses are not in order"));
        }
        refused.push((fact, reason));
    }
    Ok(Body::Ack { refused })
}

#[cfg(test)]
mod tests {
    use eqmesh_orchestrator::Life;
    use eqmesh_reconcile::{Item, Sketch};
    use eqmesh_replica::AgentId;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_acknowledgement_refuses_so_many_facts_and_no_more() {
        let refusing = |count: usize, reason: usize| {
            let refused = (1..=count as u64).map(|sequence| {
                let agent = AgentId(1);
                (Dot { agent, sequence }, "x".repeat(reason))
            });
            let body = Body::Ack {
                refused: refused.collect(),
            };
            (Body::decode(MessageKind::Ack, &body.encode()), body)
        };
        let (read, written) = refusing(MAX_REFUSALS, MAX_REASON);
        assert_eq!(read, Ok(written));
        for (count, reason) in [(MAX_REFUSALS + 1, 0), (1, MAX_REASON + 1)] {
            assert!(matches!(refusing(count, reason).0, Err(Fault::Limit(_))));
        }
        let dot = |sequence| Dot {
            agent: AgentId(1),
            sequence,
        };
        for sequences in [[2, 1], [1, 1]] {
            let refused = sequences.map(|sequence| (dot(sequence), String::new())).to_vec();
            let read = Body::decode(MessageKind::Ack, &Body::Ack { refused }.encode());
            assert!(matches!(read, Err(Fault::Malformed(_))), "{sequences:?}");
        }
    }

    fn any_claim() -> impl Strategy<Value = Claim> {
        let life = prop::sample::select(vec![Life::Joining, Life::Active, Life::Left]);
        (any::<u16>(), any::<u64>(), any::<u32>(), life).prop_map(|(incarnation, session, term, life)| Claim {
            incarnation,
            session,
            term,
            life,
        })
    }

    fn any_body() -> impl Strategy<Value = Body> {
        let stage = prop::sample::select(vec![Stage::Derived, Stage::Certified]);
        let state = (
            prop::option::of((any::<u32>(), stage)),
            prop::collection::vec("[a-zé]{0,8}", 0..3),
            prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..4),
            prop::sample::select(vec![1usize, 100]),
        );
        let state = state.prop_map(|(reached, rulesets, blocks, times)| Body::State {
            reached,
            rulesets,
            blocks: Blocks::pack(std::iter::repeat_n(blocks, times).flatten().collect()),
        });
        let ballot = (any::<u32>(), any::<(bool, bool)>(), any::<(u64, u64, u64)>());
        let ballot = ballot.prop_map(|(round, (saturated, exhausted), (matches, applied, blocked))| {
            let ballot = Ballot {
                saturated,
                exhausted,
                matches,
                applied,
                blocked,
            };
            More::Ballot(round, ballot)
        });
        let pulse = (
            any_claim(),
            any::<([u8; 16], [u8; 16])>(),
            prop::collection::vec((any::<u32>(), any_claim()), 0..4),
            prop::collection::btree_set(0u32..200, 0..9),
            any::<(Option<[u8; 32]>, Option<[u8; 32]>)>(),
        );
        let pulse = pulse.prop_map(|(claim, (roster, subject), claims, vouchers, (beginning, cut))| {
            More::Pulse(Box::new(Pulse {
                claim,
                roster,
                claims,
                subject,
                vouchers: vouchers.into_iter().collect(),
                beginning,
                cut,
            }))
        });
        let heartbeat = (any::<[u8; 32]>(), prop_oneof![Just(More::Nothing), ballot, pulse]);
        let heartbeat = heartbeat.prop_map(|(digest, more)| Body::Heartbeat { digest, more });
        let refused = prop::collection::btree_map((any::<u32>(), 1u64..), "[a-zé]{0,9}", 0..4);
        let ack = refused.prop_map(|refused| {
            let dot = |((agent, sequence), reason)| {
                let agent = AgentId(agent);
                (Dot { agent, sequence }, reason)
            };
            let refused = refused.into_iter().map(dot).collect();
            Body::Ack { refused }
        });
        let sketched = (
            prop::collection::btree_set(any::<[u8; 16]>(), 0..40),
            1usize..20,
            any::<[u8; 16]>(),
        );
        let sketched = sketched.prop_map(|(items, length, key)| {
            let mut sketch = Sketch::new(Key(key), length);
            items.into_iter().for_each(|item| sketch.insert(Item(item)));
            Request::Sketched(Key(key), Symbols::of(&sketch, 0..length).expect("they are of a set"))
        });
        let request = prop_oneof![Just(Request::Listed), sketched, any::<u32>().prop_map(Request::Unclear)];
        prop_oneof![state, heartbeat, request.prop_map(Body::Sync), ack]
    }

    proptest! {
        #[test]
        fn a_body_is_read_as_it_was_written(body in any_body()) {
            prop_assert_eq!(Body::decode(body.kind(), &body.encode()), Ok(body));
        }

        #[test]
        fn what_is_read_has_one_form(kind in prop::sample::select(MessageKind::ALL.to_vec()), bytes in prop::collection::vec(any::<u8>(), 0..90)) {
            if let Ok(body) = Body::decode(kind, &bytes) {
                prop_assert_eq!(body.encode(), bytes);
            }
        }

        #[test]
        fn what_is_altered_is_read_as_something_else_or_not_at_all(body in any_body(), at in any::<prop::sample::Index>(), other: u8) {
            let mut bytes = body.encode();
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = other;
                if let Ok(read) = Body::decode(body.kind(), &bytes) {
                    prop_assert_eq!(read.encode(), bytes);
                }
            }
        }

        #[test]
        fn no_part_of_a_body_is_one(body in any_body()) {
            let bytes = body.encode();
            // All of a short one, and the first and last ones of a long one.
            for end in (0..bytes.len()).filter(|end| *end < 200 || bytes.len() - end < 200) {
                prop_assert!(Body::decode(body.kind(), &bytes[..end]).is_err());
            }
        }
    }
}
