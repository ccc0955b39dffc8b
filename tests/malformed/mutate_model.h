// Mutants of GGUF files that stay well-formed: what they say is bent, not how.
#pragma once

#include <cstdint>
#include <string>

#include "samples.h"

namespace hearth {

// Bends 1 to 3 things: numbers of settings and special ids, entries, scores, kinds and merges of
// the vocabulary, the chat template, shapes, encodings and data of tensors. A function of both.
std::string mutate_model(const ModelParts& parts, uint64_t number);

}  // namespace hearth
