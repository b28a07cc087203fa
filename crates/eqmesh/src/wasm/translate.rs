//! Translation between the host's bindings and the crates' types.

use eqmesh_agent::{Diagnostic, Dispute, Message, Summary};
use eqmesh_egraph::color::{Color, Colors};
use eqmesh_egraph::extract::CostModel;
use eqmesh_orchestrator::{MessageKind, Verdict};
use eqmesh_replica::{AgentId, Budget, Dot, Explanation, ExplanationStep, Fault, Lemma, Reason, Size, VersionVector};
use eqmesh_timeline::Timestamp;

use super::bindings::eqmesh::network::types;
use super::bindings::exports::eqmesh::network::agent as wit;
use crate::agent::AgentError;

fn dot(own: types::Dot) -> Dot {
    Dot {
        agent: AgentId(own.agent),
        sequence: own.sequence,
    }
}

fn color(own: types::Color) -> Color {
    match own {
        types::Color::Red => Color::Red,
        types::Color::Blue => Color::Blue,
        types::Color::Green => Color::Green,
    }
}

pub(super) fn colors(own: Colors) -> types::Colors {
    let flags = [
        (Colors::from(Color::Red), types::Colors::RED),
        (Colors::from(Color::Blue), types::Colors::BLUE),
        (Colors::from(Color::Green), types::Colors::GREEN),
        (Colors::CERTIFIED, types::Colors::CERTIFIED),
    ];
    flags
        .into_iter()
        .filter(|(own_color, _)| own.contains(*own_color))
        .fold(types::Colors::empty(), |all, (_, flag)| all | flag)
}

pub(super) fn budget(own: Budget) -> types::Budget {
    types::Budget {
        matches: own.matches,
        nodes: own.nodes,
    }
}

pub(super) fn cost_model(own: CostModel) -> types::CostModel {
    match own {
        CostModel::Tree => types::CostModel::Tree,
        CostModel::Dag => types::CostModel::Dag,
    }
}

pub(super) fn fault(own: types::Fault) -> Fault {
    match own {
        types::Fault::Malformed(text) => Fault::Malformed(text),
        types::Fault::Unknown(text) => Fault::Unknown(text),
        types::Fault::Mismatch(text) => Fault::Mismatch(text),
        types::Fault::Absent(text) => Fault::Absent(text),
        types::Fault::Coloring(text) => Fault::Coloring(text),
        types::Fault::Limit(text) => Fault::Limit(text),
        types::Fault::Refused(text) => Fault::Refused(text),
        types::Fault::Misplaced(text) => Fault::Misplaced(text),
    }
}

pub(super) fn diagnostics(own: Vec<types::Diagnostic>) -> Vec<Diagnostic> {
    let convert = |own: types::Diagnostic| Diagnostic {
        code: own.code,
        message: own.message,
        help: own.help,
        start: own.start,
        end: own.end,
        error: own.error,
    };
    own.into_iter().map(convert).collect()
}

pub(super) fn digest(own: Vec<u8>) -> Result<[u8; 32], AgentError> {
    let length = own.len();
    own.try_into()
        .map_err(|_| AgentError::Trap(format!("it answered a digest of {length} bytes")))
}

pub(super) fn verdict(own: types::Verdict) -> Verdict {
    Verdict {
        round: own.round,
        saturated: own.saturated,
        exhausted: own.exhausted,
        agreed: own.agreed,
        matches: own.matches,
        applied: own.applied,
        blocked: own.blocked,
    }
}

fn explanation_step(own: types::ExplanationStep) -> Result<ExplanationStep, AgentError> {
    Ok(ExplanationStep {
        before: own.before,
        after: own.after,
        forward: own.forward,
        place: own.place,
        reason: match own.reason {
            types::StepReason::Applied(own) => Reason::Rule {
                name: own.rule,
                substitution: own.substitution,
                lemmas: own.lemmas,
                fact: dot(own.fact),
            },
            types::StepReason::Asserted(fact) => Reason::Asserted { fact: dot(fact) },
            types::StepReason::Compacted(snapshot) => Reason::Compacted {
                snapshot: digest(snapshot)?,
            },
        },
    })
}

pub(super) fn explanation(own: types::Explanation) -> Result<Explanation, AgentError> {
    let steps = |own: Vec<types::ExplanationStep>| own.into_iter().map(explanation_step).collect::<Result<_, _>>();
    let lemma = |own: types::Lemma| {
        Ok::<_, AgentError>(Lemma {
            left: own.left,
            right: own.right,
            steps: steps(own.steps)?,
        })
    };
    Ok(Explanation {
        steps: steps(own.steps)?,
        lemmas: own.lemmas.into_iter().map(lemma).collect::<Result<_, _>>()?,
    })
}

pub(super) fn summary(own: wit::Summary) -> Result<Summary, AgentError> {
    Ok(Summary {
        id: AgentId(own.id),
        color: own.color.map(color),
        size: Size {
            facts: own.size.facts,
            enodes: own.size.enodes,
            eclasses: own.size.eclasses,
        },
        state_digest: digest(own.state_digest)?,
        messages_sent: own.messages_sent,
        bytes_sent: own.bytes_sent,
        messages_received: own.messages_received,
        bytes_received: own.bytes_received,
        refused: own
            .refused
            .into_iter()
            .map(|(fact, reason)| (dot(fact), reason))
            .collect(),
        disputes: own
            .disputes
            .into_iter()
            .map(|own| Dispute {
                fact: dot(own.fact),
                by: own.by,
                reason: own.reason,
            })
            .collect(),
    })
}

pub(super) fn messages(own: Vec<wit::Message>) -> Vec<Message> {
    own.into_iter().map(message_from_wit).collect()
}

pub(super) fn message_from_wit(own: wit::Message) -> Message {
    Message {
        id: own.id,
        kind: match own.kind {
            types::MessageKind::State => MessageKind::State,
            types::MessageKind::Sync => MessageKind::Sync,
            types::MessageKind::Heartbeat => MessageKind::Heartbeat,
            types::MessageKind::Ack => MessageKind::Ack,
        },
        sender: AgentId(own.sender),
        receiver: own.receiver.map(AgentId),
        topic: own.topic,
        version: own.version.into_iter().map(dot).collect::<VersionVector>(),
        at: Timestamp {
            micros: own.at.micros,
            logical: own.at.logical,
        },
        body: own.body,
    }
}

pub(super) fn message_to_wit(own: &Message) -> wit::Message {
    wit::Message {
        id: own.id,
        kind: match own.kind {
            MessageKind::State => types::MessageKind::State,
            MessageKind::Sync => types::MessageKind::Sync,
            MessageKind::Heartbeat => types::MessageKind::Heartbeat,
            MessageKind::Ack => types::MessageKind::Ack,
        },
        sender: own.sender.0,
        receiver: own.receiver.map(|receiver| receiver.0),
        topic: own.topic.clone(),
        version: own
            .version
            .iter()
            .map(|dot| types::Dot {
                agent: dot.agent.0,
                sequence: dot.sequence,
            })
            .collect(),
        at: types::Timestamp {
            micros: own.at.micros,
            logical: own.at.logical,
        },
        body: own.body.clone(),
    }
}
