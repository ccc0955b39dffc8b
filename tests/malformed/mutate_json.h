// Mutants of JSON documents, bent as trees: what comes out is JSON again, but for one in eight.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/json.h"

namespace hearth {

// Bends 1 to 3 nodes: values to other values, texts to names and patterns that parsers of
// tokenizers and settings know, members dropped or doubled, parts taken from `donors`. A function
// of all three.
std::string mutate_json(const Json& document, std::span<const Json> donors, uint64_t number);

}  // namespace hearth
