//! Builds the components that make agents a service.

fn main() {
    eqmesh_artifacts_build::main(eqmesh_artifacts_build::Group::Service);
}
