// Small well-formed model files made by code, whole in memory.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "container/gguf.h"
#include "container/tensor_file.h"

namespace hearth {

// The shape of a real model's file: `vocabulary` tokens, scores, types and merges, special ids, a
// chat template, tensors in several encodings with their data.
std::string sample_gguf(size_t vocabulary);

// Every value type and every encoding, and little else.
std::string sample_gguf_of_all_types();

std::string sample_safetensors();

// A file's own header with each array cut to 512 items; no data follows.
std::string header_with_small_vocabulary(const TensorFile& file);

// Where the fields of a GGUF file lie. CHECKs that it is well-formed.
std::vector<GgufFieldAt> fields_of(const std::shared_ptr<const ByteSource>& source);

std::shared_ptr<const ByteSource> source_of_text(std::string_view bytes);

}  // namespace hearth
