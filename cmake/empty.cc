// Stands in for a folder that has only headers so far: every layer is a library of the same kind.
