use std::time::Instant;

use proptest::prelude::*;

use super::*;

fn graph() -> impl Strategy<Value = (Vec<Size>, Vec<Vec<usize>>)> {
    (1_usize..40).prop_flat_map(|count| {
        let size = (10_i64..300, 10_i64..200).prop_map(|(width, height)| Size { width, height });
        let below = prop::collection::btree_set(0..count, 0..6);
        (prop::collection::vec(size, count), prop::collection::vec(below, count)).prop_map(|(sizes, below)| {
            let below = below.into_iter().enumerate();
            let below = below.map(|(own, others)| others.into_iter().filter(|&other| other != own).collect());
            (sizes, below.collect())
        })
    })
}

proptest! {
    /// Whatever leads to what, circles included: no two boxes overlap, all are within the picture, and each edge that does not close a circle goes down.
    #[test]
    fn boxes_never_overlap((sizes, below) in graph()) {
        let own = layout(&sizes, &below);
        prop_assert_eq!(&layout(&sizes, &below), &own, "the same graph, the same layout");
        for (at, (one, size)) in own.boxes.iter().zip(&sizes).enumerate() {
            prop_assert!(one.x >= MARGIN && one.y >= MARGIN);
            prop_assert!(one.x + size.width + MARGIN <= own.width && one.y + size.height + MARGIN <= own.height);
            for (other, other_size) in own.boxes[..at].iter().zip(&sizes) {
                let apart = one.x >= other.x + other_size.width || other.x >= one.x + size.width
                    || one.y >= other.y + other_size.height || other.y >= one.y + size.height;
                prop_assert!(apart, "{one:?} {size:?}, {other:?} {other_size:?}");
            }
        }
        prop_assert_eq!(own.boxes[0].layer, 0);
        for ((from, to), points) in &own.ways {
            let (from, to) = (own.boxes[*from], own.boxes[*to]);
            prop_assert_eq!(points.len(), to.layer - from.layer - 1);
            prop_assert!(points.iter().is_sorted_by_key(|point| point.1));
        }
    }

    /// Without circles every edge goes down.
    #[test]
    fn edges_of_a_graph_without_circles_go_down((sizes, below) in graph()) {
        let below: Vec<Vec<usize>> = below.iter().enumerate()
            .map(|(own, others)| others.iter().copied().filter(|&other| other > own).collect())
            .collect();
        let own = layout(&sizes, &below);
        for (from, others) in below.iter().enumerate() {
            for &to in others {
                prop_assert!(own.boxes[from].layer < own.boxes[to].layer);
            }
        }
    }
}

#[test]
fn a_box_stands_below_the_lowest_that_leads_to_it() {
    let size = Size { width: 100, height: 40 };
    // 0 leads to 1 and 2, 1 to 2, and 2 back to 0 and to 3.
    let own = layout(&[size; 4], &[vec![1, 2], vec![2], vec![0, 3], vec![]]);
    let layers: Vec<usize> = own.boxes.iter().map(|placed| placed.layer).collect();
    assert_eq!(layers, [0, 1, 2, 3]);
    assert_eq!(own.ways.keys().copied().collect::<Vec<_>>(), [(0, 2)]);
}

#[test]
fn forty_classes_take_no_time() {
    let size = Size {
        width: 180,
        height: 120,
    };
    let below: Vec<Vec<usize>> = (0..40)
        .map(|own| {
            (1..=6)
                .map(|step| (own * 7 + step * 5) % 40)
                .filter(|&other| other != own)
                .collect()
        })
        .collect();
    let start = Instant::now();
    let own = layout(&[size; 40], &below);
    let took = start.elapsed();
    assert_eq!(own.boxes.len(), 40);
    // Under 1 ms when optimised; this bound is for builds that are not, on machines that do other things, too.
    assert!(took.as_millis() < 200, "{took:?}");
}
