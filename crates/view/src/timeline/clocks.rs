//! Vector clocks (Fidge 1988, Mattern 1989), counted in shown events.

use std::collections::BTreeMap;

use eqmesh_replica::AgentId;
use eqmesh_trace::Timeline;

/// For each chosen event, by lane: how many chosen events there could have caused it, itself included. O(events × lanes).
///
/// In a timeline that contradicts itself (messages received before they were sent, in a circle) what lies on such a circle is ordered as time says; the order of an agent's own
/// events always counts.
pub(super) fn clocks(timeline: &Timeline, lanes: &[AgentId], chosen: &[usize]) -> Vec<Vec<usize>> {
    let events = timeline.events();
    let lane: Vec<usize> = events
        .iter()
        .map(|event| {
            lanes
                .binary_search(&event.entry.agent)
                .expect("every agent with events has a lane")
        })
        .collect();
    let mut previous = vec![None; events.len()];
    let mut last = vec![None; lanes.len()];
    for (at, &lane) in lane.iter().enumerate() {
        previous[at] = last[lane].replace(at);
    }
    let causes: BTreeMap<usize, usize> = timeline.arrows().iter().map(|arrow| (arrow.to, arrow.from)).collect();
    let is_chosen = |at: usize| chosen.binary_search(&at).is_ok();
    // How many chosen events of its own lane come before each.
    let mut own_before = Vec::with_capacity(events.len());
    let mut counts = vec![0; lanes.len()];
    for (at, &lane) in lane.iter().enumerate() {
        own_before.push(counts[lane]);
        counts[lane] += usize::from(is_chosen(at));
    }
    // By event: how many chosen events of each lane lead to it. Those of an event that is done never change.
    let mut clocks: Vec<Option<Vec<usize>>> = vec![None; events.len()];
    // Usually each event comes after its causes. Where a clock lies, the causes are done first; one that is under way already closes a circle.
    let mut under_way = vec![false; events.len()];
    for start in 0..events.len() {
        let mut stack = vec![start];
        while let Some(&at) = stack.last() {
            if clocks[at].is_some() {
                stack.pop();
                continue;
            }
            let before = [previous[at], causes.get(&at).copied()];
            let first_visit = !std::mem::replace(&mut under_way[at], true);
            let open = before
                .into_iter()
                .flatten()
                .filter(|&own| clocks[own].is_none() && !under_way[own]);
            let open: Vec<usize> = open.collect();
            if first_visit && !open.is_empty() {
                stack.extend(open);
                continue;
            }
            let mut clock = vec![0; lanes.len()];
            for known in before.into_iter().flatten().filter_map(|own| clocks[own].as_ref()) {
                clock
                    .iter_mut()
                    .zip(known)
                    .for_each(|(own, &known)| *own = known.max(*own));
            }
            clock[lane[at]] = clock[lane[at]].max(own_before[at]) + usize::from(is_chosen(at));
            clocks[at] = Some(clock);
            stack.pop();
        }
    }
    chosen
        .iter()
        .map(|&at| clocks[at].clone().expect("every event was done"))
        .collect()
}
