//! Membership, shares and rounds of a network of agents
