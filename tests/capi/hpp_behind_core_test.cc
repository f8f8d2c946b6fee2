// vineyard.hpp behind the headers of the core, see hpp_beside_core_test.cc.
#include "core/base/result.h"
#include "core/client/client.h"
#include "core/client/object_view.h"
#include "core/object/record.h"
// Not sorted into one block.
#include <vineyard/vineyard.hpp>
// Nor this, which uses both.
#include "tests/capi/hpp_both.h"

namespace vineyard {
namespace {

TEST(HppBehindCore, NamesOfBothMeanWhatTheyMean) { ExpectBoth<Client>(); }

}  // namespace
}  // namespace vineyard
