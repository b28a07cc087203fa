//! Colors and polarity as a component: an adapter of the WIT interface `colors` to `eqmesh-colors`.

#![allow(unsafe_code, reason = "the export macro declares the component's entry points")]

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "colors-component",
        with: { "eqmesh:network/types@0.1.0": eqmesh_guest::types },
    });
}

use bindings::exports::eqmesh::network::colors::{Guest, Rgb, Vision};
use eqmesh_colors as plain;
use eqmesh_guest::types;

struct Component;

impl Guest for Component {
    fn default_seed() -> u64 {
        plain::default_seed()
    }

    fn color_at(seed: u64, index: u64) -> Rgb {
        rgb(plain::color_at(seed, index))
    }

    fn to_hex(color: Rgb) -> String {
        plain::to_hex(rgb_from_wit(color))
    }

    fn split(seed: u64, index: u64) -> u64 {
        plain::split(seed, index)
    }

    fn palette(seed: u64, count: u32, vision: Vision) -> Vec<Rgb> {
        let vision = match vision {
            Vision::Ordinary => plain::Vision::Ordinary,
            Vision::ColorBlind => plain::Vision::ColorBlind,
        };
        plain::palette(seed, count, vision).into_iter().map(rgb).collect()
    }

    fn text_on(background: Rgb) -> (bool, f64) {
        plain::text_on(rgb_from_wit(background))
    }

    fn color_of(seed: u64, name: String) -> Rgb {
        rgb(plain::color_of(seed, &name))
    }

    fn infer_polarity(rule: types::Inference) -> types::Color {
        plain::infer_polarity(&rule.into()).into()
    }

    fn base_priority(color: types::Color) -> u32 {
        plain::base_priority(color.into())
    }
}

fn rgb(color: plain::Rgb) -> Rgb {
    Rgb {
        red: color.red,
        green: color.green,
        blue: color.blue,
    }
}

fn rgb_from_wit(color: Rgb) -> plain::Rgb {
    plain::Rgb::new(color.red, color.green, color.blue)
}

bindings::export!(Component with_types_in bindings);
