// What the tests do to a malformed file that opens all the same: everything that a user would,
// up to an answer.
#pragma once

#include <cstdint>
#include <string>

#include "container/tensor_file.h"
#include "tokenizer/tokenizer.h"

namespace hearth {

// Walks all metadata and the first and last byte of each tensor; tokenizes, renders the template,
// loads the model and makes three tokens, each where the file allows it. The result depends on all
// that was read, so that no read can be left out.
//
// `folder` has what lies beside a safetensors file. EXPECTs that every refusal is clear.
uint64_t exercise(const TensorFile& file, const std::string& folder = "");

// Encodes and decodes a hostile text, whole, in a batch of pairs and as a stream. EXPECTs ids
// within the vocabulary and a stream that is the whole.
uint64_t exercise(const Tokenizer& tokenizer);

// EXPECTs one line of UTF-8 that says something, and no error of our own.
void expect_clear(const Error& error);

}  // namespace hearth
