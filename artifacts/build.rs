//! Builds the components that agents are composed of.

fn main() {
    eqmesh_artifacts_build::main(eqmesh_artifacts_build::Group::Plain);
}
