//! Agents that live for one act only: suspended, thrown away, and resumed from what their hosts have stored.

use rand::RngExt as _;

use super::World;

impl World<'_> {
    /// Suspends an agent and resumes it, if the scenario has it so.
    pub(super) fn pause(&mut self, at: usize) {
        let suspend = self.scenario.suspend;
        if suspend == 0.0 || !self.pauses.random_bool(suspend) {
            return;
        }
        let Some(node) = &mut self.hosts[at].node else { return };
        // It is started again anyway, as another incarnation.
        if node.is_outdated() {
            return;
        }
        let (digest, known) = (node.state_digest(), (node.claim(), node.members(), node.doubles()));
        let state = match node.suspend() {
            Ok(state) => state,
            Err(fault) => return self.fail(format!("an agent cannot be suspended: {fault}")),
        };
        let mut node = self.fresh(at);
        let number = self.hosts[at].number;
        let resumed = node.resume(&state, Some(self.stored(at)), self.now);
        if resumed.is_err() || node.state_digest() != digest {
            self.fail(format!(
                "agent {number} does not come back as it was suspended: {resumed:?}"
            ));
        }
        if known != (node.claim(), node.members(), node.doubles()) {
            self.fail(format!("agent {number} comes back with another view of the network"));
        }
        if node.suspend().as_ref() != Ok(&state) {
            self.fail(format!(
                "agent {number} is suspended as another one than it was resumed as"
            ));
        }
        self.hosts[at].node = Some(node);
        self.report.suspensions += 1;
        self.report.suspended_bytes = self.report.suspended_bytes.max(state.len() as u64);
    }
}
