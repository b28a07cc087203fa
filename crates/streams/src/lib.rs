//! The streams: RED, BLUE and GREEN do the work of their color on one e-graph, and share its matches between them.
//!
//! A stream holds nothing. It is written against [`Graph`], which a [`Replica`] implements natively and the `egraph` component's resource in
//! WebAssembly, so both run the very same code.

use eqmesh_egraph::color::{Color, Colors};
use eqmesh_egraph::operator::Operator;
use eqmesh_replica::{AgentId, Budget, Dot, Fault, Name, NodeInfo, Replica, Share, StepReport};

/// What a stream needs to know of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleInfo {
    /// The fact that brought it.
    pub fact: Dot,
    /// Its name.
    pub name: String,
    /// Its ruleset.
    pub ruleset: String,
    /// Its polarity.
    pub color: Color,
}

/// The part of the replicated e-graph that streams work on; see the WIT interface `egraph` for what each function does.
pub trait Graph {
    /// All rules of settled facts.
    fn rules(&self) -> Vec<RuleInfo>;
    /// Makes a `term` fact.
    fn insert(&mut self, term: &str, label: Option<&str>, color: Color) -> Result<(), Fault>;
    /// Makes a `term` fact of one node.
    fn add_node(&mut self, operator: &Operator, children: &[Name], color: Color) -> Result<Name, Fault>;
    /// What is known of a node.
    fn inspect(&self, node: Name) -> Result<NodeInfo, Fault>;
    /// Searches a share and makes `apply` facts.
    fn derive(&mut self, rules: &[Dot], share: Share, budget: Budget) -> Result<StepReport, Fault>;
    /// Makes a `certify` fact; answers whether there was anything to certify.
    fn certify(&mut self, agents: &[AgentId]) -> bool;
}

impl Graph for Replica {
    fn rules(&self) -> Vec<RuleInfo> {
        Replica::rules(self)
            .map(|(fact, rule)| RuleInfo {
                fact,
                name: rule.name.clone(),
                ruleset: rule.ruleset.clone(),
                color: rule.color,
            })
            .collect()
    }

    fn insert(&mut self, term: &str, label: Option<&str>, color: Color) -> Result<(), Fault> {
        Replica::insert(self, term, label, color).map(|_| ())
    }

    fn add_node(&mut self, operator: &Operator, children: &[Name], color: Color) -> Result<Name, Fault> {
        Replica::add_node(self, operator, children, color)
    }

    fn inspect(&self, node: Name) -> Result<NodeInfo, Fault> {
        Replica::inspect(self, node)
    }

    fn derive(&mut self, rules: &[Dot], share: Share, budget: Budget) -> Result<StepReport, Fault> {
        Replica::derive(self, rules, share, budget)
    }

    fn certify(&mut self, agents: &[AgentId]) -> bool {
        Replica::certify(self, agents).is_some()
    }
}

/// What a stream is asked to do in one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Only rules of this ruleset are run.
    pub ruleset: String,
    /// This agent's part of the matches of each color.
    pub shares: Vec<(Color, Share)>,
    /// Bounds on the step.
    pub budget: Budget,
}

/// The stream of one color.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream(pub Color);

impl Stream {
    /// Adds a node in this stream's color, if the 3-coloring constraint allows it.
    pub fn add_node(self, graph: &mut impl Graph, operator: &Operator, children: &[Name]) -> Result<Name, Fault> {
        verify_color_constraint(graph, self.0, children)?;
        graph.add_node(operator, children, self.0)
    }

    /// Inserts the user's terms in order: RED only.
    pub fn initialize(self, graph: &mut impl Graph, terms: &[(Option<String>, String)]) -> Result<(), Fault> {
        if self.0 != Color::Red {
            return Err(Fault::Misplaced(format!(
                "the {} stream does not insert the user's terms",
                self.0.name()
            )));
        }
        terms
            .iter()
            .try_for_each(|(label, term)| graph.insert(term, label.as_deref(), Color::Green))
    }

    /// Searches this stream's share of the matches of its own rules.
    pub fn step(self, graph: &mut impl Graph, task: &Task) -> Result<StepReport, Fault> {
        let Some(&(_, share)) = task.shares.iter().find(|(color, _)| *color == self.0) else {
            return Ok(StepReport {
                saturated: true,
                ..StepReport::default()
            });
        };
        let rules: Vec<Dot> = graph
            .rules()
            .into_iter()
            .filter(|rule| rule.color == self.0 && rule.ruleset == task.ruleset)
            .map(|rule| rule.fact)
            .collect();
        graph.derive(&rules, share, task.budget)
    }

    /// Certifies the facts of these agents: GREEN only.
    pub fn certify(self, graph: &mut impl Graph, agents: &[AgentId]) -> bool {
        self.0 == Color::Green && graph.certify(agents)
    }
}

/// Whether a node of this color may stand over these children: a RED one needs a RED or GREEN witness in each child's class, a BLUE one a BLUE or GREEN
/// one, and a GREEN one none. A certified node counts as GREEN.
pub fn verify_color_constraint(graph: &impl Graph, parent: Color, children: &[Name]) -> Result<(), Fault> {
    for &child in children {
        let info = graph.inspect(child)?;
        if let Some(witnesses) = Colors::witnesses(parent)
            && !info.class_colors.intersects(witnesses)
        {
            return Err(Fault::Coloring(format!(
                "a {} node cannot stand over the class of `{}` (agent {}, node {}), which is {} only",
                parent.name(),
                info.operator.name,
                child.agent.0,
                child.ordinal,
                info.class_colors.dominant().map_or("uncolored", Color::name)
            )));
        }
    }
    Ok(())
}

/// Runs several streams one after the other on one task, the budget going down from one to the next: what an agent that has all colors does.
/// `step` runs the stream of one color.
pub fn step_all(
    task: &Task,
    mut step: impl FnMut(Color, &Task) -> Result<StepReport, Fault>,
) -> Result<StepReport, Fault> {
    let mut total = StepReport {
        saturated: true,
        ..StepReport::default()
    };
    let mut left = task.clone();
    // Backfill, verify, live: the order of the phases of a round.
    for color in [Color::Blue, Color::Green, Color::Red] {
        let report = step(color, &left)?;
        total.matches += report.matches;
        total.applied += report.applied;
        total.blocked += report.blocked;
        total.nodes += report.nodes;
        total.saturated &= report.saturated;
        total.exhausted |= report.exhausted;
        left.budget.matches = left.budget.matches.saturating_sub(report.matches);
        left.budget.nodes = left.budget.nodes.saturating_sub(report.nodes);
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use eqmesh_replica::Options;

    fn replica() -> Replica {
        Replica::new(Options {
            agent: AgentId(0),
            coloring: true,
        })
    }

    fn settle(replica: &mut Replica) {
        replica.seal();
        assert!(replica.settle().refused.is_empty());
    }

    #[test]
    fn red_builds_on_blue_only_through_green() {
        let mut graph = replica();
        let (leaf, unary) = (Operator::untyped("a", 0), Operator::untyped("f", 1));
        let below = Stream(Color::Blue).add_node(&mut graph, &leaf, &[]).unwrap();
        settle(&mut graph);
        let refused = Stream(Color::Red).add_node(&mut graph, &unary, &[below]).unwrap_err();
        assert!(matches!(refused, Fault::Coloring(_)), "{refused:?}");
        let facts = graph.size().facts;
        settle(&mut graph);
        assert_eq!(graph.size().facts, facts, "nothing changed");
        assert!(Stream(Color::Blue).add_node(&mut graph, &unary, &[below]).is_ok());
        assert!(
            Stream(Color::Green)
                .add_node(&mut graph, &Operator::untyped("g", 1), &[below])
                .is_ok()
        );
        settle(&mut graph);
        assert!(!Stream(Color::Red).certify(&mut graph, &[AgentId(0)]));
        assert!(Stream(Color::Green).certify(&mut graph, &[AgentId(0)]));
        settle(&mut graph);
        assert!(Stream(Color::Red).add_node(&mut graph, &unary, &[below]).is_ok());
    }

    #[test]
    fn only_red_initializes() {
        let mut graph = replica();
        graph.declare(&[Operator::untyped("a", 0)]).unwrap();
        let terms = [(Some("x".to_owned()), "a".to_owned()), (None, "x".to_owned())];
        assert!(matches!(
            Stream(Color::Green).initialize(&mut graph, &terms),
            Err(Fault::Misplaced(_))
        ));
        assert_eq!(Stream(Color::Red).initialize(&mut graph, &terms), Ok(()));
        settle(&mut graph);
        assert_eq!(graph.size().enodes, 1);
    }
}
