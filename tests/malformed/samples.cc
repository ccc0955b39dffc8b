#include "samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "base/rng.h"
#include "container/gguf_layout.h"
#include "tokenizer/test_support.h"

namespace hearth {
namespace {

constexpr size_t kVocabularyMax = 512;
constexpr std::string_view kTemplate =
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}\n{% endfor %}";

TensorToWrite tensor(std::string name, std::vector<uint64_t> shape, const Encoding* encoding) {
  return {std::move(name), std::move(shape), encoding, {}};
}

// The layout's header and its data; random bytes where a tensor does not say what it is.
std::string whole(const Metadata& metadata, const std::vector<TensorToWrite>& tensors) {
  auto layout = lay_out_gguf(metadata, tensors);
  CHECK(layout.has_value());
  std::string out = layout->header;
  size_t data_begin = out.size();
  while (out.size() < layout->file_bytes)
    out += static_cast<char>(philox(3, 0, out.size())[0]);
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (!tensors[i].fill) continue;
    std::vector<std::byte> data;
    CHECK(tensors[i].fill(data).has_value() && data.size() == layout->bytes[i]);
    if (!data.empty())
      std::memcpy(out.data() + data_begin + layout->offsets[i], data.data(), data.size());
  }
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
  meta.set_string("tokenizer.chat_template", std::string(kTemplate));
}

}  // namespace

TensorToWrite& ModelParts::tensor(std::string_view name) {
  auto found = std::ranges::find(tensors, name, &TensorToWrite::name);
  CHECK(found != tensors.end());
  return *found;
}

void ModelParts::add(std::string name, std::vector<uint64_t> shape, const Encoding* encoding) {
  tensors.push_back({std::move(name), std::move(shape), encoding, {}});
}

std::string ModelParts::bytes() const { return whole(metadata, tensors); }

namespace {

std::function<Result<void>(std::vector<std::byte>&)> numbers(
    const TensorToWrite& tensor, const std::function<float(uint64_t)>& number) {
  uint64_t elems = 1;
  for (uint64_t dim : tensor.shape) elems *= dim;
  return [elems, number, encoding = tensor.encoding](std::vector<std::byte>& out) -> Result<void> {
    std::vector<float> values(elems);
    for (uint64_t i = 0; i < elems; ++i) values[i] = number(i);
    out.resize(encoding->bytes_of(elems));
    encoding->encode(values.data(), out.data(), elems, nullptr);
    return {};
  };
}

void add_tensors(ModelParts& parts, size_t vocabulary) {
  parts.add("token_embd.weight", {vocabulary, 32}, &k_q8_0);
  parts.add("output_norm.weight", {32}, &k_f32);
  for (int layer = 0; layer < 2; ++layer) {
    auto add = [&](std::string_view name, std::vector<uint64_t> shape, const Encoding* encoding) {
      parts.add(fmt::format("blk.{}.{}", layer, name), std::move(shape), encoding);
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
  for (TensorToWrite& tensor : parts.tensors) tensor.fill = small_numbers(tensor);
}

Metadata settings() {
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
  return meta;
}

// BERT's entries as converters write them: those that begin a word have U+2581 in front.
Metadata gguf_of_word_pieces() {
  Json fixture = test::read_fixture("json_models");
  std::vector<std::string> tokens;
  std::vector<int32_t> types;
  for (const Json& entry : fixture["tokenizers"].as_array()) {
    if (entry["name"] != Json("bert") || entry["tokenizer"].is_null()) continue;
    for (const auto& [text, id] : entry["tokenizer"]["model"]["vocab"].as_object()) {
      auto at = static_cast<size_t>(id.as_int());
      if (at >= tokens.size()) tokens.resize(at + 1), types.resize(at + 1, 1);
      if (text.starts_with('[') && text.ends_with(']')) tokens[at] = text, types[at] = 3;
      else tokens[at] = text.starts_with("##") ? text.substr(2) : "\u2581" + text;
    }
  }
  Metadata out;
  out.set_string("tokenizer.ggml.model", "bert");
  out.set_strings("tokenizer.ggml.tokens", tokens);
  out.set_ints("tokenizer.ggml.token_type", types);
  return out;
}

// A fixture of tokens, types and (not RWKV's) scores.
Metadata gguf_of_lists(const char* name, const char* model) {
  Json fixture = test::read_fixture(name);
  std::vector<float> scores;
  Metadata out;
  out.set_string("tokenizer.ggml.model", model);
  out.set_strings("tokenizer.ggml.tokens", test::strings_of(fixture["tokens"]));
  out.set_ints("tokenizer.ggml.token_type", test::ids_of(fixture["types"]));
  if (!fixture["scores"].is_array()) return out;
  for (const Json& score : fixture["scores"].as_array())
    scores.push_back(static_cast<float>(score.as_double()));
  out.set_floats("tokenizer.ggml.scores", scores);
  return out;
}

std::vector<Metadata> vocabularies() {
  std::vector<Metadata> out;
  for (const char* name : {"tiny", "qwen", "llama3"})
    out.push_back(test::gguf_of_hugging_face(test::read_fixture(name)["tokenizer"],
                                             name == std::string_view("qwen") ? "qwen2"
                                                                              : "llama3"));
  out.push_back(test::gguf_of_sentencepiece(test::read_fixture("sentencepiece")));
  out.push_back(gguf_of_word_pieces());
  out.push_back(gguf_of_lists("spm_rwkv", "rwkv"));
  out.push_back(gguf_of_lists("spm_plamo", "plamo2"));
  Metadata t5 = test::gguf_of_sentencepiece(test::read_fixture("sentencepiece_user"));
  t5.set_string("tokenizer.ggml.model", "t5");
  t5.set_u32("tokenizer.ggml.unknown_token_id", 0);
  t5.set_bool("tokenizer.ggml.remove_extra_whitespaces", true);
  out.push_back(std::move(t5));
  return out;
}

}  // namespace

std::function<Result<void>(std::vector<std::byte>&)> small_numbers(const TensorToWrite& tensor) {
  uint64_t seed = std::hash<std::string>()(tensor.name);
  bool norm = tensor.shape.size() == 1;
  return numbers(tensor, [seed, norm](uint64_t i) {
    auto small = static_cast<float>(uniform(seed, 0, i) - 0.5) / 4;
    return norm ? 1 + small : small;
  });
}

std::function<Result<void>(std::vector<std::byte>&)> one_number(const TensorToWrite& tensor,
                                                                float value) {
  return numbers(tensor, [value](uint64_t) { return value; });
}

ModelParts sample_model(size_t vocabulary) {
  ModelParts parts{.metadata = settings()};
  add_vocabulary(parts.metadata, vocabulary);
  add_tensors(parts, vocabulary);
  return parts;
}

std::vector<ModelParts> sample_models_of_all_vocabularies() {
  std::vector<ModelParts> out;
  for (const Metadata& vocabulary : vocabularies()) {
    ModelParts parts{.metadata = settings()};
    for (const auto& [key, value] : vocabulary.pairs()) parts.metadata.set(key, value);
    // Arrays point into what the vocabulary owns.
    parts.metadata.keep_alive(std::make_shared<const Metadata>(vocabulary));
    parts.metadata.set_u32("tokenizer.ggml.bos_token_id", 1);
    parts.metadata.set_u32("tokenizer.ggml.eos_token_id", 2);
    parts.metadata.set_string("tokenizer.chat_template", std::string(kTemplate));
    add_tensors(parts, (*vocabulary.array("tokenizer.ggml.tokens"))->count);
    out.push_back(std::move(parts));
  }
  return out;
}

std::string sample_gguf(size_t vocabulary) { return sample_model(vocabulary).bytes(); }

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
