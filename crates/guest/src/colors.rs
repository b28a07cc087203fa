//! Translation between the WIT vocabulary and the types of `eqmesh-colors`.

use eqmesh_colors::{Inference, Side};
use eqmesh_egraph::color::Color;

use crate::types;

impl From<types::Side> for Side {
    fn from(side: types::Side) -> Side {
        Side {
            weight: side.weight,
            left_first: side.left_first,
            right_first: side.right_first,
        }
    }
}

impl From<Side> for types::Side {
    fn from(side: Side) -> types::Side {
        types::Side {
            weight: side.weight,
            left_first: side.left_first,
            right_first: side.right_first,
        }
    }
}

impl From<types::Inference> for Inference {
    fn from(inference: types::Inference) -> Inference {
        Inference {
            declared: inference.declared.map(Color::from),
            left: inference.left.into(),
            right: inference.right.into(),
            reversed: inference.reversed,
        }
    }
}

impl From<Inference> for types::Inference {
    fn from(inference: Inference) -> types::Inference {
        types::Inference {
            declared: inference.declared.map(types::Color::from),
            left: inference.left.into(),
            right: inference.right.into(),
            reversed: inference.reversed,
        }
    }
}
