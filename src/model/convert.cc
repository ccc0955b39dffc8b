// Checkpoint -> GGUF: the same rows that load a model, read the other way.
#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "base/check.h"
#include "container/writer.h"
#include "model/model.h"

namespace hearth {
namespace {

// Where row `row` of a GGUF tensor comes from in the checkpoint's: within each head, the rotary
// pair (2i, 2i+1) was (i, i + half).
int64_t rope_source(int64_t row, int64_t head_dim) {
  int64_t head = row / head_dim, within = row % head_dim, half = head_dim / 2;
  return head * head_dim + (within % 2 == 0 ? within / 2 : half + within / 2);
}

struct Writing {
  const Model* model;
  bool permute;  // rows of q and k go from halves to pairs
};

const TensorRow& row_of(const Model& model, const Weight& weight) {
  for (const TensorRow& row : model.arch->tensors)
    if (row.slot == weight.slot) return row;
  CHECK(false);
  return model.arch->tensors.front();
}

Result<void> append_row(const Weight& weight, int64_t row, const Encoding& to,
                        std::vector<std::byte>& out) {
  const std::byte* from = weight.data() + static_cast<size_t>(row) * weight.row_bytes();
  if (&to == &weight.encoding()) {
    out.insert(out.end(), from, from + weight.row_bytes());
    return {};
  }
  std::vector<float> values(static_cast<size_t>(weight.cols));
  weight.encoding().decode(from, values.data(), values.size());
  size_t at = out.size();
  out.resize(at + to.bytes_of(values.size()));
  to.encode(values.data(), out.data() + at, values.size(), nullptr);
  return {};
}

// A vector is one row whose values are permuted one by one.
void append_vector(const Weight& weight, bool permute, int64_t head_dim,
                   std::vector<std::byte>& out) {
  std::vector<float> values(static_cast<size_t>(weight.cols)), ordered(values.size());
  weight.encoding().decode(weight.data(), values.data(), values.size());
  for (int64_t i = 0; i < weight.cols; ++i)
    ordered[static_cast<size_t>(i)] =
        values[static_cast<size_t>(permute ? rope_source(i, head_dim) : i)];
  auto bytes = std::as_bytes(std::span<const float>(ordered));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

TensorToWrite to_write(const Writing& writing, const Weight& weight, const Encoding* wanted) {
  const TensorRow& row = row_of(*writing.model, weight);
  bool vector = row.rows == Dim::kOne;
  bool permute = writing.permute && row.fix == Fix::kRopeRows;
  const Encoding* to = vector ? &k_f32 : wanted != nullptr ? wanted : &weight.encoding();
  if (static_cast<uint64_t>(weight.cols) % to->block_elems != 0) to = &k_f16;
  TensorToWrite out{.name = layer_name(row.gguf, weight.layer), .encoding = to};
  out.shape = {static_cast<uint64_t>(weight.cols)};
  if (!vector) out.shape.insert(out.shape.begin(), static_cast<uint64_t>(weight.rows));
  out.fill = [&weight, vector, permute, to, head_dim = writing.model->config.head_dim](
                 std::vector<std::byte>& bytes) -> Result<void> {
    if (vector) {
      append_vector(weight, permute, head_dim, bytes);
      return {};
    }
    for (int64_t r = 0; r < weight.rows; ++r)
      TRY(append_row(weight, permute ? rope_source(r, head_dim) : r, *to, bytes));
    return {};
  };
  return out;
}

// GGUF has no name for Llama 3's rotary rule: it holds what the rule divides each frequency by.
TensorToWrite rope_factors(const RopeConfig& rope) {
  RopeConfig plain = rope;
  plain.scaling = RopeScaling::kNone;
  std::vector<float> factors = RopeTable(plain).divisors(RopeTable(rope));
  TensorToWrite out{.name = "rope_freqs.weight", .shape = {factors.size()}, .encoding = &k_f32};
  out.fill = [factors](std::vector<std::byte>& bytes) -> Result<void> {
    auto raw = std::as_bytes(std::span<const float>(factors));
    bytes.insert(bytes.end(), raw.begin(), raw.end());
    return {};
  };
  return out;
}

}  // namespace

Result<void> write_model_gguf(const Model& model, const std::string& path,
                              const Encoding* encoding) {
  if (encoding != nullptr && encoding->encode == nullptr)
    return fail(Code::kUnsupported, "Hearth cannot write {} yet", encoding->name);
  Metadata metadata;
  write_config(*model.arch, model.config, metadata);
  metadata.set_u32("general.alignment", 32);
  for (const auto& [key, value] : model.file.metadata().pairs())
    if (key.starts_with("tokenizer.")) metadata.set(key, value);

  Writing writing{&model, model.arch->gguf_rope_interleaved && !model.config.rope.interleaved};
  std::vector<TensorToWrite> tensors;
  for (const Weight& weight : model.weights) {
    if (!model.shares_embedding(weight)) tensors.push_back(to_write(writing, weight, encoding));
  }
  if (model.config.rope.scaling == RopeScaling::kLlama3)
    tensors.push_back(rope_factors(model.config.rope));
  return write_gguf(path, metadata, tensors);
}

}  // namespace hearth
