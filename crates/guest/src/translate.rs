//! Translation between the WIT vocabulary and the crates' types. `From` where it cannot fail.

use eqmesh_egraph::color::{Color, ColorCounts, Colors};
use eqmesh_egraph::extract::{CostModel, Extracted};
use eqmesh_egraph::neighbourhood::{ClassShown, Neighbourhood, NodeShown};
use eqmesh_egraph::operator::{Operator, Output, Sort};
use eqmesh_egraph::term::Label;
use eqmesh_replica::{AgentId, Budget, Dot, Fault, Name, Row, Share, Size, StepReport, VersionVector};
use eqmesh_streams::Task;

use crate::types;

impl From<types::Color> for Color {
    fn from(color: types::Color) -> Color {
        match color {
            types::Color::Green => Color::Green,
            types::Color::Blue => Color::Blue,
            types::Color::Red => Color::Red,
        }
    }
}

impl From<Color> for types::Color {
    fn from(color: Color) -> types::Color {
        match color {
            Color::Green => types::Color::Green,
            Color::Blue => types::Color::Blue,
            Color::Red => types::Color::Red,
        }
    }
}

const COLORS: [(types::Colors, u8); 4] = [
    (types::Colors::GREEN, 1),
    (types::Colors::BLUE, 2),
    (types::Colors::RED, 4),
    (types::Colors::CERTIFIED, 8),
];

impl From<Colors> for types::Colors {
    fn from(colors: Colors) -> types::Colors {
        COLORS
            .into_iter()
            .filter(|(_, bit)| colors.bits() & bit != 0)
            .fold(types::Colors::empty(), |all, (flag, _)| all | flag)
    }
}

impl From<types::Colors> for Colors {
    fn from(colors: types::Colors) -> Colors {
        Colors::from_bits(
            COLORS
                .into_iter()
                .filter(|(flag, _)| colors.contains(*flag))
                .map(|(_, bit)| bit)
                .sum(),
        )
    }
}

impl From<types::Dot> for Dot {
    fn from(dot: types::Dot) -> Dot {
        Dot {
            agent: AgentId(dot.agent),
            sequence: dot.sequence,
        }
    }
}

impl From<Dot> for types::Dot {
    fn from(dot: Dot) -> types::Dot {
        types::Dot {
            agent: dot.agent.0,
            sequence: dot.sequence,
        }
    }
}

/// A version vector as a list.
pub fn version_to_wit(version: &VersionVector) -> Vec<types::Dot> {
    version.iter().map(types::Dot::from).collect()
}

/// A list as a version vector; entries of one agent are joined.
pub fn version_from_wit(version: Vec<types::Dot>) -> VersionVector {
    version.into_iter().map(Dot::from).collect()
}

/// A node's name; none if its ordinal is larger than any can be.
pub fn name_from_wit(name: types::NodeName) -> Result<Name, Fault> {
    match u32::try_from(name.ordinal) {
        Ok(ordinal) => Ok(Name {
            agent: AgentId(name.agent),
            ordinal,
        }),
        Err(_) => Err(Fault::Absent(format!(
            "no node {} of agent {} is here",
            name.ordinal, name.agent
        ))),
    }
}

impl From<Name> for types::NodeName {
    fn from(name: Name) -> types::NodeName {
        types::NodeName {
            agent: name.agent.0,
            ordinal: u64::from(name.ordinal),
        }
    }
}

/// An operator; fails if its result is of primitive sort.
pub fn operator_from_wit(operator: types::Operator) -> Result<Operator, Fault> {
    match Sort::from_name(&operator.sort) {
        Sort::Class(sort) => Ok(Operator {
            name: operator.name,
            columns: operator.columns.iter().map(|column| Sort::from_name(column)).collect(),
            output: Output::Class(sort),
            cost: operator.cost,
        }),
        Sort::Value(_) => Err(Fault::Malformed(format!(
            "the result of `{}` is of the primitive sort {}",
            operator.name, operator.sort
        ))),
    }
}

impl From<&Operator> for types::Operator {
    fn from(operator: &Operator) -> types::Operator {
        types::Operator {
            name: operator.name.clone(),
            columns: operator.columns.iter().map(|column| column.name().to_owned()).collect(),
            sort: operator.output.sort().to_owned(),
            cost: operator.cost,
        }
    }
}

impl From<types::Label> for Label {
    fn from(label: types::Label) -> Label {
        Label {
            name: label.name,
            sort: label.sort,
            term: label.term,
        }
    }
}

impl From<Label> for types::Label {
    fn from(label: Label) -> types::Label {
        types::Label {
            name: label.name,
            sort: label.sort,
            term: label.term,
        }
    }
}

impl From<Fault> for types::Fault {
    fn from(fault: Fault) -> types::Fault {
        match fault {
            Fault::Malformed(text) => types::Fault::Malformed(text),
            Fault::Unknown(text) => types::Fault::Unknown(text),
            Fault::Mismatch(text) => types::Fault::Mismatch(text),
            Fault::Absent(text) => types::Fault::Absent(text),
            Fault::Coloring(text) => types::Fault::Coloring(text),
            Fault::Limit(text) => types::Fault::Limit(text),
            Fault::Refused(text) => types::Fault::Refused(text),
            Fault::Misplaced(text) => types::Fault::Misplaced(text),
        }
    }
}

impl From<types::Fault> for Fault {
    fn from(fault: types::Fault) -> Fault {
        match fault {
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
}

impl From<types::Share> for Share {
    fn from(share: types::Share) -> Share {
        Share {
            index: share.index,
            count: share.count,
        }
    }
}

impl From<Share> for types::Share {
    fn from(share: Share) -> types::Share {
        types::Share {
            index: share.index,
            count: share.count,
        }
    }
}

impl From<types::Budget> for Budget {
    fn from(budget: types::Budget) -> Budget {
        Budget {
            matches: budget.matches,
            nodes: budget.nodes,
        }
    }
}

impl From<Budget> for types::Budget {
    fn from(budget: Budget) -> types::Budget {
        types::Budget {
            matches: budget.matches,
            nodes: budget.nodes,
        }
    }
}

impl From<StepReport> for types::StepReport {
    fn from(report: StepReport) -> types::StepReport {
        types::StepReport {
            matches: report.matches,
            applied: report.applied,
            blocked: report.blocked,
            nodes: report.nodes,
            saturated: report.saturated,
            exhausted: report.exhausted,
        }
    }
}

impl From<types::StepReport> for StepReport {
    fn from(report: types::StepReport) -> StepReport {
        StepReport {
            matches: report.matches,
            applied: report.applied,
            blocked: report.blocked,
            nodes: report.nodes,
            saturated: report.saturated,
            exhausted: report.exhausted,
        }
    }
}

impl From<types::Task> for Task {
    fn from(task: types::Task) -> Task {
        Task {
            ruleset: task.ruleset,
            shares: task
                .shares
                .into_iter()
                .map(|(color, share)| (color.into(), share.into()))
                .collect(),
            budget: task.budget.into(),
        }
    }
}

impl From<&Task> for types::Task {
    fn from(task: &Task) -> types::Task {
        types::Task {
            ruleset: task.ruleset.clone(),
            shares: task
                .shares
                .iter()
                .map(|&(color, share)| (color.into(), share.into()))
                .collect(),
            budget: task.budget.into(),
        }
    }
}

impl From<Size> for types::Size {
    fn from(size: Size) -> types::Size {
        types::Size {
            facts: size.facts,
            enodes: size.enodes,
            eclasses: size.eclasses,
        }
    }
}

impl From<types::Size> for Size {
    fn from(size: types::Size) -> Size {
        Size {
            facts: size.facts,
            enodes: size.enodes,
            eclasses: size.eclasses,
        }
    }
}

impl From<Row> for types::Row {
    fn from(row: Row) -> types::Row {
        types::Row {
            node: row.node,
            class: row.class,
            colors: row.colors.into(),
        }
    }
}

impl From<types::Row> for Row {
    fn from(row: types::Row) -> Row {
        Row {
            node: row.node,
            class: row.class,
            colors: row.colors.into(),
        }
    }
}

impl From<ColorCounts> for types::ColorCounts {
    fn from(own: ColorCounts) -> types::ColorCounts {
        types::ColorCounts {
            green: own.green,
            blue: own.blue,
            red: own.red,
            certified: own.certified,
        }
    }
}

impl From<types::ColorCounts> for ColorCounts {
    fn from(own: types::ColorCounts) -> ColorCounts {
        ColorCounts {
            green: own.green,
            blue: own.blue,
            red: own.red,
            certified: own.certified,
        }
    }
}

impl From<NodeShown> for types::ShownNode {
    fn from(own: NodeShown) -> types::ShownNode {
        types::ShownNode {
            text: own.text,
            operator: own.operator,
            children: own.children,
            colors: own.colors.into(),
            best: own.best,
        }
    }
}

impl From<types::ShownNode> for NodeShown {
    fn from(own: types::ShownNode) -> NodeShown {
        NodeShown {
            text: own.text,
            operator: own.operator,
            children: own.children,
            colors: own.colors.into(),
            best: own.best,
        }
    }
}

impl From<ClassShown> for types::ShownClass {
    fn from(own: ClassShown) -> types::ShownClass {
        types::ShownClass {
            id: own.id,
            best: own.best,
            cost: own.cost,
            colors: own.colors.into(),
            nodes: own.nodes.into_iter().map(types::ShownNode::from).collect(),
            nodes_total: own.nodes_total as u64,
        }
    }
}

impl From<types::ShownClass> for ClassShown {
    fn from(own: types::ShownClass) -> ClassShown {
        ClassShown {
            id: own.id,
            best: own.best,
            cost: own.cost,
            colors: own.colors.into(),
            nodes: own.nodes.into_iter().map(NodeShown::from).collect(),
            nodes_total: own.nodes_total as usize,
        }
    }
}

impl From<Neighbourhood> for types::Neighbourhood {
    fn from(own: Neighbourhood) -> types::Neighbourhood {
        types::Neighbourhood {
            classes: own.classes.into_iter().map(types::ShownClass::from).collect(),
            total: own.total as u64,
            total_is_limit: own.total_is_limit,
        }
    }
}

impl From<types::Neighbourhood> for Neighbourhood {
    fn from(own: types::Neighbourhood) -> Neighbourhood {
        Neighbourhood {
            classes: own.classes.into_iter().map(ClassShown::from).collect(),
            total: own.total as usize,
            total_is_limit: own.total_is_limit,
        }
    }
}

impl From<types::CostModel> for CostModel {
    fn from(model: types::CostModel) -> CostModel {
        match model {
            types::CostModel::Tree => CostModel::Tree,
            types::CostModel::Dag => CostModel::Dag,
        }
    }
}

impl From<CostModel> for types::CostModel {
    fn from(model: CostModel) -> types::CostModel {
        match model {
            CostModel::Tree => types::CostModel::Tree,
            CostModel::Dag => types::CostModel::Dag,
        }
    }
}

impl From<Extracted> for types::Extracted {
    fn from(extracted: Extracted) -> types::Extracted {
        types::Extracted {
            term: extracted.term,
            cost: extracted.cost,
        }
    }
}

impl From<types::Extracted> for Extracted {
    fn from(extracted: types::Extracted) -> Extracted {
        Extracted {
            term: extracted.term,
            cost: extracted.cost,
        }
    }
}

/// What one way and the other differ in is only whose types are built.
macro_rules! explanations {
    ($from:ident, $to:ident) => {
        impl From<$from::ExplanationStep> for $to::ExplanationStep {
            fn from(step: $from::ExplanationStep) -> $to::ExplanationStep {
                $to::ExplanationStep {
                    before: step.before,
                    after: step.after,
                    forward: step.forward,
                    place: step.place,
                    reason: step.reason.into(),
                }
            }
        }

        impl From<$from::Lemma> for $to::Lemma {
            fn from(lemma: $from::Lemma) -> $to::Lemma {
                $to::Lemma {
                    left: lemma.left,
                    right: lemma.right,
                    steps: lemma.steps.into_iter().map(Into::into).collect(),
                }
            }
        }

        impl From<$from::Explanation> for $to::Explanation {
            fn from(explanation: $from::Explanation) -> $to::Explanation {
                $to::Explanation {
                    steps: explanation.steps.into_iter().map(Into::into).collect(),
                    lemmas: explanation.lemmas.into_iter().map(Into::into).collect(),
                }
            }
        }
    };
}

explanations!(eqmesh_replica, types);
explanations!(types, eqmesh_replica);

impl From<eqmesh_replica::Reason> for types::StepReason {
    fn from(reason: eqmesh_replica::Reason) -> types::StepReason {
        match reason {
            eqmesh_replica::Reason::Rule {
                name,
                substitution,
                lemmas,
                fact,
            } => types::StepReason::Applied(types::RuleReason {
                rule: name,
                substitution,
                lemmas,
                fact: fact.into(),
            }),
            eqmesh_replica::Reason::Asserted { fact } => types::StepReason::Asserted(fact.into()),
            eqmesh_replica::Reason::Compacted { snapshot } => types::StepReason::Compacted(snapshot.to_vec()),
        }
    }
}

impl From<types::StepReason> for eqmesh_replica::Reason {
    fn from(reason: types::StepReason) -> eqmesh_replica::Reason {
        match reason {
            types::StepReason::Applied(own) => eqmesh_replica::Reason::Rule {
                name: own.rule,
                substitution: own.substitution,
                lemmas: own.lemmas,
                fact: own.fact.into(),
            },
            types::StepReason::Asserted(fact) => eqmesh_replica::Reason::Asserted { fact: fact.into() },
            // All zeros if it has another length than 32 bytes, which no component of ours answers: nobody trusts a snapshot of that digest.
            types::StepReason::Compacted(snapshot) => eqmesh_replica::Reason::Compacted {
                snapshot: crate::digest_from_wit(snapshot).unwrap_or_default(),
            },
        }
    }
}
