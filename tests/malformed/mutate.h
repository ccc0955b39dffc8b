// Mutants of well-formed files: a function of the file and a number.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "container/gguf.h"

namespace hearth {

// Bends 1 to 4 fields: numbers to edge values or neighbours, texts to other texts or wild bytes,
// fields copied over, doubled or dropped; now and then random bytes or a cut.
std::string mutate_gguf(const std::string& bytes, std::span<const GgufFieldAt> fields,
                        uint64_t number);

// The same with the length and the tokens of a safetensors header.
std::string mutate_safetensors(const std::string& bytes, uint64_t number);

}  // namespace hearth
