//! Events, causality and metrics of a network of agents
