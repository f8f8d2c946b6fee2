// This file is the only place that says what a change does to a catalog that allows it.
#pragma once

#include <vector>

#include "core/base/result.h"
#include "core/meta/catalog.h"
#include "core/meta/model.h"

namespace vineyard::meta {

struct Effects {
  std::vector<Effect> effects;
  Outcome outcome;  // without its revision
};
// `name_revision`: what a name that this change touches gets. REQUIRES: catalog.Check(change).ok().
Result<Effects> EffectsOf(const Change& change, const Catalog& catalog, uint64_t name_revision);

// The tree, encoded, with its labels changed so.
Result<std::string> ChangeLabelsOf(std::string_view tree, const SetLabels& change);

}  // namespace vineyard::meta
