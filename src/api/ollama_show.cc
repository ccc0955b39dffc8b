// POST /api/show: all that is known of one model.
#include <fmt/format.h>

#include <algorithm>

#include "api/ollama_fields.h"
#include "api/ollama_store.h"
#include "container/tensor_file.h"
#include "registry/create.h"
#include "registry/describe.h"
#include "registry/resolve.h"
#include "template/go/go_template.h"

namespace hearth::api {
namespace {

using namespace ollama;

constexpr std::string_view kProjector = "application/vnd.ollama.image.projector";
constexpr size_t kArrayShown = 5;  // longer ones are shown as [] unless `verbose`

struct ShowFields {
  std::string model, name, system;
  bool verbose = false;
  const Json* options = nullptr;
};
constexpr FieldRow<ShowFields> kRows[] = {
    {"model", &ShowFields::model},     {"name", &ShowFields::name},
    {"system", &ShowFields::system},   {"verbose", &ShowFields::verbose},
    {"options", &ShowFields::options},
};

// A float as the shortest text that is it again, which a double of the same value is not.
Json float_json(double value, MetaType type) {
  if (type == MetaType::kF32)
    if (auto number = parse_number(fmt::format("{}", static_cast<float>(value)))) return *number;
  return value;
}

Json unsigned_json(uint64_t value) {
  if (value > static_cast<uint64_t>(INT64_MAX)) return static_cast<double>(value);
  return value;
}

Json array_json(const MetaArray& array, bool verbose) {
  Json out = Json::Array{};
  if (!verbose && array.count > kArrayShown) return out;
  for (std::string_view text : array.strings) out.push_back(text);
  if (array.item == MetaType::kString) return out;
  bool floats = array.item == MetaType::kF32 || array.item == MetaType::kF64;
  for (uint64_t i = 0; i < array.count; ++i) {
    if (floats) out.push_back(float_json(array.number_at(i), array.item));
    else if (array.item == MetaType::kBool) out.push_back(array.integer_at(i) != 0);
    else out.push_back(array.integer_at(i));
  }
  return out;
}

Json value_json(const MetaValue& value, bool verbose) {
  struct Visitor {
    MetaType type;
    bool verbose;
    Json operator()(uint64_t v) const { return unsigned_json(v); }
    Json operator()(int64_t v) const { return v; }
    Json operator()(double v) const { return float_json(v, type); }
    Json operator()(bool v) const { return v; }
    Json operator()(const std::string& v) const { return v; }
    Json operator()(const MetaArray& v) const { return array_json(v, verbose); }
  };
  return std::visit(Visitor{value.type, verbose}, value.value);
}

// The keys of a GGUF file, and the number of its parameters where it does not say it. Members are
// appended, not set: a file may have thousands.
Json gguf_info(const TensorFile& file, bool verbose) {
  Json::Object out;
  for (const auto& [key, value] : file.metadata().pairs())
    if (key != "general.name" && key != "tokenizer.chat_template")
      out.emplace_back(key, value_json(value, verbose));
  uint64_t parameters = 0;
  for (const TensorInfo& tensor : file.tensors()) parameters += tensor.elems();
  if (file.metadata().find("general.parameter_count") == nullptr)
    out.emplace_back("general.parameter_count", unsigned_json(parameters));
  return out;
}

// The same words for a folder of safetensors.
Json folder_info(const ModelFacts& facts) {
  Json out;
  out.set("general.architecture", facts.architecture);
  out.set("general.parameter_count", unsigned_json(facts.parameters));
  for (auto [name, value] : {std::pair{"context_length", facts.context_length},
                             std::pair{"embedding_length", facts.embedding_length},
                             std::pair{"block_count", facts.layers},
                             std::pair{"vocab_size", facts.vocabulary}})
    if (value) out.set(fmt::format("{}.{}", facts.architecture, name), unsigned_json(*value));
  return out;
}

Json tensors_json(const TensorFile& file) {
  Json::Array out;
  for (const TensorInfo& tensor : file.tensors()) {
    Json shape = Json::Array{};
    for (uint64_t dim : tensor.shape) shape.push_back(unsigned_json(dim));
    // GGUF names the contiguous dimension first.
    if (file.kind() == ContainerKind::kGguf) std::ranges::reverse(shape.array());
    Json item;
    item.set("name", tensor.name);
    item.set("type", tensor.encoding->name);
    item.set("shape", std::move(shape));
    out.push_back(std::move(item));
  }
  return out;
}

// One line per value, names in a column of 30, and no newline at the end: clients read it by
// regular expressions.
std::string parameters_text(const Json& params) {
  std::string out;
  auto line = [&](std::string_view name, const Json& value) {
    if (!out.empty()) out += '\n';
    fmt::format_to(std::back_inserter(out), "{:<30} ", name);
    if (value.is_double()) out += fmt::format("{}", value.as_double());
    else out += value.dump();
  };
  for (const auto& [name, value] : params.as_object()) {
    if (!value.is_array()) line(name, value);
    else for (const Json& item : value.as_array()) line(name, item);
  }
  return out;
}

bool shows_thinking(const ResolvedModel& model, std::string_view text) {
  if (model.language == TemplateLanguage::kGo)
    if (auto compiled = GoTemplate::compile(text); compiled && !compiled->thinking_open().empty())
      return true;
  return text.find("<think>") != text.npos && text.find("</think>") != text.npos;
}

// `text` is the template in force, the file's own where the model has none.
Json capabilities(const ResolvedModel& model, const TensorFile& file, std::string_view text) {
  bool embeds = std::ranges::any_of(file.metadata().pairs(), [](const Metadata::Pair& pair) {
    return pair.first.ends_with(".pooling_type");
  });
  bool go = model.language == TemplateLanguage::kGo;
  Json out = Json::Array{};
  out.push_back(embeds ? "embedding" : "completion");
  if (go && text.find(".Suffix") != text.npos) out.push_back("insert");
  if (shows_thinking(model, text)) out.push_back("thinking");
  return out;
}

Json messages_json(const std::vector<SeedMessage>& messages) {
  Json out = Json::Array{};
  for (const SeedMessage& message : messages) {
    Json item;
    item.set("role", message.role);
    item.set("content", message.content);
    out.push_back(std::move(item));
  }
  return out;
}

void set_text(Json& out, std::string name, std::string text) {
  if (!text.empty()) out.set(std::move(name), std::move(text));
}

// Texts of the config blob that only other programs use.
void set_extras(const Store& store, const Manifest& manifest, Json& out) {
  auto text = store.read_text(manifest.config.digest);
  auto config = text ? Json::parse(*text) : Result<Json>(Json());
  if (!config) return;
  for (std::string_view name : {"renderer", "parser", "requires"})
    if ((*config)[name].is_string()) set_text(out, std::string(name), (*config)[name].as_string());
}

Result<std::string> modelfile_text(const ResolvedModel& model, const Json* options) {
  ResolvedModel shown = model;
  if (options != nullptr)
    for (const auto& [name, value] : options->as_object()) shown.params.set(name, value);
  return fmt::format("# Modelfile generated by \"hearth show\"\n"
                     "# To build a new Modelfile based on this, replace FROM with:\n"
                     "# FROM {}\n\n{}", model.display_name, TRY(modelfile_of(shown)));
}

// A client's options come over the model's own.
ApiResult<void> check_options(const Json* options) {
  if (options == nullptr) return {};
  if (!options->is_object()) return refuse_kind("options", "an object", *options);
  constexpr size_t kOptionsMax = 1000;
  if (options->as_object().size() > kOptionsMax)
    return refuse("options", "options takes at most {} members", kOptionsMax);
  return check_lists(*options);
}

Result<Json> describe(const Store& store, const StoredModel& stored, ResolvedModel model,
                      const ShowFields& fields) {
  TensorFile file = TRY(TensorFile::open(model.path));
  ModelFacts facts = TRY(describe_model(model.path));
  if (!fields.system.empty()) model.system = fields.system;
  const std::string& chat =
      model.template_text.empty() ? facts.chat_template : model.template_text;
  Json out;
  set_text(out, "license", fmt::format("{}", fmt::join(model.licenses, "\n")));
  out.set("modelfile", TRY(modelfile_text(model, fields.options)));
  set_text(out, "parameters", parameters_text(model.params));
  set_text(out, "template", chat);
  set_text(out, "system", model.system);
  set_extras(store, stored.manifest, out);
  OllamaDetails details =
      ollama_details(store, stored.manifest).value_or(OllamaDetails{.format = facts.format});
  if (details.family.empty()) details.family = facts.architecture;
  if (details.quantization.empty()) details.quantization = facts.quantization;
  out.set("details", details_json(details));
  if (!model.messages.empty()) out.set("messages", messages_json(model.messages));
  bool gguf = file.kind() == ContainerKind::kGguf;
  out.set("model_info", gguf ? gguf_info(file, fields.verbose) : folder_info(facts));
  if (const Layer* layer = stored.manifest.find(kProjector))
    if (auto projector = TensorFile::open(store.blob_path(layer->digest).string()))
      out.set("projector_info", gguf_info(*projector, fields.verbose));
  if (fields.verbose) out.set("tensors", tensors_json(file));
  out.set("capabilities", capabilities(model, file, chat));
  out.set("modified_at", offset_time(stored.modified));
  return out;
}

ApiResult<std::string> show(const Store& store, const Json& body) {
  ShowFields fields;
  TRY(read_fields<ShowFields>(body, kRows, fields));
  const std::string& text = fields.model.empty() ? fields.name : fields.model;
  if (text.empty()) return std::unexpected(ollama_model_required());
  auto name = ModelName::parse(text);
  if (!name) return std::unexpected(ollama_invalid_name());
  auto found = store.find(*name);
  if (!found) return std::unexpected(ollama_model_not_found(text));
  TRY(check_options(fields.options));
  auto stored = store.read(*found);
  if (!stored) return refuse("model", std::move(stored).error());
  auto model = resolve_model(store, found->full());
  if (!model) return refuse("model", std::move(model).error());
  auto out = describe(store, *stored, std::move(*model), fields);
  if (!out) return refuse("model", std::move(out).error());
  return out->dump();
}

}  // namespace

ApiReply ollama_show(const Store& store, const Json& body) {
  auto out = catching_memory([&] { return show(store, body); });
  if (!out) return ollama_error(out.error());
  return {.status = 200, .body = std::move(*out)};
}

}  // namespace hearth::api
