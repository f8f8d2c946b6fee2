// vineyard.hpp before the headers of the core; hpp_behind_core_test.cc has them the other way round. Both
// use a namespace vineyard: what is here compiles, and says that neither hides the other's names.
#include <vineyard/vineyard.hpp>
// Not sorted into one block.
#include "core/base/result.h"
#include "core/client/client.h"
#include "core/client/object_view.h"
#include "core/object/record.h"
#include "tests/capi/hpp_both.h"

namespace vineyard {
namespace {

TEST(HppBesideCore, NamesOfBothMeanWhatTheyMean) { ExpectBoth<Client>(); }

}  // namespace
}  // namespace vineyard
