//! What the functions accept from their environment, in a file that the tests of `template.yaml` compare
//! with its parameters.
