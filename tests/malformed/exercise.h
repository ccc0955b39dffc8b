// What the tests do to a malformed file that opens all the same. Later floors (tokenizer,
// template, model) hook in here.
#pragma once

#include <cstdint>

#include "container/tensor_file.h"

namespace hearth {

// Walks all metadata and the first and last byte of each tensor. The result depends on all that
// was read, so that no read can be left out.
uint64_t exercise(const TensorFile& file);

}  // namespace hearth
