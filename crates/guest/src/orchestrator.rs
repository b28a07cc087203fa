//! Translation between the WIT vocabulary and the types of `eqmesh-orchestrator`.

use eqmesh_orchestrator::{Claim, Entrance, Life, Member, MemberState, MessageKind, Topology, Verdict, Vote};
use eqmesh_replica::{AgentId, Fault};

use crate::types;

/// A digest of 256 bits; fails for one of another length.
pub fn digest_from_wit(digest: types::Digest) -> Result<[u8; 32], Fault> {
    <[u8; 32]>::try_from(digest)
        .map_err(|digest| Fault::Malformed(format!("a digest has 32 bytes, and this one has {}", digest.len())))
}

impl From<types::MessageKind> for MessageKind {
    fn from(kind: types::MessageKind) -> MessageKind {
        match kind {
            types::MessageKind::State => MessageKind::State,
            types::MessageKind::Sync => MessageKind::Sync,
            types::MessageKind::Heartbeat => MessageKind::Heartbeat,
            types::MessageKind::Ack => MessageKind::Ack,
        }
    }
}

impl From<MessageKind> for types::MessageKind {
    fn from(kind: MessageKind) -> types::MessageKind {
        match kind {
            MessageKind::State => types::MessageKind::State,
            MessageKind::Sync => types::MessageKind::Sync,
            MessageKind::Heartbeat => types::MessageKind::Heartbeat,
            MessageKind::Ack => types::MessageKind::Ack,
        }
    }
}

impl TryFrom<types::Vote> for Vote {
    type Error = Fault;

    fn try_from(vote: types::Vote) -> Result<Vote, Fault> {
        Ok(Vote {
            state_digest: digest_from_wit(vote.state_digest)?,
            saturated: vote.saturated,
            exhausted: vote.exhausted,
            matches: vote.matches,
            applied: vote.applied,
            blocked: vote.blocked,
        })
    }
}

impl From<Vote> for types::Vote {
    fn from(vote: Vote) -> types::Vote {
        types::Vote {
            state_digest: vote.state_digest.to_vec(),
            saturated: vote.saturated,
            exhausted: vote.exhausted,
            matches: vote.matches,
            applied: vote.applied,
            blocked: vote.blocked,
        }
    }
}

impl From<types::Verdict> for Verdict {
    fn from(verdict: types::Verdict) -> Verdict {
        Verdict {
            round: verdict.round,
            saturated: verdict.saturated,
            exhausted: verdict.exhausted,
            agreed: verdict.agreed,
            matches: verdict.matches,
            applied: verdict.applied,
            blocked: verdict.blocked,
        }
    }
}

impl From<Verdict> for types::Verdict {
    fn from(verdict: Verdict) -> types::Verdict {
        types::Verdict {
            round: verdict.round,
            saturated: verdict.saturated,
            exhausted: verdict.exhausted,
            agreed: verdict.agreed,
            matches: verdict.matches,
            applied: verdict.applied,
            blocked: verdict.blocked,
        }
    }
}

impl From<types::MemberState> for MemberState {
    fn from(state: types::MemberState) -> MemberState {
        match state {
            types::MemberState::Joining => MemberState::Joining,
            types::MemberState::Active => MemberState::Active,
            types::MemberState::Suspected => MemberState::Suspected,
            types::MemberState::Left => MemberState::Left,
        }
    }
}

impl From<MemberState> for types::MemberState {
    fn from(state: MemberState) -> types::MemberState {
        match state {
            MemberState::Joining => types::MemberState::Joining,
            MemberState::Active => types::MemberState::Active,
            MemberState::Suspected => types::MemberState::Suspected,
            MemberState::Left => types::MemberState::Left,
        }
    }
}

impl From<types::Member> for Member {
    fn from(member: types::Member) -> Member {
        Member {
            id: AgentId(member.id),
            color: member.color.into(),
            state: member.state.into(),
        }
    }
}

impl From<Member> for types::Member {
    fn from(member: Member) -> types::Member {
        types::Member {
            id: member.id.0,
            color: member.color.into(),
            state: member.state.into(),
        }
    }
}

impl From<types::Topology> for Topology {
    fn from(topology: types::Topology) -> Topology {
        match topology {
            types::Topology::Mesh => Topology::Mesh,
            types::Topology::Sierpinski => Topology::Sierpinski,
            types::Topology::Expander => Topology::Expander,
        }
    }
}

impl From<Topology> for types::Topology {
    fn from(topology: Topology) -> types::Topology {
        match topology {
            Topology::Mesh => types::Topology::Mesh,
            Topology::Sierpinski => types::Topology::Sierpinski,
            Topology::Expander => types::Topology::Expander,
        }
    }
}

impl From<types::Life> for Life {
    fn from(life: types::Life) -> Life {
        match life {
            types::Life::Joining => Life::Joining,
            types::Life::Active => Life::Active,
            types::Life::Left => Life::Left,
        }
    }
}

impl From<Life> for types::Life {
    fn from(life: Life) -> types::Life {
        match life {
            Life::Joining => types::Life::Joining,
            Life::Active => types::Life::Active,
            Life::Left => types::Life::Left,
        }
    }
}

impl From<types::Claim> for Claim {
    fn from(claim: types::Claim) -> Claim {
        Claim {
            incarnation: claim.incarnation,
            session: claim.session,
            term: claim.term,
            life: claim.life.into(),
        }
    }
}

impl From<Claim> for types::Claim {
    fn from(claim: Claim) -> types::Claim {
        types::Claim {
            incarnation: claim.incarnation,
            session: claim.session,
            term: claim.term,
            life: claim.life.into(),
        }
    }
}

impl From<types::Entrance> for Entrance {
    fn from(entrance: types::Entrance) -> Entrance {
        Entrance {
            session: entrance.session,
            joining: entrance.joining,
            interval: entrance.interval,
            topology: entrance.topology.into(),
        }
    }
}

impl From<Entrance> for types::Entrance {
    fn from(entrance: Entrance) -> types::Entrance {
        types::Entrance {
            session: entrance.session,
            joining: entrance.joining,
            interval: entrance.interval,
            topology: entrance.topology.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_of_another_length_is_an_error() {
        for length in [0, 31, 33, 64] {
            let vote = types::Vote {
                state_digest: vec![7; length],
                ..Vote::default().into()
            };
            assert!(
                matches!(Vote::try_from(vote), Err(Fault::Malformed(_))),
                "{length} bytes"
            );
        }
    }

    #[test]
    fn votes_come_back_as_they_were() {
        let vote = Vote {
            state_digest: [7; 32],
            saturated: true,
            exhausted: false,
            matches: 3,
            applied: 2,
            blocked: 1,
        };
        assert_eq!(Vote::try_from(types::Vote::from(vote)), Ok(vote));
    }
}
