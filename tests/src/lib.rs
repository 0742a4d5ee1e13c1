//! Support for tests that need a kernel, a container runtime or a cluster.
