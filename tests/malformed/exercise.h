// What the tests do to a malformed file that opens all the same: everything that a user would,
// up to an answer.
#pragma once

#include <cstdint>

#include "container/tensor_file.h"

namespace hearth {

// Walks all metadata and the first and last byte of each tensor; tokenizes, renders the template,
// loads the model and makes three tokens, each where the file allows it. The result depends on all
// that was read, so that no read can be left out.
uint64_t exercise(const TensorFile& file);

}  // namespace hearth
