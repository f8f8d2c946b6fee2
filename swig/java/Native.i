// io.vineyard.internal.Native: the C interface as Java sees it, for the classes of java/ only.
// Rules come before declarations: they act on what comes after them.
%module Native

%include "rules.i"
%include "hidden.i"
%include "../common/vineyard.i"
%include "values.i"
%include "calls.i"
