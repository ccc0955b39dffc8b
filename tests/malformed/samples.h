// Small well-formed model files made by code, whole in memory.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "container/gguf.h"
#include "container/tensor_file.h"
#include "container/writer.h"

namespace hearth {

// The shape of a real model's file: `vocabulary` tokens, scores, types and merges, special ids, a
// chat template, tensors in several encodings with their data.
std::string sample_gguf(size_t vocabulary);

// The parts of such a file, to be changed before they are put together.
struct ModelParts {
  Metadata metadata;
  std::vector<TensorToWrite> tensors;  // `fill`: what the data is; random bytes where it is empty

  TensorToWrite& tensor(std::string_view name);  // CHECKs that it is there
  void add(std::string name, std::vector<uint64_t> shape, const Encoding* encoding);
  std::string bytes() const;                     // the file; CHECKs that the format can hold it
};

// A model that computes: a llama of two layers with small weights in several encodings.
ModelParts sample_model(size_t vocabulary);
// The same around each kind of vocabulary that GGUF knows, from the fixtures of the tokenizer.
std::vector<ModelParts> sample_models_of_all_vocabularies();

// Fills a tensor with small numbers, or with one.
std::function<Result<void>(std::vector<std::byte>&)> small_numbers(const TensorToWrite& tensor);
std::function<Result<void>(std::vector<std::byte>&)> one_number(const TensorToWrite& tensor,
                                                                float value);

// Every value type and every encoding, and little else.
std::string sample_gguf_of_all_types();

std::string sample_safetensors();

// A file's own header with each array cut to 512 items; no data follows.
std::string header_with_small_vocabulary(const TensorFile& file);

// Where the fields of a GGUF file lie. CHECKs that it is well-formed.
std::vector<GgufFieldAt> fields_of(const std::shared_ptr<const ByteSource>& source);

std::shared_ptr<const ByteSource> source_of_text(std::string_view bytes);

}  // namespace hearth
