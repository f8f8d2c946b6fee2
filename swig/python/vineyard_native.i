// vineyard._native: the C interface as Python sees it, for the modules in python/vineyard only.
// Rules come before declarations: they act on what comes after them.
%module _native

%include "rules.i"
%include "values.i"
%include "views.i"
%include "copies.i"
%include "writers.i"
%include "records.i"
%include "record_type.i"
%include "builders.i"
%include "builder_type.i"
%include "lists.i"
%include "cluster.i"
%include "hidden.i"
%include "../common/vineyard.i"
