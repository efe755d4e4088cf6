//! The data plane: the way of one request, one file a stage.
