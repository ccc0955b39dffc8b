#include "samples.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "base/check.h"
#include "base/rng.h"
#include "container/gguf_layout.h"

namespace hearth {
namespace {

constexpr size_t kVocabularyMax = 512;

TensorToWrite tensor(std::string name, std::vector<uint64_t> shape, const Encoding* encoding) {
  return {std::move(name), std::move(shape), encoding, {}};
}

// The layout's header and random data behind it.
std::string whole(const Metadata& metadata, const std::vector<TensorToWrite>& tensors) {
  auto layout = lay_out_gguf(metadata, tensors);
  CHECK(layout.has_value());
  std::string out = layout->header;
  while (out.size() < layout->file_bytes)
    out += static_cast<char>(philox(3, 0, out.size())[0]);
  return out;
}

void add_vocabulary(Metadata& meta, size_t count) {
  std::vector<std::string> tokens, merges;
  std::vector<float> scores;
  std::vector<int32_t> types;
  for (size_t i = 0; i < count; ++i) {
    tokens.push_back(fmt::format("tok\xC4\xA0{}", i));
    merges.push_back(fmt::format("t{} k{}", i % 7, i));
    scores.push_back(-static_cast<float>(i));
    types.push_back(i < 3 ? 3 : 1);
  }
  meta.set_string("tokenizer.ggml.model", "gpt2");
  meta.set_string("tokenizer.ggml.pre", "smollm");
  meta.set_strings("tokenizer.ggml.tokens", std::move(tokens));
  meta.set_floats("tokenizer.ggml.scores", scores);
  meta.set_ints("tokenizer.ggml.token_type", types);
  meta.set_strings("tokenizer.ggml.merges", std::move(merges));
  meta.set_u32("tokenizer.ggml.bos_token_id", 1);
  meta.set_u32("tokenizer.ggml.eos_token_id", 2);
  meta.set_bool("tokenizer.ggml.add_bos_token", false);
  meta.set_string("tokenizer.chat_template",
                  "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}\n{% endfor %}");
}

}  // namespace

std::string sample_gguf(size_t vocabulary) {
  Metadata meta;
  meta.set_string("general.architecture", "llama");
  meta.set_string("general.name", "sample");
  meta.set_u32("general.alignment", 32);
  meta.set_u32("llama.block_count", 2);
  meta.set_u32("llama.context_length", 128);
  meta.set_u32("llama.embedding_length", 32);
  meta.set_u32("llama.feed_forward_length", 64);
  meta.set_u32("llama.attention.head_count", 4);
  meta.set_u32("llama.attention.head_count_kv", 2);
  meta.set_f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  meta.set_f32("llama.rope.freq_base", 10000.0f);
  add_vocabulary(meta, vocabulary);
  std::vector<TensorToWrite> tensors = {tensor("token_embd.weight", {vocabulary, 32}, &k_q8_0),
                                        tensor("output_norm.weight", {32}, &k_f32)};
  for (int layer = 0; layer < 2; ++layer) {
    auto add = [&](std::string_view name, std::vector<uint64_t> shape, const Encoding* encoding) {
      tensors.push_back(tensor(fmt::format("blk.{}.{}", layer, name), std::move(shape), encoding));
    };
    add("attn_norm.weight", {32}, &k_f32);
    add("attn_q.weight", {32, 32}, &k_q4_0);
    add("attn_k.weight", {16, 32}, &k_q5_0);
    add("attn_v.weight", {16, 32}, &k_f16);
    add("attn_output.weight", {32, 32}, &k_q4_1);
    add("ffn_norm.weight", {32}, &k_f32);
    add("ffn_gate.weight", {64, 32}, &k_q5_1);
    add("ffn_up.weight", {64, 32}, &k_bf16);
    add("ffn_down.weight", {32, 64}, &k_q8_0);
  }
  return whole(meta, tensors);
}

std::string sample_gguf_of_all_types() {
  Metadata meta;
  static const std::array<std::byte, 16> raw{std::byte{1}, std::byte{0xFF}, std::byte{0x80}};
  for (uint32_t i = 0; i < kMetaTypes; ++i) {
    auto type = static_cast<MetaType>(i);
    if (size_of(type) == 0) continue;
    MetaArray array{.item = type, .count = 2, .raw = std::span(raw).first(2 * size_of(type))};
    meta.set(fmt::format("array.{}", name_of(type)), {MetaType::kArray, array});
    MetaValue value{type, uint64_t{1}};
    if (name_of(type).starts_with('i')) value.value = int64_t{-1};
    if (name_of(type).starts_with('f')) value.value = 0.5;
    if (type == MetaType::kBool) value.value = true;
    meta.set(fmt::format("one.{}", name_of(type)), value);
  }
  meta.set_string("text", "some text");
  meta.set_strings("texts", {"", "a", "bc"});
  std::vector<TensorToWrite> tensors = {tensor("scalar", {}, &k_f32),
                                        tensor("four", {2, 1, 2, 3}, &k_f32)};
  for (const Encoding* encoding : encodings())
    tensors.push_back(tensor(fmt::format("t.{}", encoding->name), {2, encoding->block_elems},
                             encoding));
  return whole(meta, tensors);
}

std::string sample_safetensors() {
  std::string header = R"({"__metadata__":{"format":"pt","note":"x"})";
  uint64_t end = 0;
  auto add = [&](std::string_view name, std::string_view dtype, std::string_view shape,
                 uint64_t bytes) {
    header += fmt::format(R"(,"{}":{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", name,
                          dtype, shape, end, end + bytes);
    end += bytes;
  };
  for (int layer = 0; layer < 6; ++layer) {
    add(fmt::format("model.layers.{}.q.weight", layer), "F32", "[4,8]", 128);
    add(fmt::format("model.layers.{}.k.weight", layer), "F16", "[4,8]", 64);
    add(fmt::format("model.layers.{}.norm.weight", layer), "BF16", "[8]", 16);
  }
  add("model.position_ids", "I64", "[1,4]", 32);
  add("scale", "F32", "[]", 4);
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  uint64_t length = header.size();
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  return (out + header).append(end, '\x3C');
}

std::string header_with_small_vocabulary(const TensorFile& file) {
  Metadata meta = file.metadata();
  for (const auto& [key, value] : file.metadata().pairs()) {
    const auto* array = std::get_if<MetaArray>(&value.value);
    if (array == nullptr || array->count <= kVocabularyMax) continue;
    MetaArray cut = *array;
    cut.count = kVocabularyMax;
    if (cut.item == MetaType::kString)
      cut.strings.resize(kVocabularyMax);
    else
      cut.raw = cut.raw.first(kVocabularyMax * size_of(cut.item));
    meta.set(key, {MetaType::kArray, std::move(cut)});
  }
  std::vector<TensorToWrite> tensors;
  for (const TensorInfo& info : file.tensors())
    tensors.push_back(tensor(info.name, info.shape, info.encoding));
  auto layout = lay_out_gguf(meta, tensors);
  CHECK(layout.has_value());
  return layout->header;
}

std::vector<GgufFieldAt> fields_of(const std::shared_ptr<const ByteSource>& source) {
  std::vector<GgufFieldAt> out;
  auto part = parse_gguf(source, 0, [&](const GgufFieldAt& field) { out.push_back(field); });
  CHECK(part.has_value());
  return out;
}

std::shared_ptr<const ByteSource> source_of_text(std::string_view bytes) {
  auto span = std::as_bytes(std::span(bytes));
  return memory_source({span.begin(), span.end()}, "mutant");
}

}  // namespace hearth
