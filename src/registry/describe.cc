#include "registry/describe.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <tuple>

#include "base/file.h"
#include "base/out_of_memory.h"
#include "container/checkpoint_files.h"
#include "container/tensor_file.h"

namespace hearth {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kTokenizerBytesMax = 256 << 20;

// The names of general.file_type, as GGUF tools print them; gaps are retired numbers.
constexpr std::string_view kFileTypes[] = {
    "F32",     "F16",    "Q4_0",    "Q4_1",   "",       "",        "",       "Q8_0",  "Q5_0",
    "Q5_1",    "Q2_K",   "Q3_K_S",  "Q3_K_M", "Q3_K_L", "Q4_K_S",  "Q4_K_M", "Q5_K_S", "Q5_K_M",
    "Q6_K",    "IQ2_XXS", "IQ2_XS", "Q2_K_S", "IQ3_XS", "IQ3_XXS", "IQ1_S",  "IQ4_NL", "IQ3_S",
    "IQ3_M",   "IQ2_S",  "IQ2_M",   "IQ4_XS", "IQ1_M",  "BF16",    "",       "",      "",
    "TQ1_0",   "TQ2_0",  "MXFP4"};

std::optional<uint64_t> optional_uint(const Metadata& meta, const std::string& key) {
  auto value = meta.uint(key);
  if (!value) return std::nullopt;
  return *value;
}

std::string optional_text(const Metadata& meta, std::string_view key) {
  auto value = meta.text(key);
  return value ? std::string(*value) : std::string();
}

void count_types(const TensorFile& file, ModelFacts& out) {
  for (const TensorInfo& tensor : file.tensors()) {
    auto row = std::ranges::find(out.types, tensor.encoding->name, &ModelFacts::TypeRow::type);
    if (row == out.types.end()) {
      out.types.push_back({std::string(tensor.encoding->name)});
      row = out.types.end() - 1;
    }
    row->tensors++;
    row->parameters += tensor.elems();
    row->bytes += tensor.bytes;
    out.parameters += tensor.elems();
  }
  std::ranges::sort(out.types, std::greater(), [](const ModelFacts::TypeRow& row) {
    return std::tie(row.bytes, row.type);
  });
  if (!out.types.empty()) out.quantization = out.types[0].type;
  out.bytes = file.file_bytes();
}

void describe_gguf(const TensorFile& file, ModelFacts& out) {
  const Metadata& meta = file.metadata();
  out.format = "gguf";
  out.architecture = optional_text(meta, "general.architecture");
  out.name = optional_text(meta, "general.name");
  out.license = optional_text(meta, "general.license");
  out.chat_template = optional_text(meta, "tokenizer.chat_template");
  out.context_length = optional_uint(meta, out.architecture + ".context_length");
  out.embedding_length = optional_uint(meta, out.architecture + ".embedding_length");
  out.layers = optional_uint(meta, out.architecture + ".block_count");
  if (auto tokens = meta.array("tokenizer.ggml.tokens")) out.vocabulary = (*tokens)->count;
  auto type = optional_uint(meta, "general.file_type");
  if (type && *type < std::size(kFileTypes) && !kFileTypes[*type].empty())
    out.quantization = kFileTypes[*type];
}

Result<Json> read_tokenizer(const fs::path& path) {
  auto json = Json::parse(TRY(read_file(path, kTokenizerBytesMax)));
  if (!json) return std::unexpected(with_context(json.error(), path.string()));
  return json;
}

std::optional<uint64_t> json_uint(const Json& config, std::string_view name) {
  // Models with images keep the numbers of their text part apart.
  for (const Json* at : {&config[name], &config["text_config"][name]})
    if (at->is_int() && at->as_int() >= 0) return static_cast<uint64_t>(at->as_int());
  return std::nullopt;
}

Result<void> describe_folder(const fs::path& folder, ModelFacts& out) {
  Json config = TRY(read_checkpoint_json(folder, "config.json"));
  out.format = "safetensors";
  if (config["model_type"].is_string()) out.architecture = config["model_type"].as_string();
  if (config["_name_or_path"].is_string()) out.name = config["_name_or_path"].as_string();
  out.context_length = json_uint(config, "max_position_embeddings");
  out.embedding_length = json_uint(config, "hidden_size");
  out.layers = json_uint(config, "num_hidden_layers");
  out.vocabulary = json_uint(config, "vocab_size");
  out.chat_template = TRY(read_checkpoint_template(folder));
  return {};
}

Json gguf_tokenizer(const Metadata& meta) {
  Json out;
  out.set("model", optional_text(meta, "tokenizer.ggml.model"));
  if (auto pre = optional_text(meta, "tokenizer.ggml.pre"); !pre.empty()) out.set("pre", pre);
  auto tokens = meta.array("tokenizer.ggml.tokens", MetaType::kString);
  if (tokens) out.set("tokens", (*tokens)->count);
  if (auto merges = meta.array("tokenizer.ggml.merges")) out.set("merges", (*merges)->count);
  for (std::string_view kind : {"bos", "eos", "eot", "unknown", "padding", "separator", "mask"}) {
    auto id = optional_uint(meta, fmt::format("tokenizer.ggml.{}_token_id", kind));
    if (!id) continue;
    Json token;
    token.set("id", *id);
    if (tokens && *id < (*tokens)->strings.size()) token.set("text", (*tokens)->strings[*id]);
    out.set(std::string(kind), std::move(token));
  }
  for (std::string_view key : {"add_bos_token", "add_eos_token", "add_space_prefix"})
    if (auto name = fmt::format("tokenizer.ggml.{}", key); meta.find(name) != nullptr)
      if (auto value = meta.boolean(name, false)) out.set(std::string(key), *value);
  return out;
}

Result<Json> folder_tokenizer(const fs::path& folder) {
  Json out;
  auto tokenizer = read_tokenizer(folder / "tokenizer.json");
  if (!tokenizer && tokenizer.error().code != Code::kNotFound)
    return std::unexpected(tokenizer.error());
  if (tokenizer) {
    const Json& model = (*tokenizer)["model"];
    if (model["type"].is_string()) out.set("model", model["type"]);
    const Json& vocab = model["vocab"];
    if (vocab.is_object()) out.set("tokens", vocab.as_object().size());
    if (vocab.is_array()) out.set("tokens", vocab.as_array().size());
    if (model["merges"].is_array()) out.set("merges", model["merges"].as_array().size());
    const Json& added = (*tokenizer)["added_tokens"];
    if (added.is_array()) out.set("added", added.as_array().size());
  }
  auto config = read_checkpoint_json(folder, "tokenizer_config.json");
  if (!config && config.error().code != Code::kNotFound) return config;
  if (!tokenizer && !config)
    return fail(Code::kNotFound, "{} has no tokenizer.json", folder.string());
  for (std::string_view key : {"bos_token", "eos_token", "unk_token", "pad_token"}) {
    const Json& token = config ? (*config)[key] : Json();
    const Json& text = token.is_object() ? token["content"] : token;
    if (text.is_string()) out.set(std::string(key), text);
  }
  return out;
}

Result<ModelFacts> describe_file(const std::string& path) {
  TensorFile file = TRY(TensorFile::open(path));
  ModelFacts out;
  count_types(file, out);
  std::error_code error;
  if (file.kind() == ContainerKind::kGguf) describe_gguf(file, out);
  else if (fs::is_directory(path, error)) TRY(describe_folder(path, out));
  else out.format = "safetensors";
  return out;
}

Result<Json> describe_tokenizer_at(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return folder_tokenizer(path);
  TensorFile file = TRY(TensorFile::open(path));
  bool found = file.metadata().find("tokenizer.ggml.model") != nullptr;
  if (file.kind() != ContainerKind::kGguf || !found)
    return fail(Code::kNotFound, "{} holds no tokenizer", path);
  return gguf_tokenizer(file.metadata());
}

}  // namespace

Result<ModelFacts> describe_model(const std::string& path) {
  return catching_bad_alloc([&] { return describe_file(path); });
}

Result<Json> describe_tokenizer(const std::string& path) {
  return catching_bad_alloc([&] { return describe_tokenizer_at(path); });
}

}  // namespace hearth
