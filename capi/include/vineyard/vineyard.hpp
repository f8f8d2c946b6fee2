// vineyard.hpp - Vineyard for C++17 and later: handles that give themselves back, exceptions, spans. Header
// only, over the C interface; vineyard.h and cluster.h stay the specification of what each call does.
//
//   vineyard::Client client = vineyard::Client::connect("/tmp/vineyard.sock");
//   vineyard::ObjectId id = client.put_array(std::vector<double>{1, 2.5, 4});
//   vineyard::Object object = client.get(id);
//   for (double x : object.tensor<double>()) ...                               // read in place
//
// Five questions of a caller
//
//   Errors.    What fails throws a vineyard::Error, or the class below it for its status: NotFoundError,
//              TimeoutError and so on (hpp/error.hpp). What is asked for by find_ answers an empty
//              optional instead where there is nothing. Destructors never throw.
//   Text.      Paths, names and keys go in as std::string_view; InvalidError when one holds NUL. Values may.
//              Text comes out as a std::string_view where a handle of yours keeps it, which is said there,
//              else as a std::string.
//   Ownership. A handle owns what it stands for and gives it back when it goes. Handles are moved, not copied. An
//              empty one (moved from, or made by the default constructor) may be destroyed and assigned
//              to; it answers as the C function does to NULL: an InvalidError, or nothing (no bytes,
//              the id 0). What is passed in is borrowed for the call, except payloads given to a
//              MetaBuilder: until its put has returned. What is borrowed from a
//              handle (tensor(), fields(), members(), values, string views) goes with it: give it a name, as
//              `for (double x : client.get(id).tensor<double>())` reads what is gone before the loop.
//              Views (Blob, Object) outlive their Client; a payload below an Object is to be looked at
//              once before that goes, which maps its memory.
//   Units.     Sizes are bytes or, of spans and tensors, elements; times are std::chrono::milliseconds:
//              vineyard::kNoWait does not wait, vineyard::kDefaultTimeout is the client's.
//   Threads.   Each class says one of: thread-safe (any number of threads at once), thread-compatible (one at a
//              time). Moving, assigning and destroying a handle are never safe beside its use.
//
// Functions are spelled as those of the standard library, types and constants as Vineyard's own code is.
// Each handle has handle(), for calls of the C interface, and a constructor that takes one over.
//
// The names lie in an inline namespace that counts the layouts of these classes: parts of a program that were compiled
// against different ones do not mix by mistake.
#ifndef VINEYARD_VINEYARD_HPP_
#define VINEYARD_VINEYARD_HPP_

#include <vineyard/vineyard.h>

#include <vineyard/hpp/blob.hpp>
#include <vineyard/hpp/builtin.hpp>
#include <vineyard/hpp/client.hpp>
#include <vineyard/hpp/cluster.hpp>
#include <vineyard/hpp/element.hpp>
#include <vineyard/hpp/error.hpp>
#include <vineyard/hpp/lists.hpp>
#include <vineyard/hpp/meta.hpp>
#include <vineyard/hpp/object.hpp>
#include <vineyard/hpp/span.hpp>
#include <vineyard/hpp/tensor.hpp>
#include <vineyard/hpp/value.hpp>

#endif  // VINEYARD_VINEYARD_HPP_
